package texts

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxKnown bounds the memory of translations that were looked for: pages show the same texts again and again.
const maxKnown = 4096

// Catalogue is the texts of one language. Its methods may be called at the same time.
type Catalogue struct {
	Language string // its code (RFC 5646), such as nl
	Name     string // what its speakers call it

	day string // what stands behind the number of a day before its month

	plain    []pattern            // texts without values, sorted: a map would take three times as much
	byFirst  map[string][]pattern // by the word that they begin with
	byLast   map[string][]pattern // that begin with a value, by the word that they end with
	patterns []pattern            // the others

	mu     sync.Mutex
	kept   map[string]bool // names, which are no texts where they are values
	keptAt string          // the version of them
	known  map[string]found
	left   int            // parts that may still be looked at for one text
	vain   map[string]int // parts of it that are not known, by how deep they were looked for
}

type found struct {
	text string
	ok   bool
}

// Parse reads a .po file. Its header names the language (Language), what its speakers call it (X-Name) and, where there is
// something, what they write behind the number of a day before its month (X-Day). The error lists
// every entry that is there twice or whose translation lacks a value. The catalogue keeps po, for its texts are parts of that.
func Parse(po string) (*Catalogue, error) {
	header, entries, err := ParsePO(po)
	if err != nil {
		return nil, err
	}
	if err := check(entries); err != nil {
		return nil, err
	}
	c := &Catalogue{
		Language: header["Language"], Name: header["X-Name"], day: header["X-Day"], plain: make([]pattern, 0, plainOnes(entries)),
		byFirst: map[string][]pattern{}, byLast: map[string][]pattern{}, known: map[string]found{}, vain: map[string]int{},
	}
	if c.Language == "" || c.Name == "" {
		return nil, fmt.Errorf("the header has Language %q and X-Name %q, wanted both", c.Language, c.Name)
	}
	for _, e := range entries {
		if e.Text != "" {
			c.add(e)
		}
	}
	for _, list := range []map[string][]pattern{c.byFirst, c.byLast} {
		for first, ps := range list {
			list[first] = slices.Clone(sorted(ps))
		}
	}
	c.patterns = slices.Clone(sorted(c.patterns))
	slices.SortFunc(c.plain, func(a, b pattern) int { return strings.Compare(a.id, b.id) })
	return c, nil
}

// plainOnes counts the entries without values.
func plainOnes(entries []Entry) (n int) {
	for _, e := range entries {
		if _, name, _ := cutValue(e.ID); name == "" && e.Text != "" {
			n++
		}
	}
	return n
}

// whole finds a text that has no values.
func (c *Catalogue) whole(english string) (string, bool) {
	i, ok := slices.BinarySearchFunc(c.plain, english, func(p pattern, id string) int { return strings.Compare(p.id, id) })
	if !ok {
		return "", false
	}
	return c.plain[i].text, true
}

func (c *Catalogue) add(e Entry) {
	p := pattern{e.ID, e.Text}
	begin, name, _ := cutValue(p.id)
	if name == "" {
		c.plain = append(c.plain, p)
		return
	}
	first, _, hasFirst := strings.Cut(begin, " ")
	end := p.last()
	space := strings.LastIndexByte(end, ' ')
	switch {
	case hasFirst && first != "":
		c.byFirst[first] = append(c.byFirst[first], p)
	case space >= 0 && end[space+1:] != "":
		c.byLast[end[space+1:]] = append(c.byLast[end[space+1:]], p)
	default:
		c.patterns = append(c.patterns, p)
	}
}

// sorted puts those first that say most, for a text that several fit.
func sorted(ps []pattern) []pattern {
	slices.SortStableFunc(ps, func(a, b pattern) int { return cmp.Compare(b.weight(), a.weight()) })
	return ps
}

// Keep says which names stand in texts as their values and stay as they are, though a text may read the same: a phone that
// somebody called Reception. It takes them when version is another than at the last call.
func (c *Catalogue) Keep(version string, names func() []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version == c.keptAt {
		return
	}
	c.keptAt, c.kept = version, map[string]bool{}
	for _, name := range names() {
		c.kept[name] = true
	}
	clear(c.known)
}

// Text returns the translation of an English text. Values in it are translated when they are texts of the catalogue
// themselves. A text of several sentences is translated sentence by sentence. ok is false when a part of it is not known; that
// part stays English.
func (c *Catalogue) Text(english string) (text string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(english) > maxLong {
		if t, ok := c.whole(english); ok {
			return t, true
		}
		return english, false
	}
	c.left = maxTries
	clear(c.vain)
	return c.text(english, maxDepth)
}

// Bounds of the work for one text: what a stranger chose, such as the name of a file, may stand in it.
const (
	maxLong  = 1500 // bytes; a longer text has to be in the catalogue as it is
	maxDepth = 6    // of values in values
	maxTries = 200  // parts that are looked at: four times what the longest of our own need
)

// text does the work of Text; depth bounds values in values. What was found is kept, and that nothing was only where there was room
// to look.
func (c *Catalogue) text(english string, depth int) (string, bool) {
	if f, ok := c.known[english]; ok {
		return f.text, f.ok
	}
	if was, ok := c.vain[english]; ok && was >= depth {
		return english, false
	}
	if c.left--; c.left < 0 {
		return english, false
	}
	f := c.find(english, depth)
	if !f.ok && depth < maxDepth {
		c.vain[strings.Clone(english)] = depth
		return f.text, f.ok
	}
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[strings.Clone(english)] = f
	return f.text, f.ok
}

// find tries what a text may be, the surest first.
func (c *Catalogue) find(english string, depth int) found {
	if t, ok := c.whole(english); ok {
		return found{t, true}
	}
	if !hasLetter(english) || isCode(english) || isAbbreviated(english) {
		return found{english, true}
	}
	if label, ok := strings.CutSuffix(english, ":"); ok && depth > 0 {
		if t, ok := c.text(label, depth-1); ok {
			return found{t + ":", true}
		}
	}
	part := english // what is known of it
	for _, try := range []func(string, int) (string, bool){
		c.named, c.list, c.numbers, c.clauses, c.bracketed, c.appended, c.ofOneSentence, c.sentences, c.lookUp, c.dressed,
	} {
		t, ok := try(english, depth)
		if ok {
			return found{t, true}
		}
		if part == english {
			part = t
		}
	}
	return found{part, false}
}

// isCode reports whether a text reads the same in every language: one word with a digit in it, or with a full stop within, is an
// address, a file or a number.
func isCode(text string) bool {
	if strings.Contains(text, " ") {
		return false
	}
	return strings.ContainsAny(text, "0123456789") || strings.Contains(strings.TrimRight(text, "."), ".")
}

// isAbbreviated reports whether all words of a text are codes or abbreviations: SIP 8.x.
func isAbbreviated(text string) bool {
	for word := range strings.FieldsSeq(text) {
		if !isCode(word) && !abbreviation.MatchString(word) {
			return false
		}
	}
	return true
}

var abbreviation = regexp.MustCompile(`^[A-Z]{2,5}$`)

// lookUp finds a text as a whole. A value may be several sentences.
func (c *Catalogue) lookUp(english string, depth int) (string, bool) {
	return c.pattern(english, depth, func(pattern, []string) bool { return true })
}

// ofOneSentence is lookUp where no value is more than one sentence: a pattern that would swallow the next sentence is none.
func (c *Catalogue) ofOneSentence(english string, depth int) (string, bool) {
	return c.pattern(english, depth, func(_ pattern, values []string) bool {
		return !slices.ContainsFunc(values, func(v string) bool { return sentenceEnd(strings.TrimSpace(v)) > 0 })
	})
}

// appended translates what something was added to: got it, 3 blocks sent again. The catalogue has the addition with the sign that
// it begins with.
func (c *Catalogue) appended(english string, depth int) (string, bool) {
	if depth <= 0 {
		return english, false
	}
	for i := 1; i < len(english); i++ {
		if strings.IndexByte(",;(.", english[i]) < 0 {
			continue
		}
		sign := english[i]
		tail, ok := c.pattern(english[i:], depth-1, func(p pattern, _ []string) bool { return p.id[0] == sign })
		if !ok {
			continue
		}
		head := strings.TrimRight(english[:i], " ")
		if t, ok := c.text(head, depth-1); ok {
			return t + english[len(head):i] + tail, true
		}
	}
	return english, false
}

// separator is what stands between the parts of a list.
var separator = regexp.MustCompile(`[,:] | · `)

// list translates what is joined with commas or counted behind a colon: 5 phones: 3 stuck, 1 never seen. All of it must be known.
func (c *Catalogue) list(english string, depth int) (string, bool) {
	between := separator.FindAllStringIndex(english, -1)
	if len(between) == 0 || depth <= 0 {
		return english, false
	}
	var out strings.Builder
	at := 0
	for _, s := range append(between, []int{len(english), len(english)}) {
		words := strings.TrimRight(english[at:s[0]], ".:")
		t, ok := c.item(words, depth-1)
		if !ok {
			return english, false
		}
		out.WriteString(t + english[at+len(words):s[1]])
		at = s[1]
	}
	return out.String(), true
}

// item translates a part of a list: words, a number, or a number with words, which may stand in brackets.
func (c *Catalogue) item(words string, depth int) (string, bool) {
	if !hasLetter(words) || isCode(words) || c.kept[words] {
		return words, true
	}
	if t, ok := c.lookUp(words, depth); ok {
		return t, true
	}
	number := words[:len(words)-len(strings.TrimLeft(words, "0123456789"))]
	if rest, ok := strings.CutPrefix(words[len(number):], " "); ok && number != "" {
		bare := strings.TrimSuffix(strings.TrimPrefix(rest, "("), ")")
		if t, ok := c.lookUp(bare, depth); ok {
			return number + " " + strings.Replace(rest, bare, t, 1), true
		}
	}
	return c.numbers(words, depth)
}

// unit is what reads the same in every language beside a number.
var unit = regexp.MustCompile(`^(ms|s|min|h|[kKMGT]i?B|UTC|ppm)$`)

// months are the English names as the page writes them.
var months = func() map[string]bool {
	out := map[string]bool{}
	for m := time.January; m <= time.December; m++ {
		out[m.String()], out[m.String()[:3]] = true, true
	}
	return out
}()

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// numbers translates words between numbers one by one: 61 % of 757 KB, 3 hours.
func (c *Catalogue) numbers(english string, _ int) (string, bool) {
	fields := strings.Split(english, " ")
	count := 0
	for i, f := range fields {
		words := strings.TrimRight(f, ".,:;")
		switch {
		case strings.ContainsAny(f, "0123456789"):
			count++
		case !hasLetter(f) || unit.MatchString(words) || c.kept[words]:
		default:
			t, ok := c.whole(words)
			if !ok {
				return english, false
			}
			fields[i] = t + f[len(words):]
			if i > 0 && months[words] && isNumber(fields[i-1]) {
				fields[i-1] += c.day
			}
		}
	}
	return strings.Join(fields, " "), count > 0 && len(fields) > 1
}

// sentenceEnd is where the first sentence ends, spaces included; 0 = there is one only.
func sentenceEnd(text string) int {
	for i := 0; i+2 < len(text); i++ {
		if strings.IndexByte(".!?", text[i]) >= 0 && text[i+1] == ' ' {
			return i + 2
		}
	}
	return 0
}
