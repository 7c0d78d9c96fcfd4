package web

import (
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// conversionsView is the page of all conversions.
type conversionsView struct {
	Rows     []conversionView
	Sentence string
	Restart  RestartProgress
	Plan     *conversionView // of the planner's form
	From, To string
	Problem  string
	Loads    []string
}

// conversionView is one phone's way to its load, with words.
type conversionView struct {
	Conversion
	ID, Name, Path, Mood, Word string
	Orders                     []orderView
}

type orderView struct{ Order, Word string }

// phaseWords say a phase in words, with the mood of its badge.
func phaseWords(phase string) (word, mood string) {
	switch phase {
	case "arrived":
		return "arrived", "good"
	case "waiting":
		return "waiting", "quiet"
	case "going":
		return "on its way", "busy"
	case "blocked":
		return "no way", "warn"
	case "failed":
		return "failed", "bad"
	case "skipped":
		return "left out", "quiet"
	case "stopped":
		return "stopped", "warn"
	}
	return phase, "quiet"
}

// ordersFor are the orders that make sense in a phase.
func ordersFor(phase string) []orderView {
	goOn, next := orderView{"go", "Go on"}, orderView{"next", "This one next"}
	skip, stop := orderView{"skip", "Leave out"}, orderView{"stop", "Stop at once"}
	switch phase {
	case "waiting":
		return []orderView{next, skip, stop}
	case "going":
		return []orderView{skip, stop}
	case "blocked":
		return []orderView{skip}
	case "failed":
		return []orderView{{"go", "Go on"}, skip}
	case "skipped", "stopped":
		return []orderView{goOn, next}
	}
	return nil
}

func newConversionView(c Conversion) conversionView {
	v := conversionView{Conversion: c, ID: "c-" + c.MAC.Name(), Name: c.Label, Path: "/phones/" + c.MAC.Name(), Orders: ordersFor(c.Phase)}
	if v.Name == "" {
		v.Name = c.MAC.String()
	}
	v.Word, v.Mood = phaseWords(c.Phase)
	return v
}

// conversionOf returns a phone's conversion for its page; nil where there is none.
func (s *Server) conversionOf(mac phone.MAC) *conversionView {
	c, ok := s.deps.Shop.Conversion(mac)
	if !ok {
		return nil
	}
	v := newConversionView(c)
	return &v
}

func (s *Server) conversionsView() conversionsView {
	v := conversionsView{Restart: s.deps.Shop.RestartProgress()}
	counts := map[string]int{}
	for _, c := range s.deps.Shop.Conversions() {
		v.Rows = append(v.Rows, newConversionView(c))
		counts[c.Phase]++
	}
	v.sort()
	v.Sentence = conversionSentence(len(v.Rows), counts)
	for _, l := range s.deps.Box.Firmware().Loads {
		v.Loads = append(v.Loads, l.Name)
	}
	return v
}

// sort puts what needs a person first and what has arrived last.
func (v *conversionsView) sort() {
	order := []string{"failed", "blocked", "stopped", "going", "waiting", "skipped", "arrived"}
	slices.SortStableFunc(v.Rows, func(a, b conversionView) int {
		return slices.Index(order, a.Phase) - slices.Index(order, b.Phase)
	})
}

// conversionSentence sums the phases up.
func conversionSentence(all int, counts map[string]int) string {
	if all == 0 {
		return "No phone is listed yet."
	}
	var parts []string
	for _, phase := range []string{"arrived", "going", "waiting", "blocked", "failed", "stopped", "skipped"} {
		if n := counts[phase]; n > 0 {
			word, _ := phaseWords(phase)
			if phase == "blocked" {
				word = "without a way"
			}
			parts = append(parts, plural(n, "phone")+" "+word)
		}
	}
	return strings.Join(parts, ", ") + "."
}

func (s *Server) conversionsPage(w http.ResponseWriter, r *http.Request) error {
	v := s.conversionsView()
	v.From, v.To = strings.TrimSpace(r.FormValue("from")), strings.TrimSpace(r.FormValue("to"))
	code := http.StatusOK
	if v.To != "" {
		c, err := s.deps.Shop.Plan(v.From, v.To)
		if err != nil {
			a := explain(err)
			if a.status == http.StatusInternalServerError {
				return err
			}
			v.Problem, code = a.text, a.status
		} else {
			plan := newConversionView(c)
			v.Plan = &plan
		}
	}
	return s.show(w, r, code, "conversions", "Conversion", "/conversions", v)
}

// conversionStream sends the parts of the page of conversions that changed.
func (s *Server) conversionStream(w http.ResponseWriter, r *http.Request) error {
	var last conversionParts
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		return last.changes(s.pages, s.conversionsView())
	})
}

func (s *Server) conversionOrder(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	if err := s.direct(r, p.MAC, r.PostForm.Get("order")); err != nil {
		return err
	}
	back := "/phones/" + p.MAC.Name()
	if r.PostForm.Get("back") == "conversions" {
		back = "/conversions"
	}
	return s.done(w, r, back, "That is done.")
}

// orderWords say an order in the timeline of the box.
var orderWords = map[string]string{
	"go": "Its conversion goes on.", "skip": "Its conversion is left out.", "stop": "Its conversion was stopped.", "next": "Its conversion comes next.",
}

func (s *Server) direct(r *http.Request, mac phone.MAC, order string) error {
	what, ok := orderWords[order]
	if !ok {
		return public(http.StatusUnprocessableEntity, "That is no order for a conversion; allowed are go, skip, stop and next.")
	}
	if err := s.deps.Shop.Direct(r.Context(), mac, order); err != nil {
		return orElse(err, http.StatusInternalServerError, "The order could not be kept.")
	}
	s.report(r, Event{Kind: EventChanged, MAC: mac, What: what, Code: http.StatusOK})
	return nil
}

func (s *Server) apiConversions(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, orEmpty(s.deps.Shop.Conversions()))
	return nil
}

func (s *Server) apiConversion(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	c, ok := s.deps.Shop.Conversion(mac)
	if !ok {
		return unknownPhone(mac)
	}
	writeJSON(w, http.StatusOK, c)
	return nil
}

func (s *Server) apiConversionOrder(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	var in struct {
		Order string `json:"order"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := s.direct(r, p.MAC, in.Order); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// apiPlan says how a phone gets from one load to another: ?from=P0S3-04-4-00&to=P0S3-8-12-00.
func (s *Server) apiPlan(w http.ResponseWriter, r *http.Request) error {
	c, err := s.deps.Shop.Plan(r.URL.Query().Get("from"), r.URL.Query().Get("to"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, c)
	return nil
}

// orEmpty makes a list out of none: programs get [] and not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
