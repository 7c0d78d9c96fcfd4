package adopt

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"phonebox/appliance/site"
)

// The formats of [Export].
const (
	FormatCSV  = "csv"
	FormatXLSX = "xlsx"
)

// Export writes the site's phones as a list that [ReadList] reads back to the same phones: a row per phone, headers in
// English, as FormatCSV (UTF-8 with a byte order mark, commas, RFC 4180) or FormatXLSX (all cells are text, so that no
// zero is lost). Lines that wait for a phone are rows without a MAC, into which somebody can write one. Without secrets every password is [site.Mask], which an import takes for the present password.
func Export(s *site.Site, format string, secrets bool) ([]byte, error) {
	if !secrets {
		s = s.Masked()
	}
	rows := exportRows(s)
	switch format {
	case FormatCSV:
		return exportCSV(rows)
	case FormatXLSX:
		return exportXLSX(rows)
	}
	return nil, fmt.Errorf("found the format %q, allowed are %s and %s", format, FormatCSV, FormatXLSX)
}

// exportColumn is a column of the list.
type exportColumn struct {
	header string
	value  func(p *site.Phone) string
	always bool // else only where some phone has a value
}

// exportColumns are the columns of phones with up to so many lines.
func exportColumns(lines int) []exportColumn {
	columns := []exportColumn{
		{"MAC", func(p *site.Phone) string {
			if p.MAC.IsZero() { // of a line that waits
				return ""
			}
			return p.MAC.String()
		}, true},
		{"Model", func(p *site.Phone) string { return p.Model }, true},
		{"Label", func(p *site.Phone) string { return p.Label }, true},
		{"Address", func(p *site.Phone) string {
			if !p.Address.IsValid() {
				return ""
			}
			return p.Address.String()
		}, true},
	}
	for n := range max(lines, 1) {
		columns = append(columns, lineColumns(n)...)
	}
	return append(
		columns,
		exportColumn{"Load", func(p *site.Phone) string { return p.Load }, false},
		exportColumn{"Runs", func(p *site.Phone) string { return p.Runs }, false},
		exportColumn{"Time zone", func(p *site.Phone) string { return p.Zone }, false},
		exportColumn{"Open config", func(p *site.Phone) string { return yes(p.OpenConfig) }, false},
		exportColumn{"Own files", func(p *site.Phone) string { return yes(p.OwnFiles) }, false},
		exportColumn{"Parameters", func(p *site.Phone) string { return pairs(p.Parameters) }, false},
		exportColumn{"Forced parameters", func(p *site.Phone) string { return pairs(p.Forced) }, false},
	)
}

// lineColumns are the columns of the line with index n.
func lineColumns(n int) []exportColumn {
	of := func(header string, always bool, value func(l *site.Line) string) exportColumn {
		if n > 0 {
			header += " " + strconv.Itoa(n+1)
		}
		return exportColumn{header, func(p *site.Phone) string {
			if n >= len(p.Lines) {
				return ""
			}
			return value(&p.Lines[n])
		}, always}
	}
	return []exportColumn{
		of("Extension", true, func(l *site.Line) string { return l.Name }),
		of("Auth name", true, func(l *site.Line) string { return l.AuthName }),
		of("Password", true, func(l *site.Line) string { return l.Password }),
		of("Display name", true, func(l *site.Line) string { return l.DisplayName }),
		of("Short name", false, func(l *site.Line) string { return l.ShortName }),
		of("Proxy", false, func(l *site.Line) string { return l.Proxy }),
		of("Port", false, func(l *site.Line) string {
			if l.Port == 0 {
				return ""
			}
			return strconv.Itoa(int(l.Port))
		}),
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// pairs writes parameters as name=value, one a line.
func pairs(params map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		lines = append(lines, name+"="+params[name])
	}
	return strings.Join(lines, "\n")
}

// exportRows writes the headers and a row per phone.
func exportRows(s *site.Site) [][]string {
	lines, phones := 0, slices.Clip(s.Phones)
	for _, w := range s.Lines {
		phones = append(phones, site.Phone{Label: w.Label, Lines: []site.Line{w.Line}})
	}
	for i := range phones {
		lines = max(lines, len(phones[i].Lines))
	}
	columns := slices.DeleteFunc(exportColumns(lines), func(c exportColumn) bool {
		return !c.always && !slices.ContainsFunc(phones, func(p site.Phone) bool { return c.value(&p) != "" })
	})
	rows := make([][]string, 0, len(phones)+1)
	var headers []string
	for _, c := range columns {
		headers = append(headers, c.header)
	}
	rows = append(rows, headers)
	for i := range phones {
		row := make([]string, len(columns))
		for j, c := range columns {
			row[j] = c.value(&phones[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// exportCSV writes rows with what would be a formula protected.
func exportCSV(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff") // without it, Excel takes UTF-8 for Windows-1252
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for _, row := range rows {
		for i := range row {
			row[i] = protect(row[i])
		}
		if err := w.Write(row); err != nil {
			return nil, fmt.Errorf("writing the list: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("writing the list: %w", err)
	}
	return b.Bytes(), nil
}

// textFormat is the number format "@": what is typed into such a cell stays text (ECMA-376 part 1, 18.8.30).
const textFormat = 49

// exportXLSX writes rows as a workbook of one sheet in which every cell is text, empty ones too.
func exportXLSX(rows [][]string) ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	const sheet = "Phones"
	if err := fillSheet(f, sheet, rows); err != nil {
		return nil, fmt.Errorf("writing the list: %w", err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		return nil, fmt.Errorf("writing the list: %w", err)
	}
	return b.Bytes(), nil
}

func fillSheet(f *excelize.File, sheet string, rows [][]string) error {
	if err := f.SetSheetName(f.GetSheetName(0), sheet); err != nil {
		return err
	}
	text, err := f.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err != nil {
		return err
	}
	bold, err := f.NewStyle(&excelize.Style{NumFmt: textFormat, Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	w, err := f.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	if err := w.SetColWidth(1, len(rows[0]), 18); err != nil {
		return err
	}
	if err := w.SetColStyle(1, len(rows[0]), text); err != nil {
		return err
	}
	if err := w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	for i, row := range rows {
		style := text
		if i == 0 {
			style = bold
		}
		out := make([]any, len(row))
		for j, value := range row {
			out[j] = excelize.Cell{StyleID: style, Value: value}
		}
		if err := w.SetRow("A"+strconv.Itoa(i+1), out); err != nil {
			return err
		}
	}
	return w.Flush()
}
