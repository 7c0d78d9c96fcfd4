package texts

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxKnown bounds the memory of translations that were looked for: pages show the same texts again and again.
const maxKnown = 4096

// Catalogue is the texts of one language. Its methods may be called at the same time.
type Catalogue struct {
	Language string // its code (RFC 5646), such as nl
	Name     string // what its speakers call it

	plain    []pattern            // texts without values, sorted: a map would take three times as much
	byFirst  map[string][]pattern // by the word that they begin with
	byLast   map[string][]pattern // that begin with a value, by the word that they end with
	patterns []pattern            // the others

	mu    sync.Mutex
	known map[string]found
}

type found struct {
	text string
	ok   bool
}

// Parse reads a .po file. Its header names the language (Language) and what its speakers call it (X-Name). The error lists
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
		Language: header["Language"], Name: header["X-Name"], plain: make([]pattern, 0, plainOnes(entries)),
		byFirst: map[string][]pattern{}, byLast: map[string][]pattern{}, known: map[string]found{},
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

// Text returns the translation of an English text. Values in it are translated when they are texts of the catalogue
// themselves. A text of several sentences is translated sentence by sentence. ok is false when a part of it is not known; that
// part stays English.
func (c *Catalogue) Text(english string) (text string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text(english, 3)
}

// text does the work of Text; depth bounds values in values.
func (c *Catalogue) text(english string, depth int) (string, bool) {
	if f, ok := c.known[english]; ok {
		return f.text, f.ok
	}
	f := c.find(english, depth)
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
	if !hasLetter(english) || isCode(english) {
		return found{english, true}
	}
	if label, ok := strings.CutSuffix(english, ":"); ok && depth > 0 {
		if t, ok := c.text(label, depth-1); ok {
			return found{t + ":", true}
		}
	}
	for _, try := range []func(string, int) (string, bool){c.list, c.numbers, c.appended, c.ofOneSentence, c.sentences, c.dressed, c.lookUp} {
		if t, ok := try(english, depth); ok {
			return found{t, true}
		}
	}
	t, _ := c.sentences(english, depth) // what is known of it
	return found{t, false}
}

// isCode reports whether a text reads the same in every language: one word with a digit in it is an address, a file or a number.
func isCode(text string) bool {
	return !strings.Contains(text, " ") && strings.ContainsAny(text, "0123456789")
}

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

// pattern finds a text among those with values.
func (c *Catalogue) pattern(english string, depth int, may func(p pattern, values []string) bool) (string, bool) {
	if t, ok := c.whole(english); ok {
		return t, true
	}
	first, _, _ := strings.Cut(english, " ")
	last := english[strings.LastIndexByte(english, ' ')+1:]
	for _, list := range [][]pattern{c.byFirst[first], c.byLast[last], c.patterns} {
		for _, p := range list {
			values, ok := p.match(english)
			if !ok || !may(p, values) {
				continue
			}
			for i, v := range values {
				values[i] = c.value(v, depth)
			}
			return p.fill(values), true
		}
	}
	return english, false
}

// value translates a value of a text; the blanks around it stay.
func (c *Catalogue) value(v string, depth int) string {
	words := strings.TrimSpace(v)
	if depth <= 0 || !hasLetter(words) {
		return v
	}
	t, _ := c.text(words, depth-1)
	begin := strings.Index(v, words)
	return v[:begin] + t + v[begin+len(words):]
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

// sentences translates a text in parts: by its sentences.
func (c *Catalogue) sentences(english string, depth int) (string, bool) {
	var out strings.Builder
	all := true
	rest, n := english, 0
	for rest != "" {
		part := rest
		if end := sentenceEnd(rest); end > 0 {
			part = rest[:end]
		}
		rest = rest[len(part):]
		if n++; n == 1 && rest == "" {
			return english, false // it is one sentence, which was looked for already
		}
		text := strings.TrimRight(part, " ")
		t, ok := text, false
		if depth > 0 {
			t, ok = c.text(text, depth-1)
		}
		all = all && ok
		out.WriteString(t)
		out.WriteString(part[len(text):])
	}
	return out.String(), all
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
	if !hasLetter(words) || isCode(words) {
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

// numbers translates words between numbers one by one: 61 % of 757 KB, 3 hours.
func (c *Catalogue) numbers(english string, _ int) (string, bool) {
	fields := strings.Split(english, " ")
	count := 0
	for i, f := range fields {
		words := strings.TrimRight(f, ".,:;")
		switch {
		case strings.ContainsAny(f, "0123456789"):
			count++
		case !hasLetter(f) || unit.MatchString(words):
		default:
			t, ok := c.whole(words)
			if !ok {
				return english, false
			}
			fields[i] = t + f[len(words):]
		}
	}
	return strings.Join(fields, " "), count > 0 && len(fields) > 1
}

// dressed translates what was made a sentence of: a reason of some words got a capital letter, a full stop or both.
func (c *Catalogue) dressed(english string, depth int) (string, bool) {
	if !strings.Contains(english, " ") {
		return english, false
	}
	begin, size := utf8.DecodeRuneInString(english)
	lower := string(unicode.ToLower(begin)) + english[size:]
	bare, stopped := strings.CutSuffix(english, ".")
	for _, v := range []struct {
		text          string
		capital, stop bool
	}{{bare, false, stopped}, {lower, lower != english, false}, {strings.TrimSuffix(lower, "."), lower != english, stopped}} {
		if !v.capital && !v.stop {
			continue
		}
		if depth <= 0 {
			break
		}
		t, ok := c.text(v.text, depth-1)
		if !ok || t == "" {
			continue
		}
		if v.capital {
			first, size := utf8.DecodeRuneInString(t)
			t = string(unicode.ToUpper(first)) + t[size:]
		}
		if v.stop {
			t += "."
		}
		return t, true
	}
	return english, false
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
