package phonesim

import (
	"fmt"
	"strings"
)

// cnf holds the parameters of a .cnf file, names in lower case. A value of UNPROVISIONED is kept as it is.
type cnf map[string]string

// get returns a parameter, or "" where it is absent, empty or UNPROVISIONED.
func (c cnf) get(name string) string {
	if v := c[name]; v != "UNPROVISIONED" {
		return v
	}
	return ""
}

// parseCNF reads a .cnf file by the grammar of phones.md h. Lines that do not follow it are skipped, as a phone does, and
// returned as faults, each with its number. Nothing of a value is quoted in a fault: it may be a password.
func parseCNF(b []byte) (cnf, []string) {
	c := cnf{}
	var faults []string
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		name, value, fault := parseCNFLine(strings.TrimRight(line, "\r\n"))
		if _, twice := c[name]; twice && fault == "" && name != "" {
			fault = fmt.Sprintf("%s stands there twice, the last one holds", name)
		}
		if fault != "" {
			faults = append(faults, fmt.Sprintf("line %d: %s", n, fault))
		}
		if name != "" {
			c[name] = value
		}
	}
	return c, faults
}

// parseCNFLine reads one line without its end. The name is empty for comments, blank lines and faults.
func parseCNFLine(line string) (name, value, fault string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return "", "", ""
	}
	name, rest, colon := strings.Cut(line, ":")
	name = strings.ToLower(strings.TrimSpace(name))
	if !colon || !cnfName(name) {
		return "", "", "found no parameter name with a colon behind it"
	}
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, `"`) {
		value, after, closed := strings.Cut(rest[1:], `"`)
		after = strings.TrimSpace(after)
		if !closed || after != "" && after[0] != ';' {
			return "", "", name + ": found a quote without its partner, or text behind it"
		}
		return name, value, ""
	}
	value, _, _ = strings.Cut(rest, ";")
	value = strings.TrimSpace(value)
	if strings.ContainsAny(value, "\" \t") {
		return "", "", name + ": found a blank or a quote in a value that is not quoted"
	}
	return name, value, ""
}

// cnfName reports whether s can be a parameter's name.
func cnfName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return s != ""
}
