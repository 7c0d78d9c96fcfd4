package dialplan

import (
	"fmt"
	"slices"
	"strings"
)

// Lint finds what is wrong with a plan as a whole, a sentence each: faults of its rules, rules that can never win
// because another sends before them or always fits as well, rewrites that use wildcards which MATCH doesn't have, a
// missing catch-all, and emergency numbers that are delayed, changed or not reached. emergency are the numbers to look
// at besides those that the plan itself treats as such ([Emergency] has those of a country). Empty means that all is well.
func Lint(plan Plan, emergency ...string) []string {
	var out []string
	catchAll := false
	for i, r := range plan.Rules {
		faults := Check(r)
		for _, f := range faults {
			out = append(out, fmt.Sprintf("Rule %d: %s.", i+1, f))
		}
		if len(faults) == 0 {
			out = append(out, lintRewrite(i+1, r)...)
		}
		if r.Line != 0 {
			out = append(out, fmt.Sprintf("Rule %d has a Line, which is known of the 7941 and 7961; a 7940 or 7960 may refuse the rule.", i+1))
		}
		catchAll = catchAll || r.Match == "*" && r.Line == 0
	}
	out = append(out, lintShadows(plan)...)
	if !catchAll {
		out = append(out, fmt.Sprintf("No rule catches all other numbers (MATCH *), so they are sent %d s after the last digit.", DefaultTimeout))
	}
	return append(out, lintEmergency(plan, emergency)...)
}

// lintRewrite looks for wildcards that are not there.
func lintRewrite(number int, r Rule) []string {
	var out []string
	runs := runs(compile(r.Match))
	for i := 0; i+1 < len(r.Rewrite); i++ {
		if r.Rewrite[i] != '%' {
			continue
		}
		i++
		if n := int(r.Rewrite[i] - '0'); r.Rewrite[i] > '0' && r.Rewrite[i] <= '9' && n > min(runs, MaxGroups) {
			out = append(out, fmt.Sprintf("Rule %d: Rewrite uses %%%d, and MATCH %s has %d groups of wildcards, so the phone sends the digit %[2]d itself.",
				number, n, r.Match, runs))
		}
	}
	if strings.EqualFold(r.Route, "FQDN") && !strings.Contains(r.Rewrite, "@") {
		out = append(out, fmt.Sprintf("Rule %d has the route FQDN, so Rewrite must name a host behind @, such as %%s@pbx.example.org.", number))
	}
	return out
}

// runs counts the groups of wildcards.
func runs(tokens []token) int {
	n := 0
	for i, t := range tokens {
		if t.kind == anyMany || t.kind == anyOne && (i == 0 || tokens[i-1].kind != anyOne) {
			n++
		}
	}
	return n
}

// emergencyNumbers are looked at wherever a plan has a rule of its own for them.
var emergencyNumbers = []string{"112", "911", "999", "000"}

// lintEmergency tries the emergency numbers.
func lintEmergency(plan Plan, numbers []string) []string {
	numbers = slices.Clone(numbers)
	for _, r := range plan.Rules {
		plain := strings.ReplaceAll(r.Match, ",", "")
		if digits(plain) && (strings.EqualFold(r.Route, "Emergency") || slices.Contains(emergencyNumbers, plain)) {
			numbers = append(numbers, plain)
		}
	}
	if len(numbers) == 0 {
		return []string{"No rule is for an emergency number: give each its own rule with Timeout 0, so that it is sent at once."}
	}
	var out []string
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		switch r := Test(plan, n); {
		case r.Fault != "":
			out = append(out, fmt.Sprintf("The emergency number %q can't be dialled: %s", n, r.Fault))
		case r.Rest != "":
			out = append(out, fmt.Sprintf("Emergency number %s is not reached: rule %d (%s) sends after %s.", n, r.Rule, r.Match, count(r.At)))
		case r.After > 0:
			out = append(out, fmt.Sprintf("Emergency number %s is sent only %s: give it a rule of its own with Timeout 0.", n, r.Wait()))
		case r.Sent != n && r.Route != "FQDN":
			out = append(out, fmt.Sprintf("Emergency number %s is sent as %s by rule %d (%s).", n, r.Sent, r.Rule, r.Match))
		}
	}
	return out
}

// lintShadows looks for rules that win for no number at all.
func lintShadows(plan Plan) []string {
	rules, _ := compileAll(plan)
	s := search{rules: rules, budget: maxSearch, order: digitOrder(rules)}
	var out []string
	for i := range rules {
		if s.reachable(i) {
			continue
		}
		c := rules[i]
		number := s.example(i)
		if by := Test(plan, number); by.Rest != "" {
			out = append(out, fmt.Sprintf("Rule %d (%s) sends after %s, so rule %d (%s) can never win.", by.Rule, by.Match, count(by.At), c.index+1, c.rule.Match))
		} else {
			out = append(out, fmt.Sprintf("Rule %d (%s) always wins over rule %d (%s), which is never used.", by.Rule, by.Match, c.index+1, c.rule.Match))
		}
	}
	return out
}

// maxSearch bounds the work of one look for shadows: digits tried times rules. Where it is used up, rules count as
// reachable.
const maxSearch = 5_000_000

// search looks for a number for which a rule wins.
type search struct {
	rules  []compiled
	order  []byte // digits, those first that no rule names
	budget int
	seen   map[string]bool
}

// digitOrder puts the digits first that lead to the fewest other rules.
func digitOrder(rules []compiled) []byte {
	var count ['9' + 1]int
	for _, c := range rules {
		for _, t := range c.tokens {
			if t.kind == literal && t.char >= '0' && t.char <= '9' {
				count[t.char]++
			}
		}
	}
	order := []byte("5678943210")
	slices.SortStableFunc(order, func(a, b byte) int { return count[a] - count[b] })
	return order
}

func (s *search) reachable(rule int) bool {
	s.seen = map[string]bool{}
	at := make([]progress, len(s.rules))
	for i := range at {
		at[i] = start
	}
	return s.from(rule, at)
}

// from goes on from a state in which nothing was sent yet.
func (s *search) from(rule int, at []progress) bool {
	for _, c := range s.choices(rule, at[rule]) {
		if s.budget -= len(at); s.budget < 0 {
			return true
		}
		next := make([]progress, len(at))
		for i := range at {
			next[i] = at[i].step(s.rules[i].tokens, c)
		}
		o := judge(s.rules, next, false)
		if o.won == rule {
			return true
		}
		if o.ended || o.won >= 0 && o.wait(s.rules) == 0 || next[rule].dead {
			continue
		}
		if key := state(next); !s.seen[key] {
			s.seen[key] = true
			if s.from(rule, next) {
				return true
			}
		}
	}
	return false
}

// choices are the characters with which a rule goes on.
func (s *search) choices(rule int, p progress) []byte {
	tokens := s.rules[rule].tokens
	pos := int(p.pos)
	for pos < len(tokens) && tokens[pos].kind == tone {
		pos++
	}
	switch {
	case pos >= len(tokens):
		return nil
	case tokens[pos].kind == literal:
		return []byte{tokens[pos].char}
	}
	choices := append(slices.Clone(s.order), '*')
	if p.star && pos+1 < len(tokens) && tokens[pos+1].char == '#' {
		choices = append(choices, '#')
	}
	return choices
}

// state writes what matters for what can still come: how far each rule is. Equal states have equal futures.
func state(at []progress) string {
	var b strings.Builder
	for i, p := range at {
		if !p.dead {
			star := byte(0)
			if p.star {
				star = 1
			}
			b.Write([]byte{byte(i), byte(i >> 8), byte(p.pos), byte(p.literals), byte(p.kind), star})
		}
	}
	return b.String()
}

// example is a number that a rule is for.
func (s *search) example(rule int) string {
	var b []byte
	for _, t := range s.rules[rule].tokens {
		switch t.kind {
		case literal:
			b = append(b, t.char)
		case anyMany: // two, to tell "sends before" from "fits as well"
			b = append(b, s.order[0], s.order[0])
		case anyOne:
			b = append(b, s.order[0])
		}
	}
	return string(b)
}

func count(digits int) string {
	if digits == 1 {
		return "1 digit"
	}
	return fmt.Sprintf("%d digits", digits)
}
