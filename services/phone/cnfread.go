package phone

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What [ReadCnf] takes, and how much it says of it. A real file has some 5 KB and 200 lines.
const (
	maxCnfRead     = 256 << 10 // bytes
	maxCnfLines    = 10000
	maxCnfWarnings = 500
	maxCnfSuggests = 200 // looking for a near name costs the most
)

// ReadCnf reads a .cnf file: SIPDefault.cnf, SIP<MAC>.cnf, or an old one of anybody. It never fails; each oddity is a
// warning, and what is no parameter is kept as a line. A file above 256 KB or 10,000 lines is no configuration: it is
// not read, and the one warning says so.
//
// Where phones.md h leaves open what a phone does, it reads what the writer of the file probably meant and says that it
// is not confirmed: the last of duplicates counts, case does not matter, ; and # inside quotes belong to the value.
func ReadCnf(content []byte) CnfFile {
	if len(content) > maxCnfRead {
		return CnfFile{Warnings: []CnfWarning{{Text: fmt.Sprintf("the file has %d bytes; a configuration of these phones has a few thousand, so it was not read", len(content))}}}
	}
	r := cnfReader{last: map[string]int{}, odd: map[oddity]*[2]int{}}
	text := r.decode(content)
	lines := splitLines(text)
	if len(lines) > maxCnfLines {
		return CnfFile{Warnings: []CnfWarning{{Text: fmt.Sprintf("the file has %d lines; a configuration of these phones has a few hundred, so it was not read", len(lines))}}}
	}
	r.file.Lines = lines
	for i := range lines {
		r.line(&lines[i])
	}
	for _, i := range r.last {
		lines[i].Used = true
	}
	r.sumUp()
	return r.file
}

// cnfReader reads one file.
type cnfReader struct {
	file     CnfFile
	last     map[string]int     // index of the last line of a name in lower case
	odd      map[oddity]*[2]int // the first line with it, and how many more there are
	suggests int
}

// oddity is what is told once for the whole file, with its first line.
type oddity string

const (
	oddBOM     oddity = "a byte order mark stands before the text, which a phone may take for a part of the first name; save the file without it"
	oddUTF16   oddity = "the file is in UTF-16, which phones can't read; save it as plain text"
	oddBroken  oddity = "the file is in UTF-16 and damaged: some characters could not be read"
	oddUTF8    oddity = "has accents in UTF-8; phones read ISO-8859-1 and would show two wrong characters for each"
	oddCR      oddity = "ends with a carriage return alone; phones end lines with a line feed"
	oddNUL     oddity = "holds NUL bytes, which were left out; a phone may stop reading there"
	oddControl oddity = "holds control characters or Windows characters such as curly quotes or the euro sign, which phones don't have"
)

// note counts an oddity.
func (r *cnfReader) note(o oddity, line int) {
	if at, ok := r.odd[o]; ok {
		at[1]++
		return
	}
	r.odd[o] = &[2]int{line, 0}
}

// warn adds a warning, up to a bound; one more says that there are others.
func (r *cnfReader) warn(line int, suggestion, format string, args ...any) {
	switch n := len(r.file.Warnings); {
	case n < maxCnfWarnings:
		r.file.Warnings = append(r.file.Warnings, CnfWarning{Line: line, Text: fmt.Sprintf(format, args...), Suggestion: suggestion})
	case n == maxCnfWarnings:
		r.file.Warnings = append(r.file.Warnings, CnfWarning{Line: line, Text: "there are more oddities from here on; they are not listed"})
	}
}

// sumUp adds what is told once, and puts the warnings in the order of the lines.
func (r *cnfReader) sumUp() {
	for o, at := range r.odd {
		text := string(o)
		switch {
		case o == oddBOM || o == oddUTF16 || o == oddBroken:
		case at[1] == 0:
			text = "this line " + text
		case at[1] == 1:
			text = "this line (and another one) " + text
		default:
			text = fmt.Sprintf("this line (and %d others) %s", at[1], text)
		}
		r.file.Warnings = append(r.file.Warnings, CnfWarning{Line: at[0], Text: text})
	}
	slices.SortStableFunc(r.file.Warnings, func(a, b CnfWarning) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
}

// decode returns the text in UTF-8, without a byte order mark. ISO-8859-1 is what phones read; a file that is valid
// UTF-8 and not plain ASCII was hardly meant to be anything else.
func (r *cnfReader) decode(content []byte) string {
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if len(content) >= 2 && o.Uint16(content) == 0xfeff {
			return r.decodeUTF16(content[2:], o)
		}
	}
	if rest, ok := bytes.CutPrefix(content, []byte("\xef\xbb\xbf")); ok {
		content, r.file.BOM = rest, true
		r.note(oddBOM, 0)
	}
	r.file.Encoding = "ISO-8859-1"
	plain := !slices.ContainsFunc(content, func(b byte) bool { return b >= utf8.RuneSelf })
	switch {
	case plain:
		return string(content)
	case utf8.Valid(content):
		r.file.Encoding = "UTF-8"
		return string(content)
	}
	var b strings.Builder
	for _, c := range content {
		b.WriteRune(rune(c))
	}
	return b.String()
}

func (r *cnfReader) decodeUTF16(content []byte, order binary.ByteOrder) string {
	r.file.Encoding, r.file.BOM = "UTF-16", true
	r.note(oddUTF16, 0)
	units := make([]uint16, 0, len(content)/2)
	for i := 0; i+1 < len(content); i += 2 {
		units = append(units, order.Uint16(content[i:]))
	}
	text := string(utf16.Decode(units))
	if len(content)%2 != 0 || strings.ContainsRune(text, utf8.RuneError) {
		r.note(oddBroken, 0)
	}
	return text
}

// splitLines cuts a text at LF, CR LF and CR.
func splitLines(text string) []CnfLine {
	var lines []CnfLine
	for text != "" && len(lines) <= maxCnfLines {
		l := CnfLine{Number: len(lines) + 1, Raw: text}
		if i := strings.IndexAny(text, "\r\n"); i >= 0 {
			l.Raw, l.End = text[:i], text[i:i+1]
			if strings.HasPrefix(text[i:], "\r\n") {
				l.End = "\r\n"
			}
		}
		text = text[len(l.Raw)+len(l.End):]
		lines = append(lines, l)
	}
	return lines
}
