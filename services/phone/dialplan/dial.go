package dialplan

import (
	"fmt"
	"strings"
	"time"
)

// Result is what a phone does with a number.
type Result struct {
	Number string        // as dialled: without blanks and other separators
	Rule   int           // that decides, from 1; 0 = none, it is sent as dialled
	Match  string        // of that rule
	At     int           // with which character it is sent, from 1; what follows is dialled in vain
	After  time.Duration // from that character until it is sent
	Sent   string        // the number that is sent
	User   string        // "phone", "ip" or "": the user= behind it
	Route  string        // Default, Emergency or FQDN
	Tones  []Tone        // secondary dial tones that are played
	Rest   string        // what is dialled in vain, because the phone has sent already
	Trace  []string      // a sentence for each character
	Fault  string        // why nothing is sent; "" = it is
	Steps  []Step        // a step for each character that the phone takes
}

// Step is what a phone makes of one more character.
type Step struct {
	Dialled string   // so far, with this one
	Fits    []int    // the rules that still fit, complete or not, from 1
	Best    int      // the one of them that matches most; 0 = none
	Won     int      // the complete rule whose time runs; 0 = none
	Wait    int      // seconds without a further key until it is sent; 0 = at once
	Tone    string   // the secondary dial tone that begins now; "" = none
	Sends   bool     // it is sent with this character, so that no further one is taken
	Says    []string // what the phone does, a sentence each
}

// Tone is a secondary dial tone: it is played behind the first At characters.
type Tone struct {
	At   int
	Name string
}

// Wait says After in words: "at once", "after 5 s".
func (r Result) Wait() string {
	if r.After == 0 {
		return "at once"
	}
	return fmt.Sprintf("after %d s", int(r.After/time.Second))
}

// Test dials a number as a person does, digit by digit without long pauses, and says what a phone does. Separators that
// people write between digits (blanks - / . and brackets) are left out. Rules that a phone refuses take no part, nor do those for
// other lines than the first.
//
// That the "#" which ends the dialling is not sent is not confirmed; neither are ties between a complete rule and an
// incomplete one with equally many literal digits, which the complete one wins here.
func Test(plan Plan, number string) Result { return dial(plan, number, false) }

func dial(plan Plan, number string, strict bool) Result {
	r := Result{Route: "Default"}
	r.Number, r.Fault = dialled(number)
	if r.Fault != "" {
		return r
	}
	rules, leftOut := compileAll(plan)
	for _, i := range leftOut {
		why := fmt.Sprintf("it is for line %d, and this is line 1", plan.Rules[i].Line)
		if faults := Check(plan.Rules[i]); len(faults) > 0 {
			why = "a phone may refuse it: " + faults[0]
		}
		r.say("Rule %d (%s) takes no part, because %s.", i+1, plan.Rules[i].Match, why)
	}
	at := make([]progress, len(rules))
	for i := range at {
		at[i] = start
	}
	var o outcome
	for n := range len(r.Number) {
		for i := range at {
			at[i] = at[i].step(rules[i].tokens, r.Number[n])
		}
		o = judge(rules, at, strict)
		said := len(r.Trace)
		r.step(rules, at, o, n+1)
		if o.ended || o.best < 0 && r.Number[n] == '#' {
			r.say("%s: # ends the dialling; the phone sends at once.", r.Number[:n+1])
			r.send(rules, o, n+1, r.Number[:n], 0)
			r.sentWith(said)
			return r
		}
		r.tell(rules, at, o, n+1)
		if o.won >= 0 && o.wait(rules) == 0 {
			r.send(rules, o, n+1, r.Number[:n+1], 0)
			r.sentWith(said)
			return r
		}
		r.Steps[n].Says = r.Trace[said:len(r.Trace):len(r.Trace)]
	}
	r.send(rules, o, len(r.Number), r.Number, o.wait(rules))
	return r
}

// step records how each rule stands after the first n characters.
func (r *Result) step(rules []compiled, at []progress, o outcome, n int) {
	st := Step{Dialled: r.Number[:n], Wait: o.wait(rules)}
	for i, p := range at {
		if !p.dead {
			st.Fits = append(st.Fits, rules[i].index+1)
		}
	}
	if o.best >= 0 {
		st.Best = rules[o.best].index + 1
	}
	if o.won >= 0 {
		st.Won = rules[o.won].index + 1
	}
	r.Steps = append(r.Steps, st)
}

// sentWith ends the last step: the phone sends with it. What it said begins at said.
func (r *Result) sentWith(said int) {
	st := &r.Steps[len(r.Steps)-1]
	st.Sends, st.Wait, st.Says = true, 0, r.Trace[said:]
}

// dialled takes the separators out of a number.
func dialled(number string) (clean, fault string) {
	clean = strings.Map(func(c rune) rune {
		if strings.ContainsRune(" \u00a0\t-/.()[]", c) {
			return -1
		}
		return c
	}, number)
	switch i := strings.IndexFunc(clean, func(c rune) bool { return !strings.ContainsRune("0123456789*#+", c) }); {
	case clean == "":
		return "", "No number was given."
	case i >= 0:
		return "", fmt.Sprintf("The number holds %q; a phone dials digits, * and #.", []rune(clean[i:])[0])
	case len(clean) > MaxDialled:
		return "", fmt.Sprintf("The number has %d digits; a phone dials at most %d.", len(clean), MaxDialled)
	}
	return clean, ""
}

func (r *Result) say(format string, args ...any) {
	r.Trace = append(r.Trace, fmt.Sprintf(format, args...))
}

// tell says what the phone makes of the first n characters, and plays the tone.
func (r *Result) tell(rules []compiled, at []progress, o outcome, n int) {
	so := r.Number[:n]
	wait := o.wait(rules)
	switch {
	case o.won >= 0 && wait == 0:
		r.say("%s: %s fits; the phone sends at once.", so, name(rules[o.won]))
	case o.won >= 0:
		r.say("%s: %s fits; the phone sends when nothing is dialled for %d s.", so, name(rules[o.won]), wait)
	case o.best >= 0:
		r.say("%s: %s fits best so far and wants more; the phone waits %d s for the next digit.", so, name(rules[o.best]), wait)
	default:
		r.say("%s: no rule fits; the phone sends when nothing is dialled for %d s.", so, wait)
	}
	if !o.tone {
		return
	}
	t := Tone{n, DefaultTone}
	if i, tones := int(at[o.best].commas), rules[o.best].rule.Tones; i < len(tones) && tones[i] != "" {
		t.Name = tones[i]
	}
	r.Tones = append(r.Tones, t)
	r.Steps[n-1].Tone = t.Name
	r.say("%s: the phone plays the secondary dial tone %s.", so, t.Name)
}

func name(c compiled) string { return fmt.Sprintf("rule %d (%s)", c.index+1, c.rule.Match) }

// send fills in what is sent: number, with the at-th character, after so many seconds.
func (r *Result) send(rules []compiled, o outcome, at int, number string, seconds int) {
	r.At, r.Rest = at, r.Number[at:]
	if number == "" {
		r.Fault = "Nothing was dialled before #, so nothing is sent."
		return
	}
	r.After = time.Duration(seconds) * time.Second
	r.Sent = number
	if o.won >= 0 {
		c := rules[o.won]
		r.Rule, r.Match = c.index+1, c.rule.Match
		r.Sent = rewrite(c.rule.Rewrite, c.tokens, number)
		r.User = strings.ToLower(c.rule.User)
		for _, route := range []string{"Emergency", "FQDN"} {
			if strings.EqualFold(route, c.rule.Route) {
				r.Route = route
			}
		}
	}
	by := "as dialled, because no rule is complete"
	if r.Rule > 0 {
		by = fmt.Sprintf("by rule %d", r.Rule)
	}
	r.say("%s is sent %s, %s, by the route %s.", r.Sent, r.Wait(), by, r.Route)
	if r.Rest != "" {
		r.say("%s is dialled in vain: the call is on its way already.", r.Rest)
	}
}
