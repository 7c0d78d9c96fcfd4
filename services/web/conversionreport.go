package web

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// conversionReport is the hand-over: what was done to each phone. Nothing secret is in it.
type conversionReport struct {
	Office   string      `json:"office"`
	Time     time.Time   `json:"time"`
	Target   string      `json:"target"`
	Sentence string      `json:"sentence"`
	Phones   []reportRow `json:"phones"`
}

// reportRow is one phone of the report.
type reportRow struct {
	Label    string            `json:"label"`
	MAC      phone.MAC         `json:"mac"`
	Model    string            `json:"model"`
	Lines    []string          `json:"lines"`
	From     string            `json:"from"` // what it ran when it set out; "" = it was there already, or is not known
	To       string            `json:"to"`   // what it runs now, in words
	Target   string            `json:"target"`
	Steps    []ConversionTaken `json:"steps"`
	Started  time.Time         `json:"started,omitzero"`
	Finished time.Time         `json:"finished,omitzero"` // when it arrived; zero = it did not
	Phase    string            `json:"result"`
	Lacks    bool              `json:"-"` // files that are not on the shelf
	Text     string            `json:"text"`
	Address  string            `json:"address"`
	Checks   []string          `json:"checks"` // that it passed, in words
	Port     PhonePort         `json:"port,omitzero"`
}

// reportView is the report as a page.
type reportView struct {
	conversionReport
	When  string
	Lines []reportLine
	Ports []switchView
}

// reportLine is a row of the page. It holds nothing but texts, so that what was made of it can be kept.
type reportLine struct {
	Name, MAC, Model, Numbers string
	Labelled                  bool   // Name is not the MAC
	From, To, Way             string // From is "" where it runs what it ran when it set out
	Began, Ended              string // Ended is the hour alone on the day when it began
	Word, Mood, Why           string // Why is "" where it arrived
	Address, Checks, Port     string
}

// switchView is a switch with the phones on it.
type switchView struct {
	Name  string
	Lines []reportLine
}

func (s *Server) conversionReport() conversionReport {
	now := s.deps.Now()
	fields, _ := s.deps.Box.Settings().Fields()
	v := conversionReport{Time: now}
	for _, f := range fields {
		switch f.Key {
		case "name":
			v.Office = f.Value
		case targetKey:
			v.Target = f.Value
		}
	}
	phones := map[phone.MAC]Phone{}
	for _, p := range s.deps.Box.Phones() {
		phones[p.MAC] = p
	}
	counts := map[string]int{}
	list := s.deps.Shop.Conversions()
	v.Phones = make([]reportRow, 0, len(list))
	for _, c := range list {
		counts[c.Phase]++
		v.Phones = append(v.Phones, s.reportRow(c, phones[c.MAC]))
	}
	v.Sentence = conversionSentence(len(list), counts)
	slices.SortStableFunc(v.Phones, func(a, b reportRow) int {
		return cmp.Or(naturally(strings.ToLower(a.name()), strings.ToLower(b.name())), bytes.Compare(a.MAC[:], b.MAC[:]))
	})
	return v
}

func (row *reportRow) name() string { return cmp.Or(row.Label, row.MAC.String()) }

// result is the phase in words.
func (row *reportRow) result() (word, mood string) {
	word, mood = phaseWords(row.Phase)
	if row.Lacks {
		word = "files missing"
	}
	return word, mood
}

func (s *Server) reportRow(c Conversion, p Phone) reportRow {
	row := reportRow{
		Label: c.Label, MAC: c.MAC, Model: p.Model, From: c.Start, To: c.Runs, Target: c.Target, Steps: orEmpty(c.Taken), Started: c.Set,
		Phase: c.Phase, Lacks: c.lacks(), Text: c.Text, Address: p.Address,
	}
	more := Handover{}
	if s.deps.Converter != nil {
		more = s.deps.Converter.Handover(c.MAC)
	}
	row.Lines, row.Port = orEmpty(more.Lines), more.Port
	if c.Phase == "arrived" && !c.Set.IsZero() {
		row.Finished = c.Changed
	}
	row.Checks = passed(c, p, more)
	return row
}

// newReportView is the report in words.
func newReportView(report conversionReport) reportView {
	now := report.Time
	v := reportView{conversionReport: report, When: dateWords(now, now), Lines: make([]reportLine, len(report.Phones))}
	for i := range report.Phones {
		v.Lines[i] = report.Phones[i].line(now)
	}
	v.Ports = switches(report.Phones, v.Lines)
	return v
}

func (row *reportRow) line(now time.Time) reportLine {
	l := reportLine{
		Name: row.name(), MAC: row.MAC.String(), Labelled: row.Label != "", Model: row.Model, Numbers: strings.Join(row.Lines, ", "), To: row.To,
		Began: dateWords(row.Started, now), Ended: dateWords(row.Finished, now), Address: row.Address, Port: row.Port.Port,
		Checks: cmp.Or(strings.Join(row.Checks, ", "), "none"),
	}
	if day := strings.LastIndexByte(l.Ended, ' '); day > 0 && strings.HasPrefix(l.Began, l.Ended[:day+1]) {
		l.Ended = l.Ended[day+1:]
	}
	l.Word, l.Mood = row.result()
	if row.Phase != "arrived" {
		l.Why = row.Text
	}
	if row.From != row.To {
		l.From = row.From
	}
	var way []string
	for _, t := range row.Steps {
		if t.To != row.To { // which stands beside it
			way = append(way, t.To)
		}
	}
	l.Way = strings.Join(way, ", ")
	return l
}

// passed are the checks that a phone passed by itself: each is something that the box saw.
func passed(c Conversion, p Phone, more Handover) []string {
	checks := []string{}
	if c.Target != "" && c.Phase == "arrived" {
		checks = append(checks, "runs the load that it should")
	}
	if p.Step == phone.Configured || p.Step == phone.Ready {
		checks = append(checks, "has its configuration")
	}
	if p.Step == phone.Ready {
		checks = append(checks, "its application is up")
	}
	if more.Time {
		checks = append(checks, "was told the time")
	}
	return checks
}

// switches arranges the phones by where they are plugged in; those of which nobody told it are in none.
func switches(rows []reportRow, lines []reportLine) []switchView {
	var out []switchView
	for i := range rows {
		port := rows[i].Port
		if port.Port == "" && port.Switch == "" {
			continue
		}
		at := slices.IndexFunc(out, func(s switchView) bool { return s.Name == port.Switch })
		if at < 0 {
			at = len(out)
			out = append(out, switchView{Name: port.Switch})
		}
		out[at].Lines = append(out[at].Lines, lines[i])
	}
	slices.SortFunc(out, func(a, b switchView) int { return strings.Compare(a.Name, b.Name) })
	for _, one := range out {
		slices.SortStableFunc(one.Lines, func(a, b reportLine) int { return naturally(a.Port, b.Port) })
	}
	return out
}

// naturally compares texts with the numbers in them as numbers, so that Gi1/0/10 comes after Gi1/0/9.
func naturally(a, b string) int {
	number := func(s string) (digits, rest string) {
		n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(s)
		}
		return strings.TrimLeft(s[:n], "0"), s[n:]
	}
	for a != "" && b != "" {
		x, restA := number(a)
		y, restB := number(b)
		if len(restA) < len(a) && len(restB) < len(b) {
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// dateWords write a moment for paper, in the box's zone.
func dateWords(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(now.Location()).Format("2 Jan 2006 15:04")
}

func (s *Server) reportPage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "conversionreport", "Hand-over report", "/conversions/report", newReportView(s.conversionReport()))
}

// reportColumns are the heads of the CSV.
var reportColumns = []string{
	"label", "mac", "model", "lines", "from", "runs", "target", "result", "steps", "started", "finished", "address", "checks", "switch", "port", "text",
}

// csv writes the report as a table.
func (v conversionReport) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	_ = w.Write(reportColumns) // what goes wrong is known at the end
	for i := range v.Phones {
		row := &v.Phones[i]
		word, _ := row.result()
		var steps []string
		for _, t := range row.Steps {
			steps = append(steps, t.From+" > "+t.To)
		}
		fields := []string{
			row.Label, row.MAC.String(), row.Model, strings.Join(row.Lines, " "), row.From, row.To, row.Target, word, strings.Join(steps, "; "),
			stamp(row.Started), stamp(row.Finished), row.Address, strings.Join(row.Checks, "; "), row.Port.Switch, row.Port.Port, row.Text,
		}
		for i := range fields {
			fields[i] = cell(fields[i])
		}
		_ = w.Write(fields)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("writing the report as CSV: %w", err)
	}
	return b.Bytes(), nil
}

// reportCSV gives the report as a table for a spreadsheet.
func (s *Server) reportCSV(w http.ResponseWriter, _ *http.Request) error {
	v := s.conversionReport()
	content, err := v.csv()
	if err != nil {
		return err
	}
	attach(w, "conversion-"+v.Time.Format("2006-01-02")+".csv", "text/csv; charset=utf-8")
	_, _ = w.Write(content)
	return nil
}

// apiReport gives the report to programs: ?format=csv as a table.
func (s *Server) apiReport(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("format") == "csv" {
		return s.reportCSV(w, r)
	}
	writeJSON(w, http.StatusOK, s.conversionReport())
	return nil
}
