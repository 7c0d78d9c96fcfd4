package web

import (
	"net/http"
)

// providerKeys are the settings of the step about the telephone system.
var providerKeys = []string{"sip.proxy", "sip.port", "dns.upstream"}

// providerStep is the step about the telephone system.
type providerStep struct {
	Fields []startField
	More   []startField // of a name that has to be looked up
	Open   bool         // those are shown
	Check  *ProxyCheck  // what asking it showed; nil = it was not asked
	Saved  bool
}

func (s *Server) providerView(values map[string]string) providerStep {
	return s.newProviderStep(values, formFaults{})
}

func (s *Server) newProviderStep(values map[string]string, faults formFaults) providerStep {
	v := providerStep{Fields: s.startFields(providerKeys[:2], values, faults), More: s.startFields(providerKeys[2:], values, faults)}
	for _, f := range v.More {
		v.Open = v.Open || len(f.Faults) > 0
	}
	return v
}

// providerPost saves the telephone system and asks whether it is there. One that answers leads on; one that does not stays on the
// page, saved all the same: it may only be switched off.
func (s *Server) providerPost(w http.ResponseWriter, r *http.Request) error {
	values := readStart(r, providerKeys)
	if r.PostForm.Get("go") != "" {
		return s.stepDone(w, r, "provider", "")
	}
	if err := s.deps.Box.Settings().SetFields(r.Context(), values, r.PostForm.Get("etag")); err != nil {
		var v startView
		code, err := s.refusedStart(&v, providerKeys, err)
		if err != nil {
			return err
		}
		v.Body = s.newProviderStep(values, v.Faults)
		return s.showStart(w, r, code, "provider", v)
	}
	s.changed(r, "The telephone system was set.")
	check := s.deps.Start.CheckProxy(r.Context(), values["sip.proxy"], values["sip.port"])
	if check.OK {
		return s.stepDone(w, r, "provider", "Saved. "+check.Text)
	}
	v := startView{}
	_, v.ETag = s.deps.Box.Settings().Fields()
	body := s.newProviderStep(nil, formFaults{})
	body.Check, body.Saved = &check, true
	body.Open = check.Verdict == "name_not_found"
	v.Body = body
	return s.showStart(w, r, http.StatusOK, "provider", v)
}

// apiCheckProxy asks a telephone system whether it is there: {"host", "port"}; nothing is saved.
func (s *Server) apiCheckProxy(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Host string `json:"host"`
		Port string `json:"port"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if s.deps.Start == nil {
		return public(http.StatusServiceUnavailable, "This box cannot ask telephone systems.")
	}
	c := s.deps.Start.CheckProxy(r.Context(), in.Host, in.Port)
	c.Addresses = orEmpty(c.Addresses)
	writeJSON(w, http.StatusOK, c)
	return nil
}
