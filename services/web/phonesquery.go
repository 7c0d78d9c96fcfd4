package web

import (
	"bytes"
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// phonesQuery is what a person wants to see of the phones. It stands in the address of the page, so that it can be bookmarked.
type phonesQuery struct {
	Search string // words that all have to be found
	Step   string // one of phoneFilters; "" = all
	Sort   string // one of phoneColumns; "" = by name
	Desc   bool
	Ticked string // the phones that are ticked, shown or not, as their names with a full stop between; a text, so that queries can be compared
}

// maxTicked bounds the phones that are ticked in an address: browsers send it twice, and we take 32 KB of headers.
const maxTicked = 500

// maxSearch bounds the search in bytes.
const maxSearch = 200

// phoneFilters are the chips above the table, in their order.
var phoneFilters = []struct {
	key, word string
	is        func(p *Phone) bool
}{
	{"", "All", func(*Phone) bool { return true }},
	{"ready", "Ready", func(p *Phone) bool { return p.Step == phone.Ready }},
	{"way", "On the way", func(p *Phone) bool { return p.Step != "" && p.Step != phone.Ready && p.Step != phone.Stuck }},
	{"stuck", "Stuck", func(p *Phone) bool { return p.Step == phone.Stuck }},
	{"never", "Never seen", func(p *Phone) bool { return p.Step == "" }},
	{"unlisted", "Not listed", func(p *Phone) bool { return !p.Known }},
}

// stepRank sorts steps by how much they need a person.
var stepRank = map[phone.Step]int{
	phone.Stuck: 0, phone.Upgrading: 1, phone.Seen: 2, phone.Addressed: 3, phone.Loading: 4, phone.Configured: 5, phone.Ready: 6, "": 7,
}

// phoneColumns are what the table can be sorted by; the first is what it is sorted by when nobody said anything. Phones of which a
// column says nothing come last in either direction.
var phoneColumns = []struct {
	key, word string
	by        func(a, b *sortable) int
	empty     func(p *sortable) bool
}{
	{"name", "Phone", byName, func(*sortable) bool { return false }},
	{"step", "Step", func(a, b *sortable) int { return cmp.Compare(stepRank[a.Step], stepRank[b.Step]) }, func(*sortable) bool { return false }},
	{"line", "Line", func(a, b *sortable) int {
		return cmp.Or(cmp.Compare(firstLength(a.Lines), firstLength(b.Lines)), strings.Compare(a.Lines, b.Lines))
	}, func(p *sortable) bool { return p.Lines == "" }},
	{"address", "Address", func(a, b *sortable) int { return a.addr.Compare(b.addr) }, func(p *sortable) bool { return p.Address == "" }},
	{"model", "Model", func(a, b *sortable) int { return strings.Compare(a.Model, b.Model) }, func(p *sortable) bool { return p.Model == "" }},
	{"firmware", "Firmware", func(a, b *sortable) int { return strings.Compare(a.Load, b.Load) }, func(p *sortable) bool { return p.Load == "" }},
	{"seen", "Last seen", func(a, b *sortable) int { return b.Updated.Compare(a.Updated) }, func(p *sortable) bool { return p.Updated.IsZero() }}, // the latest first
}

// sortable is a phone with what comparing needs more than once.
type sortable struct {
	Phone
	name string
	addr netip.Addr
}

// byName puts the listed phones first. The order does not follow the steps, so that no row jumps away under the finger.
func byName(a, b *sortable) int {
	if a.Known != b.Known {
		if a.Known {
			return -1
		}
		return 1
	}
	return strings.Compare(a.name, b.name)
}

// firstLength is the length of the first number, so that 99 comes before 208.
func firstLength(lines string) int {
	first, _, _ := strings.Cut(lines, ",")
	return len(first)
}

// readPhonesQuery takes what it knows of an address or a form and leaves out the rest.
func readPhonesQuery(v url.Values) phonesQuery {
	q := phonesQuery{Search: strings.Join(strings.Fields(v.Get("q")), " "), Desc: v.Get("dir") == "desc"}
	if len(q.Search) > maxSearch {
		q.Search = strings.ToValidUTF8(q.Search[:maxSearch], "")
	}
	for _, f := range phoneFilters {
		if f.key == v.Get("step") {
			q.Step = f.key
		}
	}
	for i, c := range phoneColumns {
		if i > 0 && c.key == v.Get("sort") {
			q.Sort = c.key
		}
	}
	q.Ticked = tickedOf(strings.Split(v.Get("ticked"), "."))
	return q
}

// tickedOf writes phones that are ticked; what is no phone is left out.
func tickedOf(texts []string) string {
	var names []string
	for _, text := range texts[:min(len(texts), maxTicked)] {
		if mac, err := phone.ParseMAC(text); err == nil {
			names = append(names, mac.Name())
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ".")
}

// Unticked is the query without the phones that are ticked.
func (q phonesQuery) Unticked() phonesQuery {
	q.Ticked = ""
	return q
}

// ticked are the phones that are ticked.
func (q phonesQuery) ticked() map[phone.MAC]bool {
	out := map[phone.MAC]bool{}
	for name := range strings.SplitSeq(q.Ticked, ".") {
		if mac, err := phone.ParseMAC(name); err == nil {
			out[mac] = true
		}
	}
	return out
}

// Values writes the query as the shortest address that means it.
func (q phonesQuery) Values() url.Values {
	v := url.Values{}
	for _, p := range []struct{ key, value string }{{"q", q.Search}, {"step", q.Step}, {"sort", q.Sort}, {"ticked", q.Ticked}} {
		if p.value != "" {
			v.Set(p.key, p.value)
		}
	}
	if q.Desc {
		v.Set("dir", "desc")
	}
	return v
}

// At is path with the query behind it.
func (q phonesQuery) At(path string) string {
	if v := q.Values(); len(v) > 0 {
		return path + "?" + v.Encode()
	}
	return path
}

// pick returns the phones that are wanted, in their order, and how many each filter would show with the same search.
func (q phonesQuery) pick(phones []Phone) (picked []Phone, counts []int) {
	counts = make([]int, len(phoneFilters))
	search := newSearch(q.Search)
	var list []sortable
	for i := range phones {
		p := &phones[i]
		if !search.finds(p) {
			continue
		}
		for j, f := range phoneFilters {
			if !f.is(p) {
				continue
			}
			counts[j]++
			if f.key == q.Step {
				list = append(list, sortable{Phone: *p})
			}
		}
	}
	q.order(list)
	picked = make([]Phone, len(list))
	for i := range list {
		picked[i] = list[i].Phone
	}
	return picked, counts
}

func (q phonesQuery) order(list []sortable) {
	for i := range list {
		list[i].name = strings.ToLower(list[i].Label)
		list[i].addr, _ = netip.ParseAddr(list[i].Address) // none sorts last
	}
	column := phoneColumns[0]
	for _, c := range phoneColumns {
		if c.key == q.Sort {
			column = c
		}
	}
	sign := 1
	if q.Desc {
		sign = -1
	}
	slices.SortFunc(list, func(a, b sortable) int {
		if x, y := column.empty(&a), column.empty(&b); x != y {
			if x {
				return 1
			}
			return -1
		}
		return cmp.Or(sign*column.by(&a, &b), byName(&a, &b), bytes.Compare(a.MAC[:], b.MAC[:]))
	})
}

// search is what a person typed, word by word.
type search []searchWord

type searchWord struct {
	text string
	hex  string // what it means as a part of a MAC in any notation; "" = nothing
	tail bool   // it has to be the end of it: a few digits stand in many MACs
}

func newSearch(text string) search {
	var out search
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		w := searchWord{text: word}
		digits := strings.NewReplacer(":", "", "-", "", ".", "").Replace(word)
		if strings.Trim(digits, "0123456789abcdef") == "" && len(digits) >= 3 {
			w.hex, w.tail = digits, len(digits) < 6 && digits == word
		}
		out = append(out, w)
	}
	return out
}

func (s search) finds(p *Phone) bool {
	for i := range s {
		if !s[i].in(p) {
			return false
		}
	}
	return true
}

func (w *searchWord) in(p *Phone) bool {
	for _, text := range []string{p.Label, p.Lines, p.Address, p.Model, p.Load} {
		if containsFold(text, w.text) {
			return true
		}
	}
	if w.hex == "" {
		return false
	}
	mac := strings.ToLower(p.MAC.Name())
	return w.tail && strings.HasSuffix(mac, w.hex) || !w.tail && strings.Contains(mac, w.hex)
}

// containsFold looks for a lower-case text in another of any case.
func containsFold(text, lower string) bool {
	return strings.Contains(text, lower) || strings.Contains(strings.ToLower(text), lower)
}
