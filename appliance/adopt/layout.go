package adopt

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"phonebox/services/phone"
)

// headerRows is how many rows may stand above the data: a title, an empty row, the headers.
const headerRows = 5

// layout is what the columns of a table hold.
type layout struct {
	columns []column
	header  int      // index of the row with the headers; -1 where there is none
	names   []string // the headers
}

// find returns the column of a field; -1 where there is none.
func (l layout) find(f field, line int) int {
	for i, c := range l.columns {
		if c.field == f && (c.line == line || line == 0) {
			return i
		}
	}
	return -1
}

// guessLayout finds the row with the headers, and the columns without a header by what stands in them.
func guessLayout(t table, headerOf func(string) column) layout {
	l := layout{header: -1}
	best := 1 // one known word is a header only where it is the MAC's
	for i, r := range t.rows[:min(len(t.rows), headerRows)] {
		columns, known, mac := headerRow(r, headerOf)
		if l.header < 0 && mac || known > best {
			l.header, l.columns, best = i, columns, known
		}
	}
	if l.header >= 0 {
		for _, c := range t.rows[l.header].cells {
			l.names = append(l.names, strings.TrimSpace(c.text))
		}
	}
	width := 0
	for _, r := range t.rows {
		width = max(width, len(r.cells))
	}
	for len(l.columns) < width {
		l.columns = append(l.columns, column{})
	}
	return l
}

// headerRow reads a row as headers. A row with data that only data can be is none.
func headerRow(r row, headerOf func(string) column) (columns []column, known int, mac bool) {
	seen := map[column]bool{}
	for _, c := range r.cells {
		if _, fault := parseMACCell(c.text); fault == "" {
			return nil, 0, false
		}
		col := headerOf(c.text)
		if seen[col] && col.field != fieldDial {
			col = column{} // the first of two columns with the same header counts
		}
		seen[col] = true
		columns = append(columns, col)
		if col.field != fieldNone {
			known++
		}
		mac = mac || col.field == fieldMAC
	}
	return columns, known, mac
}

// sample returns the first values of a column below the headers that are not empty.
func (l layout) sample(t table, i int) []string {
	const most = 200
	var list []string
	for _, r := range t.rows[l.header+1:] {
		if s := strings.TrimSpace(r.text(i)); s != "" && len(list) < most {
			list = append(list, s)
		}
	}
	return list
}

// share reports whether more than half of a column's values, or all of them, are of a kind.
func share(list []string, all bool, is func(string) bool) bool {
	count := 0
	for _, s := range list {
		if is(s) {
			count++
		}
	}
	return count > 0 && (count == len(list) || !all && 2*count > len(list))
}

var (
	modelNumber = regexp.MustCompile(`(?i)^(cisco )?(ip phone )?(cp-?)?(79[46]0)(g)?$`)
	numberLike  = regexp.MustCompile(`^[0-9*#+][0-9*#+ ]{0,18}$`)
	scientific  = regexp.MustCompile(`(?i)^[0-9]+([.,][0-9]+)?e\+?[0-9]+$`)
)

// maybeMACs are what columns may be called that hold MACs: "Device Name" is a label in one program and SEP<MAC> in another, and a
// "Gerät" is a model or a phone. Passwords are left out: twelve hexadecimal digits are a good one.
var maybeMACs = map[field]bool{fieldNone: true, fieldLabel: true, fieldPerson: true, fieldModel: true, fieldLocation: true, fieldDisplay: true}

// fillPhones guesses the columns of a list of phones that have no header: the MACs always, the others only where the
// table has no headers at all.
func (l *layout) fillPhones(t table) {
	claim := func(f field, all bool, is func(string) bool) int {
		for i := range l.columns {
			if l.columns[i].field == fieldNone && share(l.sample(t, i), all, is) {
				l.columns[i] = column{field: f, line: 1}
				return i
			}
		}
		return -1
	}
	isMAC := func(s string) bool { _, fault := parseMACCell(s); return fault == "" }
	mac := l.find(fieldMAC, 0)
	if mac < 0 || !share(l.sample(t, mac), false, isMAC) {
		for i := range l.columns {
			if i != mac && maybeMACs[l.columns[i].field] && share(l.sample(t, i), false, isMAC) {
				if mac >= 0 {
					l.columns[mac] = column{}
				}
				l.columns[i] = column{field: fieldMAC, line: 1}
				mac = i
				break
			}
		}
	}
	l.resolvePerson(t)
	if l.header >= 0 {
		return
	}
	if mac < 0 {
		claim(fieldMAC, true, func(s string) bool { return scientific.MatchString(s) })
	}
	claim(fieldModel, true, modelNumber.MatchString)
	claim(fieldAddress, true, func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() })
	number := claim(fieldNumber, true, numberLike.MatchString)
	if number >= 0 {
		l.claimAuth(t, number)
	}
	claim(fieldLabel, false, func(s string) bool { return strings.IndexFunc(s, isLetter) >= 0 })
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f }

// claimAuth takes a second column of the same numbers for the names of authentication.
func (l *layout) claimAuth(t table, number int) {
	numbers := l.sample(t, number)
	for i := range l.columns {
		if l.columns[i].field != fieldNone {
			continue
		}
		other, same := l.sample(t, i), 0
		for j := range min(len(numbers), len(other)) {
			if numbers[j] == other[j] {
				same++
			}
		}
		if same > 0 && 10*same >= 8*len(numbers) {
			l.columns[i] = column{field: fieldAuth, line: 1}
			return
		}
	}
}

// resolvePerson decides whether a column "user" holds people, whose names have blanks, or accounts.
func (l *layout) resolvePerson(t table) {
	for i := range l.columns {
		if l.columns[i].field != fieldPerson {
			continue
		}
		people := share(l.sample(t, i), false, func(s string) bool { return strings.Contains(s, " ") })
		f := fieldAuth
		if people || l.find(fieldAuth, l.columns[i].line) >= 0 {
			f = fieldLabel
		}
		if l.find(f, l.columns[i].line) >= 0 {
			f = fieldNone
		}
		l.columns[i].field = f
	}
}

// sentence says what the columns were taken for, and which were not used.
func (l layout) sentence() (text string, unused []string) {
	var known []string
	for i, c := range l.columns {
		name := columnName(i)
		if i < len(l.names) && l.names[i] != "" {
			name += " (" + shownPath(l.names[i]) + ")"
		}
		switch {
		case c.field == fieldNone:
			unused = append(unused, name)
		case c.kind != "":
			known = append(known, fmt.Sprintf("%s %s: %s", name, c.field, c.kind))
		case c.line > 1 && c.field != fieldDial:
			known = append(known, fmt.Sprintf("%s %s of line %d", name, c.field, c.line))
		default:
			known = append(known, fmt.Sprintf("%s %s", name, c.field))
		}
	}
	text = "column " + strings.Join(known, ", ")
	if l.header < 0 {
		text = "there are no headers; by what stands in them: " + text
	}
	return text, unused
}

// MAC notations that are not those of [phone.ParseMAC].
var (
	deviceName = regexp.MustCompile(`(?i)^(sep|sip)([0-9a-f]{12})$`)
	shortMAC   = regexp.MustCompile(`^[0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}$`)
	halfMAC    = regexp.MustCompile(`^[0-9A-Fa-f]{6}[-:. ][0-9A-Fa-f]{6}$`)
)

const excelMAC = "found %s, which is no MAC of 12 digits; a spreadsheet may have made a number of one: format the column as text and type it again"

const noMAC = "there is no MAC"

// parseMACCell reads a MAC in any notation; fault says why it is none.
func parseMACCell(s string) (mac phone.MAC, fault string) {
	s = strings.TrimLeft(strings.Trim(cleanText(s), `"' `), "'")
	s = strings.NewReplacer("\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-").Replace(s)
	if m := deviceName.FindStringSubmatch(s); m != nil {
		s = m[2]
	}
	if halfMAC.MatchString(s) {
		s = s[:6] + s[7:]
	}
	if shortMAC.MatchString(s) {
		parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' })
		for i, p := range parts {
			parts[i] = strings.Repeat("0", 2-len(p)) + p
		}
		s = strings.Join(parts, ":")
	}
	digits := strings.Trim(s, "0123456789") == ""
	switch mac, err := phone.ParseMAC(s); {
	case s == "":
		return phone.MAC{}, noMAC
	case err == nil && (mac.IsZero() || mac[0]&1 != 0):
		return phone.MAC{}, fmt.Sprintf("found the MAC %s, which no phone has", mac)
	case err == nil:
		return mac, ""
	case scientific.MatchString(s), digits && len(s) >= 7: // 12 digits were read above
		return phone.MAC{}, fmt.Sprintf(excelMAC, shown(s))
	case strings.ContainsAny(s, "oO") && macLike(strings.NewReplacer("o", "0", "O", "0").Replace(s)):
		return phone.MAC{}, fmt.Sprintf("found the MAC %s with the letter O, which is probably the digit 0", shown(s))
	}
	return phone.MAC{}, fmt.Sprintf("found the MAC %s, allowed are 12 hexadecimal digits such as 00:06:D7:AA:2A:2E", shown(s))
}

func macLike(s string) bool {
	_, err := phone.ParseMAC(s)
	return err == nil
}
