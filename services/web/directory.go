package web

import (
	"errors"
	"net/http"
	"strings"
)

// directoryView is the editor of the contacts.
type directoryView struct {
	Text, ETag string
	Count      int
	Rows       int
	Problem    string
	Faults     []string
}

func (s *Server) directoryPage(w http.ResponseWriter, r *http.Request) error {
	contacts, etag := s.deps.Shop.Contacts()
	return s.showDirectory(w, r, http.StatusOK, directoryView{Text: formatContacts(contacts), ETag: etag, Count: len(contacts)})
}

func (s *Server) showDirectory(w http.ResponseWriter, r *http.Request, code int, v directoryView) error {
	v.Rows = min(max(10, strings.Count(v.Text, "\n")+3), 40)
	return s.show(w, r, code, "directory", "Directory", "/directory", v)
}

// formatContacts writes contacts a line each: the name, a =, the number.
func formatContacts(contacts []Contact) string {
	var b strings.Builder
	for _, c := range contacts {
		b.WriteString(c.Name + " = " + c.Number + "\n")
	}
	return b.String()
}

// parseContacts reads a contact a line. The last = divides, for a name may hold one and a number none.
func parseContacts(text string) (contacts []Contact, faults []string) {
	for i, line := range strings.Split(unixLines(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		at := strings.LastIndexByte(line, '=')
		if at < 1 || strings.TrimSpace(line[at+1:]) == "" {
			faults = append(faults, faultWords(Fault{Line: i + 1, Found: "no number", Allowed: "name = number"}, ""))
			continue
		}
		contacts = append(contacts, Contact{Name: strings.TrimSpace(line[:at]), Number: strings.TrimSpace(line[at+1:])})
	}
	return contacts, faults
}

func (s *Server) directoryPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := directoryView{Text: unixLines(r.PostForm.Get("contacts")), ETag: r.PostForm.Get("etag")}
	contacts, faults := parseContacts(v.Text)
	if len(faults) > 0 {
		v.Problem, v.Faults = "Nothing was saved. Please mend these lines:", faults
		return s.showDirectory(w, r, http.StatusUnprocessableEntity, v)
	}
	err := s.deps.Shop.SetContacts(r.Context(), contacts, v.ETag)
	var refused *Refused
	switch {
	case err == nil:
		s.changed(r, "The contacts were changed.")
		return s.done(w, r, "/directory", "The contacts are saved. Phones show them at once.")
	case errors.As(err, &refused):
		v.Problem = "Nothing was saved. Please mend these:"
		for _, f := range refused.Faults {
			v.Faults = append(v.Faults, faultWords(f, f.Key))
		}
		return s.showDirectory(w, r, http.StatusUnprocessableEntity, v)
	case errors.As(err, new(StaleError)):
		_, v.ETag = s.deps.Shop.Contacts()
		v.Problem = staleText
		return s.showDirectory(w, r, http.StatusPreconditionFailed, v)
	}
	return orElse(err, http.StatusInternalServerError, "The contacts could not be saved; the old ones hold.")
}
