package web

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"phonebox/services/phone"
)

// shownEvents is how much of a timeline the page shows at once.
const shownEvents = 200

// phoneView is the page of one phone.
type phoneView struct {
	Live    liveView
	DHCP    dhcpView
	Time    timeView
	Explain Explanation
	Files   []fileView
	Clock   clockView
	All     bool // the whole timeline is shown
}

// liveView is the part of the page that changes by itself.
type liveView struct {
	Row    rowView
	Path   []stepPath      // nil while stuck or never seen
	Way    *conversionView // to its load; nil where there is nothing to convert
	Events []eventView
	More   int // events that are not shown
}

type eventView struct {
	At, Time, Service, Text, Step, Mood string
}

// fileView is a file that the phone would get.
type fileView struct{ Name, URL, Status, Mood, Why string }

func (s *Server) liveView(p Phone, all bool) liveView {
	now := s.deps.Now()
	v := liveView{Row: newRow(p, now), Way: s.conversionOf(p.MAC)}
	if p.Step != phone.Stuck && p.Step != "" {
		v.Path = pathOf(p.Step)
	}
	events, _ := s.deps.Box.Events(p.MAC)
	if !all && len(events) > shownEvents {
		v.More = len(events) - shownEvents
		events = events[v.More:]
	}
	for _, e := range slices.Backward(events) {
		words, mood := stepInWords(e.Step)
		v.Events = append(v.Events, eventView{
			At: e.Time.UTC().Format(time.RFC3339), Time: timeWords(e.Time, now), Service: e.Service, Text: e.Text, Step: words, Mood: mood,
		})
	}
	return v
}

// filesView arranges what the phone would get for each name that it can ask for.
func filesView(mac phone.MAC, files []ExplainFile) []fileView {
	var out []fileView
	for _, one := range files {
		f := fileView{Name: one.Name, URL: "/api/v1/phones/" + mac.Name() + "/files/" + one.Name, Status: one.Status, Mood: "quiet", Why: one.Why}
		switch f.Status {
		case "ok":
			f.Mood = "good"
		case "missing":
			f.Mood = "warn"
		case "refused":
			f.Mood = "bad"
		}
		out = append(out, f)
	}
	return out
}

func (s *Server) phonePage(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	all := r.URL.Query().Get("all") == "1"
	v := phoneView{
		Live: s.liveView(p, all), DHCP: s.dhcpView(p.MAC), Time: s.timeView(p.MAC),
		Clock: s.clockView(p.MAC, !s.deps.Box.Status().Clock.Trusted), All: all,
	}
	if v.Explain, err = s.deps.Shop.Explain(r.Context(), p.MAC); err != nil {
		// The rest of the page is worth showing without it.
		s.deps.Log.Warn("explaining a phone failed", "mac", p.MAC, "err", err)
	}
	v.Files = filesView(p.MAC, v.Explain.Files)
	return s.show(w, r, http.StatusOK, "phone", v.Live.Row.Label, "/phones", v)
}

// phoneStream sends the live part of one phone's page whenever it changed.
func (s *Server) phoneStream(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	all := r.URL.Query().Get("all") == "1"
	last := map[string]string{}
	return s.pageStream(w, r, func(e PhoneEvent) bool { return e.MAC == p.MAC }, func() ([]byte, error) {
		now, ok := s.deps.Box.Phone(p.MAC)
		if !ok {
			return nil, nil // it was removed and forgotten
		}
		var out bytes.Buffer
		for _, part := range []struct {
			name string
			view any
		}{{"live", s.liveView(now, all)}, {"dhcp", s.dhcpView(p.MAC)}, {"time", s.timeView(p.MAC)}} {
			var b bytes.Buffer
			if err := s.pages.part(&b, "phone", part.name, part.view); err != nil {
				return nil, err
			}
			if b.String() != last[part.name] {
				last[part.name] = b.String()
				partial(&out, "#"+part.name, "innerMorph", b.Bytes())
			}
		}
		return out.Bytes(), nil
	})
}

func (s *Server) phoneRestart(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	if err := s.restart(r, p); err != nil {
		return err
	}
	return s.done(w, r, "/phones/"+p.MAC.Name(), "The phone was asked to restart. It does so when it has been idle for 20 seconds.")
}

// stepPath is the way of a phone, for its page.
type stepPath struct {
	Words string
	State string // done, now or ahead
}

// pathOf marks how far a phone has come. A stuck phone's step is not on the way, so only its own page's words tell.
func pathOf(step phone.Step) []stepPath {
	order := []phone.Step{phone.Seen, phone.Addressed, phone.Loading, phone.Configured, phone.Ready}
	at := slices.Index(order, step)
	if step == phone.Upgrading {
		order = slices.Insert(order, 3, phone.Upgrading)
		at = 3
	}
	out := make([]stepPath, len(order))
	for i, st := range order {
		words, _ := stepInWords(st)
		out[i] = stepPath{Words: words, State: "ahead"}
		switch {
		case i < at || i == at && st == phone.Ready:
			out[i].State = "done"
		case i == at:
			out[i].State = "now"
		}
	}
	return out
}
