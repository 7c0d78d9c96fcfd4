package adopt

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// ReadList reads a list of phones, a .csv or .xlsx of up to [MaxList] bytes, and says what would become of each row. The
// first visible sheet with the most MACs counts. A row without a MAC may be a line that waits for a phone ([Options]); a list of
// such rows alone needs no column of MACs. An empty cell says nothing: what the site has stays. [site.Mask] in the
// place of a password stands for the present one.
//
// The error says that the file is no such list; its text is meant for people.
func ReadList(name string, content []byte, opts Options) (*Plan, error) {
	tables, err := readTables(name, content)
	if err != nil {
		return nil, err
	}
	r := &listReader{
		plan: &Plan{Site: opts.present().Clone()}, opts: opts, phones: map[phone.MAC]*listed{}, first: map[string]int{}, waits: map[string]int{},
	}
	if err := r.choose(tables); err != nil {
		return nil, err
	}
	for _, row := range r.table.rows[r.layout.header+1:] {
		r.row(row)
	}
	r.beyond(r.table)
	for _, mac := range r.order {
		r.take(r.phones[mac])
		r.merge(r.phones[mac])
	}
	r.mergeWaiting()
	r.unmask()
	if err := settle(r.plan.Site, opts.present(), r.owner); err != nil {
		return nil, err
	}
	r.countWaiting()
	return r.plan, nil
}

// listReader is one call of ReadList.
type listReader struct {
	plan   *Plan
	opts   Options
	table  table
	layout layout
	phones map[phone.MAC]*listed
	order  []phone.MAC
	first  map[string]int // MAC and line: the row where they stood first

	waiting []site.WaitingLine // of the rows without a MAC
	waits   map[string]int     // their verdicts, by the line
	said    []string           // those of which it was said that they wait from now on, or change
}

// listed is a phone of the list.
type listed struct {
	site.Phone
	verdict  int // index of the verdict of its first row
	open     bool
	own      bool
	verdicts []int // of all its rows
}

var errNoMAC = errors.New("found no column with the MACs of phones, wanted a row of headers such as MAC, Label, Extension, Password, and a MAC such as 00:06:D7:AA:2A:2E in each row below")

// choose takes the sheet with the most MACs; the others get a verdict.
func (r *listReader) choose(tables []table) error {
	best, most := -1, -1
	for i, t := range tables {
		l := guessLayout(t, headerColumn)
		if r.opts.Lines && l.header < 0 {
			l.lineHeader(t)
		}
		l.fillPhones(t)
		if r.opts.Lines && l.header < 0 {
			l.claimPassword(t)
		}
		c, macs := l.find(fieldMAC, 0), 0
		if c < 0 && !r.linesAlone(l) {
			continue
		}
		for _, row := range t.rows[l.header+1:] {
			if _, fault := parseMACCell(row.text(c)); fault == "" {
				macs++
			}
		}
		if macs > most {
			best, most, r.table, r.layout = i, macs, t, l
		}
	}
	if best < 0 {
		return errNoMAC
	}
	for i, t := range tables {
		if i != best && len(t.rows) > 0 {
			r.add(Verdict{Where: "sheet " + shown(t.name), Verdict: VerdictIgnored, Text: "phones are read from the sheet " + shown(r.table.name) + " only"})
			r.plan.LeftOut++
		}
	}
	v := Verdict{Where: "columns", Verdict: VerdictIgnored}
	for _, row := range r.table.rows[:r.layout.header+1] {
		v.Where = fmt.Sprintf("row %d", row.number)
	}
	text, unused := r.layout.sentence()
	v.Text = text
	if len(unused) > 0 {
		v.warn("not used, because it is not known what they hold: column %s", words(unused))
	}
	r.layout.joinLocation(&v)
	r.add(v)
	return nil
}

// joinLocation uses the location as the label where there is none; a site has no place for it besides.
func (l *layout) joinLocation(v *Verdict) {
	i := l.find(fieldLocation, 0)
	switch {
	case i < 0:
	case l.find(fieldLabel, 1) < 0 && l.find(fieldFirst, 0) < 0 && l.find(fieldLast, 0) < 0:
		l.columns[i].field = fieldLabel
	default:
		v.warn("column %s, the location, is not kept: a phone has a label and no location", columnName(i))
	}
}

func (r *listReader) add(v Verdict) int {
	r.plan.Verdicts = append(r.plan.Verdicts, v)
	return len(r.plan.Verdicts) - 1
}

// beyond says what was not read.
func (r *listReader) beyond(t table) {
	if t.more > 0 {
		r.add(Verdict{
			Where: fmt.Sprintf("the last %d rows", t.more), Verdict: VerdictRefused,
			Text: fmt.Sprintf("a list may have up to %d rows; hand the others in by themselves", maxRows),
		})
		r.plan.LeftOut += t.more
	}
}

// refuse gives a row up.
func (r *listReader) refuse(at int, format string, args ...any) {
	r.plan.Verdicts[at].set(VerdictRefused, format, args...)
	r.plan.LeftOut++
}

// row reads one row.
func (r *listReader) row(in row) {
	at := r.add(Verdict{Where: fmt.Sprintf("row %d", in.number)})
	c := cells{row: in, layout: r.layout, v: &r.plan.Verdicts[at]}
	mac, fault := parseMACCell(in.text(r.layout.find(fieldMAC, 0)))
	switch {
	case fault == "":
	case r.repeatsHeaders(in):
		c.v.set(VerdictIgnored, "the headers once more")
		return
	case fault == noMAC && r.wait(c, at, in.number):
		return
	default:
		r.refuse(at, "%s", fault)
		return
	}
	p, fault := c.phone()
	if fault != "" {
		r.refuse(at, "%s: %s", mac, fault)
		return
	}
	p.MAC = mac
	l := r.phones[mac]
	if l == nil {
		l = &listed{Phone: p, verdict: at, open: p.OpenConfig, own: p.OwnFiles}
		l.Lines = nil
		if i := slices.IndexFunc(r.plan.Site.Phones, func(q site.Phone) bool { return q.MAC == mac }); i >= 0 && l.Model == "" {
			l.Model = r.plan.Site.Phones[i].Model
		}
		r.phones[mac] = l
		r.order = append(r.order, mac)
	}
	l.verdicts = append(l.verdicts, at)
	r.lines(l, p.Lines, at, in.number)
}

// repeatsHeaders recognises the headers on a later page.
func (r *listReader) repeatsHeaders(in row) bool {
	if r.layout.header < 0 {
		return false
	}
	for i, name := range r.layout.names {
		if strings.TrimSpace(in.text(i)) != name {
			return false
		}
	}
	return true
}

// lines adds the lines of a row to a phone.
func (r *listReader) lines(l *listed, lines []site.Line, at, number int) {
	v := &r.plan.Verdicts[at]
	most, model := phone.LinesOf(l.Model), l.Model
	if model == "" {
		model = "7960"
	}
	added := 0
	var twice, over []string
	for _, line := range lines {
		key := l.MAC.Name() + " " + line.Name
		if before, ok := r.first[key]; ok {
			twice = append(twice, fmt.Sprintf("line %s of this phone stands in row %d already", line.Name, before))
			continue
		}
		if len(l.Lines) == most {
			over = append(over, fmt.Sprintf("a %s has %d lines, so %s has no place", model, most, line.Name))
			continue
		}
		r.first[key] = number
		l.Lines = append(l.Lines, line)
		added++
	}
	left := append(twice, over...)
	further := at != l.verdict
	switch {
	case len(lines) > 0 && added == 0 && further:
		r.refuse(at, "%s: %s", l.MAC, strings.Join(left, "; "))
	case len(lines) == 0 && further:
		v.set(VerdictIgnored, "%s stands above already, and this row has no further line", l.MAC)
		r.plan.LeftOut++
	case further:
		v.set(VerdictPhone, "a further line of %s: %s", l.MAC, line(lines))
	}
	if v.Verdict != VerdictRefused {
		for _, text := range left {
			v.warn("%s; it was left out", text)
		}
	}
}

// line names lines.
func line(lines []site.Line) string {
	var names []string
	for _, l := range lines {
		names = append(names, l.Name)
	}
	return words(names)
}

// merge puts a phone into the site, or changes the one that is there, and writes the verdict of its first row.
func (r *listReader) merge(l *listed) {
	v := &r.plan.Verdicts[l.verdict]
	i := slices.IndexFunc(r.plan.Site.Phones, func(q site.Phone) bool { return q.MAC == l.MAC })
	if i < 0 {
		if l.Model == "" && len(l.Lines) > phone.LinesOf("7940") {
			l.Model = "7960"
		}
		r.plan.Site.Phones = append(r.plan.Site.Phones, l.Phone)
		r.plan.Added = append(r.plan.Added, l.MAC)
		v.set(VerdictPhone, "adds %s", describe(l.Phone))
		return
	}
	changed := mergeList(&r.plan.Site.Phones[i], *l, r.opts.KeepPresent)
	if len(changed) == 0 {
		r.plan.Same = append(r.plan.Same, l.MAC)
		v.set(VerdictPhone, "the site lists %s already, and nothing changes", l.MAC)
		return
	}
	r.plan.Changed = append(r.plan.Changed, l.MAC)
	v.set(VerdictPhone, "the site lists %s already; it changes %s", l.MAC, words(changed))
}

// unmask puts the present passwords in the place of masks; a mask that stands for none becomes no password.
func (r *listReader) unmask() {
	s := r.plan.Site
	for _, f := range site.Unmask(s, r.opts.present()) {
		if v := r.owner(s, f.Key); v != nil {
			v.warn("%s is masked, and the site has none that it could stand for; it was left out", spoken(f.Key))
		}
		d := dropper{site: s, present: r.opts.present(), gone: map[string]bool{}}
		d.drop(f.Key)
	}
}

// owner returns the verdict of the first row of a phone.
func (r *listReader) owner(s *site.Site, key string) *Verdict {
	i, _ := index(key)
	if strings.HasPrefix(key, "lines[") && i < len(s.Lines) {
		if at, ok := r.waits[s.Lines[i].Name]; ok {
			return &r.plan.Verdicts[at]
		}
		return nil
	}
	if !strings.HasPrefix(key, "phones[") || i >= len(s.Phones) {
		return nil
	}
	l := r.phones[s.Phones[i].MAC]
	if l == nil {
		return nil
	}
	return &r.plan.Verdicts[l.verdict]
}
