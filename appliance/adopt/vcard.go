package adopt

import (
	"bytes"
	"fmt"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// property is one line of a vCard: "item1.TEL;TYPE=cell:+1 555" (RFC 6350 section 3.3, RFC 2426, vCard 2.1).
type property struct {
	group  string   // item1, in lower case
	name   string   // TEL
	params []string // "TYPE=cell"; in 2.1 "CELL" alone; names in upper case
	value  []byte   // as it stands there, unfolded
}

// maxProperties bounds the lines of one card that are looked at.
const maxProperties = 1000

// cards reads a file of vCards.
func (p *people) cards(content []byte) {
	if s := content[:min(len(content), 200)]; bytes.HasPrefix(s, []byte("\xff\xfe")) || bytes.HasPrefix(s, []byte("\xfe\xff")) || zeros(s, 0) || zeros(s, 1) {
		content = []byte(decodeText(content))
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	var card []property
	depth, count := 0, 0
	for _, line := range unfold(content) {
		prop, ok := parseProperty(line)
		if !ok {
			continue
		}
		word := strings.ToUpper(strings.TrimSpace(string(prop.value)))
		switch {
		case prop.name == "BEGIN" && word == "VCARD":
			if depth++; depth == 1 {
				card = nil
				count++
			}
		case prop.name == "END" && word == "VCARD" && depth > 0:
			if depth--; depth == 0 && count <= maxPeople {
				p.card(card, count)
			}
		case depth == 1 && len(card) < maxProperties: // a card within a card is of an agent (2.1)
			card = append(card, prop)
		}
	}
	if depth > 0 && count <= maxPeople {
		p.card(card, count)
		p.verdicts[len(p.verdicts)-1].warn("the file ends within this card")
	}
	if count > maxPeople {
		p.verdicts = append(p.verdicts, Verdict{
			Where: fmt.Sprintf("the last %d cards", count-maxPeople), Verdict: VerdictRefused,
			Text: fmt.Sprintf("a file may have up to %d cards; hand the others in by themselves", maxPeople),
		})
	}
}

// unfold joins lines that were folded: with a blank at the start of the next one (RFC 6350 section 3.2), and, in
// quoted-printable, with "=" at the end (vCard 2.1).
func unfold(content []byte) [][]byte {
	var lines [][]byte
	soft := false
	for line := range bytes.Lines(content) {
		line = bytes.TrimRight(line, "\r\n")
		last := len(lines) - 1
		switch {
		case soft:
			lines[last] = append(append(lines[last], "\n"...), line...)
		case last >= 0 && len(line) > 0 && (line[0] == ' ' || line[0] == '\t'):
			lines[last] = append(lines[last], line[1:]...)
			continue
		case len(line) == 0:
			continue
		default:
			lines = append(lines, slices.Clone(line))
			last++
		}
		soft = bytes.HasSuffix(line, []byte("=")) && isQuotedPrintable(lines[last])
	}
	return lines
}

func isQuotedPrintable(line []byte) bool {
	head, _, _ := bytes.Cut(line, []byte(":"))
	return bytes.Contains(bytes.ToUpper(head), []byte("QUOTED-PRINTABLE"))
}

// parseProperty splits a line at the first colon outside of quotes.
func parseProperty(line []byte) (property, bool) {
	quoted, colon := false, -1
	var cuts []int
	for i, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			cuts = append(cuts, i)
		case c == ':' && !quoted:
			colon = i
		}
		if colon >= 0 {
			break
		}
	}
	if colon < 0 {
		return property{}, false
	}
	var parts []string
	start := 0
	for _, cut := range append(cuts, colon) {
		parts = append(parts, string(line[start:cut]))
		start = cut + 1
	}
	p := property{name: strings.ToUpper(strings.TrimSpace(parts[0])), value: line[colon+1:]}
	if i := strings.LastIndexByte(p.name, '.'); i >= 0 {
		p.group, p.name = p.name[:i], p.name[i+1:]
	}
	for _, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		if name = strings.ToUpper(strings.TrimSpace(name)); ok {
			name += "=" + strings.Trim(strings.TrimSpace(value), `"`)
		}
		p.params = append(p.params, name)
	}
	return p, true
}

// param returns the value of a parameter; "" where there is none.
func (p property) param(name string) string {
	for _, text := range p.params {
		if v, ok := strings.CutPrefix(text, name+"="); ok {
			return v
		}
	}
	return ""
}

// types returns the words that say what kind a value is, in lower case.
func (p property) types() []string {
	var list []string
	for _, text := range p.params {
		v, ok := strings.CutPrefix(text, "TYPE=")
		if !ok && strings.Contains(text, "=") {
			continue
		}
		list = append(list, strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	return list
}

// text returns the value in UTF-8, with quoted-printable and the charset taken off.
func (p property) text() string {
	raw := p.value
	if strings.EqualFold(p.param("ENCODING"), "QUOTED-PRINTABLE") || slices.Contains(p.params, "QUOTED-PRINTABLE") {
		raw, _ = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(raw))) // what was decoded up to a fault is kept
	}
	if e := charset(p.param("CHARSET")); e != nil {
		if text, err := e.NewDecoder().Bytes(raw); err == nil {
			return string(text)
		}
	}
	if utf8.Valid(raw) {
		return string(raw)
	}
	text, _ := charmap.Windows1252.NewDecoder().Bytes(raw) // every byte has a character, or becomes U+FFFD
	return string(text)
}

// charset finds a character set by its name; nil for UTF-8 and for those that old phones and mail programs don't write.
func charset(name string) encoding.Encoding {
	name = strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	switch name {
	case "iso88591", "latin1", "windows1252", "cp1252", "usascii":
		return charmap.Windows1252
	case "iso88592":
		return charmap.ISO8859_2
	case "iso885915":
		return charmap.ISO8859_15
	case "windows1250", "cp1250":
		return charmap.Windows1250
	case "windows1251", "cp1251":
		return charmap.Windows1251
	case "koi8r":
		return charmap.KOI8R
	}
	return nil
}

// unescape takes the escapes of RFC 6350 section 3.4 off; vCard 2.1 knows only that of the semicolon.
func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\:`, ":").Replace(s)
}

// split cuts a value at semicolons that are not escaped.
func split(s string) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ';':
			parts = append(parts, unescape(s[start:i]))
			start = i + 1
		}
	}
	return append(parts, unescape(s[start:]))
}

// card reads one card.
func (p *people) card(card []property, count int) {
	name, structured, company, nick := "", "", "", ""
	labels := map[string]string{} // by group, of Apple's address book
	for _, prop := range card {
		switch prop.name {
		case "FN":
			name = unescape(prop.text())
		case "N":
			parts := append(split(prop.text()), "", "")
			structured = parts[1] + " " + parts[0]
		case "ORG":
			company = split(prop.text())[0]
		case "NICKNAME":
			nick = unescape(prop.text())
		case "X-ABLABEL":
			labels[prop.group] = prop.text()
		}
	}
	for _, other := range []string{structured, company, nick} {
		if cleanText(name) == "" {
			name = other
		}
	}
	v := Verdict{Where: fmt.Sprintf("card %d", count)}
	if cleanText(name) != "" {
		v.Where = fmt.Sprintf("card %d (%s)", count, shownPath(cleanText(name)))
	}
	var numbers []number
	for _, prop := range card {
		if prop.name != "TEL" {
			continue
		}
		value := unescape(prop.text())
		if uri, ok := strings.CutPrefix(strings.ToLower(value), "tel:"); ok {
			value, _, _ = strings.Cut(uri, ";") // RFC 3966: ;ext=, ;phone-context=
		}
		if cleanText(value) != "" {
			numbers = append(numbers, number{telKind(prop.types(), labels[prop.group]), value})
		}
	}
	p.add(v, name, numbers)
}

// telKind says what kind of number a TEL is.
func telKind(types []string, label string) string {
	for _, kind := range []struct{ kind, word string }{
		{"fax", "fax"}, {"pager", "pager"}, {"mobile", "cell"}, {"mobile", "iphone"}, {"work", "work"}, {"home", "home"}, {"main", "main"},
	} {
		if slices.Contains(types, kind.word) {
			return kind.kind
		}
	}
	return kindOf(label)
}
