package texts

import "strings"

// sentences translates a text in parts: by its sentences, of which several may be one text of the catalogue.
func (c *Catalogue) sentences(english string, depth int) (string, bool) {
	parts := splitSentences(english)
	if len(parts) < 2 || depth <= 0 {
		return english, false // it is one sentence, which was looked for already
	}
	var out strings.Builder
	all := true
	for i := 0; i < len(parts); {
		t, n, ok := c.paragraph(parts[i:], i == 0, depth)
		if !ok {
			last := strings.TrimRight(parts[i], " ")
			if t, ok = c.text(last, depth-1); !ok {
				all = false
			}
			n = 1
		}
		last := parts[i+n-1]
		out.WriteString(t)
		out.WriteString(last[len(strings.TrimRight(last, " ")):])
		i += n
	}
	return out.String(), all
}

// paragraph finds the longest text of several sentences that parts begin with; n is how many it takes. All of them are not tried
// where they are the whole, which was looked for already.
func (c *Catalogue) paragraph(parts []string, whole bool, depth int) (text string, n int, ok bool) {
	most := len(parts)
	if whole {
		most--
	}
	for n = most; n > 1; n-- {
		several := strings.TrimRight(strings.Join(parts[:n], ""), " ")
		if text, ok = c.pattern(several, depth, func(p pattern, _ []string) bool { return sentenceEnd(p.id) > 0 }); ok {
			return text, n, true
		}
	}
	return "", 0, false
}

// splitSentences cuts a text behind its sentences; the blanks stay.
func splitSentences(text string) (parts []string) {
	for text != "" {
		end := sentenceEnd(text)
		if end == 0 {
			end = len(text)
		}
		parts = append(parts, text[:end])
		text = text[end:]
	}
	return parts
}

// named translates what is said of a file or an address behind its name: SIPDefault.cnf: it is missing.
func (c *Catalogue) named(english string, depth int) (string, bool) {
	name, rest, ok := strings.Cut(english, ": ")
	if !ok || depth <= 0 || !isCode(name) {
		return english, false
	}
	t, ok := c.text(rest, depth-1)
	return name + ": " + t, ok
}

// clauses translates what is joined with semicolons. All of it must be known.
func (c *Catalogue) clauses(english string, depth int) (string, bool) {
	parts := strings.Split(english, "; ")
	if len(parts) < 2 || depth <= 0 {
		return english, false
	}
	for i, p := range parts {
		t, ok := c.text(p, depth-1)
		if !ok {
			return english, false
		}
		parts[i] = t
	}
	return strings.Join(parts, "; "), true
}

// bracketed translates a text and what stands in brackets at its end. Both must be known.
func (c *Catalogue) bracketed(english string, depth int) (string, bool) {
	head, rest, ok := strings.Cut(english, " (")
	inner, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed || depth <= 0 || strings.Count(inner, "(") != strings.Count(inner, ")") {
		return english, false
	}
	before, ok := c.text(head, depth-1)
	within, known := c.text(inner, depth-1)
	return before + " (" + within + ")", ok && known
}
