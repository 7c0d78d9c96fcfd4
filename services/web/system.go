package web

import "net/http"

// systemView is the page of the box as a machine.
type systemView struct {
	Version, Uptime string
	Gokrazy         bool // the operating system has a page of its own
}

func (s *Server) systemPage(w http.ResponseWriter, r *http.Request) error {
	status := s.status()
	v := systemView{Version: status.Version, Uptime: uptimeWords(status.UptimeS), Gokrazy: s.deps.Box.Gokrazy() != nil}
	return s.show(w, r, http.StatusOK, "system", "System", "/system", v)
}
