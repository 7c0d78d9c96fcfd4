package site

import (
	"fmt"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// Change is one difference between two sites. It never holds a secret.
type Change struct {
	Key  string    // network.gateway, dhcp.subnet[0].pool; of a phone within its entry: lines[0].password
	What string    // the key in words: Router, Password of line 1
	MAC  phone.MAC // whose; zero = it is none of a phone
	Who  string    // the label of that phone, or the entry of a list: Contact Fire
	// Old and New are the values as the form shows them; both "" for a secret, which Secret says. Of what was added Old is
	// "", of what was removed New.
	Old, New string
	Secret   bool
	Kind     ChangeKind
}

// ChangeKind says what happened to a key, an entry of a list or a phone.
type ChangeKind string

// The kinds of changes.
const (
	Changed ChangeKind = "changed"
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
)

// Diff tells what differs between two sites, key by key in the order of the file, without secrets: of these it tells only
// that they changed. Phones are the same when their MACs are, lines of a phone when their places are, entries of other lists
// when their names are.
func Diff(old, now *Site) []Change {
	return slices.Concat(
		DiffSettings(old, now),
		ruleList().diff(old.DialPlan.Rules, now.DialPlan.Rules),
		contactList().diff(old.Contacts, now.Contacts),
		waitingList().diff(old.Lines, now.Lines),
		diffPhones(old.Phones, now.Phones),
	)
}

// DiffSettings is [Diff] of what the forms of the settings show: all but dialling rules, contacts, lines that wait
// and phones.
func DiffSettings(old, now *Site) []Change {
	var out []Change
	for _, k := range siteKeys() {
		out = append(out, diffKey(&k, "", k.label, old, now)...)
	}
	return slices.Concat(out, subnetList().diff(old.DHCP.Subnets, now.DHCP.Subnets), classList().diff(old.DHCP.Classes, now.DHCP.Classes))
}

// Secrets returns every secret of the site, once each: passwords of lines and parameters that hold one.
func (s *Site) Secrets() []string {
	seen := map[string]bool{"": true}
	var out []string
	s.Clone().secrets(func(_, secret string) string {
		if !seen[secret] {
			seen[secret] = true
			out = append(out, secret)
		}
		return secret
	})
	return out
}

// diffKey compares one key of a table.
func diffKey[T any](k *key[T], prefix, label string, old, now *T) []Change {
	before, after := k.get(old), k.get(now)
	if k.kind == KindMap {
		return diffMap(k, prefix, label, before, after)
	}
	a, b := flat(k.kind, before), flat(k.kind, after)
	if a == b {
		return nil
	}
	c := Change{Key: join(prefix, k.name), What: label, Old: a, New: b, Kind: Changed}
	if k.secret {
		c.Secret, c.Old, c.New = true, "", ""
		switch {
		case a == "":
			c.Kind = Added
		case b == "":
			c.Kind = Removed
		}
	}
	return []Change{c}
}

// flat writes a value on one line.
func flat(kind string, in []entry) string { return strings.ReplaceAll(formText(kind, in), "\n", ", ") }

func diffMap[T any](k *key[T], prefix, label string, before, after []entry) []Change {
	old, now := map[string]string{}, map[string]string{}
	var names []string
	for _, e := range before {
		old[e.name] = e.text
		names = append(names, e.name)
	}
	for _, e := range after {
		now[e.name] = e.text
		names = append(names, e.name)
	}
	slices.Sort(names)
	var out []Change
	for _, name := range slices.Compact(names) {
		a, had := old[name]
		b, has := now[name]
		if had && has && a == b {
			continue
		}
		c := Change{Key: join(join(prefix, k.name), name), What: label + ", " + name, Old: a, New: b, Kind: Changed}
		switch {
		case !had:
			c.Kind = Added
		case !has:
			c.Kind = Removed
		}
		if k.isSecret(entry{name: name}) {
			c.Secret, c.Old, c.New = true, "", ""
		}
		out = append(out, c)
	}
	return out
}

func diffPhones(before, after []Phone) []Change {
	old, now := map[phone.MAC]*Phone{}, map[phone.MAC]bool{}
	for i := range before {
		old[before[i].MAC] = &before[i]
	}
	var out []Change
	for i := range after {
		p := &after[i]
		now[p.MAC] = true
		if was, ok := old[p.MAC]; ok {
			out = append(out, diffPhone(was, p)...)
			continue
		}
		out = append(out, Change{Key: "phones", What: "Phone", MAC: p.MAC, Who: p.Label, New: phoneWords(p), Kind: Added})
	}
	for i := range before {
		if p := &before[i]; !now[p.MAC] {
			out = append(out, Change{Key: "phones", What: "Phone", MAC: p.MAC, Who: p.Label, Old: phoneWords(p), Kind: Removed})
		}
	}
	return out
}

// phoneWords says which phone it is: its MAC and the numbers of its lines.
func phoneWords(p *Phone) string {
	var names []string
	for _, l := range p.Lines {
		names = append(names, l.Name)
	}
	switch len(names) {
	case 0:
		return p.MAC.String()
	case 1:
		return fmt.Sprintf("%s with the line %s", p.MAC, names[0])
	}
	return fmt.Sprintf("%s with the lines %s", p.MAC, strings.Join(names, ", "))
}

func diffPhone(old, now *Phone) []Change {
	var out []Change
	for _, k := range phoneKeys() {
		out = append(out, diffKey(&k, "", k.label, old, now)...)
	}
	for i := range max(len(old.Lines), len(now.Lines)) {
		prefix, line := fmt.Sprintf("lines[%d]", i), fmt.Sprintf("of line %d", i+1)
		switch {
		case i >= len(old.Lines):
			out = append(out, Change{Key: prefix, What: fmt.Sprintf("Line %d", i+1), New: now.Lines[i].Name, Kind: Added})
		case i >= len(now.Lines):
			out = append(out, Change{Key: prefix, What: fmt.Sprintf("Line %d", i+1), Old: old.Lines[i].Name, Kind: Removed})
		default:
			for _, k := range lineKeys() {
				out = append(out, diffKey(&k, prefix, k.label+" "+line, &old.Lines[i], &now.Lines[i])...)
			}
		}
	}
	for i := range out {
		out[i].MAC, out[i].Who = now.MAC, now.Label
		if out[i].Who == "" {
			out[i].Who = now.MAC.String()
		}
	}
	return out
}
