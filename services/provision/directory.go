package provision

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"phonebox/services/phone"
)

// directory holds the people whom the phones can look up, by name.
type directory struct {
	entries []phone.Entry
	folded  []string // names, as they are searched
}

// newDirectory takes the lines of the site's phones and the contacts. A line that several phones share stands there once.
func newDirectory(cfg Config) directory {
	var d directory
	numbers, seen := map[string]bool{}, map[phone.Entry]bool{}
	for _, p := range cfg.Phones {
		for _, l := range p.Lines {
			if l.Name == "" || numbers[l.Name] {
				continue
			}
			numbers[l.Name] = true
			e := phone.Entry{Name: cmp.Or(l.DisplayName, p.Label, l.Name), Number: l.Name}
			seen[e] = true
			d.entries = append(d.entries, e)
		}
	}
	for _, e := range cfg.Contacts {
		if !seen[e] {
			seen[e] = true
			d.entries = append(d.entries, e)
		}
	}
	d.sort()
	return d
}

// sort puts the entries in the order of their folded names; each is folded once.
func (d *directory) sort() {
	type keyed struct {
		phone.Entry
		folded string
	}
	list := make([]keyed, len(d.entries))
	for i, e := range d.entries {
		list[i] = keyed{e, fold(e.Name)}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		return cmp.Or(strings.Compare(a.folded, b.folded), strings.Compare(a.Name, b.Name))
	})
	d.folded = make([]string, len(list))
	for i, k := range list {
		d.entries[i], d.folded[i] = k.Entry, k.folded
	}
}

// Directory returns the entries of the phones' directory with a configuration, in their order.
func Directory(cfg Config) []phone.Entry { return newDirectory(cfg).entries }

// fold makes texts alike that people don't tell apart on a keypad: lower case, without accents.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
}

// search returns the entries whose name holds every word of name, and whose number holds number.
func (d directory) search(name, number string) []phone.Entry {
	words := strings.Fields(fold(name))
	digits := plainNumber(number)
	var found []phone.Entry
	for i, e := range d.entries {
		matches := strings.Contains(plainNumber(e.Number), digits)
		for _, word := range words {
			matches = matches && strings.Contains(d.folded[i], word)
		}
		if matches {
			found = append(found, e)
		}
	}
	return found
}

// plainNumber drops what people write between digits.
func plainNumber(s string) string {
	return strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(strings.ToLower(s))
}

// Bounds of what phones ask for.
const (
	maxURL  = 127 // bytes; the buffer of the phones has 128 (phones.md e)
	maxTerm = 32  // characters of a search term
)

// term cleans what somebody typed on a phone, which may come in ISO-8859-1.
func term(s string) string {
	if !utf8.ValidString(s) {
		r := make([]rune, len(s))
		for i := range len(s) {
			r[i] = rune(s[i])
		}
		s = string(r)
	}
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxTerm {
		s = string(r[:maxTerm])
	}
	return s
}

// fitTerms shortens terms until the address of every page of their search fits the phones; they then find more.
func fitTerms(base, name, number string) (fitName, fitNumber string) {
	for len(searchURL(base, name, number, 999)) > maxURL && name+number != "" {
		if len(name) >= len(number) {
			name = shorter(name)
		} else {
			number = shorter(number)
		}
	}
	return name, number
}

// searchURL is where a page of a search is.
func searchURL(base, name, number string, page int) string {
	return fmt.Sprintf("%ssearch.xml?name=%s&number=%s&page=%d", base, url.QueryEscape(name), url.QueryEscape(number), page)
}

// shorter drops the last character.
func shorter(s string) string {
	_, size := utf8.DecodeLastRuneInString(s)
	return strings.TrimRight(s[:len(s)-size], " ")
}
