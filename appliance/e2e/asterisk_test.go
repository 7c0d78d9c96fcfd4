//go:build asterisk

package e2e_test

import (
	"fmt"
	"html"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// asterisk is Asterisk in a namespace of its own.
type asterisk struct {
	t       *testing.T
	folder  string
	command []string
}

// findAsterisk returns how to run Asterisk, and what asterisk.conf has to say of its folders: of the packages that are unpacked in
// $PHONEBOX_ASTERISK_ROOT, else the program $PHONEBOX_ASTERISK, else the one that is installed. Debian 12 has none.
func findAsterisk(t *testing.T) (command []string, folders string) {
	t.Helper()
	if root := os.Getenv("PHONEBOX_ASTERISK_ROOT"); root != "" {
		loaders, err := filepath.Glob(root + "/lib/*/ld-[0-9l]*")
		if err != nil || len(loaders) == 0 {
			t.Fatalf("%s has no loader of programs (%v)", root, err)
		}
		lib := filepath.Dir(loaders[0])
		usr := root + "/usr" + strings.TrimPrefix(lib, root)
		command = []string{loaders[0], "--library-path", strings.Join([]string{lib, usr, usr + "/asterisk", root + "/usr/lib"}, ":"), root + "/usr/sbin/asterisk"}
		return command, "astmoddir => " + root + "/usr/lib/asterisk/modules\nastdatadir => " + root + "/usr/share/asterisk\n"
	}
	if given := os.Getenv("PHONEBOX_ASTERISK"); given != "" {
		return []string{given}, ""
	}
	found, err := exec.LookPath("asterisk")
	if err != nil {
		t.Fatalf("there is no Asterisk here (%v); docs/testing.md says where one comes from", err)
	}
	return []string{found}, ""
}

// startAsterisk starts Asterisk with one file of its own, and without the other driver of SIP.
func startAsterisk(t *testing.T, n *testkit.Node, file, text, without string) *asterisk {
	t.Helper()
	command, folders := findAsterisk(t)
	// Its control socket has a name of at most 107 bytes, and the test's own folder may be deeper.
	dir, err := os.MkdirTemp("", "ast")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, key := range []string{"etc", "varlib", "db", "key", "agi", "spool", "run", "log"} {
		if err := os.Mkdir(filepath.Join(dir, key), 0o700); err != nil {
			t.Fatal(err)
		}
		folders += fmt.Sprintf("ast%sdir => %s/%s\n", key, dir, key)
	}
	for name, content := range map[string]string{
		"asterisk.conf": "[directories]\n" + folders, "modules.conf": "[modules]\nautoload=yes\nnoload=" + without + "\n", file: text,
	} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := &asterisk{t: t, folder: dir, command: append(command, "-C", dir+"/etc/asterisk.conf")}
	args := append(append([]string{}, a.command...), "-f")
	n.Start(t, args[0], args[1:]...)
	testkit.Eventually(t, patience, "Asterisk is up", func() bool { return strings.Contains(a.say("core waitfullybooted"), "fully booted") })
	return a
}

// say runs a command on Asterisk's console; "" while it does not answer.
func (a *asterisk) say(command string) string {
	a.t.Helper()
	args := append(append([]string{}, a.command...), "-rx", command)
	out, err := exec.CommandContext(a.t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return ""
	}
	return string(out)
}

// snippet is the text for a telephone system, as the page gives it with its passwords.
func (b *box) snippet(preset string) string {
	b.t.Helper()
	code, body, _ := b.call(b.laptop, http.MethodPost, "/settings/pbx/"+preset, []byte("secrets=yes"), "Content-Type", "application/x-www-form-urlencoded")
	_, rest, ok := strings.Cut(string(body), `<pre id="snippet"`)
	_, rest, _ = strings.Cut(rest, ">")
	text, _, closed := strings.Cut(rest, "</pre>")
	if code != http.StatusOK || !ok || !closed {
		b.t.Fatalf("the text for %s: %d %s", preset, code, body)
	}
	return html.UnescapeString(text)
}

// TestSnippetsInAsterisk puts the texts that the page makes into a real Asterisk, looks at what it lists, and lets a virtual phone
// register there with the settings of the preset. It is built with the tag asterisk alone, and fails where there is none: no
// release of Debian that is still cared for has a package with both drivers. In services/phone/pbx the texts are read strictly
// on every change.
func TestSnippetsInAsterisk(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "netns")
	findAsterisk(t)
	for _, tt := range []struct{ preset, file, without, list, contact string }{
		{"asterisk-pjsip", "pjsip.conf", "chan_sip.so", "pjsip show endpoints", "pjsip show contacts"},
		{"asterisk-sip", "sip.conf", "chan_pjsip.so\nnoload=res_pjsip.so", "sip show peers", "sip show peers"},
	} {
		t.Run(tt.preset, func(t *testing.T) {
			lan := office(t, testkit.Host{Name: "pbx", Addr: netip.MustParsePrefix(pbxAddr + "/16")}, testkit.Host{Name: "wire"})
			mac := mustMAC("00:06:d7:67:00:00")
			b := startBox(t, lan, site{
				sip: `proxy = "pbx.voice.home.arpa"` + "\n[sip.parameters]\nnat_enable = \"1\"\ntelnet_level = \"0\"", dns: "[dns.hosts]\npbx = \"" + pbxAddr + "\"",
				phones: []sitePhone{{mac: mac, label: "Front [desk]; yes", line: "208"}},
			}.text(), nil)
			text := b.snippet(tt.preset)
			if !strings.Contains(text, "secret-208") {
				t.Fatalf("the text lacks the password:\n%s", text)
			}
			a := startAsterisk(t, lan.Node("pbx"), tt.file, text, tt.without)
			if list := a.say(tt.list); !strings.Contains(list, "208") {
				t.Fatalf("Asterisk does not list the line:\n%s\nof\n%s", list, text)
			}
			p, _ := plug(t, phonesim.Config{Link: newWire(t, lan.Node("wire")), MAC: mac})
			waitDone(t, p, time.Minute)
			address := p.Result().Address.String()
			testkit.Eventually(t, 30*time.Second, "the phone is registered at Asterisk", func() bool { return strings.Contains(a.say(tt.contact), address) })
			if code := p.Result().RegisterCode; code != 200 {
				t.Errorf("the phone was answered %d, want 200", code)
			}
			t.Logf("%s", a.say(tt.list))
			b.healthy()
		})
	}
}
