package web

import (
	"net/http"
	"strconv"

	"phonebox/services/phone"
)

// checksView is what checks of one phone showed.
type checksView struct {
	Name, Path string
	Lines      []LineCheck
	Report     *PhoneReport
	Problem    string
}

func (s *Server) newChecksView(p Phone) checksView {
	v := checksView{Name: p.Label, Path: "/phones/" + p.MAC.Name()}
	if v.Name == "" {
		v.Name = p.MAC.String()
	}
	return v
}

// checkPost registers the lines of a phone once, or asks the phone itself, and shows what came of it.
func (s *Server) checkPost(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	v := s.newChecksView(p)
	if r.PostForm.Get("what") == "phone" {
		report, askErr := s.deps.Shop.AskPhone(r.Context(), p.MAC)
		v.Report, err = &report, askErr
	} else {
		v.Lines, err = s.deps.Shop.CheckLines(r.Context(), p.MAC, 0)
	}
	code := http.StatusOK
	if err != nil {
		a := explain(err)
		if a.status == http.StatusInternalServerError {
			return err
		}
		v.Problem, v.Report, code = a.text, nil, a.status
	}
	return s.show(w, r, code, "checks", "Check of "+v.Name, "/phones", v)
}

// apiCheckLines registers lines and says what came of it: ?line=2 checks one.
func (s *Server) apiCheckLines(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	line := 0
	if text := r.URL.Query().Get("line"); text != "" {
		if line, err = strconv.Atoi(text); err != nil || line < 1 || line > phone.Lines {
			return public(http.StatusUnprocessableEntity, "That is no line; allowed are 1 to 6.")
		}
	}
	checks, err := s.deps.Shop.CheckLines(r.Context(), p.MAC, line)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, orEmpty(checks))
	return nil
}

// apiAskPhone asks the phone itself over telnet.
func (s *Server) apiAskPhone(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	report, err := s.deps.Shop.AskPhone(r.Context(), p.MAC)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, report)
	return nil
}

// restartAll restarts the phones that are ticked, or all.
func (s *Server) restartAll(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	macs, err := readMACs(r.PostForm["mac"])
	if err != nil {
		return err
	}
	if err := s.startRestart(r, macs); err != nil {
		return err
	}
	return s.done(w, r, "/conversions", "The phones are asked to restart, a few at a time. Each does so when it has been idle for 20 seconds.")
}

func (s *Server) startRestart(r *http.Request, macs []phone.MAC) error {
	if err := s.deps.Shop.RestartAll(r.Context(), macs); err != nil {
		return orElse(err, http.StatusInternalServerError, "The phones could not be restarted.")
	}
	s.changed(r, "Phones were asked to restart.")
	return nil
}

func readMACs(texts []string) ([]phone.MAC, error) {
	var out []phone.MAC
	for _, text := range texts {
		mac, err := phone.ParseMAC(text)
		if err != nil {
			return nil, public(http.StatusUnprocessableEntity, "That is no Ethernet address: "+err.Error()+".")
		}
		out = append(out, mac)
	}
	return out, nil
}

// apiRestartAll restarts several phones: {"macs": [...]}, none = all. GET tells how far it has come.
func (s *Server) apiRestartAll(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		MACs []string `json:"macs"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	macs, err := readMACs(in.MACs)
	if err != nil {
		return err
	}
	if err := s.startRestart(r, macs); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (s *Server) apiRestartProgress(w http.ResponseWriter, _ *http.Request) error {
	p := s.deps.Shop.RestartProgress()
	p.Failed = orEmpty(p.Failed)
	writeJSON(w, http.StatusOK, p)
	return nil
}
