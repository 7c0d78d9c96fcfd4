package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/internal/texts"
)

// The page is written in English and translated on its way out: see package texts. Each file is one language.
//
//go:embed texts/*.po
var catalogues embed.FS

const (
	english        = "en"
	languageCookie = "phonebox_language" // what a person chose on this browser
	languageKept   = 365 * 24 * 60 * 60  // seconds
)

// languages are the catalogues by their code.
type languages map[string]*texts.Catalogue

func readLanguages() (languages, error) {
	list, err := catalogues.ReadDir("texts")
	if err != nil {
		return nil, err
	}
	out := languages{}
	for _, f := range list {
		po, err := catalogues.ReadFile(path.Join("texts", f.Name()))
		if err != nil {
			return nil, err
		}
		c, err := texts.Parse(po)
		if err != nil {
			return nil, fmt.Errorf("texts/%s: %w", f.Name(), err)
		}
		out[c.Language] = c
	}
	return out, nil
}

// languageChoice is a language that a person may choose.
type languageChoice struct{ Code, Name string }

// choices are the languages of the page, English first.
func (l languages) choices() []languageChoice {
	out := []languageChoice{{english, "English"}}
	for _, c := range l {
		out = append(out, languageChoice{c.Language, c.Name})
	}
	slices.SortFunc(out[1:], func(a, b languageChoice) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// of returns the catalogue for a request: what the person chose, else what the browser asks for; nil = English.
func (l languages) of(r *http.Request) *texts.Catalogue {
	if c, err := r.Cookie(languageCookie); err == nil && (c.Value == english || l[c.Value] != nil) {
		return l[c.Value]
	}
	for _, tag := range accepted(r.Header.Get("Accept-Language")) {
		if tag == english || l[tag] != nil {
			return l[tag]
		}
	}
	return nil
}

// accepted reads an Accept-Language header (RFC 9110, section 12.5.4): the languages without their regions, the best first.
func accepted(header string) []string {
	type weighed struct {
		tag string
		q   float64
	}
	var list []weighed
	for i, part := range strings.Split(header, ",") {
		if i == 16 {
			break // no browser asks for more
		}
		tag, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			q, _ = strconv.ParseFloat(value, 64)
		}
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		if tag != "" && q > 0 {
			list = append(list, weighed{tag, q})
		}
	}
	slices.SortStableFunc(list, func(a, b weighed) int { return cmp.Compare(b.q, a.q) })
	tags := make([]string, len(list))
	for i, w := range list {
		tags[i] = w.tag
	}
	return tags
}

// translating puts pages and their live parts into the language of the person. A link with ?lang= chooses another one: it
// works on every page, also before the login.
func (s *Server) translating(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isAPI(r) || strings.HasPrefix(r.URL.Path, gokrazyPrefix) {
			next.ServeHTTP(w, r)
			return
		}
		if q := r.URL.Query(); q.Has("lang") && r.Method == http.MethodGet {
			s.chooseLanguage(w, r, q)
			return
		}
		if c := s.pages.languages.of(r); c != nil {
			w = &translator{ResponseWriter: w, catalogue: c}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) chooseLanguage(w http.ResponseWriter, r *http.Request, q url.Values) {
	if code := q.Get("lang"); code == english || s.pages.languages[code] != nil {
		http.SetCookie(w, &http.Cookie{
			Name: languageCookie, Value: code, Path: "/", MaxAge: languageKept, Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	q.Del("lang")
	// The path alone, without what would make it another host.
	target := url.URL{Path: path.Clean("/" + r.URL.Path), RawQuery: q.Encode()}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// translator translates what is written to it. A page, or a message of a stream, is written as a whole.
type translator struct {
	http.ResponseWriter
	catalogue *texts.Catalogue
	whole     bool // a whole page was translated before it is written
}

// translated puts a whole page that will be written to w into the language of the person.
func translated(w http.ResponseWriter, page []byte) []byte {
	for w != nil {
		if t, ok := w.(*translator); ok {
			var out bytes.Buffer
			t.catalogue.HTML(&out, page)
			t.whole = true
			return out.Bytes()
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return page
}

// Unwrap gives [http.ResponseController] the writer of the connection.
func (t *translator) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Write implements [http.ResponseWriter].
func (t *translator) Write(b []byte) (int, error) {
	if t.whole {
		return t.ResponseWriter.Write(b)
	}
	var out bytes.Buffer
	switch kind, _, _ := strings.Cut(t.Header().Get("Content-Type"), ";"); kind {
	case "text/html":
		t.catalogue.HTML(&out, b)
	case "text/event-stream":
		t.stream(&out, b)
	default:
		return t.ResponseWriter.Write(b)
	}
	if _, err := t.ResponseWriter.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// stream translates the messages of an event stream: the lines of data are a part of a page.
func (t *translator) stream(out *bytes.Buffer, b []byte) {
	var html bytes.Buffer
	flush := func() {
		if html.Len() == 0 {
			return
		}
		var text bytes.Buffer
		t.catalogue.HTML(&text, html.Bytes())
		for line := range bytes.SplitSeq(bytes.TrimSuffix(text.Bytes(), []byte("\n")), []byte("\n")) {
			out.WriteString("data: ")
			out.Write(line)
			out.WriteByte('\n')
		}
		html.Reset()
	}
	for line := range bytes.Lines(b) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			html.Write(data)
			continue
		}
		flush()
		out.Write(line)
	}
	flush()
}
