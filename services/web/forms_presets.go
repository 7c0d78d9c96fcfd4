package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone/pbx"
)

// presetView says what a preset filled in.
type presetView struct {
	pbx.Preset
	Sets []presetSetting
	Left []leftSetting // of the preset before it
}

type presetSetting struct {
	pbx.Setting
	Label string
	ID    string
	Same  bool // it stands there already
}

// leftSetting is what another preset left. What it filled in goes back, what it asked for stays.
type leftSetting struct {
	pbx.Left
	Label, ID string
	Now       string
}

// presetForm is the form while a preset fills it in.
type presetForm struct {
	state  formState
	params []entryRow // sip.parameters
	fields map[string]Field
}

// newPresetForm is the form of all phones, filled in by a preset. Nothing is saved.
func newPresetForm(page formPage, form SiteForm, etag, key string) (*siteFormView, error) {
	preset, ok := pbx.Lookup(key)
	if !ok || page.Key != "phones" {
		return nil, public(http.StatusNotFound, "There is no such preset.")
	}
	f := presetForm{state: formState{values: form.only(page.Key).values(), why: map[string]string{}}, fields: map[string]Field{}}
	for _, one := range form.Fields {
		f.fields[one.Key] = one
	}
	f.params = mapLines(f.state.values["sip.parameters"])
	shown := &presetView{Preset: preset}
	for _, left := range preset.Leaves(f.value) {
		shown.Left = append(shown.Left, f.leave(left))
	}
	for _, set := range preset.Sets {
		shown.Sets = append(shown.Sets, f.fill(set))
	}
	var lines []string
	for _, row := range f.params {
		lines = append(lines, row.Name+" = "+row.Value)
	}
	f.state.values["sip.parameters"] = strings.Join(lines, "\n")
	v := newSiteForm(page, form, etag, f.state)
	v.Preset = shown
	return v, nil
}

// value is what stands in a setting.
func (f *presetForm) value(set pbx.Setting) string {
	if !set.Parameter {
		return f.state.values[set.Key]
	}
	i := slices.IndexFunc(f.params, func(row entryRow) bool { return strings.EqualFold(row.Name, set.Key) })
	if i < 0 {
		return ""
	}
	return f.params[i].Value
}

// labels are the name of a setting and the anchor of its field.
func (f *presetForm) labels(set pbx.Setting) (label, id string) {
	if set.Parameter {
		return set.Key, fieldID("sip.parameters." + set.Key)
	}
	return f.fields[set.Key].Label, fieldID(set.Key)
}

// leave puts back what another preset filled in: a key to what it is by itself, a parameter to what the phone has by itself.
func (f *presetForm) leave(left pbx.Left) leftSetting {
	one := leftSetting{Left: left, Now: f.value(left.Setting)}
	one.Label, one.ID = f.labels(left.Setting)
	switch {
	case left.Stays:
	case left.Parameter:
		left.Value = ""
		f.params, _ = presetParameter(f.params, left.Setting)
	default:
		f.state.values[left.Key] = f.fields[left.Key].Default
	}
	return one
}

// fill fills in one setting.
func (f *presetForm) fill(set pbx.Setting) presetSetting {
	one := presetSetting{Setting: set}
	one.Label, one.ID = f.labels(set)
	f.state.why[set.Key] = set.Why
	switch {
	case set.Parameter:
		f.params, one.Same = presetParameter(f.params, set)
		f.state.params = append(f.state.params, "sip.parameters "+set.Key)
	case set.Asked:
		one.Value = f.state.values[set.Key]
	default:
		one.Same = f.state.values[set.Key] == set.Value
		f.state.values[set.Key] = set.Value
	}
	return one
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
