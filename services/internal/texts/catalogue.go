package texts

import (
	"cmp"
	"fmt"
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

	whole    map[string]string    // texts without values
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
		Language: header["Language"], Name: header["X-Name"], whole: make(map[string]string, len(entries)),
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
			list[first] = slices.Clip(sorted(ps))
		}
	}
	c.patterns = slices.Clip(sorted(c.patterns))
	return c, nil
}

func (c *Catalogue) add(e Entry) {
	p := pattern{e.ID, e.Text}
	begin, name, _ := cutValue(p.id)
	if name == "" {
		c.whole[e.ID] = e.Text
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
	f := found{text: english}
	if f.text, f.ok = c.lookUp(english, depth); !f.ok {
		f.text, f.ok = c.sentences(english, depth)
	}
	for _, other := range []func(string, int) (string, bool){c.list, c.dressed, c.appended} {
		if f.ok {
			break
		}
		if text, ok := other(english, depth); ok {
			f = found{text: text, ok: true}
		}
	}
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[strings.Clone(english)] = f
	return f.text, f.ok
}

// lookUp finds a text as a whole.
func (c *Catalogue) lookUp(english string, depth int) (string, bool) {
	if t, ok := c.whole[english]; ok {
		return t, true
	}
	first, _, _ := strings.Cut(english, " ")
	last := english[strings.LastIndexByte(english, ' ')+1:]
	for _, list := range [][]pattern{c.byFirst[first], c.byLast[last], c.patterns} {
		for _, p := range list {
			values, ok := p.match(english)
			if !ok {
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
		if english[i] != ',' && english[i] != ';' && english[i] != '(' {
			continue
		}
		tail, ok := c.lookUp(english[i:], depth-1)
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
		t, ok := c.lookUp(text, depth)
		if !ok {
			t, ok = c.dressed(text, depth)
		}
		all = all && ok
		out.WriteString(t)
		out.WriteString(part[len(text):])
	}
	return out.String(), all
}

// list translates what is joined with commas: 3 stuck, 1 never seen. All of it must be known.
func (c *Catalogue) list(english string, depth int) (string, bool) {
	parts := strings.Split(english, ", ")
	for i, p := range parts {
		words := strings.TrimRight(p, ".:")
		number := words[:len(words)-len(strings.TrimLeft(words, "0123456789"))]
		t, ok := c.lookUp(words, depth)
		if !ok && number != "" && strings.HasPrefix(words[len(number):], " ") {
			t, ok = c.lookUp(words[len(number)+1:], depth)
			t = number + " " + t
		}
		if !ok {
			return english, false
		}
		parts[i] = t + p[len(words):]
	}
	return strings.Join(parts, ", "), true
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
		t, ok := c.lookUp(v.text, depth)
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
