package assemble

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"phonebox/appliance/site"
)

// visitor is a browser without eyes at a box of this test.
type visitor struct {
	t *testing.T
	c http.Client
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, c: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(v.c.CloseIdleConnections)
	return v
}

// do sends a form, or asks for a page where there is none, and returns the status and where it leads.
func (v *visitor) do(b *Box, path string, form url.Values) (code int, leads string) {
	v.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, strings.TrimSuffix(b.web.URL(), "/")+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := v.c.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// TestSessionsOutliveARestart has one person logged in over a restart of the box, and another who logged out stay out, with the
// cookies of both and the real store.
func TestSessionsOutliveARestart(t *testing.T) {
	const password = "correct horse battery"
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	stays, leaves := newVisitor(t), newVisitor(t)
	if code, _ := stays.do(b, "/setup", url.Values{"password": {password}, "again": {password}}); code != http.StatusSeeOther {
		t.Fatalf("setting the password: %d", code)
	}
	if code, _ := leaves.do(b, "/login", url.Values{"password": {password}}); code != http.StatusSeeOther {
		t.Fatalf("logging in: %d", code)
	}
	at, err := url.Parse(b.web.URL())
	if err != nil {
		t.Fatal(err)
	}
	stolen := slices.DeleteFunc(leaves.c.Jar.Cookies(at), func(c *http.Cookie) bool {
		return strings.HasSuffix(c.Name, "_known") // which lets nobody in
	})
	if len(stolen) != 1 {
		t.Fatalf("found the cookies %v, want the session", stolen)
	}
	if code, leads := leaves.do(b, "/logout", url.Values{}); code != http.StatusSeeOther || leads != "/login" {
		t.Errorf("logging out: %d to %s", code, leads)
	}
	leaves.c.Jar.SetCookies(at, stolen)
	stop()

	b = open(t, data, nil)
	run(t, b)
	if code, _ := stays.do(b, "/system", nil); code != http.StatusOK {
		t.Errorf("with the session of before the restart: %d, want 200", code)
	}
	if code, leads := leaves.do(b, "/system", nil); code != http.StatusSeeOther || !strings.HasPrefix(leads, "/login") {
		t.Errorf("with a copy of the session that was ended: %d to %s, want the login", code, leads)
	}
	if code, _ := stays.do(b, "/logout/all", url.Values{}); code != http.StatusSeeOther {
		t.Errorf("logging out everywhere: %d", code)
	}
	if code, leads := stays.do(b, "/system", nil); code != http.StatusSeeOther || !strings.HasPrefix(leads, "/login") {
		t.Errorf("after logging out everywhere: %d to %s, want the login", code, leads)
	}
	text := ""
	events, _ := page{b}.Events([6]byte{})
	for _, e := range events {
		text += e.Text + "\n"
	}
	if !strings.Contains(text, "Everybody was logged out") {
		t.Errorf("the timeline of the box says %q", text)
	}
}
