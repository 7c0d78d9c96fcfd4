package web

import (
	"html"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// startTimeView is the step about the time.
type startTimeView struct {
	Zones   template.HTML // the list to choose from
	Zone    string        // that is chosen
	Propose bool          // a browser may choose its own: nobody chose yet
	Faults  []string
	Trusted bool
	Text    string // what the box knows of the time
	Now     string
}

func (s *Server) startTimeView(values map[string]string) startTimeView {
	c := s.deps.Box.Status().Clock
	v := startTimeView{Zone: s.setting("time.zone"), Trusted: c.Trusted, Text: clockSentence(c), Now: c.Now.UTC().Format("2 January 2006, 15:04 UTC")}
	v.Propose = values == nil && s.startState().of("time") != "done"
	if chosen, ok := values["time.zone"]; ok {
		v.Zone = chosen
	}
	v.Zones = zoneOptions(v.Zone)
	return v
}

// placeWords writes the name of a place for people.
var placeWords = strings.NewReplacer("_", " ", "/", ", ")

// zoneOptions is the list with one chosen, which is added where it does not stand in it. A template takes longer for four hundred
// places than for all the rest of a page.
func zoneOptions(chosen string) template.HTML {
	var areas strings.Builder
	found := chosen == "UTC" || chosen == ""
	for _, a := range zoneNames {
		areas.WriteString(`<optgroup label="` + a.Area + `">`)
		for _, place := range a.Places {
			name := a.Area + "/" + place
			found = found || name == chosen
			writeOption(&areas, name, placeWords.Replace(place), name == chosen)
		}
		areas.WriteString("</optgroup>\n")
	}
	var first strings.Builder
	writeOption(&first, "UTC", "UTC", chosen == "UTC" || chosen == "")
	if !found {
		writeOption(&first, chosen, chosen, true)
	}
	return template.HTML(first.String() + "\n" + areas.String()) // #nosec: writeOption escapes
}

func writeOption(b *strings.Builder, value, text string, chosen bool) {
	b.WriteString(`<option value="` + html.EscapeString(value) + `"`)
	if chosen {
		b.WriteString(" selected")
	}
	b.WriteString(">" + html.EscapeString(text) + "</option>")
}

// startTimePost takes the zone and, where it was asked for, the browser's time.
func (s *Server) startTimePost(w http.ResponseWriter, r *http.Request) error {
	values := readStart(r, []string{"time.zone"})
	fail := func(v startView, code int) error {
		view := s.startTimeView(values)
		view.Faults = v.Faults.For("time.zone")
		v.Body = view
		return s.showStart(w, r, code, "time", v)
	}
	if err := s.deps.Box.Settings().SetFields(r.Context(), values, r.PostForm.Get("etag")); err != nil {
		var v startView
		code, err := s.refusedStart(&v, []string{"time.zone"}, err)
		if err != nil {
			return err
		}
		return fail(v, code)
	}
	s.changed(r, "The time zone was set.")
	if r.PostForm.Get("clock") == "" {
		return s.stepDone(w, r, "time", "The time zone is saved.")
	}
	if r.PostForm.Get("unix") == "" && strings.TrimSpace(r.PostForm.Get("utc")) == "" {
		// Without JavaScript, or pressed before it was there: no reason to hold anybody up.
		return s.stepDone(w, r, "time", "The time zone is saved. The clock was left as it is, because no time was given.")
	}
	unix, err := strconv.ParseFloat(r.PostForm.Get("unix"), 64)
	if err != nil {
		unix, err = typedTime(r.PostForm.Get("utc"))
	}
	if err == nil {
		err = s.setClock(w, r, unix)
	} else {
		err = public(http.StatusUnprocessableEntity, "That is no date and time. Write it like 2026-03-01 14:30, in UTC.")
	}
	if err != nil {
		a := explain(err)
		if a.status == http.StatusInternalServerError {
			return err
		}
		var v startView
		_, v.ETag = s.deps.Box.Settings().Fields()
		v.Problem = "The time zone is saved. " + a.text
		return fail(v, a.status)
	}
	return s.stepDone(w, r, "time", "The time zone is saved and the clock is set.")
}
