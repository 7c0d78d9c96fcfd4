package adopt

import (
	"slices"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// linesAlone reports whether a table without MACs lists lines: it has extensions, and passwords, which lists of people
// have not.
func (r *listReader) linesAlone(l layout) bool {
	return l.find(fieldNumber, 0) >= 0 && (r.opts.Lines || l.find(fieldPassword, 0) >= 0)
}

// lineHeader takes a first row for headers that knows only the extension, as above a column of nothing but numbers.
func (l *layout) lineHeader(t table) {
	if len(t.rows) == 0 {
		return
	}
	columns, _, _ := headerRow(t.rows[0], headerColumn)
	if !slices.ContainsFunc(columns, func(c column) bool { return c.field == fieldNumber }) {
		return
	}
	l.header = 0
	copy(l.columns, columns)
	for _, c := range t.rows[0].cells {
		l.names = append(l.names, strings.TrimSpace(c.text))
	}
}

// claimPassword takes the one column behind the extension that nothing else is known of for the passwords, where none has a
// blank in it.
func (l *layout) claimPassword(t table) {
	number, at := l.find(fieldNumber, 0), -1
	for i, c := range l.columns {
		if number < 0 || i < number || c.field != fieldNone || len(l.sample(t, i)) == 0 {
			continue
		}
		if at >= 0 || !share(l.sample(t, i), true, func(s string) bool { return !strings.Contains(s, " ") }) {
			return
		}
		at = i
	}
	if at >= 0 {
		l.columns[at] = column{field: fieldPassword, line: 1}
	}
}

// wait takes a row without a MAC for a line that waits for its phone; false when it is none.
func (r *listReader) wait(c cells, at, number int) bool {
	p, fault := c.phone()
	if fault != "" || len(p.Lines) == 0 || !r.opts.Lines && p.Lines[0].Password == "" {
		c.v.Warnings = nil
		return false
	}
	w := site.WaitingLine{Label: p.Label, Line: p.Lines[0]}
	if _, twice := r.waits[w.Name]; twice {
		r.refuse(at, "the line %s stands in %s already", w.Name, r.plan.Verdicts[r.waits[w.Name]].Where)
		return true
	}
	if more := p.Lines[1:]; len(more) > 0 {
		c.v.warn("a phone gets one line of those that wait, so %s was left out; add it to the phone later", line(more))
	}
	r.waits[w.Name] = at
	r.waiting = append(r.waiting, w)
	return true
}

// take gives the lines of a phone what is known of them since they waited, and takes them off that list.
func (r *listReader) take(l *listed) {
	s := r.plan.Site
	for i := range l.Lines {
		at := slices.IndexFunc(s.Lines, func(w site.WaitingLine) bool { return w.Name == l.Lines[i].Name })
		if at < 0 {
			continue
		}
		w := s.Lines[at]
		fill(&l.Lines[i], w.Line)
		if l.Label == "" && i == 0 {
			l.Label = w.Label
		}
		s.Lines = slices.Delete(s.Lines, at, at+1)
	}
}

// fill takes over what a line does not say itself.
func fill(l *site.Line, w site.Line) {
	for _, f := range []struct{ now, more *string }{
		{&l.AuthName, &w.AuthName}, {&l.DisplayName, &w.DisplayName}, {&l.ShortName, &w.ShortName},
	} {
		if *f.now == "" {
			*f.now = *f.more
		}
	}
	if l.Password == "" || l.Password == site.Mask {
		l.Password = w.Password
	}
	if l.Proxy == "" {
		l.Proxy, l.Port = w.Proxy, w.Port
	}
}

// mergeWaiting puts the lines of rows without a MAC on the list of those that wait, unless a phone has them.
func (r *listReader) mergeWaiting() {
	s := r.plan.Site
	for _, w := range r.waiting {
		v := &r.plan.Verdicts[r.waits[w.Name]]
		if mac, has := phoneOf(s, w.Name); has {
			v.set(VerdictIgnored, "the phone %s has the line %s already", mac, w.Name)
			r.plan.LeftOut++
			continue
		}
		i := slices.IndexFunc(s.Lines, func(now site.WaitingLine) bool { return now.Name == w.Name })
		if i < 0 {
			s.Lines = append(s.Lines, w)
			r.said = append(r.said, w.Name)
			v.set(VerdictLine, "the line %s waits for a phone%s", w.Name, named(w.Label))
			continue
		}
		if changed := mergeLine(&s.Lines[i], w, r.opts.KeepPresent); len(changed) > 0 {
			r.said = append(r.said, w.Name)
			v.set(VerdictLine, "the line %s waits for a phone already; it changes %s", w.Name, words(changed))
		} else {
			v.set(VerdictLine, "the line %s waits for a phone already, and nothing changes", w.Name)
		}
	}
}

// countWaiting counts the lines that wait from now on; some may have been left out, because they cannot be part of a site.
func (r *listReader) countWaiting() {
	for _, name := range r.said {
		if slices.ContainsFunc(r.plan.Site.Lines, func(w site.WaitingLine) bool { return w.Name == name }) {
			r.plan.Waiting++
			continue
		}
		r.plan.Verdicts[r.waits[name]].set(VerdictRefused, "the line %s cannot be taken", shown(name))
		r.plan.LeftOut++
	}
}

// named is the label of a line in brackets.
func named(label string) string {
	if label == "" {
		return ""
	}
	return " (" + label + ")"
}

// mergeLine changes a line that waits by what a row says of it.
func mergeLine(now *site.WaitingLine, w site.WaitingLine, keep bool) []string {
	m := merger{keep: keep}
	m.text("label", &now.Label, w.Label)
	m.text("auth name", &now.AuthName, w.AuthName)
	if w.Password != site.Mask || now.Password == "" {
		m.text("password", &now.Password, w.Password)
	}
	m.text("display name", &now.DisplayName, w.DisplayName)
	m.text("short name", &now.ShortName, w.ShortName)
	m.text("proxy", &now.Proxy, w.Proxy)
	if w.Port != 0 && now.Port != w.Port && (!keep || now.Port == 0) {
		now.Port = w.Port
		m.changed = append(m.changed, "port")
	}
	return m.changed
}

// phoneOf finds the phone that has a line.
func phoneOf(s *site.Site, name string) (mac phone.MAC, has bool) {
	for _, p := range s.Phones {
		if slices.ContainsFunc(p.Lines, func(l site.Line) bool { return l.Name == name }) {
			return p.MAC, true
		}
	}
	return phone.MAC{}, false
}

// unwait takes the lines that a plan gives to phones off the list of those that wait.
func unwait(s, present *site.Site) {
	s.Lines = slices.DeleteFunc(s.Lines, func(w site.WaitingLine) bool {
		_, has := phoneOf(s, w.Name)
		_, had := phoneOf(present, w.Name)
		return has && !had
	})
	if len(s.Lines) == 0 {
		s.Lines = nil
	}
}

// waiting leaves out a part of a line that waits; without a name, or with too many of them, the line.
func (d *dropper) waiting(i int, part string) bool {
	l := &d.site.Lines[i]
	texts := map[string]*string{
		"label": &l.Label, "authname": &l.AuthName, "password": &l.Password, "displayname": &l.DisplayName, "shortname": &l.ShortName, "proxy": &l.Proxy,
	}
	if text, ok := texts[part]; ok {
		return restore(text, "")
	}
	if part == "port" {
		return restore(&l.Port, 0)
	}
	return d.entry("lines"+strings.TrimSpace(l.Name), func() bool { return cutOut(&d.site.Lines, i, part) })
}
