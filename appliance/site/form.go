package site

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// FieldValue is one key of the site with its value, as a form shows it. Its fields are those of the page's own type, so the
// one converts into the other.
type FieldValue struct {
	Key     string // network.address
	Group   string // Network
	Label   string // Address of the box
	Help    string
	Value   string   // lists: one entry a line; maps: name = value, one a line, with secrets masked
	Kind    string   // KindText, ...
	Choices []string // for KindChoice
	Secret  bool

	Words     []string // what each of Choices means; nil = they speak for themselves
	Allowed   string   // what is allowed, for a sentence
	Default   string   // in the notation of Value
	Required  bool     // nothing is no value
	Example   string   // a value that is allowed; of lists and maps one entry
	Unit      string   // in what it is counted, for a sentence; "" = in nothing
	Catalogue bool     // the names of the map are parameters of the phones' catalogue
}

// Fields returns every key of the site but those of phones, contacts and dialling rules, in the order of the file.
func (s *Site) Fields() []FieldValue {
	s = s.Masked()
	standard := Default()
	var out []FieldValue
	for _, g := range siteGroups() {
		for _, k := range g.keys {
			out = append(out, fieldOf(k, s, standard, k.name, g.title))
		}
	}
	return out
}

// fieldOf is a key as a form shows it.
func fieldOf[T any](k key[T], now, standard *T, name, group string) FieldValue {
	return FieldValue{
		Key: name, Group: group, Label: k.label, Help: k.help, Kind: k.kind,
		Value: formText(k.kind, k.get(now)), Choices: k.choices, Secret: k.secret,
		Words: k.words, Allowed: k.allowed, Default: formText(k.kind, k.get(standard)), Required: isRequired(name),
		Example: k.example, Unit: k.unit, Catalogue: k.catalogue,
	}
}

// isRequired reports whether a key, without the number of its entry, has to be set.
func isRequired(name string) bool {
	switch name {
	case "network.address", "dhcp.pool", "dhcp.subnet.name", "dhcp.subnet.network", "dhcp.class.name", "dhcp.class.options":
		return true
	}
	return false
}

// SetFields returns a copy of the site with the values of a form, by key and in the notation of [FieldValue]; keys that are
// left out stay as they are. The value of a table ([Table]) is the number of its entries, whose keys then all count. The site is nil when a fault is not a warning; faults have no line.
func (s *Site) SetFields(values map[string]string, opts Options) (*Site, []Fault) {
	out := s.Clone()
	var faults []Fault
	left := maps.Clone(values)
	faults = append(faults, out.setTables(left)...)
	for _, k := range siteKeys() {
		value, ok := left[k.name]
		if !ok {
			continue
		}
		delete(left, k.name)
		in, bad := formEntries(k.kind, k.name, value)
		faults = append(faults, bad...)
		faults = append(faults, k.store(out, "", in)...)
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		faults = append(faults, Fault{Key: name, Found: "an unknown key", Allowed: "a key of the site"})
	}
	unmask(out, s)
	return out.checked(faults, opts)
}

// formText writes a value as a form shows it.
func formText(kind string, in []entry) string {
	lines := make([]string, len(in))
	for i, e := range in {
		lines[i] = e.text
		if kind == KindMap {
			lines[i] = e.name + " = " + e.text
		}
	}
	return strings.Join(lines, "\n")
}

// formEntries reads what a form sends: blanks around entries and empty lines mean nothing.
func formEntries(kind, key, value string) (in []entry, faults []Fault) {
	if kind != KindList && kind != KindMap {
		return []entry{{text: strings.TrimSpace(value)}}, nil
	}
	seen := map[string]bool{}
	for line := range strings.Lines(value) {
		e := entry{text: strings.TrimSpace(line)}
		if e.text == "" {
			continue
		}
		if kind == KindMap {
			name, text, ok := strings.Cut(e.text, "=")
			e.name, e.text = strings.TrimSpace(name), strings.TrimSpace(text)
			switch {
			case !ok:
				faults = append(faults, Fault{Key: key, Found: "a line without = (" + quote(e.name) + ")", Allowed: "name = value on each line"})
				continue
			case seen[e.name]:
				faults = append(faults, Fault{Key: join(key, e.name), Found: "the name twice", Allowed: "each name once"})
				continue
			}
			seen[e.name] = true
		}
		in = append(in, e)
	}
	return in, faults
}

// checked runs the checks across keys on a site that did not come from a text.
func (s *Site) checked(faults []Fault, opts Options) (*Site, []Fault) {
	d := decoder{faults: faults}
	c := checker{site: s, opts: opts, line: func(string) int { return 0 }, faulty: d.faulty()}
	c.check()
	return conclude(s, append(faults, c.faults...))
}

// Check runs the checks across keys on a site that a program made. Faults have no line.
func (s *Site) Check(opts Options) []Fault {
	_, faults := s.checked(nil, opts)
	return faults
}

// PhoneText is a phone as a form shows it, with texts that need not be valid.
type PhoneText struct {
	MAC, Model, Label, Address string
	OpenConfig, OwnFiles       bool
	Zone                       string
	Lines                      []LineText
	Parameters, Forced         map[string]string
	Load, Runs                 string
}

// LineText is a line of a phone as a form shows it. A [Mask] as password keeps the password.
type LineText struct {
	Name, AuthName, Password, DisplayName, ShortName string
	Proxy, Port                                      string
}

// PhoneText returns the phone with that MAC, secrets masked, and false when the site does not list it.
func (s *Site) PhoneText(mac phone.MAC) (PhoneText, bool) {
	i := s.phoneIndex(mac)
	if i < 0 {
		return PhoneText{}, false
	}
	one := Site{Phones: s.Phones[i : i+1]} // masking all of them, for each of many, would take seconds
	p := one.Masked().Phones[0]
	t := PhoneText{
		MAC: p.MAC.String(), Model: p.Model, Label: p.Label, Address: formatAddr(p.Address),
		OpenConfig: p.OpenConfig, OwnFiles: p.OwnFiles, Zone: p.Zone, Parameters: p.Parameters, Forced: p.Forced, Load: p.Load, Runs: p.Runs,
	}
	for _, l := range p.Lines {
		t.Lines = append(t.Lines, lineText(l))
	}
	return t, true
}

func lineText(l Line) LineText {
	return LineText{
		Name: l.Name, AuthName: l.AuthName, Password: l.Password, DisplayName: l.DisplayName, ShortName: l.ShortName,
		Proxy: l.Proxy, Port: formatOptionalPort(l.Port),
	}
}

func (s *Site) phoneIndex(mac phone.MAC) int {
	return slices.IndexFunc(s.Phones, func(p Phone) bool { return p.MAC == mac })
}

// PutPhone returns a copy of the site in which the phone with that MAC is replaced, or a phone is added when the MAC is zero
// or not listed. The site is nil when a fault is not a warning; faults have no line.
func (s *Site) PutPhone(mac phone.MAC, t PhoneText, opts Options) (*Site, []Fault) {
	out := s.Clone()
	i := s.phoneIndex(mac)
	if i < 0 {
		i = len(out.Phones)
		out.Phones = append(out.Phones, Phone{})
	}
	p, faults := phoneFrom(t, fmt.Sprintf("phones[%d]", i))
	if i < len(s.Phones) {
		// Its own passwords stay with it also when its MAC is corrected.
		unmaskPhone(&p, &s.Phones[i])
	}
	out.Phones[i] = p
	unmaskMoved(out, s)
	out.taken(p)
	return out.checked(faults, opts)
}

// RemovePhone returns a copy of the site without that phone, and false when the site does not list it.
func (s *Site) RemovePhone(mac phone.MAC) (*Site, bool) {
	i := s.phoneIndex(mac)
	if i < 0 {
		return nil, false
	}
	out := s.Clone()
	out.Phones = slices.Delete(out.Phones, i, i+1)
	if len(out.Phones) == 0 {
		out.Phones = nil
	}
	return out, true
}

// phoneFrom converts the texts with the keys of the file.
func phoneFrom(t PhoneText, path string) (p Phone, faults []Fault) {
	scalars := map[string]string{
		"mac": t.MAC, "model": t.Model, "label": t.Label, "address": t.Address, "load": t.Load, "runs": t.Runs,
		"zone": t.Zone, "open_config": fmt.Sprint(t.OpenConfig), "own_files": fmt.Sprint(t.OwnFiles),
	}
	dicts := map[string]map[string]string{"parameters": t.Parameters, "forced": t.Forced}
	for _, k := range phoneKeys() {
		in := []entry{{text: strings.TrimSpace(scalars[k.name])}}
		if k.kind == KindMap {
			in = nil
			for _, name := range slices.Sorted(maps.Keys(dicts[k.name])) {
				in = append(in, entry{name: name, text: dicts[k.name][name]})
			}
		}
		faults = append(faults, k.store(&p, path, in)...)
	}
	for j, l := range t.Lines {
		converted, bad := lineFrom(l, fmt.Sprintf("%s.lines[%d]", path, j))
		faults = append(faults, bad...)
		p.Lines = append(p.Lines, converted)
	}
	return p, faults
}

func lineFrom(t LineText, path string) (l Line, faults []Fault) {
	texts := map[string]string{
		"name": t.Name, "authname": t.AuthName, "password": t.Password, "displayname": t.DisplayName, "shortname": t.ShortName,
		"proxy": strings.TrimSpace(t.Proxy), "port": strings.TrimSpace(t.Port),
	}
	for _, k := range lineKeys() {
		faults = append(faults, k.store(&l, path, []entry{{text: texts[k.name]}})...)
	}
	return l, faults
}
