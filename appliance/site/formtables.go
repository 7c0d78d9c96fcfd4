package site

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Table is a list of tables of the site file as a form shows it.
type Table struct {
	Key, Label, Help string
	Entries          [][]FieldValue // with keys such as dhcp.subnet[0].name
	Blank            []FieldValue   // a new entry, with keys such as name
}

// Tables returns the lists of tables that are no phones, contacts or dialling rules.
func (s *Site) Tables() []Table {
	return []Table{
		tableOf("dhcp.subnet", "Networks behind relays", "One for each network whose router (its DHCP relay) sends requests for addresses to this box.",
			subnetKeys(), s.DHCP.Subnets),
		tableOf("dhcp.class", "Options for other phones", "DHCP options for phones of other makes. A client gets those of the first entry that fits it; 7940 and 7960 phones need none.",
			append(classKeys(), optionsKey()), s.DHCP.Classes),
	}
}

func tableOf[T any](name, label, help string, keys []key[T], entries []T) Table {
	t := Table{Key: name, Label: label, Help: help}
	var blank T
	fields := func(of *T, prefix string) []FieldValue {
		out := make([]FieldValue, len(keys))
		for i, k := range keys {
			out[i] = fieldOf(k, of, &blank, prefix+k.name, label)
			out[i].Required = isRequired(join(name, k.name))
		}
		return out
	}
	for i := range entries {
		t.Entries = append(t.Entries, fields(&entries[i], fmt.Sprintf("%s[%d].", name, i)))
	}
	t.Blank = fields(&blank, "")
	return t
}

// setTables takes the tables out of the values of a form.
func (s *Site) setTables(values map[string]string) (faults []Fault) {
	if n, bad, ok := takeCount(values, "dhcp.subnet", maxSubnets); ok {
		faults = append(faults, bad...)
		s.DHCP.Subnets = nil
		for i := range n {
			var sub Subnet
			faults = append(faults, setEntry(values, fmt.Sprintf("dhcp.subnet[%d]", i), subnetKeys(), &sub)...)
			s.DHCP.Subnets = append(s.DHCP.Subnets, sub)
		}
	}
	if n, bad, ok := takeCount(values, "dhcp.class", maxClasses); ok {
		faults = append(faults, bad...)
		s.DHCP.Classes = nil
		for i := range n {
			var c Class
			path := fmt.Sprintf("dhcp.class[%d]", i)
			faults = append(faults, setEntry(values, path, classKeys(), &c)...)
			faults = append(faults, c.setOptions(values, path+".options")...)
			s.DHCP.Classes = append(s.DHCP.Classes, c)
		}
	}
	return faults
}

// takeCount takes the number of entries of a table; ok is false when the form does not have the table.
func takeCount(values map[string]string, name string, most int) (n int, faults []Fault, ok bool) {
	text, ok := values[name]
	if !ok {
		return 0, nil, false
	}
	delete(values, name)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, []Fault{{Key: name, Found: quote(text) + " entries", Allowed: fmt.Sprintf("up to %d", most)}}, true
	}
	return n, nil, true
}

// setEntry stores the values of one entry and takes them out.
func setEntry[T any](values map[string]string, path string, keys []key[T], into *T) (faults []Fault) {
	for _, k := range keys {
		name := join(path, k.name)
		value, ok := values[name]
		if !ok {
			continue
		}
		delete(values, name)
		in, bad := formEntries(k.kind, name, value)
		faults = append(append(faults, bad...), k.store(into, path, in)...)
	}
	return faults
}

// optionsKey describes the options of a class for a form; a file writes them as a table of their own.
func optionsKey() key[Class] {
	return key[Class]{
		name: "options", kind: KindMap,
		get: func(c *Class) (out []entry) {
			for _, code := range slices.Sorted(maps.Keys(c.Options)) {
				out = append(out, entry{name: strconv.Itoa(int(code)), text: c.Options[code].form(code)})
			}
			return out
		},
	}.about("Options", "a text, 0x and hex digits, or IPv4 addresses with commas between; nothing leaves the option out",
		"DHCP options by their numbers: number = value.").such("66 = http://10.77.0.10/yealink/")
}

// setOptions stores the options of a class and takes them out of the values.
func (c *Class) setOptions(values map[string]string, path string) (faults []Fault) {
	value, ok := values[path]
	if !ok {
		return nil
	}
	delete(values, path)
	in, faults := formEntries(KindMap, path, value)
	for _, e := range in {
		key := join(path, e.name)
		code, why := optionCode(e.name)
		if why != "" {
			faults = append(faults, Fault{Key: key, Found: "the option " + quote(e.name), Allowed: strings.Replace(why, ` in quotes, such as "66"`, ", such as 66", 1)})
			continue
		}
		o, found, allowed := optionForm(code, e.text)
		if allowed != "" {
			faults = append(faults, Fault{Key: key, Found: found, Allowed: allowed})
			continue
		}
		if c.Options == nil {
			c.Options = map[uint8]Option{}
		}
		c.Options[code] = o
	}
	return faults
}

// form writes an option as a form shows it. Addresses of an option that does not always hold some stand in brackets, and a
// text that would be read as something else is written as its bytes.
func (o Option) form(code uint8) string {
	switch {
	case len(o.Addresses) > 0:
		items := make([]string, len(o.Addresses))
		for i, a := range o.Addresses {
			items[i] = a.String()
		}
		if addressOptions[code] {
			return strings.Join(items, ", ")
		}
		return "[" + strings.Join(items, ", ") + "]"
	case len(o.Bytes) > 0:
		return "0x" + hex.EncodeToString(o.Bytes)
	}
	if again, _, allowed := optionForm(code, o.Text); allowed != "" || again.Text != o.Text || strings.TrimSpace(o.Text) != o.Text {
		return "0x" + hex.EncodeToString([]byte(o.Text))
	}
	return o.Text
}

// optionForm reads what form writes.
func optionForm(code uint8, text string) (o Option, found, allowed string) {
	inner, bracket := strings.CutPrefix(text, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !bracket || !closed {
		return optionText(code, text)
	}
	for part := range strings.SplitSeq(inner, ",") {
		a, ok := parseOptionAddress(code, strings.Trim(part, ` "`))
		if !ok || len(o.Addresses) == 60 {
			return Option{}, quote(text), "1 to 60 IPv4 addresses with commas between"
		}
		o.Addresses = append(o.Addresses, a)
	}
	return o, "", ""
}
