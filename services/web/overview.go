package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// overviewView is the first page.
type overviewView struct {
	State   stateView
	Phones  string // a sentence
	Waiting []ImportReport
}

// stateView is the box in words.
type stateView struct {
	Sentence, Mood string
	Services       []serviceView
	ClockTrusted   bool
	ClockText      string
	Others         []otherView
	Held           bool   // a person can end the hold
	Decided        string // what a person decided about other DHCP servers; "" = nothing
	Notices        []string
	Version        string
	Uptime         string
}

func (s *Server) stateView() stateView {
	status := s.status()
	v := stateView{
		Services:     servicesView(status),
		ClockTrusted: status.Clock.Trusted,
		ClockText:    clockSentence(status.Clock),
		Others:       othersView(status.Others, s.deps.Now()),
		Held:         heldByOthers(status),
		Decided:      decisionSentence(status.Decision, s.deps.Now()),
		Notices:      status.Notices,
		Version:      status.Version,
		Uptime:       uptimeWords(status.UptimeS),
	}
	v.Sentence, v.Mood = sentence(status)
	return v
}

func (s *Server) overviewView() overviewView {
	return overviewView{State: s.stateView(), Phones: phonesSentence(s.deps.Box.Phones()), Waiting: s.deps.Shop.Waiting()}
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "overview", "Overview", "/", s.overviewView())
}

// overviewStream sends the first page again when something of it changed. The first message has all of it: the page may have
// been left open while the box was away.
func (s *Server) overviewStream(w http.ResponseWriter, r *http.Request) error {
	last := ""
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		var b, out bytes.Buffer
		if err := s.pages.part(&b, "overview", "live", s.overviewView()); err != nil || b.String() == last {
			return nil, err
		}
		last = b.String()
		partial(&out, "#state", "innerMorph", b.Bytes())
		return out.Bytes(), nil
	})
}

// clockPost takes the browser's time, or, without JavaScript, what a person typed as UTC.
func (s *Server) clockPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	unix, err := strconv.ParseFloat(r.PostForm.Get("unix"), 64)
	if err != nil {
		unix, err = typedTime(r.PostForm.Get("utc"))
	}
	if err != nil {
		return public(http.StatusUnprocessableEntity, "That is no date and time. Write it like 2026-03-01 14:30, in UTC.")
	}
	if err := s.setClock(w, r, unix); err != nil {
		return err
	}
	return s.done(w, r, "/", "The clock is set.")
}

// typedTime reads a time as the field of a browser writes it, or as a person does.
func typedTime(text string) (float64, error) {
	text = strings.Replace(strings.TrimSpace(text), "T", " ", 1)
	var t time.Time
	var err error
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err = time.Parse(layout, text); err == nil {
			return float64(t.Unix()), nil
		}
	}
	return 0, err
}
