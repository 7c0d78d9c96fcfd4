package web_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// onePhone is a rig with Reception after two boots, the first of which came to nothing.
func onePhone(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, single)
	furnish(t, r)
	seen(t, r)
	return r
}

// seen lets Reception have started twice, and have got its files before one line of them changed.
func seen(t *testing.T, r *rig) {
	t.Helper()
	rec := mac(t, reception)
	h := &happening{mac: rec, at: r.clock.Now().Add(-30 * time.Minute)}
	h.address()
	h.missing("SIP"+rec.Name()+".cnf", "the site does not list the phone: add it to the site", false, phone.Loading)
	h.at = r.clock.Now().Add(-2 * time.Minute)
	h.bootToReady()
	r.box.mu.Lock()
	r.box.events[rec] = h.out
	r.box.files[rec.Name()+"/SIP"+rec.Name()+".cnf"] = web.FileAnswer{
		Status: "ok", Body: []byte("proxy1_address: \"pbx.voice.home.arpa\"\nline1_name: \"208\"\nline1_password: \"sip-secret-208\"\nphone_label: \"Reception\"\n"), ContentType: "text/plain",
	}
	r.box.mu.Unlock()
	r.desk.mu.Lock()
	r.desk.got[rec.Name()+"/SIP"+rec.Name()+".cnf"] = "proxy1_address: \"pbx.voice.home.arpa\"\nline1_name: \"207\"\nline1_password: \"old-secret-207\"\nphone_label: \"Reception\"\n"
	r.desk.got[rec.Name()+"/SIPDefault.cnf"] = "image_version: P0S3-8-12-00\n"
	r.desk.mu.Unlock()
	r.shop.mu.Lock()
	defer r.shop.mu.Unlock()
	r.shop.explain = func(m phone.MAC) (web.Explanation, bool) {
		if m != rec {
			return web.Explanation{}, false
		}
		n := m.Name()
		return web.Explanation{
			Step: "ready", Waits: "It waits for nothing.", Long: "As long as it has power.", Next: "When it is restarted, it asks for all its files again.",
			Files: []web.ExplainFile{
				{Name: "CTLSEP" + n + ".tlv", Status: "harmless", Why: "It holds certificates, which phones do without."},
				{Name: "SEP" + n + ".cnf.xml", Status: "harmless", Why: "The phone goes on to SIP<MAC>.cnf, which names its load."},
				{Name: "SIP" + n + ".cnf", Status: "ok"},
				{Name: "SIPDefault.cnf", Status: "ok"},
				{Name: "RINGLIST.DAT", Status: "refused", Why: "the file cannot be read"},
			},
		}, true
	}
}

func TestTheWholeBootOfAPhoneIsTold(t *testing.T) {
	r := apiRig(t)
	seen(t, r)
	cookie := r.login()
	body := r.do(call{path: "/phones/0006D7AA2A2E", cookie: cookie}).Body.String()
	wantText(t, body,
		"Its last start", "ready after", "Got the address 10.77.0.50 for 8h.",
		"Not there, and that is fine: it holds certificates, which phones do without.",
		"Not there, and that is fine: the phone goes on to SIP&lt;MAC&gt;.cnf",
		"1,204 bytes in 0.02 s", "It asked for 1 name.", "Asked the time and got it.", "Nothing had to be written: it runs P0S3-8-12-00.",
		"Restart it: SIP0006D7AA2A2E.cnf has changed since it read it.", "was another version", "It got this at")
	wantNoText(t, body, "sip-secret-208", "old-secret-207")
	if n := strings.Count(body, `<li class="done">`); n != 5 {
		t.Errorf("%d stages are done, want all but the firmware", n)
	}
	// The earlier start is chosen by the number of its first event.
	wantText(t, body, "Earlier starts (2)", "came as far as: fetching files", `href="/phones/0006D7AA2A2E?boot=1"`)
	old := r.do(call{path: "/phones/0006D7AA2A2E?boot=1", cookie: cookie}).Body.String()
	wantText(t, old, "An earlier start", "Back to the last one", "Not there, and it is needed", "It did not come to that.", "stream?boot=1")
	wantNoText(t, old, "1,204 bytes")
	wantText(t, r.do(call{path: "/phones/0006D7AA2A2E?boot=77", cookie: cookie}).Body.String(), "Its last start")
}

func TestTheStageThatIsInTroubleIsMarked(t *testing.T) {
	r := apiRig(t)
	cookie := r.login()
	m := mac(t, "00:07:0E:11:22:33")
	h := &happening{mac: m, at: r.clock.Now().Add(-5 * time.Minute)}
	h.address()
	h.missing("P003-8-12-00.bin", "it is not on the shelf", false, phone.Stuck)
	r.box.mu.Lock()
	r.box.events[m] = h.out
	r.box.mu.Unlock()
	body := r.do(call{path: "/phones/00070E112233", cookie: cookie}).Body.String()
	wantText(t, body, `<li class="trouble">`, "needs you", "It needs P003-8-12-00.bin.", "Not there, and it is needed: it is not on the shelf.")
	if i := strings.Index(body, `<li class="trouble">`); !strings.Contains(body[i:min(len(body), i+200)], "Firmware") {
		t.Errorf("the trouble does not stand at the firmware:\n%s", body[i:i+200])
	}
	// A phone that has never been seen has everything ahead of it.
	wantText(t, r.do(call{path: "/phones/000A41AABBCD", cookie: cookie}).Body.String(), "has not been seen yet", "Give it a line")
}

// Who has just put right what a phone lacked is not told to do it once more, until the phone asks again.
func TestAFileThatCameSinceThePhoneAskedIsNoTrouble(t *testing.T) {
	r := apiRig(t)
	seen(t, r)
	cookie := r.login()
	rec := mac(t, reception)
	name := "SIP" + rec.Name() + ".cnf"
	why := "the site does not list the phone: add it to the site"
	h := &happening{mac: rec, at: r.clock.Now().Add(-10 * time.Second)}
	h.address()
	h.missing(name, why, false, phone.Loading)
	r.box.mu.Lock()
	r.box.events[rec] = h.out
	for i := range r.box.phones {
		if p := &r.box.phones[i]; p.MAC == rec {
			p.Step, p.WaitingFor = phone.Loading, name+": "+why
		}
	}
	r.box.mu.Unlock()
	body := r.do(call{path: "/phones/" + rec.Name(), cookie: cookie}).Body.String()
	wantText(t, body, "It was not there when the phone asked. It is now, and the phone gets it when it asks again.", "1 there since it asked",
		"Waiting for "+name+", which is there now: it asks for it again by itself.")
	wantNoText(t, body, "and it is needed", "needs you")
}

func TestPasswordsOfAFileAreShownOnceAndWrittenDown(t *testing.T) {
	r := apiRig(t)
	seen(t, r)
	cookie := r.login()
	const path = "/phones/0006D7AA2A2E/files/SIP0006D7AA2A2E.cnf"
	before := len(r.reported(web.EventSecrets))
	body := r.do(call{path: path, cookie: cookie}).Body.String()
	wantText(t, body, "line1_password: ********", "Passwords that are hidden: 1.", "It got another version", "(another password)",
		`<th scope="row">3</th>`, "<del>line1_name: &#34;207&#34;</del>", "<ins>line1_name: &#34;208&#34;</ins>", `<span class="unseen">removed</span>`)
	wantNoText(t, body, "sip-secret-208", "old-secret-207")
	if n := len(r.reported(web.EventSecrets)); n != before {
		t.Errorf("looking at the file without its passwords is told %d times", n-before)
	}
	w := r.form(path, cookie, url.Values{"what": {"passwords"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "sip-secret-208", "The passwords are shown this once.")
	wantNoText(t, w.Body.String(), "old-secret-207")
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("the page with passwords may be kept: %q", got)
	}
	w = r.form(path, cookie, url.Values{"what": {"download"}})
	wantCode(t, w, 200)
	if !strings.Contains(w.Body.String(), "sip-secret-208") || !strings.Contains(w.Header().Get("Content-Disposition"), `attachment; filename=SIP0006D7AA2A2E.cnf`) {
		t.Errorf("the download: %s %v", w.Body, w.Header())
	}
	told := r.reported(web.EventSecrets)[before:]
	if len(told) != 2 || !strings.Contains(told[0].What, "were shown") || !strings.Contains(told[1].What, "was downloaded") || told[0].MAC != mac(t, reception) {
		t.Errorf("told is %+v, want what was shown and what was downloaded", told)
	}
	wantCode(t, r.form(path, cookie, url.Values{"what": {"else"}}), 422)
	wantCode(t, r.form("/phones/0006D7AA2A2E/files/nothing.cnf", cookie, url.Values{"what": {"download"}}), 404)
	wantText(t, r.do(call{path: "/phones/0006D7AA2A2E/files/OS79XX.TXT", cookie: cookie}).Body.String(), "not there, and that is fine", "the phone goes on without it")
	// What a person put there is shown as text, never run.
	wantText(t, r.do(call{path: "/phones/0006D7AA2A2E/files/own.html", cookie: cookie}).Body.String(), "&lt;script&gt;alert(1)&lt;/script&gt;")
	wantCode(t, r.do(call{path: "/phones/020000000001/files/OS79XX.TXT", cookie: cookie}), 404)
}

func TestTheLoadOfOnePhoneIsChosen(t *testing.T) {
	r := apiRig(t)
	cookie := r.login()
	body := r.do(call{path: "/phones/0006D7AA2A2E/load", cookie: cookie}).Body.String()
	wantText(t, body, "It runs P0S3-8-12-00.", "Stay on the load that it runs", "P0S3-8-2-00 (not all of its files are here)")
	wantNoText(t, body, "Yes, let it run that")
	body = r.do(call{path: "/phones/0006D7AA2A2E/load?load=P0S3-8-2-00", cookie: cookie}).Body.String()
	wantText(t, body, "Not all files of this load are on the shelf", "No way leads to P0S3-8-2-00.", "Yes, let it run that")
	_, etag, _ := r.box.site.Phone(mac(t, reception))
	w := r.form("/phones/0006D7AA2A2E/load", cookie, url.Values{"load": {"stay"}, "etag": {etag}})
	wantCode(t, w, 303)
	entry := r.box.site.snapshot()[mac(t, reception)]
	if entry.Load != "stay" || entry.Lines[0].Password != "sip-secret-208" || entry.Parameters["messages_uri"] != "8500" {
		t.Errorf("stored is %+v, want the load changed and nothing else", entry)
	}
	told := r.reported(web.EventChanged)
	if last := told[len(told)-1]; !strings.Contains(last.What, "Its load was chosen") {
		t.Errorf("told is %+v", last)
	}
	wantCode(t, r.form("/phones/0006D7AA2A2E/load", cookie, url.Values{"load": {""}, "etag": {etag}}), 412)
	_, etag, _ = r.box.site.Phone(mac(t, reception))
	r.box.site.mu.Lock()
	r.box.site.refuse = []web.Fault{{Key: "phones[0].load", Found: `"x"`, Allowed: "the name of a load"}}
	r.box.site.mu.Unlock()
	w = r.form("/phones/0006D7AA2A2E/load", cookie, url.Values{"load": {"x"}, "etag": {etag}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "the name of a load")
	wantCode(t, r.do(call{path: "/phones/0008210A0B0C/load", cookie: cookie}), 404) // it is not listed
}

func TestAPhoneIsRecorded(t *testing.T) {
	r := apiRig(t)
	cookie := r.login()
	rec := mac(t, reception)
	const path = "/phones/0006D7AA2A2E/recording"
	wantText(t, r.do(call{path: "/phones/0006D7AA2A2E", cookie: cookie}).Body.String(), "Record this phone for 10 minutes", "holds the passwords")
	wantCode(t, r.form(path, cookie, url.Values{"what": {"download"}}), 404)
	wantCode(t, r.form(path, cookie, url.Values{"what": {"start"}}), 303)
	wantText(t, r.do(call{path: "/phones/0006D7AA2A2E", cookie: cookie}).Body.String(), "it stops by itself at 12:09:00", "214 frames, 35,120 bytes", "Stop recording", "Of 3 frames of firmware the headers alone are kept.")
	before := len(r.reported(web.EventSecrets))
	w := r.form(path, cookie, url.Values{"what": {"download"}})
	wantCode(t, w, 200)
	if w.Body.String() != "pcap" || !strings.Contains(w.Header().Get("Content-Disposition"), "0006D7AA2A2E.pcap") {
		t.Errorf("the download: %q %v", w.Body, w.Header())
	}
	if told := r.reported(web.EventSecrets)[before:]; len(told) != 1 || told[0].MAC != rec {
		t.Errorf("told is %+v, want the download", told)
	}
	wantCode(t, r.form(path, cookie, url.Values{"what": {"stop"}}), 303)
	wantCode(t, r.form(path, cookie, url.Values{"what": {"erase"}}), 422)
	wantCode(t, r.do(call{path: path, cookie: cookie}), 303)

	wantText(t, r.do(call{path: "/api/v1/phones/0006d7aa2a2e/recording", basic: true}).Body.String(), `"possible":true`, `"frames":214`)
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/phones/0006d7aa2a2e/recording", body: `{"minutes":3}`, basic: true}), 202)
	for _, wrong := range []string{`{"minutes":0}`, `{"minutes":61}`, `{"minutes":-1}`, `{"minutes":1e-30}`} {
		wantCode(t, r.do(call{method: "POST", path: "/api/v1/phones/0006d7aa2a2e/recording", body: wrong, basic: true}), 422)
	}
	wantCode(t, r.do(call{path: "/api/v1/phones/0006d7aa2a2e/recording.pcap", basic: true}), 200)
	wantCode(t, r.do(call{method: "DELETE", path: "/api/v1/phones/0006d7aa2a2e/recording", basic: true}), 204)
	wantCode(t, r.do(call{path: "/api/v1/phones/0006d7aa2a2e/recording"}), 401)
	want := []string{"record 0006D7AA2A2E 10m0s", "stop 0006D7AA2A2E", "record 0006D7AA2A2E 3m0s", "stop 0006D7AA2A2E"}
	if got := r.desk.list(); !slices.Equal(got, want) {
		t.Errorf("the box was asked for %q, want %q", got, want)
	}
	r.desk.mu.Lock()
	r.desk.rec[rec] = web.Recording{Why: "This box runs on loopback."}
	r.desk.refuse = &web.PublicError{Status: 409, Text: "This box runs on loopback."}
	r.desk.mu.Unlock()
	body := r.do(call{path: "/phones/0006D7AA2A2E", cookie: cookie}).Body.String()
	wantText(t, body, "This box runs on loopback.")
	wantNoText(t, body, "Record this phone for 10 minutes")
	wantCode(t, r.form(path, cookie, url.Values{"what": {"start"}}), 409)
}

func TestALineIsTestedAndItsCureTold(t *testing.T) {
	r := apiRig(t)
	cookie := r.login()
	w := r.form("/phones/0006D7AA2A2E/check", cookie, url.Values{"line": {"2"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Line 2: 208", "does not work", "does not take this password", "What to do:", `href="/phones/0006D7AA2A2E/edit"`, "Test this line again")
	wantCode(t, r.form("/phones/0006D7AA2A2E/check", cookie, url.Values{"line": {"7"}}), 422)
	wantCode(t, r.form("/phones/0006D7AA2A2E/check", cookie, url.Values{"line": {"x"}}), 422)
}

func TestParametersAreSearched(t *testing.T) {
	r := apiRig(t)
	cookie := r.login()
	body := r.do(call{path: "/phones/0006D7AA2A2E/parameters?q=CODEC+model", cookie: cookie}).Body.String()
	wantText(t, body, "1 of 3 parameters match.", "preferred_codec")
	wantNoText(t, body, "line1_password", "sip_retx")
	wantText(t, r.do(call{path: "/phones/0006D7AA2A2E/parameters?q=nothing", cookie: cookie}).Body.String(), "0 of 3 parameters match.")
	// The phone's own page shows what is its own.
	body = r.do(call{path: "/phones/0006D7AA2A2E", cookie: cookie}).Body.String()
	wantText(t, body, "line1_password", "the model 7960")
	wantNoText(t, body, "sip_retx")
}

// BenchmarkThePageOfOnePhone makes the page with 500 phones in the box and 1,000 events of this one; at most 20 ms are allowed.
func BenchmarkThePageOfOnePhone(b *testing.B) {
	box, desk, secrets := newFakeBox(), newFakeDesk(), &fakeSecrets{key: bytes.Repeat([]byte{7}, 32)}
	clock := &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	rec := phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}
	for i := range 500 {
		box.phones = append(box.phones, web.Phone{MAC: phone.MAC{0, 6, 0xd7, 1, byte(i >> 8), byte(i)}, Step: phone.Ready, Known: true})
	}
	box.phones = append(box.phones, web.Phone{MAC: rec, Label: "Reception", Step: phone.Ready, Known: true, Protocol: phone.SIP})
	h := &happening{mac: rec, at: clock.now.Add(-24 * time.Hour)}
	for len(h.out) < 1000 {
		h.bootToReady()
	}
	box.events[rec] = h.out
	box.files[rec.Name()+"/SIP"+rec.Name()+".cnf"] = web.FileAnswer{Status: "ok", Body: []byte(strings.Repeat("line1_password: \"x\"\n", 60)), ContentType: "text/plain"}
	desk.got[rec.Name()+"/SIP"+rec.Name()+".cnf"] = strings.Repeat("line1_password: \"y\"\n", 60)
	server, err := newServer(web.Config{
		HTTP: netip.MustParseAddrPort("127.0.0.1:0"), HTTPS: netip.MustParseAddrPort("127.0.0.1:0"), Server: netip.MustParsePrefix("10.77.0.1/16"),
		Domain: "voice.home.arpa", CertDir: b.TempDir(),
	}, web.Deps{
		Box: box, Shop: &fakeShop{}, Files: fakeFiles{}, Secrets: secrets, Now: clock.Now, Uptime: clock.Uptime, Log: slog.New(slog.DiscardHandler),
		Report: func(web.Event) {}, Desk: desk,
	})
	if err != nil {
		b.Fatal(err)
	}
	ask := func(method, path, body string, code int) {
		req := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
		req.RemoteAddr, req.Host, req.TLS = "10.77.1.9:4000", "10.77.0.1", &tls.ConnectionState{}
		req.SetBasicAuth("admin", password)
		w := httptest.NewRecorder()
		server.HTTPSHandler().ServeHTTP(w, req)
		if w.Code != code {
			b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	ask(http.MethodPost, "/api/v1/setup", `{"password":"`+password+`"}`, 204)
	for b.Loop() {
		ask(http.MethodGet, "/phones/0006D7AA2A2E", "", 200)
	}
}
