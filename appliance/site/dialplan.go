package site

import (
	"fmt"
	"strings"

	"phonebox/services/phone/dialplan"
)

// Plan returns the dial plan: the rules, else the ready-made plan of the country; false with neither.
func (d DialPlan) Plan() (dialplan.Plan, bool) {
	if len(d.Rules) == 0 {
		return dialplan.Country(d.Country)
	}
	plan := dialplan.Plan{Rules: make([]dialplan.Rule, len(d.Rules))}
	for i, r := range d.Rules {
		plan.Rules[i] = r.rule()
	}
	return plan, true
}

// File returns dialplan.xml; nil where the site wants none of its own. The error says what no phone would take.
func (d DialPlan) File() ([]byte, error) {
	plan, ok := d.Plan()
	if !ok {
		return nil, nil
	}
	file, err := dialplan.Write(plan)
	if err != nil {
		return nil, fmt.Errorf("writing the dial plan: %w", err)
	}
	return file, nil
}

// rule is the rule as the phones' side knows it.
func (r DialRule) rule() dialplan.Rule {
	return dialplan.Rule{
		Match: r.Match, Timeout: r.Timeout, User: r.User, Rewrite: r.Rewrite, Route: r.Route, Tones: dialplan.SplitTones(r.Tone),
		Comment: r.Comment,
	}
}

// countries are the codes of the ready-made plans, and "" for none.
func countries() []string {
	codes := []string{""}
	for _, c := range dialplan.Countries() {
		codes = append(codes, c.Code)
	}
	return codes
}

// parseCountry takes a code in any case; Great Britain is written as people write it.
func parseCountry(s string) (string, bool) {
	s = strings.ToUpper(s)
	if s == "GB" {
		s = "UK"
	}
	return oneOf(countries()...)(s)
}
