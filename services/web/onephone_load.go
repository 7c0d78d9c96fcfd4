package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// stayLoad is the target of a phone that is to stay on what it runs; "" is that of the site.
const stayLoad = "stay"

// loadPage chooses the load of one phone, and shows what that means before it holds.
type loadPage struct {
	Name, Path string
	Runs       string
	ETag       string
	Now        string // what holds: "", "stay" or a load
	Options    []loadOption
	Asked      bool // one was chosen: Plan shows what it means
	Wanted     string
	WantedSaid string
	Plan       *conversionView
	Problem    string
	Own        bool // the load is not on the shelf
}

type loadOption struct {
	Value, Text string
	Chosen      bool
}

// loadSaid says a target in words.
func loadSaid(target string) string {
	switch target {
	case "":
		return "what the site wants for all phones"
	case stayLoad:
		return "the load that it runs, whatever the site wants"
	}
	return target
}

func (s *Server) phoneLoadPage(w http.ResponseWriter, r *http.Request) error {
	p, entry, etag, err := s.listedPhone(r)
	if err != nil {
		return err
	}
	v := loadPage{Name: nameOf(p), Path: "/phones/" + p.MAC.Name(), Runs: p.Load, ETag: etag, Now: entry.Load}
	v.Wanted, v.Asked = strings.TrimSpace(r.URL.Query().Get("load")), r.URL.Query().Has("load")
	chosen := entry.Load
	if v.Asked {
		chosen = v.Wanted
		v.WantedSaid = loadSaid(v.Wanted)
	}
	v.Options = s.loadOptions(chosen)
	if v.Asked && v.Wanted != "" && v.Wanted != stayLoad {
		v.plan(s, p)
	}
	return s.show(w, r, http.StatusOK, "phoneload", "Firmware of "+v.Name, "/phones", v)
}

// plan shows the way to the wanted load.
func (v *loadPage) plan(s *Server, p Phone) {
	if !slices.ContainsFunc(s.deps.Box.Firmware().Loads, func(l FirmwareLoad) bool { return l.Name == v.Wanted && len(l.Missing) == 0 }) {
		v.Own = true
	}
	if p.Load == "" || strings.EqualFold(p.Load, v.Wanted) {
		return
	}
	c, err := s.deps.Shop.Plan(p.Load, v.Wanted)
	if err != nil {
		v.Problem = explain(err).text
		return
	}
	plan := newConversionView(c)
	v.Plan = &plan
}

// loadOptions are what can be chosen: the site's, what it runs, and what is on the shelf.
func (s *Server) loadOptions(chosen string) []loadOption {
	out := []loadOption{
		{Value: "", Text: "As the site says for all phones"},
		{Value: stayLoad, Text: "Stay on the load that it runs"},
	}
	known := chosen == "" || chosen == stayLoad
	for _, l := range s.deps.Box.Firmware().Loads {
		text := l.Name
		if len(l.Missing) > 0 {
			text += " (not all of its files are here)"
		}
		out = append(out, loadOption{Value: l.Name, Text: text})
		known = known || l.Name == chosen
	}
	if !known {
		out = append(out, loadOption{Value: chosen, Text: chosen + " (not on the shelf)"})
	}
	for i := range out {
		out[i].Chosen = out[i].Value == chosen
	}
	return out
}

func (s *Server) phoneLoadPost(w http.ResponseWriter, r *http.Request) error {
	p, entry, _, err := s.listedPhone(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	load := strings.TrimSpace(r.PostForm.Get("load"))
	if err := s.setLoad(r.Context(), p.MAC, entry, load, r.PostForm.Get("etag")); err != nil {
		return err
	}
	s.report(r, Event{Kind: EventChanged, MAC: p.MAC, What: "Its load was chosen: " + loadSaid(load) + ".", Code: http.StatusOK})
	return s.done(w, r, "/phones/"+p.MAC.Name(), "Its load is chosen. What comes next stands below.")
}

// setLoad gives a phone a target of its own; its passwords stay as they are.
func (s *Server) setLoad(ctx context.Context, mac phone.MAC, entry PhoneEntry, load, etag string) error {
	entry.Load = load
	err := s.deps.Box.Settings().PutPhone(ctx, mac, entry, etag)
	var refused *Refused
	if errors.As(err, &refused) && len(refused.Faults) > 0 {
		f := refused.Faults[0]
		return public(http.StatusUnprocessableEntity, "Nothing was changed: "+faultWords(f, phoneKey(f.Key))+".")
	}
	if err != nil {
		return orElse(err, http.StatusInternalServerError, "The load could not be saved; the old settings hold.")
	}
	return nil
}

// listedPhone is a phone of the list, with its entry.
func (s *Server) listedPhone(r *http.Request) (Phone, PhoneEntry, string, error) {
	p, err := s.knownPhone(r)
	if err != nil {
		return Phone{}, PhoneEntry{}, "", err
	}
	entry, etag, ok := s.deps.Box.Settings().Phone(p.MAC)
	if !ok {
		return Phone{}, PhoneEntry{}, "", public(http.StatusNotFound, "The phone "+p.MAC.String()+" is not listed. Add it first.")
	}
	return p, entry, etag, nil
}
