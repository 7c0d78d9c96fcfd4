package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ParseMap reads the text of a "map" field: name = value, one a line. Empty lines and lines that begin with # mean
// nothing; name: value is accepted too, as the phones' own files write it; a value may stand in double quotes, which
// keep blanks at its ends. Line ends may be those of any system. Each fault has key, and never the value, which may be
// a password.
func ParseMap(key, text string) (map[string]string, []Fault) {
	out := map[string]string{}
	var faults []Fault
	for i, line := range strings.Split(unixLines(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		where := fmt.Sprintf("line %d", i+1)
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			faults = append(faults, Fault{Key: key, Found: where + " without =", Allowed: "name = value, one a line"})
			continue
		}
		name, value := strings.TrimSpace(line[:at]), strings.TrimSpace(line[at+1:])
		if name == "" || strings.ContainsAny(name, " \t\"#") {
			faults = append(faults, Fault{Key: key, Found: fmt.Sprintf("the name %q in %s", name, where), Allowed: "a name without blanks and quotes"})
			continue
		}
		if _, twice := out[name]; twice {
			faults = append(faults, Fault{Key: key, Found: fmt.Sprintf("%q a second time in %s", name, where), Allowed: "each name once"})
			continue
		}
		out[name] = unquote(value)
	}
	return out, faults
}

// FormatMap writes what ParseMap reads, sorted by name. Line ends inside of a value become blanks.
func FormatMap(m map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := strings.Join(strings.FieldsFunc(m[name], func(r rune) bool { return r == '\n' || r == '\r' }), " ")
		if value != unquote(strings.TrimSpace(value)) {
			value = `"` + value + `"`
		}
		b.WriteString(name + " = " + value + "\n")
	}
	return b.String()
}

func unquote(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

// unixLines makes every line end of a form \n.
func unixLines(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}
