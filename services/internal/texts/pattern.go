package texts

import "strings"

// pattern is a text with values in it, and its translation. Both are kept as they stand in the file: there are many patterns,
// and few of them are ever looked for.
type pattern struct{ id, text string }

// cutValue splits a text before and after its first value. name is the value, such as {1}; "" = there is none.
func cutValue(text string) (before, name, after string) {
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '{')
		if i < 0 {
			return text, "", ""
		}
		i += from
		if i+2 < len(text) && text[i+1] >= '1' && text[i+1] <= '9' && text[i+2] == '}' {
			return text[:i], text[i : i+3], text[i+3:]
		}
		from = i + 1
	}
}

// last is what stands after the last value of the English text.
func (p pattern) last() string {
	rest := p.id
	for {
		_, name, after := cutValue(rest)
		if name == "" {
			return rest
		}
		rest = after
	}
}

// weight is how much of a text the pattern fixes.
func (p pattern) weight() (n int) {
	for rest := p.id; rest != ""; {
		before, _, after := cutValue(rest)
		n += len(before)
		rest = after
	}
	return n
}

// match finds the values of a text, in the order of the English text; none is empty. A value ends where what follows it stands
// for the first time.
func (p pattern) match(text string) (values []string, ok bool) {
	before, _, id := cutValue(p.id)
	if text, ok = strings.CutPrefix(text, before); !ok {
		return nil, false
	}
	if text, ok = strings.CutSuffix(text, p.last()); !ok {
		return nil, false
	}
	for {
		follows, name, after := cutValue(id)
		if name == "" { // the last value takes the rest
			return append(values, text), text != ""
		}
		if len(text) < 2 {
			return nil, false
		}
		i := strings.Index(text[1:], follows)
		if i < 0 {
			return nil, false
		}
		values = append(values, text[:i+1])
		text, id = text[i+1+len(follows):], after
	}
}

// fill puts values, in the order of the English text, into the translation.
func (p pattern) fill(values []string) string {
	pairs := make([]string, 0, 2*len(values))
	rest := p.id
	for _, v := range values {
		var name string
		_, name, rest = cutValue(rest)
		pairs = append(pairs, name, v)
	}
	return strings.NewReplacer(pairs...).Replace(p.text)
}
