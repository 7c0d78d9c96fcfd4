package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxKeptForm is the size of a form, in bytes, that outlives a login: a list of several hundred phones has room.
const maxKeptForm = 256 << 10

// keptForm is what somebody sent whose login had ended meanwhile. It travels through the login in hidden fields, so that the box
// remembers nothing for people who are not logged in; nothing of it is done before they say so once more.
type keptForm struct {
	To   string // the path that it was sent to
	Body string // as it came, application/x-www-form-urlencoded
}

// keptField is a field of it.
type keptField struct{ Name, Value string }

// keepForm reads the form of a request; nil = it has none that can be kept. Files are not kept, nor is what belongs to the login itself.
func keepForm(r *http.Request) *keptForm {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	part := r.Header.Get("HX-Request") != "" && r.Header.Get("HX-Boosted") == "" // its answer goes into a page that is there
	if r.Method != http.MethodPost || kind != "application/x-www-form-urlencoded" || part {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxKeptForm+1))
	if err != nil || len(body) > maxKeptForm {
		return nil
	}
	return newKeptForm(r.URL.Path, string(body))
}

// newKeptForm checks where a form would go to; nil = nowhere.
func newKeptForm(to, body string) *keptForm {
	switch to = safeNext(to); {
	case to == "/", to == "/login", to == "/password", strings.HasPrefix(to, "/logout"), strings.HasPrefix(to, gokrazyPrefix):
		return nil
	}
	return &keptForm{To: to, Body: body}
}

// Fields are the fields in the order in which they came; what cannot be read is left out.
func (k *keptForm) Fields() []keptField {
	var out []keptField
	for pair := range strings.SplitSeq(k.Body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		value, bad := url.QueryUnescape(value)
		if errors.Join(err, bad) == nil && name != "" {
			out = append(out, keptField{name, value})
		}
	}
	return out
}

// leadToLogin answers whoever has no login, or none any more; what they sent is kept where that can be.
func (s *Server) leadToLogin(w http.ResponseWriter, r *http.Request) error {
	if wantsJSON(r) { // a script shows it beside the files that were chosen, which stay chosen
		writeJSON(w, http.StatusUnauthorized, apiError{Error: spoken(w, "The login has ended. Log in on another tab, then send this once more.")})
		return nil
	}
	kept := keepForm(r)
	if kept == nil {
		redirect(w, r, "/login"+nextQuery(r))
		return nil
	}
	return s.pages.render(w, http.StatusUnauthorized, "login", view{Title: "Log in", Body: loginView{Next: "/", Kept: kept}})
}

// showKept shows what was kept, to be sent once more.
func (s *Server) showKept(w http.ResponseWriter, kept *keptForm) error {
	return s.pages.render(w, http.StatusOK, "keptform", view{Title: "Logged in again", Nav: navAt("/"), Body: kept})
}
