package web

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// overviewView is the first page.
type overviewView struct {
	Head  headView
	Needs needsView
	Now   nowView
	Hour  *chartView // nil = nobody keeps it, or it has just begun
	Box   boxView
}

// headView says in one sentence how the phones are, and in another how the box is.
type headView struct {
	Mood     string
	BoxFirst bool // what is wrong with the box matters more
	Box      string
	BoxMood  string
	Parts    []string   // of the phones' sentence; the last goes on with the names in Stuck
	Stuck    []nameView // the first few
	More     int        // that are stuck besides
	Unplug   []nameView // whose power must not be cut now
	Others   int        // whose power must not be cut besides
	Empty    bool       // there is no phone at all
}

// nameView is a phone as a link.
type nameView struct{ Name, Path string }

func linkTo(p *Phone) nameView {
	return nameView{Name: cmp.Or(p.Label, p.MAC.String()), Path: "/phones/" + p.MAC.Name()}
}

// boxView is the services and the clock, in short where all is well.
type boxView struct {
	Services     []serviceView
	Wrong        bool // a person should read the details
	ClockTrusted bool
	ClockText    string
	Decided      string   // what a person decided about other DHCP servers; "" = nothing
	Beside       []string // the servers that it is about, in words
	Version      string
	Uptime       string
}

// look is what the overview is made of, looked at once.
type look struct {
	now         time.Time
	status      Status
	phones      []Phone
	conversions []Conversion
}

func (s *Server) look() *look {
	return &look{now: s.deps.Now(), status: s.status(), phones: s.deps.Box.Phones(), conversions: s.deps.Shop.Conversions()}
}

func (s *Server) overviewView(l *look) overviewView {
	v := overviewView{Head: l.head(), Needs: s.needsView(l), Box: l.box()}
	if s.deps.Activity != nil {
		v.Now = s.nowView(l)
		v.Hour = newChart(s.deps.Activity.Hour(), l.now)
	}
	return v
}

// maxNames is how many phones are named in a sentence.
const maxNames = 3

func (l *look) head() headView {
	t := Count(l.phones)
	v := headView{Parts: t.words(), Empty: t.Listed+t.Unlisted == 0}
	v.Box, v.BoxMood = sentence(l.status)
	v.Mood = v.BoxMood
	switch {
	case v.BoxMood == "bad" || heldByOthers(l.status):
		v.BoxFirst = true
	case t.Stuck > 0:
		v.Mood = "bad"
	case v.BoxMood == "good" && t.Firmware+t.OnTheWay+t.Unlisted > 0:
		v.Mood = "busy"
	case v.Empty && v.BoxMood == "good":
		v.Mood = "quiet"
	}
	writing := map[phone.MAC]bool{}
	for i := range l.phones {
		p := &l.phones[i]
		if p.Known && p.Step == phone.Stuck {
			v.Stuck, v.More = addName(v.Stuck, v.More, p)
		}
		if p.Step == phone.Upgrading {
			writing[p.MAC] = true
			v.Unplug, v.Others = addName(v.Unplug, v.Others, p)
		}
	}
	for _, c := range l.conversions {
		if c.Phase == "going" && !c.Unplug && !writing[c.MAC] {
			v.Unplug, v.Others = addName(v.Unplug, v.Others, &Phone{MAC: c.MAC, Label: c.Label})
		}
	}
	return v
}

func addName(names []nameView, more int, p *Phone) ([]nameView, int) {
	if len(names) >= maxNames {
		return names, more + 1
	}
	return append(names, linkTo(p)), more
}

func (l *look) box() boxView {
	v := boxView{
		Services: servicesView(l.status), ClockTrusted: l.status.Clock.Trusted, ClockText: clockSentence(l.status.Clock),
		Decided: decisionSentence(l.status.Decision, l.now), Version: l.status.Version, Uptime: uptimeWords(l.status.UptimeS),
		Wrong: !l.status.Clock.Trusted,
	}
	for _, o := range othersView(l.status.Others, l.now) {
		if o.Accepted {
			v.Beside = append(v.Beside, otherWords(o)...)
		}
	}
	for _, svc := range v.Services {
		v.Wrong = v.Wrong || svc.Mood == "bad" || svc.Mood == "warn" || svc.Mood == "good" && svc.Detail != ""
	}
	return v
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "overview", "Overview", "/", s.overviewView(s.look()))
}

// overviewParts are the parts of the page that live, by the id of their element. Each is sent again when it changed.
var overviewParts = []string{"head", "needs", "now", "hour", "minutes", "box", "everything"}

// shareFor is a little less than the time between two looks of a stream.
const shareFor = batchTime * 8 / 10

// overviewHTML is overviewParts made for all browsers that look at this moment.
func (s *Server) overviewHTML() ([]string, error) {
	return s.overviews.get(shareFor, func() ([]string, error) {
		v := s.overviewView(s.look())
		out := make([]string, len(overviewParts))
		for i, name := range overviewParts {
			var b bytes.Buffer
			if err := s.pages.part(&b, "overview", name, v); err != nil {
				return nil, err
			}
			out[i] = b.String()
		}
		return out, nil
	})
}

// overviewStream sends the parts that changed. The first message has all of them: the page may have been left open while the
// box was away.
func (s *Server) overviewStream(w http.ResponseWriter, r *http.Request) error {
	last := make([]string, len(overviewParts))
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		var out bytes.Buffer
		parts, err := s.overviewHTML()
		for i, html := range parts {
			if html != last[i] {
				last[i] = html
				partial(&out, "#o-"+overviewParts[i], "innerMorph", []byte(html))
			}
		}
		return out.Bytes(), err
	})
}

// Overview is GET /api/v1/overview: the first page for programs.
type Overview struct {
	Sentence  string     `json:"sentence"` // how the phones are
	Box       string     `json:"box"`      // how the box is, a sentence
	Phones    Tally      `json:"phones"`
	Needs     []Need     `json:"needs"` // the worst first
	Transfers []Transfer `json:"transfers"`
	Running   int        `json:"transfers_running"` // those that are not in the list included
	Recent    Recent     `json:"recent"`
	Hour      []Minute   `json:"hour"`
}

func (s *Server) apiOverview(w http.ResponseWriter, _ *http.Request) error {
	l := s.look()
	head := l.head()
	v := Overview{Sentence: head.text(), Box: head.Box, Phones: Count(l.phones), Needs: s.needs(l), Transfers: []Transfer{}, Hour: []Minute{}}
	if a := s.deps.Activity; a != nil {
		list, all := a.Transfers(maxTransfers)
		v.Transfers, v.Running, v.Recent, v.Hour = append(v.Transfers, list...), all, a.Recent(), append(v.Hour, a.Hour()...)
	}
	if v.Recent.Last == nil {
		v.Recent.Last = []PhoneEvent{}
	}
	writeJSON(w, http.StatusOK, v)
	return nil
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
