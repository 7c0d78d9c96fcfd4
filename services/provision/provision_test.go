package provision_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

var update = flag.Bool("update", false, "write the goldens in testdata anew")

// The phones of these tests and where they are.
var (
	reception = phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e} // listed, 7960, two lines
	workshop  = phone.MAC{0x00, 0x15, 0x62, 0x00, 0xa1, 0xb2} // listed, 7940, no password
	stranger  = phone.MAC{0x00, 0x0a, 0xb7, 0x01, 0x02, 0x03} // not listed

	receptionAt = netip.MustParseAddr("10.77.0.50")
	workshopAt  = netip.MustParseAddr("10.77.1.7")
	strangerAt  = netip.MustParseAddr("10.77.1.8")
	laptopAt    = netip.MustParseAddr("10.77.1.9")
)

const target = "P0S3-8-12-00"

// world is what the box knows of the phones, and it keeps what was released.
type world struct {
	mu       sync.Mutex
	running  map[phone.MAC]provision.Running
	seenAt   map[netip.Addr]phone.MAC
	wire     map[netip.Addr]phone.MAC // whose frames an address carries
	released []provision.Release
	guide    *guide // nil = there is none
	facts    map[phone.MAC]provision.Facts
}

// guide tells phones what the test says, and may be asked for more than that.
type guide struct {
	naming map[phone.MAC]phone.Naming
	why    string
	refuse map[phone.MAC]string // why a phone may not have an image
	asked  []string             // the images that it was asked about
}

func (g *guide) Naming(mac phone.MAC) (phone.Naming, string) { return g.naming[mac], g.why }

func (g *guide) MayFetch(mac phone.MAC, file phone.FileName) (bool, string) {
	g.asked = append(g.asked, mac.String()+" "+file.Clean)
	return g.refuse[mac] == "", g.refuse[mac]
}

// tell is a guide that tells the phones of these tests to take one load.
func tell(n phone.Naming) *guide {
	return &guide{naming: map[phone.MAC]phone.Naming{reception: n, workshop: n, stranger: n}}
}

// toTarget is the step of a phone that has the universal loader.
var toTarget = phone.Naming{OS79XX: target, ImageVersion: target, LoadInformation: target, Needs: target + ".loads"}

func (w *world) Running(mac phone.MAC) provision.Running {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[mac]
}

func (w *world) At(addr netip.Addr) (phone.MAC, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	mac, ok := w.seenAt[addr]
	return mac, ok
}

func (w *world) Holds(_ context.Context, addr netip.Addr, mac phone.MAC) (bool, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wire[addr] == mac {
		return true, ""
	}
	return false, "the frames of " + addr.String() + " carry another address"
}

func (w *world) release(r provision.Release) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.released = append(w.released, r)
}

func newWorld() *world {
	at := map[netip.Addr]phone.MAC{receptionAt: reception, workshopAt: workshop, strangerAt: stranger}
	wire := map[netip.Addr]phone.MAC{}
	for a, m := range at {
		wire[a] = m
	}
	return &world{running: map[phone.MAC]provision.Running{}, seenAt: at, wire: wire}
}

func office() provision.Config {
	return provision.Config{
		SiteName: "Harbour Street office", Box: netip.MustParseAddr("10.77.0.1"), HTTP: netip.MustParseAddrPort("10.77.0.1:80"),
		Domain: "voice.home.arpa", Zone: "Europe/Brussels", SNTPMode: "unicast", TimeEnabled: true,
		Proxy: "pbx.voice.home.arpa", ProxyPort: 5060, Register: true,
		Parameters: map[string]string{"preferred_codec": "g711alaw"},
		Phones: []provision.Phone{
			{
				MAC: reception, Model: "7960", Label: "Réception",
				Lines: []provision.Line{
					{Name: "208", AuthName: "208", Password: "hunter2", DisplayName: "Reception", ShortName: "Front"},
					{Name: "209", Password: "swordfish"},
				},
				Parameters: map[string]string{"messages_uri": "*97"},
			},
			{MAC: workshop, Model: "7940", Label: "Workshop", Lines: []provision.Line{{Name: "210", DisplayName: "Workshop"}}},
		},
	}
}

// start makes a Provisioner on a folder with files.
func start(t *testing.T, cfg provision.Config, w *world, files map[string][]byte) (*provision.Provisioner, string) {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, files)
	deps := provision.Deps{
		Dir: dir, Observer: w, Guard: w, Log: slog.New(slog.DiscardHandler), Released: w.release, LeastImage: 1,
		Facts: func(mac phone.MAC) provision.Facts { return w.facts[mac] },
		Now:   func() time.Time { return time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC) },
	}
	if w.guide != nil {
		deps.Guide = w.guide
	}
	p, err := provision.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return p, dir
}

func put(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// ring is the shortest ring.
func ring() []byte { return bytes.Repeat([]byte{0xff}, 240) }

func bundle(load string) map[string][]byte { return phone.MakeBundle(load, 2000, 3000) }

// with returns both sets of files.
func with(a, b map[string][]byte) map[string][]byte {
	c := map[string][]byte{}
	for _, m := range []map[string][]byte{a, b} {
		for k, v := range m {
			c[k] = v
		}
	}
	return c
}

func without(files map[string][]byte, name string) map[string][]byte {
	c := with(files, nil)
	delete(c, name)
	return c
}

// ask returns the answer and its bytes; the content must be as long as it says.
func ask(t *testing.T, p *provision.Provisioner, q provision.Query) (provision.Answer, string) {
	t.Helper()
	a := p.Answer(t.Context(), q)
	return a, content(t, a)
}

func content(t *testing.T, a provision.Answer) string {
	t.Helper()
	if a.Status != provision.OK {
		if a.Content != nil || a.Why == "" {
			t.Errorf("an answer that is %s has content or no reason: %+v", a.Status, a)
		}
		return ""
	}
	b, err := io.ReadAll(io.NewSectionReader(a.Content, 0, 1<<30))
	if err != nil || int64(len(b)) != a.Size {
		t.Errorf("read %d bytes of %d: %v", len(b), a.Size, err)
	}
	if a.Close != nil {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	return string(b)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs (-want +got):\n%s", name, cmp.Diff(string(want), string(got)))
	}
}

func TestGoldens(t *testing.T) {
	t.Parallel()
	cfg := office()
	w := newWorld()
	w.guide = &guide{naming: map[phone.MAC]phone.Naming{reception: toTarget}}
	w.running[reception] = provision.Running{Model: "7960", Loader: true, Protocol: phone.SCCP}
	p, _ := start(t, cfg, w, with(bundle(target), map[string][]byte{"Old_Style.raw": ring(), "rings/Bell.pcm": ring()}))
	for _, name := range []string{
		"SIPDefault.cnf", "SIP0006D7AA2A2E.cnf", "SEP0006D7AA2A2E.cnf.xml", "XMLDefault.cnf.xml", "OS79XX.TXT", "RINGLIST.DAT",
		"dialplan.xml", "syncinfo.xml",
	} {
		a, got := ask(t, p, provision.Query{Name: name, From: receptionAt})
		if a.Status != provision.OK || !a.Generated || a.MAC != reception || !a.Listed {
			t.Errorf("%s: %+v", name, a)
		}
		golden(t, name, []byte(got))
	}
	a, got := ask(t, p, provision.Query{Name: "SIP00156200A1B2.cnf", From: workshopAt})
	if a.Secret {
		t.Error("the file of a phone without password counts as secret")
	}
	golden(t, "SIP00156200A1B2.cnf", []byte(got))
}

// TestEveryAnswer walks phones.md a.8 and a.1: what each name gets, from whom.
func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p, _ := start(t, office(), w, map[string][]byte{
		"SEP000AB7010203.cnf.xml": nil, "CTLSEP0006D7AA2A2E.tlv": nil, "tone.raw": {1}, "gk000ab7010203": {1}, "folder/x.xml": {1},
	})
	for _, tt := range []struct {
		about, name string
		from        netip.Addr
		want        provision.Status
	}{
		{"a trust list is missing, harmlessly", "CTLSEP0006D7AA2A2E.tlv", receptionAt, provision.Harmless},
		{"also in lower case", "ctlsep0006d7aa2a2e.TLV", receptionAt, provision.Harmless},
		{"also for strangers", "ITLSEP000AB7010203.tlv", strangerAt, provision.Harmless},
		{"and for all", "ITLFile.tlv", laptopAt, provision.Harmless},
		{"MGCP is missing, harmlessly", "MGC0006D7AA2A2E.cnf", receptionAt, provision.Harmless},
		{"an empty SEP file is never sent", "SEP000AB7010203.cnf.xml", strangerAt, provision.Missing},
		{"a stranger has no configuration", "SIP000AB7010203.cnf", strangerAt, provision.Missing},
		{"a name in lower case behind ./", "./sip0006d7aa2a2e.cnf", receptionAt, provision.OK},
		{"a name in a folder of tftp_cfg_dir", "phones/SIP0006D7AA2A2E.cnf", receptionAt, provision.OK},
		{"the default file is for all", "/SIPDefault.cnf", strangerAt, provision.OK},
		{"whoever they are", "sipdefault.CNF", laptopAt, provision.OK},
		{"another's file", "SIP0006D7AA2A2E.cnf", workshopAt, provision.Refused},
		{"another's load", "SEP0006D7AA2A2E.cnf.xml", laptopAt, provision.Refused},
		{"another's own file", "gk000ab7010203", laptopAt, provision.Refused},
		{"one's own file", "GK000AB7010203", strangerAt, provision.OK},
		{"a ring", "TONE.RAW", receptionAt, provision.OK},
		{"a ring that is not there", "bell.pcm", receptionAt, provision.Missing},
		{"locale files are built in", "/7960-font.xml", receptionAt, provision.Harmless},
		{"in a folder too", "US/7960-tones.xml", receptionAt, provision.Harmless},
		{"very old images", "SEPDEFAULT.cnf", receptionAt, provision.Missing},
		{"outside of the root", "../../etc/passwd", receptionAt, provision.Missing},
		{"an absolute name", "/etc/passwd", receptionAt, provision.Missing},
		{"a directory", "folder", receptionAt, provision.Missing},
		{"the root", "", receptionAt, provision.Missing},
		{"the root again", "/", receptionAt, provision.Missing},
		{"a NUL", "SIP\x00Default.cnf", receptionAt, provision.Missing},
		{"a file of a folder", "Folder/X.xml", laptopAt, provision.OK},
		{"the generated configuration outside of the root", "../SIPDefault.cnf", receptionAt, provision.Missing},
		{"firmware that is not there", "P0S3-8-12-00.loads", receptionAt, provision.Missing},
		{"no load for the stranger", "XMLDefault.cnf.xml", strangerAt, provision.Missing},
		{"nor here", "OS79XX.TXT", strangerAt, provision.Harmless},
		{"check-sync", "syncinfo.xml", strangerAt, provision.OK},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			if a, _ := ask(t, p, provision.Query{Name: tt.name, From: tt.from}); a.Status != tt.want {
				t.Errorf("%q is %s (%s), want %s", tt.name, a.Status, a.Why, tt.want)
			}
		})
	}
}

func TestUnlistedPhoneIsToldToBeAdded(t *testing.T) {
	t.Parallel()
	p, _ := start(t, office(), newWorld(), nil)
	a, _ := ask(t, p, provision.Query{Name: "SIP000AB7010203.cnf", From: strangerAt})
	if !strings.Contains(a.Why, "add it to the site") || a.MAC != stranger || a.Listed {
		t.Errorf("%+v", a)
	}
}

func TestSettingsThatCannotBeWrittenAreRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p, _ := start(t, office(), w, nil)
	_, before := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt})
	cfg := office()
	cfg.Proxy = "elsewhere"
	cfg.Parameters = map[string]string{"tos_media": "9"}
	cfg.Phones[0].Lines[0].Password = "top\"secret"
	cfg.Phones[1].Lines[0].DisplayName = strings.Repeat("x", 40)
	err := p.Apply(cfg)
	if err == nil {
		t.Fatal("wrong settings were taken")
	}
	for _, want := range []string{"tos_media", "line1_password", "line1_displayname", "SIP0006D7AA2A2E.cnf", "SIP00156200A1B2.cnf"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows a password: %v", err)
	}
	if _, after := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt}); after != before {
		t.Error("the last good settings did not stay in force")
	}
	cfg = office()
	cfg.Zone = "Europe/Atlantis"
	if err := p.Apply(cfg); err == nil {
		t.Error("a zone that does not exist was taken")
	}
	cfg = office()
	cfg.Proxy = "192.0.2.1"
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if _, got := ask(t, p, provision.Query{Name: "SIPDefault.cnf", From: laptopAt}); !strings.Contains(got, "proxy1_address: \"192.0.2.1\"\n") {
		t.Error("the new settings are not in force")
	}
}

func TestWithoutProxyNothingRegisters(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Proxy, cfg.TimeEnabled = "", false
	p, _ := start(t, cfg, newWorld(), nil)
	_, got := ask(t, p, provision.Query{Name: "SIPDefault.cnf", From: laptopAt})
	for _, want := range []string{"proxy_register: 0\n", "proxy1_address: \"UNPROVISIONED\"\n", "sntp_server: \"\"\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the file", want)
		}
	}
	if _, got := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt}); !strings.Contains(got, "line1_name: \"208\"\n") {
		t.Error("the lines are not written")
	}
}

func TestLinesOfTheModelThatIsSeen(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Phones[0].Model = ""
	w := newWorld()
	p, _ := start(t, cfg, w, nil)
	for model, last := range map[string]string{"": "line6_password", "7960": "line6_password", "7940": "line2_password"} {
		w.mu.Lock()
		w.running[reception] = provision.Running{Model: model}
		w.mu.Unlock()
		_, got := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt})
		if !strings.Contains(got, last) || strings.Contains(got, "line3_name") != (last == "line6_password") {
			t.Errorf("model %q: the wrong lines are written", model)
		}
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	cfg := office()
	for i := range 62 {
		n := string(rune('A' + i%26))
		cfg.Phones[1].Lines = append(cfg.Phones[1].Lines, provision.Line{Name: "3" + n + string(rune('0'+i/26)), DisplayName: n + " & Söhne"})
	}
	p, _ := start(t, cfg, newWorld(), nil)
	var all strings.Builder
	page, pages := "", 0
	for {
		a, header := p.HTTP(t.Context(), receptionAt, "directory.xml", page)
		body := content(t, a)
		if n := strings.Count(body, "<DirectoryEntry>"); n > 32 || a.ContentType != "text/xml" || a.MAC != reception {
			t.Errorf("page %q has %d entries: %+v", page, n, a)
		}
		all.WriteString(body)
		pages++
		next, ok := strings.CutPrefix(header.Get("Refresh"), "0; url=http://10.77.0.1/phone/directory.xml?")
		if !ok {
			break
		}
		page = next
	}
	if n := strings.Count(all.String(), "<DirectoryEntry>"); n != 65 || pages != 3 {
		t.Errorf("%d entries on %d pages, want 65 on 3", n, pages)
	}
	a, _ := p.HTTP(t.Context(), receptionAt, "services.xml", "")
	golden(t, "services.xml", []byte(content(t, a)))
	a, _ = p.HTTP(t.Context(), laptopAt, "logo.bmp", "")
	golden(t, "logo.bmp", []byte(content(t, a)))
	if a.Size != phone.LogoSize || a.ContentType != "image/bmp" {
		t.Errorf("the logo: %+v", a)
	}
	if a, _ := p.HTTP(t.Context(), laptopAt, "SIP0006D7AA2A2E.cnf", ""); a.Status != provision.Missing {
		t.Errorf("a configuration over HTTP: %+v", a)
	}
}

var discard = slog.New(slog.DiscardHandler)
