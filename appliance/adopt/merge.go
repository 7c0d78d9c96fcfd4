package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"phonebox/appliance/site"
)

// add puts a phone of a file into the site, or merges it with the one that is there, and writes the verdict.
func (a *adoption) add(p site.Phone, f *file, decided []string) {
	v := &f.verdict
	a.phones[p.MAC] = f
	also := ""
	if len(decided) > 0 {
		also = "; phonebox decides " + words(decided)
	}
	i := slices.IndexFunc(a.site.Phones, func(q site.Phone) bool { return q.MAC == p.MAC })
	if i < 0 {
		a.site.Phones = append(a.site.Phones, p)
		a.plan.Added = append(a.plan.Added, p.MAC)
		v.set(VerdictPhone, "adds %s%s", describe(p), also)
		return
	}
	changed := mergeFile(&a.site.Phones[i], p, a.opts.KeepPresent)
	if len(changed) == 0 {
		a.plan.Same = append(a.plan.Same, p.MAC)
		v.set(VerdictPhone, "the site lists this phone already, and nothing changes%s", also)
		return
	}
	a.plan.Changed = append(a.plan.Changed, p.MAC)
	v.set(VerdictPhone, "the site lists this phone already; it changes %s%s", words(changed), also)
}

// describe says in a few words what a phone has.
func describe(p site.Phone) string {
	var lines []string
	for _, l := range p.Lines {
		lines = append(lines, l.Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the phone %s", p.MAC)
	if p.Label != "" {
		fmt.Fprintf(&b, " (%s)", p.Label)
	}
	switch len(lines) {
	case 0:
		b.WriteString(" without lines")
	case 1:
		b.WriteString(" with the line " + lines[0])
	default:
		fmt.Fprintf(&b, " with the %d lines %s", len(lines), words(lines))
	}
	if n := len(p.Parameters) + len(p.Forced); n == 1 {
		b.WriteString(" and 1 parameter")
	} else if n > 1 {
		fmt.Fprintf(&b, " and %d parameters", n)
	}
	return b.String()
}

// mergeFile changes a phone of the site to what a file says of it, which is all of its lines, and returns what changed.
// With keep only what the site leaves open is taken.
func mergeFile(now *site.Phone, p site.Phone, keep bool) (changed []string) {
	m := merger{keep: keep}
	m.text("label", &now.Label, p.Label)
	m.text("model", &now.Model, p.Model)
	m.text("load", &now.Load, p.Load)
	m.params(&now.Parameters, p.Parameters)
	m.params(&now.Forced, p.Forced)
	if len(p.Lines) == 0 || keep && len(now.Lines) > 0 {
		return m.changed
	}
	old := now.Lines
	now.Lines = slices.Clone(p.Lines)
	for i := range now.Lines {
		l := &now.Lines[i]
		j := slices.IndexFunc(old, func(o site.Line) bool { return o.Name == l.Name })
		if j < 0 {
			m.changed = append(m.changed, fmt.Sprintf("line %d (%s)", i+1, l.Name))
			continue
		}
		if l.Password == "" { // UNPROVISIONED is no password to put in the place of one
			l.Password = old[j].Password
			if l.AuthName == "" {
				l.AuthName = old[j].AuthName
			}
		}
		if *l != old[j] || i != j {
			m.changed = append(m.changed, fmt.Sprintf("line %d (%s)", i+1, l.Name))
		}
	}
	if len(old) > len(now.Lines) {
		m.changed = append(m.changed, fmt.Sprintf("the number of lines (%d, were %d)", len(now.Lines), len(old)))
	}
	return m.changed
}

// merger changes values one by one and notes which.
type merger struct {
	keep    bool
	changed []string
}

// text changes a text unless the new one is empty.
func (m *merger) text(what string, now *string, value string) {
	if value == "" || *now == value || m.keep && *now != "" {
		return
	}
	*now = value
	m.changed = append(m.changed, what)
}

// params changes parameters; those that are not mentioned stay.
func (m *merger) params(now *map[string]string, values map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, _, own := lookUp(*now, name); own && (m.keep || values[name] == site.Mask) {
			continue
		}
		if put(now, name, values[name]) {
			m.changed = append(m.changed, name)
		}
	}
}

// mergeList changes a phone of the site by what a list says of it and returns what changed. Empty cells say nothing. A
// line of the list changes the line with its number, else the one at its place.
func mergeList(now *site.Phone, l listed, keep bool) []string {
	m := merger{keep: keep}
	m.text("label", &now.Label, l.Label)
	m.text("model", &now.Model, l.Model)
	m.text("load", &now.Load, l.Load)
	m.text("runs", &now.Runs, l.Runs)
	m.text("zone", &now.Zone, l.Zone)
	if l.Address.IsValid() && now.Address != l.Address && !(keep && now.Address.IsValid()) {
		now.Address = l.Address
		m.changed = append(m.changed, "address")
	}
	if l.open && !now.OpenConfig && !keep {
		now.OpenConfig = true
		m.changed = append(m.changed, "open_config")
	}
	if l.own && !now.OwnFiles && !keep {
		now.OwnFiles = true
		m.changed = append(m.changed, "own_files")
	}
	m.params(&now.Parameters, l.Parameters)
	m.params(&now.Forced, l.Forced)
	for i, line := range l.Lines {
		m.line(now, i, line)
	}
	return m.changed
}

// line changes one line of a phone.
func (m *merger) line(now *site.Phone, i int, line site.Line) {
	what := fmt.Sprintf("line %d (%s)", i+1, line.Name)
	j := slices.IndexFunc(now.Lines, func(l site.Line) bool { return l.Name == line.Name })
	switch {
	case j < 0 && i >= len(now.Lines):
		now.Lines = append(now.Lines, line)
		m.changed = append(m.changed, what)
		return
	case j < 0 && m.keep:
		return
	case j < 0: // another account at this place
		if line.Proxy == "" {
			line.Proxy, line.Port = now.Lines[i].Proxy, now.Lines[i].Port
		}
		now.Lines[i] = line
		m.changed = append(m.changed, what)
		return
	}
	inner := merger{keep: m.keep}
	old := &now.Lines[j]
	inner.text("", &old.AuthName, line.AuthName)
	if line.Password != site.Mask || old.Password == "" {
		inner.text("", &old.Password, line.Password)
	}
	inner.text("", &old.DisplayName, line.DisplayName)
	inner.text("", &old.ShortName, line.ShortName)
	inner.text("", &old.Proxy, line.Proxy)
	if line.Port != 0 && line.Port != old.Port && !(m.keep && old.Port != 0) {
		old.Port = line.Port
		inner.changed = append(inner.changed, "")
	}
	if len(inner.changed) > 0 {
		m.changed = append(m.changed, what)
	}
}

// owner returns the verdict that tells about a key of the site; nil where no file does.
func (a *adoption) owner(s *site.Site, key string) *Verdict {
	var f *file
	switch i, rest := index(key); {
	case strings.HasPrefix(key, "phones[") && i < len(s.Phones):
		f = a.phones[s.Phones[i].MAC]
	case strings.HasPrefix(key, "contacts[") && i < len(s.Contacts):
		f = a.people[s.Contacts[i]]
	case strings.HasPrefix(key, "dial_plan"):
		f = a.plans
	case rest != "" || key != "":
		f = a.byName["sipdefault.cnf"]
	}
	if f == nil {
		return nil
	}
	return &f.verdict
}
