package web

import (
	"errors"
	"net/http"
	"strings"
)

// settingsView is the form of all settings but the phones.
type settingsView struct {
	ETag    string
	Groups  []groupView
	Faults  formFaults
	Problem string
	Change  string // when the phones' clocks change next
}

type groupView struct {
	Name   string
	Fields []fieldView
}

// fieldView is a field with what stands in it now.
type fieldView struct {
	Field
	ID      string
	Faults  []string
	InForce string // what is in force, where somebody else changed it meanwhile
	Changed bool
	Rows    int
}

func (s *Server) settingsForm(w http.ResponseWriter, r *http.Request) error {
	fields, etag := s.deps.Box.Settings().Fields()
	v := settingsView{ETag: etag, Groups: groupFields(fields, nil, formFaults{}), Change: s.deps.Shop.NextChange()}
	return s.show(w, r, http.StatusOK, "settings", "Settings", "/settings", v)
}

// groupFields arranges the fields; entered, when not nil, is what a person typed and stays in the form.
func groupFields(fields []Field, entered map[string]string, faults formFaults) []groupView {
	var groups []groupView
	for _, f := range fields {
		if len(groups) == 0 || groups[len(groups)-1].Name != f.Group {
			groups = append(groups, groupView{Name: f.Group})
		}
		fv := fieldView{Field: f, ID: "f-" + strings.ReplaceAll(f.Key, ".", "-"), Faults: faults.For(f.Key)}
		if typed, ok := entered[f.Key]; ok && typed != f.Value {
			if !f.Secret {
				fv.InForce = f.Value
			}
			fv.Value, fv.Changed = typed, true
		}
		fv.Rows = min(max(3, strings.Count(fv.Value, "\n")+2), 12)
		g := &groups[len(groups)-1]
		g.Fields = append(g.Fields, fv)
	}
	return groups
}

// readFields reads the entered value of each field. A box that is not ticked is not sent by browsers.
func readFields(r *http.Request, fields []Field) map[string]string {
	values := map[string]string{}
	for _, f := range fields {
		value := unixLines(r.PostForm.Get(f.Key))
		switch f.Kind {
		case "bool":
			if value != "true" {
				value = "false"
			}
		case "list", "map":
			value = strings.TrimSpace(value)
		default:
			if !f.Secret {
				value = strings.TrimSpace(value)
			}
		}
		values[f.Key] = value
	}
	return values
}

func (s *Server) settingsPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	settings := s.deps.Box.Settings()
	fields, current := settings.Fields()
	values := readFields(r, fields)
	err := settings.SetFields(r.Context(), values, r.PostForm.Get("etag"))
	if err == nil {
		s.changed(r, "The settings were changed.")
		return s.done(w, r, "/settings", "The settings are saved and in force.")
	}
	v := settingsView{ETag: r.PostForm.Get("etag"), Problem: "Nothing was saved. Please mend what is marked."}
	code := http.StatusUnprocessableEntity
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		keys := make([]string, len(fields))
		for i, f := range fields {
			keys[i] = f.Key
		}
		v.Faults = newFormFaults(refused.Faults, keys)
	case errors.As(err, new(StaleError)):
		code, v.ETag, v.Problem = http.StatusPreconditionFailed, current, staleText
	default:
		return orElse(err, http.StatusInternalServerError, "The settings could not be saved; the old ones hold.")
	}
	v.Groups = groupFields(fields, values, v.Faults)
	return s.show(w, r, code, "settings", "Settings", "/settings", v)
}

// fileView is the editor of the settings as a file.
type siteFileView struct {
	Text, ETag string
	Rows       int
	Problem    string
	Faults     []Fault
}

func (s *Server) fileForm(w http.ResponseWriter, r *http.Request) error {
	text, etag := s.deps.Box.Settings().TOML(false)
	return s.showFile(w, r, http.StatusOK, siteFileView{Text: string(text), ETag: etag})
}

func (s *Server) showFile(w http.ResponseWriter, r *http.Request, code int, v siteFileView) error {
	v.Rows = min(max(20, strings.Count(v.Text, "\n")+2), 60)
	return s.show(w, r, code, "sitefile", "Settings as a file", "/settings/file", v)
}

func (s *Server) filePost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := siteFileView{Text: unixLines(r.PostForm.Get("text")), ETag: r.PostForm.Get("etag")}
	_, err := s.deps.Box.Settings().Replace(r.Context(), []byte(v.Text), v.ETag)
	var refused *Refused
	switch {
	case err == nil:
		s.changed(r, "The settings were changed as a file.")
		return s.done(w, r, "/settings/file", "The settings are saved and in force.")
	case errors.As(err, &refused):
		v.Problem, v.Faults = "Nothing was saved. The file has these faults:", refused.Faults
		return s.showFile(w, r, http.StatusUnprocessableEntity, v)
	case errors.As(err, new(StaleError)):
		_, v.ETag = s.deps.Box.Settings().TOML(false)
		v.Problem = staleText
		return s.showFile(w, r, http.StatusPreconditionFailed, v)
	}
	return orElse(err, http.StatusInternalServerError, "The settings could not be saved; the old ones hold.")
}
