package web_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"
)

// Every button is driven by a test. Over a whole run of this package's tests, a ledger reads in each page that anybody was shown
// which buttons it has, and in each request of Chromium which of them was pressed. TestMain asks it in the end.

// noScripts is what Chromium calls itself while the page's scripts are off: its requests look alike otherwise.
const noScripts = "Chromium, the page's scripts are off"

// way is how a button is pressed.
type way string

const (
	scripted   way = "with JavaScript"
	scriptless way = "without JavaScript"
)

// button is one that a page has, or a link that is drawn as one, whatever phone, number or name it is about.
type button struct {
	route string // where its form, or its link, leads: method and pattern
	name  string // name=value; for a button without a name the fields that are sent beside it
	way   way
}

func (b button) String() string {
	return strings.TrimSpace(b.route+" "+b.name) + ", " + string(b.way)
}

// sight is a button as it was shown: what a request must have in it to be its press.
type sight struct {
	page   string   // where it was seen first
	fields []string // names of the form's fields, where the button has no name
	named  bool     // it has a name of its own, which is sent
	link   bool
}

// press is a request of Chromium, cut down to what tells its button.
type press struct {
	route  string
	way    way
	fields string // "\n"-joined name and name=value
}

// ledger keeps what was shown and what was pressed.
type ledger struct {
	on bool // a whole run of the tests: before m.Run

	mu      sync.Mutex
	mux     *http.ServeMux
	changes map[string]bool            // routes that change something; whether somebody had them do it
	pages   map[[sha256.Size]byte]bool // that were read already
	shown   map[button]sight
	presses map[press]bool
	scripts map[string]bool // data-... of a button that a script serves; whether it was pressed
	led     map[string]int  // where browsers were sent on to, and did not go yet
}

var pressed = newLedger()

func newLedger() *ledger {
	return &ledger{
		mux: http.NewServeMux(), changes: map[string]bool{}, pages: map[[sha256.Size]byte]bool{}, shown: map[button]sight{},
		presses: map[press]bool{}, scripts: map[string]bool{}, led: map[string]int{},
	}
}

// learn adds routes: not each server has all.
func (l *ledger) learn(patterns []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range patterns {
		if _, known := l.changes[p]; known {
			continue
		}
		l.changes[p] = strings.HasPrefix(p, "GET ")
		l.mux.Handle(p, http.NotFoundHandler())
	}
}

// route is the pattern that a request meets, "" if none.
func (l *ledger) route(method, path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return ""
	}
	_, pattern := l.mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: u.Path}, Host: "box"})
	if !strings.HasPrefix(pattern, method+" ") {
		return ""
	}
	return pattern
}

// watch reads what goes in and out.
func (l *ledger) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, out := &bytes.Buffer{}, &kept{ResponseWriter: w}
		agent := r.UserAgent()
		browser := agent == noScripts || strings.Contains(agent, "Chrome/")
		if browser && r.Body != nil {
			r.Body = teed{io.TeeReader(r.Body, in), r.Body}
		}
		method, asked, header := r.Method, *r.URL, r.Header.Clone()
		next.ServeHTTP(out, r)

		l.mu.Lock()
		defer l.mu.Unlock()
		route := l.route(method, asked.Path)
		if route != "" && out.status < http.StatusBadRequest {
			l.changes[route] = true
		}
		if browser && route != "" {
			l.note(route, r.Host, &asked, header, in.Bytes())
		}
		if to, _, _ := strings.Cut(out.Header().Get("Location"), "#"); browser && to != "" {
			l.led[r.Host+to]++
		}
		l.read(route, out)
	})
}

// kept keeps what was answered, as long as it is a page or a part of one.
type kept struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *kept) Unwrap() http.ResponseWriter { return k.ResponseWriter }

func (k *kept) WriteHeader(code int) {
	if k.status == 0 {
		k.status = code
	}
	k.ResponseWriter.WriteHeader(code)
}

func (k *kept) Write(b []byte) (int, error) {
	if k.status == 0 {
		k.status = http.StatusOK
	}
	if k.body.Len() < 4<<20 && strings.HasPrefix(k.Header().Get("Content-Type"), "text/html") {
		k.body.Write(b)
	}
	return k.ResponseWriter.Write(b)
}

// teed is a body that is copied while it is read.
type teed struct {
	io.Reader
	io.Closer
}

// note keeps a request of Chromium.
func (l *ledger) note(route, host string, asked *url.URL, header http.Header, body []byte) {
	p := press{route: route, way: scripted}
	if header.Get("User-Agent") == noScripts {
		p.way = scriptless
	}
	values := asked.Query()
	if strings.HasPrefix(route, "GET ") {
		if n := l.led[host+asked.RequestURI()]; n > 0 { // it was sent here by an answer, not by a person
			l.led[host+asked.RequestURI()] = n - 1
			return
		}
		if header.Get("Sec-Fetch-Site") != "same-origin" { // somebody typed the address
			return
		}
	} else {
		maps.Copy(values, formValues(header.Get("Content-Type"), body))
	}
	fields := map[string]bool{}
	for name, all := range values {
		fields[plain(name)] = true
		for _, value := range all {
			if len(value) < 100 {
				fields[nameAndValue(name, value)] = true
			}
		}
	}
	p.fields = strings.Join(slices.Sorted(maps.Keys(fields)), "\n")
	l.presses[p] = true
}

func formValues(contentType string, body []byte) url.Values {
	kind, params, _ := mime.ParseMediaType(contentType)
	values := url.Values{}
	switch kind {
	case "application/x-www-form-urlencoded":
		values, _ = url.ParseQuery(string(body))
	case "multipart/form-data":
		form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(64 << 20)
		if err != nil {
			break // the box did not read all of it
		}
		for name := range form.File {
			values.Set(name, "")
		}
		maps.Copy(values, form.Value)
	}
	return values
}

var digits = regexp.MustCompile(`[0-9]+`)

// plain is the name of a field whatever row it is in.
func plain(name string) string { return digits.ReplaceAllString(name, "N") }

// named are the buttons' names whose values are data: each phone, file or line has one.
var named = map[string]bool{"mac": true, "file": true, "line": true}

// nameAndValue is name=value of a button, whatever phone, row or name it is about.
func nameAndValue(name, value string) string {
	switch {
	case named[name]:
		return name + "=*"
	case name == "yes" || name == "go":
		return name + "=" + value
	case strings.HasPrefix(value, "param "): // what a search found
		value = value[:strings.LastIndexByte(value, ' ')] + " *"
	}
	return plain(name) + "=" + digits.ReplaceAllString(value, "N")
}

// read finds the buttons of an answer.
func (l *ledger) read(route string, out *kept) {
	body := out.body.Bytes()
	if len(body) == 0 {
		return
	}
	if out.Header().Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return
		}
		if body, err = io.ReadAll(z); err != nil {
			return
		}
	}
	sum := sha256.Sum256(body)
	if l.pages[sum] {
		return
	}
	l.pages[sum] = true
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return
	}
	page := &pageReader{ledger: l, page: route, forms: map[string]*html.Node{}}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" && attr(n, "id") != "" {
			page.forms[attr(n, "id")] = n
		}
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			page.element(n)
		}
	}
}

// pageReader reads one page.
type pageReader struct {
	*ledger
	page  string
	forms map[string]*html.Node
}

func attr(n *html.Node, key string) string {
	v, _ := has(n, key)
	return v
}

func has(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

// within tells whether an element or something around it is of a class.
func within(n *html.Node, class string) bool {
	for ; n != nil; n = n.Parent {
		if slices.Contains(strings.Fields(attr(n, "class")), class) {
			return true
		}
	}
	return false
}

// element takes note of one element, if it is a button or looks like one.
func (p *pageReader) element(n *html.Node) {
	kind := attr(n, "type")
	switch {
	case n.Data == "a" && attr(n, "role") == "button":
		p.anchor(n)
	case n.Data == "button", n.Data == "input" && (kind == "submit" || kind == "image" || kind == "button"):
		if _, off := has(n, "disabled"); off {
			return
		}
		served := p.byScript(n)
		if kind == "button" {
			return
		}
		p.submit(n, served)
	case n.Data == "input" && (kind == "checkbox" || kind == "radio"), n.Data == "a":
		p.byScript(n)
	}
}

// byScript takes note of what a script does with a press: there is a data-... for it.
func (p *pageReader) byScript(n *html.Node) bool {
	found := false
	for _, a := range n.Attr {
		if strings.HasPrefix(a.Key, "data-") {
			if _, known := p.scripts[a.Key]; !known {
				p.scripts[a.Key] = false
			}
			found = true
		}
	}
	return found
}

// anchor takes note of a link that is drawn as a button.
func (p *pageReader) anchor(n *html.Node) {
	u, err := url.Parse(attr(n, "href"))
	if err != nil || u.Host != "" {
		return // to the box's new address
	}
	route := p.route(http.MethodGet, u.Path)
	if route == "" {
		route = "GET " + u.Path
	}
	var fields []string // beside which list is shown, or what is filled in there
	if do := u.Query().Get("do"); do != "" {
		fields = append(fields, nameAndValue("do", do))
	}
	p.show(n, button{route: route}, sight{fields: fields, link: true})
}

// submit takes note of a button that sends a form.
func (p *pageReader) submit(n *html.Node, served bool) {
	form := n
	if id := attr(n, "form"); id != "" {
		form = p.forms[id]
	}
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		return
	}
	method, action := strings.ToUpper(attr(form, "method")), attr(form, "action")
	if to, ok := has(n, "formaction"); ok {
		action = to
	}
	if method == "" {
		method = http.MethodGet
	}
	var s sight
	b := button{}
	if name := attr(n, "name"); name != "" {
		b.name = nameAndValue(name, attr(n, "value"))
		s.named = true
	} else {
		s.fields = p.fields(form, method)
	}
	post, ajax := has(n, "hx-post")
	for _, w := range []way{scripted, scriptless} {
		b.route = p.route(method, action)
		if ajax && w == scripted {
			b.route = p.route(http.MethodPost, post)
		}
		if served && w == scripted {
			continue // it sends nothing then
		}
		p.show(n, b, s, w)
	}
}

// fields are those that tell forms apart that lead to the same place: what is in each request, whatever is written in them. A
// form that changes something is known by what is hidden in it.
func (p *pageReader) fields(form *html.Node, method string) []string {
	var out []string
	for n := range form.Descendants() {
		if n.Type != html.ElementNode || attr(n, "name") == "" {
			continue
		}
		name, kind := attr(n, "name"), attr(n, "type")
		switch {
		case n.Data == "input" && kind == "hidden":
			if method == http.MethodGet {
				continue // what the list shows, which may be nothing
			}
			if name == "do" || name == "step" {
				out = append(out, nameAndValue(name, attr(n, "value")))
				continue
			}
		case method == http.MethodGet && (n.Data == "select" || n.Data == "input" && kind != "checkbox" && kind != "radio"):
		default:
			continue
		}
		out = append(out, plain(name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// show keeps a button, in the ways in which it can be pressed.
func (p *pageReader) show(n *html.Node, b button, s sight, ways ...way) {
	if len(ways) == 0 {
		ways = []way{scripted, scriptless}
	}
	if b.route == "" {
		b.route = "a path that the box does not have"
	}
	if b.name == "" && len(s.fields) > 0 {
		b.name = "(" + strings.Join(s.fields, ", ") + ")"
	}
	if s.link {
		b.name = strings.TrimSpace("link " + b.name)
	}
	s.page = p.page
	for _, w := range ways {
		if w == scripted && within(n, "nojs") || w == scriptless && within(n, "js") {
			continue
		}
		b.way = w
		if _, known := p.shown[b]; !known {
			p.shown[b] = s
		}
	}
}

// clicked keeps that a button which a script serves was pressed.
func (l *ledger) clicked(data string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scripts[data] = true
}

// missing are the buttons that nobody pressed, and the routes that change something and that nobody had do it.
func (l *ledger) missing() (buttons, routes []string, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := map[button]bool{}
	for p := range l.presses {
		for _, b := range l.which(p) {
			done[b] = true
		}
	}
	for b, s := range l.shown {
		if !done[b] {
			buttons = append(buttons, b.String()+" (seen at "+s.page+")")
		}
	}
	for data, was := range l.scripts {
		if !was {
			buttons = append(buttons, "["+data+"], which a script serves")
		}
	}
	for route, was := range l.changes {
		if !was {
			routes = append(routes, route)
		}
	}
	slices.Sort(buttons)
	slices.Sort(routes)
	return buttons, routes, len(l.shown) + len(l.scripts)
}

// which are the buttons that a request may have come from: the one by its own name, or else those whose form has most of its fields.
func (l *ledger) which(p press) (found []button) {
	sent := strings.Split(p.fields, "\n")
	most := 0
	for b, s := range l.shown {
		if b.route != p.route || b.way != p.way || slices.ContainsFunc(s.fields, func(f string) bool { return !slices.Contains(sent, f) }) {
			continue
		}
		weight := len(s.fields)
		switch {
		case s.named && !slices.Contains(sent, b.name):
			continue
		case s.named:
			weight = 1000
		case slices.Contains(s.fields, "sure"): // it was asked whether the press of another button was meant, and sends that along
			weight = 2000
		}
		if weight > most {
			found, most = nil, weight
		}
		if weight == most {
			found = append(found, b)
		}
	}
	return found
}

// What was pressed is told from what was not: by its way, by its name, by what its form hides, and by who asked.
func TestTheLedgerTellsWhatNobodyPressed(t *testing.T) {
	l := newLedger()
	l.learn([]string{"GET /{$}", "POST /phones/{mac}/restart", "POST /remove", "GET /find", "POST /never"})
	h := l.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<form method="post" action="/phones/0006D7AA2A2E/restart"><button name="line" value="1">1</button></form>
			<form method="post" action="/remove"><input type="hidden" name="load"><button>Load</button></form>
			<form method="post" action="/remove"><input type="hidden" name="name"><button class="nojs">File</button></form>
			<form action="/find"><input name="q"><button>Find</button></form><button type="button" data-copy="x" class="js">Copy</button>`)
	}))
	ask := func(agent, method, path, body, site string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("User-Agent", agent)
		r.Header.Set("Sec-Fetch-Site", site)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	const chrome = "Mozilla/5.0 HeadlessChrome/140.0"
	ask(chrome, "GET", "/", "", "none")
	ask(chrome, "POST", "/phones/00070E112233/restart", "line=7", "same-origin")
	ask(noScripts, "POST", "/remove", "load=x", "same-origin")
	ask("Go-http-client/1.1", "POST", "/remove", "name=x", "")
	ask(chrome, "GET", "/find?q=typed", "", "none")
	ask(noScripts, "GET", "/find?q=pressed", "", "same-origin")
	buttons, routes, all := l.missing()
	want := []string{
		"GET /find (q), with JavaScript (seen at GET /{$})",
		"POST /phones/{mac}/restart line=*, without JavaScript (seen at GET /{$})",
		"POST /remove (load), with JavaScript (seen at GET /{$})",
		"POST /remove (name), without JavaScript (seen at GET /{$})",
		"[data-copy], which a script serves",
	}
	if !slices.Equal(buttons, want) || !slices.Equal(routes, []string{"POST /never"}) || all != 8 {
		t.Errorf("of %d buttons were not pressed:\n\t%s\nnot asked were %q", all, strings.Join(buttons, "\n\t"), routes)
	}
	l.clicked("data-copy")
	if buttons, _, _ := l.missing(); len(buttons) != 4 {
		t.Errorf("after the press of the script's button are left %q", buttons)
	}
}
