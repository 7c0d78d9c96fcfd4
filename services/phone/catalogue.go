package phone

import (
	"strconv"
	"strings"
)

// section is a part of the catalogue under one heading, before names with N are written out.
type section struct {
	group string
	rows  []row
}

// row is a line of the catalogue before names with N are written out.
type row struct {
	name    string
	scope   Scope
	first   string // release
	typ     Type
	allowed string // words; for enums the values, with a bar between
	min     int
	max     int
	def     string
	flags   flag
	help    string
}

// flag marks what a row is besides.
type flag uint8

const (
	unmanaged   flag = 1 << iota // written only when set
	unconfirmed                  // and because it is not certain that every release reads it
	secret
	reserved
	phoneFile // scope both, yet written into SIP<MAC>.cnf
	emptyToo  // a number for which "" is a value
)

// unconfirmedHelp ends the help of a row that is not confirmed.
const unconfirmedHelp = " That phones read it is not confirmed on every release."

// catalogue and catalogueIndex (by name in lower case) are the sections with N written out; nothing changes them.
var catalogue, catalogueIndex = expand(sections)

// expand writes rows with N out, line by line where several stand together (line1_name, line1_shortname, ...).
func expand(sections []section) ([]Parameter, map[string]int) {
	var list []Parameter
	for _, s := range sections {
		for i := 0; i < len(s.rows); {
			j, count := i+1, 1
			if isNumbered(s.rows[i].name) {
				count = Lines
				for j < len(s.rows) && sameNumber(s.rows[i].name, s.rows[j].name) {
					j++
				}
			}
			for n := 1; n <= count; n++ {
				for _, r := range s.rows[i:j] {
					list = append(list, r.parameter(s.group, n))
				}
			}
			i = j
		}
	}
	index := make(map[string]int, len(list))
	for i, p := range list {
		index[strings.ToLower(p.Name)] = i
	}
	return list, index
}

func isNumbered(name string) bool {
	return strings.Contains(name, "N_") || strings.HasSuffix(name, "N")
}

// sameNumber reports whether two names are numbered in the same place, so that their entries stand together.
func sameNumber(a, b string) bool {
	return strings.Contains(a, "N_") == strings.Contains(b, "N_") && strings.HasSuffix(a, "N") == strings.HasSuffix(b, "N")
}

// parameter makes the entry of a row; n is its number if it has one.
func (r row) parameter(group string, n int) Parameter {
	p := Parameter{
		Name: r.name, Group: group, Scope: r.scope, Type: r.typ, Allowed: r.allowed, Min: r.min, Max: r.max, Default: r.def,
		FirstRelease: r.first, Help: r.help, Secret: r.flags&secret != 0, Managed: r.flags&(unmanaged|unconfirmed) == 0,
		PhoneFile: r.scope == ScopePhone || r.flags&phoneFile != 0, Reserved: r.flags&reserved != 0,
		Unconfirmed: r.flags&unconfirmed != 0, Empty: r.flags&emptyToo != 0,
	}
	if p.Unconfirmed {
		p.Help += unconfirmedHelp
	}
	if isNumbered(r.name) {
		p.Line = n
		p.Name = strings.Replace(r.name, "N", strconv.Itoa(n), 1)
	}
	if r.typ == TypeEnum {
		p.Values = strings.Split(r.allowed, "|")
		p.Allowed = "one of " + strings.Join(p.Values, ", ")
	}
	if p.Name == "proxy1_address" {
		p.Default = Unprovisioned
	}
	return p
}
