package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// conversionsShown is how many phones one page shows; who has more of them looks for one, or turns the page.
const conversionsShown = 100

// conversionQuery is which phones a person wants to see.
type conversionQuery struct {
	Show string // one of conversionShows; "" = all
	Find string // part of a name or of a MAC, such as its last four digits
	Page int    // from 1
}

// conversionShow is a group of phones that the page can be narrowed to.
type conversionShow struct {
	key, word string
	is        func(c *conversionView) bool
}

var conversionShows = []conversionShow{
	{"", "All", func(*conversionView) bool { return true }},
	{"needs", "Needs you", func(c *conversionView) bool { return c.Needs }},
	{"going", "On their way", func(c *conversionView) bool { return c.Phase == "going" || !c.Unplug }},
	{"waiting", "Waiting", func(c *conversionView) bool { return c.Phase == "waiting" && c.Unplug }},
	{"off", "Left out or stopped", func(c *conversionView) bool { return c.Phase == "skipped" || c.Phase == "stopped" }},
	{"done", "Arrived", func(c *conversionView) bool { return c.Phase == "arrived" }},
}

func readConversionQuery(r *http.Request) conversionQuery {
	v := r.URL.Query()
	q := conversionQuery{Find: strings.TrimSpace(v.Get("find"))}
	for _, show := range conversionShows {
		if show.key == v.Get("show") {
			q.Show = show.key
		}
	}
	q.Page, _ = strconv.Atoi(v.Get("page"))
	q.Page = min(max(q.Page, 1), 1000)
	if len(q.Find) > 80 {
		q.Find = q.Find[:80]
	}
	return q
}

// values are the query as it stands in an address.
func (q conversionQuery) values() url.Values {
	v := url.Values{}
	if q.Show != "" {
		v.Set("show", q.Show)
	}
	if q.Find != "" {
		v.Set("find", q.Find)
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	return v
}

// at is an address with the query.
func (q conversionQuery) at(path string) string {
	if v := q.values(); len(v) > 0 {
		return path + "?" + v.Encode()
	}
	return path
}

// Here is the page itself.
func (q conversionQuery) Here() string { return q.at("/conversions") }

// Stream is what keeps the page up to date.
func (q conversionQuery) Stream() string { return q.at("/conversions/stream") }

// finds reports whether a phone is one that is looked for. Four digits are the end of a MAC, as it stands on the back of the
// phone, before they are part of anything else.
func (q conversionQuery) finds(c *conversionView) bool {
	if q.Find == "" || strings.Contains(strings.ToLower(c.Label), strings.ToLower(q.Find)) {
		return true
	}
	digits := strings.ToUpper(strings.NewReplacer(":", "", "-", "", ".", "", " ", "").Replace(q.Find))
	if len(digits) <= 4 {
		return strings.HasSuffix(c.MAC.Name(), digits)
	}
	return strings.Contains(c.MAC.Name(), digits)
}

// stateChip is a group that the page can be narrowed to, with how many phones are in it.
type stateChip struct {
	Word, Path string
	Count      int
	Current    bool
}

// pageLink leads to another page of the list.
type pageLink struct {
	Word, Path string
}

// conversionSum is what stands over the list.
type conversionSum struct {
	Sentence  string
	Title     string // of the browser's tab
	Done, Of  int    // phones that arrived, of those that should
	Left      string // how long the rest takes; "" = nothing is on its way
	Hot       []string
	HotMore   int
	Needs     []waitingPhone
	NeedsMore int
	Waits     int // phones that need a person
	Restart   RestartProgress
}

// waitingPhone is a phone that needs a person.
type waitingPhone struct{ Name, Path, Word, Mood string }

const (
	shownHot   = 12
	shownNeeds = 12
)

// conversionsView makes the page. last, where there is a browser that shows it already, keeps the rows in their places.
func (s *Server) conversionsView(q conversionQuery, last *conversionParts) conversionsView {
	list := s.conversionsOf(last)
	v := conversionsView{List: q, All: len(list), Rows: make([]conversionView, 0, len(list))}
	for _, c := range list {
		row := newConversionView(c)
		if row.Return = q.Here(); row.Phase == "arrived" {
			row.Orders = nil // the way back of a phone that arrived stands on its own page
		}
		v.Rows = append(v.Rows, row)
	}
	v.sort()
	v.conversionSum = s.conversionSum(v.Rows)
	v.Chips = q.chips(v.Rows)
	if rows := last.places(q, v.Rows); rows != nil {
		v.Rows = rows
		return v
	}
	v.narrow()
	return v
}

// conversionsOf are all conversions; those that browsers look at at the same moment are found out once, for phones that ask for their
// files wait meanwhile. Nobody may change them.
func (s *Server) conversionsOf(last *conversionParts) []Conversion {
	if last == nil {
		return s.deps.Shop.Conversions()
	}
	list, _ := s.converting.get(shareFor, func() ([]Conversion, error) { return s.deps.Shop.Conversions(), nil })
	return list
}

func (q conversionQuery) chips(rows []conversionView) []stateChip {
	chips := make([]stateChip, len(conversionShows))
	for i, show := range conversionShows {
		chips[i] = stateChip{Word: show.word, Path: conversionQuery{Show: show.key}.Here(), Current: show.key == q.Show && q.Find == ""}
		for j := range rows {
			if show.is(&rows[j]) {
				chips[i].Count++
			}
		}
	}
	return slices.DeleteFunc(chips, func(c stateChip) bool { return c.Count == 0 && !c.Current })
}

// narrow keeps the rows that are wanted, of the page that is wanted.
func (v *conversionsView) narrow() {
	q := v.List
	i := slices.IndexFunc(conversionShows, func(s conversionShow) bool { return s.key == q.Show })
	rows := v.Rows[:0:0]
	for j := range v.Rows {
		if c := &v.Rows[j]; conversionShows[i].is(c) && q.finds(c) {
			rows = append(rows, *c)
		}
	}
	found := len(rows)
	first := min((q.Page-1)*conversionsShown, found/conversionsShown*conversionsShown)
	if first == found && first > 0 {
		first -= conversionsShown
	}
	v.Rows = rows[first:min(first+conversionsShown, found)]
	if q.Find != "" || found > conversionsShown {
		v.Found = fmt.Sprintf("%d of %d phones are shown.", len(v.Rows), v.All)
	}
	page := func(word string, n int) {
		next := q
		next.Page = n
		v.Pages = append(v.Pages, pageLink{word, next.Here()})
	}
	if first > 0 {
		page("The phones before", first/conversionsShown)
	}
	if first+conversionsShown < found {
		page("More phones", first/conversionsShown+2)
	}
}

// conversionSum sums all phones up, whichever are shown.
func (s *Server) conversionSum(rows []conversionView) conversionSum {
	v := conversionSum{Restart: s.deps.Shop.RestartProgress()}
	counts := map[string]int{}
	var left []float64
	for i := range rows {
		c := &rows[i]
		counts[c.Phase]++
		if c.Target != "" {
			v.Of++
			if c.Phase == "arrived" {
				v.Done++
			}
		}
		if c.Phase == "going" || c.Phase == "waiting" {
			left = append(left, c.left)
		}
		if !c.Unplug {
			if len(v.Hot) < shownHot {
				v.Hot = append(v.Hot, c.Name)
			} else {
				v.HotMore++
			}
		}
		if c.Needs {
			v.need(c)
		}
	}
	v.Sentence = conversionSentence(len(rows), counts)
	if v.Of > 0 {
		v.Title = fmt.Sprintf("%d/%d – Conversion", v.Done, v.Of)
	}
	v.Left = leftWords(inAll(left, s.places()))
	return v
}

func (v *conversionSum) need(c *conversionView) {
	if v.Waits++; len(v.Needs) >= shownNeeds {
		v.NeedsMore++
		return
	}
	tail := conversionQuery{Find: strings.ReplaceAll(c.MACTail, ":", "")}
	v.Needs = append(v.Needs, waitingPhone{Name: c.Name, Path: tail.Here(), Word: c.Word, Mood: c.Mood})
}

// places is how many phones may be in a step at once.
func (s *Server) places() int {
	if s.deps.Converter == nil {
		return 1
	}
	return s.deps.Converter.Places()
}
