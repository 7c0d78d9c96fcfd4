package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// addressKeys are the settings of the step about addresses.
var addressKeys = []string{"network.address", "network.gateway", "dhcp.pool"}

// addressView is the step about the address of the box and those of the phones.
type addressView struct {
	Fields []startField
	Why    string // what the proposal was made of; "" = what is in force stands in the form
	Keep   string // the address that the box has now, where another one is proposed
	Moves  bool   // a new address is in force at once
	Now    string // the address of the box now
	Move   *moveView
}

// startField is a field with what stands in it now.
type startField struct {
	Field
	ID     string
	Faults []string
	Rows   int // of a list
}

// startFields picks fields of the settings and puts values into them.
func (s *Server) startFields(keys []string, values map[string]string, faults formFaults) []startField {
	fields, _ := s.deps.Box.Settings().Fields()
	var out []startField
	for _, key := range keys {
		for _, f := range fields {
			if f.Key != key {
				continue
			}
			if value, ok := values[key]; ok {
				f.Value = value
			}
			out = append(out, startField{
				Field: f, ID: "f-" + strings.ReplaceAll(key, ".", "-"), Faults: counted(faults.For(key)), Rows: min(max(2, strings.Count(f.Value, "\n")+1), 6),
			})
		}
	}
	return out
}

// setting is what a key is set to now.
func (s *Server) setting(key string) string {
	fields, _ := s.deps.Box.Settings().Fields()
	for _, f := range fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

func (s *Server) addressView(r *http.Request) addressView {
	v := addressView{Moves: s.deps.Start.MovesItself(), Now: s.setting("network.address")}
	var values map[string]string
	// Who was here before decided already.
	if r.FormValue("keep") == "" && s.startState().of("address") != "done" {
		if p := s.deps.Start.Propose(r.Context()); p.Why != "" {
			values, v.Why, v.Keep = p.Values, p.Why, v.Now
		}
	}
	v.Fields = s.startFields(addressKeys, values, formFaults{})
	return v
}

// readStart reads the fields of a step.
func readStart(r *http.Request, keys []string) map[string]string {
	values := map[string]string{}
	for _, key := range keys {
		if r.PostForm.Has(key) {
			values[key] = strings.TrimSpace(unixLines(r.PostForm.Get(key)))
		}
	}
	return values
}

func (s *Server) addressPost(w http.ResponseWriter, r *http.Request) error {
	values := readStart(r, addressKeys)
	etag := r.PostForm.Get("etag")
	if next := addressOfBox(values["network.address"]); s.deps.Start.MovesItself() && next.IsValid() && next != addressOfBox(s.setting("network.address")) {
		if err := s.deps.Start.CheckFields(values); err != nil {
			return s.addressRefused(w, r, values, err)
		}
		return s.showStart(w, r, http.StatusOK, "address", startView{ETag: etag, Body: addressView{Move: &moveView{
			From: s.setting("network.address"), To: values["network.address"], Values: values, URL: s.urlAt(next.String()), Minutes: int(MoveTime.Minutes()),
		}}})
	}
	if err := s.deps.Box.Settings().SetFields(r.Context(), values, etag); err != nil {
		return s.addressRefused(w, r, values, err)
	}
	s.changed(r, "The address of the box and those for the phones were set.")
	return s.stepDone(w, r, "address", "The addresses are saved and in force.")
}

// addressRefused shows the form again with what was entered and what is wrong with it.
func (s *Server) addressRefused(w http.ResponseWriter, r *http.Request, values map[string]string, err error) error {
	v := startView{}
	code, err := s.refusedStart(&v, addressKeys, err)
	if err != nil {
		return err
	}
	v.Body = addressView{Fields: s.startFields(addressKeys, values, v.Faults), Moves: s.deps.Start.MovesItself(), Now: s.setting("network.address")}
	return s.showStart(w, r, code, "address", v)
}

// refusedStart says what became of settings that were not saved; an error that is none of the person's comes back.
func (s *Server) refusedStart(v *startView, keys []string, err error) (code int, _ error) {
	_, v.ETag = s.deps.Box.Settings().Fields()
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		v.Problem, v.Faults = "Nothing was saved. Please mend what is marked, or leave this step for later.", newFormFaults(refused.Faults, keys)
		return http.StatusUnprocessableEntity, nil
	case errors.As(err, new(StaleError)):
		v.Problem = staleText
		return http.StatusPreconditionFailed, nil
	}
	return 0, orElse(err, http.StatusInternalServerError, "The settings could not be saved; the old ones hold.")
}

// moveView asks before the box takes another address, and says where it is afterwards.
type moveView struct {
	From, To string
	Values   map[string]string
	URL      string // of the page then
	Minutes  int    // within which it must be opened there
	Moving   bool   // it was asked already
}

// urlAt is the page's address on another address of the box, with the login and the way back into the wizard.
func (s *Server) urlAt(host string) string {
	cfg := s.cfg.Load()
	scheme, port, usual := "https://", cfg.HTTPS.Port(), uint16(443)
	if cfg.Single || !cfg.HTTPS.IsValid() {
		scheme, port, usual = "http://", cfg.HTTP.Port(), 80
	}
	return scheme + hostPort(host, port, usual) + "/login?next=/start"
}

// startMove gives the box another address. This answer is the last that leaves from the old one.
func (s *Server) startMove(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	values := readStart(r, addressKeys)
	next := addressOfBox(values["network.address"])
	if !next.IsValid() || !s.deps.Start.MovesItself() {
		return s.addressPost(w, r)
	}
	from := s.setting("network.address")
	if err := s.deps.Start.Move(r.Context(), values, r.PostForm.Get("etag")); err != nil {
		return s.addressRefused(w, r, values, err)
	}
	s.changed(r, fmt.Sprintf("The box was told to move from %s to %s.", from, values["network.address"]))
	s.changeStart(r.Context(), func(st *StartState) {
		st.settle("address", "done")
		st.Problem = ""
	})
	return s.showStart(w, r, http.StatusOK, "address", startView{Gone: true, Body: addressView{Move: &moveView{
		From: from, To: values["network.address"], URL: s.urlAt(next.String()), Minutes: int(MoveTime.Minutes()), Moving: true,
	}}})
}

// arrived tells the box that a person found it at its new address.
func (s *Server) arrived(r *http.Request) {
	if s.deps.Start == nil {
		return
	}
	if to := s.deps.Start.Moving(); to != "" && to == localAddr(r).String() {
		s.deps.Start.Arrived()
	}
}
