package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// unpacked is the body of an answer as a browser sees it.
func unpacked(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Encoding") == "" {
		return w.Body.String()
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAssetsAreCompressedOnceForWhoTakesIt(t *testing.T) {
	r := newRig(t, nil)
	const path = "/assets/picocss/pico.min.css"
	plain := r.do(call{path: path})
	wantCode(t, plain, 200)
	if plain.Header().Get("Content-Encoding") != "" || plain.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("for who says nothing: encoding %q, Vary %q", plain.Header().Get("Content-Encoding"), plain.Header().Get("Vary"))
	}
	packed := r.do(call{path: path, header: map[string]string{"Accept-Encoding": "br, gzip;q=0.8"}})
	wantCode(t, packed, 200)
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("encoding %q, Vary %q", packed.Header().Get("Content-Encoding"), packed.Header().Get("Vary"))
	}
	if packed.Header().Get("ETag") == plain.Header().Get("ETag") {
		t.Error("both forms have the same ETag")
	}
	if n := packed.Body.Len(); n > plain.Body.Len()/4 {
		t.Errorf("%d bytes of %d", n, plain.Body.Len())
	}
	for _, w := range []*httptest.ResponseRecorder{plain, packed} {
		same := map[string]string{"If-None-Match": w.Header().Get("ETag")}
		if w == packed {
			same["Accept-Encoding"] = "gzip"
		}
		again := r.do(call{path: path, header: same})
		wantCode(t, again, http.StatusNotModified)
		if again.Header().Get("Vary") != "Accept-Encoding" {
			t.Error("304 without Vary")
		}
	}
	// A cache that has one form and asks for the other must not be told that it has it.
	wantCode(t, r.do(call{path: path, header: map[string]string{"If-None-Match": packed.Header().Get("ETag")}}), 200)
	if unpacked(t, packed) != plain.Body.String() {
		t.Error("the two forms differ")
	}
	w := r.do(call{path: path, header: map[string]string{"Accept-Encoding": "gzip;q=0, identity"}})
	if w.Header().Get("Content-Encoding") != "" {
		t.Error("gzip was sent to who refuses it")
	}
}

// What may hold a secret is never compressed: its length would tell of it (BREACH).
func TestPagesAreCompressedUnlessTheyMayHoldASecret(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	c := r.login()
	ask := func(path string) *httptest.ResponseRecorder {
		t.Helper()
		w := r.do(call{path: path, cookie: c, header: map[string]string{"Accept-Encoding": "gzip, deflate, br"}})
		wantCode(t, w, 200)
		return w
	}
	for _, path := range []string{"/", "/phones", "/conversions", "/names", "/help"} {
		w := ask(path)
		if w.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(w.Header().Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: encoding %q, Vary %q; want it compressed", path, w.Header().Get("Content-Encoding"), w.Header().Get("Vary"))
		}
		if !strings.Contains(unpacked(t, w), "</html>") {
			t.Errorf("%s is cut off", path)
		}
	}
	for _, path := range []string{
		"/phones/0006D7AA2A2E", "/phones/0006D7AA2A2E/edit", "/phones/0006D7AA2A2E/parameters", "/settings", "/settings/file", "/password",
		"/api/v1/site?secrets=1", "/api/v1/phones", "/api/v1/phones/0006D7AA2A2E/files/SIP0006D7AA2A2E.cnf",
	} {
		if w := ask(path); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s is compressed with %s", path, w.Header().Get("Content-Encoding"))
		}
	}
	w := r.do(call{path: "/", cookie: c})
	if w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "</html>") {
		t.Error("a page is compressed for who did not say that it takes that")
	}
}
