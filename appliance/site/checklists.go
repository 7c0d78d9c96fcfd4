package site

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/phone/dialplan"
)

// The most entries of the lists that are no phones.
const (
	maxContacts = 2000
	maxWaiting  = 2000
	maxRules    = 200 // dialplan.xml has room for fewer (phones.md g.3: 8 KB)
)

// tooMany refuses a list that is too long.
func (c *checker) tooMany(path string, have, most int) bool {
	if have <= most {
		return false
	}
	c.fault(fmt.Sprintf("%s[%d]", path, most), strconv.Itoa(have)+" entries", "up to "+strconv.Itoa(most))
	return true
}

// required refuses an entry of a list that lacks a key.
func (c *checker) required(list, path, name, value, what string) {
	if value == "" && !c.faulty[path+"."+name] && !c.faulty[list+"."+name] {
		c.fault(path+"."+name, "nothing", what)
	}
}

// dialPlan checks the rules of the dial plan.
func (c *checker) dialPlan() {
	const list = "dial_plan.rules"
	rules := c.site.DialPlan.Rules
	if c.tooMany(list, len(rules), maxRules) {
		return
	}
	whole := true
	for i, r := range rules {
		path := fmt.Sprintf("%s[%d]", list, i)
		if c.faulty[path] || slices.ContainsFunc(ruleKeys(), func(k key[DialRule]) bool { return c.faulty[join(path, k.name)] }) {
			whole = false
			continue
		}
		for _, fault := range dialplan.Check(r.rule()) {
			found, allowed, ok := strings.Cut(fault, "; allowed are ")
			if !ok {
				allowed = "a rule that the phones take"
			}
			c.fault(path, found, allowed)
			whole = false
		}
	}
	if _, err := c.site.DialPlan.File(); err != nil && whole {
		c.fault(list, err.Error(), "fewer or shorter rules")
	}
}

// waiting checks the lines that wait for a phone; accounts are those that phones have, with the phone.
func (c *checker) waiting(accounts map[string]int) {
	const list = "lines"
	if c.tooMany(list, len(c.site.Lines), maxWaiting) {
		return
	}
	here := map[string]int{}
	for i := range c.site.Lines {
		path, l := fmt.Sprintf("%s[%d]", list, i), &c.site.Lines[i]
		if c.faulty[path] {
			continue
		}
		c.lineTexts(path, &l.Line)
		if l.Name == "" {
			c.required(list, path, "name", "", "the number or name of the account")
			continue
		}
		if first, twice := here[l.Name]; twice {
			c.fault(path+".name", fmt.Sprintf("%s, also in %s[%d]", quote(l.Name), list, first), "each line that waits once")
			continue
		}
		here[l.Name] = i
		if first, has := accounts[l.Name]; has {
			c.warn(path+".name", quote(l.Name)+", "+c.also(first), "a line that no phone has yet")
		}
	}
}

// contacts checks that each has a name and a number.
func (c *checker) contacts() {
	const list = "contacts"
	if c.tooMany(list, len(c.site.Contacts), maxContacts) {
		return
	}
	for i, contact := range c.site.Contacts {
		if path := fmt.Sprintf("%s[%d]", list, i); !c.faulty[path] {
			c.required(list, path, "name", contact.Name, "the name that the directory shows")
			c.required(list, path, "number", contact.Number, "the number that is dialled")
		}
	}
}
