package adopt

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"phonebox/appliance/site"
	"phonebox/services/phone/dialplan"
)

// maxContacts and maxRules are the most that a site takes.
const (
	maxContacts = 2000
	maxRules    = 200
)

// readDialPlans makes the dial plan that SIPDefault.cnf names the site's; others are kept as they are.
func (a *adoption) readDialPlans() {
	named := strings.ToLower(a.template()) + ".xml"
	found := false
	for _, f := range a.todo(func(f *file) bool { return f.root == "dialtemplate" || strings.ToLower(f.name) == named }) {
		if strings.ToLower(f.name) == named {
			a.dialPlan(f)
			found = true
			continue
		}
		if f.name != "" && strings.EqualFold(f.name, "dialplan.xml") {
			a.ignore(f, "SIPDefault.cnf names %s, which becomes the site's dial plan; phonebox writes dialplan.xml from that", named)
			a.plan.LeftOut++
			continue
		}
		a.store(f, VerdictOwnFile, "", "a dial plan that SIPDefault.cnf does not name; kept for phones whose dial_template does")
	}
	if f := a.byName["sipdefault.cnf"]; f != nil && !found && a.defaults.text("dial_template") != "" {
		f.verdict.warn("its dial_template names %s, which is not there; phones get the site's dial plan", shown(named))
	}
}

// dialPlan reads the rules of the site's dial plan.
func (a *adoption) dialPlan(f *file) {
	plan, warnings, err := dialplan.Read(f.content)
	for _, w := range warnings {
		f.verdict.warn("line %d: %s", w.Line, w.Text)
	}
	had := len(a.site.DialPlan.Rules) > 0 || a.site.DialPlan.Country != ""
	switch {
	case err != nil:
		a.refuse(f, "it is no dial plan that can be read: %v", err)
	case len(plan.Rules) == 0:
		a.ignore(f, "it has no rules")
	case len(plan.Rules) > maxRules:
		a.refuse(f, "it has %d rules, allowed are up to %d", len(plan.Rules), maxRules)
	case had && a.opts.KeepPresent:
		a.ignore(f, "the site has a dial plan already, and that stays")
		a.plan.LeftOut++
	default:
		a.plans = f
		var rules []site.DialRule
		for _, r := range plan.Rules {
			if r.Line != 0 {
				f.verdict.warn("the rule %s holds for line %d only; these phones don't know that, so it holds for all lines", r.Match, r.Line)
			}
			rules = append(rules, site.DialRule{
				Match: r.Match, Timeout: r.Timeout, User: r.User, Rewrite: r.Rewrite, Route: r.Route,
				Tone: dialplan.JoinTones(r.Tones), Comment: strings.ReplaceAll(r.Comment, "\n", " "),
			})
		}
		same := a.site.DialPlan.Country == "" && slices.Equal(a.site.DialPlan.Rules, rules)
		a.site.DialPlan = site.DialPlan{Rules: rules}
		switch {
		case same:
			f.verdict.set(VerdictDialPlan, "the site has these %d rules already", len(rules))
		case had:
			f.verdict.set(VerdictDialPlan, "its %d rules become the site's dial plan, in the place of the present one", len(rules))
		default:
			f.verdict.set(VerdictDialPlan, "its %d rules become the site's dial plan", len(rules))
		}
	}
}

// readDirectories takes the people of directories who are not phones of the site.
func (a *adoption) readDirectories() {
	for _, f := range a.todo(func(f *file) bool { return f.root == "ciscoipphonedirectory" || f.root == "ciscoipphonemenu" }) {
		list, others, err := readEntries(f.content)
		if err != nil {
			f.verdict.warn("%v; what stands before the fault was read", err)
		}
		if others > 0 {
			f.verdict.warn("what its items open besides numbers was left out: %d pages", others)
		}
		d := newDirectory(a.site)
		for _, e := range list {
			c, fault := newContact(e.name, e.number)
			if fault != "" {
				f.verdict.warn("%s: %s; it was left out", shown(e.name), fault)
			} else if d.add(c) {
				a.people[c] = f
			}
		}
		if d.full > 0 {
			f.verdict.warn("%d were left out, because a site has up to %d contacts", d.full, maxContacts)
		}
		a.plan.Contacts += d.added
		f.verdict.set(VerdictContacts, "%s", d.sentence())
	}
}

// newContact makes a contact of what a file says; fault says why it is none.
func newContact(name, number string) (c site.Contact, fault string) {
	c.Name = cleanText(name)
	c.Number = cleanNumber(number)
	switch {
	case c.Number == "":
		return c, "it has no number"
	case strings.ContainsAny(c.Number, " ;\"") || len(c.Number) > 127:
		return c, fmt.Sprintf("found the number %s, allowed is a number or the user part of an address, without blanks", shown(number))
	case c.Name == "":
		return c, "it has no name"
	}
	const longest = 64
	if r := []rune(c.Name); len(r) > longest {
		c.Name = strings.TrimSpace(string(r[:longest]))
	}
	return c, ""
}

// cleanText makes one printable line of a text.
func cleanText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) || r == '\ufeff' || r == '\ufffd' {
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

var separators = strings.NewReplacer(" ", "", "(", "", ")", "", "-", "", ".", "", "/", "", "\u2010", "", "\u2011", "", "\u2013", "")

// cleanNumber takes the separators out of a number, which phones don't dial; what is no number but a user's name stays.
func cleanNumber(s string) string {
	s = strings.TrimLeft(cleanText(s), "'")
	if after, ok := strings.CutPrefix(strings.ToLower(s), "tel:"); ok {
		s = after
	}
	if strings.HasPrefix(s, "+") {
		s = strings.Replace(s, "(0)", "", 1) // the trunk prefix, which is not dialled behind the country's code
	}
	if plain := separators.Replace(s); strings.Trim(plain, "0123456789+*#") == "" {
		return plain
	}
	return s
}
