package web_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// strictPolicy is word for word what every answer has to say: a test that only looked for words would let one more in.
const strictPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; media-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// wantStrict fails the test when an answer lacks a header.
func wantStrict(t *testing.T, what string, h http.Header, tls bool) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": strictPolicy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s is %q, want %q once", what, name, got, want)
		}
	}
	if got := h.Get("Cross-Origin-Opener-Policy"); tls && got != "same-origin" {
		t.Errorf("%s: Cross-Origin-Opener-Policy is %q", what, got)
	}
	// It would keep people from passing the browser's warning of our own certificate.
	if got := h.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("%s: Strict-Transport-Security is %q, want none", what, got)
	}
}

// wantNothingInline fails the test when a page has what the policy forbids: it would be dead, or one day somebody would loosen the
// policy for it.
func wantNothingInline(t *testing.T, what, body string) (forms int) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return forms
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		tag := z.Token()
		attrs := map[string]string{}
		for _, a := range tag.Attr {
			attrs[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(a.Key, "hx-on") ||
				strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				t.Errorf("%s: <%s %s=%q> is inline", what, tag.Data, a.Key, a.Val)
			}
		}
		switch {
		case tag.Data == "style", tag.Data == "script" && attrs["src"] == "", tag.Data == "iframe", tag.Data == "object", tag.Data == "base":
			t.Errorf("%s has %s", what, tag)
		case tag.Data == "script" && !strings.HasPrefix(attrs["src"], "/assets/"), tag.Data == "link" && !strings.HasPrefix(attrs["href"], "/assets/"):
			t.Errorf("%s loads %s, want our own files only", what, tag)
		case tag.Data == "form":
			forms++
		}
	}
}

// TestEveryAnswerIsStrict asks for every path that there is, as somebody who is logged in and as a stranger, and wants the headers
// on each answer and nothing inline on any page.
func TestEveryAnswerIsStrict(t *testing.T) {
	r := newRig(t, nil)
	check := func(what string, c call) (forms int) {
		w := r.do(c)
		if h := w.Header(); h.Get("Content-Security-Policy") == "default-src 'none'; sandbox" {
			h.Set("Content-Security-Policy", strictPolicy) // files of phones, as strict as can be
		}
		wantStrict(t, what, w.Header(), !c.plain)
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			return wantNothingInline(t, what, w.Body.String())
		}
		return 0
	}
	if check("/setup", call{path: "/setup"}) != 1 {
		t.Error("the first page has no form: the pages are not looked at")
	}
	r.setUp()
	furnish(t, r)
	cookie := r.login()
	pages, forms := 0, 0
	for _, path := range r.server.Paths() {
		path = strings.NewReplacer("{mac}", "0006D7AA2A2E", "{name...}", "SIPDefault.cnf", "{name}", "x", "{$}", "", "{step}", "wire").Replace(path)
		pages++
		forms += check(path, call{path: path, cookie: cookie, gone: strings.HasSuffix(path, "/stream") || path == "/api/v1/events"})
		check(path+" without a login", call{path: path})
	}
	if pages < 55 || forms < 40 {
		t.Errorf("looked at %d pages with %d forms: these are not all", pages, forms)
	}
	for what, c := range map[string]call{
		"another host": {path: "/", host: "evil.example"}, "no such page": {path: "/nothing", cookie: cookie}, "a login that fails": {method: "POST", path: "/login"},
		"a phone's file": {path: "/phone/directory.xml", plain: true}, "an asset": {path: "/assets/phonebox/page.js"}, "a missing asset": {path: "/assets/x"},
		"port 80": {path: "/", plain: true}, "health": {path: "/healthz", plain: true}, "the metrics": {path: "/metrics", plain: true},
		"another method": {method: "DELETE", path: "/settings", cookie: cookie}, "a page of somebody else": {method: "POST", path: "/logout", header: map[string]string{"Sec-Fetch-Site": "cross-site"}},
	} {
		check(what, c)
	}
	r.server.PanicNext()
	check("a panic", call{path: "/", cookie: cookie})
}
