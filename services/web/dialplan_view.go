package web

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"phonebox/services/phone/dialplan"
)

// dialPlanView is the editor of the dial plan with its tester.
type dialPlanView struct {
	Plan      DialPlan
	Rows      []ruleRow
	Empty     int // rows below the rules
	Countries []dialplan.CountryName
	Ready     []string // what the phones get in words, while the editor has no rules
	Number    string
	Pasted    string // a file that somebody wants to take over
	Try       *tryView
	Problem   string
	Faults    []Fault  // of the last save
	Rest      []string // faults that belong to no row
	Notes     []string // of the whole plan
}

// ruleRow is a row of the editor with what there is to say of it.
type ruleRow struct {
	DialRule
	N        int
	Words    string
	Faults   []string
	Warnings []string
	Last     bool // of those that hold something
}

// Tones are the names of the tones, for the field's list.
func (dialPlanView) Tones() []string { return dialplan.ToneNames() }

// fill makes rows, words and warnings of the plan. The code that finds the faults is that which writes dialplan.xml.
func (v *dialPlanView) fill(codes []string) {
	v.countries(codes)
	rules := v.Plan.Rules
	for len(rules) > 0 && rules[len(rules)-1] == (DialRule{}) {
		rules = rules[:len(rules)-1]
	}
	held := DialPlan{Country: v.Plan.Country, Rules: withoutEmpty(rules)}
	plan, own := effectivePlan(held)
	v.Empty = min(max(v.Empty, moreRows), max(moreRows, maxRules-len(rules)))
	v.Rows = make([]ruleRow, 0, len(rules)+v.Empty)
	at := make([]int, 0, len(plan.Rules)) // the row of each rule that holds something
	for i, r := range rules {
		row := ruleRow{DialRule: r, N: i, Last: i == len(rules)-1}
		if r != (DialRule{}) {
			at = append(at, i)
			rule := ruleOf(r)
			row.Words = dialplan.Explain(rule)
			row.Faults = dialplan.Check(rule)
		}
		v.Rows = append(v.Rows, row)
	}
	for range v.Empty {
		v.Rows = append(v.Rows, ruleRow{N: len(v.Rows), Last: true})
	}
	if own {
		v.warn(plan, at)
	} else {
		for _, r := range plan.Rules {
			v.Ready = append(v.Ready, dialplan.Explain(r))
		}
	}
	v.place(at)
	if v.Number != "" {
		v.Try = tryNumber(plan, v.Number)
	}
}

// countries gives the codes their names.
func (v *dialPlanView) countries(codes []string) {
	names := map[string]string{}
	for _, c := range dialplan.Countries() {
		names[c.Code] = c.Name
	}
	for _, code := range codes {
		name := names[code]
		if name == "" {
			name = code
		}
		v.Countries = append(v.Countries, dialplan.CountryName{Code: code, Name: name})
	}
}

// ruleNumber finds the rules that a warning speaks of; the last of them is the one that suffers.
var ruleNumber = regexp.MustCompile(`[Rr]ule (\d+)\b`)

// warn puts the warnings of a whole plan beside their rows; those of no row stand above.
func (v *dialPlanView) warn(plan dialplan.Plan, at []int) {
	if _, err := dialplan.Write(plan); err != nil && !v.faulty() {
		v.Notes = append(v.Notes, capitalised(err.Error()))
	}
	for _, warning := range dialplan.Lint(plan, dialplan.Emergency(v.Plan.Country)...) {
		all := ruleNumber.FindAllStringSubmatch(warning, -1)
		if len(all) == 0 {
			v.Notes = append(v.Notes, warning)
			continue
		}
		n, _ := strconv.Atoi(all[len(all)-1][1])
		if n < 1 || n > len(at) {
			v.Notes = append(v.Notes, warning)
			continue
		}
		row := &v.Rows[at[n-1]]
		if len(row.Faults) == 0 { // of a faulty rule its faults say enough
			row.Warnings = append(row.Warnings, warning)
		}
	}
}

func (v *dialPlanView) faulty() bool {
	for _, row := range v.Rows {
		if len(row.Faults) > 0 {
			return true
		}
	}
	return false
}

// ruleKey is the key of a fault that belongs to a row.
var ruleKey = regexp.MustCompile(`^dial_plan\.rules\[(\d+)\](.*)$`)

// place puts the faults of the last save beside their rows.
func (v *dialPlanView) place(at []int) {
	for _, f := range v.Faults {
		m := ruleKey.FindStringSubmatch(f.Key)
		if m == nil {
			v.Rest = append(v.Rest, faultWords(f, f.Key))
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if n >= len(at) {
			v.Rest = append(v.Rest, faultWords(f, f.Key))
			continue
		}
		row := &v.Rows[at[n]]
		if len(row.Faults) == 0 { // else the same was found before it was asked
			row.Faults = append(row.Faults, faultWords(f, ""))
		}
	}
}

// tryView is a number that is dialled key by key.
type tryView struct {
	Lead  string // what comes of it
	Fault string
	Keys  []tryKey
}

// tryKey is one key.
type tryKey struct {
	Key    string
	Says   []string
	Fits   string  // the rules that still fit, in words
	Screen *Screen // nil: only so many are drawn
}

// maxDrawn is how many keys are drawn; the rest is told.
const maxDrawn = 24

// tryNumber dials a number with a plan.
func tryNumber(plan dialplan.Plan, number string) *tryView {
	r := dialplan.Test(plan, number)
	v := &tryView{Fault: r.Fault}
	switch {
	case r.Fault != "":
	case r.Rule == 0:
		v.Lead = fmt.Sprintf("No rule fits: %s is sent %s.", r.Sent, r.Wait())
	case r.Route != "Default":
		v.Lead = fmt.Sprintf("Rule %d (%s) wins: %s is sent %s, route %s.", r.Rule, r.Match, r.Sent, r.Wait(), r.Route)
	default:
		v.Lead = fmt.Sprintf("Rule %d (%s) wins: %s is sent %s.", r.Rule, r.Match, r.Sent, r.Wait())
	}
	for i, st := range r.Steps {
		key := tryKey{Key: st.Dialled[len(st.Dialled)-1:], Says: st.Says, Fits: fitWords(st)}
		if i < maxDrawn {
			key.Screen = stepScreen(st, r)
		}
		v.Keys = append(v.Keys, key)
	}
	if n := len(r.Steps); n > 0 && !r.Steps[n-1].Sends && r.Fault == "" {
		v.Keys = append(v.Keys, tryKey{
			Key: "…", Says: r.Trace[len(r.Trace)-1:], Fits: fmt.Sprintf("%d s pass without a key.", r.Steps[n-1].Wait),
			Screen: dialScreen{Line: "Line 1", Number: r.Sent, Says: []string{"Calling"}, Keys: []string{"", "", "EndCall", ""}}.draw(),
		})
	}
	return v
}

// fitWords says which rules still fit.
func fitWords(st dialplan.Step) string {
	const most = 6
	switch n := len(st.Fits); {
	case n == 0:
		return "No rule fits any more."
	case n == 1:
		return fmt.Sprintf("Rule %d still fits.", st.Fits[0])
	case n > most:
		return fmt.Sprintf("%d rules still fit; rule %d fits best.", n, st.Best)
	default:
		list := ""
		for i, rule := range st.Fits {
			if i > 0 {
				list += ", "
			}
			list += strconv.Itoa(rule)
		}
		return fmt.Sprintf("Rules %s still fit; rule %d fits best.", list, st.Best)
	}
}

// stepScreen is the phone after one more key.
func stepScreen(st dialplan.Step, r dialplan.Result) *Screen {
	d := dialScreen{Line: "Line 1", Number: st.Dialled, Keys: []string{"Dial", "<<", "Cancel", ""}}
	switch {
	case st.Sends:
		d.Says, d.Keys = []string{"Calling " + r.Sent}, []string{"", "", "EndCall", ""}
	case st.Won > 0:
		d.Says = []string{fmt.Sprintf("Calls in %d s", st.Wait)}
	default:
		d.Says = []string{fmt.Sprintf("Waits for digits, %d s", st.Wait)}
	}
	if st.Tone != "" {
		d.Says = append(d.Says, "Second dial tone")
	}
	return d.draw()
}

// dialPlanPreview answers the editor while somebody types: what is said of each row, of the whole, and of the number.
func (s *Server) dialPlanPreview(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := readDialPlan(r)
	v.fill(s.deps.Shop.Countries())
	var out, b bytes.Buffer
	for _, part := range []string{"plannotes", "try"} {
		b.Reset()
		if err := s.pages.part(&b, "dialplan", part, v); err != nil {
			return err
		}
		partial(&out, "#"+part, "innerMorph", b.Bytes())
	}
	for _, row := range v.Rows {
		b.Reset()
		if err := s.pages.part(&b, "dialplan", "rulesaid", row); err != nil {
			return err
		}
		partial(&out, "#rule-said-"+strconv.Itoa(row.N), "innerMorph", b.Bytes())
	}
	return partials(w, &out)
}

// capitalised begins a sentence with a capital letter and ends it with a full stop.
func capitalised(s string) string {
	if s == "" {
		return ""
	}
	s = string(bytes.ToUpper([]byte(s[:1]))) + s[1:]
	if s[len(s)-1] != '.' {
		s += "."
	}
	return s
}
