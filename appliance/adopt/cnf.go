package adopt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// cnf is a .cnf file as far as it counts: of each name the value that a phone would take.
type cnf struct {
	list  []setting
	byKey map[string]int
}

// setting is one parameter of a .cnf file.
type setting struct {
	line  int
	name  string // as the catalogue writes it, else as the file does
	key   string // name in lower case
	value string
	p     phone.Parameter // of a name that the catalogue does not know only the name is filled
	known bool
	bad   bool // the value is out of range
}

// empty reports whether the value says nothing: "" and UNPROVISIONED clear (phones.md h).
func (s setting) empty() bool { return isEmpty(s.value) }

func isEmpty(value string) bool { return value == "" || strings.EqualFold(value, phone.Unprovisioned) }

// readCnf reads a file and writes its oddities into the verdict.
func readCnf(content []byte, v *Verdict) *cnf {
	in := phone.ReadCnf(content)
	faults := map[int]string{} // by line: what is wrong with a value
	c := &cnf{byKey: map[string]int{}}
	for _, l := range in.Lines {
		if !l.Used {
			continue
		}
		s := setting{line: l.Number, name: l.Name, value: l.Value, p: phone.Parameter{Name: l.Name}}
		if s.p, s.known = phone.LookUpParameter(l.Name); s.known {
			s.name = s.p.Name
			if _, err := s.p.Check(l.Value); err != nil {
				s.bad = true
				faults[l.Number] = err.Error()
			}
		}
		s.key = strings.ToLower(s.name)
		c.byKey[s.key] = len(c.list)
		c.list = append(c.list, s)
	}
	for _, w := range in.Warnings {
		text := w.Text
		if fault, ok := faults[w.Line]; ok && fault == w.Text {
			text += "; it was left out"
		}
		if w.Suggestion != "" {
			text += "; " + w.Suggestion + " was probably meant"
		}
		if w.Line > 0 {
			text = fmt.Sprintf("line %d: %s", w.Line, text)
		}
		v.warn("%s", text)
	}
	return c
}

// find returns what the file says of a name.
func (c *cnf) find(name string) (setting, bool) {
	i, ok := c.byKey[strings.ToLower(name)]
	if !ok {
		return setting{}, false
	}
	return c.list[i], true
}

// text returns a value, "" where the file has none, a wrong one, or clears it.
func (c *cnf) text(name string) string {
	s, ok := c.find(name)
	if !ok || s.bad || s.empty() {
		return ""
	}
	return s.value
}

// port returns a port, 0 where the file has none or a wrong one.
func (c *cnf) port(name string) uint16 {
	n, err := strconv.ParseUint(c.text(name), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// lineName is the name of a parameter that exists once a line: line2_name, proxy2_address.
func lineName(prefix string, n int, suffix string) string {
	return prefix + strconv.Itoa(n) + "_" + suffix
}

// sameValue reports whether two values mean the same to a phone.
func sameValue(p phone.Parameter, a, b string) bool {
	if isEmpty(a) && isEmpty(b) {
		return true
	}
	switch p.Type {
	case phone.TypeInt, phone.TypePort, phone.TypeMask, phone.TypeBool:
		x, err1 := strconv.Atoi(a)
		y, err2 := strconv.Atoi(b)
		return err1 == nil && err2 == nil && x == y
	case phone.TypeEnum, phone.TypeHost, phone.TypeIPv4:
		return strings.EqualFold(a, b)
	}
	return a == b
}

// isTime reports whether the box derives a parameter from the site's time zone.
func isTime(key string) bool { return key == "time_zone" || strings.HasPrefix(key, "dst_") }

// isURL reports whether a parameter names a page that the box serves itself.
func isURL(key string) bool {
	return key == "services_url" || key == "directory_url" || key == "logo_url"
}

// lookUp finds a name in a map of parameters, in any case of letters.
func lookUp(params map[string]string, name string) (key, value string, ok bool) {
	if value, ok := params[name]; ok {
		return name, value, true
	}
	for k, v := range params {
		if strings.EqualFold(k, name) {
			return k, v, true
		}
	}
	return "", "", false
}

// put sets a parameter in a map, which it makes where it is nil, and reports whether that changes anything.
func put(params *map[string]string, name, value string) bool {
	if old, before, ok := lookUp(*params, name); ok {
		if before == value {
			return false
		}
		delete(*params, old)
	}
	if *params == nil {
		*params = map[string]string{}
	}
	(*params)[name] = value
	return true
}

// words joins names for a sentence: "a, b and c", and counts where there are too many.
func words(list []string) string {
	const most = 12
	if len(list) > most {
		list = append(slices.Clone(list[:most]), fmt.Sprintf("%d others", len(list)-most))
	}
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
}

// shown quotes a text from outside, cut to what a person needs to recognise it.
func shown(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most])) + "..."
	}
	return strconv.Quote(s)
}
