package web

import (
	"bytes"
	"net/http"
	"slices"

	"phonebox/services/phone"
)

// restartMany asks the phones to restart and leads to the page that shows how far that is.
func (s *Server) restartMany(w http.ResponseWriter, r *http.Request, v manyView) error {
	var macs []phone.MAC
	for _, p := range v.Phones {
		if mac, err := phone.ParseMAC(p.MAC); err == nil {
			macs = append(macs, mac)
		}
	}
	if err := s.startRestart(r, macs); err != nil {
		return err
	}
	s.scans.mu.Lock()
	s.scans.restarted = macs
	s.scans.mu.Unlock()
	return s.done(w, r, "/phones/restarts", "The phones are asked to restart, a few at a time.")
}

// restartsView is how far restarting many phones is.
type restartsView struct {
	RestartProgress
	Rows []restartRow
}

// restartRow is one phone of them.
type restartRow struct {
	Path, Label, MAC string
	Mood, Word, Why  string
}

func (s *Server) restartsView() restartsView {
	v := restartsView{RestartProgress: s.deps.Shop.RestartProgress()}
	s.scans.mu.Lock()
	macs := slices.Clone(s.scans.restarted)
	s.scans.mu.Unlock()
	if len(macs) != v.Total { // somebody restarted others since
		macs = nil
	}
	failed := map[phone.MAC]string{}
	for _, f := range v.Failed {
		failed[f.MAC] = f.Why
		if !slices.Contains(macs, f.MAC) {
			macs = append(macs, f.MAC)
		}
	}
	labels := map[phone.MAC]string{}
	for _, p := range s.deps.Box.Phones() {
		labels[p.MAC] = p.Label
	}
	for _, mac := range macs {
		row := restartRow{Path: "/phones/" + mac.Name(), Label: labels[mac], MAC: mac.String(), Mood: "good", Word: "took it"}
		if why, bad := failed[mac]; bad {
			row.Mood, row.Word, row.Why = "bad", "not restarted", why
		} else if v.Running {
			row.Mood, row.Word = "busy", "under way"
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

func (s *Server) restartsPage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "phonesrestarts", "Restart", "/phones", s.restartsView())
}

func (s *Server) restartsStream(w http.ResponseWriter, r *http.Request) error {
	last := ""
	return s.pageStream(w, r, func(PhoneEvent) bool { return false }, func() ([]byte, error) {
		var b, out bytes.Buffer
		if err := s.pages.part(&b, "phonesrestarts", "progress", s.restartsView()); err != nil || b.String() == last {
			return nil, err
		}
		last = b.String()
		partial(&out, "#restarts", "innerMorph", b.Bytes())
		return out.Bytes(), nil
	})
}
