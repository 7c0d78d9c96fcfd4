package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// importView is the page of imports and exports.
type importView struct {
	Way     string // file, paste or folder: what the page is about
	Text    string // that was pasted
	Report  *ImportReport
	Waiting []ImportReport
	Problem string
}

func (s *Server) importPage(w http.ResponseWriter, r *http.Request) error {
	return s.showImport(w, r, http.StatusOK, importView{Way: "file", Waiting: s.deps.Shop.Waiting()})
}

// adoptPage is the import for those who have an old TFTP server.
func (s *Server) adoptPage(w http.ResponseWriter, r *http.Request) error {
	return s.showImport(w, r, http.StatusOK, importView{Way: "folder"})
}

// pastePage is the import for those who have a spreadsheet.
func (s *Server) pastePage(w http.ResponseWriter, r *http.Request) error {
	return s.showImport(w, r, http.StatusOK, importView{Way: "paste"})
}

func (s *Server) showImport(w http.ResponseWriter, r *http.Request, code int, v importView) error {
	title, at := "Import and export", "/import"
	switch v.Way {
	case "folder":
		title, at = "An old TFTP folder", "/phones/new"
	case "paste":
		title, at = "Paste phones", "/phones/new"
	}
	return s.show(w, r, code, "import", title, at, v)
}

// pastePost reads rows that somebody pasted and shows what would become of them; a yes to that does it.
func (s *Server) pastePost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := importView{Way: "paste", Text: unixLines(r.PostForm.Get("rows"))}
	if strings.TrimSpace(v.Text) == "" {
		v.Problem = "Nothing was pasted."
		return s.showImport(w, r, http.StatusUnprocessableEntity, v)
	}
	report, err := s.deps.Fleet.ReadRows(context.WithoutCancel(r.Context()), v.Text)
	if err != nil {
		a := explain(err)
		if a.status != http.StatusUnprocessableEntity {
			return orElse(err, http.StatusUnprocessableEntity, "The rows could not be read.")
		}
		v.Problem = a.text
		return s.showImport(w, r, a.status, v)
	}
	v.Report = &report
	return s.showImport(w, r, http.StatusOK, v)
}

// importPost reads an upload and shows what would become of it; a yes to that does it.
func (s *Server) importPost(w http.ResponseWriter, r *http.Request) error {
	report, err := s.takeImport(w, r, true)
	v := importView{Way: "file", Waiting: s.deps.Shop.Waiting()}
	code := http.StatusOK
	if err != nil {
		a := explain(err)
		if a.status != http.StatusUnprocessableEntity {
			return err
		}
		v.Problem, code = a.text, a.status
	} else {
		v.Report = &report
	}
	return s.showImport(w, r, code, v)
}

// importDecide says yes or no to an import that was shown.
func (s *Server) importDecide(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	yes := r.PostForm.Get("yes") == "1"
	// Who closes the tab meanwhile gets the whole import all the same, not the half of it.
	report, err := s.deps.Shop.Decide(context.WithoutCancel(r.Context()), r.PostForm.Get("id"), yes)
	if err != nil {
		return orElse(err, http.StatusInternalServerError, "The import was not done; the old settings hold.")
	}
	if !yes {
		return s.done(w, r, "/import", "Nothing was changed.")
	}
	s.changed(r, "An import was done: "+report.Summary)
	return s.showImport(w, r, http.StatusOK, importView{Way: "file", Report: &report, Waiting: s.deps.Shop.Waiting()})
}

// takeImport hands the one file of a form, or the body of a program's request, to the box.
func (s *Server) takeImport(w http.ResponseWriter, r *http.Request, dry bool) (ImportReport, error) {
	name, content, err := oneFile(w, r)
	if err != nil {
		return ImportReport{}, err
	}
	// An upload that breaks off ends the reading of content; once it is whole, it is done whole.
	report, err := s.deps.Shop.Import(context.WithoutCancel(r.Context()), name, content, dry)
	if err != nil {
		return ImportReport{}, orElse(err, http.StatusUnprocessableEntity, "The file could not be read.")
	}
	report.Verdicts = orEmpty(report.Verdicts)
	return report, nil
}

// oneFile returns the first file of a multipart form, or the body with ?name=.
func oneFile(w http.ResponseWriter, r *http.Request) (name string, content io.Reader, err error) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(uploadTime))
	_ = rc.SetWriteDeadline(time.Now().Add(uploadTime + writeTimeout))
	parts, err := r.MultipartReader()
	if err != nil {
		if name := r.URL.Query().Get("name"); name != "" {
			return name, r.Body, nil
		}
		return "", nil, public(http.StatusUnsupportedMediaType, "Send the file as a form (multipart/form-data), or as the body with ?name=phones.csv.")
	}
	for range maxFiles {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", nil, readFailure(err)
		}
		if name := part.FileName(); name != "" {
			return name, part, nil
		}
	}
	return "", nil, public(http.StatusUnprocessableEntity, "There was no file in the form.")
}

// apiImport reads an archive of a TFTP root, a list of phones or contacts; ?dry_run=1 says only what it would do.
func (s *Server) apiImport(w http.ResponseWriter, r *http.Request) error {
	dry := r.URL.Query().Get("dry_run") == "1"
	report, err := s.takeImport(w, r, dry)
	if err != nil {
		return err
	}
	if !dry {
		s.changed(r, "An import was done: "+report.Summary)
	}
	writeJSON(w, http.StatusOK, report)
	return nil
}

// export sends the list of phones as a file; with secrets only when asked for, which is journalled.
func (s *Server) export(w http.ResponseWriter, r *http.Request) error {
	format, secrets := r.URL.Query().Get("format"), r.URL.Query().Get("secrets") == "1"
	if format == "" {
		format = "csv"
	}
	content, name, kind, err := s.deps.Shop.ExportPhones(format, secrets)
	if err != nil {
		return orElse(err, http.StatusUnprocessableEntity, "The list could not be made; allowed formats are csv and xlsx.")
	}
	if secrets {
		s.report(r, Event{Kind: EventSecrets, What: "The list of phones was read with its passwords.", Code: http.StatusOK})
	}
	attach(w, name, kind)
	_, _ = w.Write(content)
	return nil
}
