package web

import (
	"fmt"
	"net/http"
	"strings"

	"phonebox/services/phone/pbx"
)

// presetView says what a preset filled in.
type presetView struct {
	pbx.Preset
	Sets []presetSetting
}

type presetSetting struct {
	pbx.Setting
	Label string
	ID    string
	Same  bool // it stands there already
}

// newPresetForm is the form of all phones, filled in by a preset. Nothing is saved.
func newPresetForm(page formPage, form SiteForm, etag, key string) (*siteFormView, error) {
	preset, ok := pbx.Lookup(key)
	if !ok || page.Key != "phones" {
		return nil, public(http.StatusNotFound, "There is no such preset.")
	}
	st := formState{values: form.only(page.Key).values(), why: map[string]string{}}
	shown := &presetView{Preset: preset}
	labels := map[string]string{}
	for _, f := range form.Fields {
		labels[f.Key] = f.Label
	}
	params := mapLines(st.values["sip.parameters"])
	for _, set := range preset.Sets {
		one := presetSetting{Setting: set, Label: labels[set.Key], ID: fieldID(set.Key)}
		st.why[set.Key] = set.Why
		switch {
		case set.Parameter:
			one.Label, one.ID = set.Key, fieldID("sip.parameters."+set.Key)
			params, one.Same = presetParameter(params, set)
			st.params = append(st.params, "sip.parameters "+set.Key)
		case set.Asked:
			one.Value = st.values[set.Key]
		default:
			one.Same = st.values[set.Key] == set.Value
			st.values[set.Key] = set.Value
		}
		shown.Sets = append(shown.Sets, one)
	}
	var lines []string
	for _, row := range params {
		lines = append(lines, row.Name+" = "+row.Value)
	}
	st.values["sip.parameters"] = strings.Join(lines, "\n")
	v := newSiteForm(page, form, etag, st)
	v.Preset = shown
	return v, nil
}

// presetParameter sets a parameter; "" takes it out, so that the phone's own default holds.
func presetParameter(rows []entryRow, set pbx.Setting) (out []entryRow, same bool) {
	found := false
	for _, row := range rows {
		if !strings.EqualFold(row.Name, set.Key) {
			out = append(out, row)
			continue
		}
		found, same = true, row.Value == set.Value
		if set.Asked {
			out = append(out, row)
		} else if set.Value != "" {
			out = append(out, entryRow{Name: set.Key, Value: set.Value})
		}
	}
	if !found && set.Value != "" && !set.Asked {
		out = append(out, entryRow{Name: set.Key, Value: set.Value})
	}
	return out, same || !found && set.Value == ""
}

// pbxPage is the choice of a preset.
func (s *Server) pbxPage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "pbx", "Provider and PBX", "/settings/phones", struct{ Presets []pbx.Preset }{pbx.Presets()})
}

// snippetView is what has to stand on the telephone system's side.
type snippetView struct {
	Preset  pbx.Preset
	Text    string
	Lines   int
	Others  int // lines with a telephone system of their own
	Secrets bool
	Rows    int
	Path    string
}

func (s *Server) snippetPage(w http.ResponseWriter, r *http.Request) error {
	return s.showSnippet(w, r, false)
}

// snippetPost shows the text with its passwords, which is noted in the journal.
func (s *Server) snippetPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	return s.showSnippet(w, r, r.PostForm.Get("secrets") == "yes")
}

func (s *Server) showSnippet(w http.ResponseWriter, r *http.Request, secrets bool) error {
	forms, err := s.forms()
	if err != nil {
		return err
	}
	preset, ok := pbx.Lookup(r.PathValue("preset"))
	if !ok {
		return public(http.StatusNotFound, "There is no such preset.")
	}
	v := snippetView{Preset: preset, Path: "/settings/pbx/" + preset.Key}
	if preset.Write != nil {
		v.Secrets = secrets
		if secrets {
			s.report(r, Event{Kind: EventSecrets, What: fmt.Sprintf("The passwords of the lines were shown as text for %s.", preset.Name), Code: http.StatusOK})
		}
		office, others := forms.Lines(secrets)
		v.Lines, v.Others = len(office.Lines), others
		v.Text = preset.Write(office)
		v.Rows = min(max(8, strings.Count(v.Text, "\n")+1), 40)
	}
	w.Header().Set("Cache-Control", "no-store")
	return s.show(w, r, http.StatusOK, "pbxsnippet", preset.Name, "/settings/phones", v)
}
