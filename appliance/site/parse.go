package site

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// MaxSize is how many bytes a site file may have: room for two thousand phones with six lines each.
const MaxSize = 4 << 20

// MaxFaults is how many faults are listed; a last one says how many more there are.
const MaxFaults = 200

// The scopes of a parameter for [Options.KnownParameter].
const (
	ScopeSite  = string(phone.ScopeDefault) // sip.parameters: SIPDefault.cnf
	ScopePhone = string(phone.ScopePhone)   // phones.parameters: SIP<MAC>.cnf
)

// Options are what the checks need from outside; the zero value accepts every parameter and no masked secret.
type Options struct {
	// KnownParameter says whether a .cnf parameter exists in that scope and may be set there, and which one was
	// probably meant. nil accepts all.
	KnownParameter func(name, scope string) (known bool, suggestion string)
	// CheckParameter says what is allowed when a known parameter cannot have that value ("" when it can), and a warning
	// when it can and should not. nil accepts all.
	CheckParameter func(name, value string) (allowed, warning string)
	// CheckZone says in what the phones cannot follow a time zone; "" when they can. nil asks nothing.
	CheckZone func(zone string) (warning string)
	// Old is the site whose secrets a masked secret of the text stands for (see [Unmask]).
	Old *Site
}

// Catalogue returns the options that check parameters and time zones by what is known of the phones.
func Catalogue() Options {
	return Options{
		KnownParameter: phone.KnownParameter,
		CheckParameter: func(name, value string) (allowed, warning string) {
			p, ok := phone.LookUpParameter(name)
			if !ok {
				return "", ""
			}
			warning, err := p.Check(value)
			if err != nil {
				return p.Allowed, ""
			}
			return "", warning
		},
		CheckZone: func(zone string) (warning string) {
			// The zero time stands for the years to come, whatever the clock of the box says.
			_, warning, err := phone.ZoneFor(zone, time.Time{})
			if err != nil {
				return ""
			}
			return warning
		},
	}
}

// Default returns the site that an empty file means. It lacks network.address and dhcp.pool, which have no default.
func Default() *Site {
	return &Site{
		Name:    "phonebox",
		Network: Network{Interface: "eth0", Domain: "voice.home.arpa"},
		DHCP:    DHCP{Enabled: true, Lease: 8 * time.Hour, PingCheck: true},
		Time:    Time{Enabled: true, Zone: "UTC", Upstream: []string{"pool.ntp.org"}, SNTPMode: "unicast", Broadcast: 64 * time.Second},
		DNS:     DNS{Enabled: true},
		SIP:     SIP{Enabled: true, Port: 5060, Register: true},
		// So many phones are fed by a slow card within the patience of each (phones.md a.7).
		Firmware: Firmware{Parallel: 8},
	}
}

// Parse reads a site file. It returns every fault at once, in the order of the lines, warnings among them; the site is nil
// when one of them is not a warning.
func Parse(text []byte, opts Options) (*Site, []Fault) {
	if len(text) > MaxSize {
		found := fmt.Sprintf("a file of %d bytes", len(text))
		return nil, []Fault{{Line: 1, Found: found, Allowed: fmt.Sprintf("up to %d bytes", MaxSize)}}
	}
	// Editors of Windows put a byte order mark before UTF-8.
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	root, faults := readTree(text)
	d := &decoder{site: Default(), lines: map[string]int{}, faults: faults, broken: len(faults) > 0}
	d.decode(root)
	if opts.Old != nil {
		unmask(d.site, opts.Old)
	}
	c := checker{site: d.site, opts: opts, line: d.line, faulty: d.faulty()}
	c.check()
	return conclude(d.site, append(d.faults, c.faults...))
}

// conclude sorts the faults, bounds them and gives up the site when one of them refuses it.
func conclude(s *Site, faults []Fault) (*Site, []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Line - b.Line })
	if slices.ContainsFunc(faults, func(f Fault) bool { return !f.Warning }) {
		s = nil
	}
	if more := len(faults) - MaxFaults; more > 0 {
		faults = append(faults[:MaxFaults:MaxFaults], Fault{
			Line: faults[MaxFaults].Line, Found: fmt.Sprintf("%d more faults", more), Allowed: "none",
			Warning: s != nil,
		})
	}
	return s, faults
}

// decoder fills a site from the document's nodes.
type decoder struct {
	site   *Site
	lines  map[string]int // path of each key and entry to its line
	faults []Fault
	broken bool // the syntax has faults, so what seems to be missing may stand on a broken line
}

// line returns the line of a path, else of what encloses it, else the first.
func (d *decoder) line(path string) int {
	for path != "" {
		if l, ok := d.lines[path]; ok {
			return l
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

// faulty returns the paths that have a fault already; with a broken syntax also the keys without which a site is refused.
func (d *decoder) faulty() map[string]bool {
	paths := map[string]bool{}
	for _, f := range d.faults {
		paths[f.Key] = true
	}
	if d.broken {
		paths["network.address"], paths["dhcp.pool"], paths["phones.mac"], paths["phones.lines.name"] = true, true, true, true
		paths["contacts.name"], paths["contacts.number"], paths["dial_plan.rules.match"], paths["lines.name"] = true, true, true, true
		paths["dhcp.subnet.name"], paths["dhcp.subnet.network"], paths["dhcp.class.name"], paths["dhcp.class.options"] = true, true, true, true
	}
	return paths
}

func (d *decoder) fault(line int, key, found, allowed string) {
	d.faults = append(d.faults, Fault{Line: line, Key: key, Found: found, Allowed: allowed})
}

// decode walks the tables of the site.
func (d *decoder) decode(root *node) {
	nested := map[string]func(*node){}
	inTables := map[string]map[string]func(*node){
		"dial_plan": {"rules": d.rules}, "dhcp": {"subnet": d.subnets, "class": d.classes},
	}
	for _, g := range siteGroups() {
		if g.table != "" {
			nested[g.table] = func(n *node) {
				if d.isTable(n, g.table) {
					decodeTable(d, n, "", g.table, g.keys, d.site, inTables[g.table])
				}
			}
		}
	}
	nested["models"], nested["contacts"], nested["lines"], nested["phones"] = d.models, d.contacts, d.waiting, d.phones
	decodeTable(d, root, "", "", siteGroups()[0].keys, d.site, nested)
}

func (d *decoder) isTable(n *node, table string) bool {
	if n.kind != nodeTable {
		d.fault(n.line, table, n.found(), "a table: ["+table+"]")
	}
	return n.kind == nodeTable
}

// models decodes the tables of [models], of which each holds a table of parameters.
func (d *decoder) models(n *node) {
	if !d.isTable(n, "models") {
		return
	}
	d.lines["models"] = n.line
	for _, model := range n.order {
		table, path := n.fields[model], join("models", model)
		switch {
		case !slices.Contains(models, model):
			d.fault(table.line, path, "an unknown model", strings.Join(models, " or "))
		case d.isTable(table, path):
			decodeTable(d, table, "", path, []key[Site]{modelParameters(model)}, d.site, nil)
		}
	}
}

func (d *decoder) rules(n *node) {
	d.site.DialPlan.Rules = decodeList(d, n, "dial_plan.rules", ruleKeys())
}

func (d *decoder) contacts(n *node) { d.site.Contacts = decodeList(d, n, "contacts", contactKeys()) }

func (d *decoder) waiting(n *node) { d.site.Lines = decodeList(d, n, "lines", waitingKeys()) }

// decodeList decodes a list of tables that hold no further tables.
func decodeList[T any](d *decoder, n *node, path string, keys []key[T]) []T {
	entries := d.entries(n, path, "[["+path+"]]")
	if len(entries) == 0 {
		return nil
	}
	out := make([]T, len(entries))
	for i, entry := range entries {
		if entry != nil {
			here := fmt.Sprintf("%s[%d]", path, i)
			d.lines[here] = entry.line
			decodeTable(d, entry, here, "", keys, &out[i], nil)
		}
	}
	return out
}

// phones decodes the [[phones]] entries.
func (d *decoder) phones(n *node) {
	for i, entry := range d.entries(n, "phones", "[[phones]]") {
		path := fmt.Sprintf("phones[%d]", i)
		d.site.Phones = append(d.site.Phones, Phone{})
		if entry == nil {
			continue
		}
		d.lines[path] = entry.line
		p := &d.site.Phones[i]
		lines := func(n *node) {
			for j, entry := range d.entries(n, path+".lines", "[[phones.lines]]") {
				linePath := fmt.Sprintf("%s.lines[%d]", path, j)
				p.Lines = append(p.Lines, Line{})
				if entry != nil {
					d.lines[linePath] = entry.line
					decodeTable(d, entry, linePath, "", lineKeys(), &p.Lines[j], nil)
				}
			}
		}
		decodeTable(d, entry, path, "", phoneKeys(), p, map[string]func(*node){"lines": lines})
	}
}

// entries returns the tables of a list; nil for an entry that is no table, which is a fault.
func (d *decoder) entries(n *node, path, header string) []*node {
	if n.kind != nodeArray {
		d.fault(n.line, path, n.found(), "a list: "+header+" before each entry")
		return nil
	}
	out := make([]*node, len(n.items))
	for i, item := range n.items {
		if item.kind != nodeTable {
			d.fault(item.line, fmt.Sprintf("%s[%d]", path, i), item.found(), "a table: "+header)
			continue
		}
		out[i] = item
	}
	return out
}

// decodeTable stores the values of a table's keys. prefix is the path of an entry of a list, table the part of the keys'
// own names that the document writes as a table, nested what stands in tables of its own.
func decodeTable[T any](d *decoder, n *node, prefix, table string, keys []key[T], into *T, nested map[string]func(*node)) {
	here := join(prefix, table)
	if here != "" {
		d.lines[here] = n.line
	}
	for _, name := range n.order {
		v := n.fields[name]
		if sub, ok := nested[name]; ok {
			sub(v)
			continue
		}
		i := slices.IndexFunc(keys, func(k key[T]) bool { return k.name == join(table, name) })
		if i < 0 {
			d.unknown(v.line, here, name, namesOf(keys, table, nested))
			continue
		}
		k := &keys[i]
		d.lines[join(prefix, k.name)] = v.line
		in, ok := texts(d, k, prefix, v)
		if !ok {
			continue
		}
		for i, e := range in {
			d.lines[k.path(prefix, i, e)] = e.line
		}
		d.faults = append(d.faults, k.store(into, prefix, in)...)
	}
}

func namesOf[T any](keys []key[T], table string, nested map[string]func(*node)) []string {
	var names []string
	for _, k := range keys {
		names = append(names, strings.TrimPrefix(k.name, table+"."))
	}
	for name := range nested {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// unknown reports a key that does not exist: with the one that was probably meant, in this table or in another.
func (d *decoder) unknown(line int, here, name string, names []string) {
	allowed := strings.Join(names, ", ")
	if meant := nearest(name, names); meant != "" {
		allowed = meant + " (did you mean that?)"
	} else if i := slices.IndexFunc(Keys(), func(k string) bool { return strings.HasSuffix(k, "."+name) }); i >= 0 {
		allowed = Keys()[i] + " (did you mean that?)"
	}
	d.fault(line, join(here, name), "an unknown key", allowed)
}

// impossible is a text that no key takes; it stands for a value of a wrong type.
const impossible = "\x00"

// texts turns a value into the texts that the key converts. A value of a wrong type becomes an impossible text that says
// what was found; a list or table that should be one, and the other way round, is reported here.
func texts[T any](d *decoder, k *key[T], prefix string, v *node) ([]entry, bool) {
	switch k.kind {
	case KindList:
		if v.kind != nodeArray || v.many {
			d.fault(v.line, join(prefix, k.name), v.found(), "a list in brackets; each entry "+k.allowed)
			return nil, false
		}
		in := make([]entry, len(v.items))
		for i, item := range v.items {
			in[i] = item.entry(KindText)
		}
		return in, true
	case KindMap:
		if v.kind != nodeTable {
			d.fault(v.line, join(prefix, k.name), v.found(), "a table of names; each value "+k.allowed)
			return nil, false
		}
		in := make([]entry, len(v.order))
		for i, name := range v.order {
			in[i] = v.fields[name].entry(KindText)
			in[i].name = name
		}
		return in, true
	}
	return []entry{v.entry(k.kind)}, true
}

// entry takes a scalar as a text: texts may be written as whole numbers and numbers as texts, for 208 and "208" mean the
// same to a person.
func (n *node) entry(kind string) entry {
	e := entry{text: n.text, line: n.line}
	fits := n.kind == nodeString || n.kind == nodeInteger && strings.Trim(n.text, "0123456789") == ""
	if kind == KindBool {
		fits = n.kind == nodeBool
	}
	if !fits {
		e.text, e.wrongType = impossible, n.found()
	}
	return e
}

// found words a value for a fault.
func (n *node) found() string {
	switch n.kind {
	case nodeArray:
		return "a list"
	case nodeTable:
		return "a table"
	case nodeString:
		return "the text " + quote(n.text)
	}
	return n.text
}
