package site

import (
	"fmt"
	"regexp"
	"strings"
)

// TOML writes the site in canonical order: every key of the site, and of the phones what is set. Without secrets every
// password that is set is written as the [Mask]. [Parse] of the text with secrets gives the same site.
func (s *Site) TOML(secrets bool) []byte {
	if !secrets {
		s = s.Masked()
	}
	var w strings.Builder
	for _, g := range siteGroups() {
		writeGroup(&w, g, s)
	}
	writeList(&w, "dhcp.subnet", subnetKeys(), s.DHCP.Subnets)
	for i := range s.DHCP.Classes {
		writeList(&w, "dhcp.class", classKeys(), s.DHCP.Classes[i:i+1])
		writeOptions(&w, s.DHCP.Classes[i].Options)
	}
	writeList(&w, "dial_plan.rules", ruleKeys(), s.DialPlan.Rules)
	writeList(&w, "contacts", contactKeys(), s.Contacts)
	writeList(&w, "lines", waitingKeys(), s.Lines)
	for i := range s.Phones {
		p := &s.Phones[i]
		w.WriteString("\n[[phones]]\n")
		writeScalars(&w, "", phoneKeys(), p, false)
		for j := range p.Lines {
			w.WriteString("[[phones.lines]]\n")
			writeScalars(&w, "", lineKeys(), &p.Lines[j], false)
		}
		writeMaps(&w, "phones", phoneKeys(), p)
	}
	return []byte(w.String())
}

// writeGroup writes one table of the site.
func writeGroup(w *strings.Builder, g group, s *Site) {
	var scalars, maps strings.Builder
	writeScalars(&scalars, g.table, g.keys, s, !g.sparse)
	writeMaps(&maps, "", g.keys, s)
	switch {
	case g.sparse && scalars.Len()+maps.Len() == 0:
		return
	case g.table != "":
		w.WriteString("\n")
	}
	if g.table != "" && !(g.sparse && scalars.Len() == 0) {
		w.WriteString("[" + g.table + "]\n")
	}
	w.WriteString(scalars.String() + maps.String())
}

// writeList writes a list of tables that hold no further tables.
func writeList[T any](w *strings.Builder, table string, keys []key[T], list []T) {
	for i := range list {
		w.WriteString("\n[[" + table + "]]\n")
		writeScalars(w, "", keys, &list[i], false)
	}
}

// writeScalars writes the keys that are no tables; without all, only those that differ from the zero value.
func writeScalars[T any](w *strings.Builder, table string, keys []key[T], v *T, all bool) {
	for _, k := range keys {
		if k.kind == KindMap {
			continue
		}
		in := k.get(v)
		if !all && (len(in) == 0 || in[0].text == "" || k.kind == KindBool && in[0].text == "false") {
			continue
		}
		fmt.Fprintf(w, "%s = %s\n", strings.TrimPrefix(k.name, table+"."), k.write(in))
	}
}

// writeMaps writes the keys that are tables of names, which have to stand behind the other keys of their table.
func writeMaps[T any](w *strings.Builder, prefix string, keys []key[T], v *T) {
	for _, k := range keys {
		if k.kind != KindMap {
			continue
		}
		in := k.get(v)
		if len(in) == 0 {
			continue
		}
		fmt.Fprintf(w, "[%s]\n", join(prefix, k.name))
		for _, e := range in {
			fmt.Fprintf(w, "%s = %s\n", tomlKey(e.name), tomlText(e.text))
		}
	}
}

// write writes a value that is no map.
func (k *key[T]) write(in []entry) string {
	switch k.kind {
	case KindBool, KindNumber:
		return in[0].text
	case KindList:
		items := make([]string, len(in))
		for i, e := range in {
			items[i] = tomlText(e.text)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return tomlText(in[0].text)
}

var bareKeyName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(s string) string {
	if bareKeyName.MatchString(s) {
		return s
	}
	return tomlText(s)
}

// tomlText writes a basic string (TOML 1.0).
func tomlText(s string) string {
	var w strings.Builder
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&w, `\u%04X`, r)
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
	return w.String()
}
