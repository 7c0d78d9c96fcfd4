package web

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// conversionsView is the page of all conversions.
type conversionsView struct {
	conversionSum
	Rows    []conversionView // of this page, in order
	List    conversionQuery
	Chips   []stateChip
	Found   string // how many rows there are where not all are shown; "" = all
	Pages   []pageLink
	All     int             // phones in all, found or not
	Plan    *conversionView // of the planner's form
	From    string
	To      string
	Problem string
	Loads   []string
}

// conversionView is one phone's way to its load, with words.
type conversionView struct {
	Conversion
	ID, Name, Path, Mood, Word string
	MACHead, MACTail           string // the last four digits are what stands largest on a phone's label
	Orders                     []orderView
	Needs                      bool    // it needs a person
	Lacks                      bool    // an upload would help it
	Progress                   string  // how far it is, a sentence; "" = nothing is left to do
	LeftWords                  string  // and for how long
	Bar, BarOf                 int     // 0 of 0 = there is no bar
	Return                     string  // the path that an order leads back to
	left                       float64 // seconds
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
		return []orderView{{"after", "Stop after this step"}, stop}
	case "blocked":
		return []orderView{skip}
	case "failed":
		return []orderView{goOn, skip}
	case "skipped", "stopped":
		return []orderView{goOn, next}
	}
	return nil
}

// orders are those of one phone; what was ordered already is not offered again, but its taking back is.
func (c *Conversion) orders() []orderView {
	list := ordersFor(c.Phase)
	if c.Phase == "going" && c.Order == "after" {
		list = []orderView{{"go", "Go on after this step"}, {"stop", "Stop at once"}}
	}
	if c.Back != "" {
		list = append(list, orderView{"back", "Back to " + c.Back})
	}
	return list
}

func newConversionView(c Conversion) conversionView {
	v := conversionView{Conversion: c, ID: "c-" + c.MAC.Name(), Name: c.Label, Path: "/phones/" + c.MAC.Name(), Orders: c.orders(), Needs: c.needsPerson()}
	mac := c.MAC.String()
	v.MACHead, v.MACTail = mac[:len(mac)-5], mac[len(mac)-5:]
	if v.Name == "" {
		v.Name = mac
	}
	v.Word, v.Mood = phaseWords(c.Phase)
	if v.Lacks = c.lacks(); v.Lacks {
		v.Word = "files missing"
	}
	if c.ByHand && c.Phase != "failed" && c.Phase != "blocked" {
		v.Word, v.Mood = "restart it by hand", "warn"
	}
	if v.Progress = c.progressWords(); v.Progress != "" {
		v.LeftWords = leftWords(c.LeftS)
	}
	v.Bar, v.BarOf = c.bar()
	v.left = c.LeftS
	v.Sent, v.Size, v.LeftS = 0, 0, 0 // they stand in Progress and Bar, which change less often
	return v
}

// needsPerson reports whether a phone goes on only when a person does something.
func (c *Conversion) needsPerson() bool {
	return c.Phase == "failed" || c.Phase == "blocked" || c.ByHand
}

// lacks reports whether a phone stands still because files are not on the shelf, so that an upload helps.
func (c *Conversion) lacks() bool {
	misses := func(s ConversionStep) bool { return len(s.Missing) > 0 }
	return c.Phase == "blocked" && (len(c.Missing) > 0 || slices.ContainsFunc(c.Steps, misses))
}

// inMiddle reports whether the power of a phone must not be cut now.
func (c *Conversion) inMiddle() bool { return !c.Unplug }

// steps counts those that a phone took and those that are left; a start that only shows what it runs is none.
func (c *Conversion) steps() (done, all int) {
	all = c.Done
	for _, s := range c.Steps {
		if !s.Confirm {
			all++
		}
	}
	return c.Done, all
}

// barParts is how fine a step is drawn: a hundred parts are as much as one sees.
const barParts = 100

// bar is how far a phone is, in parts of a step; 0 of 0 where it is not on its way.
func (c *Conversion) bar() (value, of int) {
	const lastStart = 95 // all is written, and a start has to show it
	done, all := c.steps()
	switch {
	case c.Phase == "arrived" || len(c.Steps) == 0 || c.Phase != "going" && c.Unplug && done == 0:
		return 0, 0
	case done == all && c.Phase == "going":
		return max(done-1, 0)*barParts + lastStart, max(done, 1) * barParts
	}
	return done*barParts + c.stepPart(), max(all, 1) * barParts
}

// stepPart says how far a phone is in its step: nine tenths of it are for the images, of each the half for sending and most of
// the other half for writing it.
func (c *Conversion) stepPart() int {
	const images, half, written = 90, 50, 85
	if c.Phase != "going" || len(c.Steps) == 0 || c.Unplug {
		return 0
	}
	at, n := 0, 0
	for _, f := range c.Steps[0].Files {
		if strings.HasSuffix(strings.ToLower(f), ".loads") {
			continue
		}
		if strings.EqualFold(f, c.File) {
			at = n
		}
		n++
	}
	within := written
	if c.Sending {
		within = c.percent() * half / 100
	}
	return images * (at*100 + within) / (100 * max(n, 1))
}

// percent is how much of the image that is on its way was sent.
func (c *Conversion) percent() int {
	if c.Size <= 0 {
		return 0
	}
	return int(min(c.Sent*100/c.Size, 100))
}

// progressWords say how far a phone is; "" where nothing is left to do.
func (c *Conversion) progressWords() string {
	done, all := c.steps()
	at := min(done+1, all)
	switch {
	case c.Phase == "arrived" || len(c.Steps) == 0:
		return ""
	case all == done && c.Phase == "going":
		return "All is written. A start shows what it runs now."
	case all == done:
		return ""
	case c.Phase != "going" && c.Unplug && all-done == 1:
		return "1 step is left."
	case c.Phase != "going" && c.Unplug:
		return fmt.Sprintf("%d steps are left.", all-done)
	case c.Sending:
		return fmt.Sprintf("Step %d of %d: %d %% of %s is sent.", at, all, c.percent(), c.File)
	case !c.Unplug:
		return fmt.Sprintf("Step %d of %d: it writes %s.", at, all, c.File)
	}
	return fmt.Sprintf("Step %d of %d.", at, all)
}

// leftWords say how long something takes from now on.
func leftWords(seconds float64) string {
	switch minutes := int(math.Ceil(seconds / 60)); {
	case seconds <= 0:
		return ""
	case seconds < 50:
		return "Less than a minute is left."
	case minutes == 1:
		return "About a minute is left."
	default:
		return fmt.Sprintf("About %d minutes are left.", minutes)
	}
}

// takesWords say how long something takes.
func takesWords(seconds float64) string {
	switch minutes := int(math.Ceil(seconds / 60)); {
	case seconds < 50:
		return "less than a minute"
	case minutes == 1:
		return "about a minute"
	default:
		return fmt.Sprintf("about %d minutes", minutes)
	}
}

// inAll is how long phones take together when only some may be in a step at once: whichever is longer, all of their work
// shared among the places, or the longest way of one of them.
func inAll(seconds []float64, places int) float64 {
	var all, longest float64
	for _, s := range seconds {
		all += s
		longest = max(longest, s)
	}
	return max(all/float64(max(places, 1)), longest)
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

// urgencies are in which order phones stand: those that wait for a person, those whose power must not be cut, and the rest.
var urgencies = []string{"failed", "blocked", "by hand", "stopped", "in the middle", "going", "waiting", "skipped", "arrived"}

// sort puts what needs a person first and what has arrived last; names order what is alike.
func (v *conversionsView) sort() {
	places := make([][]int, len(urgencies)) // the rows of each: they are large, so that none is moved twice
	for i := range v.Rows {
		at := max(slices.Index(urgencies, v.Rows[i].urgency()), 0)
		places[at] = append(places[at], i)
	}
	sorted := make([]conversionView, 0, len(v.Rows))
	for _, rows := range places {
		for _, i := range rows {
			sorted = append(sorted, v.Rows[i])
		}
	}
	v.Rows = sorted
}

// urgency is one of urgencies; a phase that is none of them comes first.
func (v *conversionView) urgency() string {
	switch {
	case v.Phase == "failed" || v.Phase == "blocked":
		return v.Phase
	case v.ByHand:
		return "by hand"
	case !v.Unplug:
		return "in the middle"
	}
	return v.Phase
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
			switch {
			case phase == "blocked":
				word = "held up"
			case phase == "going" && n > 1:
				word = "on their way"
			}
			parts = append(parts, count(n, "phone")+" "+word)
		}
	}
	return strings.Join(parts, ", ") + "."
}

// conversionRoutes are the pages around conversions that app.go does not have.
func (s *Server) conversionRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /conversions/target":      s.conversionTarget,
		"POST /conversions/target":     s.conversionTargetPost,
		"GET /conversions/orders":      backTo("/conversions"),
		"POST /conversions/orders":     s.conversionOrders,
		"GET /conversions/report":      s.reportPage,
		"GET /conversions/report.csv":  s.reportCSV,
		"GET /firmware/remove":         backTo("/firmware"),
		"GET /phones/{mac}/conversion": s.backToPhone,
	}
}

func (s *Server) conversionsPage(w http.ResponseWriter, r *http.Request) error {
	v := s.conversionsView(readConversionQuery(r), nil)
	v.From, v.To = strings.TrimSpace(r.FormValue("from")), strings.TrimSpace(r.FormValue("to"))
	for _, l := range s.deps.Box.Firmware().Loads {
		v.Loads = append(v.Loads, l.Name)
	}
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
	return s.show(w, r, code, "conversions", cmp.Or(v.Title, "Conversion"), "/conversions", v)
}

// conversionStream sends the parts of the page of conversions that changed.
func (s *Server) conversionStream(w http.ResponseWriter, r *http.Request) error {
	var last conversionParts
	q := readConversionQuery(r)
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		return last.changes(s.pages, s.conversionsView(q, &last))
	})
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
