package web

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
)

// siteFileView is the editor of the settings as a file.
type siteFileView struct {
	Text, ETag string
	Rows       int
	Problem    string
	Check      fileCheckView
}

// fileCheckView is what is wrong with the file, and what it would change.
type fileCheckView struct {
	Asked    bool
	Faults   []lineFault
	Warnings []lineFault
	Changes  []KeyChange // the first of them
	More     int
	Count    int
	Effects  []effectView
}

// lineFault is a fault with the line of the file that it is in.
type lineFault struct {
	Fault
	Text string // of the line; "" = it belongs to no line
}

func (s *Server) fileForm(w http.ResponseWriter, r *http.Request) error {
	text, etag := s.deps.Box.Settings().TOML(false)
	return s.showFile(w, r, http.StatusOK, siteFileView{Text: string(text), ETag: etag})
}

func (s *Server) showFile(w http.ResponseWriter, r *http.Request, code int, v siteFileView) error {
	v.Rows = min(max(20, strings.Count(v.Text, "\n")+2), 60)
	return s.show(w, r, code, "sitefile", "Settings as a file", "/settings/file", v)
}

// filePost checks the file (do=check), or saves it.
func (s *Server) filePost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := siteFileView{Text: unixLines(r.PostForm.Get("text")), ETag: r.PostForm.Get("etag")}
	if r.PostForm.Get("do") == "check" {
		v.Check = s.checkFile(r, v.Text)
		return s.showFile(w, r, http.StatusOK, v)
	}
	_, err := s.deps.Box.Settings().Replace(r.Context(), []byte(v.Text), v.ETag)
	var refused *Refused
	switch {
	case err == nil:
		s.changed(r, "The settings were changed as a file.")
		return s.done(w, r, "/settings/file", "The settings are saved and in force.")
	case errors.As(err, &refused):
		v.Problem, v.Check = "Nothing was saved. The file has these faults:", fileCheckView{Faults: withLines(refused.Faults, v.Text)}
		return s.showFile(w, r, http.StatusUnprocessableEntity, v)
	case errors.As(err, new(StaleError)):
		_, v.ETag = s.deps.Box.Settings().TOML(false)
		v.Problem = staleText
		return s.showFile(w, r, http.StatusPreconditionFailed, v)
	}
	return orElse(err, http.StatusInternalServerError, "The settings could not be saved; the old ones hold.")
}

// fileCheck says what is wrong with the file while it is typed.
func (s *Server) fileCheck(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	var out, b bytes.Buffer
	if err := s.pages.part(&b, "sitefile", "filecheck", s.checkFile(r, unixLines(r.PostForm.Get("text")))); err != nil {
		return err
	}
	partial(&out, "#filecheck", "innerMorph", b.Bytes())
	return partials(w, &out)
}

func (s *Server) checkFile(r *http.Request, text string) fileCheckView {
	forms, err := s.forms()
	if err != nil {
		return fileCheckView{}
	}
	c := forms.CheckText(r.Context(), []byte(text))
	v := fileCheckView{
		Asked: true, Faults: withLines(c.Faults, text), Warnings: withLines(c.Warnings, text),
		Changes: c.Changes[:min(len(c.Changes), maxPreviewKeys)], Count: len(c.Changes), Effects: s.effectViews(c.Effects),
	}
	v.More = v.Count - len(v.Changes)
	return v
}

// longestLine is how much of a line of the file is quoted.
const longestLine = 120

// withLines quotes the line of each fault. What the text shows, the person who typed it has before them anyway.
func withLines(faults []Fault, text string) []lineFault {
	lines := strings.Split(text, "\n")
	var out []lineFault
	for _, f := range faults {
		l := lineFault{Fault: f}
		if f.Line > 0 && f.Line <= len(lines) {
			l.Text = lines[f.Line-1]
			if r := []rune(l.Text); len(r) > longestLine {
				l.Text = string(r[:longestLine]) + "..."
			}
		}
		out = append(out, l)
	}
	return out
}
