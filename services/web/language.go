package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

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

// language is one that a person may choose. Its catalogue is some hundred kilobytes, and most boxes are read in one language:
// it is made when somebody first asks for it, and kept.
type language struct {
	name string // what its speakers call it
	read func() (*texts.Catalogue, error)
}

// languages are those of the page by their code; English, which needs no catalogue, is not among them.
type languages map[string]language

// readLanguages reads what the page can speak: the heads of the files.
func readLanguages() (languages, error) {
	list, err := catalogues.ReadDir("texts")
	if err != nil {
		return nil, err
	}
	out := languages{}
	for _, f := range list {
		name := path.Join("texts", f.Name())
		po, err := embedded(name)
		if err != nil {
			return nil, err
		}
		header, err := texts.ReadHeader(po)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if header["Language"] == "" || header["X-Name"] == "" {
			return nil, fmt.Errorf("%s: the header has Language %q and X-Name %q, wanted both", name, header["Language"], header["X-Name"])
		}
		out[header["Language"]] = language{header["X-Name"], sync.OnceValues(func() (*texts.Catalogue, error) { return readCatalogue(name) })}
	}
	return out, nil
}

// readCatalogue reads one language.
func readCatalogue(name string) (*texts.Catalogue, error) {
	po, err := embedded(name)
	if err != nil {
		return nil, err
	}
	c, err := texts.Parse(po)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// embedded is a file of the program as a string, of which the texts of a catalogue are parts.
func embedded(name string) (string, error) {
	f, err := catalogues.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var po strings.Builder
	if info, err := f.Stat(); err == nil {
		po.Grow(int(info.Size()))
	}
	_, err = io.Copy(&po, f)
	return po.String(), err
}

// catalogue returns the texts of a language; nil = English, also where the catalogue has a fault: TestCatalogues keeps such a
// one from being built in.
func (l languages) catalogue(code string) *texts.Catalogue {
	one, ok := l[code]
	if !ok {
		return nil
	}
	c, err := one.read()
	if err != nil {
		return nil
	}
	return c
}

// languageChoice is a language that a person may choose.
type languageChoice struct{ Code, Name string }

// choices are the languages of the page, English first.
func (l languages) choices() []languageChoice {
	out := []languageChoice{{english, "English"}}
	for code, one := range l {
		out = append(out, languageChoice{code, one.name})
	}
	slices.SortFunc(out[1:], func(a, b languageChoice) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// speaks reports whether the page has a language.
func (l languages) speaks(code string) bool {
	_, ok := l[code]
	return ok || code == english
}

// of returns the catalogue for a request: what the person chose, else what the browser asks for; nil = English.
func (l languages) of(r *http.Request) *texts.Catalogue {
	if c, err := r.Cookie(languageCookie); err == nil && l.speaks(c.Value) {
		return l.catalogue(c.Value)
	}
	for _, tag := range accepted(r.Header.Get("Accept-Language")) {
		if l.speaks(tag) {
			return l.catalogue(tag)
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
			w = &translator{ResponseWriter: w, catalogue: c, names: s.deps.Names}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) chooseLanguage(w http.ResponseWriter, r *http.Request, q url.Values) {
	if code := q.Get("lang"); s.pages.languages.speaks(code) {
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
	names     func() (version string, names func() []string) // [Deps.Names]
	done      bool                                           // what is written was translated already
}

// html translates a page, or a part of one.
func (t *translator) html(out *bytes.Buffer, page []byte) {
	t.keep()
	t.catalogue.HTML(out, page)
}

// keep tells the catalogue what people named.
func (t *translator) keep() {
	if t.names != nil {
		t.catalogue.Keep(t.names())
	}
}

// Unwrap gives [http.ResponseController] the writer of the connection.
func (t *translator) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Write implements [http.ResponseWriter].
func (t *translator) Write(b []byte) (int, error) {
	if t.done {
		return t.ResponseWriter.Write(b)
	}
	var out bytes.Buffer
	switch kind, _, _ := strings.Cut(t.Header().Get("Content-Type"), ";"); kind {
	case "text/html":
		t.html(&out, b)
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

// translated returns a page in the language of whoever it is for, and sees to it that it is not translated again: what was compressed
// cannot be.
func translated(w http.ResponseWriter, page []byte) []byte {
	t, ok := wrapped[*translator](w)
	if !ok {
		return page
	}
	var out bytes.Buffer
	t.html(&out, page)
	t.done = true
	return out.Bytes()
}

// spoken returns a text in the language of whoever it is for: a script of the page shows it.
func spoken(w http.ResponseWriter, english string) string {
	t, ok := wrapped[*translator](w)
	if !ok {
		return english
	}
	t.keep()
	text, _ := t.catalogue.Text(english)
	return text
}

// stream translates the messages of an event stream: the lines of data are a part of a page.
func (t *translator) stream(out *bytes.Buffer, b []byte) {
	var html bytes.Buffer
	flush := func() {
		if html.Len() == 0 {
			return
		}
		var text bytes.Buffer
		t.html(&text, html.Bytes())
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
