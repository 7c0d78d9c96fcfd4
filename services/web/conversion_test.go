package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// palletRig is a page with a pallet of phones under conversion.
func palletRig(t *testing.T, n int) (*rig, *http.Cookie) {
	t.Helper()
	r := newRig(t, nil)
	r.setUp()
	r.pallet(n)
	return r, r.login()
}

func palletMAC(i int) phone.MAC { return phone.MAC{0, 6, 0xD7, 1, byte(i >> 8), byte(i)} }

// What needs a person stands first, then what must not be unplugged; the page says how far all and each are.
func TestTheListOfConversions(t *testing.T) {
	r, c := palletRig(t, 20)
	body := r.do(call{path: "/conversions", cookie: c}).Body.String()
	wantText(t, body, "8 of 20 have arrived.", "<title>8/20 – Conversion", "Needs you: 6", "restart it by hand", "Step 2 of 3: 42 % of P0S3-06-3-00.sbn is sent.",
		"About 3 minutes are left.", "Don't unplug these phones", `>Desk 001</span>, <span translate="no">Desk 011<`, "Back to P0S3-04-4-00", "Stop after this step", "3 steps are left.")
	at := func(i int) int { return strings.Index(body, `<tr id="c-`+palletMAC(i).Name()+`"`) }
	for _, order := range [][2]int{{0, 3}, {3, 5}, {5, 1}, {1, 2}, {2, 4}, {4, 6}} {
		if at(order[0]) < 0 || at(order[0]) > at(order[1]) {
			t.Errorf("phone %d stands at %d, phone %d at %d", order[0], at(order[0]), order[1], at(order[1]))
		}
	}
	for find, rows := range map[string]int{"?find=0001": 0, "?find=0101": 0, "?find=:00:01": 1, "?find=0000": 1, "?find=desk+01": 10, "?find=0006D701000B": 1, "?show=needs": 6, "?show=going": 2, "?show=off": 2, "?show=done": 8, "?find=nobody": 0, "?show=nonsense": 20} {
		body := r.do(call{path: "/conversions" + find, cookie: c}).Body.String()
		want := rows
		if find == "?find=0001" {
			want = 1 // the last four digits
		}
		if got := strings.Count(body, `<tr id="c-0`); got != want {
			t.Errorf("%s shows %d phones, want %d", find, got, want)
		}
	}
	r, c = palletRig(t, 250)
	body = r.do(call{path: "/conversions?page=3", cookie: c}).Body.String()
	if got := strings.Count(body, `<tr id="c-0`); got != 50 {
		t.Errorf("the third page of 250 phones has %d, want 50", got)
	}
	wantText(t, body, "50 of 250 phones are shown.", "/conversions?page=2")
	wantCode(t, r.do(call{path: "/conversions?page=99999999999999999999", cookie: c}), 200)
}

// Orders for all and for those that are ticked reach the phones for which they make sense; stopping asks first where a phone
// is in the middle.
func TestOrdersToManyPhones(t *testing.T) {
	r, c := palletRig(t, 10)
	ticked := func(order string, more url.Values, phones ...int) *httptest.ResponseRecorder {
		v := url.Values{"order": {order}, "back": {"/conversions?show=needs"}}
		for k, values := range more {
			v[k] = values
		}
		for _, i := range phones {
			v.Add("mac", palletMAC(i).String())
		}
		return r.form("/conversions/orders", c, v)
	}
	wantCode(t, ticked("go", nil), 422)
	wantCode(t, ticked("explode", nil, 1), 422)
	w := ticked("go", nil, 0, 6)
	wantCode(t, w, 303)
	if at := w.Header().Get("Location"); !strings.HasPrefix(at, "/conversions?show=needs&say=") {
		t.Errorf("it leads to %q", at)
	}
	wantText(t, r.do(call{path: w.Header().Get("Location"), cookie: c}).Body.String(), "That is done. Its conversion goes on. Passed over")
	w = ticked("stop", nil, 1, 2)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Stop at once?", "2 phones are stopped", "Desk 001", "Go on as before", `value="00:06:D7:01:00:02"`)
	r.shop.must(t, "order 00:06:D7:01:00:00 go")
	wantCode(t, ticked("stop", url.Values{"sure": {"1"}}, 1, 2), 303)
	wantCode(t, ticked("after", url.Values{"all": {"1"}}), 303)
	w = r.form("/conversions/orders", c, url.Values{"order": {"next"}, "mac": {palletMAC(6).String()}, "back": {"//evil.example/conversions"}})
	wantCode(t, w, 303)
	if at := w.Header().Get("Location"); !strings.HasPrefix(at, "/conversions?say=") {
		t.Errorf("it leads to %q", at)
	}
	r.shop.must(t, "order 00:06:D7:01:00:00 go", "order 00:06:D7:01:00:01 stop", "order 00:06:D7:01:00:02 stop",
		"order 00:06:D7:01:00:01 after", "order 00:06:D7:01:00:02 after", "order 00:06:D7:01:00:05 after")
	api := r.do(call{method: "POST", path: "/api/v1/conversions/orders", body: `{"order":"go"}`, basic: true})
	wantCode(t, api, 200)
	wantText(t, api.Body.String(), `"told":2`, `"passed":8`)
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/conversions/orders", body: `{"order":"dance"}`, basic: true}), 422)
}

// One phone: stopping in the middle asks first, and a phone that failed can be sent back.
func TestStoppingAndSendingBackAskFirst(t *testing.T) {
	r, c := palletRig(t, 10)
	middle, failed := "/phones/"+palletMAC(1).Name()+"/conversion", "/phones/"+palletMAC(0).Name()+"/conversion"
	w := r.form(middle, c, url.Values{"order": {"stop"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Stop at once?", "Don't unplug them, whichever button you press")
	w = r.form(failed, c, url.Values{"order": {"back"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Desk 000 goes back to P0S3-04-4-00", "Send it back")
	r.shop.must(t)
	wantCode(t, r.form(failed, c, url.Values{"order": {"back"}, "sure": {"1"}, "back": {"conversions"}}), 303)
	r.shop.must(t, "order 00:06:D7:01:00:00 go")
	if e := r.box.site.snapshot()[palletMAC(0)]; e.Load != "P0S3-04-4-00" || len(e.Lines) != 1 || e.Lines[0].Password != "sip-secret-line" {
		t.Errorf("the phone stands in the site as %+v", e)
	}
	wantCode(t, r.form(middle, c, url.Values{"order": {"back"}}), 409)
	wantCode(t, r.form(middle, c, url.Values{"order": {"back"}, "sure": {"1"}}), 409)
}

// What a target means is shown before anything is saved.
func TestChoosingATarget(t *testing.T) {
	r, c := palletRig(t, 20)
	r.box.uploads["P0S3-8-12-00.sb2"] = "x"
	body := r.do(call{path: "/conversions/target", cookie: c}).Body.String()
	wantText(t, body, "None is set now", "P0S3-8-12-00", "Nothing is saved by that.")
	body = r.do(call{path: "/conversions/target?to=P0S3-8-12-00", cookie: c}).Body.String()
	wantText(t, body, "What P0S3-8-12-00 means", "10 phones will be converted.", "with 8 at once", "2 phones lack files", "8 phones stay as they are.",
		"Missing: P00305000500.bin", "The screen says Upgrading Software", "no way back to a load from before 5.0", "not written down anywhere", "Left out or stopped by a person: 2.",
		"P0S3-06-3-00.sbn", "Desk 011", "about 2 minutes")
	wantText(t, r.do(call{path: "/conversions/target?to=other&other=P0S3-07-4-00", cookie: c}).Body.String(), "What P0S3-07-4-00 means")
	wantText(t, r.do(call{path: "/conversions/target?to=stay", cookie: c}).Body.String(), "What leaving them means")
	wantCode(t, r.do(call{path: "/conversions/target?to=nonsense", cookie: c}), 422)
	r.shop.must(t)

	_, etag := r.box.site.Fields()
	w := r.form("/conversions/target", c, url.Values{"target": {"P0S3-8-12-00"}, "etag": {"old"}, "do": {"later"}})
	wantCode(t, w, 412)
	wantText(t, w.Body.String(), "Nothing was saved", "What P0S3-8-12-00 means")
	r.shop.must(t)
	r.box.site.refuse = []web.Fault{{Key: "firmware.target", Found: `"x"`, Allowed: "the name of a load"}}
	w = r.form("/conversions/target", c, url.Values{"target": {"P0S3-8-12-00"}, "etag": {etag}, "do": {"start"}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "the name of a load")
	wantCode(t, r.form("/conversions/target", c, url.Values{"target": {"nonsense"}, "etag": {etag}}), 422)
	w = r.form("/conversions/target", c, url.Values{"target": {"P0S3-8-12-00"}, "etag": {etag}, "do": {"start"}})
	wantCode(t, w, 303)
	if got := r.box.site.values["firmware.target"]; got != "P0S3-8-12-00" {
		t.Errorf("the target is %q", got)
	}
	r.shop.must(t)
	_, etag = r.box.site.Fields()
	wantCode(t, r.form("/conversions/target", c, url.Values{"target": {"P0S3-07-4-00"}, "etag": {etag}, "do": {"later"}}), 303)
	if got := len(r.shop.list()); got != 18 {
		t.Errorf("%d phones were told to wait, want all but those that wait already", got)
	}
	// What was held back for a target that could not be saved goes on.
	_, etag = r.box.site.Fields()
	r.box.site.refuse = []web.Fault{{Key: "firmware.target", Found: `"x"`, Allowed: "another"}}
	wantCode(t, r.form("/conversions/target", c, url.Values{"target": {"P0S3-8-12-00"}, "etag": {etag}, "do": {"later"}}), 422)
	if list := r.shop.list(); !strings.HasSuffix(list[len(list)-1], " go") || len(list) != 3*18 {
		t.Errorf("the phones were told %q last, of %d orders", list[len(list)-1], len(list))
	}
	var preview []web.Conversion
	if err := json.Unmarshal(r.do(call{path: "/api/v1/conversions/preview?to=P0S3-8-12-00", basic: true}).Body.Bytes(), &preview); err != nil || len(preview) != 20 {
		t.Errorf("the API looks ahead for %d phones (%v)", len(preview), err)
	}
}

// The hand-over report has a row a phone and no secret.
func TestTheHandOverReport(t *testing.T) {
	r, c := palletRig(t, 20)
	r.shop.converts[7].Label = "=cmd|' /C calc'!A0"
	body := r.do(call{path: "/conversions/report", cookie: c}).Body.String()
	wantText(t, body, "Harbour Street office", "1 Mar 2026 12:00", "Desk 001", "00:06:D7:01:00:01", "7960", "10.77.1.1", `P0S3-04-4-00</span> → <span class="short">P0S3-8-12-00`, "<small>by P0S3-05-3-00, P0S3-06-3-00</small>",
		"runs the load that it should, has its configuration, its application is up", "Switch cellar-sw1", "Gi1/0/1", "Handed over by", "broke off three times")
	wantNoText(t, body, "sip-secret", web.Mask)
	if i, j := strings.Index(body, "Gi1/0/9<"), strings.Index(body, "Gi1/0/11<"); i < 0 || i > j {
		t.Errorf("port 9 stands at %d, port 11 at %d", i, j)
	}
	w := r.do(call{path: "/conversions/report.csv", cookie: c})
	if got := w.Header().Get("Content-Disposition"); !strings.Contains(got, "conversion-2026-03-01.csv") {
		t.Errorf("the file is offered as %q", got)
	}
	wantNoText(t, w.Body.String(), "sip-secret")
	rows, err := csv.NewReader(strings.NewReader(w.Body.String())).ReadAll()
	if err != nil || len(rows) != 21 || rows[0][1] != "mac" {
		t.Fatalf("the table has %d rows (%v)", len(rows), err)
	}
	byMAC := map[string][]string{}
	for _, row := range rows {
		byMAC[row[1]] = row
	}
	if row := byMAC[palletMAC(7).String()]; row[0] != "'=cmd|' /C calc'!A0" {
		t.Errorf("a label that a spreadsheet would run is %q", row[0])
	}
	if row := byMAC[palletMAC(9).String()]; fmt.Sprint(row) != "[Desk 009 00:06:D7:01:00:09 7960 209 P0S3-04-4-00 P0S3-8-12-00 P0S3-8-12-00 arrived "+
		"P0S3-04-4-00 > P0S3-05-3-00; P0S3-05-3-00 > P0S3-06-3-00; P0S3-06-3-00 > P0S3-8-12-00 2026-03-01T11:00:00Z 2026-03-01T12:00:00Z 10.77.1.9 "+
		"runs the load that it should; has its configuration; its application is up; was told the time cellar-sw1 Gi1/0/9 It runs P0S3-8-12-00, as it should.]" {
		t.Errorf("a phone that arrived: %q", row)
	}
	var report struct {
		Office string
		Phones []struct{ MAC, Result string }
	}
	if err := json.Unmarshal(r.do(call{path: "/api/v1/conversions/report", basic: true}).Body.Bytes(), &report); err != nil || len(report.Phones) != 20 || report.Office == "" {
		t.Errorf("the API reports %+v (%v)", report, err)
	}
	wantText(t, r.do(call{path: "/api/v1/conversions/report?format=csv", basic: true}).Body.String(), "label,mac,model")
}

// The shelf says what is missing for whom, and asks before it loses what is needed.
func TestTheShelfSaysWhatIsMissingAndAsksBeforeItLosesIt(t *testing.T) {
	r, c := palletRig(t, 20)
	r.box.uploads["P0S3-8-12-00.sb2"] = "x"
	body := r.do(call{path: "/firmware", cookie: c}).Body.String()
	wantText(t, body, "2 phones run P00303020214 and need P00305000500.bin first.", "An old SCCP load is a single image", "1024 MB of 8192 MB are free", "20 phones should run it, and 8 do.")
	w := r.form("/firmware/remove", c, url.Values{"name": {"P0S3-8-12-00.sb2"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Remove it although it is needed?", "20 phones should run it", `name="sure" value="1"`)
	w = r.form("/firmware/remove", c, url.Values{"load": {"P0S3-8-12-00"}})
	wantCode(t, w, 200)
	r.shop.must(t)
	wantCode(t, r.form("/firmware/remove", c, url.Values{"load": {"P0S3-8-12-00"}, "sure": {"1"}}), 303)
	r.shop.must(t, "remove P0S3-8-12-00.sb2")
	wantCode(t, r.form("/firmware/remove", c, url.Values{"load": {"P0S3-9-99-00"}}), 422)
	r.shop.mu.Lock()
	r.shop.converts, r.shop.done = nil, nil
	r.shop.mu.Unlock()
	wantCode(t, r.form("/firmware/remove", c, url.Values{"name": {"P0S3-8-12-00.sb2"}}), 303) // nobody needs it
	wantCode(t, r.do(call{path: "/firmware/remove", cookie: c}), 303)

	files, kind := multipartBody(t, map[string]string{"P0S3-8-12-00.sb2": "image"})
	upload := r.do(call{method: "POST", path: "/firmware", body: files, cookie: c, header: map[string]string{"Content-Type": kind, "Accept": "application/json"}})
	wantCode(t, upload, 200)
	wantText(t, upload.Body.String(), `"next":"/firmware?say=`)
	files, kind = multipartBody(t, nil)
	upload = r.do(call{method: "POST", path: "/firmware", body: files, cookie: c, header: map[string]string{"Content-Type": kind, "Accept": "application/json"}})
	wantCode(t, upload, 422)
	wantText(t, upload.Body.String(), `"error":"There was no file in the form."`)
	files, kind = multipartBody(t, nil)
	upload = r.do(call{method: "POST", path: "/firmware", body: files, cookie: c, header: map[string]string{
		"Content-Type": kind, "Accept": "application/json", "Accept-Language": "de",
	}})
	wantText(t, upload.Body.String(), `"error":"Im Formular war keine Datei."`) // a person reads it
}

// The pages with 500 phones; each must take less than 20 ms.
func BenchmarkConversionPages(b *testing.B) {
	for _, path := range []string{"/conversions", "/conversions?show=needs", "/conversions/target?to=P0S3-8-12-00", "/conversions/report", "/firmware"} {
		b.Run(path, func(b *testing.B) {
			r := newRig(b, nil)
			r.setUp()
			r.pallet(500)
			c := r.login()
			for b.Loop() {
				if w := r.do(call{path: path, cookie: c}); w.Code != 200 {
					b.Fatalf("got %d", w.Code)
				}
			}
		})
	}
}

// BenchmarkTheFirstReport is the hand-over report of 500 phones right after a start, when none of its rows was made before; it must
// take less than 20 ms, too.
func BenchmarkTheFirstReport(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		r := newRig(b, nil)
		r.setUp()
		r.pallet(500)
		c := r.login()
		b.StartTimer()
		if w := r.do(call{path: "/conversions/report", cookie: c}); w.Code != 200 {
			b.Fatalf("got %d", w.Code)
		}
	}
}
