package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"phonebox/services/phone"
	"phonebox/services/phone/dialplan"
)

// Bounds of the editor: empty rows below the rules at first, those that a press adds, rows in all (a file of 8 KB holds fewer).
const (
	moreRows = 3
	addRows  = 5
	maxRules = 200
)

func (s *Server) dialPlanPage(w http.ResponseWriter, r *http.Request) error {
	v := dialPlanView{Plan: s.deps.Shop.DialPlan(), Number: strings.TrimSpace(r.FormValue("number"))}
	return s.showDialPlan(w, r, http.StatusOK, v)
}

func (s *Server) showDialPlan(w http.ResponseWriter, r *http.Request, code int, v dialPlanView) error {
	v.fill(s.deps.Shop.Countries())
	return s.show(w, r, code, "dialplan", "Dial plan", "/dialplan", v)
}

// readDialPlan reads the rows of the editor, empty ones in between as well: a person may be about to fill them.
func readDialPlan(r *http.Request) dialPlanView {
	v := dialPlanView{
		Plan:   DialPlan{Country: r.PostForm.Get("country"), ETag: r.PostForm.Get("etag")},
		Number: strings.TrimSpace(r.PostForm.Get("number")), Pasted: unixLines(r.PostForm.Get("text")),
	}
	for i := range maxRules {
		row := "rules[" + strconv.Itoa(i) + "]."
		if !r.PostForm.Has(row + "match") {
			continue
		}
		field := func(key string) string { return strings.TrimSpace(r.PostForm.Get(row + key)) }
		v.Plan.Rules = append(v.Plan.Rules, DialRule{
			Match: field("match"), Timeout: field("timeout"), User: field("user"), Rewrite: field("rewrite"),
			Route: field("route"), Tone: field("tone"), Comment: field("comment"),
		})
	}
	v.Empty, _ = strconv.Atoi(r.PostForm.Get("empty"))
	return v
}

// withoutEmpty leaves out the rows that hold nothing.
func withoutEmpty[T comparable](rows []T) []T {
	var empty T
	var out []T
	for _, row := range rows {
		if row != empty {
			out = append(out, row)
		}
	}
	return out
}

// rowOrder is what a button of a row says: "up 3" moves the fourth row; rows beyond the end are left alone.
func rowOrder[T any](rows []T, order string) []T {
	what, number, _ := strings.Cut(order, " ")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(rows) {
		return rows
	}
	switch what {
	case "up":
		if i > 0 {
			rows[i-1], rows[i] = rows[i], rows[i-1]
		}
	case "down":
		if i+1 < len(rows) {
			rows[i], rows[i+1] = rows[i+1], rows[i]
		}
	case "remove":
		rows = append(rows[:i:i], rows[i+1:]...)
	case "insert":
		var empty T
		rows = append(rows[:i:i], append([]T{empty}, rows[i:]...)...)
	}
	return rows
}

// dialPlanPost does what the pressed button says: it moves rows, tries a number, fills in a ready-made plan, or saves.
func (s *Server) dialPlanPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := readDialPlan(r)
	if order := r.PostForm.Get("row"); order != "" {
		v.Plan.Rules = rowOrder(v.Plan.Rules, order)
		return s.showDialPlan(w, r, http.StatusOK, v)
	}
	switch r.PostForm.Get("do") {
	case "test":
		return s.showDialPlan(w, r, http.StatusOK, v)
	case "rows":
		v.Empty += addRows
		return s.showDialPlan(w, r, http.StatusOK, v)
	case "ready":
		ready, ok := s.deps.Shop.ReadyPlan(v.Plan.Country)
		if !ok {
			v.Problem = "Choose a country first: its rules are then filled in."
			return s.showDialPlan(w, r, http.StatusUnprocessableEntity, v)
		}
		ready.ETag = v.Plan.ETag
		v.Plan = ready
		v.Notes = []string{notSaved}
		return s.showDialPlan(w, r, http.StatusOK, v)
	}
	if strings.TrimSpace(v.Pasted) != "" {
		return s.readPasted(w, r, v)
	}
	return s.saveDialPlan(w, r, v)
}

const notSaved = "Nothing is saved yet: look at the rules, and save them."

func (s *Server) saveDialPlan(w http.ResponseWriter, r *http.Request, v dialPlanView) error {
	v.Plan.Rules = withoutEmpty(v.Plan.Rules)
	err := s.deps.Shop.SetDialPlan(r.Context(), v.Plan, v.Plan.ETag)
	var refused *Refused
	switch {
	case err == nil:
		s.changed(r, "The dial plan was changed.")
		return s.done(w, r, "/dialplan", "The dial plan is saved. Phones read it when they start, and when they are asked to restart.")
	case errors.As(err, &refused):
		v.Problem = "Nothing was saved. The plan has these faults:"
		v.Faults = refused.Faults
		return s.showDialPlan(w, r, http.StatusUnprocessableEntity, v)
	case errors.As(err, new(StaleError)):
		v.Plan.ETag, v.Problem = s.deps.Shop.DialPlan().ETag, staleText
		return s.showDialPlan(w, r, http.StatusPreconditionFailed, v)
	}
	return orElse(err, http.StatusInternalServerError, "The dial plan could not be saved; the old one holds.")
}

// readPasted fills the editor with the rules of a file. Nothing is saved before its person saw them.
func (s *Server) readPasted(w http.ResponseWriter, r *http.Request, v dialPlanView) error {
	plan, err := s.deps.Shop.ReadDialPlan(v.Pasted)
	if err != nil {
		a := explain(err)
		if a.status == http.StatusInternalServerError {
			return err
		}
		v.Problem = a.text
		return s.showDialPlan(w, r, a.status, v)
	}
	plan.ETag = v.Plan.ETag
	v.Plan, v.Pasted = plan, ""
	v.Notes = append([]string{notSaved}, plan.Warnings...)
	return s.showDialPlan(w, r, http.StatusOK, v)
}

// effectivePlan is what phones get of a plan: its rules, else the ready-made ones of its country, else the plan that works
// everywhere. own reports whether it is the first.
func effectivePlan(p DialPlan) (plan dialplan.Plan, own bool) {
	for _, r := range p.Rules {
		plan.Rules = append(plan.Rules, ruleOf(r))
	}
	if len(plan.Rules) > 0 {
		return plan, true
	}
	if ready, ok := dialplan.Country(p.Country); ok {
		return ready, false
	}
	plan, _, _ = dialplan.Read(phone.WriteDialPlan())
	return plan, false
}

func ruleOf(r DialRule) dialplan.Rule {
	return dialplan.Rule{
		Match: r.Match, Timeout: r.Timeout, User: r.User, Rewrite: r.Rewrite, Route: r.Route, Tones: dialplan.SplitTones(r.Tone), Comment: r.Comment,
	}
}

// apiTestNumber says what a phone of this site would do with ?number=.
func (s *Server) apiTestNumber(w http.ResponseWriter, r *http.Request) error {
	result, err := s.deps.Shop.TestNumber(s.deps.Shop.DialPlan(), r.URL.Query().Get("number"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, result)
	return nil
}
