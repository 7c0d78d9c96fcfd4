package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// formRoutes are the pages of the settings.
func (s *Server) formRoutes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET /settings":               s.formShow("network"),
		"POST /settings":              s.formPost("network"),
		"GET /settings/phones":        s.formShow("phones"),
		"POST /settings/phones":       s.formPost("phones"),
		"GET /settings/page":          s.formShow("page"),
		"POST /settings/page":         s.formPost("page"),
		"GET /time":                   s.timePage,
		"POST /time":                  s.formPost("time"),
		"POST /settings/names":        s.formPost("names"),
		"GET /settings/names":         backTo("/names"),
		"POST /settings/check":        s.formCheck,
		"POST /settings/find":         s.formFind,
		"GET /settings/pbx":           s.pbxPage,
		"GET /settings/pbx/{preset}":  s.snippetPage,
		"POST /settings/pbx/{preset}": s.snippetPost,
		"GET /settings/file":          s.fileForm,
		"POST /settings/file":         s.filePost,
		"POST /settings/file/check":   s.fileCheck,
	}
}

// forms returns the settings as forms, or why there are none.
func (s *Server) forms() (SiteForms, error) {
	if s.deps.Forms == nil {
		return nil, public(http.StatusNotImplemented, "The settings cannot be shown as a form here. They are there as a file.")
	}
	return s.deps.Forms, nil
}

// formShow shows a page of the settings.
func (s *Server) formShow(key string) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		page, err := findPage(key)
		if err != nil {
			return err
		}
		v, err := s.loadForm(page, r.URL.Query().Get("preset"))
		if err != nil {
			return err
		}
		return s.showForm(w, r, http.StatusOK, v)
	}
}

// loadForm makes the form of what the site has; a preset fills it in.
func (s *Server) loadForm(page formPage, preset string) (*siteFormView, error) {
	forms, err := s.forms()
	if err != nil {
		return nil, err
	}
	form, etag := forms.Form()
	if preset != "" {
		return newPresetForm(page, form, etag, preset)
	}
	return newSiteForm(page, form, etag, formState{}), nil
}

// showForm shows a form on the page that it belongs to.
func (s *Server) showForm(w http.ResponseWriter, r *http.Request, code int, v *siteFormView) error {
	switch v.Page.Key {
	case "time":
		return s.showTime(w, r, code, v)
	case "names":
		return s.showNames(w, r, code, namesView{Form: v})
	}
	return s.show(w, r, code, "settings", v.Page.Title, v.Page.Path, v)
}

// formPost takes a page of the settings: do says what is to become of it. preview shows what it would change, edit leads
// back from there, row adds or removes a row; save, or nothing, saves it.
func (s *Server) formPost(key string) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		page, err := findPage(key)
		if err != nil {
			return err
		}
		forms, err := s.forms()
		if err != nil {
			return err
		}
		if err := parseForm(r); err != nil {
			return err
		}
		p := &postedForm{server: s, page: page, forms: forms, etag: r.PostForm.Get("etag")}
		removeRow(r.PostForm, r.PostForm.Get("row"))
		p.form, p.current = forms.Form()
		p.values, p.faults = readSiteForm(r.PostForm, p.form.only(key))
		p.was = readWas(r.PostForm.Get("was"))
		return p.answer(w, r)
	}
}

// postedForm is a form that came in.
type postedForm struct {
	server  *Server
	page    formPage
	forms   SiteForms
	form    SiteForm // as the site has it now
	current string   // its etag
	etag    string   // that the form is based on
	values  map[string]string
	was     map[string]string
	faults  []Fault // of reading it
}

func (p *postedForm) answer(w http.ResponseWriter, r *http.Request) error {
	if row := r.PostForm.Get("row"); row != "" {
		st := formState{values: p.values, was: p.was}
		if !st.order(row, p.form.only(p.page.Key)) {
			return public(http.StatusBadRequest, "That button is not known here.")
		}
		if err := st.pick(r.PostForm, row); err != nil {
			return err
		}
		return p.server.showForm(w, r, http.StatusOK, newSiteForm(p.page, p.form, p.etag, st))
	}
	switch r.PostForm.Get("do") {
	case "edit":
		return p.server.showForm(w, r, http.StatusOK, newSiteForm(p.page, p.form, p.etag, formState{values: p.values, was: p.was}))
	case "find":
		v := newSiteForm(p.page, p.form, p.etag, formState{values: p.values, was: p.was})
		v.find(newFind(r.PostForm.Get("q")))
		return p.server.showForm(w, r, http.StatusOK, v)
	case "preview":
		return p.preview(w, r)
	}
	return p.save(w, r)
}

// check asks the box what the values would do.
func (p *postedForm) check(ctx context.Context) SiteCheck {
	c := p.forms.Check(ctx, p.values)
	c.Faults = append(slices.Clone(p.faults), c.Faults...)
	return c
}

// refuse shows the form again with what is wrong; nothing typed is lost.
func (p *postedForm) refuse(w http.ResponseWriter, r *http.Request, c SiteCheck, problem string, code int) error {
	v := newSiteForm(p.page, p.form, p.current, formState{values: p.values, was: p.was, check: &c})
	v.Problem = problem
	return p.server.showForm(w, r, code, v)
}

const mendText = "Nothing was saved. Please mend what is marked."

// stale is the answer to a form that is based on settings which are no longer in force. What the person did not touch takes
// the value of now.
func (p *postedForm) stale(w http.ResponseWriter, r *http.Request) error {
	mergeUntouched(p.values, p.was, p.form.only(p.page.Key).values(), p.form.only(p.page.Key))
	return p.refuse(w, r, p.check(r.Context()), staleText, http.StatusPreconditionFailed)
}

// previewView says what a form would change.
type previewView struct {
	Page     formPage
	Changes  []KeyChange
	Effects  []effectView
	Warnings []string
	Moves    string
	Hidden   []hiddenField
}

// Action is where the form is sent.
func (v previewView) Action() string { return v.Page.Action() }

type effectView struct {
	SiteEffect
	Names []phoneName
	More  int // phones that are not named
}

// phoneName is a phone in a sentence.
type phoneName struct{ Name, Path string }

type hiddenField struct{ Name, Value string }

// namedPhones is how many phones an effect names; all of them would make a long page.
const namedPhones = 12

func (p *postedForm) preview(w http.ResponseWriter, r *http.Request) error {
	if p.etag != p.current {
		return p.stale(w, r)
	}
	c := p.check(r.Context())
	if len(c.Faults) > 0 {
		return p.refuse(w, r, c, mendText, http.StatusUnprocessableEntity)
	}
	if len(c.Changes) == 0 {
		if q := r.PostForm.Get("q"); q != "" { // Enter in the search, in a browser without JavaScript
			v := newSiteForm(p.page, p.form, p.current, formState{values: p.values, was: p.was})
			v.find(newFind(q))
			return p.server.showForm(w, r, http.StatusOK, v)
		}
		v := newSiteForm(p.page, p.form, p.current, formState{values: p.values, check: &c})
		v.Problem = "Nothing is changed in this form, so there is nothing to save."
		return p.server.showForm(w, r, http.StatusOK, v)
	}
	v := previewView{Page: p.page, Changes: c.Changes, Moves: c.Moves, Hidden: hiddenFields(r.PostForm)}
	for _, f := range c.Warnings {
		v.Warnings = append(v.Warnings, faultWords(f, f.Key))
	}
	v.Effects = p.server.effectViews(c.Effects)
	return p.server.show(w, r, http.StatusOK, "settingspreview", "Before saving", p.page.Path, v)
}

// hiddenFields carries a form from one page to the next.
func hiddenFields(posted url.Values) []hiddenField {
	var out []hiddenField
	for name, values := range posted {
		if name == "do" || name == "row" || name == "q" || strings.HasSuffix(name, "/pick") {
			continue
		}
		for _, v := range values {
			out = append(out, hiddenField{name, v})
		}
	}
	slices.SortStableFunc(out, func(a, b hiddenField) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// effectViews names the phones of effects.
func (s *Server) effectViews(effects []SiteEffect) []effectView {
	var out []effectView
	for _, e := range effects {
		v := effectView{SiteEffect: e}
		for _, mac := range e.Phones[:min(len(e.Phones), namedPhones)] {
			name := mac.String()
			if entry, _, ok := s.deps.Box.Settings().Phone(mac); ok && entry.Label != "" {
				name = entry.Label
			}
			v.Names = append(v.Names, phoneName{name, "/phones/" + mac.Name()})
		}
		v.More = len(e.Phones) - len(v.Names)
		out = append(out, v)
	}
	return out
}

// save puts the values in force.
func (p *postedForm) save(w http.ResponseWriter, r *http.Request) error {
	if p.etag != p.current {
		return p.stale(w, r)
	}
	c := p.check(r.Context())
	if len(c.Faults) > 0 {
		return p.refuse(w, r, c, mendText, http.StatusUnprocessableEntity)
	}
	err := p.server.deps.Box.Settings().SetFields(r.Context(), p.values, p.etag)
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return p.refuse(w, r, SiteCheck{Faults: refused.Faults}, mendText, http.StatusUnprocessableEntity)
	case errors.As(err, new(StaleError)):
		p.form, p.current = p.forms.Form()
		return p.stale(w, r)
	case err != nil:
		return orElse(err, http.StatusInternalServerError, "The settings could not be saved; the old ones hold.")
	}
	p.server.changed(r, changedSentence(p.page, c.Changes))
	if c.Moves != "" {
		// The old address may be gone before the browser comes back to it.
		return p.server.show(w, r, http.StatusOK, "settingsmoved", "The page has moved", p.page.Path, c.Moves)
	}
	return p.server.done(w, r, p.page.Path, "The settings are saved and in force.")
}

// changedSentence is what the journal keeps of a change: which keys, and none of their values.
func changedSentence(page formPage, changes []KeyChange) string {
	const most = 8
	var keys []string
	for _, c := range changes {
		keys = append(keys, c.Key)
	}
	if len(keys) > most {
		keys = append(keys[:most], "and others")
	}
	if len(keys) == 0 {
		return "The settings were changed (" + page.Title + ")."
	}
	return "The settings were changed (" + page.Title + "): " + strings.Join(keys, ", ") + "."
}

// formCheck says what is wrong with a form while it is filled in: the parts to exchange, and nothing of what was typed.
func (s *Server) formCheck(w http.ResponseWriter, r *http.Request) error {
	forms, err := s.forms()
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	page, err := findPage(r.PostForm.Get("page"))
	if err != nil {
		return err
	}
	all, etag := forms.Form()
	values, faults := readSiteForm(r.PostForm, all.only(page.Key))
	c := forms.Check(r.Context(), values)
	c.Faults = append(faults, c.Faults...)
	v := newSiteForm(page, all, etag, formState{values: values, was: readWas(r.PostForm.Get("was")), check: &c})
	var out, b bytes.Buffer
	send := func(target, part string, data any) error {
		b.Reset()
		if err := s.pages.part(&b, "settings", part, data); err != nil {
			return err
		}
		partial(&out, target, "innerMorph", b.Bytes())
		return nil
	}
	if err := send("#form-summary", "formsummary", v.Summary); err != nil {
		return err
	}
	for id, field := range v.verdicts() {
		if err := send("#v-"+id, "verdict", field); err != nil {
			return err
		}
	}
	return partials(w, &out)
}

// verdictView is what stands beside a field.
type verdictView struct {
	Faults, Warnings []string
	Taken            string
}

// verdicts are what stands beside the fields and tables, by their anchors.
func (v *siteFormView) verdicts() map[string]verdictView {
	out := map[string]verdictView{}
	for _, g := range v.Groups {
		for _, item := range g.Items {
			switch {
			case item.Field != nil:
				out[item.Field.ID] = verdictView{item.Field.Faults, item.Field.Warnings, item.Field.Taken}
			case item.Table != nil:
				out[item.Table.ID] = verdictView{Faults: item.Table.Faults}
				for _, e := range item.Table.Entries {
					out[e.ID] = verdictView{Faults: e.Faults}
					for _, f := range e.Fields {
						out[f.ID] = verdictView{f.Faults, f.Warnings, f.Taken}
					}
				}
			}
		}
	}
	return out
}

// apiSiteCheck says what it would do to save settings: {"values": {key: value}} of a form, or the whole as TOML.
func (s *Server) apiSiteCheck(w http.ResponseWriter, r *http.Request) error {
	forms, err := s.forms()
	if err != nil {
		return err
	}
	var c SiteCheck
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind == "application/toml" || kind == "text/plain" {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return readFailure(err)
		}
		c = forms.CheckText(r.Context(), text)
	} else {
		var in struct {
			Values map[string]string `json:"values"`
		}
		if err := readJSON(r, &in); err != nil {
			return err
		}
		c = forms.Check(r.Context(), in.Values)
	}
	c.Faults, c.Warnings, c.Changes, c.Effects = orEmpty(c.Faults), orEmpty(c.Warnings), orEmpty(c.Changes), orEmpty(c.Effects)
	writeJSON(w, http.StatusOK, struct {
		OK bool `json:"ok"`
		SiteCheck
	}{len(c.Faults) == 0, c})
	return nil
}
