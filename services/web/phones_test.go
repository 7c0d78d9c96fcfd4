package web_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

func TestThePagesOfManyPhonesNeedALogin(t *testing.T) {
	r := apiRig(t)
	r.fleet.wait("230")
	_, etag := r.fleet.WaitingLines()
	for _, path := range []string{"/phones/many", "/phones/many/do", "/phones/many/export", "/phones/assign", "/phones/scan", "/phones/scan/undo", "/phones/lines", "/phones/lines/remove", "/phones/paste"} {
		w := r.form(path, nil, url.Values{"mac": {"00:0B:00:00:00:01"}, "code": {"000B00000001"}, "name": {"231"}, "line": {"230"}, "do": {"remove"}, "etag": {etag}, "rows": {"a\tb"}})
		wantLogin(t, path, w)
	}
	wantCode(t, r.do(call{path: "/api/v1/lines"}), 401)
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/phones/000B00000001/assign"}), 401)
	if _, now := r.fleet.WaitingLines(); now != etag || len(r.shop.list()) > 0 {
		t.Error("something changed without a login")
	}
}

func TestALineIsAssignedByAProgram(t *testing.T) {
	r := apiRig(t)
	r.fleet.wait("230/Attic/secret-230", "231/Cellar/secret-231", "232")
	w := r.do(call{path: "/api/v1/lines", basic: true})
	wantText(t, w.Body.String(), `[{"line":"230","label":"Attic","displayname":""},{"line":"231"`)
	wantNoText(t, w.Body.String(), "secret", web.Mask)
	post := func(mac, body string) *httptest.ResponseRecorder {
		t.Helper()
		return r.do(call{method: "POST", path: "/api/v1/phones/" + mac + "/assign", basic: true, body: body, header: map[string]string{"Content-Type": "application/json"}})
	}
	w = post("000B00000001", "")
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `"line":"230"`)
	wantCode(t, post("000B00000001", ""), 409)
	wantCode(t, post("000B00000002", `{"line":"230"}`), 409)
	wantCode(t, post("000B00000002", `{"lines":"232"}`), 400)
	wantCode(t, post("000B00000002", `{"line":"232"}`), 200)
	wantCode(t, post("000B00000003", ""), 200)
	w = post("000B00000004", "")
	wantCode(t, w, 409)
	wantText(t, w.Body.String(), "No line waits for a phone. Nothing was changed.")
	got := r.box.site.snapshot()
	if got[mac(t, "000B00000001")].Lines[0].Password != "secret-230" || got[mac(t, "000B00000002")].Lines[0].Name != "232" || got[mac(t, "000B00000003")].Label != "Cellar" {
		t.Errorf("listed are %+v", got)
	}
	if n := len(r.reported(web.EventChanged)); n != 3 {
		t.Errorf("%d changes were reported, want 3", n)
	}
}

// What a page showed is what is done: a line that went meanwhile is not replaced by another, and settings that changed are not
// overwritten.
func TestAChangeOfManyIsWhatThePageShowed(t *testing.T) {
	r, c := formRig(t)
	r.fleet.wait("230/Attic/x", "231")
	w := r.form("/phones/assign", c, url.Values{"mac": {"000B00000001"}, "line": {"299"}})
	wantCode(t, w, 409)
	wantText(t, w.Body.String(), "The line 299 no longer waits")
	wantCode(t, r.form("/phones/assign", c, url.Values{"mac": {"x"}}), 422)
	wantCode(t, r.form("/phones/assign", c, nil), 422)
	wantCode(t, r.form("/phones/many", c, url.Values{"do": {"explode"}, "mac": {reception}}), 422)
	wantCode(t, r.form("/phones/many", c, url.Values{"do": {"remove"}, "mac": {"x"}}), 422)
	v := url.Values{"do": {"remove"}, "mac": {reception}, "etag": {"old"}}
	w = r.form("/phones/many/do", c, v)
	wantCode(t, w, 412)
	wantText(t, w.Body.String(), "somebody else changed the settings meanwhile")
	r.box.site.refuse = []web.Fault{{Key: "phones[" + reception + "].load", Found: `"x"`, Allowed: "a load"}, {Key: "network", Found: "a", Allowed: "b"}}
	_, etag := r.fleet.WaitingLines()
	v.Set("etag", etag)
	w = r.form("/phones/many/do", c, v)
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "Nothing was changed", reception+" (Reception) load: found &#34;x&#34;; allowed: a load", "network: found a")
	v = url.Values{"do": {"name"}, "mac": {reception}, "etag": {etag}, "pattern": {"x"}, "from": {"-1"}}
	wantText(t, r.form("/phones/many/do", c, v).Body.String(), "allowed are 0 to 99999")
	if _, now := r.fleet.WaitingLines(); now != etag {
		t.Error("a refusal changed something")
	}
	// All that are shown are those of the filter.
	w = r.form("/phones/many", c, url.Values{"do": {"remove"}, "all": {"1"}, "q": {"recep"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Chosen: 1", `name="mac" value="`+reception+`"`, `name="q" value="recep"`)
	if w = r.form("/phones/many", c, url.Values{"do": {"remove"}, "q": {"recep"}}); w.Code != 303 || !strings.HasPrefix(w.Header().Get("Location"), "/phones?q=recep&say=") {
		t.Errorf("without a phone it leads to %q", w.Header().Get("Location"))
	}
	// Several that showed up get lines in the order of the table.
	for i := range 3 {
		r.box.phones = append(r.box.phones, web.Phone{MAC: phone.MAC{0, 0x0b, 0, 0, 0, byte(i)}, Step: phone.Seen})
	}
	w = r.form("/phones/many", c, url.Values{"do": {"lines"}, "all": {"1"}, "step": {"unlisted"}})
	wantText(t, w.Body.String(), "230 · Attic", "No line waits for it.")
	macs := []string{"000B00000000", "000B00000001", "000B00000002"}
	w = r.form("/phones/many/do", c, url.Values{"do": {"lines"}, "mac": macs, "etag": {etag}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "2 phones were put on the list with a line each.")
	if got := r.box.site.snapshot(); got[mac(t, macs[0])].Lines[0].Name != "230" || got[mac(t, macs[1])].Lines[0].Name != "231" {
		t.Errorf("listed are %+v", got)
	}
	for path, want := range map[string]string{"/phones/many": "/phones", "/phones/many/do": "/phones", "/phones/assign": "/phones", "/phones/scan/undo": "/phones/scan", "/phones/lines/remove": "/phones/lines"} {
		if w := r.do(call{path: path, cookie: c}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("%s was answered with %d to %q, want %s", path, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestTheChosenPhonesAreExported(t *testing.T) {
	r, c := formRig(t)
	v := url.Values{"mac": {reception}, "format": {"csv"}}
	w := r.form("/phones/many/export", c, v)
	wantText(t, w.Body.String(), "[00:06:D7:AA:2A:2E] secrets=false")
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename=phones.csv` || len(r.reported(web.EventSecrets)) != 0 {
		t.Errorf("it is sent as %q", got)
	}
	v.Set("secrets", "1")
	v.Set("format", "xlsx")
	wantText(t, r.form("/phones/many/export", c, v).Body.String(), "secrets=true")
	if n := len(r.reported(web.EventSecrets)); n != 1 {
		t.Errorf("%d readings of secrets were reported, want 1", n)
	}
	v.Set("format", "pdf")
	wantCode(t, r.form("/phones/many/export", c, v), 422)
}

func TestTheLastTenScansCanBeUndone(t *testing.T) {
	r, c := formRig(t)
	for i := range 12 {
		r.fleet.wait(fmt.Sprintf("3%02d//p%d", i, i))
	}
	for i := range 12 {
		wantCode(t, r.form("/phones/scan", c, url.Values{"code": {fmt.Sprintf("000B000000%02X", i)}}), 303)
	}
	page := r.do(call{path: "/phones/scan", cookie: c}).Body.String()
	if n := strings.Count(page, `action="/phones/scan/undo"`); n != 10 || strings.Contains(page, "00:0B:00:00:00:01<") {
		t.Errorf("%d scans can be undone, want the last 10", n)
	}
	wantCode(t, r.form("/phones/scan/undo", c, url.Values{"id": {"1"}}), 410)
	wantCode(t, r.form("/phones/scan/undo", c, url.Values{"id": {"x"}}), 410)
	wantCode(t, r.form("/phones/scan/undo", c, url.Values{"id": {"5"}}), 303)
	wantCode(t, r.form("/phones/scan/undo", c, url.Values{"id": {"5"}}), 410)
	if got := r.fleet.waits(); got != "304//p4" {
		t.Errorf("there wait %q, want the line with its password", got)
	}
	// A phone that somebody removed meanwhile cannot be undone.
	delete(r.box.site.phones, mac(t, "000B0000000B"))
	wantCode(t, r.form("/phones/scan/undo", c, url.Values{"id": {"12"}}), 409)
	// What the settings refuse stays in the field.
	delete(r.box.site.phones, mac(t, "000B00000004"))
	r.box.site.waiting = nil
	w := r.form("/phones/scan", c, url.Values{"code": {`a "quoted" name`}, "mac": {"000B00000004"}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "What is the name of the phone 00:0B:00:00:00:04?", `value="a &#34;quoted&#34; name"`, "allowed: a text of up to 64")
}

func TestRestartingManyShowsEachPhone(t *testing.T) {
	r, c := formRig(t)
	w := r.do(call{path: "/phones/restarts", cookie: c})
	wantText(t, w.Body.String(), "No phone was asked to restart")
	r.box.phones[0].Protocol = phone.SIP
	w = r.form("/phones/many/do", c, url.Values{"do": {"restart"}, "mac": {reception}})
	if got := w.Header().Get("Location"); w.Code != 303 || !strings.HasPrefix(got, "/phones/restarts?say=") {
		t.Fatalf("got %d to %q: %s", w.Code, got, w.Body)
	}
	r.shop.restarts = web.RestartProgress{Running: true, Total: 1}
	wantText(t, r.do(call{path: "/phones/restarts", cookie: c}).Body.String(), "Asked to restart: 0 of 1.", "Reception", "under way")
	r.shop.restarts = web.RestartProgress{Total: 1, Done: 1}
	wantText(t, r.do(call{path: "/phones/restarts", cookie: c}).Body.String(), "The phone was asked to restart.", "took it")
	r.shop.restarts.Failed = []web.RestartFail{{MAC: mac(t, reception), Why: "it did not answer"}}
	wantText(t, r.do(call{path: "/phones/restarts", cookie: c}).Body.String(), "not restarted", "it did not answer")
}

// The box may have no fleet; the pages then say so and break nothing.
func TestABoxThatChangesOnePhoneAtATime(t *testing.T) {
	r := newRig(t, nil)
	server, err := newServer(r.cfg, web.Deps{
		Box: r.box, Shop: r.shop, Files: fakeFiles{}, Secrets: r.secrets, Now: r.clock.Now, Uptime: r.clock.Uptime,
		Log: slog.New(slog.DiscardHandler), Report: func(web.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	r.setUp()
	c := r.login()
	for _, path := range []string{"/phones", "/phones/new", "/phones/scan", "/phones/lines", "/phones/paste"} {
		wantCode(t, r.do(call{path: path, cookie: c}), 200)
	}
	w := r.form("/phones/lines", c, url.Values{"name": {"1"}})
	wantCode(t, w, 501)
	wantText(t, w.Body.String(), "This box changes one phone at a time.")
	wantCode(t, r.form("/phones/paste", c, url.Values{"rows": {"a\tb"}}), 501)
	wantCode(t, r.form("/phones/many/export", c, url.Values{"mac": {reception}}), 501)
}

// house fills the box with so many phones.
func house(r *rig, n int) {
	steps := []phone.Step{phone.Ready, phone.Ready, phone.Loading, phone.Ready, phone.Stuck, phone.Addressed, ""}
	for i := range n {
		m := phone.MAC{0x00, 0x11, 0x22, 0, byte(i >> 8), byte(i)}
		r.box.site.phones[m] = web.PhoneEntry{MAC: m.String(), Model: "7960", Label: fmt.Sprintf("Desk %04d", i), Lines: []web.LineEntry{{Name: fmt.Sprint(1000 + i)}}}
		r.box.phones = append(r.box.phones, web.Phone{
			MAC: m, Model: "7960", Address: fmt.Sprintf("10.77.%d.%d", 1+i/250, i%250+1), Load: "P0S3-8-12-00", Protocol: phone.SIP, Step: steps[i%len(steps)],
			Updated: r.clock.Now(), WaitingFor: "its ring list",
		})
	}
}

func TestTwoThousandPhonesAreShown(t *testing.T) {
	r, c := formRig(t)
	house(r, 2000)
	w := r.do(call{path: "/phones", cookie: c})
	wantCode(t, w, 200)
	if n := strings.Count(w.Body.String(), `name="mac"`); n < 2000 {
		t.Errorf("%d rows", n)
	}
	macs := make([]string, 2000)
	for i := range macs {
		macs[i] = phone.MAC{0x00, 0x11, 0x22, 0, byte(i >> 8), byte(i)}.String()
	}
	w = r.form("/phones/many", c, url.Values{"do": {"name"}, "mac": macs})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Chosen: 2000")
	_, etag := r.fleet.WaitingLines()
	w = r.form("/phones/many/do", c, url.Values{"do": {"name"}, "mac": macs[:100], "pattern": {"P####"}, "from": {"1"}, "etag": {etag}})
	wantText(t, w.Body.String(), "The names of 100 phones were set.")
	var phones []web.Phone
	if err := json.Unmarshal(r.do(call{path: "/api/v1/phones", basic: true}).Body.Bytes(), &phones); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(phones, func(p web.Phone) bool { return p.Label == "P0100" && p.Lines == "1099" }) {
		t.Error("the last one has no name by the pattern")
	}
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkThePageOfPhones(b *testing.B) {
	for _, n := range []int{500, 2000} {
		for name, path := range map[string]string{"all": "/phones", "search": "/phones?q=desk+3&step=ready&sort=address"} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				r := newRig(b, nil)
				house(r, n)
				r.setUp()
				c := r.login()
				size, before := 0, cpuTime()
				for b.Loop() {
					w := r.do(call{path: path, cookie: c})
					if size = w.Body.Len(); w.Code != http.StatusOK {
						b.Fatal(w.Code)
					}
				}
				b.ReportMetric(float64(size), "bytes")
				b.ReportMetric(float64((cpuTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op") // other work on the machine does not count
			})
		}
	}
}

// A table that is sorted by what phones do is in another order by the time of the yes: each phone gets the line and the number that
// stood beside it when the page asked.
func TestAChangeOfManyKeepsTheOrderThatItShowed(t *testing.T) {
	r, c := formRig(t)
	r.fleet.wait("230/Attic/x", "231/Cellar/y")
	at := r.clock.Now()
	first, second := phone.MAC{0, 0x0b, 0, 0, 0, 1}, phone.MAC{0, 0x0b, 0, 0, 0, 2}
	r.box.phones = append(r.box.phones, web.Phone{MAC: first, Step: phone.Seen, Updated: at.Add(time.Minute)}, web.Phone{MAC: second, Step: phone.Seen, Updated: at})
	sorted := url.Values{"do": {"lines"}, "sort": {"seen"}, "mac": {first.String(), second.String()}}
	page := r.form("/phones/many", c, sorted).Body.String()
	if i, j := strings.Index(page, `value="`+first.String()), strings.Index(page, `value="`+second.String()); i < 0 || i > j {
		t.Fatalf("the page shows the phones at %d and %d, want the one that was seen last first", i, j)
	}
	for i := range r.box.phones { // the other one asks for something
		if r.box.phones[i].MAC == second {
			r.box.phones[i].Updated = at.Add(time.Hour)
		}
	}
	_, etag := r.fleet.WaitingLines()
	sorted.Set("etag", etag)
	wantCode(t, r.form("/phones/many/do", c, sorted), 200)
	got := r.box.site.snapshot()
	if got[first].Lines[0].Name != "230" || got[second].Lines[0].Name != "231" {
		t.Errorf("the first phone got the line %q, the second %q", got[first].Lines[0].Name, got[second].Lines[0].Name)
	}
}
