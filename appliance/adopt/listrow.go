package adopt

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// wholeFloat is a number that some program took for one with a fraction: 208.0.
var wholeFloat = regexp.MustCompile(`^([0-9]+)\.0+$`)

// cells reads the cells of one row by what its columns hold.
type cells struct {
	row    row
	layout layout
	v      *Verdict
}

// at returns the cell of a field of a line, trimmed, with a warning where the spreadsheet changed it.
func (c cells) at(f field, line int) string { return oneLine(c.raw(f, line)) }

// raw returns the cell of a field as it is.
func (c cells) raw(f field, line int) string {
	i := c.layout.find(f, line)
	if i < 0 || i >= len(c.row.cells) {
		return ""
	}
	in := c.row.cells[i]
	if in.fault != "" {
		c.v.warn("column %s: found %s; %s", columnName(i), c.quote(f, in.text), in.fault)
		return ""
	}
	return in.text
}

// quote shows a cell unless it may be secret.
func (c cells) quote(f field, text string) string {
	if f == fieldPassword || f == fieldParams || f == fieldForced {
		return "a value"
	}
	return shown(text)
}

// oneLine makes one printable line of a text and takes the blanks around it off.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\u00a0':
			return ' '
		case r < ' ', r == 0x7f, r == '\ufeff', r == '\u200b', r == '\u200e', r == '\u200f':
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// phone reads a phone with its lines; fault says why the row can't be taken.
func (c cells) phone() (p site.Phone, fault string) {
	if p.Model, fault = modelOf(c.at(fieldModel, 0)); fault != "" {
		return p, fault
	}
	p.Label = c.label()
	if text := c.at(fieldAddress, 0); text != "" {
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is4() {
			c.v.warn("found the address %s, allowed is an IPv4 address such as 10.77.0.50; it was left out", shown(text))
		} else {
			p.Address = a
		}
	}
	p.Load, p.Runs = c.at(fieldLoad, 0), c.at(fieldRuns, 0)
	p.Zone = c.at(fieldZone, 0)
	p.OpenConfig, p.OwnFiles = isYes(c.at(fieldOpen, 0)), isYes(c.at(fieldOwn, 0))
	p.Parameters, p.Forced = c.pairs(fieldParams), c.pairs(fieldForced)
	for n := 1; n <= phone.Lines; n++ {
		if l, ok := c.line(n); ok {
			p.Lines = append(p.Lines, l)
		}
	}
	return p, ""
}

// label puts the label together: the label itself, else first and last name.
func (c cells) label() string {
	label, first, last := c.at(fieldLabel, 1), c.at(fieldFirst, 0), c.at(fieldLast, 0)
	if last == "" && first != "" && !strings.Contains(label, " ") {
		last = label // "Nom" beside "Prénom"
	}
	if label == "" || label == last {
		label = strings.TrimSpace(first + " " + last)
	}
	return label
}

// modelOf reads a model; another family is a fault, because phonebox writes no files for it.
func modelOf(text string) (model, fault string) {
	if text == "" {
		return "", ""
	}
	if m := modelNumber.FindStringSubmatch(text); m != nil {
		return m[4], ""
	}
	return "", fmt.Sprintf("found the model %s, allowed are 7940 and 7960, or nothing", shown(text))
}

func isYes(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "true", "1", "x", "on", "ja", "wahr", "waar", "oui", "vrai":
		return true
	}
	return false
}

// line reads the columns of one line.
func (c cells) line(n int) (l site.Line, ok bool) {
	l = site.Line{
		Name: c.number(n), AuthName: c.at(fieldAuth, n), Password: c.password(n), DisplayName: c.at(fieldDisplay, n),
		ShortName: c.at(fieldShort, n), Proxy: strings.ToLower(c.at(fieldProxy, n)),
	}
	if l.DisplayName == "" && n > 1 {
		l.DisplayName = c.at(fieldLabel, n) // "Name 2"
	}
	if m := wholeFloat.FindStringSubmatch(l.AuthName); m != nil {
		l.AuthName = m[1]
	}
	if text := c.at(fieldPort, n); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			c.v.warn("found the port %s, allowed is 1 to 65535; it was left out", shown(text))
		}
		l.Port = uint16(port)
	}
	if l.Name == "" && c.layout.find(fieldNumber, n) < 0 {
		l.Name = l.AuthName // a list with accounts and without numbers
	}
	if l.Name == "" {
		if l.AuthName != "" || l.Password != "" {
			c.v.warn("there is an auth name or a password for line %d and no extension; it was left out", n)
		}
		return site.Line{}, false
	}
	return l, true
}

// number reads an extension. Blanks between digits go; leading zeros stay.
func (c cells) number(n int) string {
	text := strings.TrimLeft(c.at(fieldNumber, n), "'")
	if m := wholeFloat.FindStringSubmatch(text); m != nil {
		text = m[1] // 208.0: the program that wrote the list took it for a number
	}
	if scientific.MatchString(text) && strings.ContainsAny(text, ".,+") {
		c.v.warn("found the extension %s: the spreadsheet turned it into a number; format the column as text and type it again", shown(text))
		return ""
	}
	if plain := strings.ReplaceAll(text, " ", ""); strings.Trim(plain, "0123456789+*#") == "" {
		return plain
	}
	return text
}

// password reads a password, with the blanks that it may have.
func (c cells) password(n int) string {
	text := strings.TrimRight(c.raw(fieldPassword, n), "\r\n")
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if scientific.MatchString(text) && strings.ContainsAny(text, ".,+") {
		c.v.warn("the password of line %d looks like a number that the spreadsheet made of it; check it", n)
	}
	return text
}

// pairs reads "name=value", one a line.
func (c cells) pairs(f field) map[string]string {
	var out map[string]string
	for text := range strings.Lines(c.raw(f, 0)) {
		text = strings.TrimRight(text, "\r\n")
		name, value, ok := strings.Cut(text, "=")
		name = strings.TrimSpace(name)
		switch {
		case strings.TrimSpace(text) == "":
		case !ok || name == "":
			c.v.warn("in %s there is a line without a name and =; it was left out", f)
		default:
			put(&out, name, value)
		}
	}
	return out
}
