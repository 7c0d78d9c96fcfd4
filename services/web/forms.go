package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"phonebox/services/phone"
)

// formPage is one page of the settings.
type formPage struct {
	Key    string // in the path: /settings/KEY
	Path   string // where people find it
	Title  string
	Intro  string
	Groups []formGroup
}

// formGroup are the fields under one heading.
type formGroup struct {
	Title, Intro string
	Keys         []string // of fields and tables, in their order; one that ends in a dot means all that begin so
}

// formPages are the pages of the settings. Every key has a place: one that no page names is on the last.
var formPages = []formPage{
	{Key: "network", Path: "/settings", Title: "Network", Intro: "Where the box is, and which addresses it gives to the phones.", Groups: []formGroup{
		{Title: "The box", Keys: []string{"name", "network."}},
		{Title: "Addresses (DHCP)", Keys: []string{"dhcp.enabled", "dhcp.pool", "dhcp.lease", "dhcp.phones_only", "dhcp.ping_check", "dhcp.authoritative"}},
		{Title: "Networks behind relays", Intro: "Only where phones are in other networks than the box.", Keys: []string{"dhcp.subnet"}},
		{Title: "Options for other phones", Intro: "Only where phones of other makes get their addresses from this box, too.", Keys: []string{"dhcp.class"}},
	}},
	{Key: "time", Path: "/time", Title: "Time", Groups: []formGroup{{Title: "Settings of the time", Keys: []string{"time.zone", "time."}}}},
	{Key: "names", Path: "/names", Title: "Names", Groups: []formGroup{{Title: "Settings of names (DNS)", Keys: []string{"dns."}}}},
	{Key: "phones", Path: "/settings/phones", Title: "Phones and provider", Intro: "What all phones have in common. A model, and a phone itself, may say otherwise.", Groups: []formGroup{
		{Title: "Telephone system or provider", Keys: []string{"sip.proxy", "sip.port", "sip.register", "sip.enabled"}},
		{Title: "Parameters of all phones", Intro: "What the phones read in their files besides. Empty fields leave the phone's own default.", Keys: []string{"sip.parameters"}},
		{Title: "Parameters of a model", Keys: []string{"models."}},
		{Title: "Names that no list knows", Keys: []string{"sip."}},
		{Title: "Firmware", Keys: []string{"firmware."}},
	}},
	{Key: "page", Path: "/settings/page", Title: "This page", Groups: []formGroup{{Title: "How the page is reached", Keys: []string{"web."}}}},
}

// elsewhere are keys that have a page of their own.
var elsewhere = map[string]string{"dial_plan.country": "/dialplan"}

// zoneKey is the field in which a place is enough: "brussels" is Europe/Brussels.
const zoneKey = "time.zone"

// usual are the parameters of sip.parameters that the form shows although they are not set.
var usual = []string{
	"preferred_codec", "messages_uri", "nat_enable", "nat_received_processing", "nat_address", "outbound_proxy", "timer_register_expires", "dtmf_outofband",
	"voip_control_port", "telnet_level",
}

// pageOf returns the page that a key, without the number of an entry, is on; "" = it has a page of its own.
func pageOf(key string) string {
	if elsewhere[key] != "" {
		return ""
	}
	for _, p := range formPages {
		for _, g := range p.Groups {
			if g.has(key) {
				return p.Key
			}
		}
	}
	return formPages[len(formPages)-1].Key
}

func (g formGroup) has(key string) bool {
	return slices.ContainsFunc(g.Keys, func(k string) bool { return k == key || strings.HasSuffix(k, ".") && strings.HasPrefix(key, k) })
}

func findPage(key string) (formPage, error) {
	i := slices.IndexFunc(formPages, func(p formPage) bool { return p.Key == key })
	if i < 0 {
		return formPage{}, public(http.StatusNotFound, "There is no such page of settings.")
	}
	return formPages[i], nil
}

// only keeps what is on one page.
func (f SiteForm) only(page string) SiteForm {
	var out SiteForm
	for _, one := range f.Fields {
		if pageOf(one.Key) == page {
			out.Fields = append(out.Fields, one)
		}
	}
	for _, one := range f.Tables {
		if pageOf(one.Key) == page {
			out.Tables = append(out.Tables, one)
		}
	}
	return out
}

// values are what stands in the form, as a browser would send it back.
func (f SiteForm) values() map[string]string {
	out := map[string]string{}
	for _, one := range f.Fields {
		out[one.Key] = one.Value
	}
	for _, t := range f.Tables {
		out[t.Key] = strconv.Itoa(len(t.Entries))
		for _, entry := range t.Entries {
			for _, one := range entry {
				out[one.Key] = one.Value
			}
		}
	}
	return out
}

// entry returns the fields of an entry of a table, also of one that a form adds.
func (t SiteTable) entry(i int) []Field {
	if i < len(t.Entries) {
		return t.Entries[i]
	}
	out := slices.Clone(t.Blank)
	for j := range out {
		out[j].Key = fmt.Sprintf("%s[%d].%s", t.Key, i, out[j].Key)
	}
	return out
}

// Action is where the form of a page is sent.
func (p formPage) Action() string {
	if p.Key == "names" { // /names itself takes single names
		return "/settings/names"
	}
	return p.Path
}

// siteFormView is one page of the settings as a form.
type siteFormView struct {
	Page      formPage
	ETag, Was string
	Groups    []formGroupView
	Problem   string
	Summary   formSummary
	Preset    *presetView
}

// Action is where the form is sent.
func (v *siteFormView) Action() string { return v.Page.Action() }

// formSummary stands on top of the form and is what a check changes there.
type formSummary struct {
	Faults   []summaryLink
	Warnings int
	Rest     []string // faults that belong to no field of the page
	Checked  bool     // somebody asked
}

type summaryLink struct{ ID, Label string }

type formGroupView struct {
	Title, Intro string
	Items        []formItem
	Find         *findView // where parameters can be added
}

// find puts the search for a parameter beside the parameters of all phones.
func (v *siteFormView) find(f *findView) {
	for i, g := range v.Groups {
		if slices.ContainsFunc(g.Items, func(item formItem) bool { return item.Field != nil && item.Field.Key == "sip.parameters" }) {
			v.Groups[i].Find = f
		}
	}
}

// formItem is a field or a table.
type formItem struct {
	Field *fieldView
	Table *tableView
}

// tableView is a table with its entries.
type tableView struct {
	Key, ID, Label, Help string
	Count                int
	Entries              []tableEntry
	Faults               []string
}

type tableEntry struct {
	Title  string
	Number int
	Fields []*fieldView
	Faults []string
	ID     string
}

// fieldView is a field with what stands in it now.
type fieldView struct {
	Field
	ID        string
	Faults    []string
	Warnings  []string
	Meanwhile string // what somebody else did to it, a sentence; "" = nothing
	Changed   bool
	Why       string // why a preset sets it
	Taken     string // what the box understood, once it was asked; "" = what is written
	Options   []optionView
	Rows      []entryRow
	Known     []parameterView // a map of the catalogue's parameters: those that are set or usual
	Size      int
}

// NewExample reports whether the example shows what neither the default nor the rule says already.
func (f *fieldView) NewExample() bool {
	return f.Example != "" && f.Example != f.Default && !strings.Contains(f.Allowed, f.Example)
}

type optionView struct {
	Value, Words string
	Selected     bool
}

// entryRow is an entry of a list or a map.
type entryRow struct {
	Name, Value string
	Secret      bool
	Number      int // 1-based
	Bad         bool
}

// markRows marks the rows that faults name by their number, [0] and on; what names none is about the first.
func markRows(rows []entryRow, faults []string) {
	for _, f := range faults {
		number, _, _ := strings.Cut(strings.TrimPrefix(f, "["), "]")
		if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < len(rows) && f[0] == '[' {
			rows[n].Bad = true
		} else {
			rows[0].Bad = true
		}
	}
}

// parameterView is a parameter of the catalogue in a form.
type parameterView struct {
	Name, ID, Value string
	Set             bool // false = the phone's default holds, and the row is there as it is often needed
	Secret          bool
	Help            string
	Allowed         string
	Default         string
	Numeric         bool
	Options         []optionView // of words and switches
	Changed         bool
	Why             string // why a preset sets it
	Number          int
}

// fieldID is the anchor of a field.
func fieldID(key string) string {
	return "f-" + strings.Trim(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return '-'
	}, key), "-")
}

// formState is what a form shows beyond the site.
type formState struct {
	values map[string]string // what a person typed; nil = what the site has
	was    map[string]string // what stood there when the form was loaded; nil = not known
	check  *SiteCheck
	add    map[string]int    // rows to add to lists and maps, by key
	params []string          // parameters to show although they are not set: "sip.parameters nat_enable"
	why    map[string]string // why a preset sets a key or a parameter
}

// newSiteForm arranges a page of the form.
func newSiteForm(page formPage, form SiteForm, etag string, st formState) *siteFormView {
	form = form.only(page.Key)
	current := form.values()
	values := st.values
	if values == nil {
		values = current
	}
	if st.was == nil {
		st.was = current
	}
	was, err := json.Marshal(st.was)
	if err != nil { // a map of texts can always be written
		was = []byte("{}")
	}
	v := &siteFormView{Page: page, ETag: etag, Was: string(was)}
	b := formBuilder{state: st, values: values, current: current, faults: formFaults{}, warnings: formFaults{}}
	if st.check != nil {
		keys := fieldKeys(form, values)
		b.faults, b.warnings = newFormFaults(st.check.Faults, keys), newFormFaults(st.check.Warnings, keys)
		v.Summary = newSummary(form, values, b.faults, b.warnings)
	}
	for _, g := range page.Groups {
		v.Groups = append(v.Groups, b.group(g, form))
	}
	v.Groups = append(v.Groups, b.rest(form))
	v.Groups = slices.DeleteFunc(v.Groups, func(g formGroupView) bool { return len(g.Items) == 0 })
	v.find(&findView{})
	return v
}

// fieldKeys are the keys beside which faults are shown.
func fieldKeys(form SiteForm, values map[string]string) []string {
	var keys []string
	for _, f := range form.Fields {
		keys = append(keys, f.Key)
	}
	for _, t := range form.Tables {
		keys = append(keys, t.Key)
		for i := range entries(values[t.Key]) {
			keys = append(keys, fmt.Sprintf("%s[%d]", t.Key, i))
			for _, f := range t.entry(i) {
				keys = append(keys, f.Key)
			}
		}
	}
	return keys
}

// maxEntries bounds the entries of a table in a form: what the site allows, and one to be told of.
const maxEntries = 251

// entries reads the number of entries of a table.
func entries(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return max(0, min(n, maxEntries))
}

// newSummary links to the fields that have a fault, in the order of the form.
func newSummary(form SiteForm, values map[string]string, faults, warnings formFaults) formSummary {
	s := formSummary{Checked: true, Rest: faults.Rest, Warnings: len(warnings.fields)}
	labels := map[string]string{}
	for _, f := range form.Fields {
		labels[f.Key] = f.Label
	}
	for _, t := range form.Tables {
		labels[t.Key] = t.Label
		for i := range entries(values[t.Key]) {
			path := fmt.Sprintf("%s[%d]", t.Key, i)
			labels[path] = fmt.Sprintf("%s %d", t.Label, i+1)
			for _, f := range t.entry(i) {
				labels[f.Key] = fmt.Sprintf("%s %d: %s", t.Label, i+1, f.Label)
			}
		}
	}
	for _, key := range fieldKeys(form, values) {
		if len(faults.For(key)) > 0 {
			s.Faults = append(s.Faults, summaryLink{ID: fieldID(key), Label: labels[key]})
		}
	}
	return s
}

// formBuilder makes the parts of a form.
type formBuilder struct {
	state            formState
	values, current  map[string]string
	faults, warnings formFaults
	shown            map[string]bool
}

// group takes what a heading names, each key once.
func (b *formBuilder) group(g formGroup, form SiteForm) formGroupView {
	v := formGroupView{Title: g.Title, Intro: g.Intro}
	for _, want := range g.Keys {
		one := formGroup{Keys: []string{want}}
		b.take(&v, form, one.has)
	}
	return v
}

// rest takes what no heading of the page names.
func (b *formBuilder) rest(form SiteForm) formGroupView {
	v := formGroupView{Title: "Further settings"}
	b.take(&v, form, func(string) bool { return true })
	return v
}

func (b *formBuilder) take(v *formGroupView, form SiteForm, wanted func(string) bool) {
	if b.shown == nil {
		b.shown = map[string]bool{}
	}
	for _, f := range form.Fields {
		if wanted(f.Key) && !b.shown[f.Key] {
			b.shown[f.Key] = true
			v.Items = append(v.Items, formItem{Field: b.field(f)})
		}
	}
	for _, t := range form.Tables {
		if wanted(t.Key) && !b.shown[t.Key] {
			b.shown[t.Key] = true
			v.Items = append(v.Items, formItem{Table: b.table(t)})
		}
	}
}

func (b *formBuilder) table(t SiteTable) *tableView {
	n := entries(b.values[t.Key])
	v := &tableView{Key: t.Key, ID: fieldID(t.Key), Label: t.Label, Help: t.Help, Count: n, Faults: b.faults.For(t.Key)}
	for i := range n {
		path := fmt.Sprintf("%s[%d]", t.Key, i)
		e := tableEntry{Title: b.values[path+".name"], Number: i + 1, Faults: b.faults.For(path), ID: fieldID(path)}
		for _, f := range t.entry(i) {
			if i >= len(t.Entries) {
				f.Value = ""
			}
			e.Fields = append(e.Fields, b.field(f))
		}
		v.Entries = append(v.Entries, e)
	}
	return v
}

func (b *formBuilder) field(f Field) *fieldView {
	v := &fieldView{Field: f, ID: fieldID(f.Key), Faults: counted(b.faults.For(f.Key)), Warnings: counted(b.warnings.For(f.Key)), Why: b.state.why[f.Key]}
	if typed, ok := b.values[f.Key]; ok {
		v.Value = typed
	}
	v.Changed = v.Value != f.Value
	if !f.Secret {
		v.Meanwhile = b.meanwhile(f, v.Value)
	}
	if f.Key == zoneKey && b.state.check != nil && len(v.Faults) == 0 {
		v.Taken = v.Value
	}
	switch f.Kind {
	case "choice":
		v.Options = choiceOptions(f.Choices, f.Words, v.Value)
	case "list":
		v.Rows = listRows(v.Value)
		v.Rows = append(v.Rows, blankRows(len(v.Rows), 1+b.state.add[f.Key])...)
		markRows(v.Rows, b.faults.For(f.Key))
	case "map":
		b.mapRows(v)
	case "number":
		v.Size = 8
	}
	return v
}

// counted writes [0] before a fault, as the file counts, as people do: Entry 1.
func counted(faults []string) []string {
	out := slices.Clone(faults)
	for i, f := range faults {
		number, rest, ok := strings.Cut(f, "]")
		if n, err := strconv.Atoi(strings.TrimPrefix(number, "[")); ok && err == nil && f[0] == '[' {
			out[i] = fmt.Sprintf("Entry %d%s", n+1, rest)
		}
	}
	return out
}

// meanwhile says what somebody else did to a field since the form was loaded.
func (b *formBuilder) meanwhile(f Field, typed string) string {
	before, known := b.state.was[f.Key]
	if !known || before == f.Value || typed == f.Value && before == typed {
		return ""
	}
	now := inOneLine(f.Value)
	if typed == f.Value {
		return "Somebody changed this meanwhile. It was: " + inOneLine(before)
	}
	return "Somebody changed this meanwhile. In force now: " + now
}

// pairView is a row of a map with its field.
type pairView struct {
	Field         *fieldView
	Row           entryRow
	First, Second string // an example of each
}

func newPairView(f *fieldView, row entryRow) pairView {
	v := pairView{Field: f, Row: row}
	first, second, ok := strings.Cut(f.Example, "=")
	if ok && row == (entryRow{Number: row.Number}) {
		v.First, v.Second = strings.TrimSpace(first), strings.TrimSpace(second)
	}
	return v
}

func inOneLine(value string) string {
	if value == "" {
		return "nothing"
	}
	return strings.ReplaceAll(value, "\n", ", ")
}

func choiceOptions(choices, words []string, value string) []optionView {
	var out []optionView
	seen := false
	for i, c := range choices {
		o := optionView{Value: c, Words: c, Selected: c == value}
		if i < len(words) {
			o.Words = words[i]
		}
		if o.Words == "" {
			o.Words = "none"
		}
		seen = seen || o.Selected
		out = append(out, o)
	}
	if !seen {
		out = append(out, optionView{Value: value, Words: value, Selected: true})
	}
	return out
}

func listRows(value string) []entryRow {
	var rows []entryRow
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); line != "" {
			rows = append(rows, entryRow{Value: line, Number: len(rows) + 1})
		}
	}
	return rows
}

// blankRows are rows to type into.
func blankRows(after, n int) []entryRow {
	var rows []entryRow
	for i := range min(n, 50) {
		rows = append(rows, entryRow{Number: after + i + 1})
	}
	return rows
}

// mapRows makes the rows of a map: parameters that the catalogue knows with what it knows of them, others as name and value.
func (b *formBuilder) mapRows(v *fieldView) {
	var known []parameterView
	set := map[string]bool{}
	was := pairsOf(b.current[v.Key])
	for _, row := range mapLines(v.Value) {
		row.Secret = phone.IsSecretParameter(row.Name) && v.Key != "dns.hosts" && v.Key != "dns.names"
		p, ok := phone.LookUpParameter(row.Name)
		if !v.Catalogue || !ok || p.Reserved {
			v.Rows = append(v.Rows, row)
			continue
		}
		set[strings.ToLower(row.Name)] = true
		one := newParameterView(v.Key, p, row.Value, true)
		before, there := was[row.Name]
		one.Changed, one.Why, one.Number = !there || before != row.Value, b.state.why[p.Name], len(known)+1
		known = append(known, one)
	}
	sent := len(known)
	if v.Catalogue {
		for _, name := range b.offered(v.Key) {
			if p, ok := phone.LookUpParameter(name); ok && !set[strings.ToLower(name)] {
				set[strings.ToLower(name)] = true
				one := newParameterView(v.Key, p, "", false)
				one.Why = b.state.why[p.Name]
				known = append(known, one)
			}
		}
		v.Known = known
	}
	for i := range v.Rows { // they are sent behind those that are known
		v.Rows[i].Number = sent + i + 1
	}
	if v.Catalogue {
		return
	}
	v.Rows = append(v.Rows, blankRows(len(v.Rows), 1+b.state.add[v.Key])...)
}

// offered are the parameters that a map shows although they are not set.
func (b *formBuilder) offered(key string) []string {
	var names []string
	if key == "sip.parameters" {
		names = slices.Clone(usual)
	}
	for _, one := range b.state.params {
		if of, name, _ := strings.Cut(one, " "); of == key {
			names = append(names, name)
		}
	}
	return names
}

// mapLines reads the value of a map.
func mapLines(value string) []entryRow {
	var rows []entryRow
	for line := range strings.Lines(value) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name, text = strings.TrimSpace(name), strings.TrimSpace(text); name != "" || text != "" {
			rows = append(rows, entryRow{Name: name, Value: text, Number: len(rows) + 1})
		}
	}
	return rows
}

func pairsOf(value string) map[string]string {
	out := map[string]string{}
	for _, row := range mapLines(value) {
		out[row.Name] = row.Value
	}
	return out
}

// newParameterView shows a parameter of the catalogue.
func newParameterView(key string, p phone.Parameter, value string, set bool) parameterView {
	v := parameterView{
		Name: p.Name, ID: fieldID(key + "." + p.Name), Value: value, Set: set, Secret: p.Secret, Help: p.Help, Allowed: p.Allowed, Default: p.Default,
		Numeric: p.Type == phone.TypeInt || p.Type == phone.TypePort || p.Type == phone.TypeMask,
	}
	choices := p.Values
	words := []string(nil)
	if p.Type == phone.TypeBool {
		choices, words = []string{"0", "1"}, []string{"0: no", "1: yes"}
	}
	if len(choices) == 0 || len(choices) > 12 {
		return v
	}
	if !set {
		standard := "as the phone has it"
		if p.Default != "" {
			standard = "by default: " + p.Default
		}
		v.Options = append(v.Options, optionView{Words: standard, Selected: true})
		for i, o := range choices {
			one := optionView{Value: o, Words: o}
			if words != nil {
				one.Words = words[i]
			}
			v.Options = append(v.Options, one)
		}
		return v
	}
	i := slices.IndexFunc(choices, func(c string) bool { return strings.EqualFold(c, value) })
	if i >= 0 {
		value = choices[i]
	}
	v.Options = choiceOptions(choices, words, value)
	return v
}
