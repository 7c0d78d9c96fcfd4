package site

import (
	"fmt"
	"strconv"
)

// The most entries of the lists that are no phones.
const (
	maxContacts = 2000
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
	for i, r := range rules {
		if path := fmt.Sprintf("%s[%d]", list, i); !c.faulty[path] {
			c.required(list, path, "match", r.Match, "the digits for which the rule holds, such as 0.........")
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
