package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/web"
)

func macOf(t *testing.T, s string) phone.MAC {
	t.Helper()
	m, err := phone.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// workshopRig is a page with a phone under conversion.
func workshopRig(t *testing.T) (*rig, *http.Cookie) {
	t.Helper()
	r, c := formRig(t)
	r.shop.converts = []web.Conversion{
		{MAC: macOf(t, reception), Label: "Reception", Runs: "SIP 4.4", Sure: "its User-Agent says so", Target: "P0S3-8-12-00", Phase: "going", Text: "It fetches P0S3-05-3-00.bin.", Attempts: 1, Steps: []web.ConversionStep{{From: "P0S3-04-4-00", To: "P0S3-05-3-00", Files: []string{"P0S3-05-3-00.bin"}, Source: "c.4"}}},
		{MAC: macOf(t, "00:06:D7:00:00:09"), Runs: "P0S3-8-12-00", Phase: "arrived", Unplug: true},
		{MAC: macOf(t, "00:06:D7:00:00:0A"), Runs: "P0S3-05-3-00", Phase: "failed", Unplug: true, Text: "Three tries failed: the image is damaged."},
	}
	return r, c
}

func (f *fakeShop) must(t *testing.T, want ...string) {
	t.Helper()
	if got := f.list(); !slices.Equal(got, want) {
		t.Errorf("the box was asked for %q, want %q", got, want)
	}
}

// Each function of the workshop has a page, which needs a login and says what it should.
func TestWorkshopPages(t *testing.T) {
	r, c := workshopRig(t)
	r.shop.waiting = []web.ImportReport{{ID: "s1", Name: "the USB stick", Summary: "3 phones added", Dry: true}}
	r.shop.contacts = []web.Contact{{Name: "A = B", Number: "112"}}
	for path, want := range map[string][]string{
		"/conversions":                        {"1 phone arrived, 1 phone on its way, 1 phone failed", "don't unplug", "It fetches P0S3-05-3-00.bin.", "Go on", "Three tries failed"},
		"/phones/0006D7AA2A2E":                {"Don't cut this phone's power", "SIP 4.4", "its configuration", "31 seconds", "Protocol Application Invalid", "its User-Agent says CSCO/4", "add the phone to the site"},
		"/phones/0006D7AA2A2E/parameters":     {"preferred_codec", "the model 7960", "hides the site: g711ulaw", web.Mask},
		"/":                                   {"waits for your yes", "/phones", "/conversions", "/settings", "/system"},
		"/help":                               {"Protocol Application Invalid", "Put the load on the shelf."},
		"/import":                             {"the USB stick", "3 phones added", "Do it"},
		"/dialplan?number=112":                {"Rule 1 (*) wins: 112 is sent after 5 s.", "rules[0].match"},
		"/directory":                          {`value="A = B"`, `value="112"`},
		"/media":                              {"Old Style", "1.02 s", "Draw the office"},
		"/firmware":                           {"P0S3-8-12-00.sb2", "ab12", "756524"},
		"/time":                               {"28 March 2027, 02:00"},
		"/conversions?from=x&to=P0S3-8-12-00": {"P0S3-05-3-00.bin", "missing: P0S3-8-12-00.sb2"},
	} {
		wantCode(t, r.do(call{path: path}), 303)
		w := r.do(call{path: path, cookie: c})
		wantCode(t, w, 200)
		wantText(t, w.Body.String(), want...)
	}
	wantCode(t, r.do(call{path: "/conversions?to=P1", cookie: c}), 422)
	if w := r.do(call{path: "/media/logo.png", cookie: c}); w.Header().Get("Content-Type") != "image/png" || w.Body.Len() == 0 {
		t.Errorf("the logo is %q with %d bytes", w.Header().Get("Content-Type"), w.Body.Len())
	}
}

func TestConversionOrders(t *testing.T) {
	r, c := workshopRig(t)
	wantCode(t, r.form("/phones/0006D7AA2A2E/conversion", c, url.Values{"order": {"stop"}, "sure": {"1"}}), 303)
	wantCode(t, r.form("/phones/0006D7AA2A2E/conversion", c, url.Values{"order": {"explode"}}), 422)
	w := r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/conversion", basic: true, body: `{"order":"go"}`, header: map[string]string{"Content-Type": "application/json"}})
	wantCode(t, w, 204)
	wantCode(t, r.form("/restart", c, url.Values{"mac": {reception}}), 303)
	wantCode(t, r.form("/restart", c, url.Values{"mac": {"x"}}), 422)
	r.shop.must(t, "order "+reception+" stop", "order "+reception+" go", "restart 1")
}

func TestWorkshopAPI(t *testing.T) {
	r, _ := workshopRig(t)
	get := func(path string, into any) {
		t.Helper()
		w := r.do(call{path: path, basic: true})
		wantCode(t, w, 200)
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	var all []web.Conversion
	get("/api/v1/conversions", &all)
	var one web.Conversion
	get("/api/v1/phones/0006D7AA2A2E/conversion", &one)
	if len(all) != 3 || one.Phase != "going" || one.Unplug {
		t.Errorf("got %d conversions, and %+v", len(all), one)
	}
	var plan web.Conversion
	get("/api/v1/plan?from=P0S3-04-4-00&to=P0S3-8-12-00", &plan)
	var parameters []web.Parameter
	get("/api/v1/phones/0006D7AA2A2E/parameters", &parameters)
	var explanation web.Explanation
	get("/api/v1/phones/0006D7AA2A2E/explain", &explanation)
	if len(plan.Steps) != 2 || len(parameters) != 3 || len(explanation.Files) != 2 {
		t.Errorf("got %d steps, %d parameters, %d files", len(plan.Steps), len(parameters), len(explanation.Files))
	}
	wantCode(t, r.do(call{path: "/api/v1/plan?to=P1", basic: true}), 422)
	wantCode(t, r.do(call{path: "/api/v1/phones/0006D7000099/conversion", basic: true}), 404)
	w := r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/check?line=1", basic: true})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "wrong_password")
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/check?line=7", basic: true}), 422)
	w = r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/ask", basic: true})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Line 1 is registered at 10.77.0.10:5060.", "line2_name")
	r.shop.telnetOff = true
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/ask", basic: true}), 409)
}

func TestPhonesAreRestartedOverTheAPI(t *testing.T) {
	r, _ := workshopRig(t)
	post := func(body string) int {
		return r.do(call{method: "POST", path: "/api/v1/restart", basic: true, body: body}).Code
	}
	if all, one, wrong := post(`{}`), post(`{"macs":["`+reception+`"]}`), post(`{"macs":["x"]}`); all != 202 || one != 202 || wrong < 400 {
		t.Errorf("got %d for all, %d for one, %d for none", all, one, wrong)
	}
	r.shop.must(t, "restart 0", "restart 1")
}

func TestChecksOfAPhone(t *testing.T) {
	r, c := workshopRig(t)
	w := r.form("/phones/0006D7AA2A2E/check", c, url.Values{"what": {"lines"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "does not take this password")
	w = r.form("/phones/0006D7AA2A2E/check", c, url.Values{"what": {"phone"}})
	wantText(t, w.Body.String(), "Line 1 is registered", "line2_name", "SIP Phone&gt; show register")
	r.shop.telnetOff = true
	w = r.form("/phones/0006D7AA2A2E/check", c, url.Values{"what": {"phone"}})
	wantCode(t, w, 409)
	wantText(t, w.Body.String(), "set telnet_level")
}

// An upload is shown before it is done, and done at a yes.
func TestImportIsShownAndThenDone(t *testing.T) {
	r, c := workshopRig(t)
	post := func(path, name string) string {
		t.Helper()
		body, kind := multipartBody(t, map[string]string{name: "content"})
		w := r.do(call{method: "POST", path: path, body: body, cookie: c, header: map[string]string{"Content-Type": kind}})
		wantCode(t, w, 200)
		return w.Body.String()
	}
	wantText(t, post("/import", "phones.csv"), "Not done yet:</strong> 1 phone added of 7 bytes", "nat_enable was probably meant", "Do it")
	w := r.form("/import/decide", c, url.Values{"id": {"i1"}, "yes": {"1"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Done:</strong> 1 phone added")
	wantCode(t, r.form("/import/decide", c, url.Values{"id": {"i1"}, "yes": {"0"}}), 303)
	wantText(t, post("/api/v1/import?dry_run=1", "root.zip"), `"dry":true`)
	wantText(t, post("/api/v1/import", "root.zip"), `"dry":false`)
	w = r.do(call{method: "POST", path: "/api/v1/import?name=phones.csv", body: "mac", basic: true, header: map[string]string{"Content-Type": "text/csv"}})
	wantCode(t, w, 200)
	body, kind := multipartBody(t, map[string]string{"broken.zip": "x"})
	w = r.do(call{method: "POST", path: "/import", body: body, cookie: c, header: map[string]string{"Content-Type": kind}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "This is no archive.")
	r.shop.must(t, "import phones.csv dry=true", "decide i1 true", "decide i1 false", "import root.zip dry=true", "import root.zip dry=false", "import phones.csv dry=false")
}

// Whoever closes the tab after the yes gets the whole import, not its files without its phones.
func TestAnImportIsDoneWholeThoughNobodyWaitsForIt(t *testing.T) {
	r, c := workshopRig(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
	r.do(call{method: "POST", path: "/import/decide", body: "id=i1&yes=1", cookie: c, header: form, gone: true})
	r.do(call{method: "POST", path: "/api/v1/import?name=phones.csv", body: "mac", cookie: c, header: form, gone: true})
	r.shop.must(t, "decide i1 true", "import phones.csv dry=false")
}

// The answer to a form can be loaded again: htmx leaves its address in the browser.
func TestTheAnswerToAFormIsLoadedAgain(t *testing.T) {
	r, c := workshopRig(t)
	for path, want := range map[string]string{
		"/import/decide": "/import", "/media/rings": "/media", "/media/logo": "/media", "/phones/0006D7AA2A2E/check": "/phones/0006D7AA2A2E",
	} {
		if w := r.do(call{path: path, cookie: c}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("%s was answered with %d to %q, want %s", path, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestExport(t *testing.T) {
	r, c := workshopRig(t)
	w := r.do(call{path: "/export?format=csv", cookie: c})
	wantText(t, w.Body.String(), "secrets=false")
	if n := len(r.reported(web.EventSecrets)); n != 0 {
		t.Errorf("%d readings of secrets were reported, want 0", n)
	}
	w = r.do(call{path: "/api/v1/export?format=csv&secrets=1", basic: true})
	wantText(t, w.Body.String(), "secrets=true")
	if n := len(r.reported(web.EventSecrets)); n != 1 {
		t.Errorf("%d readings of secrets were reported, want 1", n)
	}
	wantCode(t, r.do(call{path: "/export?format=pdf", cookie: c}), 422)
}

func TestDialPlanEditor(t *testing.T) {
	r, c := workshopRig(t)
	v := url.Values{"etag": {"plan1"}, "country": {"BE"}, "rules[0].match": {"0."}, "rules[0].timeout": {"0"}, "rules[4].match": {"*"}, "number": {"0123"}, "do": {"test"}}
	w := r.form("/dialplan", c, v)
	wantText(t, w.Body.String(), "Rule 1 (0.) wins: 01 is sent at once.", "23 is dialled in vain", `value="0."`)
	v.Set("do", "ready")
	wantText(t, r.form("/dialplan", c, v).Body.String(), `value="112"`, `value="emergency"`)
	v.Set("do", "save")
	wantCode(t, r.form("/dialplan", c, v), 303)
	v.Set("etag", "old")
	wantCode(t, r.form("/dialplan", c, v), 412)
	v.Set("etag", "plan1")
	r.shop.refuse = &web.Refused{Faults: []web.Fault{{Key: "dial_plan.rules[0].match", Found: `"x"`, Allowed: "digits"}}}
	w = r.form("/dialplan", c, v)
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), `id="rule-said-0" aria-live="polite"><small class="fault">found &#34;x&#34;; allowed: digits`, `value="0."`)
	r.shop.must(t, "dial plan BE 2")
}

// A file of another system is read into the editor; nothing is saved by that, whichever button is pressed.
func TestADialPlanIsTakenOver(t *testing.T) {
	r, c := workshopRig(t)
	for _, do := range []string{"read", "save"} {
		v := url.Values{"etag": {"plan1"}, "rules[0].match": {"0."}, "text": {"<DIALTEMPLATE>"}, "do": {do}}
		w := r.form("/dialplan", c, v)
		wantCode(t, w, 200)
		wantText(t, w.Body.String(), `value="9,*"`, "Line 2 of the file: it is odd.", "Nothing is saved yet", `value="plan1"`)
		v.Set("text", "hello <b>")
		w = r.form("/dialplan", c, v)
		wantCode(t, w, 422)
		wantText(t, w.Body.String(), "This is no dial plan.", "hello &lt;b&gt;", `value="0."`)
	}
	r.shop.must(t)
}

func TestContactsAreSavedAsEntered(t *testing.T) {
	r, c := workshopRig(t)
	v := url.Values{
		"etag": {"c1"}, "contacts[0].name": {"Fire brigade"}, "contacts[0].number": {"112"}, "contacts[1].name": {" "}, "contacts[1].number": {""},
		"contacts[2].name": {"A=B"}, "contacts[2].number": {"0 12"},
	}
	wantCode(t, r.form("/directory", c, v), 303)
	if got := r.shop.contacts; len(got) != 2 || got[1] != (web.Contact{Name: "A=B", Number: "0 12"}) {
		t.Errorf("the contacts are %q", got)
	}
	r.shop.refuse = &web.Refused{Faults: []web.Fault{{Key: "contacts[1].number", Found: `"0 12;"`, Allowed: "a number"}, {Key: "contacts", Found: "2 entries", Allowed: "fewer"}}}
	w := r.form("/directory", c, v)
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), `id="contact-said-1" aria-live="polite"><small class="fault">number: found &#34;0 12;&#34;`, "contacts: found 2 entries", `value="A=B"`, `value="Fire brigade"`)
	v.Set("etag", "old")
	w = r.form("/directory", c, v)
	wantCode(t, w, 412)
	wantText(t, w.Body.String(), `name="etag" value="c1"`, `value="A=B"`)
}

func TestRingsAndLogo(t *testing.T) {
	r, c := workshopRig(t)
	post := func(path, content string) (int, string) {
		body, kind := multipartBody(t, map[string]string{"bell.wav": content})
		w := r.do(call{method: "POST", path: path, body: body, cookie: c, header: map[string]string{"Content-Type": kind}})
		return w.Code, w.Body.String()
	}
	if code, _ := post("/media/rings", "RIFF"); code != 303 {
		t.Errorf("a ring was answered with %d", code)
	}
	code, body := post("/media/rings", "no sound")
	if code != 422 || !strings.Contains(body, "This is no WAV file.") {
		t.Errorf("a wrong ring was answered with %d", code)
	}
	if code, _ = post("/media/logo", "picture"); code != 303 {
		t.Errorf("a logo was answered with %d", code)
	}
	wantCode(t, r.form("/media/remove-logo", c, nil), 303)
	wantCode(t, r.form("/media/remove-ring", c, url.Values{"file": {"bell.raw"}}), 303)
	wantCode(t, r.form("/firmware/remove", c, url.Values{"name": {"P0S3-8-12-00.sb2"}, "sure": {"1"}}), 303)
	r.shop.must(t, "ring bell.wav", "logo true", "logo false", "remove ring bell.raw", "remove P0S3-8-12-00.sb2")
}

// The form of a phone carries what the issue of the phones added.
func TestPhoneFormKeepsLoadAndForcedNames(t *testing.T) {
	r, c := formRig(t)
	_, etag := r.box.site.Fields()
	v := url.Values{
		"etag": {etag}, "mac": {"00:06:D7:AA:2A:31"}, "load": {"stay"}, "runs": {"P0S3-04-4-00"}, "forced": {"odd_name = 1"},
		"lines[0].name": {"210"}, "lines[0].proxy": {"sip.example.org"}, "lines[0].port": {"5070"},
	}
	wantCode(t, r.form("/phones", c, v), 303)
	got := r.box.site.snapshot()[macOf(t, "00:06:D7:AA:2A:31")]
	if got.Load != "stay" || got.Runs != "P0S3-04-4-00" || got.Forced["odd_name"] != "1" || got.Lines[0].Proxy != "sip.example.org" || got.Lines[0].Port != "5070" {
		t.Errorf("saved is %+v", got)
	}
	w := r.do(call{path: "/phones/0006D7AA2A31/edit", cookie: c})
	wantText(t, w.Body.String(), `value="stay"`, `value="P0S3-04-4-00"`, "odd_name = 1", `value="5070"`)
}
