package web

import (
	"encoding/csv"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a pasted list: lines that are looked at, and faults that are told.
const (
	maxPasted = 4000
	maxTold   = 20
)

// parsePasted reads contacts as people have them: a line each, copied from a spreadsheet (tabs), a CSV (; or ,), written as
// name = number, or with the number at the end. The columns may stand in either order; what has no number is told.
func parsePasted(text string) (contacts []Contact, faults []string) {
	untold, heads := 0, ""
	for i, line := range strings.Split(unixLines(text), "\n") {
		if i == maxPasted {
			return contacts, append(faults, fmt.Sprintf("Only the first %d lines were read.", maxPasted))
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		c, ok := pastedContact(line)
		switch {
		case ok:
			contacts = append(contacts, c)
		case i == 0 && !strings.ContainsFunc(line, unicode.IsDigit):
			heads = line // of the columns
		case len(faults) < maxTold:
			faults = append(faults, fmt.Sprintf("Line %d has no name with a number: %.60q", i+1, line))
		default:
			untold++
		}
	}
	if heads != "" && len(contacts) == 0 { // of nothing
		faults = append([]string{fmt.Sprintf("Line 1 has no name with a number: %.60q", heads)}, faults...)
	}
	if untold > 0 {
		faults = append(faults, fmt.Sprintf("%d more lines have none either.", untold))
	}
	return contacts, faults
}

// pastedContact reads one line.
func pastedContact(line string) (Contact, bool) {
	cells := pastedCells(line)
	for i, cell := range cells {
		if !looksDialled(cell) {
			continue
		}
		var name []string
		for _, one := range cells[:i] {
			if one != "" {
				name = append(name, one)
			}
		}
		for _, one := range cells[i+1:] {
			if len(name) == 0 && one != "" {
				name = append(name, one)
			}
		}
		if len(name) > 0 {
			return Contact{Name: strings.Join(name, " "), Number: cell}, true
		}
	}
	return Contact{}, false
}

// pastedCells takes a line apart.
func pastedCells(line string) []string {
	if !utf8.ValidString(line) {
		line = strings.ToValidUTF8(line, "?")
	}
	for _, sep := range []rune{'\t', ';', '=', ','} {
		at := strings.LastIndex(line, string(sep))
		if at < 0 {
			continue
		}
		if sep == '=' { // a name may hold one and a number none
			return trimmed([]string{line[:at], line[at+1:]})
		}
		r := csv.NewReader(strings.NewReader(line))
		r.Comma, r.LazyQuotes, r.TrimLeadingSpace = sep, true, sep != '\t'
		if cells, err := r.Read(); err == nil {
			return trimmed(cells)
		}
		return trimmed(strings.Split(line, string(sep)))
	}
	// A number at the end, which may have blanks in it: "Fire brigade 02 345 67 89".
	fields := strings.Fields(line)
	from := len(fields)
	for from > 1 && looksDialled(fields[from-1]) {
		from--
	}
	if from == len(fields) {
		return []string{line}
	}
	return []string{strings.Join(fields[:from], " "), strings.Join(fields[from:], " ")}
}

func trimmed(cells []string) []string {
	for i := range cells {
		cells[i] = strings.Join(strings.Fields(cells[i]), " ")
	}
	return cells
}

// looksDialled reports whether a text is a number as people write them.
func looksDialled(s string) bool {
	return strings.ContainsAny(s, "0123456789*#") && strings.Trim(s, "0123456789*#+ -./()\u00a0") == ""
}
