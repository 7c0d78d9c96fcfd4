package web_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// get asks for a page of a rig that is set up, logged in with Basic.
func (r *rig) pageIn(path, accept, cookie string) (string, http.Header, int) {
	r.t.Helper()
	w := r.do(call{path: path, basic: true, header: map[string]string{"Accept-Language": accept, "Cookie": cookie}})
	return w.Body.String(), w.Header(), w.Code
}

func TestThePageSpeaksTheLanguageOfItsReader(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	for _, tt := range []struct{ accept, cookie, want string }{
		{"", "", "Overview"},
		{"fr-BE, fr;q=0.9", "", "Overview"},
		{"de-AT,de;q=0.9,en;q=0.5", "", "Übersicht"},
		{"fr, nl-BE;q=0.7, de;q=0.8", "", "Übersicht"},
		{"nl", "", "Overzicht"},
		{"de", "phonebox_language=nl", "Overzicht"},
		{"de", "phonebox_language=en", "Overview"},
		{"de", "phonebox_language=xx", "Übersicht"},
		{"de;q=0", "", "Overview"},
	} {
		body, _, _ := r.pageIn("/phones", tt.accept, tt.cookie)
		if !strings.Contains(body, ">"+tt.want+"<") {
			t.Errorf("Accept-Language %q, cookie %q: the page does not say %q", tt.accept, tt.cookie, tt.want)
		}
	}
	body, _, _ := r.pageIn("/phones", "nl", "")
	if !strings.Contains(body, `<html lang="nl">`) || !strings.Contains(body, "Reception") {
		t.Error("the Dutch page does not say that it is Dutch, or lost the name of a phone")
	}
	if body, _, _ := r.pageIn("/api/v1/phones", "nl", ""); !strings.Contains(body, `"step":"ready"`) {
		t.Errorf("the API does not speak English: %s", body)
	}
}

// What a browser unpacks is translated too: every one asks for compressed pages.
func TestCompressedPagesAreTranslated(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	furnishOffice(t, r)
	compressed := 0
	for _, path := range []string{"/", "/phones", "/conversions", "/firmware", "/help", "/names", "/time", "/phones/new"} {
		w := r.do(call{path: path, basic: true, header: map[string]string{"Accept-Language": "de", "Accept-Encoding": "gzip"}})
		if w.Header().Get("Content-Encoding") != "" {
			compressed++
		}
		body := unpacked(t, w)
		wantText(t, body, `<html lang="de">`, ">Übersicht<", ">Abmelden<")
		wantNoText(t, body, ">Overview<", ">Empfang<") // which is what the catalogue makes of Reception, a person's own name
	}
	if compressed < 6 {
		t.Errorf("%d of the pages came compressed, so this shows nothing", compressed)
	}
}

func TestALinkChoosesTheLanguage(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	// Before the login as well, and the rest of the query stays.
	w := r.do(call{path: "/login?lang=nl&next=%2Fphones"})
	c := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login?next=%2Fphones" || len(c) != 1 || c[0].Value != "nl" || !c[0].HttpOnly {
		t.Errorf("choosing Dutch: got %d to %q with %v", w.Code, w.Header().Get("Location"), c)
	}
	for path, want := range map[string]string{"//evil.example/?lang=nl": "/evil.example", "/?lang=xx": "/"} {
		if w := r.do(call{path: path}); w.Header().Get("Location") != want {
			t.Errorf("%s: led to %q, wanted %q", path, w.Header().Get("Location"), want)
		}
	}
	if w := r.do(call{path: "/?lang=xx"}); len(w.Result().Cookies()) != 0 {
		t.Error("a language that there is not was kept")
	}
}

func TestWhatLivesIsTranslated(t *testing.T) {
	r := newRig(t, single)
	furnish(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL()+"phones/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	req.Header.Set("Accept-Language", "nl")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	seen := ""
	for !strings.Contains(seen, "</hx-partial>\n\n") && lines.Scan() {
		line := lines.Text()
		if line != "" && !strings.HasPrefix(line, "data: ") && !strings.HasPrefix(line, ":") {
			t.Errorf("the stream has the line %q", line)
		}
		seen += strings.TrimPrefix(line, "data: ") + "\n"
	}
	wantText(t, seen, "haalt bestanden", "Reception")
	wantNoText(t, seen, "fetching files")
}

// The first sentence is joined of parts; the names in it stay.
func TestTheFirstSentenceIsTranslated(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	body, _, _ := r.pageIn("/", "de", "")
	wantText(t, body, "1 nie gesehen", "Warehouse")
	wantNoText(t, body, "never seen")
}

// Browsers take pages compressed, and get them in their language all the same.
func TestACompressedPageIsTranslated(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	for _, path := range []string{"/", "/phones", "/conversions", "/firmware", "/names", "/time", "/help", "/login"} {
		ask := func(encoding string) *httptest.ResponseRecorder {
			t.Helper()
			w := r.do(call{path: path, basic: true, header: map[string]string{"Accept-Language": "de", "Accept-Encoding": encoding}})
			wantCode(t, w, 200)
			return w
		}
		plain, packed := ask("identity"), ask("gzip, deflate, br")
		if packed.Header().Get("Content-Encoding") != "gzip" && path != "/login" { // that is too short
			t.Errorf("%s is not compressed", path)
		}
		body := unpacked(t, packed)
		wantText(t, body, `<html lang="de">`, "</html>")
		if body != plain.Body.String() {
			t.Errorf("%s says something else when it is compressed", path)
		}
	}
}
