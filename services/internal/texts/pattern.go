package texts

import "strings"

// pattern is a text with values in it.
type pattern struct {
	literals []string // what stands before, between and after the values
	values   []string // their names in the order of the English text: {1}
	text     string   // the translation
}

func newPattern(e Entry) pattern {
	p := pattern{text: e.Text}
	at := 0
	for _, m := range placeholder.FindAllStringIndex(e.ID, -1) {
		p.literals = append(p.literals, e.ID[at:m[0]])
		p.values = append(p.values, e.ID[m[0]:m[1]])
		at = m[1]
	}
	p.literals = append(p.literals, e.ID[at:])
	return p
}

// weight is how much of a text the pattern fixes.
func (p pattern) weight() (n int) {
	for _, l := range p.literals {
		n += len(l)
	}
	return n
}

// match finds the values of a text; none is empty. A value ends where what follows it stands for the first time.
func (p pattern) match(text string) (values []string, ok bool) {
	rest, ok := strings.CutPrefix(text, p.literals[0])
	if !ok {
		return nil, false
	}
	last := len(p.literals) - 1
	if rest, ok = strings.CutSuffix(rest, p.literals[last]); !ok {
		return nil, false
	}
	for _, l := range p.literals[1:last] {
		if len(rest) < 2 {
			return nil, false
		}
		i := strings.Index(rest[1:], l)
		if i < 0 {
			return nil, false
		}
		values = append(values, rest[:i+1])
		rest = rest[i+1+len(l):]
	}
	if rest == "" {
		return nil, false
	}
	return append(values, rest), true
}

// fill puts values into the translation.
func (p pattern) fill(values []string) string {
	pairs := make([]string, 0, 2*len(values))
	for i, v := range values {
		pairs = append(pairs, p.values[i], v)
	}
	return strings.NewReplacer(pairs...).Replace(p.text)
}
