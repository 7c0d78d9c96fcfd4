package web_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"phonebox/services/web"
)

// formRig is a page with a password, phones and somebody who is logged in.
func formRig(t *testing.T) (*rig, *http.Cookie) {
	t.Helper()
	r := apiRig(t)
	return r, r.login()
}

func TestAPhoneIsAddedChangedAndRemoved(t *testing.T) {
	r, c := formRig(t)
	const added = "00:0B:00:00:00:01"
	w := r.do(call{path: "/phones/new?mac=" + added, cookie: c})
	wantText(t, w.Body.String(), `value="`+added+`"`)
	_, etag := r.box.site.Fields()
	entry := url.Values{
		"etag": {etag}, "mac": {"000b.0000.0001"}, "label": {" Cellar "}, "model": {"7940"}, "own_files": {"true"},
		"lines[1].name": {"209"}, "lines[1].password": {" blanks stay "}, "parameters": {"# mine\r\nmessages_uri = 8500\r\ntimer_t1: \"500\"\r\n"},
	}
	w = r.form("/phones", c, entry)
	wantCode(t, w, 303)
	if got := w.Header().Get("Location"); !strings.HasPrefix(got, "/phones/000B00000001?say=") {
		t.Errorf("it leads to %q, want the new phone", got)
	}
	e, etag, ok := r.box.site.Phone(mac(t, added))
	if !ok || e.Label != "Cellar" || e.Model != "7940" || !e.OwnFiles || e.OpenConfig || len(e.Lines) != 2 || e.Lines[0] != (web.LineEntry{}) ||
		!maps.Equal(e.Parameters, map[string]string{"messages_uri": "8500", "timer_t1": "500"}) {
		t.Errorf("the site has %+v", e)
	}
	if got := r.box.site.snapshot()[mac(t, added)].Lines[1].Password; got != " blanks stay " {
		t.Errorf("the password is %q, want the blanks kept", got)
	}

	page := r.do(call{path: "/phones/000B00000001/edit", cookie: c}).Body.String()
	wantText(t, page, "messages_uri = 8500\ntimer_t1 = 500\n", `value="********"`)
	wantNoText(t, page, "blanks stay")
	entry.Set("etag", etag)
	entry.Set("lines[1].password", web.Mask)
	entry.Set("label", "Attic")
	wantCode(t, r.form("/phones/000B00000001", c, entry), 303)
	if got := r.box.site.snapshot()[mac(t, added)]; got.Label != "Attic" || got.Lines[1].Password != " blanks stay " {
		t.Errorf("the site has %+v, want the new label and the old password", got)
	}
	wantCode(t, r.form("/phones/000B00000001", c, entry), 412)

	page = r.do(call{path: "/phones/000B00000001/remove", cookie: c}).Body.String()
	wantText(t, page, "Remove Attic?")
	_, etag = r.box.site.Fields()
	wantCode(t, r.form("/phones/000B00000001/remove", c, url.Values{"etag": {"stale"}}), 412)
	wantCode(t, r.form("/phones/000B00000001/remove", c, url.Values{"etag": {etag}}), 303)
	if _, _, ok := r.box.site.Phone(mac(t, added)); ok {
		t.Error("the phone is still listed")
	}
	wantCode(t, r.do(call{path: "/phones/000B00000001/edit", cookie: c}), 404)
	wantCode(t, r.do(call{path: "/phones/nonsense/edit", cookie: c}), 400)
}

func TestAWrongPhoneComesBackWithAllThatWasEntered(t *testing.T) {
	r, c := formRig(t)
	_, etag := r.box.site.Fields()
	before := len(r.box.site.phones)
	w := r.form("/phones", c, url.Values{
		"etag": {etag}, "mac": {"nonsense"}, "label": {"Cellar"}, "lines[3].shortname": {"Fourth"}, "parameters": {"no equals sign"},
	})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "found &#34;nonsense&#34;", `value="Cellar"`, `value="Fourth"`, "no equals sign</textarea>", "line 1 without =")
	r.box.site.refuse = []web.Fault{
		{Key: "phones[4].lines[1].name", Found: `"208"`, Allowed: "a number that the phone does not have yet"},
		{Key: "phones[4].lines", Found: "3", Allowed: "2 on a 7940"},
		{Key: "phones[4].parameters.timer_t1", Found: `"x"`, Allowed: "a number"},
		{Key: "network", Found: "another fault", Allowed: "none"},
	}
	w = r.form("/phones", c, url.Values{"etag": {etag}, "mac": {"00:0B:00:00:00:01"}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "found &#34;208&#34;; allowed: a number that the phone does not have yet", "allowed: 2 on a 7940",
		"timer_t1: found &#34;x&#34;", `<p class="fault">network: found another fault`)
	if len(r.box.site.phones) != before {
		t.Error("a refused phone was saved")
	}
}

func TestTheSettingsFile(t *testing.T) {
	r, c := formRig(t)
	page := r.do(call{path: "/settings/file", cookie: c}).Body.String()
	wantText(t, page, "password = &#34;********&#34;")
	_, etag := r.box.site.TOML(false)
	w := r.form("/settings/file", c, url.Values{"etag": {etag}, "text": {"nothing\r\n"}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "Line 7", "dhcp.pool[1]", "\nnothing\n</textarea>")
	w = r.form("/settings/file", c, url.Values{"etag": {"stale"}, "text": {"name"}})
	wantCode(t, w, 412)
	w = r.form("/settings/file", c, url.Values{"etag": {etag}, "text": {"name = \"x\"\r\n"}})
	wantCode(t, w, 303)
	if r.box.site.text != "name = \"x\"\n" {
		t.Errorf("the file is %q", r.box.site.text)
	}
}

func TestFirmwareIsUploadedOnThePage(t *testing.T) {
	r, c := formRig(t)
	body, contentType := multipartBody(t, map[string]string{"P0S3-8-12-00.sb2": "image", "holiday.jpg": "no"})
	w := r.do(call{method: "POST", path: "/firmware", body: body, cookie: c, header: map[string]string{"Content-Type": contentType}})
	wantCode(t, w, 303)
	page := r.do(call{path: w.Header().Get("Location"), cookie: c}).Body.String()
	wantText(t, page, "The files are on the shelf.", "<code>holiday.jpg</code> this is no firmware", "P0S3-8-12-00", "not whole")
	body, contentType = multipartBody(t, nil)
	w = r.do(call{method: "POST", path: "/firmware", body: body, cookie: c, header: map[string]string{"Content-Type": contentType}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "There was no file in the form.")
}

func TestAHeldDHCPIsShownAndReleased(t *testing.T) {
	r, c := formRig(t)
	r.box.status.Services["dhcp"] = web.Service{State: "held", Detail: "another server answers"}
	r.box.status.Others = []web.OtherDHCP{{Address: "10.77.0.254", MAC: "52:54:00:12:34:56"}}
	page := r.do(call{path: "/", cookie: c}).Body.String()
	wantText(t, page, "Another DHCP server answers on this network", "10.77.0.254", "Hand out addresses anyway")
	w := r.form("/serve-anyway", c, nil)
	wantCode(t, w, 303)
	page = r.do(call{path: w.Header().Get("Location"), cookie: c}).Body.String()
	wantNoText(t, page, "Hand out addresses anyway", "Look again")
	wantText(t, page, "10.77.0.254", "The box was told to answer beside it", "Hold back again", "It was decided (")
	if r.box.anyway != 1 {
		t.Errorf("the box was told %d times, want once", r.box.anyway)
	}
	w = r.form("/hold-back", c, nil)
	wantCode(t, w, 303)
	page = r.do(call{path: w.Header().Get("Location"), cookie: c}).Body.String()
	wantText(t, page, "Hand out addresses anyway", "Look again")
	wantNoText(t, page, "Hold back again")
	wantCode(t, r.form("/look-again", c, nil), 303)
	if r.box.heldBack != 1 || r.box.looks != 1 {
		t.Errorf("the box was told to hold back %d times and to look %d times, want once each", r.box.heldBack, r.box.looks)
	}
}

// The decision is about the servers that the page showed: one that came meanwhile is another matter.
func TestServeAnywayNamesTheServersOfThePage(t *testing.T) {
	r, c := formRig(t)
	r.box.status.Services["dhcp"] = web.Service{State: "held"}
	r.box.status.Others = []web.OtherDHCP{
		{Address: "10.77.0.254", MAC: "52:54:00:12:34:56", Accepted: true},
		{
			Address: "10.77.0.9", MAC: "52:54:00:12:34:57", Offered: "10.77.3.4", First: r.clock.Now(), Seen: r.clock.Now(),
			Options: []web.DHCPOption{{Code: 53, Value: "ACK"}, {Code: 3, Name: "router", Value: "10.77.0.9"}, {Code: 252, Value: "0x41"}},
		},
		{Address: "10.77.0.8", Seen: r.clock.Now()},
	}
	page := r.do(call{path: "/", cookie: c}).Body.String()
	wantText(t, page, `name="server" value="10.77.0.9"`, "it offered 10.77.3.4", "It tells its clients: router 10.77.0.9, option 252 0x41.",
		"A device asked the DHCP server at 10.77.0.8 for its address.")
	wantNoText(t, page, `name="server" value="10.77.0.254"`, "ACK")
	wantCode(t, r.form("/serve-anyway", c, url.Values{"server": {"10.77.0.9", "10.77.0.8"}}), 303)
	if got := fmt.Sprint(r.box.beside); got != "[10.77.0.9 10.77.0.8]" {
		t.Errorf("the box was told of %s", got)
	}
	wantCode(t, r.form("/serve-anyway", c, url.Values{"server": {"10.77.0.9", "router"}}), 422)
	if r.box.anyway != 1 {
		t.Error("a wrong address was taken")
	}
}

func TestRestartOnThePage(t *testing.T) {
	r, c := formRig(t)
	w := r.form("/phones/0006D7AA2A2E/restart", c, nil)
	wantCode(t, w, 303)
	wantText(t, r.do(call{path: w.Header().Get("Location"), cookie: c}).Body.String(), "asked to restart")
	r.box.restart = errors.New("sending NOTIFY: no answer")
	w = r.form("/phones/0006D7AA2A2E/restart", c, nil)
	wantCode(t, w, 502)
	wantText(t, w.Body.String(), "listens only while its SIP application runs", `href="/settings"`)
}

func TestTheOperatingSystemsPageIsBehindTheLogin(t *testing.T) {
	r, c := formRig(t)
	wantCode(t, r.do(call{path: "/gokrazy/", cookie: c}), 404)
	files := fstest.MapFS{"assets/x.js": {Data: []byte(`new EventSource("/log?path=x")`)}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "" || strings.Contains(req.Header.Get("Cookie"), "phonebox") {
			t.Errorf("our credentials went on: %v", req.Header)
		}
		if _, err := req.Cookie("gokrazy_xsrf"); err != nil {
			t.Error("its own cookie was lost")
		}
		_, _ = io.WriteString(w, `<!doctype html><html><a href="/status?path=x"><a href="//other.example/"><form action="/restart"><script src="/assets/x.js">`)
	})
	mux.HandleFunc("POST /restart", func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/status", http.StatusSeeOther) })
	mux.Handle("GET /assets/", http.FileServerFS(files))
	r.box.gokrazy = mux
	w := r.do(call{path: "/gokrazy/", cookie: c, basic: true, header: map[string]string{"Cookie": "gokrazy_xsrf=1; " + c.String()}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `href="/gokrazy/status?path=x"`, `href="//other.example/"`, `action="/gokrazy/restart"`, `src="/gokrazy/assets/x.js"`)
	w = r.do(call{path: "/gokrazy/assets/x.js", cookie: c})
	wantText(t, w.Body.String(), `EventSource("/gokrazy/log?path=x")`)
	w = r.form("/gokrazy/restart", c, nil)
	if got := w.Header().Get("Location"); got != "/gokrazy/status" {
		t.Errorf("it leads to %q, want /gokrazy/status", got)
	}
}

func TestAStreamWithoutALoginSendsThePageToIt(t *testing.T) {
	r, _ := formRig(t)
	w := r.do(call{path: "/stream", header: map[string]string{"HX-Request": "true", "Accept": "text/html, text/event-stream"}})
	wantCode(t, w, 401)
	if got := w.Header().Get("HX-Redirect"); got != "/login" {
		t.Errorf("HX-Redirect is %q, want /login", got)
	}
}
