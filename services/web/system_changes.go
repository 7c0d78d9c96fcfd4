package web

import (
	"cmp"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// changesView is the list of what was changed.
type changesView struct {
	Rows      []changeRow
	Text, How string
	Kept      int
	Found     int // entries that the filter leaves
	Hows      []choiceView
	CSV       string // where the same entries are as a file
	More      bool
}

// changeRow is one change in words.
type changeRow struct {
	At, Time, What string
	How, From      string
	Phone, Path    string
	Keys           []changeLine
	More           int
}

// howWords are the ways in which something can be changed.
var howWords = []choiceView{{"page", "on this page"}, {"api", "by a program"}, {"file", "by a file"}, {"stick", "by a USB stick"}, {"box", "by the box itself"}}

func howInWords(how string) string {
	for _, h := range howWords {
		if h.Value == how {
			return h.Name
		}
	}
	return how
}

// maxChangeRows bounds a page; the CSV has all.
const maxChangeRows = 100

// ChangeText writes one difference of the settings as a line.
func ChangeText(c KeyChange) string {
	what := c.What
	if c.Who != "" {
		what = c.Who + ": " + what
	}
	switch {
	case c.Secret:
		return what + " was " + c.Kind
	case c.Kind == "added":
		return what + " was added: " + c.New
	case c.Kind == "removed":
		return what + " was removed: " + c.Old
	}
	return what + ": " + cmp.Or(c.Old, "nothing") + " → " + cmp.Or(c.New, "nothing")
}

// changeLine is a difference as the page shows it: names and values of people's own stand apart from the words.
type changeLine struct {
	Who      string
	Text     string
	Old, New string
	Both     bool // it became New from Old, either of which may be nothing
}

func newChangeLine(c KeyChange) changeLine {
	line := changeLine{Who: c.Who, Text: c.What}
	switch {
	case c.Secret && c.Kind == "added":
		line.Text = c.What + " was added"
	case c.Secret && c.Kind == "removed":
		line.Text = c.What + " was removed"
	case c.Secret:
		line.Text = c.What + " was changed"
	case c.Kind == "added":
		line.Text, line.New = c.What+" was added", c.New
	case c.Kind == "removed":
		line.Text, line.New = c.What+" was removed", c.Old
	default:
		line.Old, line.New, line.Both = c.Old, c.New, true
	}
	return line
}

func changeLines(keys []KeyChange) []changeLine {
	out := make([]changeLine, len(keys))
	for i, c := range keys {
		out[i] = newChangeLine(c)
	}
	return out
}

// changesFound returns the entries that a request asks for.
func (s *Server) changesFound(r *http.Request) (found []AuditEntry, kept int) {
	list, kept := s.deps.System.Changes()
	text, how := strings.ToLower(strings.TrimSpace(r.URL.Query().Get("text"))), r.URL.Query().Get("how")
	found = slices.DeleteFunc(list, func(e AuditEntry) bool {
		if how != "" && e.How != how {
			return true
		}
		return text != "" && !e.tells(text)
	})
	return found, kept
}

// tells reports whether a text in lower case stands in one of the entry's.
func (e *AuditEntry) tells(text string) bool {
	if foldContains(text, e.What, e.From, e.Label) || !e.MAC.IsZero() && foldContains(text, e.MAC.String()) {
		return true
	}
	return slices.ContainsFunc(e.Keys, func(c KeyChange) bool { return foldContains(text, c.What, c.Who, c.Old, c.New, c.Key) })
}

// foldContains looks for a text in lower case in texts of whatever case.
func foldContains(text string, in ...string) bool {
	for _, s := range in {
		if len(s) >= len(text) && strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}

func (s *Server) changesPage(w http.ResponseWriter, r *http.Request) error {
	found, kept := s.changesFound(r)
	v := changesView{Text: r.URL.Query().Get("text"), How: r.URL.Query().Get("how"), Kept: kept, Found: len(found), Hows: howWords, CSV: "/system/changes.csv?" + r.URL.RawQuery}
	if v.More = len(found) > maxChangeRows; v.More {
		found = found[:maxChangeRows]
	}
	now := s.deps.Now()
	for _, e := range found {
		row := changeRow{
			At: e.Time.UTC().Format(time.RFC3339), Time: timeWords(e.Time, now), What: e.What, How: howInWords(e.How), From: e.From,
			Keys: changeLines(e.Keys), More: e.More,
		}
		if !e.MAC.IsZero() {
			row.Phone, row.Path = cmp.Or(e.Label, e.MAC.String()), "/phones/"+e.MAC.Name()
		}
		v.Rows = append(v.Rows, row)
	}
	return s.show(w, r, http.StatusOK, "systemchanges", "What was changed", "/system/changes", v)
}

// changesCSV has a row for each key, so that a spreadsheet can sort them.
func (s *Server) changesCSV(w http.ResponseWriter, r *http.Request) error {
	found, _ := s.changesFound(r)
	attach(w, "phonebox-changes.csv", "text/csv; charset=utf-8")
	out := csv.NewWriter(w)
	_ = out.Write([]string{"time", "from", "how", "what", "phone", "key", "old", "new"})
	for _, e := range found {
		row := []string{e.Time.UTC().Format(time.RFC3339), e.From, e.How, cell(e.What), ""}
		if !e.MAC.IsZero() {
			row[4] = e.MAC.String()
		}
		if len(e.Keys) == 0 {
			_ = out.Write(append(row, "", "", ""))
		}
		for _, c := range e.Keys {
			one := slices.Clone(row)
			if !c.MAC.IsZero() {
				one[4] = c.MAC.String()
			}
			before, now := c.Old, c.New
			if c.Secret {
				before, now = Mask, Mask
			}
			_ = out.Write(append(one, c.Key, cell(before), cell(now)))
		}
		if e.More > 0 {
			_ = out.Write(append(slices.Clone(row), "and "+strconv.Itoa(e.More)+" more keys", "", ""))
		}
	}
	out.Flush()
	return nil
}

// cell keeps a spreadsheet from taking a text for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (s *Server) apiChanges(w http.ResponseWriter, r *http.Request) error {
	found, kept := s.changesFound(r)
	writeJSON(w, http.StatusOK, struct {
		Changes []AuditEntry `json:"changes"`
		Kept    int          `json:"kept"`
	}{orEmpty(found), kept})
	return nil
}

// versionsView lists the earlier settings.
type versionsView struct{ Rows []versionRow }

// versionRow is a version in words.
type versionRow struct {
	Path, At, Until, Fault string
	Phones, Changes        int
	First                  []changeLine // of what bringing it back changes
}

func (s *Server) versionsPage(w http.ResponseWriter, r *http.Request) error {
	list, err := s.deps.System.Versions()
	if err != nil {
		return orElse(err, http.StatusInternalServerError, "The earlier settings cannot be read from the card.")
	}
	v, now := versionsView{}, s.deps.Now()
	for _, one := range list {
		row := versionRow{
			Path: "/system/versions/" + one.ID, At: one.Until.UTC().Format(time.RFC3339), Until: timeWords(one.Until, now), Fault: one.Fault, Phones: one.Phones,
			Changes: len(one.Keys), First: changeLines(one.Keys[:min(len(one.Keys), 3)]),
		}
		v.Rows = append(v.Rows, row)
	}
	return s.show(w, r, http.StatusOK, "systemversions", "Earlier settings", "/system/versions", v)
}

// versionView is what bringing one back would change.
type versionView struct {
	Path, Until, ETag, Text, Problem string
	Keys                             []changeLine
	Phones                           int
}

func (s *Server) versionPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.version(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "systemversion", "Bring settings back", "/system/versions", v)
}

func (s *Server) version(r *http.Request) (versionView, error) {
	one, ok, err := s.deps.System.Version(r.PathValue("id"))
	switch {
	case err != nil:
		return versionView{}, orElse(err, http.StatusInternalServerError, "The earlier settings cannot be read from the card.")
	case !ok:
		return versionView{}, public(http.StatusNotFound, "This version of the settings is no longer kept: the box keeps the last five.")
	}
	return versionView{
		Path: "/system/versions/" + one.ID, Until: timeWords(one.Until, s.deps.Now()), ETag: one.ETag, Text: one.Text, Problem: one.Fault,
		Keys: changeLines(one.Keys), Phones: one.Phones,
	}, nil
}

func (s *Server) versionPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v, err := s.version(r)
	if err != nil {
		return err
	}
	if err := s.deps.System.BringBack(r.Context(), r.PathValue("id"), r.PostForm.Get("etag")); err != nil {
		return orElse(err, http.StatusInternalServerError, "The settings could not be brought back; those of now hold.")
	}
	s.changed(r, "The earlier settings were brought back, those in force until "+v.Until+".")
	return s.done(w, r, "/system/versions", "These settings are in force again. Those that you replaced are the first in this list.")
}
