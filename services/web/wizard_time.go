package web

import (
	"net/http"
	"strconv"
	"strings"
)

// startTimeView is the step about the time.
type startTimeView struct {
	Areas   []zoneArea
	Zone    string // that is chosen
	Propose bool   // a browser may choose its own: nobody chose yet
	Faults  []string
	Trusted bool
	Text    string // what the box knows of the time
	Now     string
}

// zoneArea is a part of the list of time zones.
type zoneArea struct {
	Name  string
	Zones []zoneChoice
}

type zoneChoice struct {
	Name, Place string
	Chosen      bool
}

func (s *Server) startTimeView(values map[string]string) startTimeView {
	c := s.deps.Box.Status().Clock
	v := startTimeView{Zone: s.setting("time.zone"), Trusted: c.Trusted, Text: clockSentence(c), Now: c.Now.UTC().Format("2 January 2006, 15:04 UTC")}
	v.Propose = values == nil && s.startState().of("time") != "done"
	if chosen, ok := values["time.zone"]; ok {
		v.Zone = chosen
	}
	v.Areas = zoneAreas(v.Zone)
	return v
}

// zoneAreas is the list with one chosen, which is added where it does not stand in it.
func zoneAreas(chosen string) []zoneArea {
	areas := []zoneArea{{Name: "Everywhere", Zones: []zoneChoice{{Name: "UTC", Place: "UTC", Chosen: chosen == "UTC" || chosen == ""}}}}
	found := areas[0].Zones[0].Chosen
	for _, a := range zoneNames {
		area := zoneArea{Name: a.Area, Zones: make([]zoneChoice, len(a.Places))}
		for i, place := range a.Places {
			name := a.Area + "/" + place
			area.Zones[i] = zoneChoice{Name: name, Place: strings.NewReplacer("_", " ", "/", ", ").Replace(place), Chosen: name == chosen}
			found = found || name == chosen
		}
		areas = append(areas, area)
	}
	if !found {
		areas[0].Zones = append(areas[0].Zones, zoneChoice{Name: chosen, Place: chosen, Chosen: true})
	}
	return areas
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
