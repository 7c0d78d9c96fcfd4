package web

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

//go:embed templates/*.html assets
var files embed.FS

// pages holds the parsed templates and the assets with their fingerprints.
type pages struct {
	templates *template.Template
	assets    map[string]asset // by the name after /assets/
	languages languages
	packer    packer
	cache     partCache
	buffers   buffers
}

type asset struct {
	body []byte
	gz   []byte // the same, compressed; nil = not worth it
	tag  string
	kind string
}

// assetKinds are the files that are served; licences and VERSIONS are served as text.
var assetKinds = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
	"":     "text/plain; charset=utf-8",
}

// view is what the layout needs of every page.
type view struct {
	Title string
	Nav   *navView     // nil = nobody is logged in
	Say   *flash       // what just happened
	Start *startNotice // the first-run wizard is not finished
	Body  any
}

func parsePages() (*pages, error) {
	p := &pages{}
	var err error
	if p.languages, err = readLanguages(); err != nil {
		return nil, err
	}
	if p.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	p.templates, err = parseTemplates(p.funcs())
	return p, err
}

// loadAssets reads the embedded files, once for all servers of a program: tests start hundreds. Our own styles and scripts have a
// file for each subject, which are served as one, in the order of their names.
var loadAssets = sync.OnceValues(func() (map[string]asset, error) {
	out, joined := map[string]asset{}, map[string][]byte{}
	err := fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "assets/")
		if kind := path.Base(path.Dir(name)); path.Dir(path.Dir(name)) == "phonebox" {
			one := "phonebox/page." + kind
			joined[one] = append(append(joined[one], body...), '\n')
			return nil
		}
		out[name] = newAsset(name, body)
		return nil
	})
	for name, body := range joined {
		out[name] = newAsset(name, body)
	}
	return out, err
})

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{body: body, gz: packAsset(body), tag: hex.EncodeToString(sum[:6]), kind: assetKinds[path.Ext(name)]}
}

func (p *pages) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":      func(name string) string { return "/assets/" + name + "?v=" + p.assets[name].tag },
		"languages":  func() []languageChoice { return p.languages.choices() },
		"inc":        func(i int) int { return i + 1 },
		"mask":       func() string { return Mask },
		"kept":       p.kept,
		"pairview":   newPairView,
		"parameters": settableParameters,
		"list":       func(items ...string) []string { return items },
		// stop ends a text with a full stop unless it has one.
		"stop": func(s string) string { return strings.TrimSuffix(s, ".") + "." },
	}
}

// render writes a whole page. It is made in memory first, so that a fault in a template becomes an error and not half
// a page.
func (p *pages) render(w http.ResponseWriter, status int, name string, v view) error {
	b := p.buffers.get()
	defer p.buffers.put(b)
	if err := p.page(b, name, v); err != nil {
		return err
	}
	html := b.Bytes()
	if status >= http.StatusBadRequest {
		html = focusFault(html)
	}
	p.send(w, status, name, html)
	return nil
}

// page makes a whole page.
func (p *pages) page(b *bytes.Buffer, name string, v view) error {
	for _, part := range []struct {
		name string
		data any
	}{{"head", v}, {local(name, "page"), v.Body}, {"foot", v}} {
		if err := p.templates.ExecuteTemplate(b, part.name, part.data); err != nil {
			return fmt.Errorf("making the page %s: %w", name, err)
		}
	}
	return nil
}

// focusFault lets a page that refuses something begin at the first field that is wrong, or at what it says of it, also in a browser
// without JavaScript. A page that chose a field already keeps it.
func focusFault(html []byte) []byte {
	if bytes.Contains(html, []byte(" autofocus")) {
		return html
	}
	for _, focus := range [][2]string{
		{` aria-invalid="true"`, ` aria-invalid="true" autofocus`},
		{`<p class="problem" role="alert"`, `<p class="problem" role="alert" tabindex="-1" autofocus`},
	} {
		if bytes.Contains(html, []byte(focus[0])) {
			return bytes.Replace(html, []byte(focus[0]), []byte(focus[1]), 1)
		}
	}
	return html
}

// part makes one named part of a page. What is made of plain data, such as the row of a phone, is made once for everybody.
func (p *pages) part(b *bytes.Buffer, page, name string, data any) error {
	if data == nil || !isPlain(reflect.TypeOf(data)) {
		return p.make(b, page, name, data)
	}
	k := partKey{page, name, data}
	if html, ok := p.cache.get(k); ok {
		b.Write(html)
		return nil
	}
	from := b.Len()
	if err := p.make(b, page, name, data); err != nil {
		return err
	}
	p.cache.put(k, bytes.Clone(b.Bytes()[from:]))
	return nil
}

// kept is part for templates, for each row of a list: a page of 500 phones whose rows were made before is made in a fraction of
// the time.
func (p *pages) kept(page, name string, rows any) (template.HTML, error) {
	b := p.buffers.get()
	defer p.buffers.put(b)
	list := reflect.ValueOf(rows)
	for i := range list.Len() {
		if err := p.part(b, page, name, list.Index(i).Interface()); err != nil {
			return "", err
		}
	}
	return template.HTML(b.String()), nil //nolint:gosec // our own template made it
}

func (p *pages) make(b *bytes.Buffer, page, name string, data any) error {
	t := find(p.templates, page, name)
	if t == nil {
		return fmt.Errorf("the page %s has no part %s", page, name)
	}
	if err := t.Execute(b, data); err != nil {
		return fmt.Errorf("making the part %s of the page %s: %w", name, page, err)
	}
	return nil
}

// asset serves an embedded file. Its address changes with its content, so browsers may keep it for good.
func (p *pages) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.PathValue("name")]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	if r.URL.Query().Get("v") == a.tag {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	a.serve(w, r)
}

func (p *pages) favicon(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	p.assets["phonebox/icon.svg"].serve(w, r)
}

// serve answers with the bytes that the browser can read best. Each form has an ETag of its own (RFC 9110 section 8.8.3.3).
func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	body, tag := a.body, `"`+a.tag+`"`
	if a.gz != nil {
		w.Header().Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			body, tag = a.gz, `"`+a.tag+`-gz"`
		}
	}
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if tag != `"`+a.tag+`"` {
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// errorPage tells a person what went wrong.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, a answer) {
	v := view{Title: http.StatusText(a.status), Body: map[string]any{"Text": a.text, "Faults": a.faults}}
	if ok, err := s.auth.loggedIn(r); ok && err == nil {
		v.Nav = navAt(r.URL.Path)
	}
	if err := s.pages.render(w, a.status, "error", v); err != nil {
		s.deps.Log.Error("the error page cannot be made", "err", err)
		http.Error(w, a.text, a.status)
	}
}

// show renders a page of somebody who is logged in, with what the last form had to say. at is the path of its place in the
// navigation.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, name, title, at string, body any) error {
	return s.pages.render(w, status, name, view{Title: title, Nav: navAt(at), Say: s.says.take(r.URL.Query().Get("say")), Body: body, Start: s.startNotice(at)})
}

// flash is what a form had to say, kept until the page that it leads to is shown.
type flash struct {
	Text     string
	Verdicts []UploadVerdict
}

// flashes keeps the last few; the address of the next page carries the number of its own.
type flashes struct {
	mu   sync.Mutex
	keys []string
	byID map[string]flash
}

const maxFlashes = 32

func (f *flashes) put(one flash) string {
	id := rand.Text()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID = map[string]flash{}
	}
	if len(f.keys) >= maxFlashes {
		delete(f.byID, f.keys[0])
		f.keys = f.keys[1:]
	}
	f.keys = append(f.keys, id)
	f.byID[id] = one
	return id
}

func (f *flashes) take(id string) *flash {
	f.mu.Lock()
	defer f.mu.Unlock()
	one, ok := f.byID[id]
	if !ok {
		return nil
	}
	delete(f.byID, id)
	return &one
}

// done leads a person to the next page with a sentence on it.
func (s *Server) done(w http.ResponseWriter, r *http.Request, target, text string) error {
	mark := "?"
	if strings.Contains(target, "?") {
		mark = "&"
	}
	http.Redirect(w, r, target+mark+"say="+s.says.put(flash{Text: text}), http.StatusSeeOther)
	return nil
}
