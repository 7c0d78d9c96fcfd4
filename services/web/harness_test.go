package web_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
	"phonebox/services/web"
)

const (
	password  = "correct horse battery"
	reception = "00:06:D7:AA:2A:2E"
)

// rig is a page with a fake box behind it.
type rig struct {
	t       testing.TB
	server  *web.Server
	cfg     web.Config
	box     *fakeBox
	shop    *fakeShop
	fleet   *fakeFleet
	forms   *fakeForms
	system  *fakeSystem
	secrets *fakeSecrets
	clock   *fakeClock
	log     *lockedBuffer
	metrics *prometheus.Registry
	desk    *fakeDesk

	activity *fakeActivity
	editors  *fakeEditors

	mu     sync.Mutex
	events []web.Event
}

// lockedBuffer is a log that several goroutines write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newServer is web.New, with what counts the buttons around it.
func newServer(cfg web.Config, deps web.Deps) (*web.Server, error) {
	server, err := web.New(cfg, deps)
	if err == nil && pressed.on {
		pressed.learn(server.Patterns())
		server.Around(pressed.watch)
	}
	return server, err
}

// newRig makes a page; change may alter its settings before.
func newRig(t testing.TB, change func(*web.Config)) *rig {
	t.Helper()
	r := &rig{
		t:       t,
		box:     newFakeBox(),
		shop:    &fakeShop{},
		system:  newFakeSystem(),
		secrets: &fakeSecrets{key: bytes.Repeat([]byte{7}, 32)},
		clock:   &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
		log:     &lockedBuffer{},
		metrics: prometheus.NewRegistry(),

		activity: &fakeActivity{},
		desk:     newFakeDesk(),
		editors:  newFakeEditors(),
		cfg: web.Config{
			HTTP:    netip.MustParseAddrPort("127.0.0.1:0"),
			HTTPS:   netip.MustParseAddrPort("127.0.0.1:0"),
			Server:  netip.MustParsePrefix("10.77.0.1/16"),
			Domain:  "voice.home.arpa",
			CertDir: t.TempDir(),
			Version: "1.2.3",
		},
	}
	r.forms = &fakeForms{site: r.box.site}
	if change != nil {
		change(&r.cfg)
	}
	r.fleet = &fakeFleet{rig: r}
	server, err := newServer(r.cfg, web.Deps{
		Fleet: r.fleet,
		Box:   r.box, Shop: r.shop, Files: fakeFiles{}, Secrets: r.secrets, Now: r.clock.Now, Uptime: r.clock.Uptime,
		Log:     slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: r.metrics, Registerer: r.metrics,
		Activity:  r.activity,
		Converter: &fakeConverter{shop: r.shop},
		Editors:   r.editors,
		Forms:     r.forms,
		System:    r.system,
		Report: func(e web.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
		Desk: r.desk,
		Names: func() (string, func() []string) {
			var names []string
			for _, p := range r.box.Phones() {
				names = append(names, p.Label)
			}
			return strings.Join(names, "/"), func() []string { return names }
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	return r
}

// reported returns the events of one kind.
func (r *rig) reported(kind web.EventKind) []web.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []web.Event
	for _, e := range r.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// call is one request to a handler.
type call struct {
	method, path string
	body         string
	header       map[string]string
	from         string // default 10.77.1.9:4000
	host         string // default 10.77.0.1
	plain        bool   // to port 80
	basic        bool   // as admin with the password
	cookie       *http.Cookie
	gone         bool // whoever asks does not wait for the answer
}

// do sends a request straight into the handler.
func (r *rig) do(c call) *httptest.ResponseRecorder {
	r.t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	req := httptest.NewRequestWithContext(r.t.Context(), c.method, c.path, strings.NewReader(c.body))
	req.RemoteAddr = "10.77.1.9:4000"
	if c.from != "" {
		req.RemoteAddr = c.from
	}
	req.Host = "10.77.0.1"
	if c.host != "" {
		req.Host = c.host
	}
	handler := r.server.HTTPHandler()
	if !c.plain {
		handler = r.server.HTTPSHandler()
		req.TLS = &tls.ConnectionState{}
	}
	if c.basic {
		req.SetBasicAuth("admin", password)
	}
	if c.cookie != nil {
		req.AddCookie(c.cookie)
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	if c.gone {
		ctx, cancel := context.WithCancel(req.Context())
		cancel()
		req = req.WithContext(ctx)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return w
}

// form sends a form.
func (r *rig) form(path string, cookie *http.Cookie, values url.Values) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.do(call{
		method: http.MethodPost, path: path, body: values.Encode(), cookie: cookie,
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"},
	})
}

// setUp sets the first password.
func (r *rig) setUp() {
	r.t.Helper()
	w := r.do(call{method: http.MethodPost, path: "/api/v1/setup", body: `{"password":"` + password + `"}`})
	if w.Code != http.StatusNoContent {
		r.t.Fatalf("setting the first password: got %d %s, want 204", w.Code, w.Body)
	}
}

// login returns a session.
func (r *rig) login() *http.Cookie {
	r.t.Helper()
	w := r.form("/login", nil, url.Values{"password": {password}})
	if w.Code != http.StatusSeeOther {
		r.t.Fatalf("logging in: got %d %s, want 303", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

// run serves on real sockets until the test ends and returns how to stop it earlier.
func (r *rig) run() (stop func() error) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.server.Run(ctx) }()
	select {
	case <-r.server.Ready():
	case err := <-done:
		r.t.Fatalf("running the page: %v", err)
	}
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	r.t.Cleanup(func() { _ = stop() })
	return stop
}

// client is a browser without eyes: it keeps cookies and takes any certificate.
func client(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mac(t testing.TB, s string) phone.MAC {
	t.Helper()
	m, err := phone.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantCode fails the test when the status is another.
func wantCode(t testing.TB, w *httptest.ResponseRecorder, code int) {
	t.Helper()
	if w.Code != code {
		t.Fatalf("got status %d, want %d; body:\n%s", w.Code, code, w.Body)
	}
}

// wantText fails the test when the body lacks one of the texts.
func wantText(t testing.TB, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("the body lacks %q:\n%s", text, body)
		}
	}
}

// wantNoText fails the test when the body has one of the texts.
func wantNoText(t testing.TB, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(body, text) {
			t.Errorf("the body has %q:\n%s", text, body)
		}
	}
}

// waitFor polls until ok; the deadline is generous as machines are slow, not as the page is.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited a minute in vain: %s", what)
		case <-poll.C:
		}
	}
}

// wantLogin reports whether whoever asked was led to the login, or asked to log in first.
func wantLogin(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	led := w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "/login")
	asked := w.Code == http.StatusUnauthorized && strings.Contains(w.Body.String(), `<form method="post" action="/login"`)
	if !led && !asked {
		t.Errorf("%s: got %d to %q, want the login", what, w.Code, w.Header().Get("Location"))
	}
}
