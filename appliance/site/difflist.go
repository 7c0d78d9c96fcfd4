package site

import (
	"fmt"
	"strings"
)

// diffable is a list of tables of the file, as [Diff] compares it.
type diffable[T any] struct {
	path string // dhcp.subnet
	what string // Network behind a relay
	keys []key[T]
	name func(*T) string // by which an entry is found again
}

func subnetList() diffable[Subnet] {
	return diffable[Subnet]{"dhcp.subnet", "Network behind a relay", subnetKeys(), func(s *Subnet) string { return s.Name }}
}

func classList() diffable[Class] {
	return diffable[Class]{"dhcp.class", "Options for a class", append(classKeys(), optionsKey()), func(c *Class) string { return c.Name }}
}

func ruleList() diffable[DialRule] {
	return diffable[DialRule]{"dial_plan.rules", "Rule of the dial plan", ruleKeys(), func(r *DialRule) string { return r.Match }}
}

func contactList() diffable[Contact] {
	return diffable[Contact]{"contacts", "Contact", contactKeys(), func(c *Contact) string { return c.Name }}
}

func waitingList() diffable[WaitingLine] {
	return diffable[WaitingLine]{"lines", "Line that waits", waitingKeys(), func(w *WaitingLine) string { return w.Name }}
}

// diff compares two lists. An entry that has got another name is found again by its place. Where the entries that both have
// stand in another order, that is one more change, for the first of the dialling rules that matches wins.
func (l diffable[T]) diff(old, now []T) []Change {
	from := l.pair(old, now)
	var out []Change
	stays := make([]bool, len(old))
	last, turned := -1, false
	for i, j := range from {
		path := fmt.Sprintf("%s[%d]", l.path, i)
		if j < 0 {
			out = append(out, Change{Key: path, What: l.what, New: l.words(&now[i]), Kind: Added})
			continue
		}
		stays[j] = true
		turned, last = turned || j < last, j
		for _, k := range l.keys {
			for _, c := range diffKey(&k, path, k.label, &old[j], &now[i]) {
				c.Who = strings.TrimSpace(l.what + " " + l.name(&now[i]))
				out = append(out, c)
			}
		}
	}
	for j := range old {
		if !stays[j] {
			out = append(out, Change{Key: fmt.Sprintf("%s[%d]", l.path, j), What: l.what, Old: l.words(&old[j]), Kind: Removed})
		}
	}
	if turned {
		out = append(out, Change{Key: l.path, What: l.what, Old: "one order", New: "another order", Kind: Changed})
	}
	return out
}

// pair returns for each entry of now where it was; -1 = nowhere.
func (l diffable[T]) pair(old, now []T) []int {
	places := map[string][]int{} // where the entries of a name were, the first first
	for j := range old {
		name := l.name(&old[j])
		places[name] = append(places[name], j)
	}
	from, taken := make([]int, len(now)), make([]bool, len(old))
	for i := range now {
		from[i] = -1
		name := l.name(&now[i])
		if at := places[name]; len(at) > 0 {
			from[i], places[name] = at[0], at[1:]
			taken[at[0]] = true
		}
	}
	if len(old) == len(now) {
		for i := range now {
			if from[i] < 0 && !taken[i] {
				from[i] = i
			}
		}
	}
	return from
}

// words writes an entry on one line, without its secrets.
func (l diffable[T]) words(of *T) string {
	var parts []string
	for _, k := range l.keys {
		if text := flat(k.kind, k.get(of)); text != "" && text != "false" && !k.secret {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}
