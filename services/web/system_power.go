package web

import (
	"net/http"
)

// powerWords are what can be done, with what it means and what comes next.
var powerWords = map[string]struct{ title, means, next, button string }{
	"restart": {
		"Restart phonebox?", "The daemon stops and starts again. That takes a few seconds. Phones that run keep running; one that is fetching files begins anew by itself.",
		"phonebox restarts. This page looks for it by itself in ten seconds.", "Restart phonebox",
	},
	"reboot": {
		"Restart the computer?", "Everything stops and starts again. That takes about a minute. Phones that run keep running; one that starts meanwhile waits for the box.",
		"The computer restarts. This page looks for it by itself in a minute.", "Restart the computer",
	},
	"off": {
		"Shut the computer down?", "Everything stops, and stays off until somebody cuts the power and gives it back. Phones keep running as long as their leases last; none can start.",
		"The computer shuts down. Wait ten seconds before you cut its power.", "Shut it down",
	},
}

// powerPageView asks once more.
type powerPageView struct {
	Do, Title, Means, Button string
	Why                      string   // it cannot be done
	Busy                     []string // phones that are writing firmware
	Problem                  string
	Done                     string // it is being done
}

func (s *Server) powerView(do string) (powerPageView, error) {
	words, ok := powerWords[do]
	if !ok {
		return powerPageView{}, public(http.StatusNotFound, "There is no such page.")
	}
	v := powerPageView{Do: do, Title: words.title, Means: words.means, Button: words.button, Busy: s.busyPhones()}
	for _, p := range powersView(s.deps.System.Powers()) {
		if p.Do == do {
			v.Why = p.Why
		}
	}
	return v, nil
}

func (s *Server) powerAsk(w http.ResponseWriter, r *http.Request) error {
	v, err := s.powerView(r.URL.Query().Get("do"))
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "systempower", v.Title, "/system", v)
}

// powerPost does it. While a phone writes firmware a person has to say that he means it.
func (s *Server) powerPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	do := r.PostForm.Get("do")
	v, err := s.powerView(do)
	if err != nil {
		return err
	}
	if len(v.Busy) > 0 && r.PostForm.Get("anyway") != "1" {
		v.Problem = "Nothing was done: a phone is writing firmware. Tick the box if you mean it."
		return s.show(w, r, http.StatusConflict, "systempower", v.Title, "/system", v)
	}
	if err := s.power(r, do); err != nil {
		return err
	}
	v.Done = powerWords[do].next
	switch do {
	case "restart":
		w.Header().Set("Refresh", "10; url=/system")
	case "reboot":
		w.Header().Set("Refresh", "60; url=/system")
	}
	return s.show(w, r, http.StatusOK, "systempower", v.Title, "/system", v)
}

func (s *Server) power(r *http.Request, do string) error {
	if err := s.deps.System.Power(r.Context(), do); err != nil {
		return orElse(err, http.StatusInternalServerError, "The box could not be told; its log says why.")
	}
	s.changed(r, map[string]string{
		"restart": "phonebox was told to restart.", "reboot": "The computer was told to restart.", "off": "The computer was told to shut down.",
	}[do])
	return nil
}

// apiPower does the same for programs; "anyway" stands for the tick.
func (s *Server) apiPower(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Do     string `json:"do"`
		Anyway bool   `json:"anyway"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if busy := s.busyPhones(); len(busy) > 0 && !in.Anyway {
		return public(http.StatusConflict, "A phone is writing firmware: "+and(busy)+". Send anyway: true if you mean it.")
	}
	if err := s.power(r, in.Do); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
