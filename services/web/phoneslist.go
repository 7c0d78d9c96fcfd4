package web

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

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

func (s *Server) phonesPage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "phones", "Phones", "/phones", s.phonesView())
}

// phonesStream sends the rows that changed. The first message has all of them: the page may have been left open while the box
// was away.
func (s *Server) phonesStream(w http.ResponseWriter, r *http.Request) error {
	var last phonesParts
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		view, err := s.phonesShared.get(shareFor, func() (phonesView, error) { return s.phonesView(), nil })
		if err != nil {
			return nil, err
		}
		return last.changes(s.pages, view)
	})
}

// phonesParts remembers what a browser was sent.
type phonesParts struct {
	sentence string
	rows     []Phone
	began    bool
}

func (o *phonesParts) changes(p *pages, phones phonesView) ([]byte, error) {
	var out bytes.Buffer
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
func (o *phonesParts) rowChanges(out *bytes.Buffer, p *pages, phones phonesView) error {
	same := o.began && len(o.rows) == len(phones.Rows)
	for i := 0; same && i < len(o.rows); i++ {
		same = o.rows[i].MAC == phones.Rows[i].phone.MAC
	}
	var b bytes.Buffer
	if !same {
		if err := p.part(&b, "phones", "rows", phones.Rows); err != nil {
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
		if err := p.part(&b, "phones", "row", row); err != nil {
			return err
		}
		partial(out, "#"+row.ID, "outerMorph", b.Bytes())
	}
	return nil
}
