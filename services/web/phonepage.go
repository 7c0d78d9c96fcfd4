package web

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// shownEvents is how much of a timeline the page shows at once.
const shownEvents = 200

// phoneView is the page of one phone. Each of its parts is brought up to date by itself.
type phoneView struct {
	Row       whoView
	Advice    adviceView
	Strip     stripView
	Facts     factsView
	Means     meansView
	Lines     []lineView
	Files     filesView
	DHCP      dhcpView
	Time      timeView
	Clock     clockView
	Set       []Parameter // that somebody set for this phone or its model
	Recording recordingView
	Happened  timelineView
	Query     string // of the stream
	Held      string // "" or the target that holds for it, in words
}

// whoView is a phone in words.
type whoView struct {
	MAC, Path, Label             string
	Model, Address, Load         string
	Protocol                     string
	Listed                       bool
	Step, Mood                   string
	WaitingFor, Problem, Updated string
}

func newWho(p Phone, now time.Time) whoView {
	words, mood := stepInWords(p.Step)
	v := whoView{
		MAC: p.MAC.String(), Path: "/phones/" + p.MAC.Name(), Label: p.Label, Model: p.Model, Address: p.Address, Load: p.Load,
		Protocol: strings.ToUpper(string(p.Protocol)), Listed: p.Known, Step: words, Mood: mood,
		WaitingFor: waitingWords(p), Problem: p.Problem, Updated: timeWords(p.Updated, now),
	}
	if v.Label == "" {
		v.Label = "Unknown phone"
		if p.Known {
			v.Label = v.MAC
		}
	}
	return v
}

// factsView is who the phone is.
type factsView struct {
	Row whoView
	Way *conversionView // to its load; nil where there is nothing to convert
}

// meansView explains where the phone is.
type meansView struct {
	Waits, Long, Next string
	Troubles          []Trouble
	Clues             []string
}

// timelineView is the timeline.
type timelineView struct {
	Path   string
	Events []eventView
	More   int // events that are not shown
}

type eventView struct {
	At, Time, Service, Text, Step, Mood string
}

// filesView is what the phone would get for each name that it can ask for.
type filesView struct {
	List    []fileView
	Changed []string // names of files that changed since the phone got them
}

// fileView is a file that the phone would get.
type fileView struct {
	Name, URL, Status, Mood, Why string
	Got                          string // when it got that, in words; "" = not known
	Changed                      bool   // what it got was something else
}

// lineView is a line of the phone as its list entry has it.
type lineView struct {
	N                 int
	Name, Shown, Text string
}

// phoneParts makes all parts of the page. shown is the boot to look at; 0 = the last.
func (s *Server) phoneParts(r *http.Request, p Phone, all bool, shown uint64) (phoneView, error) {
	now := s.deps.Now()
	explained, err := s.deps.Shop.Explain(r.Context(), p.MAC)
	if err != nil {
		// The rest of the page is worth showing without it.
		s.deps.Log.Warn("explaining a phone failed", "mac", p.MAC, "err", err)
	}
	p.WaitingFor = stillWaiting(p.WaitingFor, explained.Files)
	v := phoneView{Row: newWho(p, now)}
	v.Facts = factsView{Row: v.Row, Way: s.conversionOf(p.MAC)}
	v.Means = meansView{explained.Waits, explained.Long, explained.Next, explained.Troubles, explained.Clues}
	if explained.Step == string(phone.Ready) {
		v.Means.Waits, v.Means.Long, v.Means.Next = "", "", "" // there is nothing to wait for
	}
	if v.Files, err = s.filesView(r, p, explained.Files); err != nil {
		return phoneView{}, err
	}
	events, _ := s.deps.Box.Events(p.MAC)
	status := s.deps.Box.Status()
	v.Strip = stripOf(p, v.Facts.Way, explained, events, shown, now, status.Clock.Trusted)
	v.Strip.Path = v.Row.Path
	v.Happened = happened(events, v.Row.Path, all, now)
	entry, _, _ := s.deps.Box.Settings().Phone(p.MAC)
	v.Lines, v.Held = heldLines(entry), loadSaid(entry.Load)
	v.DHCP, v.Time, v.Recording = s.dhcpView(p.MAC), s.timeView(p.MAC), s.recordingView(p)
	v.Advice = advise(adviceFacts{
		phone: p, way: v.Facts.Way, explain: explained, lines: len(v.Lines), changed: v.Files.Changed, path: v.Row.Path,
		held: status.Services["dhcp"].State == "held", noTime: v.Strip.noTime(),
	})
	if strings.Contains(v.Advice.More, v.Row.Problem) {
		v.Facts.Row.Problem = "" // it stands on top already
	}
	return v, nil
}

// stillWaiting is what a phone waits for. The reason why it did not get a file may be gone since it asked: what was wrong was put
// right, and the phone does not know yet.
func stillWaiting(waiting string, files []ExplainFile) string {
	name, _, ok := strings.Cut(waiting, ": ")
	if ok && slices.ContainsFunc(files, func(f ExplainFile) bool { return f.Name == name && f.Status == "ok" }) {
		return name + ", which is there now: it asks for it again by itself"
	}
	return waiting
}

// sentPercent finds how much of a transfer the journal says was sent.
var sentPercent = regexp.MustCompile(`\((\d+) % sent\)`)

// stripOf makes the strip of the boot that is looked at.
func stripOf(p Phone, way *conversionView, explained Explanation, events []PhoneEvent, shown uint64, now time.Time, clockKnown bool) stripView {
	boots := bootsOf(events)
	v := stripView{Current: true}
	if len(boots) == 0 {
		f := bootFacts{boot: &boot{}, phone: p, way: way, current: true, now: now}
		v.Stages = f.strip()
		v.Head = "This phone has not been seen yet."
		return v
	}
	at := len(boots) - 1
	if i := slices.IndexFunc(boots, func(b boot) bool { return b.id == shown }); i >= 0 {
		at = i
	}
	b := &boots[at]
	v.Current, v.ID = at == len(boots)-1, b.id
	v.Boots = bootList("/phones/"+p.MAC.Name(), boots, b.id, now)
	f := bootFacts{boot: b, phone: p, way: way, current: v.Current, now: now, clockKnown: clockKnown}
	if m := sentPercent.FindStringSubmatch(p.WaitingFor); m != nil {
		f.percent, _ = strconv.Atoi(m[1])
	}
	step, _ := b.last()
	f.reached = wayRank(step)
	if v.Current && p.Step != phone.Stuck && p.Step != phone.Ready {
		f.reached = min(f.reached, max(wayRank(p.Step), 1))
	}
	f.files = fetchedIn(b, now, func(name string) (string, string) {
		for _, one := range explained.Files {
			if strings.EqualFold(one.Name, name) && (one.Status != "ok" || v.Current) && one.Status != "refused" {
				return one.Status, one.Why
			}
		}
		return "", ""
	})
	v.Stages = f.strip()
	said, _ := bootOutcome(b, v.Current)
	v.At = b.began().UTC().Format(time.RFC3339)
	v.Head = "Start of " + timeWords(b.began(), now) + ": " + said + "."
	return v
}

// noTime reports whether the phone was told last that the box does not know the time.
func (v *stripView) noTime() bool {
	return slices.ContainsFunc(v.Stages, func(s stageView) bool { return s.Key == "time" && s.State == stageTrouble })
}

func happened(events []PhoneEvent, path string, all bool, now time.Time) timelineView {
	v := timelineView{Path: path}
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

// heldLines are the lines that the list gives the phone.
func heldLines(entry PhoneEntry) []lineView {
	var out []lineView
	for i, l := range entry.Lines {
		if l.Name == "" && l.AuthName == "" {
			continue
		}
		v := lineView{N: i + 1, Name: l.Name, Shown: l.DisplayName}
		if l.Proxy != "" {
			v.Text = "at " + l.Proxy
		}
		if l.Password == "" {
			v.Text = strings.TrimSpace(v.Text + " without a password")
		}
		out = append(out, v)
	}
	return out
}

// filesView arranges what the phone would get for each name that it can ask for, beside what it got last.
func (s *Server) filesView(r *http.Request, p Phone, files []ExplainFile) (filesView, error) {
	var v filesView
	now := s.deps.Now()
	for _, one := range files {
		f := fileView{
			Name: one.Name, URL: "/phones/" + p.MAC.Name() + "/files/" + one.Name, Status: fileWords(one.Status), Mood: fileMood(one.Status), Why: one.Why,
		}
		if kind := phone.ParseFileName(one.Name).Kind; one.Status == "ok" && !isImageKind(kind) {
			a, err := s.deps.Box.File(r.Context(), p.MAC, one.Name)
			if err != nil {
				return v, err
			}
			if c, known := s.desk().Compare(p.MAC, one.Name, a.Body); known {
				f.Got = "It got this at " + timeWords(c.Time, now) + "."
				if !c.Equal {
					f.Changed = true
					f.Got = "What it got at " + timeWords(c.Time, now) + " was another version."
				}
				if !c.Equal && restartFor(kind) && differsBeyondLoad(c) {
					v.Changed = append(v.Changed, one.Name)
				}
			}
		}
		v.List = append(v.List, f)
	}
	return v, nil
}

// restartFor reports whether a phone that runs reads a file of the kind again when it is restarted, and behaves by it.
func restartFor(k phone.Kind) bool {
	return k == phone.KindSIP || k == phone.KindSIPDefault || k == phone.KindRingList || k == phone.KindDialPlan
}

// differsBeyondLoad reports whether something else than the name of the load has changed: that follows from what the phone was
// seen running, and the conversion looks after it.
func differsBeyondLoad(c Comparison) bool {
	other := func(lines []KeptLine) []KeptLine {
		return slices.DeleteFunc(slices.Clone(lines), func(l KeptLine) bool { return strings.HasPrefix(l.Text, "image_version") })
	}
	return !slices.Equal(other(c.Got), other(c.Now))
}

// shownBoot reads which boot somebody looks at.
func shownBoot(r *http.Request) uint64 {
	id, err := strconv.ParseUint(r.URL.Query().Get("boot"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func (s *Server) phonePage(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	all, shown := r.URL.Query().Get("all") == "1", shownBoot(r)
	v, err := s.phoneParts(r, p, all, shown)
	if err != nil {
		return err
	}
	v.Clock = s.clockView(p.MAC, !s.deps.Box.Status().Clock.Trusted)
	if list, ok := s.deps.Shop.Parameters(p.MAC); ok {
		v.Set = ownParameters(list)
	}
	switch {
	case all && shown != 0:
		v.Query = "?all=1&boot=" + strconv.FormatUint(shown, 10)
	case all:
		v.Query = "?all=1"
	case shown != 0:
		v.Query = "?boot=" + strconv.FormatUint(shown, 10)
	}
	return s.show(w, r, http.StatusOK, "phone", v.Row.Label, "/phones", v)
}

// phoneStream sends the parts of one phone's page that changed.
func (s *Server) phoneStream(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	all, shown := r.URL.Query().Get("all") == "1", shownBoot(r)
	last := map[string]string{}
	return s.pageStream(w, r, func(e PhoneEvent) bool { return e.MAC == p.MAC }, func() ([]byte, error) {
		now, ok := s.deps.Box.Phone(p.MAC)
		if !ok {
			return nil, nil // it was removed and forgotten
		}
		v, err := s.phoneParts(r, now, all, shown)
		if err != nil {
			return nil, err
		}
		var out, b bytes.Buffer
		for _, part := range []struct {
			name string
			view any
		}{
			{"advice", v.Advice},
			{"strip", v.Strip},
			{"live", v.Facts},
			{"means", v.Means},
			{"files", v.Files},
			{"dhcp", v.DHCP},
			{"time", v.Time},
			{"recording", v.Recording},
			{"happened", v.Happened},
		} {
			b.Reset()
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
