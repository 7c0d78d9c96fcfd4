package phone

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Cnf is a .cnf file of the SIP image as it is sent: ISO-8859-1, lines that end with LF (phones.md h).
type Cnf struct {
	Content  []byte
	Warnings []string // values that the guide does not allow though they are known to work; never a secret
}

// WriteSIPDefault writes SIPDefault.cnf. values holds what the site sets, by parameter name in any case; what it does
// not set is written with its default, because a phone keeps the flash value of a parameter that is absent. Names that
// the catalogue does not know are written after the others. load is image_version; "" leaves the line out, so that the
// phone keeps what it has.
//
// Secrets, and parameters that belong to one phone, don't go into this file: where values holds one, that is an error,
// as is a value that the file can't carry. The error names every fault, a line each, and no secret.
func WriteSIPDefault(values map[string]string, load string) (Cnf, error) {
	w := newCnfWriter(values, load)
	for _, p := range catalogue {
		value, set := w.take(p)
		switch {
		case p.PhoneFile && p.Scope == ScopePhone:
			if set {
				w.faults = append(w.faults, fmt.Errorf("%s: it belongs into the file of a phone", p.Name))
			}
		case set, p.Managed && !p.PhoneFile:
			w.line(p, value)
		}
	}
	for key, name := range w.names {
		if _, left := w.values[key]; left && IsSecretParameter(name) {
			w.faults = append(w.faults, fmt.Errorf("%s: it belongs into the file of a phone", name))
		}
	}
	w.unknown()
	return w.file()
}

// WriteSIPMAC writes SIP<MAC>.cnf of a phone: every managed parameter that belongs to a phone, with all lines of its
// model (6 where it is not known), unused ones cleared, and whatever else values holds. load is as for
// [WriteSIPDefault].
func WriteSIPMAC(values map[string]string, model, load string) (Cnf, error) {
	w := newCnfWriter(values, load)
	for _, p := range catalogue {
		value, set := w.take(p)
		switch {
		case !p.On(model) && strings.HasPrefix(p.Name, "line"):
		case set, p.Managed && p.PhoneFile:
			w.line(p, value)
		}
	}
	w.unknown()
	return w.file()
}

// LinesOf returns how many lines a model has: 2 for "7940", else 6.
func LinesOf(model string) int {
	if model == "7940" {
		return 2
	}
	return Lines
}

// cnfWriter collects the lines of a file.
type cnfWriter struct {
	values   map[string]string // by name in lower case; taken ones are deleted
	names    map[string]string // lower case: as given
	text     strings.Builder
	warnings []string
	faults   []error
}

// newCnfWriter takes the values. Those of reserved parameters are put aside with a warning: a site that set sync would
// end check-sync, one that set image_version would go round the rules on firmware. image_version is load.
func newCnfWriter(values map[string]string, load string) *cnfWriter {
	w := &cnfWriter{values: make(map[string]string, len(values)), names: make(map[string]string, len(values))}
	for _, name := range slices.Sorted(maps.Keys(values)) { // in order, so that of names in two cases always the same wins
		value := values[name]
		if p, ok := LookUpParameter(name); ok && p.Reserved {
			w.warnings = append(w.warnings, p.Name+" is decided by phonebox; the value that is set is not used")
			continue
		}
		w.values[strings.ToLower(name)] = norm.NFC.String(value)
		w.names[strings.ToLower(name)] = name
	}
	slices.Sort(w.warnings)
	if load != "" {
		w.values["image_version"] = load
	}
	return w
}

// take returns the value that is set for a parameter, else its default.
func (w *cnfWriter) take(p Parameter) (value string, set bool) {
	key := strings.ToLower(p.Name)
	value, set = w.values[key]
	if !set {
		return p.Default, false
	}
	delete(w.values, key)
	return value, true
}

// line writes one parameter, or notes why it can't be written.
func (w *cnfWriter) line(p Parameter, value string) {
	warning, err := p.Check(value)
	if err != nil {
		w.faults = append(w.faults, err)
		return
	}
	if warning != "" {
		w.warnings = append(w.warnings, warning)
	}
	if p.isWord() && value != "" {
		w.text.WriteString(p.Name + ": " + value + "\n")
	} else {
		w.text.WriteString(p.Name + ": \"" + value + "\"\n")
	}
}

// unknown writes what is left: parameters that the catalogue does not know, in the order of their names.
func (w *cnfWriter) unknown() {
	keys := make([]string, 0, len(w.values))
	for key := range w.values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		name := w.names[key]
		if !isParameterName(name) {
			w.faults = append(w.faults, fmt.Errorf("found the parameter name %.64q, allowed are letters, digits, dots and underscores", name))
			continue
		}
		w.line(unknownParameter(name), w.values[key])
	}
}

// unknownParameter is what can be said of a name that the catalogue does not know.
func unknownParameter(name string) Parameter {
	return Parameter{
		Name: name, Type: TypeString, Scope: ScopeBoth, Max: longestValue, Allowed: "up to 255 characters",
		Secret: IsSecretParameter(name), PhoneFile: IsSecretParameter(name),
	}
}

// isParameterName reports whether a file can carry a name: up to 64 letters, digits, dots and underscores. Dots occur
// in the files of a published provisioning suite (phones.md h).
func isParameterName(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// The sizes of a file in bytes. How much a phone takes is not confirmed, and one that meets a file larger than its
// buffer keeps its old configuration (phones.md c.6, W210). CnfAccepted is the size of a default file that is known to
// be taken (phones.md h); above it the writer warns. CnfLimit is the published limit of the other text file that the
// SIP image reads, the dial plan (phones.md g.3); above it the writer refuses, because nothing says that more would be
// read. The largest real files have some 5,000 bytes, for neither comments nor headings are written.
const (
	CnfAccepted = 5700
	CnfLimit    = 8192
)

// file returns what was written, in ISO-8859-1.
func (w *cnfWriter) file() (Cnf, error) {
	content := latin1(w.text.String())
	if n := len(content); n > CnfLimit {
		w.faults = append(w.faults, fmt.Errorf("the file: found %d bytes, allowed are %d, because phones may not take more: set fewer parameters or shorter ones", n, CnfLimit))
	} else if n > CnfAccepted {
		w.warnings = append(w.warnings, fmt.Sprintf("the file has %d bytes; phones are known to take %d, more is not confirmed", n, CnfAccepted))
	}
	if len(w.faults) > 0 {
		return Cnf{}, errors.Join(w.faults...)
	}
	if len(content) != w.text.Len() && utf8.Valid(content) {
		w.warnings = append(w.warnings, looksMisread)
	}
	return Cnf{Content: content, Warnings: w.warnings}, nil
}

// looksMisread warns of text such as "CafÃ©": it was UTF-8 that somebody read as ISO-8859-1, and the bytes of the file
// are UTF-8 again.
const looksMisread = "a text looks as if its accents had been read in the wrong encoding, such as Ã© for é: type it anew"

// latin1 writes text in ISO-8859-1; a character beyond it becomes a question mark.
func latin1(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return b
}

// ShowText makes any text fit to be shown by a phone: one line of ISO-8859-1 without double quotes, at most limit
// characters. What can't be written is replaced by what reads nearly the same, not refused: for labels, which people write for
// themselves.
func ShowText(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range NearestLatin1(s) {
		if n == limit {
			break
		}
		switch {
		case r == '"':
			r = '\''
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
