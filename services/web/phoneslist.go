package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxStrangers bounds how many phones that are not listed stand above the table.
const maxStrangers = 6

// phonesView is the table of phones.
type phonesView struct {
	Sentence  string
	Query     phonesQuery
	Chips     []chipView
	Columns   []columnView
	Rows      []rowView
	Any       bool     // there are phones, shown or not
	Kept      int      // ticked phones that came with the address
	Away      []string // those of them that are not shown: their MACs
	Strangers strangersView
}

// chipView is a filter with what it would show.
type chipView struct {
	Key   string
	Word  string
	Count int
	Path  string
	On    bool
}

// columnView is the head of a column: a link that sorts by it.
type columnView struct {
	Key, Word string
	Path      string
	Sorted    string // ascending, descending or ""
	Chosen    bool
}

// strangersView are the phones that showed up and are not listed.
type strangersView struct {
	Rows  []rowView
	More  int
	Total int
	Next  *WaitingLine // the line that the next of them gets; nil = none waits
	Left  int          // lines that wait
}

// rowView is one phone in words.
type rowView struct {
	ID, MAC, Path       string
	Label, Model        string
	Lines               string
	Address, Load       string
	Protocol            string
	Listed, Ticked      bool
	Step, Mood          string
	WaitingFor, Problem string
	Updated             string
	UpdatedAt           string
	phone               Phone
}

// phonesView makes the table.
func (s *Server) phonesView(q phonesQuery) phonesView {
	phones := s.deps.Box.Phones()
	picked, counts := q.pick(phones)
	now := s.deps.Now()
	v := phonesView{
		Sentence: phonesSentence(phones), Query: q, Any: len(phones) > 0, Rows: make([]rowView, len(picked)),
		Strangers: s.strangersView(phones, now),
	}
	ticked := q.ticked()
	v.Kept = len(ticked)
	for i, p := range picked {
		v.Rows[i] = newRow(p, now)
		v.Rows[i].Ticked = ticked[p.MAC]
		delete(ticked, p.MAC)
	}
	for mac := range ticked {
		v.Away = append(v.Away, mac.String())
	}
	slices.Sort(v.Away)
	for i, f := range phoneFilters {
		to := q
		to.Step = f.key
		v.Chips = append(v.Chips, chipView{Key: cmp.Or(f.key, "all"), Word: f.word, Count: counts[i], Path: to.At("/phones"), On: f.key == q.Step})
	}
	for i, c := range phoneColumns {
		v.Columns = append(v.Columns, q.column(c.key, c.word, i == 0))
	}
	return v
}

// column makes the head of a column; the one that is sorted by leads to the other direction.
func (q phonesQuery) column(key, word string, usual bool) columnView {
	c := columnView{Key: key, Word: word}
	to := q
	to.Sort, to.Desc = key, false
	if usual {
		to.Sort = ""
	}
	if c.Chosen = to.Sort == q.Sort; c.Chosen {
		c.Sorted, to.Desc = "ascending", !q.Desc
		if q.Desc {
			c.Sorted = "descending"
		}
	}
	c.Path = to.At("/phones")
	return c
}

// strangersView shows the phones that are not listed, the latest first.
func (s *Server) strangersView(phones []Phone, now time.Time) strangersView {
	var v strangersView
	var list []Phone
	for _, p := range phones {
		if !p.Known {
			list = append(list, p)
		}
	}
	v.Total = len(list)
	if v.Total == 0 {
		return v
	}
	// In the order in which they will be given lines, which must not change while one looks at it.
	slices.SortFunc(list, func(a, b Phone) int { return slices.Compare(a.MAC[:], b.MAC[:]) })
	v.More = max(0, len(list)-maxStrangers)
	for _, p := range list[:len(list)-v.More] {
		v.Rows = append(v.Rows, newRow(p, now))
	}
	waiting, _ := s.deps.Fleet.WaitingLines()
	if v.Left = len(waiting); v.Left > 0 {
		v.Next = &waiting[0]
	}
	return v
}

func newRow(p Phone, now time.Time) rowView {
	words, mood := stepInWords(p.Step)
	r := rowView{
		ID: "p-" + p.MAC.Name(), MAC: p.MAC.String(), Path: "/phones/" + p.MAC.Name(),
		Label: p.Label, Model: p.Model, Lines: p.Lines, Address: p.Address, Load: p.Load, Protocol: strings.ToUpper(string(p.Protocol)),
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
	q := readPhonesQuery(r.URL.Query())
	if r.Header.Get("HX-Request") != "" && r.Header.Get("HX-Boosted") == "" && r.URL.RawQuery != "" {
		w.Header().Set("HX-Replace-Url", q.At("/phones")) // typing in the search, without the fields that are empty
	}
	return s.show(w, r, http.StatusOK, "phones", "Phones", "/phones", s.phonesView(q))
}
