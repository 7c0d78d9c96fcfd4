package web_test

import (
	"html"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// hiddenFields are the hidden fields of a form in a page, in their order.
func hiddenFields(t *testing.T, page, action string) url.Values {
	t.Helper()
	_, form, ok := strings.Cut(page, `<form method="post" action="`+action+`"`)
	if !ok {
		t.Fatalf("the page has no form for %s:\n%s", action, page)
	}
	form, _, _ = strings.Cut(form, "</form>")
	v := url.Values{}
	for _, input := range strings.Split(form, `<input type="hidden" name="`)[1:] {
		name, rest, _ := strings.Cut(input, `" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		v.Add(html.UnescapeString(name), html.UnescapeString(value))
	}
	return v
}

// What somebody typed while the login ended is not lost: it goes through the login, and is done when they say so once more.
func TestAFormOutlivesTheLogin(t *testing.T) {
	r, c := formRig(t)
	const path = "/phones/0006D7AA2A2E"
	typed := url.Values{"label": {`Küche & "Bar" <b>`}, "mac": {"00:06:D7:AA:2A:2E"}, "model": {"7960"}, "etag": {r.etag()}, "lines[0].name": {"208"}}
	label := func() string { return r.box.site.snapshot()[mac(t, reception)].Label }
	before := label()
	w := r.form(path, nil, typed)
	wantCode(t, w, 401)
	wantText(t, w.Body.String(), "The login has ended. What you entered is kept")
	if h := w.Header().Get("WWW-Authenticate"); h != "" {
		t.Errorf("the browser is asked for the password of programs: %q", h)
	}
	login := hiddenFields(t, w.Body.String(), "/login")
	login.Set("password", "wrong")
	w = r.form("/login", nil, login)
	wantCode(t, w, 401)
	login = hiddenFields(t, w.Body.String(), "/login") // still there after a slip
	login.Set("password", password)
	w = r.form("/login", nil, login)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "What you entered was not done yet", "Send it now")
	if len(w.Result().Cookies()) == 0 || label() != before {
		t.Errorf("%d cookies, the phone is %q, want a session and nothing done yet", len(w.Result().Cookies()), label())
	}
	got := hiddenFields(t, w.Body.String(), path)
	if got.Encode() != typed.Encode() {
		t.Errorf("%v came back, want %v", got, typed)
	}
	wantCode(t, r.form(path, c, got), 303)
	if label() != typed.Get("label") {
		t.Errorf("the phone is %q, want %q", label(), typed.Get("label"))
	}
}

// What is no form of a page, or belongs to the login itself, leads to the login as ever.
func TestWhatIsNotKeptLeadsToTheLogin(t *testing.T) {
	r, _ := formRig(t)
	files, kind := multipartBody(t, map[string]string{"a.bin": "x"})
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	part := map[string]string{"Content-Type": form["Content-Type"], "HX-Request": "true"}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"a file":     r.do(call{method: "POST", path: "/firmware", body: files, header: map[string]string{"Content-Type": kind}}),
		"a part":     r.do(call{method: "POST", path: "/directory/preview", body: "a=b", header: part}),
		"the logout": r.do(call{method: "POST", path: "/logout", body: "a=b", header: form}),
		"a password": r.do(call{method: "POST", path: "/password", body: "current=x", header: form}),
		"too much":   r.do(call{method: "POST", path: "/phones/paste", body: "rows=" + strings.Repeat("x", 300<<10), header: form}),
	} {
		if w.Code != 303 || !strings.HasPrefix(w.Header().Get("Location"), "/login") {
			t.Errorf("%s: got %d to %q, want 303 to the login", name, w.Code, w.Header().Get("Location"))
		}
	}
	files, kind = multipartBody(t, map[string]string{"a.bin": "x"})
	upload := r.do(call{method: "POST", path: "/firmware", body: files, header: map[string]string{"Content-Type": kind, "Accept": "application/json"}})
	wantCode(t, upload, 401)
	wantText(t, upload.Body.String(), `"error":"The login has ended.`) // a script reads it, and the files stay chosen
	w := r.form("/login", nil, url.Values{"password": {password}, "kept-to": {"https://evil.example/"}, "kept-form": {"a=b"}})
	wantCode(t, w, 303)
}

// logEverybodyOut ends the logins, as somebody at another computer does.
func logEverybodyOut(t *testing.T, at string) {
	t.Helper()
	other := client(t)
	for _, ask := range []struct {
		path string
		form url.Values
	}{{"login", url.Values{"password": {password}}}, {"logout/all", nil}} {
		answer, err := other.PostForm(at+ask.path, ask.form)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
}

func TestAFormOutlivesTheLoginInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, _ *rig, b *browser, url string, script bool) {
		again := func(pictures bool) {
			b.has(`form[action="/login"] [name=kept-to]`)
			b.see("What you entered is kept")
			if pictures {
				b.shoot("login-kept")
			}
			b.do(chromedp.SendKeys(chromedp.CSS("[name=password]"), password))
			b.click(`form[action="/login"] button`)
			b.see("Logged in again")
			if pictures {
				b.shoot("logged-in-again")
			}
		}
		for _, leave := range []bool{true, false} {
			b.visit(url + "phones/0006D7AA2A2E/edit")
			b.fill("[name=label]", "Kitchen")
			logEverybodyOut(t, url)
			b.choose("Save")
			again(script && leave)
			if leave {
				b.click(`main a[role=button][href="/"]`)
				b.at("/")
				continue
			}
			b.choose("Send it now")
			b.see("The phone was changed.")
		}
	})
}
