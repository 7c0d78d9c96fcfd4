package web_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/services/web"
)

func TestBeforeThePasswordNothingOfTheSiteIsShown(t *testing.T) {
	r := newRig(t, nil)
	furnish(t, r)
	r.box.status.Notices = []string{"a notice about the site"}
	r.box.status.Services["dns"] = web.Service{State: "failed", Detail: "listening on 10.77.0.1:53"}
	for _, path := range []string{
		"/api/v1/status", "/api/v1/phones", "/api/v1/site", "/api/v1/site?secrets=1", "/api/v1/events", "/api/v1/nothing",
		"/api/v1/phones/0006D7AA2A2E/files/SIP0006D7AA2A2E.cnf",
	} {
		w := r.do(call{path: path})
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: got %d, want 403", path, w.Code)
		}
		wantText(t, w.Body.String(), "No password is set yet")
	}
	for _, path := range []string{"/", "/settings", "/phones/0006D7AA2A2E", "/firmware", "/stream", "/gokrazy/", "/login", "/nothing"} {
		w := r.do(call{path: path})
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/setup" {
			t.Errorf("%s: got %d to %q, want 303 to /setup", path, w.Code, w.Header().Get("Location"))
		}
	}
	w := r.do(call{path: "/setup"})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Set the first password", "failed")
	wantNoText(t, w.Body.String(), "Reception", "10.77.0", "a notice", reception)
	for _, path := range []string{"/settings", "/phones", "/clock", "/serve-anyway", "/hold-back", "/look-again", "/firmware"} {
		r.form(path, nil, url.Values{"unix": {"1790000000"}})
	}
	w = r.do(call{method: "POST", path: "/api/v1/clock", body: `{"unix":1790000000}`, basic: true})
	wantCode(t, w, 403)
	if len(r.box.clock) != 0 || r.box.anyway+r.box.heldBack+r.box.looks != 0 {
		t.Error("something was changed before a password was set")
	}
}

func TestTheFirstPasswordComesFromTheBoxsNetworkOnly(t *testing.T) {
	r := newRig(t, nil)
	for _, from := range []string{"10.78.0.9:1", "192.168.1.1:1", "127.0.0.1:1", "[fe80::1]:1", "nonsense"} {
		for _, c := range []call{
			{path: "/setup", from: from},
			{path: "/", from: from},
			{method: "POST", path: "/api/v1/setup", body: `{"password":"` + password + `"}`, from: from},
		} {
			if w := r.do(c); w.Code != http.StatusForbidden {
				t.Errorf("%s %s from %s: got %d, want 403", c.method, c.path, from, w.Code)
			}
		}
	}
	if hash, _ := r.secrets.Password(); hash != "" {
		t.Error("a password was set from elsewhere")
	}
	if counter(t, r, "not_local") == 0 || len(r.reported(web.EventDropped)) == 0 {
		t.Error("the refusals were neither counted nor reported")
	}
	r.setUp()
	if w := r.do(call{path: "/api/v1/status", from: "192.168.1.1:1", basic: true}); w.Code != 200 {
		t.Errorf("with the password from elsewhere: got %d, want 200", w.Code)
	}
}

func TestWithTheSinglePortTheFirstPasswordComesFromLoopback(t *testing.T) {
	r := newRig(t, single)
	w := r.do(call{plain: true, path: "/setup", host: "localhost:8067", from: "127.77.1.5:1"})
	wantCode(t, w, 200)
	w = r.do(call{plain: true, path: "/setup", host: "localhost:8067", from: "10.77.0.9:1"})
	wantCode(t, w, 403)
}

func TestTheFirstPasswordIsSetOnce(t *testing.T) {
	r := newRig(t, nil)
	for body, code := range map[string]int{
		`{"password":"short"}`: 422, `{"password":""}`: 422, `{"password":"` + strings.Repeat("x", 300) + `"}`: 422,
		`{"passwort":"` + password + `"}`: 400, `nonsense`: 400,
	} {
		if w := r.do(call{method: "POST", path: "/api/v1/setup", body: body}); w.Code != code {
			t.Errorf("%.30s: got %d, want %d", body, w.Code, code)
		}
	}
	var wg sync.WaitGroup
	codes := make([]int, 8)
	for i := range codes {
		wg.Go(func() {
			codes[i] = r.do(call{method: "POST", path: "/api/v1/setup", body: `{"password":"` + password + `"}`}).Code
		})
	}
	wg.Wait()
	set := 0
	for _, code := range codes {
		switch code {
		case 204:
			set++
		case 409, 429:
		default:
			t.Errorf("got %d, want 204, 409 or 429", code)
		}
	}
	if set != 1 || len(r.reported(web.EventSetup)) != 1 {
		t.Errorf("the password was set %d times and reported %d times, want once", set, len(r.reported(web.EventSetup)))
	}
	w := r.do(call{method: "POST", path: "/api/v1/setup", body: `{"password":"another password"}`})
	wantCode(t, w, 409)
	w = r.form("/setup", nil, url.Values{"password": {"another password"}, "again": {"another password"}})
	wantCode(t, w, 303)
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200)
}

func TestRequestsForAnotherHostAreRefused(t *testing.T) {
	r := newRig(t, func(cfg *web.Config) {
		cfg.Names = []string{"Tftp.voice.home.arpa."}
		cfg.HTTP, cfg.HTTPS = netip.MustParseAddrPort("10.77.0.1:80"), netip.MustParseAddrPort("10.77.0.2:443")
	})
	r.setUp()
	for host, code := range map[string]int{
		"10.77.0.1": 200, "10.77.0.1:443": 200, "10.77.0.2": 200, "phonebox": 200, "PhoneBox.Voice.Home.Arpa": 200,
		"phonebox.voice.home.arpa.:443": 200, "phonebox.local": 200, "tftp.voice.home.arpa": 200,
		"localhost": 421, "127.0.0.1": 421, "10.77.0.3": 421, "evil.example": 421, "phonebox.evil.example": 421, "10.77.0.1.evil.example": 421,
		"[::1]": 421,
	} {
		if w := r.do(call{path: "/api/v1/status", host: host, basic: true}); w.Code != code {
			t.Errorf("%s: got %d, want %d", host, w.Code, code)
		}
		if w := r.do(call{path: "/phone/directory.xml", host: host, plain: true}); w.Code != code {
			t.Errorf("%s, a phone's file: got %d, want %d", host, w.Code, code)
		}
	}
	if counter(t, r, "host") == 0 {
		t.Error("the refusals were not counted")
	}
	one := newRig(t, single)
	for host, code := range map[string]int{"localhost:8067": 303, "127.0.0.1:8067": 303, "[::1]:8067": 303, "evil.example": 421} {
		if w := one.do(call{plain: true, path: "/", host: host, from: "127.0.0.1:9"}); w.Code != code {
			t.Errorf("single port, %s: got %d, want %d", host, w.Code, code)
		}
	}
}

func TestPagesOfOthersCannotSendForms(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	cookie := r.login()
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
	} {
		w := r.do(call{method: "POST", path: "/serve-anyway", cookie: cookie, header: header})
		if w.Code != http.StatusForbidden {
			t.Errorf("%v: got %d, want 403", header, w.Code)
		}
	}
	if r.box.anyway != 0 {
		t.Error("a page of somebody else changed something")
	}
	if w := r.do(call{method: "POST", path: "/serve-anyway", cookie: cookie, header: map[string]string{"Origin": "https://10.77.0.1"}}); w.Code != 303 {
		t.Errorf("our own page: got %d, want 303", w.Code)
	}
}

func TestNothingChangesWithoutALogin(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	for _, c := range []call{
		{method: "PUT", path: "/api/v1/site", body: "name"},
		{method: "POST", path: "/api/v1/clock", body: `{"unix":1790000000}`},
		{method: "POST", path: "/api/v1/firmware"},
		{method: "POST", path: "/api/v1/import"},
		{path: "/api/v1/export?secrets=1"},
		{path: "/api/v1/conversions"},
		{path: "/api/v1/phones/0006D7AA2A2E/parameters"},
		{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/conversion", body: `{"order":"stop"}`},
		{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/check"},
		{method: "POST", path: "/api/v1/restart", body: `{}`},
		{method: "POST", path: "/api/v1/dhcp/decision", body: `{"serve":true}`},
		{method: "POST", path: "/api/v1/dhcp/look"},
		{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/restart"},
		{path: "/api/v1/status"},
		{path: "/api/v1/events"},
		{path: "/api/v1/nothing"},
	} {
		w := r.do(c)
		if w.Code != http.StatusUnauthorized || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s %s: got %d, want 401 with a challenge", c.method, c.path, w.Code)
		}
	}
	for _, path := range []string{"/serve-anyway", "/hold-back", "/look-again", "/settings", "/settings/file", "/phones", "/phones/0006D7AA2A2E", "/phones/0006D7AA2A2E/remove", "/password", "/clock", "/firmware", "/gokrazy/reboot", "/import", "/import/decide", "/restart", "/names", "/dialplan", "/directory", "/media/rings", "/media/logo", "/firmware/remove", "/phones/0006D7AA2A2E/conversion", "/phones/0006D7AA2A2E/check"} {
		w := r.form(path, nil, url.Values{"unix": {"1790000000"}})
		wantLogin(t, path, w)
	}
	if len(r.box.clock)+r.box.anyway+r.box.heldBack+r.box.looks+len(r.box.restarts)+len(r.shop.list()) != 0 || len(r.box.site.phones) != 4 {
		t.Error("something changed without a login")
	}
	w := r.do(call{path: "/settings?x=1"})
	if got := w.Header().Get("Location"); got != "/login?next=%2Fsettings%3Fx%3D1" {
		t.Errorf("the way to the login is %q, want it to remember the page", got)
	}
}

func TestPort80HasNoLoginAndLeadsToTheEncryptedPage(t *testing.T) {
	r := newRig(t, func(cfg *web.Config) { cfg.HTTPS = netip.MustParseAddrPort("10.77.0.1:443") })
	r.setUp()
	for host, want := range map[string]string{"10.77.0.1": "https://10.77.0.1/", "phonebox.local:80": "https://phonebox.local/"} {
		w := r.do(call{plain: true, path: "/settings", host: host})
		wantCode(t, w, 200)
		wantText(t, w.Body.String(), `href="`+want+`"`)
	}
	for _, c := range []call{
		{path: "/api/v1/status", basic: true},
		{method: "POST", path: "/login", body: "password=x"},
		{method: "POST", path: "/api/v1/setup", body: `{"password":"x"}`},
		{method: "PUT", path: "/api/v1/site", basic: true},
	} {
		c.plain = true
		w := r.do(c)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s %s: got %d, want 403", c.method, c.path, w.Code)
		}
		wantText(t, w.Body.String(), "https://10.77.0.1/")
	}
	open := newRig(t, func(cfg *web.Config) { cfg.PlainHTTP = true })
	open.setUp()
	wantCode(t, open.do(call{plain: true, path: "/api/v1/status", basic: true}), 200)
}

func TestSessions(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	if c.Name != "__Host-phonebox" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 12*3600 || c.Path != "/" {
		t.Errorf("the cookie is %+v", c)
	}
	status := func(cookie *http.Cookie) int { return r.do(call{path: "/api/v1/status", cookie: cookie}).Code }
	if code := status(c); code != 200 {
		t.Fatalf("with a session: got %d, want 200", code)
	}
	for i := range len(c.Value) { // every character is signed
		forged := *c
		b := []byte(c.Value)
		if b[i] != 'A' {
			b[i] = 'A'
		} else {
			b[i] = 'B'
		}
		forged.Value = string(b)
		// Of the last character some bits say nothing and may be anything.
		if code := status(&forged); code != 401 && i < len(b)-1 {
			t.Errorf("with character %d forged: got %d, want 401", i, code)
		}
	}
	r.clock.move(12*time.Hour + time.Second)
	if code := status(c); code != 401 {
		t.Errorf("after 12 h: got %d, want 401", code)
	}
	r.clock.move(-24 * time.Hour)
	if code := status(c); code != 401 {
		t.Errorf("a session from the future: got %d, want 401", code)
	}
	r.clock.move(12 * time.Hour)
	if code := status(c); code != 200 {
		t.Errorf("back in time: got %d, want 200", code)
	}
	w := r.form("/logout", c, nil)
	if got := w.Result().Cookies(); len(got) != 1 || got[0].MaxAge >= 0 || got[0].Name != c.Name {
		t.Errorf("logging out sets %+v, want the cookie removed", got)
	}
	if err := r.secrets.SetPassword(""); err != nil { // the physical reset
		t.Fatal(err)
	}
	r.setUp()
	if code := status(c); code != 401 {
		t.Errorf("after a new password: got %d, want 401", code)
	}
}

// TestSettingTheClockThrowsNobodyOut sets the box's time by a day and by ten years in both directions, as an upstream server may
// that is heard for the first time. A session of before the process started has the box's time alone.
func TestSettingTheClockThrowsNobodyOut(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	status := func(cookie *http.Cookie) int { return r.do(call{path: "/api/v1/status", cookie: cookie}).Code }
	const day, years = 24 * time.Hour, 3653 * 24 * time.Hour
	for _, by := range []time.Duration{day, -day, years, -years, -years, years} {
		r.clock.set(by)
		if code := status(c); code != 200 {
			t.Errorf("after the clock was set by %s: got %d, want 200", by, code)
		}
		wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200)
		if code := status(r.login()); code != 200 {
			t.Errorf("a new login after the clock was set by %s: got %d, want 200", by, code)
		}
	}
	r.clock.move(13 * time.Hour)
	r.clock.set(-13 * time.Hour)
	if code := status(c); code != 401 {
		t.Errorf("after 13 h, of which the clock knows nothing: got %d, want 401", code)
	}
	c = r.login()
	again := newRig(t, nil)
	again.secrets.hash, again.secrets.key = r.secrets.hash, r.secrets.key
	again.clock.set(time.Hour)
	if code := again.do(call{path: "/api/v1/status", cookie: c}).Code; code != 200 {
		t.Errorf("a session of before a restart: got %d, want 200", code)
	}
	again.clock.set(12 * time.Hour)
	if code := again.do(call{path: "/api/v1/status", cookie: c}).Code; code != 401 {
		t.Errorf("a session of before a restart, 13 h later: got %d, want 401", code)
	}
}

func TestAPlainSessionIsNotSecureOnly(t *testing.T) {
	r := newRig(t, single)
	r.cfg.Single = true
	w := r.do(call{plain: true, method: "POST", path: "/api/v1/setup", body: `{"password":"` + password + `"}`, host: "localhost", from: "127.0.0.1:9"})
	wantCode(t, w, 204)
	w = r.do(call{
		plain: true, method: "POST", path: "/login", body: "password=" + url.QueryEscape(password), host: "localhost", from: "127.0.0.1:9",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
	wantCode(t, w, 303)
	if c := w.Result().Cookies()[0]; c.Secure || !c.HttpOnly || c.Name != "phonebox" {
		t.Errorf("the cookie is %+v, want one that a plain port gets back", c)
	}
}

func TestLoginsLeadBackOnThisBoxOnly(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	for next, want := range map[string]string{
		"/settings?x=1": "/settings?x=1", "": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/",
		"javascript:alert(1)": "/", "/a\r\nb": "/",
	} {
		w := r.form("/login", nil, url.Values{"password": {password}, "next": {next}})
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("next=%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestFailedLoginsAreReported(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	wantCode(t, r.form("/login", nil, url.Values{"password": {"wrong"}}), 401)
	w := r.do(call{path: "/api/v1/status", header: map[string]string{"Authorization": "Basic YWRtaW46d3Jvbmc="}})
	wantCode(t, w, 401)
	w = r.do(call{path: "/api/v1/status", header: map[string]string{"Authorization": "Basic cm9vdDp3cm9uZw=="}})
	wantCode(t, w, 401)
	failed := r.reported(web.EventLoginFailed)
	if len(failed) != 3 || failed[0].From != netip.MustParseAddr("10.77.1.9") {
		t.Errorf("reported %+v, want three failures from 10.77.1.9", failed)
	}
	r.login()
	if n := len(r.reported(web.EventLogin)); n != 1 {
		t.Errorf("%d logins reported, want 1", n)
	}
}

func TestTooManyLoginsAtATime(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200)
	release := r.server.FillHashQueue()
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200) // remembered: no hash is needed
	w := r.form("/login", nil, url.Values{"password": {password}})
	wantCode(t, w, 429)
	wantText(t, w.Body.String(), "Too many people")
	if w.Header().Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	r.clock.move(5 * time.Minute)
	w = r.do(call{path: "/api/v1/status", basic: true})
	wantCode(t, w, 429)
	wantText(t, w.Body.String(), `{"error":`)
	release()
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200)
	if counter(t, r, "too_many_logins") != 2 {
		t.Error("the refusals were not counted")
	}
}

func TestThePasswordIsChanged(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	try := func(current, one, two string, code int) {
		t.Helper()
		wantCode(t, r.form("/password", c, url.Values{"current": {current}, "password": {one}, "again": {two}}), code)
	}
	try("wrong", "another password", "another password", 401)
	try(password, "another password", "other password", 422)
	try(password, "short", "short", 422)
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200)
	try(password, "another password", "another password", 303)
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 401)
	wantCode(t, r.do(call{path: "/api/v1/status", cookie: c}), 401)
}

func TestSecretsAppearInNoLogAndNoEvent(t *testing.T) {
	r := newRig(t, nil)
	const wrong = "wrong-guess-hunter2"
	r.do(call{method: "POST", path: "/api/v1/setup", body: `{"password":"` + password + `"`})
	r.setUp()
	furnish(t, r)
	c := r.login()
	r.form("/login", nil, url.Values{"password": {wrong}, "next": {"/x?password=" + wrong}})
	r.do(call{path: "/api/v1/status?password=" + wrong, basic: true})
	r.do(call{path: "/api/v1/status", header: map[string]string{"Authorization": "Basic " + wrong}})
	r.form("/password", c, url.Values{"current": {wrong}, "password": {wrong}, "again": {wrong}})
	r.form("/phones", c, url.Values{"mac": {"00:06:D7:AA:2A:2F"}, "lines[0].password": {wrong}, "parameters": {"line1_password " + wrong}})
	r.do(call{path: "/api/v1/phones/0006D7AA2A2E/files/SIP0006D7AA2A2E.cnf", basic: true})
	r.do(call{path: "/api/v1/site?secrets=1", basic: true})
	r.do(call{method: "POST", path: "/api/v1/clock", body: `{"unix":"` + wrong + `"}`, basic: true})
	log := r.log.String()
	wantText(t, log, "answered a request")
	wantNoText(t, log, password, url.QueryEscape(password), wrong, "sip-secret-208", c.Value, "YWRtaW46Y29ycmVjd")
	for _, e := range r.events {
		wantNoText(t, e.What, password, wrong, "sip-secret-208")
	}
	wantNoText(t, r.do(call{path: "/phones/0006D7AA2A2E/edit", cookie: c}).Body.String(), "sip-secret-208")
}

func TestSecurityHeadersOnEveryAnswer(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	for _, c := range []call{{path: "/login"}, {path: "/api/v1/status"}, {path: "/", host: "evil.example"}, {path: "/phone/directory.xml", plain: true}, {path: "/nothing", basic: true}} {
		h := r.do(c).Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: the headers are %v", c.path, h)
		}
	}
}
