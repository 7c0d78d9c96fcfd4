package web

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// BoxTarget leads a name to the box itself, whatever address it has.
const BoxTarget = "phonebox"

// namesView is the page of names.
type namesView struct {
	Names
	Missing []missingView
	Page    []string // under which names this page is found
	Problem string
	Faults  []string
	Name    string // what the form had
	Target  string
	Form    *siteFormView // the settings of names; nil = they cannot be shown
}

// missingView is a name that nobody answers in words.
type missingView struct {
	MissingName
	Times string
	Who   []askerView
}

type askerView struct{ Who, Path, Times string }

func (s *Server) namesPage(w http.ResponseWriter, r *http.Request) error {
	return s.showNames(w, r, http.StatusOK, namesView{Name: r.URL.Query().Get("name")})
}

func (s *Server) showNames(w http.ResponseWriter, r *http.Request, code int, v namesView) error {
	if v.Form == nil {
		form, err := s.embeddedForm("names")
		if err != nil {
			return err
		}
		v.Form = form
	}
	v.Names = s.deps.Box.Names()
	now := s.deps.Now()
	for _, n := range v.Names.Missing {
		m := missingView{MissingName: n, Times: often(n.Count) + since(n.Last, now)}
		for _, a := range n.Askers {
			m.Who = append(m.Who, newAskerView(a, now))
		}
		v.Missing = append(v.Missing, m)
	}
	v.Page = append(v.Page, "phonebox."+v.Domain)
	if v.Local != "" {
		v.Page = append(v.Page, v.Local)
	}
	return s.show(w, r, code, "names", "Names", "/names", v)
}

func newAskerView(a Asker, now time.Time) askerView {
	v := askerView{Who: a.Label, Times: often(a.Count) + since(a.Last, now)}
	if v.Who == "" && !a.MAC.IsZero() {
		v.Who = a.MAC.String()
	}
	if !a.MAC.IsZero() {
		v.Path = "/phones/" + a.MAC.Name()
	}
	if v.Who == "" {
		v.Who = a.Address
	} else {
		v.Times = a.Address + ", " + v.Times
	}
	return v
}

func often(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func since(t, now time.Time) string {
	if at := timeWords(t, now); at != "" {
		return ", last " + at
	}
	return ""
}

// namesPost leads a name somewhere, or takes that back.
func (s *Server) namesPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	name, target := r.PostForm.Get("name"), r.PostForm.Get("target")
	if r.PostForm.Get("remove") != "" {
		if err := s.mapName(r, name, ""); err != nil {
			return err
		}
		return s.done(w, r, "/names", "The name "+name+" is not answered any more.")
	}
	v := namesView{Name: name, Target: target}
	err := errMissingTarget
	if target != "" {
		err = s.mapName(r, name, target)
	}
	var refused *Refused
	switch {
	case err == nil:
		return s.done(w, r, "/names", "The name "+name+" leads to "+targetWords(target)+" now. What asked for it finds it at its next question.")
	case errors.As(err, &refused):
		v.Problem = "Nothing was changed:"
		for _, f := range refused.Faults {
			v.Faults = append(v.Faults, faultWords(f, f.Key))
		}
	default:
		return err
	}
	return s.showNames(w, r, http.StatusUnprocessableEntity, v)
}

// errMissingTarget is the answer to a form without a target; an empty one would take the name out.
var errMissingTarget error = &Refused{Faults: []Fault{{Key: "dns.names", Found: "no target", Allowed: "phonebox for this box, a host, or an IPv4 address"}}}

func targetWords(target string) string {
	if target == BoxTarget {
		return "this box"
	}
	return target
}

// mapName changes where a name leads; "" takes it out.
func (s *Server) mapName(r *http.Request, name, target string) error {
	if err := s.deps.Box.MapName(r.Context(), name, target); err != nil {
		return orElse(err, http.StatusInternalServerError, "The name could not be changed; the old settings hold.")
	}
	if target == "" {
		s.changed(r, fmt.Sprintf("The name %q was given up.", name))
		return nil
	}
	s.changed(r, fmt.Sprintf("The name %q leads to %s.", name, targetWords(target)))
	return nil
}

// apiNames gives the names that the settings lead somewhere.
func (s *Server) apiNames(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, orEmpty(s.deps.Box.Names().Mapped))
	return nil
}

// apiMissingNames gives the names that nobody answers.
func (s *Server) apiMissingNames(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, orEmpty(s.deps.Box.Names().Missing))
	return nil
}

// apiMapName leads a name somewhere.
func (s *Server) apiMapName(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name   string `json:"name"`
		Target string `json:"target"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Target == "" {
		return public(http.StatusUnprocessableEntity, "The key target is missing: phonebox for this box, a name of dns.hosts, or an IPv4 address.")
	}
	if err := s.mapName(r, in.Name, in.Target); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// apiUnmapName takes back where a name leads.
func (s *Server) apiUnmapName(w http.ResponseWriter, r *http.Request) error {
	if err := s.mapName(r, r.PathValue("name"), ""); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
