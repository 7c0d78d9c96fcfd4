package phone

import "strings"

const cnfBlanks = " \t\v\f"

// line understands one line: the name, the value and the comment.
func (r *cnfReader) line(l *CnfLine) {
	text := r.characters(l)
	text = strings.Trim(text, cnfBlanks)
	if text == "" {
		return
	}
	if text[0] == '#' || text[0] == ';' {
		l.Comment = strings.Trim(text[1:], cnfBlanks)
		return
	}
	name, rest, colon := strings.Cut(text, ":")
	name = strings.Trim(name, cnfBlanks)
	if !colon {
		r.garbage(l.Number, text, "phones don't read this line, because no colon follows a name")
		return
	}
	if !isParameterName(name) {
		r.garbage(l.Number, name, "phones don't read this line, because what stands before the colon is no name of a parameter")
		return
	}
	l.Name = name
	r.value(l, strings.Trim(rest, cnfBlanks))
	r.judge(l)
}

// characters returns a line without its NUL bytes and notes what a phone can't read. It quotes none of it.
func (r *cnfReader) characters(l *CnfLine) string {
	if l.End == "\r" {
		r.note(oddCR, l.Number)
	}
	text, control, beyond := l.Raw, false, false
	for _, c := range text {
		control = control || c < 0x20 && c != '\t' && c != 0 || c >= 0x7f && c < 0xa0
		beyond = beyond || c > 0x7f
	}
	if control {
		r.note(oddControl, l.Number)
	}
	if beyond && r.file.Encoding == "UTF-8" {
		r.note(oddUTF8, l.Number)
	}
	if strings.ContainsRune(text, 0) {
		r.note(oddNUL, l.Number)
		text = strings.ReplaceAll(text, "\x00", "")
	}
	return text
}

// garbage warns of a line that holds no parameter. The line may hold a secret, so nothing of it is quoted; a name is
// suggested where its first word is near one.
func (r *cnfReader) garbage(line int, text, why string) {
	word := text
	if i := strings.IndexAny(text, cnfBlanks+"="); i >= 0 {
		word = text[:i]
	}
	suggestion := ""
	if p, ok := LookUpParameter(word); ok {
		suggestion = p.Name
	} else {
		suggestion = r.suggest(word)
	}
	r.warn(line, suggestion, "%s", why)
}

// suggest is the near name, for a bounded number of lines.
func (r *cnfReader) suggest(name string) string {
	if r.suggests++; r.suggests > maxCnfSuggests {
		return ""
	}
	return suggest(name)
}

// value takes the value and the comment out of what follows the colon. Every value that is ended by a semicolon is
// CME's style and not odd (phones.md h).
func (r *cnfReader) value(l *CnfLine, rest string) {
	if quoted, ok := strings.CutPrefix(rest, `"`); ok {
		r.quoted(l, quoted)
		return
	}
	value, comment, _ := strings.Cut(rest, ";")
	if i := blankBefore(value, '#'); i >= 0 {
		value, comment = value[:i], rest[i+1:]
		r.warn(l.Number, "", "a # behind a value was read as the start of a comment; whether phones do is not confirmed, a ; is sure")
	}
	l.Value, l.Comment = strings.Trim(value, cnfBlanks), strings.Trim(comment, cnfBlanks)
	switch {
	case strings.Contains(l.Value, `"`):
		r.warn(l.Number, "", "there is a double quote in the middle of the value; the whole value belongs between two")
	case strings.ContainsAny(l.Value, cnfBlanks):
		r.warn(l.Number, "", `the value has blanks and no double quotes around it; a phone may read the first word only`)
	case strings.HasPrefix(l.Value, "'") || strings.HasPrefix(l.Value, "“") || strings.HasPrefix(l.Value, "\u0093"):
		r.warn(l.Number, "", `the value begins with another quote than ", which phones take for a part of it`)
	}
}

// blankBefore returns where c stands behind a blank, or at the start, of s; -1 where it does not.
func blankBefore(s string, c byte) int {
	for i := range len(s) {
		if s[i] == c && (i == 0 || strings.IndexByte(cnfBlanks, s[i-1]) >= 0) {
			return i
		}
	}
	return -1
}

// quoted takes a value behind its opening quote. Where the closing one is missing, the value ends at a semicolon or
// with the line.
func (r *cnfReader) quoted(l *CnfLine, text string) {
	value, rest, closed := strings.Cut(text, `"`)
	if !closed {
		value, rest, _ = strings.Cut(text, ";")
		l.Value, l.Comment = strings.Trim(value, cnfBlanks), strings.Trim(rest, cnfBlanks)
		r.warn(l.Number, "", "the closing double quote is missing")
		return
	}
	l.Value = value
	rest = strings.Trim(rest, cnfBlanks)
	switch {
	case rest == "":
	case rest[0] == ';':
		l.Comment = strings.Trim(rest[1:], cnfBlanks)
	case rest[0] == '#':
		l.Comment = strings.Trim(rest[1:], cnfBlanks)
		r.warn(l.Number, "", "a # behind a value was read as the start of a comment; whether phones do is not confirmed, a ; is sure")
	default:
		_, comment, _ := strings.Cut(rest, ";")
		l.Comment = strings.Trim(comment, cnfBlanks)
		r.warn(l.Number, "", "what follows the closing double quote is left out")
	}
}

// judge compares a parameter with the catalogue and with the lines before it.
func (r *cnfReader) judge(l *CnfLine) {
	key := strings.ToLower(l.Name)
	if before, ok := r.last[key]; ok {
		r.warn(l.Number, "", "%s stands in line %d already; this later line is the one that counts, which is not confirmed for every release", l.Name, before+1)
	}
	r.last[key] = l.Number - 1
	p, known := LookUpParameter(l.Name)
	l.Known = known
	if !known {
		suggestion := r.suggest(l.Name)
		r.warn(l.Number, suggestion, "%s is not a known parameter; it is kept as it is", l.Name)
		p = unknownParameter(l.Name)
		p.Secret = true // it may be a misspelt password, so no sentence quotes the value
	} else if l.Name != p.Name && l.Name != key {
		r.warn(l.Number, p.Name, "%s is usually spelt %s; that phones ignore case is not confirmed", l.Name, p.Name)
	}
	note, err := p.Check(l.Value)
	if err != nil {
		note = err.Error()
	}
	if note != "" {
		r.warn(l.Number, "", "%s", note)
	}
}
