package web_test

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/web"
)

func TestSystemSaysWhatIsNotWell(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*web.Machine, *web.Status)
		want   string
	}{
		{"all is well", func(*web.Machine, *web.Status) {}, "The box is well."},
		{"under-voltage", func(m *web.Machine, _ *web.Status) { m.Supply = &web.Supply{UnderVoltage: true} }, "The power supply gives too little voltage."},
		{"under-voltage before", func(m *web.Machine, _ *web.Status) { m.Supply = &web.Supply{WasUnderVoltage: true} }, "The power supply gave too little voltage at some moment"},
		{"hot", func(m *web.Machine, _ *web.Status) { m.HeatC = 84 }, "so hot that it slows down"},
		{"warm", func(m *web.Machine, _ *web.Status) { m.HeatC = 77 }, "nearly so hot"},
		{"full", func(m *web.Machine, _ *web.Status) { m.DiskFree = 1 << 20 }, "The card is nearly full."},
		{"read only", func(m *web.Machine, _ *web.Status) { m.ReadOnly = true }, "The card can only be read"},
		{"in memory", func(m *web.Machine, _ *web.Status) { m.Store.InMem = "settings are lost at the next start" }, "Settings are lost at the next start."},
		{"a store that fails", func(m *web.Machine, _ *web.Status) { m.Store.Failing = "EIO" }, "Leases cannot be written to the card"},
		{"a slow card", func(m *web.Machine, _ *web.Status) { m.Store.Slow = 0.2 }, "The card is slow"},
		{"no memory", func(m *web.Machine, _ *web.Status) { m.MemFree = 1 << 20 }, "Little memory is left."},
		{"no time", func(_ *web.Machine, s *web.Status) { s.Clock.Trusted = false }, "The box does not know the right time"},
		{"a service", func(_ *web.Machine, s *web.Status) {
			s.Services = map[string]web.Service{"tftp": {State: "failed", Detail: "the port is taken"}}
		}, "Something is wrong with Files."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			tt.change(&r.system.machine, &r.box.status)
			r.setUp()
			w := r.do(call{path: "/system", basic: true})
			wantCode(t, w, http.StatusOK)
			wantText(t, w.Body.String(), tt.want, "Raspberry Pi 4 Model B", "eth0")
		})
	}
}

func TestSystemWithoutAMachine(t *testing.T) {
	r := newRig(t, nil)
	r.system = nil
	server, err := newServer(r.cfg, web.Deps{Box: r.box, Shop: r.shop, Files: fakeFiles{}, Secrets: r.secrets, Now: r.clock.Now, Log: slog.New(slog.DiscardHandler), Report: func(web.Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	r.setUp()
	wantText(t, r.do(call{path: "/system", basic: true}).Body.String(), "Version", "1.2.3")
	wantCode(t, r.do(call{path: "/system/log", basic: true}), http.StatusNotFound)
}

func TestPower(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	for do, want := range map[string]string{"restart": "takes a few seconds", "reboot": "about a minute", "off": "Shut the computer down?"} {
		w := r.do(call{path: "/system/power?do=" + do, cookie: c})
		wantCode(t, w, http.StatusOK)
		wantText(t, w.Body.String(), want)
		if len(r.system.list()) != 0 {
			t.Fatalf("asking did %v already", r.system.list())
		}
	}
	wantCode(t, r.do(call{path: "/system/power?do=explode", cookie: c}), http.StatusNotFound)
	w := r.form("/system/power", c, url.Values{"do": {"restart"}})
	wantCode(t, w, http.StatusOK)
	wantText(t, w.Body.String(), "phonebox restarts.")
	if w.Header().Get("Refresh") != "10; url=/system" {
		t.Errorf("Refresh is %q, want that the page looks for the box", w.Header().Get("Refresh"))
	}
	if got := r.reported(web.EventChanged); len(got) != 1 || got[0].What != "phonebox was told to restart." || got[0].By == nil || got[0].By.How != "page" {
		t.Errorf("reported %+v, want the restart by the page", got)
	}
	// While a phone writes firmware it takes a tick.
	r.shop.converts = []web.Conversion{{MAC: mac(t, reception), Label: "Reception", Unplug: false}}
	wantText(t, r.do(call{path: "/system/power?do=off", cookie: c}).Body.String(), "Don't do this now.", "Reception")
	w = r.form("/system/power", c, url.Values{"do": {"off"}})
	wantCode(t, w, http.StatusConflict)
	wantCode(t, r.do(call{method: http.MethodPost, path: "/api/v1/power", body: `{"do":"off"}`, basic: true}), http.StatusConflict)
	wantCode(t, r.do(call{method: http.MethodPost, path: "/api/v1/power", body: `{"do":"off","anyway":true}`, basic: true}), http.StatusAccepted)
	wantCode(t, r.form("/system/power", c, url.Values{"do": {"off"}, "anyway": {"1"}}), http.StatusOK)
	r.shop.converts = nil
	r.system.powers.Reboot = "This is phonebox -try."
	wantText(t, r.do(call{path: "/system", cookie: c}).Body.String(), "This is phonebox -try.")
	wantCode(t, r.form("/system/power", c, url.Values{"do": {"reboot"}}), http.StatusConflict)
	if got := r.system.list(); !slices.Equal(got, []string{"power restart", "power off", "power off"}) {
		t.Errorf("did %v", got)
	}
}

func TestTheLogIsFiltered(t *testing.T) {
	r := newRig(t, nil)
	furnish(t, r)
	furnishSystem(r.system, r.clock.Now())
	r.setUp()
	for _, tt := range []struct{ query, has, lacks string }{
		{"", "settings applied", "nothing"},
		{"level=error", "group not written", "settings applied"},
		{"service=tftp", "not on the shelf", "lease mac"},
		{"phone=reception", "lease mac", "settings applied"},
		{"phone=0006d7aa2a2e", "lease mac", "settings applied"},
		{"phone=10.77.1.12", "not on the shelf", "lease mac"},
		{"phone=nobody-here", "The box knows no phone", "lease mac"},
		{"text=applied", "settings applied", "lease mac"},
	} {
		w := r.do(call{path: "/system/log?" + tt.query, basic: true})
		wantCode(t, w, http.StatusOK)
		wantText(t, w.Body.String(), tt.has)
		wantNoText(t, w.Body.String(), tt.lacks)
	}
	w := r.do(call{path: "/system/log?level=warn&phone=a+b", basic: true})
	wantText(t, w.Body.String(), `href="/system/log.txt?level=warn&amp;phone=a&#43;b"`, `hx-sse:connect="/system/log/stream?after=4&amp;level=warn&amp;phone=a&#43;b"`)
	w = r.do(call{path: "/system/log.txt?level=warn", basic: true})
	if body := w.Body.String(); !strings.HasPrefix(body, "2026-03-01T11:59:00.000Z WARN tftp: not on") || strings.Count(body, "\n") != 2 {
		t.Errorf("as text: %q, want the warning and the error, the oldest first", body)
	}
	var lines web.LogLines
	w = r.do(call{path: "/api/v1/log?after=3", basic: true})
	if err := json.Unmarshal(w.Body.Bytes(), &lines); err != nil || len(lines.Lines) != 1 || lines.Last != 4 {
		t.Errorf("after 3: %+v, %v, want line 4", lines, err)
	}
}

func TestBackupsAreSentAndNoted(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	w := r.do(call{path: "/system/backup", cookie: c})
	wantText(t, w.Body.String(), "8 files, 12 MB", `value="settings" checked`)
	wantNoText(t, w.Body.String(), `value="firmware" checked`)
	w = r.form("/system/backup", c, url.Values{"part": {"settings", "firmware"}, "passphrase": {"long enough"}, "again": {"long enough"}})
	if w.Body.String() != "backup of settings,firmware" || !strings.Contains(w.Header().Get("Content-Disposition"), "phonebox-harbour.tar.gz") {
		t.Errorf("got %q %v", w.Body, w.Header())
	}
	if got := r.reported(web.EventSecrets); len(got) != 1 || got[0].What != "A backup was made: Settings, Firmware, encrypted." {
		t.Errorf("noted: %+v, want that a backup was made", got)
	}
	for _, tt := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"part": {"settings"}, "passphrase": {"long enough"}, "again": {"other"}}, "are not the same"},
		{url.Values{"part": {"settings"}, "passphrase": {"short"}, "again": {"short"}}, "too short"},
		{url.Values{}, "Choose at least one of the parts."},
	} {
		w := r.form("/system/backup", c, tt.form)
		wantCode(t, w, http.StatusUnprocessableEntity)
		wantText(t, w.Body.String(), tt.want)
	}
	w = r.do(call{path: "/api/v1/backup?parts=settings,password", basic: true, header: map[string]string{"X-Phonebox-Passphrase": "horse"}})
	wantCode(t, w, http.StatusOK)
	if got := r.system.list(); !slices.Equal(got, []string{`backup settings,firmware "long enough"`, `backup settings,password "horse"`}) {
		t.Errorf("did %v", got)
	}
	if strings.Contains(r.log.String(), "horse") || strings.Contains(r.log.String(), "long enough") {
		t.Error("the log tells a passphrase")
	}
	r.system.refuse = errors.New("hunter2 cause")
	w = r.form("/system/backup", c, url.Values{"part": {"settings"}})
	wantCode(t, w, http.StatusInternalServerError)
	wantNoText(t, w.Body.String(), "hunter2")
}

// A backup that breaks off must not look whole.
func TestABackupThatBreaksOffIsCut(t *testing.T) {
	r := newRig(t, single)
	r.system.breaks = true
	r.run()
	r.setUpOver(http.DefaultClient)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL()+"api/v1/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return // cut before the first byte
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("got %q whole, want the connection cut", body)
	}
}

// upload sends a form with files and fields in this order: name, value pairs; a name with "@" is a file.
func (r *rig) upload(path string, cookie *http.Cookie, fields ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if name, file := strings.CutPrefix(fields[i], "@"); file {
			part, err := form.CreateFormFile(name, "file")
			if err != nil {
				r.t.Fatal(err)
			}
			_, _ = io.WriteString(part, fields[i+1])
			continue
		}
		_ = form.WriteField(fields[i], fields[i+1])
	}
	form.Close()
	return r.do(call{method: http.MethodPost, path: path, body: b.String(), cookie: cookie, header: map[string]string{"Content-Type": form.FormDataContentType(), "Sec-Fetch-Site": "same-origin"}})
}

func TestARestoreIsShownChosenDoneAndTakenBack(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	c := r.login()
	w := r.upload("/system/restore", c, "passphrase", "", "@file", "nonsense")
	wantCode(t, w, http.StatusUnprocessableEntity)
	wantText(t, w.Body.String(), "This is no backup of phonebox.")
	wantCode(t, r.upload("/system/restore", c, "passphrase", "wrong", "@file", "age..."), http.StatusUnprocessableEntity)
	w = r.upload("/system/restore", c, "passphrase", "right", "@file", "age...")
	wantCode(t, w, http.StatusSeeOther)
	w = r.do(call{path: "/system/restore", cookie: c})
	wantText(t, unmarked(w.Body.String()), "Router: 10.77.0.254 → 10.77.0.253", "Reception: Password of line 1 was changed", "Attic 09:00:00:00:00:00 with the line 211",
		"Cellar 08:00:00:00:00:00", "Bell.raw", "made by another version", "do not belong together", `value="certificate" disabled`)
	wantText(t, r.do(call{path: "/system/backup", cookie: c}).Body.String(), "waits for your decision")
	w = r.form("/system/restore/decide", c, url.Values{"id": {"ID1"}, "yes": {"1"}})
	wantCode(t, w, http.StatusUnprocessableEntity)
	w = r.form("/system/restore/decide", c, url.Values{"id": {"ID1"}, "yes": {"0"}})
	wantCode(t, w, http.StatusSeeOther)
	r.upload("/system/restore", c, "@file", "backup")
	r.shop.converts = []web.Conversion{{Label: "Reception"}}
	wantCode(t, r.form("/system/restore/decide", c, url.Values{"id": {"ID1"}, "yes": {"1"}, "part": {"settings"}}), http.StatusConflict)
	r.shop.converts = nil
	w = r.form("/system/restore/decide", c, url.Values{"id": {"ID1"}, "yes": {"1"}, "part": {"settings", "password"}})
	wantCode(t, w, http.StatusSeeOther)
	if renewed(w.Result().Cookies(), c) == c {
		t.Error("the password was restored and nobody is logged in anew")
	}
	w = r.do(call{path: "/system/backup", cookie: c})
	wantText(t, w.Body.String(), "A backup was restored at 12:00:00.", "Take it back")
	wantText(t, r.do(call{path: "/system/restore/undo", cookie: c}).Body.String(), "This works once.")
	r.shop.converts = []web.Conversion{{Label: "Reception"}}
	wantText(t, r.do(call{path: "/system/restore/undo", cookie: c}).Body.String(), "Reception", `name="anyway"`)
	w = r.form("/system/restore/undo", c, nil)
	wantCode(t, w, http.StatusConflict)
	wantText(t, w.Body.String(), "Tick the box if you mean it.")
	r.shop.converts = nil
	wantCode(t, r.form("/system/restore/undo", c, nil), http.StatusSeeOther)
	wantCode(t, r.form("/system/restore/undo", c, nil), http.StatusConflict)
	want := []string{"forget ID1", "restore ID1 settings,password", "undo"}
	if got := r.system.list(); !slices.Equal(got, want) {
		t.Errorf("did %v, want %v", got, want)
	}
	if got := r.reported(web.EventChanged); len(got) != 2 || !strings.HasPrefix(got[0].What, "A backup of Harbour Street office was restored: Settings, Password") {
		t.Errorf("reported %+v", got)
	}
}

func TestRestoreByAProgram(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	w := r.do(call{method: http.MethodPost, path: "/api/v1/restore?dry_run=1", body: "backup", basic: true})
	wantCode(t, w, http.StatusOK)
	var p web.RestorePreview
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || len(p.Parts) != 4 || p.Parts[0].Settings[1].Old != "" {
		t.Errorf("got %+v, %v", p, err)
	}
	wantCode(t, r.do(call{method: http.MethodPost, path: "/api/v1/restore", body: "nonsense", basic: true}), http.StatusUnprocessableEntity)
	r.shop.converts = []web.Conversion{{Label: "Reception"}}
	for _, path := range []string{"/api/v1/restore?parts=files", "/api/v1/restore/undo"} {
		w := r.do(call{method: http.MethodPost, path: path, body: "backup", basic: true})
		wantCode(t, w, http.StatusConflict)
		wantText(t, w.Body.String(), "A phone is writing firmware: Reception. Send ?anyway=1 if you mean it.")
	}
	wantCode(t, r.do(call{method: http.MethodPost, path: "/api/v1/restore?dry_run=1", body: "backup", basic: true}), http.StatusOK)
	r.shop.converts = nil
	wantCode(t, r.do(call{method: http.MethodPost, path: "/api/v1/restore?parts=files", body: "backup", basic: true}), http.StatusOK)
	wantCode(t, r.do(call{method: http.MethodPost, path: "/api/v1/restore/undo", basic: true}), http.StatusNoContent)
	wantCode(t, r.do(call{method: http.MethodPost, path: "/api/v1/restore/undo", basic: true}), http.StatusConflict)
	if got := r.system.list(); !slices.Equal(got, []string{"forget ID1", "forget ID1", "restore ID1 files", "undo"}) {
		t.Errorf("did %v", got)
	}
	if !slices.Contains(r.system.actors, "api 10.77.1.9") {
		t.Errorf("the box was told that %v act, want a program at 10.77.1.9", r.system.actors)
	}
}

func TestTheListOfChanges(t *testing.T) {
	r := newRig(t, nil)
	furnishSystem(r.system, r.clock.Now())
	r.setUp()
	w := r.do(call{path: "/system/changes", basic: true})
	wantText(t, unmarked(w.Body.String()), "10.77.0.20", "on this page", "by a program", "by a USB stick", "Router: 10.77.0.254 → 10.77.0.253", "and 12 more", `href="/phones/0006D7AA2A2E"`, "The last 1000 changes")
	for query, want := range map[string]string{"text=router": "<span>by a program", "how=api": "<span>on this page", "text=10.77.0.21": "USB stick with"} {
		wantNoText(t, r.do(call{path: "/system/changes?" + query, basic: true}).Body.String(), want)
	}
	wantText(t, r.do(call{path: "/system/changes?text=router&how=page", basic: true}).Body.String(), `href="/system/changes.csv?text=router&amp;how=page"`)
	wantText(t, r.do(call{path: "/system/changes?text=nothing+like+that", basic: true}).Body.String(), "No change matches.")
	w = r.do(call{path: "/system/changes.csv", basic: true})
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 1+4+1+1+1+1 {
		t.Fatalf("the CSV has %d rows, %v: %v", len(rows), err, rows)
	}
	last := rows[len(rows)-1]
	if !slices.Equal(last, []string{"2026-02-12T20:00:00Z", "", "file", "The settings were changed.", "", "name", "'=cmd()", "Harbour"}) {
		t.Errorf("the last row is %q, want what a spreadsheet does not take for a formula", last)
	}
	var got struct{ Changes []web.AuditEntry }
	if err := json.Unmarshal(r.do(call{path: "/api/v1/changes?how=stick", basic: true}).Body.Bytes(), &got); err != nil || len(got.Changes) != 1 || got.Changes[0].ID != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSettingsOfBeforeComeBack(t *testing.T) {
	r := newRig(t, nil)
	furnishSystem(r.system, r.clock.Now())
	r.setUp()
	c := r.login()
	w := r.do(call{path: "/system/versions", cookie: c})
	wantText(t, w.Body.String(), "In force until 11:00:00", "It differs from now in 4 places.", "cannot be in force now", "/system/versions/aaaa")
	wantNoText(t, w.Body.String(), `href="/system/versions/bbbb"`)
	w = r.do(call{path: "/system/versions/aaaa", cookie: c})
	wantText(t, unmarked(w.Body.String()), "Reception: Password of line 1 was changed", web.Mask)
	wantCode(t, r.do(call{path: "/system/versions/cccc", cookie: c}), http.StatusNotFound)
	wantCode(t, r.form("/system/versions/aaaa", c, url.Values{"etag": {`"now"`}}), http.StatusSeeOther)
	r.system.refuse = web.StaleError{}
	wantCode(t, r.form("/system/versions/aaaa", c, url.Values{"etag": {`"old"`}}), http.StatusPreconditionFailed)
	if got := r.system.list(); !slices.Equal(got, []string{`bring back aaaa "now"`}) {
		t.Errorf("did %v", got)
	}
}

func TestTheBundleForHelp(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	wantText(t, r.do(call{path: "/system/diagnostics", basic: true}).Body.String(), "about.txt", "The settings, masked.")
	w := r.do(call{path: "/system/diagnostics/about.txt", basic: true})
	if w.Body.String() != "a bundle\n" {
		t.Errorf("got %q", w.Body)
	}
	wantCode(t, r.do(call{path: "/system/diagnostics/nothing", basic: true}), http.StatusNotFound)
	for _, path := range []string{"/system/diagnostics.zip", "/api/v1/diagnostics"} {
		w = r.do(call{path: path, basic: true})
		z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
		if err != nil || len(z.File) != 3 {
			t.Fatalf("%s: %v", path, err)
		}
		f, err := z.Open("broken.txt")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(f)
		if string(body) != "This part could not be made.\n" {
			t.Errorf("the broken part is %q, want that it says so and nothing of the cause", body)
		}
	}
}

// pair makes a certificate and its key.
func pair(t testing.TB, names []string, until time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: until}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestACertificateOfOnesOwn(t *testing.T) {
	r := newRig(t, nil)
	r.run()
	r.setUp()
	c := r.login()
	shown := func() string {
		conn, err := tls.Dial("tcp", r.server.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return fmt.Sprintf("%x", conn.ConnectionState().PeerCertificates[0].Raw)
	}
	first := shown()
	later := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	good, key := pair(t, []string{"phonebox.voice.home.arpa"}, later)
	_, otherKey := pair(t, []string{"phonebox"}, later)
	old, oldKey := pair(t, []string{"phonebox"}, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	strange, strangeKey := pair(t, []string{"www.example.com"}, later)
	for _, tt := range []struct{ cert, key, want string }{
		{"", "", "There is no certificate in it."},
		{"garbage", key, "There is no certificate in it."},
		{good, "", "There has to be one key."},
		{good, otherKey, "The key does not belong to the certificate."},
		{good, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "protected by a passphrase"},
		{old, oldKey, "ran out on 1 February 2026"},
		{strange, strangeKey, "names www.example.com, and the box is none of these"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, "cannot be read"},
	} {
		w := r.upload("/system/certificate", c, "@certificate", tt.cert, "@key", tt.key)
		wantCode(t, w, http.StatusUnprocessableEntity)
		wantText(t, w.Body.String(), tt.want)
		if shown() != first {
			t.Fatalf("%s: another certificate is in use", tt.want)
		}
	}
	wantCode(t, r.upload("/system/certificate", c, "@certificate", good, "@key", key), http.StatusSeeOther)
	if block, _ := pem.Decode([]byte(good)); shown() != fmt.Sprintf("%x", block.Bytes) {
		t.Error("the uploaded certificate is not in use")
	}
	w := r.do(call{path: "/system/certificate", cookie: c})
	wantText(t, w.Body.String(), "a person, who uploaded it", "1 January 2027", "for it does not name these")
	wantNoText(t, w.Body.String(), "PRIVATE KEY")
	w = r.do(call{path: "/system/certificate/download", cookie: c})
	if w.Body.String() != good {
		t.Errorf("downloaded %q, want the certificate without its key", w.Body)
	}
	// It outlives new settings.
	if err := r.server.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	if shown() == first {
		t.Error("new settings took the uploaded certificate away")
	}
	wantText(t, r.do(call{path: "/system/certificate/new", cookie: c}).Body.String(), "Make a new certificate?")
	wantCode(t, r.form("/system/certificate/new", c, nil), http.StatusSeeOther)
	if now := shown(); now == first || strings.Contains(now, good) {
		t.Error("no new certificate is in use")
	}
	wantText(t, r.do(call{path: "/system/certificate", cookie: c}).Body.String(), "the box itself")
}

func FuzzUploadedCertificate(f *testing.F) {
	good, key := pair(f, []string{"phonebox"}, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	f.Add(good, key)
	f.Add(good+key, "")
	f.Fuzz(func(t *testing.T, cert, key string) {
		web.CheckCertForTest(cert, key)
	})
}

func TestTheSystemPagesNeedALogin(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	for _, path := range []string{"/system", "/system/log", "/system/log.txt", "/system/backup", "/system/restore", "/system/diagnostics.zip", "/system/changes.csv", "/system/versions", "/system/certificate", "/system/power?do=off"} {
		if w := r.do(call{path: path}); w.Code != http.StatusSeeOther {
			t.Errorf("%s without a login: %d, want the way to the login", path, w.Code)
		}
	}
	for _, path := range []string{"/api/v1/system", "/api/v1/log", "/api/v1/backup", "/api/v1/changes", "/api/v1/diagnostics"} {
		if w := r.do(call{path: path}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a login: %d, want 401", path, w.Code)
		}
	}
}

// unmarked takes the marks off names and values, which are not translated.
func unmarked(body string) string {
	return strings.NewReplacer(`<span translate="no">`, "", "</span>", "", "<span>", "").Replace(body)
}
