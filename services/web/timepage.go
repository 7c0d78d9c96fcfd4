package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"phonebox/services/phone"
)

// clockPageView is the page of the time: what the box knows, and what the phones show.
type clockPageView struct {
	Now     string
	Trusted bool
	Text    string
	Facts   []fact
	Servers []timeServerView
	Problem string
	All     clockView
	Own     []clockView
	More    int           // clocks of their own that are not shown
	Change  string        // when the phones' clocks change next; "" = never
	Form    *siteFormView // the settings of the time; nil = they cannot be shown
	Zones   []string      // that can be chosen
}

// shownClocks bounds the page: after the site's time zone was changed every phone goes by the old one until it starts again.
const shownClocks = 50

type fact struct{ Name, Text string }

type timeServerView struct{ Name, Verdict, Mood, Text, Why string }

// clockView is a phone's clock as the page shows it.
type clockView struct {
	PhoneClock
	Name, Path string
	Rows       []shownView
	Unsure     bool // the box does not know the time, and tells the phones so
}

type shownView struct{ When, Shows, Wrong string }

func (s *Server) timePage(w http.ResponseWriter, r *http.Request) error {
	form, err := s.embeddedForm("time")
	if err != nil {
		return err
	}
	return s.showTime(w, r, http.StatusOK, form)
}

// embeddedForm is a form that stands on a page with other things; nil = the box has no forms.
func (s *Server) embeddedForm(key string) (*siteFormView, error) {
	if s.deps.Forms == nil {
		return nil, nil
	}
	page, err := findPage(key)
	if err != nil {
		return nil, err
	}
	return s.loadForm(page, "")
}

func (s *Server) showTime(w http.ResponseWriter, r *http.Request, code int, form *siteFormView) error {
	c := s.deps.Box.Status().Clock
	v := clockPageView{
		Now: c.Now.UTC().Format("2 January 2006, 15:04:05 UTC"), Trusted: c.Trusted, Text: clockSentence(c), Facts: clockFacts(c), Problem: c.Problem,
		All:    s.clockView(phone.MAC{}, !c.Trusted),
		Change: s.deps.Shop.NextChange(), Form: form, Zones: phone.ZoneNames(),
	}
	for _, one := range c.Servers {
		v.Servers = append(v.Servers, newTimeServer(one))
	}
	own := s.deps.Shop.PhoneClocks()
	v.More = max(0, len(own)-shownClocks)
	for _, one := range own[:len(own)-v.More] {
		v.Own = append(v.Own, newClockView(one))
	}
	return s.show(w, r, code, "time", "Time", "/time", v)
}

// apiTime is all that the page of the time shows.
func (s *Server) apiTime(w http.ResponseWriter, _ *http.Request) error {
	own := s.deps.Shop.PhoneClocks()
	if own == nil {
		own = []PhoneClock{}
	}
	writeJSON(w, http.StatusOK, struct {
		Clock  Clock        `json:"clock"`
		Phones PhoneClock   `json:"phones"`
		Own    []PhoneClock `json:"own"`
	}{s.deps.Box.Status().Clock, s.deps.Shop.PhoneClock(phone.MAC{}), own})
	return nil
}

func (s *Server) apiPhoneClock(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.deps.Shop.PhoneClock(p.MAC))
	return nil
}

// clockFacts are what is known of the time besides the sentence.
func clockFacts(c Clock) []fact {
	var list []fact
	add := func(name, format string, args ...any) { list = append(list, fact{name, fmt.Sprintf(format, args...)}) }
	if c.Trusted {
		add("What NTP clients are told", "stratum %d", c.Stratum)
	} else {
		add("What NTP clients are told", "not synchronised (stratum 16): they are to look elsewhere")
	}
	if c.HeldS > 0 {
		add("A server was last heard", "%s ago", shortDuration(c.HeldS))
	}
	if c.DriftPPM != 0 {
		add("The computer's own clock", "is made to run %.1f ppm faster than it would by itself (%.1f s a day)", c.DriftPPM, c.DriftPPM*0.0864)
	}
	if c.RTC != "" {
		add("Real-time clock", "%s", c.RTC)
	}
	return list
}

// shortDuration writes seconds in the unit that suits them.
func shortDuration(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", s*1000)
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", s)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	}
	return fmt.Sprintf("%d hours", int(d.Hours()))
}

// verdictWords are the verdicts as the page shows them.
var verdictWords = map[string]struct{ words, mood string }{
	"":          {"not asked yet", "quiet"},
	"followed":  {"the box goes by it", "good"},
	"agrees":    {"agrees", "good"},
	"outlier":   {"agrees, but is less exact", "quiet"},
	"not right": {"tells another time than most, and is not believed", "bad"},
	"disagrees": {"the servers tell different times, and none has a majority", "bad"},
	"silent":    {"gives no usable answer", "warn"},
}

func newTimeServer(t TimeServer) timeServerView {
	words := verdictWords[t.Verdict]
	v := timeServerView{Name: t.Name, Verdict: words.words, Mood: words.mood, Why: t.Why}
	if t.Address != t.Name && t.Address != "" {
		v.Name += " (" + t.Address + ")"
	}
	if t.Stratum > 0 {
		ahead := "ahead of"
		if t.OffsetS < 0 {
			ahead = "behind"
		}
		v.Text = fmt.Sprintf("stratum %d, %s %s the box, may be wrong by %s, %s there and back", t.Stratum,
			shortDuration(max(t.OffsetS, -t.OffsetS)), ahead, shortDuration(t.ErrorS), shortDuration(t.DelayS))
	}
	return v
}

func (s *Server) clockView(mac phone.MAC, unsure bool) clockView {
	v := newClockView(s.deps.Shop.PhoneClock(mac))
	v.Unsure = unsure
	return v
}

func newClockView(c PhoneClock) clockView {
	v := clockView{PhoneClock: c, Name: c.Label}
	if !c.MAC.IsZero() {
		v.Path = "/phones/" + c.MAC.Name()
		if v.Name == "" {
			v.Name = c.MAC.String()
		}
	}
	for i, s := range c.Shows {
		row := shownView{When: "Now", Shows: s.Local + " (UTC" + s.Offset + ")"}
		switch {
		case i > 0 && s.Before != "" && s.Before != s.Local:
			row.When, row.Shows = "Then", s.Before+" becomes "+sameDay(s.Before, s.Local)+" (UTC"+s.Offset+")"
		case i > 0:
			row.When = "Then, when its zone changes"
		}
		if s.Wrong != 0 {
			row.Wrong = "wrong: " + strings.TrimSpace(minutesWords(s.Wrong))
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// sameDay leaves the day out where it is that of before: "Sun 28 Mar 2027, 03:00" is "03:00" then.
func sameDay(before, local string) string {
	day, _, _ := strings.Cut(before, ", ")
	return strings.TrimPrefix(local, day+", ")
}

func minutesWords(seconds int) string {
	way := "ahead"
	if seconds < 0 {
		way, seconds = "behind", -seconds
	}
	return count(seconds/60, "minute") + " " + way
}
