package web

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// overviewView is the first page.
type overviewView struct {
	State  stateView
	Phones phonesView
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

// phonesView is the table.
type phonesView struct {
	Sentence string
	Rows     []rowView
}

// rowView is one phone in words.
type rowView struct {
	ID, MAC, Path       string
	Label, Model        string
	Address, Load       string
	Protocol            string
	Listed              bool
	Step, Mood          string
	WaitingFor, Problem string
	Updated             string
	UpdatedAt           string
	phone               Phone
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

func (s *Server) phonesView() phonesView {
	phones := slices.Clone(s.deps.Box.Phones())
	sortPhones(phones)
	now := s.deps.Now()
	v := phonesView{Sentence: phonesSentence(phones), Rows: make([]rowView, len(phones))}
	for i, p := range phones {
		v.Rows[i] = newRow(p, now)
	}
	return v
}

// sortPhones puts the listed ones first, by label; the order does not follow the steps, so that no row jumps away
// under the finger.
func sortPhones(phones []Phone) {
	slices.SortStableFunc(phones, func(a, b Phone) int {
		if a.Known != b.Known {
			if a.Known {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label)), bytes.Compare(a.MAC[:], b.MAC[:]))
	})
}

func newRow(p Phone, now time.Time) rowView {
	words, mood := stepInWords(p.Step)
	r := rowView{
		ID: "p-" + p.MAC.Name(), MAC: p.MAC.String(), Path: "/phones/" + p.MAC.Name(),
		Label: p.Label, Model: p.Model, Address: p.Address, Load: p.Load, Protocol: strings.ToUpper(string(p.Protocol)),
		Listed: p.Known, Step: words, Mood: mood, WaitingFor: waitingWords(p), Problem: p.Problem,
		Updated: timeWords(p.Updated, now), phone: p,
	}
	if r.Label == "" {
		r.Label = "Unknown phone"
		if p.Known {
			r.Label = r.MAC
		}
	}
	if !p.Updated.IsZero() {
		r.UpdatedAt = p.Updated.UTC().Format(time.RFC3339)
	}
	return r
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "overview", "Phones", "phones", overviewView{s.stateView(), s.phonesView()})
}

// overviewStream sends the parts of the first page that changed. The first message has all of them: the page may have
// been left open while the box was away.
func (s *Server) overviewStream(w http.ResponseWriter, r *http.Request) error {
	var last overviewParts
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		return last.changes(s.pages, s.stateView(), s.phonesView())
	})
}

// overviewParts remembers what a browser was sent.
type overviewParts struct {
	state, sentence string
	rows            []Phone
	began           bool
}

func (o *overviewParts) changes(p *pages, state stateView, phones phonesView) ([]byte, error) {
	var out, b bytes.Buffer
	if err := p.part(&b, "overview", "state", state); err != nil {
		return nil, err
	}
	if b.String() != o.state {
		o.state = b.String()
		partial(&out, "#state", "innerMorph", b.Bytes())
	}
	if phones.Sentence != o.sentence {
		o.sentence = phones.Sentence
		partial(&out, "#phones-sentence", "textContent", []byte(phones.Sentence))
	}
	if err := o.rowChanges(&out, p, phones); err != nil {
		return nil, err
	}
	o.began = true
	o.rows = o.rows[:0]
	for _, r := range phones.Rows {
		o.rows = append(o.rows, r.phone)
	}
	return out.Bytes(), nil
}

// rowChanges exchanges single rows while the list of phones is the same, and the whole table when it is not.
func (o *overviewParts) rowChanges(out *bytes.Buffer, p *pages, phones phonesView) error {
	same := o.began && len(o.rows) == len(phones.Rows)
	for i := 0; same && i < len(o.rows); i++ {
		same = o.rows[i].MAC == phones.Rows[i].phone.MAC
	}
	var b bytes.Buffer
	if !same {
		if err := p.part(&b, "overview", "rows", phones.Rows); err != nil {
			return err
		}
		partial(out, "#phones", "innerMorph", b.Bytes())
		return nil
	}
	for i, row := range phones.Rows {
		if row.phone == o.rows[i] {
			continue
		}
		b.Reset()
		if err := p.part(&b, "overview", "row", row); err != nil {
			return err
		}
		partial(out, "#"+row.ID, "outerMorph", b.Bytes())
	}
	return nil
}

// partial wraps HTML that our own templates made into htmx's element for exchanging a part of a page.
func partial(out *bytes.Buffer, target, swap string, html []byte) {
	out.WriteString(`<hx-partial hx-target="` + target + `" hx-swap="` + swap + `">`)
	out.Write(html)
	out.WriteString("</hx-partial>\n")
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
