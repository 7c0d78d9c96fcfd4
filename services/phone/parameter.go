package phone

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Scope says in which file a parameter may stand.
type Scope string

// The scopes; in both, SIP<MAC>.cnf wins over SIPDefault.cnf (phones.md h).
const (
	ScopeDefault Scope = "default" // SIPDefault.cnf only
	ScopePhone   Scope = "phone"   // SIP<MAC>.cnf only
	ScopeBoth    Scope = "both"
)

// Type says what a parameter's value looks like.
type Type string

// The types of values.
const (
	TypeString Type = "string" // up to Max characters
	TypeURL    Type = "url"    // up to Max characters
	TypeHost   Type = "host"   // address or name
	TypeIPv4   Type = "ipv4"   // dotted address
	TypeInt    Type = "int"    // Min to Max
	TypePort   Type = "port"   // Min to Max
	TypeMask   Type = "mask"   // Min to Max, a bit per line
	TypeBool   Type = "bool"   // 0 or 1
	TypeEnum   Type = "enum"   // one of Values, in any case
	TypeTime   Type = "time"   // h, hh, hh:mm or hh/mm; with a sign where Min is below 0
)

// Unprovisioned is the word that clears an address, a name or a password in the phone's flash (phones.md h).
const Unprovisioned = "UNPROVISIONED"

// Lines is the number of lines of the largest model; names of the catalogue that stand for a line exist 1 to Lines times.
const Lines = 6

// Parameter is an entry of the catalogue: what is known of one name of SIPDefault.cnf and SIP<MAC>.cnf.
type Parameter struct {
	Name         string // as it is written: line1_name
	Group        string // the heading under which forms and docs/parameters.md show it
	Help         string // a sentence or two for a technician: what it does, when one changes it
	Line         int    // 1 to Lines for names that exist once per line or proxy, else 0
	Scope        Scope
	Type         Type
	Allowed      string   // for people
	Values       []string // of TypeEnum
	Min, Max     int      // the range of numbers; Max is the longest text in characters, 0 = no limit known
	Default      string   // what a phone that was never told does; what is written when nobody set it
	FirstRelease string   // of the SIP image; "" = not known
	Secret       bool     // never in SIPDefault.cnf, never in a log
	// Managed parameters are written every time, because an absent one keeps the value of the phone's flash. The others
	// are written only when set: people set them on the phone itself (speed dials, forwarding, the port's speed), or
	// it is not confirmed that the firmware reads them from a file.
	Managed   bool
	PhoneFile bool // phonebox writes it into SIP<MAC>.cnf
	Reserved  bool // phonebox decides it; a site can't
	// Unconfirmed parameters are never managed: it is not certain that the images read them from a file (phones.md's
	// table). Help says so.
	Unconfirmed bool
	Empty       bool // a number for which "" is a value, too
}

// On reports whether a model ("7940", "7960", "" = not known) has the line or the proxy that the parameter belongs to.
func (p Parameter) On(model string) bool {
	return p.Line <= LinesOf(model) || !strings.HasPrefix(p.Name, "line") && !strings.HasPrefix(p.Name, "proxy")
}

// KnownParameter reports whether a site may set name; case does not matter. scope is "default" for [sip.parameters]
// (parameters of one phone are allowed there too and go into every SIP<MAC>.cnf), "phone" for those of a phone, ""
// for either. Where it is not known, suggestion is the likely name or the site key that decides it, or "".
func KnownParameter(name, scope string) (known bool, suggestion string) {
	p, ok := LookUpParameter(name)
	switch {
	case !ok:
		return false, suggest(name)
	case strings.EqualFold(p.Name, "image_version"):
		return false, "firmware.target"
	case p.Reserved, scope == string(ScopePhone) && p.Scope == ScopeDefault:
		return false, ""
	}
	return true, ""
}

// LookUpParameter returns the catalogue's entry of a name; case does not matter.
func LookUpParameter(name string) (Parameter, bool) {
	i, ok := catalogueIndex[strings.ToLower(name)]
	if !ok {
		return Parameter{}, false
	}
	return catalogue[i], true
}

// IsSecretParameter reports whether the value of a parameter is a password: by the catalogue, and for names that it does
// not know by the name, misspelt ones (line1_pasword) included.
func IsSecretParameter(name string) bool {
	if p, ok := LookUpParameter(name); ok {
		return p.Secret
	}
	name = strings.ToLower(name)
	if strings.Contains(name, "passw") || strings.Contains(name, "secret") || strings.Contains(name, "pwd") {
		return true
	}
	near, _ := LookUpParameter(suggest(name))
	return near.Secret
}

// Parameters returns the catalogue in the order in which the files are written. Names with a number exist for each.
func Parameters() []Parameter { return append([]Parameter(nil), catalogue...) }

// Check says whether the phone can take a value: an error where a file can't carry it or it is out of range, a warning
// where it is known to work although the guide says otherwise. The error quotes no value of a secret.
func (p Parameter) Check(value string) (warning string, err error) {
	if err := checkText(value); err != nil {
		return "", p.fault(value, err.Error())
	}
	if p.isWord() {
		if !p.takesWord(value) {
			return "", p.fault(value, p.Allowed)
		}
		return "", nil
	}
	if value == "" || value == Unprovisioned {
		return "", nil
	}
	if (p.Type == TypeIPv4 || p.Type == TypeHost) && strings.ContainsAny(value, " \t;#") {
		return "", p.fault(value, p.Allowed)
	}
	return p.checkLength(value)
}

// isWord reports whether values are single words, which files carry without quotes.
func (p Parameter) isWord() bool {
	switch p.Type {
	case TypeInt, TypePort, TypeMask, TypeBool, TypeEnum, TypeTime:
		return true
	}
	return false
}

// takesWord applies the range of a type that isWord.
func (p Parameter) takesWord(value string) bool {
	switch {
	case value == "":
		return p.Empty
	case p.Type == TypeEnum:
		return containsFold(p.Values, value)
	case p.Type == TypeTime:
		if p.Min < 0 && (value[0] == '+' || value[0] == '-') {
			value = value[1:]
		}
		return isClockTime(value)
	}
	n, err := strconv.Atoi(value)
	return err == nil && value[0] != '+' && value[0] != '-' && n >= p.Min && n <= p.Max
}

// longestValue bounds every text, in characters: no text that any guide names is longer than 128.
const longestValue = 255

// checkLength applies Max to texts. Long passwords circulate in working files although the guide says 31 (phones.md
// a.8), so they only warn; so do names where the guide wants a dotted address.
func (p Parameter) checkLength(value string) (warning string, err error) {
	n := len([]rune(value))
	if n > longestValue {
		return "", p.fault(value, fmt.Sprintf("up to %d characters", longestValue))
	}
	var notes []string
	if p.Max > 0 && n > p.Max {
		if !p.Secret {
			return "", p.fault(value, p.Allowed)
		}
		notes = append(notes, fmt.Sprintf("%s has %d characters; the guide allows %d, though longer ones are known to work", p.Name, n, p.Max))
	}
	if strings.ContainsAny(value, ";#") {
		notes = append(notes, fmt.Sprintf("%s holds ; or #, which some firmware may take for the start of a comment", p.Name))
	}
	if a, err := netip.ParseAddr(value); p.Type == TypeIPv4 && (err != nil || !a.Is4()) {
		notes = append(notes, fmt.Sprintf("%s is %q; the guide wants a dotted address there, and whether a name works is not confirmed", p.Name, cut(value)))
	}
	return strings.Join(notes, "; "), nil
}

// fault names the parameter, what was found and what is allowed; the value of a secret is not named.
func (p Parameter) fault(value, allowed string) error {
	if p.Secret {
		return fmt.Errorf("%s: found a value that can't be written, allowed is %s", p.Name, allowed)
	}
	return fmt.Errorf("%s: found %q, allowed is %s", p.Name, cut(value), allowed)
}

// cut shortens a value that a sentence quotes.
func cut(value string) string {
	const most = 80
	if r := []rune(value[:min(len(value), 4*most)]); len(r) > most {
		return string(r[:most]) + "..."
	}
	return value
}

// checkText refuses what the grammar of a .cnf file can't carry (phones.md h). The error says what is allowed.
func checkText(value string) error {
	for _, r := range value {
		switch {
		case r == '"':
			return fmt.Errorf("text without a double quote, for which the file has no escape")
		case r < 0x20, r >= 0x7f && r < 0xa0:
			return fmt.Errorf("text of one line without control characters")
		case r > 0xff:
			return fmt.Errorf("text of ISO-8859-1 (Western European) characters")
		}
	}
	return nil
}

// isClockTime accepts h, hh, hh:mm and hh/mm.
func isClockTime(s string) bool {
	hours, minutes, ok := strings.Cut(strings.Replace(s, "/", ":", 1), ":")
	if !ok {
		minutes = "0"
	}
	h, err1 := strconv.ParseUint(hours, 10, 8)
	m, err2 := strconv.ParseUint(minutes, 10, 8)
	return err1 == nil && err2 == nil && h < 24 && m < 60 && len(hours) <= 2 && len(minutes) <= 2
}

func containsFold(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}

// suggest returns the catalogue's name that is nearest to a misspelt one, or "" when none is near.
func suggest(name string) string {
	name = strings.ToLower(name)
	if len(name) > 64 {
		return ""
	}
	if name == "timer_registry_delta" { // so spelt by one published model
		return "timer_register_delta"
	}
	best, bestDistance := "", 1+min(2, len(name)/4)
	for _, p := range catalogue {
		if apart := len(p.Name) - len(name); apart >= bestDistance || -apart >= bestDistance {
			continue
		}
		if d := distance(name, strings.ToLower(p.Name)); d < bestDistance {
			best, bestDistance = p.Name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, changes and swaps of neighbours between a and b.
func distance(a, b string) int {
	older, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, last, row = last, row, older
	}
	return last[len(b)]
}
