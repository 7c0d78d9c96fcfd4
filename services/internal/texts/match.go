package texts

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern finds a text among those with values. Of several that fit, the first whose values are known is taken; where there is none,
// the first is returned as what is known of the text.
func (c *Catalogue) pattern(english string, depth int, may func(p pattern, values []string) bool) (string, bool) {
	if t, ok := c.whole(english); ok {
		return t, true
	}
	first, _, _ := strings.Cut(english, " ")
	last := english[strings.LastIndexByte(english, ' ')+1:]
	part := english
	for _, list := range [][]pattern{c.byFirst[first], c.byLast[last], c.patterns} {
		for _, p := range list {
			values, ok := p.match(english)
			if !ok || !may(p, values) {
				continue
			}
			all := true
			for i, v := range values {
				values[i], ok = c.value(v, depth)
				all = all && ok
			}
			if all {
				return p.fill(values), true
			}
			if part == english {
				part = p.fill(values)
			}
		}
	}
	return part, false
}

// value translates a value of a text; the blanks around it stay. ok is false where it is a sentence that is not known: a name, a path
// or a number stays as it is.
func (c *Catalogue) value(v string, depth int) (text string, ok bool) {
	words := strings.TrimSpace(v)
	if !hasLetter(words) || c.kept[words] {
		return v, true
	}
	if depth <= 0 {
		return v, !isEnglish(words)
	}
	t, ok := c.text(words, depth-1)
	if !ok && !strings.HasSuffix(words, ".") { // the sentence around it took its full stop
		if whole, known := c.text(words+".", depth-1); known {
			t, ok = strings.TrimSuffix(whole, "."), true
		}
	}
	begin := strings.Index(v, words)
	// One word with a full stop is the end of a sentence, which another pattern may have whole.
	return v[:begin] + t + v[begin+len(words):], ok || !isEnglish(t) && !strings.HasSuffix(words, ".")
}

// isEnglish reports whether a text is a sentence, or a part of one, that nobody translated.
func isEnglish(text string) bool { return strings.Contains(text, " ") && english.MatchString(text) }

var english = regexp.MustCompile(`\b(the|its|it|is|are|does|has|have|that|which|and|needs|cannot|asks|with)\b`)

// dressed translates what was made a sentence of, or part of one: a reason of some words got a capital letter, a full stop or both, or
// lost its capital letter behind a colon.
func (c *Catalogue) dressed(english string, depth int) (string, bool) {
	if !strings.Contains(english, " ") || depth <= 0 {
		return english, false
	}
	begin, size := utf8.DecodeRuneInString(english)
	lower, upper := string(unicode.ToLower(begin))+english[size:], string(unicode.ToUpper(begin))+english[size:]
	bare, stopped := strings.CutSuffix(english, ".")
	for _, v := range []struct {
		text                string
		capital, stop, same bool // same: it would be tried twice
	}{
		{bare, false, stopped, !stopped},
		{lower, true, false, lower == english},
		{strings.TrimSuffix(lower, "."), true, stopped, lower == english || !stopped},
		{upper, false, false, upper == english},
		{strings.TrimSuffix(upper, "."), false, stopped, upper == english || !stopped},
	} {
		if v.same {
			continue
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
