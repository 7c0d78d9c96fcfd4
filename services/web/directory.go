package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxContactRows bounds the rows that are read; the site takes 2,000 contacts.
const maxContactRows = 2500

func (s *Server) directoryPage(w http.ResponseWriter, r *http.Request) error {
	v := directoryView{Find: strings.TrimSpace(r.FormValue("find"))}
	v.Contacts, v.ETag = s.deps.Shop.Contacts()
	v.Page, _ = strconv.Atoi(r.FormValue("page"))
	return s.showDirectory(w, r, http.StatusOK, v)
}

func (s *Server) showDirectory(w http.ResponseWriter, r *http.Request, code int, v directoryView) error {
	ed, err := s.editors()
	if err != nil {
		return err
	}
	if err := v.fill(ed); err != nil {
		return err
	}
	return s.show(w, r, code, "directory", "Directory", "/directory", v)
}

// readDirectory reads the rows of the editor, and where its preview stands.
func readDirectory(r *http.Request) directoryView {
	v := directoryView{ETag: r.PostForm.Get("etag"), Find: strings.TrimSpace(r.PostForm.Get("find")), Pasted: unixLines(r.PostForm.Get("pasted"))}
	for i := range maxContactRows {
		row := "contacts[" + strconv.Itoa(i) + "]."
		if !r.PostForm.Has(row + "name") {
			continue
		}
		v.Contacts = append(v.Contacts, Contact{Name: strings.TrimSpace(r.PostForm.Get(row + "name")), Number: strings.TrimSpace(r.PostForm.Get(row + "number"))})
	}
	v.Empty, _ = strconv.Atoi(r.PostForm.Get("empty"))
	v.Page, _ = strconv.Atoi(r.PostForm.Get("page"))
	v.At, _ = strconv.Atoi(r.PostForm.Get("at"))
	switch r.PostForm.Get("key") {
	case "up":
		v.At--
	case "down":
		v.At++
	case "next":
		v.Page, v.At = max(v.Page, 1)+1, 0
	case "exit":
		v.Page, v.At = 1, 0
	}
	return v
}

// directoryPost does what the pressed button says: it changes rows in the editor, moves the preview, or saves.
func (s *Server) directoryPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	v := readDirectory(r)
	switch {
	case r.PostForm.Get("row") != "":
		v.Contacts = rowOrder(v.Contacts, r.PostForm.Get("row"))
		return s.showDirectory(w, r, http.StatusOK, v)
	case r.PostForm.Get("key") != "":
		return s.showDirectory(w, r, http.StatusOK, v)
	}
	switch r.PostForm.Get("do") {
	case "check", "find":
	case "rows":
		v.Empty += addRows
	case "sort-name", "sort-number":
		v.sort(r.PostForm.Get("do") == "sort-number")
	case "paste":
		v.paste()
	default:
		if strings.TrimSpace(v.Pasted) == "" {
			return s.saveDirectory(w, r, v)
		}
		v.paste() // nothing that somebody pasted is lost
		if len(v.PasteFaults) > 0 {
			v.Problem = "Nothing was saved: the lines that are left under Paste many are no entries. Mend them, or empty that field."
		}
	}
	return s.showDirectory(w, r, http.StatusOK, v)
}

// sort puts the rows into the order of their names, as phones do, or of their numbers.
func (v *directoryView) sort(byNumber bool) {
	v.Contacts = withoutEmpty(v.Contacts)
	keys := make(map[Contact]string, len(v.Contacts))
	for _, c := range v.Contacts {
		keys[c] = folded(c.Name)
	}
	slices.SortStableFunc(v.Contacts, func(a, b Contact) int {
		if byNumber {
			return cmp.Or(strings.Compare(a.Number, b.Number), strings.Compare(keys[a], keys[b]))
		}
		return cmp.Or(strings.Compare(keys[a], keys[b]), strings.Compare(a.Number, b.Number))
	})
}

// folded makes names alike that differ in case and accents only.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
}

// paste puts what was pasted into rows; lines that can't be read stay in their field.
func (v *directoryView) paste() {
	if strings.TrimSpace(v.Pasted) == "" {
		v.Problem = "Paste a list into the field first: a name and a number on each line."
		return
	}
	contacts, faults := parsePasted(v.Pasted)
	v.Contacts = append(withoutEmpty(v.Contacts), contacts...)
	v.PasteFaults = faults
	if len(faults) == 0 {
		v.Pasted = ""
	} else {
		v.Pasted = leftOver(v.Pasted)
	}
	if len(contacts) == 0 {
		return
	}
	v.Notes = append(v.Notes, fmt.Sprintf("Added below: %d. Nothing is saved yet: look at what came, and save.", len(contacts)))
}

// leftOver is what of a pasted list is no contact.
func leftOver(text string) string {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		if _, ok := pastedContact(line); i >= maxPasted || !ok && strings.TrimSpace(line) != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func (s *Server) saveDirectory(w http.ResponseWriter, r *http.Request, v directoryView) error {
	v.Contacts = withoutEmpty(v.Contacts)
	err := s.deps.Shop.SetContacts(r.Context(), v.Contacts, v.ETag)
	var refused *Refused
	switch {
	case err == nil:
		s.changed(r, "The contacts were changed.")
		return s.done(w, r, "/directory", "The contacts are saved. Phones show them at once.")
	case errors.As(err, &refused):
		v.Problem, v.Faults = "Nothing was saved. Please mend these:", refused.Faults
		return s.showDirectory(w, r, http.StatusUnprocessableEntity, v)
	case errors.As(err, new(StaleError)):
		_, v.ETag = s.deps.Shop.Contacts()
		v.Problem = staleText
		return s.showDirectory(w, r, http.StatusPreconditionFailed, v)
	}
	return orElse(err, http.StatusInternalServerError, "The contacts could not be saved; the old ones hold.")
}
