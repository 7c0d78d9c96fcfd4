package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// targetKey is the setting that says what the listed phones should run.
const targetKey = "firmware.target"

// targetView is the page that chooses the load for the site and shows what that means before anything is saved.
type targetView struct {
	ETag    string
	Now     string // what holds; "" = each phone stays on what it runs
	Chosen  bool   // a load was chosen, which To is
	To      string
	Loads   []targetLoad
	Other   string // To, where it is none of Loads
	Problem string
	Faults  []Fault
	Summary []string
	Groups  []planGroup
	Off     int // phones that are left out or stopped
}

// targetLoad is a load that can be chosen.
type targetLoad struct {
	Name, Kind string
	Missing    []string
	Checked    bool
}

// planGroup is what a target means for phones that run the same.
type planGroup struct {
	Phones     []planPhone
	Count      string // a sentence
	Runs, Sure string
	Target     string
	Pinned     bool
	Word, Mood string
	Lacks      bool // files that an upload would bring
	Text       string
	Steps      []planStep
	Takes      string
	Risks      []string
	seconds    float64 // that the way takes
}

type planPhone struct{ Name, Path string }

// planStep is a step with what a person should know of it before.
type planStep struct {
	ConversionStep
	Takes string
}

func (s *Server) conversionTarget(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	to := strings.TrimSpace(q.Get("to"))
	if other := strings.TrimSpace(q.Get("other")); to == "other" || to == "" && other != "" {
		to = other
	}
	v := s.targetView()
	if !q.Has("to") {
		v.choose(v.Now)
		return s.show(w, r, http.StatusOK, "conversiontarget", "Target", "/conversions/target", v)
	}
	if to == "stay" {
		to = ""
	}
	return s.showTarget(w, r, http.StatusOK, v, to)
}

// showTarget shows what a target means.
func (s *Server) showTarget(w http.ResponseWriter, r *http.Request, code int, v targetView, to string) error {
	v.choose(to)
	list, err := s.preview(to)
	if err != nil {
		a := explain(err)
		if a.status == http.StatusInternalServerError {
			return err
		}
		v.Problem = a.text
		return s.show(w, r, a.status, "conversiontarget", "Target", "/conversions/target", v)
	}
	v.Chosen = true
	v.Groups = planGroups(list)
	v.Summary = planSummary(list, s.places())
	for _, c := range list {
		if c.Order == "skip" || c.Order == "stop" {
			v.Off++
		}
	}
	return s.show(w, r, code, "conversiontarget", "Target", "/conversions/target", v)
}

func (s *Server) preview(to string) ([]Conversion, error) {
	if s.deps.Converter == nil {
		return nil, public(http.StatusNotImplemented, "This box cannot look ahead.")
	}
	return s.deps.Converter.Preview(to)
}

func (s *Server) targetView() targetView {
	fields, etag := s.deps.Box.Settings().Fields()
	v := targetView{ETag: etag}
	for _, f := range fields {
		if f.Key == targetKey {
			v.Now = f.Value
		}
	}
	for _, l := range s.deps.Box.Firmware().Loads {
		kind := "SIP"
		known, ok := phone.ParseLoad(l.Name)
		if !ok || known.Loader || known.Protocol == phone.MGCP {
			continue // of other models; no 7940 or 7960 can be led there
		}
		if known.Protocol == phone.SCCP {
			kind = "SCCP"
		}
		v.Loads = append(v.Loads, targetLoad{Name: l.Name, Kind: kind, Missing: l.Missing})
	}
	// The newest SIP is what most people come for.
	slices.SortStableFunc(v.Loads, func(a, b targetLoad) int {
		x, _ := phone.ParseLoad(a.Name)
		y, _ := phone.ParseLoad(b.Name)
		if a.Kind != b.Kind {
			return strings.Compare(b.Kind, a.Kind)
		}
		return slices.Compare(y.Version[:], x.Version[:])
	})
	return v
}

// choose marks a load as chosen.
func (v *targetView) choose(to string) {
	v.To, v.Other = to, to
	for i := range v.Loads {
		if strings.EqualFold(v.Loads[i].Name, to) {
			v.Loads[i].Checked, v.Other = true, ""
		}
	}
}

// planGroups puts phones together that run the same and have the same way; those with the most to do come first.
func planGroups(list []Conversion) []planGroup {
	var groups []planGroup
	at := map[string]int{}
	for _, c := range list {
		key := fmt.Sprint(c.Runs, "\x00", c.Target, "\x00", c.Phase, "\x00", c.Text, "\x00", len(c.Steps), c.Pinned)
		for _, st := range c.Steps {
			key += "\x00" + st.From + "\x00" + st.To + "\x00" + strings.Join(st.Missing, ",")
		}
		i, known := at[key]
		if !known {
			i = len(groups)
			at[key] = i
			groups = append(groups, newPlanGroup(c))
		}
		name := c.Label
		if name == "" {
			name = c.MAC.String()
		}
		groups[i].Phones = append(groups[i].Phones, planPhone{name, "/phones/" + c.MAC.Name()})
	}
	for i := range groups {
		g := &groups[i]
		g.Count = count(len(g.Phones), "phone")
		if len(g.Steps) > 0 {
			g.Takes = takesWords(g.seconds)
		}
	}
	rank := []string{"blocked", "waiting", "arrived"}
	slices.SortStableFunc(groups, func(a, b planGroup) int { return slices.Index(rank, a.rank()) - slices.Index(rank, b.rank()) })
	return groups
}

func (g planGroup) rank() string {
	switch g.Mood {
	case "warn":
		return "blocked"
	case "good":
		return "arrived"
	}
	return "waiting"
}

func newPlanGroup(c Conversion) planGroup {
	g := planGroup{Runs: c.Runs, Sure: c.Sure, Target: c.Target, Pinned: c.Pinned, Text: c.Text, Mood: "busy", Word: "will be converted"}
	switch {
	case c.Phase == "arrived" && c.Target == "":
		g.Word, g.Mood = "no change", "good"
	case c.Phase == "arrived":
		g.Word, g.Mood = "there already", "good"
	case c.lacks():
		g.Word, g.Mood, g.Lacks = "files missing", "warn", true
	case c.Phase == "blocked":
		g.Word, g.Mood = "no way", "warn"
	case len(c.Steps) == 0:
		g.Word, g.Mood = "not known yet", "quiet"
	}
	for _, st := range c.Steps {
		g.Steps = append(g.Steps, planStep{st, takesWords(st.Minutes * 60)})
		g.seconds += st.Minutes * 60
	}
	g.Risks = risks(c.Steps)
	return g
}

// risks are what a person should know of a way before a phone takes it.
func risks(steps []ConversionStep) []string {
	var out []string
	add := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, st := range steps {
		to, _ := phone.ParseLoad(st.To)
		from, known := phone.ParseLoad(st.From)
		switch {
		case st.Confirm:
			continue
		case !to.Universal() || slices.ContainsFunc(st.Files, func(f string) bool { return strings.HasSuffix(strings.ToLower(f), ".sbn") }):
			add("Power that fails while an image of an old load or the loader is written can be the end of a phone. Put the switch on a UPS if you can.")
		}
		// Only what is from before 5.0 asks for images without signature.
		unsigned := known && !from.Signed() || !known && slices.ContainsFunc(st.Files, func(f string) bool { return strings.HasSuffix(strings.ToLower(f), ".bin") })
		if to.Signed() && unsigned {
			add("There is no way back to a load from before 5.0: from then on a phone takes signed images only.")
		}
		if strings.HasPrefix(st.Source, "nobody wrote it down") || strings.HasPrefix(st.Source, "written down for some") {
			add("A step of this way is not written down anywhere. Convert one phone first, and look at its display.")
		}
	}
	return out
}

// planSummary says in sentences what a target means for all phones together.
func planSummary(list []Conversion, places int) []string {
	if len(list) == 0 {
		return []string{"No phone is listed yet, so nothing is converted. Add the phones first."}
	}
	var ready, there, lacking, without, unknown int
	var left []float64
	for i := range list {
		switch g := newPlanGroup(list[i]); g.Word {
		case "will be converted":
			ready++
			left = append(left, g.seconds)
		case "files missing":
			lacking++
		case "no way":
			without++
		case "not known yet":
			unknown++
		default:
			there++
		}
	}
	var out []string
	say := func(n int, one, many string) {
		switch {
		case n == 1:
			out = append(out, one)
		case n > 1:
			out = append(out, fmt.Sprintf(many, n))
		}
	}
	say(ready, "1 phone will be converted.", "%d phones will be converted.")
	if len(left) > 0 {
		out = append(out, fmt.Sprintf("That takes %s in all, with %d at once, when each phone asks for its files at once.", takesWords(inAll(left, places)), places))
	}
	say(lacking, "1 phone lacks files that are not on the shelf: it waits until they are there.", "%d phones lack files that are not on the shelf: they wait until the files are there.")
	say(without, "1 phone has no way there.", "%d phones have no way there.")
	say(unknown, "Of 1 phone it is not known yet what it runs.", "Of %d phones it is not known yet what they run.")
	say(there, "1 phone stays as it is.", "%d phones stay as they are.")
	return out
}

// conversionTargetPost saves the target. "later" leaves all phones out first, so that nothing begins until somebody says so.
func (s *Server) conversionTargetPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	to, etag, later := r.PostForm.Get("target"), r.PostForm.Get("etag"), r.PostForm.Get("do") == "later"
	if _, err := s.preview(to); err != nil {
		return err
	}
	settings := s.deps.Box.Settings()
	var held []phone.MAC
	if _, now := settings.Fields(); later && now == etag {
		var err error
		if held, err = s.holdAll(r); err != nil {
			return err
		}
	}
	err := settings.SetFields(r.Context(), map[string]string{targetKey: to}, etag)
	if err != nil {
		if len(held) > 0 { // what was held back for this target must not stay so without it
			_, again := s.deps.Converter.DirectAll(context.WithoutCancel(r.Context()), held, "go")
			err = errors.Join(err, again)
		}
		return s.targetRefused(w, r, to, err)
	}
	if to == "" {
		s.changed(r, "The phones are left on what they run.")
		return s.doneAt(w, r, "/conversions", "Saved. Each phone stays on what it runs.")
	}
	s.changed(r, "The load that the phones should run is now "+to+".")
	if later {
		return s.doneAt(w, r, "/conversions", fmt.Sprintf("Saved. The phones should run %s. Nothing begins until you press Start all, or start single phones.", to))
	}
	return s.doneAt(w, r, "/conversions", fmt.Sprintf("Saved. The phones should run %s. Each begins when it asks for its files next.", to))
}

// holdAll leaves every phone out that is not left out or stopped already.
func (s *Server) holdAll(r *http.Request) ([]phone.MAC, error) {
	var held []phone.MAC
	for _, c := range s.deps.Shop.Conversions() {
		if c.Order != "skip" && c.Order != "stop" {
			held = append(held, c.MAC)
		}
	}
	if len(held) == 0 {
		return nil, nil
	}
	if _, err := s.deps.Converter.DirectAll(r.Context(), held, "after"); err != nil {
		return nil, orElse(err, http.StatusInternalServerError, "The phones could not be told to wait, so nothing was saved.")
	}
	return held, nil
}

func (s *Server) targetRefused(w http.ResponseWriter, r *http.Request, to string, err error) error {
	v := s.targetView()
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		v.Problem, v.Faults = "Nothing was saved. The settings do not allow that.", refused.Faults
		return s.showTarget(w, r, http.StatusUnprocessableEntity, v, to)
	case errors.As(err, new(StaleError)):
		v.Problem = "Somebody else changed the settings meanwhile. Nothing was saved: look at the plan again, then save."
		return s.showTarget(w, r, http.StatusPreconditionFailed, v, to)
	}
	return orElse(err, http.StatusInternalServerError, "The settings could not be saved; the old ones hold.")
}

// apiPreview says what another target would mean: ?to=P0S3-8-12-00.
func (s *Server) apiPreview(w http.ResponseWriter, r *http.Request) error {
	list, err := s.preview(strings.TrimSpace(r.URL.Query().Get("to")))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, orEmpty(list))
	return nil
}
