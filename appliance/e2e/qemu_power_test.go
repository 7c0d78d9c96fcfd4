package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// browser is somebody who is logged in over HTTPS. It keeps the cookie of its session, and once it was told to trust an
// authority it trusts nobody else.
type browser struct {
	m      *machine
	client *http.Client
}

// browser opens one that goes past the warning of a certificate that the box made itself.
func (m *machine) browser() *browser {
	m.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	b := &browser{m: m, client: m.client(m.lan.Node("laptop"))}
	b.client.Jar = jar
	b.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return b
}

// logIn opens a session.
func (b *browser) logIn() {
	b.m.t.Helper()
	if code, body := b.try(http.MethodGet, "/system", "", nil); code != http.StatusSeeOther {
		b.m.t.Errorf("the page without a session: found %d: %.300s", code, body)
	}
	if code, body := b.post("/login", url.Values{"password": {password}}); code != http.StatusSeeOther {
		b.m.t.Fatalf("logging in: found %d: %.300s", code, body)
	}
	b.wantPage("/system", "Restart and shut down", "Restart the computer")
}

// loggedIn is a browser with a session.
func (m *machine) loggedIn() *browser {
	m.t.Helper()
	b := m.browser()
	b.logIn()
	return b
}

func (b *browser) trustOnly(pool *x509.CertPool) {
	b.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
}

// try sends a request; the code is 0 where nobody answers, or somebody with another certificate.
func (b *browser) try(method, path, kind string, body io.Reader) (code int, text string) {
	req, err := http.NewRequestWithContext(b.m.t.Context(), method, "https://"+boxAddr+path, body)
	if err != nil {
		b.m.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

func (b *browser) post(path string, form url.Values) (code int, text string) {
	return b.try(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// wantPage looks for words on a page, which nobody without a session sees.
func (b *browser) wantPage(path string, words ...string) {
	b.m.t.Helper()
	code, body := b.try(http.MethodGet, path, "", nil)
	for _, w := range words {
		if code != http.StatusOK || !strings.Contains(body, w) {
			b.m.t.Errorf("the page %s (%d) lacks %q:\n%s", path, code, w, body)
		}
	}
}

// power does what the page of the System offers: it asks first, says what happens, and says so again when it was told.
func (b *browser) power(do, before, after string) {
	b.m.t.Helper()
	b.wantPage("/system/power?do="+do, before, "Leave it")
	code, body := b.post("/system/power", url.Values{"do": {do}})
	if code != http.StatusOK || !strings.Contains(body, after) {
		b.m.t.Fatalf("%s: found %d without %q:\n%s", do, code, after, body)
	}
}

// ownCertificate uploads a certificate of an authority of the test's own, and trusts nobody else from then on.
func (b *browser) ownCertificate() {
	b.m.t.Helper()
	ca := newAuthority(b.m.t)
	cert := ca.certificate(b.m.t, boxAddr, "phonebox.voice.home.arpa")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		b.m.t.Fatal(err)
	}
	body, kind := formOf(b.m.t, "", map[string][]byte{
		"certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		"key":         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	})
	if code, text := b.try(http.MethodPost, "/system/certificate", kind, body); code != http.StatusSeeOther {
		b.m.t.Fatalf("uploading a certificate: found %d: %s", code, text)
	}
	b.trustOnly(newAuthority(b.m.t).pool())
	if code, text := b.try(http.MethodGet, "/system/certificate", "", nil); code != 0 || !strings.Contains(text, "certificate") {
		b.m.t.Errorf("a browser that does not trust the certificate: found %d %s", code, text)
	}
	b.trustOnly(ca.pool())
	b.wantPage("/system/certificate", "Authority of the test")
}

// uptimes are how long the daemon and its computer run; false while the box does not tell.
func (b *browser) uptimes() (daemon, computer time.Duration, ok bool) {
	var up [2]struct {
		Seconds float64 `json:"uptime_s"`
	}
	for i, path := range []string{"/api/v1/status", "/api/v1/system"} {
		code, body := b.try(http.MethodGet, path, "", nil)
		if code != http.StatusOK || json.Unmarshal([]byte(body), &up[i]) != nil {
			return 0, 0, false
		}
	}
	whole := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return whole(up[0].Seconds), whole(up[1].Seconds), true
}

// restart restarts the computer on the page, and waits until it is back; the session goes on.
func (b *browser) restart() {
	b.m.t.Helper()
	screen := len(b.m.proc.Output())
	began := time.Now()
	b.power("reboot", "That takes about a minute.", "The computer restarts.")
	// That it does not answer for a moment can have other reasons on a busy machine.
	testkit.Eventually(b.m.t, bootPatience, "the computer runs anew", func() bool {
		_, computer, ok := b.uptimes()
		return ok && computer < time.Since(began)
	})
	b.m.putAway(screen)
}

// shutDown shuts the computer down on the page: it switches itself off, and nothing has to be repaired on its disk.
func (b *browser) shutDown() {
	b.m.t.Helper()
	screen := len(b.m.proc.Output())
	b.power("off", "stays off until somebody cuts the power and gives it back", "The computer shuts down.")
	select {
	case <-b.m.proc.Ended():
	case <-time.After(bootPatience):
		b.m.t.Fatal("the computer does not switch itself off")
	}
	if err := b.m.proc.Wait(); err != nil {
		b.m.t.Errorf("QEMU ended with %v, wanted that the computer was switched off", err)
	}
	b.m.putAway(screen)
	b.m.cleanDisk()
}

// restartByPage restarts the computer, whose real-time clock was 2020, as a person does on the page. It must come back by
// itself, with all that it had: its clock was corrected with the system clock, the session goes on, and so do the certificate,
// the settings and the leases.
func (r *qemuRun) restartByPage() {
	r.t.Helper()
	b := r.loggedIn()
	b.ownCertificate()
	site, _ := r.box.site()
	b.restart()
	if c := r.status().Clock; !c.Trusted || !strings.Contains(c.Source, "real-time clock") {
		r.t.Errorf("after a reboot the clock is %+v, wanted it from the real-time clock, which was set too", c)
	}
	r.rightTime("after a reboot")
	b.wantPage("/system/certificate", "Authority of the test")
	if now, _ := r.box.site(); string(now) != string(site) {
		r.t.Errorf("after a restart the settings are\n%s\nthey were\n%s", now, site)
	}
	if e := r.phone(r.mac); e.Address != r.phoneAddress {
		r.t.Errorf("after a restart the box tells %+v, wanted it at %s", e, r.phoneAddress)
	}
	b.wantPage("/system/changes", "The computer was told to restart.", "10.77.0.20")
	r.wasNoted("The computer was told to restart (from 10.77.0.20)")
	if result := r.phoneAsksTime(); result.Address.String() != r.phoneAddress {
		r.t.Errorf("after a restart the phone got %s, it had %s", result.Address, r.phoneAddress)
	}
}

// wasNoted looks for a sentence in the box's own timeline.
func (r *qemuRun) wasNoted(sentence string) {
	r.t.Helper()
	told := r.events(phone.MAC{})
	if !slices.ContainsFunc(told, func(e event) bool { return strings.Contains(e.Text, sentence) }) {
		r.t.Errorf("the box's own timeline does not say %q: %+v", sentence, told)
	}
}

// restartDaemon restarts the daemon alone, which on the box is gokrazy's to start again.
func (r *qemuRun) restartDaemon() {
	r.t.Helper()
	b := r.loggedIn()
	_, before, ok := b.uptimes()
	if !ok {
		r.t.Fatal("the box does not tell how long it runs")
	}
	began := time.Now()
	b.power("restart", "That takes a few seconds.", "phonebox restarts.")
	testkit.Eventually(r.t, bootPatience, "the daemon runs anew", func() bool {
		daemon, _, ok := b.uptimes()
		return ok && daemon < time.Since(began)
	})
	if _, now, ok := b.uptimes(); !ok || now < before {
		r.t.Errorf("the computer runs for %s, it was %s before its daemon was restarted: wanted it to go on", now, before)
	}
	r.wasNoted("phonebox was told to restart (from 10.77.0.20)")
	b.wantPage("/system/changes", "phonebox was told to restart.")
	r.waitServing()
}

// restartAndShutDown does both on the page of a newcomer, who sets his first password before.
func (m *machine) restartAndShutDown() {
	m.t.Helper()
	b := m.browser()
	if code, body := b.try(http.MethodPost, "/api/v1/setup", "application/json", strings.NewReader(`{"password":"`+password+`"}`)); code != http.StatusNoContent {
		m.t.Fatalf("setting the first password: found %d: %s", code, body)
	}
	b.logIn()
	b.restart()
	b.shutDown()
}

// putAway looks at what the screen said since: the disk was put away, and nothing of it had to be repaired.
func (m *machine) putAway(since int) {
	m.t.Helper()
	said := m.proc.Output()[since:]
	if !strings.Contains(said, "Unmounting /perm") || strings.Contains(said, "unmounting /perm failed") || strings.Contains(said, "recovery complete") {
		m.t.Errorf("the computer did not put its disk away; its screen said:\n%s", said)
	}
}

// cleanDisk looks at the file system that leases and settings are in, while the computer is off.
func (m *machine) cleanDisk() {
	m.t.Helper()
	at := m.permPartition()
	if m.wantsRepair() {
		m.t.Error("the file system was not put away: the next start has to repair it")
	}
	if out, err := exec.Command("e2fsck", "-fn", at).CombinedOutput(); err != nil {
		m.t.Errorf("e2fsck: %v: %s", err, out)
	}
}

// wantsRepair reports whether the file system was in use when the power went.
func (m *machine) wantsRepair() bool {
	m.t.Helper()
	head, err := exec.Command("dumpe2fs", "-h", m.permPartition()).CombinedOutput()
	if err != nil || !strings.Contains(string(head), "Filesystem features:") {
		m.t.Fatalf("dumpe2fs: %v: %s", err, head)
	}
	return strings.Contains(string(head), "needs_recovery")
}

// permPartition is /perm in the file of the disk, as the programs of e2fsprogs find it.
func (m *machine) permPartition() string {
	m.t.Helper()
	out, err := exec.Command("partx", "--raw", "--noheadings", "--output", "START", "--nr", "4", m.disk).Output()
	start, wrong := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil || wrong != nil {
		m.t.Fatalf("looking for the partition: %v, %v: %q", err, wrong, out)
	}
	const sector = 512
	return m.disk + "?offset=" + strconv.FormatInt(start*sector, 10)
}
