package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
)

// startSteps are the steps of the first-run wizard, in their order. The first is done before anybody is here.
var startSteps = []struct{ name, short, title string }{
	{"password", "Password", "The password"},
	{"wire", "Network", "Is this the voice VLAN?"},
	{"address", "Address", "Address of the box, and addresses for the phones"},
	{"time", "Time", "Time zone and clock"},
	{"provider", "Telephony", "Telephone system or provider"},
	{"phones", "Phones", "The first phones"},
}

func startStep(name string) int {
	for i, s := range startSteps {
		if s.name == name {
			return i
		}
	}
	return -1
}

// startView is one page of the wizard.
type startView struct {
	Steps   []startStepView
	Step    string // "" = the summary
	Title   string
	Count   string // Step 2 of 6
	Back    string // path of the step before; "" = none
	Last    bool
	Gone    bool // the box leaves this address: nothing can be pressed here any more
	Problem string
	ETag    string
	Faults  formFaults
	Body    any // of the step
}

// startStepView is one step in the line of all of them.
type startStepView struct {
	Name, Path string
	State      string // done, later or open, in words
	Mood       string
	Now        bool
}

// startNotice reminds of a wizard that is not finished.
type startNotice struct{ Text, Path string }

// startState returns how far the wizard has come. Nothing is wanted where the box has none.
func (s *Server) startState() StartState {
	if s.deps.Start == nil {
		return StartState{}
	}
	state, err := s.deps.Start.StartState()
	if err != nil {
		s.deps.Log.Error("how far the first settings have come could not be read", "err", err)
		return StartState{}
	}
	return state
}

// changeStart changes the state. The box keeps what cannot be stored until its next start: the wizard must not stop because of it.
func (s *Server) changeStart(ctx context.Context, change func(*StartState)) {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	state := s.startState()
	state.Done, state.Later = slices.Clone(state.Done), slices.Clone(state.Later)
	change(&state)
	if err := s.deps.Start.SetStartState(context.WithoutCancel(ctx), state); err != nil {
		s.deps.Log.Error("how far the first settings have come could not be stored", "err", err)
	}
}

func (st StartState) of(step string) string {
	switch {
	case step == "password", slices.Contains(st.Done, step):
		return "done"
	case slices.Contains(st.Later, step):
		return "later"
	}
	return "open"
}

// settle notes what became of a step.
func (st *StartState) settle(step, what string) {
	isStep := func(name string) bool { return name == step }
	st.Done, st.Later = slices.DeleteFunc(st.Done, isStep), slices.DeleteFunc(st.Later, isStep)
	switch what {
	case "done":
		st.Done = append(st.Done, step)
	case "later":
		st.Later = append(st.Later, step)
	}
}

// next is the step to go to: the first that is open, else the first that was left; "" = all are done.
func (st StartState) next() string {
	for _, want := range []string{"open", "later"} {
		for _, s := range startSteps {
			if st.of(s.name) == want {
				return s.name
			}
		}
	}
	return ""
}

// done counts the steps that are done.
func (st StartState) done() (n int) {
	for _, s := range startSteps {
		if st.of(s.name) == "done" {
			n++
		}
	}
	return n
}

// startNotice reminds people on the overview and in the settings, until all is done or they want no more of it.
func (s *Server) startNotice(at string) *startNotice {
	if at != "/" && at != "/settings" {
		return nil
	}
	st := s.startState()
	if !st.Wanted {
		return nil
	}
	text := fmt.Sprintf("Setting up is not finished: %d of %d steps are done.", st.done(), len(startSteps))
	switch {
	case st.Problem != "":
		text = st.Problem
	case st.next() == "":
		text = "All steps of setting up are done."
	}
	return &startNotice{Text: text, Path: "/start"}
}

func (s *Server) wizardRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /start":                 s.wizard(s.startPage),
		"GET /start/{step}":          s.wizard(s.startStepPage),
		"POST /start/{step}":         s.wizard(s.startStepPost),
		"GET /start/wire/stream":     s.wizard(s.wireStream),
		"POST /start/wire/look":      s.wizard(s.startLook),
		"POST /start/wire/serve":     s.wizard(s.startServe),
		"POST /start/wire/hold-back": s.wizard(s.startHoldBack),
		"GET /start/phones/stream":   s.wizard(s.startPhonesStream),
		"POST /start/address/move":   s.wizard(s.startMove),
		"POST /start/later":          s.wizard(s.startLater),
		"POST /start/leave":          s.wizard(s.startLeave),
		"POST /start/finish":         s.wizard(s.startFinish),
	}
}

// wizard serves a page of the wizard while it is wanted. A box that had settings has none: whoever comes here by an old link is
// led to the overview.
func (s *Server) wizard(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.deps.Start == nil || !s.startState().Wanted {
			redirect(w, r, "/")
			return nil
		}
		return h(w, r)
	}
}

// afterSetup is where the first password leads.
func (s *Server) afterSetup() string {
	if s.startState().Wanted {
		return "/start"
	}
	return "/"
}

// startPage leads to the step that is next, or shows that all is done.
func (s *Server) startPage(w http.ResponseWriter, r *http.Request) error {
	if next := s.startState().next(); next != "" {
		http.Redirect(w, r, "/start/"+next, http.StatusSeeOther)
		return nil
	}
	return s.showStart(w, r, http.StatusOK, "", startView{})
}

func (s *Server) startStepPage(w http.ResponseWriter, r *http.Request) error {
	v := startView{}
	_, v.ETag = s.deps.Box.Settings().Fields()
	step := r.PathValue("step")
	switch step {
	case "password":
	case "wire":
		v.Body = s.wireView()
	case "address":
		v.Body = s.addressView(r)
	case "time":
		v.Body = s.startTimeView(nil)
	case "provider":
		v.Body = s.providerView(nil)
	case "phones":
		v.Body = s.startPhonesView(startPhone{})
	default:
		return public(http.StatusNotFound, "There is no such page.")
	}
	return s.showStart(w, r, http.StatusOK, step, v)
}

func (s *Server) startStepPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	switch step := r.PathValue("step"); step {
	case "password", "wire":
		return s.stepDone(w, r, step, "")
	case "address":
		return s.addressPost(w, r)
	case "time":
		return s.startTimePost(w, r)
	case "provider":
		return s.providerPost(w, r)
	case "phones":
		return s.startPhonesPost(w, r)
	}
	return public(http.StatusNotFound, "There is no such page.")
}

// showStart shows a step with the line of all of them around it.
func (s *Server) showStart(w http.ResponseWriter, r *http.Request, code int, step string, v startView) error {
	st := s.startState()
	v.Step, v.Title = step, "The box is set up"
	v.Steps = startLine(st, step)
	if i := startStep(step); i >= 0 {
		v.Title, v.Last = startSteps[i].title, i == len(startSteps)-1
		v.Count = fmt.Sprintf("Step %d of %d", i+1, len(startSteps))
		if i > 0 {
			v.Back = "/start/" + startSteps[i-1].name
		}
	}
	if v.Problem == "" {
		v.Problem = st.Problem
	}
	return s.show(w, r, code, "wizard", v.Title, "/start", v)
}

// startLine is the line of all steps.
func startLine(st StartState, now string) []startStepView {
	out := make([]startStepView, len(startSteps))
	for i, one := range startSteps {
		v := startStepView{Name: one.short, Path: "/start/" + one.name, State: "not done yet", Mood: "open", Now: one.name == now}
		switch st.of(one.name) {
		case "done":
			v.State, v.Mood = "done", "done"
		case "later":
			v.State, v.Mood = "left for later", "later"
		}
		out[i] = v
	}
	return out
}

// stepDone notes that a step is done and leads to the one after it, or out of the wizard.
func (s *Server) stepDone(w http.ResponseWriter, r *http.Request, step, said string) error {
	s.changeStart(r.Context(), func(st *StartState) {
		st.settle(step, "done")
		st.Problem = ""
	})
	return s.afterStep(w, r, step, said)
}

// afterStep leads to the step after one.
func (s *Server) afterStep(w http.ResponseWriter, r *http.Request, step, said string) error {
	if i := startStep(step); i >= 0 && i < len(startSteps)-1 {
		target := "/start/" + startSteps[i+1].name
		if said == "" {
			http.Redirect(w, r, target, http.StatusSeeOther)
			return nil
		}
		return s.done(w, r, target, said)
	}
	st := s.startState()
	if st.next() == "" {
		s.changeStart(r.Context(), func(st *StartState) { st.Wanted = false })
		return s.done(w, r, "/", "The box is set up. Everything can be changed under Settings.")
	}
	return s.done(w, r, "/", "You were in all steps. What you left for later waits here, on the overview.")
}

// startLater leaves a step for later.
func (s *Server) startLater(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	step := r.PostForm.Get("step")
	if startStep(step) < 0 {
		return public(http.StatusUnprocessableEntity, "There is no such step.")
	}
	s.changeStart(r.Context(), func(st *StartState) {
		if st.of(step) != "done" {
			st.settle(step, "later")
		}
	})
	return s.afterStep(w, r, step, "")
}

// startLeave leaves the wizard as it is; where all is done it ends.
func (s *Server) startLeave(w http.ResponseWriter, r *http.Request) error {
	if s.startState().next() == "" {
		return s.startFinish(w, r)
	}
	return s.done(w, r, "/", "You can go on with setting up whenever you like: the link is on this page.")
}

// startFinish ends the wizard for good.
func (s *Server) startFinish(w http.ResponseWriter, r *http.Request) error {
	s.changeStart(r.Context(), func(st *StartState) { st.Wanted, st.Problem = false, "" })
	return s.done(w, r, "/", "Setting up is finished. Everything can be changed under Settings.")
}

// startPart makes a part of the wizard for a stream.
func (s *Server) startPart(b *bytes.Buffer, name string, data any) error {
	return s.pages.part(b, "wizard", name, data)
}

// startParts sends a part again when it became another.
type startParts map[string]string

func (p startParts) add(out *bytes.Buffer, target, swap string, html []byte) {
	if p[target] != string(html) {
		p[target] = string(html)
		partial(out, target, swap, html)
	}
}
