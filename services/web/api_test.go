package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// apiRig is a page with a password and phones.
func apiRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, nil)
	r.setUp()
	furnish(t, r)
	return r
}

func decode[T any](t *testing.T, body *bytes.Buffer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body.Bytes(), &v); err != nil {
		t.Fatalf("reading the answer %q: %v", body, err)
	}
	return v
}

func TestStatusAndPhonesHaveTheKeysOfTheDesign(t *testing.T) {
	r := apiRig(t)
	w := r.do(call{path: "/api/v1/status", basic: true})
	wantCode(t, w, 200)
	status := decode[map[string]any](t, w.Body)
	for _, key := range []string{"version", "uptime_s", "ready", "services", "clock", "other_dhcp_servers"} {
		if _, ok := status[key]; !ok {
			t.Errorf("the status lacks %q: %v", key, status)
		}
	}
	if others, ok := status["other_dhcp_servers"].([]any); !ok || len(others) != 0 {
		t.Errorf("other_dhcp_servers is %v, want []", status["other_dhcp_servers"])
	}
	w = r.do(call{path: "/api/v1/phones", basic: true})
	wantCode(t, w, 200)
	phones := decode[[]map[string]any](t, w.Body)
	if len(phones) != 5 {
		t.Fatalf("got %d phones, want 5", len(phones))
	}
	for _, key := range []string{"mac", "label", "model", "address", "load", "protocol", "known", "step", "waiting_for", "problem", "updated"} {
		if _, ok := phones[0][key]; !ok {
			t.Errorf("a phone lacks %q: %v", key, phones[0])
		}
	}
	if phones[0]["mac"] != reception {
		t.Errorf("the MAC is written %v, want %s", phones[0]["mac"], reception)
	}
}

func TestWhatAPhoneAskedByDHCPIsToldByteForByte(t *testing.T) {
	r := apiRig(t)
	r.box.furnishDHCP(mac(t, reception), r.clock.Now())
	w := r.do(call{path: "/api/v1/phones/0006d7aa2a2e/dhcp", basic: true})
	wantCode(t, w, 200)
	got := decode[web.PhoneDHCP](t, w.Body)
	if d := cmp.Diff(r.box.dhcp[mac(t, reception)], got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	w = r.do(call{path: "/api/v1/phones/00:07:0E:11:22:33/dhcp", basic: true})
	wantCode(t, w, 200)
	if got := strings.TrimSpace(w.Body.String()); got != `{"took":"","exchanges":[]}` {
		t.Errorf("a phone that never asked: %s", got)
	}
	wantCode(t, r.do(call{path: "/api/v1/phones/02:00:00:00:00:01/dhcp", basic: true}), 404)
	wantCode(t, r.do(call{path: "/api/v1/phones/02:00:00:00:00:01/dhcp"}), 401)
}

func TestWhatWasNotAnsweredIsInTheStatusAndOnThePage(t *testing.T) {
	r := apiRig(t)
	r.box.status.NotAnswered = nil
	w := r.do(call{path: "/api/v1/status", basic: true})
	if list, ok := decode[map[string]any](t, w.Body)["not_answered"].([]any); !ok || len(list) != 0 {
		t.Errorf("nothing was refused: %v, want []", list)
	}
	cookie := r.login()
	if got := r.do(call{path: "/help", cookie: cookie}).Body.String(); !strings.Contains(got, "Everything that came was answered.") {
		t.Error("the page does not say that all was answered")
	}
	r.box.furnishDHCP(mac(t, reception), r.clock.Now())
	w = r.do(call{path: "/api/v1/status", basic: true})
	list := decode[struct {
		NotAnswered []map[string]any `json:"not_answered"`
	}](t, w.Body).NotAnswered
	if len(list) != 2 || list[0]["mac"] != reception || list[0]["count"] != 12.0 || list[1]["address"] != "10.77.9.9" || list[1]["mac"] != nil {
		t.Errorf("got %v", list)
	}
	page := r.do(call{path: "/help", cookie: cookie}).Body.String()
	for _, want := range []string{"too many addresses are being probed", `data-label="How often">12</td>`, `<a href="/phones/0006D7AA2A2E">00:06:D7:AA:2A:2E</a>`, "10.77.9.9"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestNoPhonesAreAnEmptyListAndNotNull(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	if w := r.do(call{path: "/api/v1/phones", basic: true}); w.Body.String() != "[]\n" {
		t.Errorf("got %q, want []", w.Body)
	}
}

func TestAPhoneIsFoundInAnyNotation(t *testing.T) {
	r := apiRig(t)
	for path, code := range map[string]int{
		"/api/v1/phones/00:06:D7:AA:2A:2E/events": 200,
		"/api/v1/phones/0006d7aa2a2e/events":      200,
		"/api/v1/phones/00-06-D7-AA-2A-2E/events": 200,
		"/api/v1/phones/0006.d7aa.2a2e/events":    200,
		"/api/v1/phones/00:06:D7:AA:2A/events":    400,
		"/api/v1/phones/nonsense/events":          400,
		"/api/v1/phones/02:00:00:00:00:01/events": 404,
	} {
		w := r.do(call{path: path, basic: true})
		if w.Code != code {
			t.Errorf("%s: got %d, want %d", path, w.Code, code)
		}
		if code != 200 {
			if e := decode[map[string]any](t, w.Body); e["error"] == "" || e["error"] == nil {
				t.Errorf("%s: the answer has no error: %v", path, e)
			}
		}
	}
	w := r.do(call{path: "/api/v1/phones/0006d7aa2a2e/events", basic: true})
	events := decode[[]web.PhoneEvent](t, w.Body)
	if len(events) != 5 || events[4].Step != phone.Ready || events[4].MAC != mac(t, reception) {
		t.Errorf("got the timeline %+v, want five events of the phone", events)
	}
}

func TestThePhonesFilesComeWithTheirStatus(t *testing.T) {
	r := apiRig(t)
	const base = "/api/v1/phones/0006D7AA2A2E/files/"
	for name, want := range map[string]struct {
		code         int
		status, body string
	}{
		"SIPDefault.cnf":      {200, "ok", "image_version: P0S3-8-12-00\n"},
		"OS79XX.TXT":          {404, "harmless", `{"status":"harmless","why":"no load is to be named; the phone goes on without it"}` + "\n"},
		"dir/nothing.pcm":     {404, "missing", `{"status":"missing","why":"there is no such file"}` + "\n"},
		"RINGLIST.DAT":        {403, "refused", `{"status":"refused","why":"the file in the tftp folder cannot be read"}` + "\n"},
		"SIP0006D7AA2A2E.cnf": {200, "ok", "line1_password: \"sip-secret-208\"\n"},
	} {
		w := r.do(call{path: base + name, basic: true})
		if w.Code != want.code || w.Header().Get("X-Phonebox-Status") != want.status || w.Body.String() != want.body {
			t.Errorf("%s: got %d %q %q, want %+v", name, w.Code, w.Header().Get("X-Phonebox-Status"), w.Body, want)
		}
	}
	if n := len(r.reported(web.EventSecrets)); n != 1 {
		t.Errorf("%d readings of secrets were reported, want that of SIP<MAC>.cnf alone", n)
	}
	w := r.do(call{path: base + "own.html", basic: true})
	if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("an own HTML file comes as %q with %q, want text in a sandbox", ct, w.Header().Get("Content-Security-Policy"))
	}
}

func TestCausesStayInTheLog(t *testing.T) {
	r := apiRig(t)
	w := r.do(call{path: "/api/v1/phones/0006D7AA2A2E/files/broken", basic: true})
	wantCode(t, w, 500)
	wantNoText(t, w.Body.String(), "hunter2")
	wantText(t, r.log.String(), "answering a request failed")
}

func TestRestart(t *testing.T) {
	r := apiRig(t)
	w := r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/restart", basic: true})
	wantCode(t, w, 204)
	if len(r.box.restarts) != 1 || r.box.restarts[0] != mac(t, reception) {
		t.Errorf("the box restarted %v, want the phone", r.box.restarts)
	}
	r.box.restart = errors.New("sending NOTIFY: no answer")
	w = r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/restart", basic: true})
	wantCode(t, w, 502)
	wantNoText(t, w.Body.String(), "NOTIFY")
	r.box.restart = &web.PublicError{Status: 409, Text: "The phone speaks SCCP and cannot be restarted from here."}
	w = r.do(call{method: "POST", path: "/api/v1/phones/0006D7AA2A2E/restart", basic: true})
	wantCode(t, w, 409)
	wantText(t, w.Body.String(), "speaks SCCP")
}

func TestTheSiteIsReplacedOnlyByWhoSawIt(t *testing.T) {
	r := apiRig(t)
	r.box.site.secret = "sip-secret-208"
	w := r.do(call{path: "/api/v1/site", basic: true})
	wantCode(t, w, 200)
	wantNoText(t, w.Body.String(), "sip-secret-208")
	etag := w.Header().Get("ETag")
	if !strings.HasPrefix(etag, `"`) || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/toml") {
		t.Errorf("got ETag %s and type %s", etag, w.Header().Get("Content-Type"))
	}
	put := func(body, match string) (int, web.Refused, http.Header) {
		t.Helper()
		c := call{method: "PUT", path: "/api/v1/site", body: body, basic: true}
		if match != "" {
			c.header = map[string]string{"If-Match": match}
		}
		w := r.do(c)
		var v struct {
			Error  string      `json:"error"`
			Faults []web.Fault `json:"faults"`
		}
		if w.Body.Len() > 0 {
			v = decode[struct {
				Error  string      `json:"error"`
				Faults []web.Fault `json:"faults"`
			}](t, w.Body)
		}
		return w.Code, web.Refused{Faults: v.Faults}, w.Header()
	}
	if code, _, _ := put("name = \"x\"\n", ""); code != 428 {
		t.Errorf("without If-Match: got %d, want 428", code)
	}
	if code, _, _ := put("name = \"x\"\n", `"other"`); code != 412 {
		t.Errorf("with a stale tag: got %d, want 412", code)
	}
	if code, _, _ := put("name = \"x\"\n", "W/"+etag); code != 412 {
		t.Errorf("with a weak tag: got %d, want 412", code)
	}
	code, refused, _ := put("nothing\n", etag)
	if code != 422 || len(refused.Faults) != 2 || refused.Faults[1] != (web.Fault{Line: 7, Key: "dhcp.pool[1]", Found: `"x"`, Allowed: "a range of addresses"}) {
		t.Errorf("a wrong file: got %d %+v, want 422 with both faults", code, refused.Faults)
	}
	if r.box.site.text != "" {
		t.Errorf("a refused file was taken: %q", r.box.site.text)
	}
	code, _, header := put("name = \"x\"\n", `"other", `+etag)
	if code != 204 || header.Get("ETag") == "" || header.Get("ETag") == etag {
		t.Errorf("a right file: got %d with ETag %s, want 204 and a new tag", code, header.Get("ETag"))
	}
	if r.box.site.text != "name = \"x\"\n" {
		t.Errorf("the site is %q, want what was put", r.box.site.text)
	}
	if code, _, _ := put("name = \"y\"\n", etag); code != 412 {
		t.Errorf("with the tag from before: got %d, want 412", code)
	}
}

func TestReadingTheSiteWithSecretsIsReported(t *testing.T) {
	r := apiRig(t)
	r.box.site.secret = "sip-secret-208"
	w := r.do(call{path: "/api/v1/site?secrets=1", basic: true})
	wantText(t, w.Body.String(), "sip-secret-208")
	if n := len(r.reported(web.EventSecrets)); n != 1 {
		t.Errorf("%d readings were reported, want 1", n)
	}
}

// multipartBody makes an upload.
func multipartBody(t *testing.T, files map[string]string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, content := range files {
		part, err := w.CreateFormFile("files", name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestFirmwareUpload(t *testing.T) {
	type answer struct {
		Error    string              `json:"error"`
		Verdicts []web.UploadVerdict `json:"verdicts"`
	}
	r := apiRig(t)
	upload := func(files map[string]string) (int, answer) {
		t.Helper()
		body, contentType := multipartBody(t, files)
		w := r.do(call{method: "POST", path: "/api/v1/firmware", body: body, basic: true, header: map[string]string{"Content-Type": contentType}})
		return w.Code, decode[answer](t, w.Body)
	}
	big := strings.Repeat("x", 3<<20) // more than other bodies may have
	code, a := upload(map[string]string{"P0S3-8-12-00.sb2": big, "holiday.jpg": "no"})
	if code != 200 || len(a.Verdicts) != 2 {
		t.Errorf("got %d %+v, want 200 with a verdict for each", code, a)
	}
	if r.box.uploads["P0S3-8-12-00.sb2"] != big {
		t.Error("the box did not get the file as it was sent")
	}
	if code, a = upload(map[string]string{"holiday.jpg": "no"}); code != 422 || a.Error == "" || len(a.Verdicts) != 1 {
		t.Errorf("nothing taken: got %d %+v, want 422 with the verdict", code, a)
	}
	if code, _ = upload(nil); code != 422 {
		t.Errorf("no file: got %d, want 422", code)
	}
	w := r.do(call{method: "POST", path: "/api/v1/firmware", body: "x", basic: true})
	wantCode(t, w, 415)
}

func TestBodiesAreBounded(t *testing.T) {
	r := apiRig(t)
	_, etag := r.box.site.TOML(false)
	w := r.do(call{
		method: "PUT", path: "/api/v1/site", body: "name" + strings.Repeat("x", 1<<20), basic: true,
		header: map[string]string{"If-Match": `"` + etag + `"`},
	})
	wantCode(t, w, 413)
	w = r.do(call{method: "POST", path: "/api/v1/clock", body: `{"unix":1` + strings.Repeat(" ", 1<<20) + `}`, basic: true})
	wantCode(t, w, 413)
	w = r.form("/login", nil, map[string][]string{"password": {strings.Repeat("x", 1<<20)}})
	wantCode(t, w, 413)
}

// An upload that is refused before it was sent is answered all the same: a connection that is closed on somebody who still sends
// may lose the answer. Who asks first (RFC 9110 section 10.1.1) need not send it.
func TestTheAnswerToARefusedUploadArrives(t *testing.T) {
	t.Parallel()
	r := apiRig(t)
	r.run()
	const size = 20 << 20
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // less than the box waits for a body
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL()+"api/v1/firmware", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "wrong")
	said := func(how string, resp *http.Response, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: no answer: %v", how, err)
		}
		if text := readAll(t, resp); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "password") {
			t.Errorf("%s: got %s: %s", how, resp.Status, text)
		}
	}
	// Reads nothing before all is sent, as many programs do.
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", req.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req.Body, req.ContentLength = io.NopCloser(io.LimitReader(zeros{}, size)), size
	if err := req.Write(conn); err != nil {
		t.Fatalf("sending what was refused: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	said("all is sent first", resp, err)

	body := &countingReader{Reader: io.LimitReader(zeros{}, size)}
	req.Body = io.NopCloser(body)
	req.Header.Set("Expect", "100-continue")
	tr := &http.Transport{ExpectContinueTimeout: time.Hour, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.CloseIdleConnections()
	resp, err = tr.RoundTrip(req)
	said("it asks first", resp, err)
	if sent := body.n.Load(); sent != 0 {
		t.Errorf("who asked first sent %d bytes", sent)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type countingReader struct {
	io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func TestClock(t *testing.T) {
	r := apiRig(t)
	for body, code := range map[string]int{
		`{"unix":1790000000.5}`:        204,
		`{"unix":12}`:                  422,
		`{"unix":99999999999}`:         422,
		`{}`:                           422,
		`{"unix":"now"}`:               400,
		`{"unix":1790000000,"zone":1}`: 400,
		`{"unix":1790000000} trailing`: 400,
		``:                             400,
	} {
		w := r.do(call{method: "POST", path: "/api/v1/clock", body: body, basic: true})
		if w.Code != code {
			t.Errorf("%s: got %d %s, want %d", body, w.Code, w.Body, code)
		}
	}
	if len(r.box.clock) != 1 || r.box.clock[0] != 1790000000.5 {
		t.Errorf("the clock was set to %v, want 1790000000.5 once", r.box.clock)
	}
}

func TestUnknownPathsAndMethodsAreJSON(t *testing.T) {
	r := apiRig(t)
	w := r.do(call{path: "/api/v2/nothing", basic: true})
	wantCode(t, w, 404)
	wantText(t, w.Body.String(), `{"error":`)
	w = r.do(call{method: "DELETE", path: "/api/v1/site", basic: true})
	wantCode(t, w, 405)
	wantText(t, w.Body.String(), `{"error":`)
	if allow := w.Header().Get("Allow"); !strings.Contains(allow, "PUT") {
		t.Errorf("Allow is %q, want it to name PUT", allow)
	}
	w = r.do(call{path: "/nowhere", basic: true})
	wantCode(t, w, 404)
	wantText(t, w.Body.String(), "<!doctype html>", "There is no such page.")
}

func TestPanicsCostOneRequestOnly(t *testing.T) {
	r := apiRig(t)
	r.server.PanicNext()
	w := r.do(call{path: "/api/v1/status", basic: true})
	wantCode(t, w, 500)
	wantCode(t, r.do(call{path: "/api/v1/status", basic: true}), 200)
	wantText(t, r.log.String(), "a request panicked")
	if got := counter(t, r, "panic"); got != 1 {
		t.Errorf("%v panics were counted, want 1", got)
	}
}

// counter reads phonebox_web_dropped_total.
func counter(t *testing.T, r *rig, reason string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "phonebox_web_dropped_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestTheClockIsSetAndTheSessionGoesOn(t *testing.T) {
	r := newRig(t, nil)
	r.clock.now = time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC)
	r.setUp()
	cookie := r.login()
	w := r.form("/clock", cookie, map[string][]string{"unix": {"1790000000"}})
	wantCode(t, w, 303)
	if len(w.Result().Cookies()) != 1 {
		t.Fatal("no session of the new time was given")
	}
	w = r.form("/clock", cookie, map[string][]string{"unix": {""}, "utc": {"2026-03-01T14:30"}})
	wantCode(t, w, 303)
	if got := r.box.clock; len(got) != 2 || got[1] != 1772375400 {
		t.Errorf("the clock was set to %v, want the typed time as well", got)
	}
	w = r.form("/clock", cookie, map[string][]string{"utc": {"tomorrow"}})
	wantCode(t, w, 422)
}
