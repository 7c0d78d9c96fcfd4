package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// moreRows is how many empty rows the editor offers below the rules.
const moreRows = 3

// maxRules bounds the rows of the editor; a file of 8 KB holds fewer.
const maxRules = 200

// dialPlanView is the editor of the dial plan with its tester.
type dialPlanView struct {
	DialPlan
	Countries []string
	Number    string
	Pasted    string // a file that somebody wants to take over
	Result    *DialResult
	Problem   string
	Faults    []string
}

func (s *Server) dialPlanPage(w http.ResponseWriter, r *http.Request) error {
	v := dialPlanView{DialPlan: s.deps.Shop.DialPlan(), Number: strings.TrimSpace(r.FormValue("number"))}
	return s.showDialPlan(w, r, http.StatusOK, v)
}

func (s *Server) showDialPlan(w http.ResponseWriter, r *http.Request, code int, v dialPlanView) error {
	v.Countries = s.deps.Shop.Countries()
	if v.Number != "" && v.Problem == "" {
		result, err := s.deps.Shop.TestNumber(v.DialPlan, v.Number)
		switch {
		case err == nil:
			v.Result = &result
		case explain(err).status == http.StatusInternalServerError:
			return err
		default:
			v.Problem = explain(err).text
		}
	}
	for range moreRows {
		v.Rules = append(v.Rules, DialRule{})
	}
	return s.show(w, r, code, "dialplan", "Dial plan", "/dialplan", v)
}

// readDialPlan reads the rows of the editor; empty rows are left out.
func readDialPlan(r *http.Request) DialPlan {
	plan := DialPlan{Country: r.PostForm.Get("country"), ETag: r.PostForm.Get("etag")}
	for i := range maxRules {
		field := func(key string) string { return strings.TrimSpace(r.PostForm.Get(fmt.Sprintf("rules[%d].%s", i, key))) }
		rule := DialRule{
			Match: field("match"), Timeout: field("timeout"), User: field("user"), Rewrite: field("rewrite"),
			Route: field("route"), Tone: field("tone"), Comment: field("comment"),
		}
		if rule != (DialRule{}) {
			plan.Rules = append(plan.Rules, rule)
		}
	}
	return plan
}

// dialPlanPost tests a number with what is in the editor, fills the editor with a ready-made plan, or saves.
func (s *Server) dialPlanPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := dialPlanView{DialPlan: readDialPlan(r), Number: strings.TrimSpace(r.PostForm.Get("number"))}
	switch r.PostForm.Get("do") {
	case "test":
		return s.showDialPlan(w, r, http.StatusOK, v)
	case "ready":
		ready, ok := s.deps.Shop.ReadyPlan(v.Country)
		if !ok {
			v.Problem = "There is no ready-made plan for that country."
			return s.showDialPlan(w, r, http.StatusUnprocessableEntity, v)
		}
		ready.ETag = v.ETag
		v.DialPlan = ready
		return s.showDialPlan(w, r, http.StatusOK, v)
	}
	if pasted := unixLines(r.PostForm.Get("text")); strings.TrimSpace(pasted) != "" {
		return s.readPasted(w, r, v, pasted)
	}
	err := s.deps.Shop.SetDialPlan(r.Context(), v.DialPlan, v.ETag)
	var refused *Refused
	switch {
	case err == nil:
		s.changed(r, "The dial plan was changed.")
		return s.done(w, r, "/dialplan", "The dial plan is saved. Phones read it when they start, and when they are asked to restart.")
	case errors.As(err, &refused):
		v.Problem = "Nothing was saved. The plan has these faults:"
		for _, f := range refused.Faults {
			v.Faults = append(v.Faults, faultWords(f, f.Key))
		}
		return s.showDialPlan(w, r, http.StatusUnprocessableEntity, v)
	case errors.As(err, new(StaleError)):
		v.ETag, v.Problem = s.deps.Shop.DialPlan().ETag, staleText
		return s.showDialPlan(w, r, http.StatusPreconditionFailed, v)
	}
	return orElse(err, http.StatusInternalServerError, "The dial plan could not be saved; the old one holds.")
}

// readPasted fills the editor with the rules of a file. Nothing is saved before its person saw them.
func (s *Server) readPasted(w http.ResponseWriter, r *http.Request, v dialPlanView, pasted string) error {
	plan, err := s.deps.Shop.ReadDialPlan(pasted)
	if err != nil {
		a := explain(err)
		if a.status == http.StatusInternalServerError {
			return err
		}
		v.Problem, v.Pasted = a.text, pasted
		return s.showDialPlan(w, r, a.status, v)
	}
	plan.ETag = v.ETag
	v.DialPlan = plan
	v.Warnings = append([]string{"Nothing is saved yet: look at the rules, and save them."}, v.Warnings...)
	return s.showDialPlan(w, r, http.StatusOK, v)
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
