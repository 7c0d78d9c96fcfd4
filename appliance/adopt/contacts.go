package adopt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"phonebox/appliance/site"
)

// maxPeople bounds the contacts of one file; a site takes fewer.
const maxPeople = 5000

// ReadContacts reads people from a .csv, an .xlsx, or a vCard (.vcf) of version 2.1, 3.0 or 4.0; which of them shows by
// the first bytes. There is a verdict for each row or card. Who has several numbers becomes several contacts: "Anna
// Example (mobile)". The error says that the file is none of them; its text is meant for people.
func ReadContacts(name string, content []byte) ([]site.Contact, []Verdict, error) {
	if len(content) > MaxList {
		return nil, nil, fmt.Errorf("found a list of %d bytes, allowed are up to %d", len(content), MaxList)
	}
	var p people
	if isVCard(content) {
		p.cards(content)
		return p.list, p.verdicts, nil
	}
	tables, err := readTables(name, content)
	if err != nil {
		return nil, nil, err
	}
	if err := p.tables(tables); err != nil {
		return nil, nil, err
	}
	return p.list, p.verdicts, nil
}

// people collects contacts.
type people struct {
	list     []site.Contact
	verdicts []Verdict
	seen     map[site.Contact]bool
}

// number is one number of a person.
type number struct{ kind, value string }

// add takes one person and writes the verdict.
func (p *people) add(v Verdict, name string, numbers []number) {
	if p.seen == nil {
		p.seen = map[site.Contact]bool{}
	}
	defer func() { p.verdicts = append(p.verdicts, v) }()
	var usable []number
	for _, n := range numbers {
		if n.kind == "fax" || n.kind == "pager" {
			v.warn("the %s number %s was left out", n.kind, shown(n.value))
			continue
		}
		if !slices.ContainsFunc(usable, func(u number) bool { return cleanNumber(u.value) == cleanNumber(n.value) }) {
			usable = append(usable, n)
		}
	}
	if name = cleanText(name); name == "" && len(usable) > 0 {
		name = cleanNumber(usable[0].value)
	}
	added, twice := 0, 0
	for i, n := range usable {
		c, fault := newContact(numbered(name, usable, i), n.value)
		switch {
		case fault != "":
			v.warn("%s; it was left out", fault)
		case p.seen[c]:
			twice++
		case len(p.list) == maxPeople:
			v.warn("a file may have up to %d contacts; it was left out", maxPeople)
		default:
			p.seen[c] = true
			p.list = append(p.list, c)
			added++
		}
	}
	switch {
	case added == 1:
		v.set(VerdictContacts, "adds %s", shown(name))
	case added > 1:
		v.set(VerdictContacts, "adds %s with %d numbers", shown(name), added)
	case twice > 0:
		v.set(VerdictIgnored, "%s stands above already", shown(name))
	default:
		v.set(VerdictIgnored, "%s has no number that can be dialled", shown(name))
	}
}

// numbered is the name of a contact for one of the numbers: "Anna Example (mobile 2)"; plain where there is one only. The
// name is cut so that a phone's 32 characters show what kind of number it is.
func numbered(name string, numbers []number, i int) string {
	if len(numbers) == 1 {
		return name
	}
	kind, count, before := numbers[i].kind, 0, 0
	for j, n := range numbers {
		if n.kind == kind {
			count++
			if j < i {
				before++
			}
		}
	}
	if kind == "" {
		kind = "other"
		if before == 0 {
			return name
		}
	}
	if count > 1 && before > 0 {
		kind = fmt.Sprintf("%s %d", kind, before+1)
	}
	const longest = 60
	suffix := " (" + kind + ")"
	if r := []rune(name); len(r)+len(suffix) > longest {
		name = strings.TrimSpace(string(r[:max(longest-len(suffix), 1)]))
	}
	return name + suffix
}

// fieldDial is a number of a contact; column.kind says which.
const fieldDial field = "a number"

// dialHeaders are headers of numbers by kind, as headerKey writes them without the number of the column. The first that
// is contained in a header counts.
var dialHeaders = []struct {
	kind  string
	words []string
}{
	{"fax", []string{"fax"}},
	{"pager", []string{"pager"}},
	{"mobile", []string{"mobil", "cell", "handy", "gsm", "portable", "natel", "mobiel"}},
	{"home", []string{"home", "privat", "prive", "domicile", "thuis", "zuhause"}},
	{"work", []string{"business", "work", "geschaft", "geschaeft", "buro", "dienst", "werk", "zakelijk", "kantoor", "travail", "bureau", "professionnel", "office", "companymain"}},
}

// notNumbers are parts of headers, and notNumber whole ones, that have to do with people and are no numbers.
var (
	notNumbers = []string{"address", "adres", "street", "city", "country", "region", "postal", "mail", "strasse", "straat", "fonction", "funktion", "pobox"}
	notNumber  = []string{"web", "title", "state", "ort", "land", "plz", "rue", "ville", "pays", "url"}
)

// contactColumn understands the header of a column of people.
func contactColumn(header string) column {
	key, n := headerKey(inBrackets.ReplaceAllString(header, " "))
	if key == "" || slices.Contains(notNumber, key) || slices.ContainsFunc(notNumbers, func(w string) bool { return strings.Contains(key, w) }) {
		return column{}
	}
	if strings.HasPrefix(key, "phone") && n > 0 { // "Phone 1 - Type", "Phone 1 - Value"
		if strings.HasSuffix(key, "type") || strings.HasSuffix(key, "label") {
			return column{field: fieldType, line: n}
		}
		if strings.HasSuffix(key, "value") {
			return column{field: fieldDial, line: n}
		}
	}
	f, known := lookUpHeader(key)
	switch {
	case known && (f == fieldLabel || f == fieldFirst || f == fieldLast || f == fieldCompany):
		return column{field: f, line: 1}
	case known && f == fieldPerson:
		return column{field: fieldLabel, line: 1}
	case key == "displayname", key == "filas", key == "fileas":
		return column{field: fieldLabel, line: 1}
	}
	for _, d := range dialHeaders {
		if slices.ContainsFunc(d.words, func(w string) bool { return strings.Contains(key, w) }) {
			return column{field: fieldDial, line: n, kind: d.kind}
		}
	}
	if known && f == fieldNumber || strings.HasSuffix(key, "phone") || strings.HasSuffix(key, "telefon") || strings.HasSuffix(key, "number") {
		return column{field: fieldDial, line: n}
	}
	return column{}
}

var errNoPeople = errors.New("found no columns with names and numbers, wanted a row of headers such as Name, Number, Mobile")

// tables reads the first sheet that has names and numbers.
func (p *people) tables(tables []table) error {
	for _, t := range tables {
		l := guessLayout(t, contactColumn)
		l.fillPeople(t)
		if l.find(fieldDial, 0) < 0 {
			continue
		}
		v := Verdict{Where: "columns", Verdict: VerdictIgnored}
		if l.header >= 0 {
			v.Where = fmt.Sprintf("row %d", t.rows[l.header].number)
		}
		text, unused := l.sentence()
		v.Text = text
		if len(unused) > 0 {
			v.warn("not used: column %s", words(unused))
		}
		p.verdicts = append(p.verdicts, v)
		for _, r := range t.rows[l.header+1:] {
			p.row(r, l)
		}
		if t.more > 0 {
			p.verdicts = append(p.verdicts, Verdict{
				Where: fmt.Sprintf("the last %d rows", t.more), Verdict: VerdictRefused,
				Text: fmt.Sprintf("a list may have up to %d rows; hand the others in by themselves", maxRows),
			})
		}
		for _, other := range tables {
			if other.name != t.name && len(other.rows) > 0 {
				p.verdicts = append(p.verdicts, Verdict{Where: "sheet " + shown(other.name), Verdict: VerdictIgnored, Text: "people are read from the sheet " + shown(t.name) + " only"})
			}
		}
		return nil
	}
	return errNoPeople
}

// fillPeople guesses the columns of a table without headers: the first with letters and the first with numbers.
func (l *layout) fillPeople(t table) {
	if l.header >= 0 {
		return
	}
	for i := range l.columns {
		list := l.sample(t, i)
		isNumber := func(s string) bool {
			n := cleanNumber(s)
			return len(n) > 1 && strings.Trim(n, "0123456789+*#") == ""
		}
		switch {
		case share(list, false, isNumber):
			l.columns[i] = column{field: fieldDial, line: i}
		case l.find(fieldLabel, 0) < 0 && share(list, false, func(s string) bool { return strings.IndexFunc(s, isLetter) >= 0 }):
			l.columns[i] = column{field: fieldLabel, line: 1}
		}
	}
	if l.find(fieldLabel, 0) < 0 {
		for i := range l.columns {
			l.columns[i] = column{}
		}
	}
}

// row reads one person.
func (p *people) row(r row, l layout) {
	v := Verdict{Where: fmt.Sprintf("row %d", r.number)}
	c := cells{row: r, layout: l, v: &v}
	name := c.label()
	if name == "" {
		name = c.at(fieldCompany, 0)
	}
	var numbers []number
	for i, col := range l.columns {
		if col.field != fieldDial || i >= len(r.cells) {
			continue
		}
		in := r.cells[i]
		text := oneLine(in.text)
		kind := col.kind
		if t := l.find(fieldType, col.line); kind == "" && t >= 0 {
			kind = kindOf(r.text(t))
		}
		switch {
		case text == "":
		case in.fault != "":
			v.warn("column %s: found %s; %s", columnName(i), shown(text), in.fault)
		case scientific.MatchString(text):
			v.warn("column %s: found %s: the spreadsheet turned the number into another; format the column as text and type it again", columnName(i), shown(text))
		default:
			for part := range strings.SplitSeq(text, ":::") { // several in one cell, as some address books export them
				if part = strings.TrimSpace(part); part != "" {
					numbers = append(numbers, number{kind, part})
				}
			}
		}
	}
	p.add(v, name, numbers)
}

// kindOf reads the kind of a number from a word of another program.
func kindOf(word string) string {
	key, _ := headerKey(word)
	for _, d := range dialHeaders {
		if slices.ContainsFunc(d.words, func(w string) bool { return strings.Contains(key, w) }) {
			return d.kind
		}
	}
	return ""
}

// isVCard reports whether a file begins like a vCard.
func isVCard(content []byte) bool {
	text := decodeText(content[:min(len(content), 512)])
	text = strings.TrimLeft(text, " \t\r\n")
	return len(text) >= 11 && strings.EqualFold(text[:11], "BEGIN:VCARD") || bytes.Contains(bytes.ToUpper(content[:min(len(content), 512)]), []byte("\nBEGIN:VCARD"))
}
