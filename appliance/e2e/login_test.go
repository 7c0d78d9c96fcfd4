package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testLogin logs a browser in on the encrypted port, whose certificate must be the one in the data folder.
func testLogin(t *testing.T, b *box) {
	own, err := os.ReadDir(filepath.Join(b.data, "certs"))
	if err != nil || len(own) == 0 {
		t.Fatalf("no certificate in the data folder: %v", err)
	}
	pool := x509.NewCertPool()
	for _, e := range own {
		pem, err := os.ReadFile(filepath.Join(b.data, "certs", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		pool.AppendCertsFromPEM(pem)
	}
	c := b.client(b.lan.Node("laptop"))
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
	do := func(method, path string, form url.Values, cookie *http.Cookie) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+boxAddr+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if cookie != nil {
			req.AddCookie(cookie)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	if resp, _ := do("GET", "/", nil, nil); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/login") {
		t.Errorf("the page without a login: found %d to %q, wanted 303 to /login", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp, _ := do("POST", "/login", url.Values{"password": {"wrong wrong wrong"}}, nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong password: found %d, wanted 401", resp.StatusCode)
	}
	resp, _ := do("POST", "/login", url.Values{"password": {password}}, nil)
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 2 {
		t.Fatalf("logging in: found %d and %d cookies, wanted 303, the session and the one by which the browser is known again", resp.StatusCode, len(resp.Cookies()))
	}
	session := resp.Cookies()[0]
	if !session.Secure || !session.HttpOnly || session.SameSite != http.SameSiteStrictMode {
		t.Errorf("the session cookie is not Secure, HttpOnly and SameSite=Strict: %s", session.Raw)
	}
	page, body := do("GET", "/", nil, session)
	if page.StatusCode != http.StatusOK || !strings.Contains(body, "Front desk") {
		t.Errorf("the page after the login: found %d without the phone", page.StatusCode)
	}
}
