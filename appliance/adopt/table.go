package adopt

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a list. A site of two thousand phones with six lines each is far below.
const (
	MaxList    = 8 << 20 // bytes of a file
	maxRows    = 6000    // rows with something in them
	maxColumns = 64
	maxCell    = 2000     // bytes of a cell; what follows is cut
	maxCells   = 32 << 20 // bytes of all cells
)

// table is a sheet of rows.
type table struct {
	name string // of the sheet; "" for CSV
	rows []row  // those with something in them
	more int    // rows beyond the bounds, which were not read
	size int    // bytes of all cells
	csv  bool
}

// row is one row of a table.
type row struct {
	number int // 1-based, as a person sees it
	cells  []cell
}

// cell is one cell.
type cell struct {
	text  string
	fault string // the program turned what was typed into something else: a sentence
}

const asDate = "the spreadsheet turned it into a date: format the column as text and type it again"

// text returns a cell of a row; "" beyond its end.
func (r row) text(i int) string {
	if i < 0 || i >= len(r.cells) {
		return ""
	}
	return r.cells[i].text
}

func (r row) empty() bool {
	for _, c := range r.cells {
		if strings.TrimSpace(c.text) != "" {
			return false
		}
	}
	return true
}

// readTables reads a .csv or .xlsx; which of them shows by its first bytes.
func readTables(name string, content []byte) ([]table, error) {
	switch {
	case len(content) > MaxList:
		return nil, fmt.Errorf("found a list of %d bytes, allowed are up to %d", len(content), MaxList)
	case bytes.HasPrefix(content, []byte("PK\x03\x04")):
		return readXLSX(content)
	case bytes.HasPrefix(content, []byte{0xd0, 0xcf, 0x11, 0xe0}):
		return nil, fmt.Errorf("found %s, an Excel file of the old kind or one with a password, allowed are .xlsx and .csv: save it as one of them", shown(name))
	case bytes.HasPrefix(content, []byte("%PDF")):
		return nil, fmt.Errorf("found %s, a PDF file, allowed are .xlsx and .csv", shown(name))
	}
	return []table{readCSV(decodeText(content))}, nil
}

// readCSV reads text whose delimiter it guesses. It takes what is no valid CSV too.
func readCSV(text string) table {
	t := table{csv: true}
	first := 0
	delimiter := rune(0)
	// Excel writes and reads a first line that names the delimiter.
	if line, rest, _ := strings.Cut(text, "\n"); len(line) < 10 && strings.HasPrefix(strings.ToLower(line), "sep=") {
		if named := []rune(strings.TrimRight(line[4:], "\r")); len(named) == 1 && named[0] != '"' {
			text, first, delimiter = rest, 1, named[0]
		}
	}
	if delimiter == 0 {
		delimiter = guessDelimiter(text)
	}
	r := newCSV(text, delimiter)
	for {
		record, err := r.Read()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.more++ // a delimiter that encoding/csv can't take; nothing else is an error with lazy quotes
			}
			return t
		}
		line, _ := r.FieldPos(0)
		out := row{number: line + first} // lines within cells are not counted, as a spreadsheet shows it
		for _, field := range record {
			first -= strings.Count(field, "\n")
		}
		for i, field := range record {
			if i < maxColumns {
				out.cells = append(out.cells, csvCell(field))
			}
		}
		t.add(out)
	}
}

// add takes a row that is not empty.
func (t *table) add(r row) {
	if r.empty() {
		return
	}
	size := 0
	for _, c := range r.cells {
		size += len(c.text)
	}
	if len(t.rows) == maxRows || t.size+size > maxCells {
		t.more++
		return
	}
	t.size += size
	t.rows = append(t.rows, r)
}

func newCSV(text string, delimiter rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = delimiter, true, -1, true
	return r
}

// guessDelimiter takes the one that cuts the first rows into the most columns, equally many in each.
func guessDelimiter(text string) rune {
	const sample = 64 << 10
	text = text[:min(len(text), sample)]
	best, bestScore := ',', 0
	for _, d := range []rune{';', '\t', ',', '|'} {
		r := newCSV(text, d)
		rows := map[int]int{} // by number of columns
		for range 30 {
			record, err := r.Read()
			if err != nil {
				break
			}
			if n := len(record); n > 1 {
				rows[n]++
			}
		}
		for n, count := range rows {
			if score := count * count * (n - 1); score > bestScore {
				best, bestScore = d, score
			}
		}
	}
	return best
}

// csvCell takes back what protects a spreadsheet from formulas: an apostrophe before = + - @ (see protect).
func csvCell(field string) cell {
	c := cell{text: unprotect(field)}
	if strings.Count(c.text, "\n") > 50 {
		c.fault = "it goes over many rows: a quotation mark is not closed"
	}
	if len(c.text) > maxCell && c.fault == "" {
		c.fault = tooLong
	}
	c.text = cut(c.text)
	return c
}

const tooLong = "it is far longer than anything that belongs into a list of phones"

// cut shortens a text to what a cell may have.
func cut(s string) string {
	if len(s) <= maxCell {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:maxCell], ""))
}

// risky reports whether a spreadsheet would run a cell as a formula, or whether it looks as if it were protected from
// that: any number of apostrophes and one of = + - @, a tab or a carriage return.
func risky(s string) bool {
	s = strings.TrimLeft(s, "'")
	return s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0
}

// protect puts an apostrophe before what a spreadsheet would run as a formula (CWE-1236); unprotect is its inverse.
func protect(s string) string {
	if risky(s) {
		return "'" + s
	}
	return s
}

func unprotect(s string) string {
	if strings.HasPrefix(s, "'") && risky(s) {
		return s[1:]
	}
	return s
}

// columnName names a column as spreadsheets do: A, B, ..., AA.
func columnName(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}
