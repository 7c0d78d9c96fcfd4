package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// linesView is the page of the lines that wait for a phone.
type linesView struct {
	Lines   []WaitingLine
	ETag    string
	Entry   WaitingLine
	Faults  formFaults
	Problem string
}

// Field makes what the template needs of a field of the form.
func (v linesView) Field(key, label, value, help string) lineField {
	return lineField{Name: key, Label: label, Value: value, Help: help, Secret: key == "password", Faults: v.Faults.For(key)}
}

// lineFormFields are the names of the form's fields, which are keys of [[lines]].
var lineFormFields = []string{"label", "name", "authname", "password", "displayname", "shortname", "proxy", "port"}

func (s *Server) linesPage(w http.ResponseWriter, r *http.Request) error {
	return s.showLines(w, r, http.StatusOK, linesView{})
}

func (s *Server) showLines(w http.ResponseWriter, r *http.Request, code int, v linesView) error {
	v.Lines, v.ETag = s.deps.Fleet.WaitingLines()
	return s.show(w, r, code, "phoneslines", "Lines that wait", "/phones/lines", v)
}

// linesAdd lets one more line wait.
func (s *Server) linesAdd(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	get := func(key string) string { return strings.TrimSpace(r.PostForm.Get(key)) }
	line := WaitingLine{Label: get("label"), LineEntry: LineEntry{
		Name: get("name"), AuthName: get("authname"), Password: r.PostForm.Get("password"), DisplayName: get("displayname"),
		ShortName: get("shortname"), Proxy: get("proxy"), Port: get("port"),
	}}
	lines, _ := s.deps.Fleet.WaitingLines()
	for _, l := range lines {
		if l.Name == line.Name {
			return s.linesRefused(w, r, line, []Fault{{Key: "name", Found: line.Name + ", which waits already", Allowed: "another number"}})
		}
	}
	err := s.putAgain(r.Context(), func() (PhonesChange, error) { return PhonesChange{Wait: []WaitingLine{line}}, nil })
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return s.linesRefused(w, r, line, refused.Faults)
	case err != nil:
		return orElse(err, http.StatusInternalServerError, "The line could not be kept; the old settings hold.")
	}
	s.changed(r, "The line "+line.Name+" waits for a phone.")
	return s.done(w, r, "/phones/lines", "The line "+line.Name+" waits for a phone.")
}

func (s *Server) linesRefused(w http.ResponseWriter, r *http.Request, line WaitingLine, faults []Fault) error {
	for i, f := range faults {
		if rest, ok := strings.CutPrefix(f.Key, "lines["); ok {
			if _, key, ok := strings.Cut(rest, "]."); ok {
				faults[i].Key = key
			}
		}
	}
	v := linesView{Entry: line, Faults: newFormFaults(faults, lineFormFields), Problem: "Nothing was saved. Please mend what is marked."}
	return s.showLines(w, r, http.StatusUnprocessableEntity, v)
}

// linesRemove takes lines off the list of those that wait.
func (s *Server) linesRemove(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	numbers := r.PostForm["line"]
	if len(numbers) == 0 {
		return s.done(w, r, "/phones/lines", "No line was chosen. Tick some of them first.")
	}
	if err := s.deps.Fleet.ChangePhones(r.Context(), PhonesChange{Drop: numbers}, r.PostForm.Get("etag")); err != nil {
		if errors.As(err, new(StaleError)) {
			return s.showLines(w, r, http.StatusPreconditionFailed, linesView{Problem: "Nothing was changed: somebody else changed the settings meanwhile. Look at the list below and try again."})
		}
		return orElse(err, http.StatusInternalServerError, "The lines could not be removed; the old settings hold.")
	}
	text := fmt.Sprintf("%s no longer wait for a phone.", count(len(numbers), "line"))
	if len(numbers) == 1 {
		text = "The line " + numbers[0] + " no longer waits for a phone."
	}
	s.changed(r, text)
	return s.done(w, r, "/phones/lines", text)
}
