package adopt

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Bounds of a workbook. The library keeps all of it in memory.
const (
	maxUnzipped = 24 << 20 // bytes
	maxSheets   = 20
	maxSheetRow = 100_000 // number of the last row that is looked at
	maxSeen     = 4 << 20 // cells of a sheet, empty ones counted: one far to the right stands for thousands
)

var errWorkbook = errors.New("the .xlsx can't be read: it is damaged, has a password, or holds far more than a list of phones; save it anew or as .csv")

// readXLSX reads the visible sheets of a workbook. Rows are read as a stream, because a sheet of a few bytes can claim a
// billion cells. The library has not seen every hostile file, so what it panics on counts as damaged.
func readXLSX(content []byte) (tables []table, err error) {
	defer func() {
		if recover() != nil {
			tables, err = nil, errWorkbook
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(content), excelize.Options{UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped})
	if err != nil {
		return nil, errWorkbook
	}
	defer f.Close()
	for i, name := range f.GetSheetList() {
		if i == maxSheets {
			break
		}
		if visible, err := f.GetSheetVisible(name); err != nil || !visible {
			continue
		}
		t, err := readSheet(f, name)
		if err != nil {
			return nil, errWorkbook
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// readSheet reads each row twice, as it is stored and as it is shown: where they differ, the program made a number, a
// date or the like of what was typed.
func readSheet(f *excelize.File, name string) (table, error) {
	t := table{name: name}
	stored, err := f.Rows(name)
	if err != nil {
		return t, fmt.Errorf("reading sheet %q: %w", name, err)
	}
	defer stored.Close()
	seen, err := f.Rows(name)
	if err != nil {
		return t, fmt.Errorf("reading sheet %q: %w", name, err)
	}
	defer seen.Close()
	cells := 0
	for number := 1; number <= maxSheetRow && stored.Next() && seen.Next(); number++ {
		raw, err := stored.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return t, fmt.Errorf("reading row %d: %w", number, err)
		}
		display, err := seen.Columns()
		if err != nil {
			return t, fmt.Errorf("reading row %d: %w", number, err)
		}
		if cells += len(raw); cells > maxSeen {
			return t, errWorkbook
		}
		r := row{number: number}
		for i := range min(len(raw), maxColumns) {
			look := raw[i]
			if i < len(display) {
				look = display[i]
			}
			r.cells = append(r.cells, xlsxCell(raw[i], look))
		}
		t.add(r)
	}
	return t, nil
}

// xlsxCell decides what was meant: raw is what is stored, look what is shown. They are the same for text.
func xlsxCell(raw, look string) cell {
	if len(raw) > maxCell {
		return cell{cut(raw), tooLong}
	}
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil || raw == "" || strings.Trim(raw, "0123456789.eE+-") != "" {
		return cell{text: raw}
	}
	if raw != look {
		switch {
		case strings.Trim(look, "0123456789") == "" && look != "": // a format that shows leading zeros
			return cell{text: look}
		case strings.ContainsAny(look, "/:") || strings.ContainsAny(strings.ToLower(look), "abcdfghijklmnopqrstuvwxyz") || strings.Count(look, "-") > 1:
			return cell{look, asDate}
		}
	}
	const exact = 1 << 53
	if strings.ContainsAny(raw, ".eE") && n == math.Trunc(n) && math.Abs(n) < exact {
		return cell{text: strconv.FormatInt(int64(n), 10)}
	}
	return cell{text: raw}
}
