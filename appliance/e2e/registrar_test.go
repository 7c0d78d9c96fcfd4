package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

const pbxAddr = "10.77.0.10"

// registrarConfig is kamailio as the PBX of the office: digest for line 208, and nobody else is known.
const registrarConfig = `#!KAMAILIO
debug=1
log_stderror=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:` + pbxAddr + `:5060
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "ctl.so"
modparam("usrloc", "db_mode", 0)
modparam("ctl", "binrpc", "unix:FOLDER/ctl")
request_route {
  if (!is_method("REGISTER")) {
    sl_send_reply("405", "Method Not Allowed");
    exit;
  }
  xlog("L_ERR", "REGISTER $tU from $si ct=[$ct]\n");
  if ($tU != "208") {
    sl_send_reply("404", "Not Found");
    exit;
  }
  if (!pv_www_authenticate("$td", "secret-208", "0")) {
    www_challenge("$td", "1");
    exit;
  }
  save("location");
}
`

// registerScenario is a phone that registers for an hour.
const registerScenario = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="phone that registers">
  <send retrans="500"><![CDATA[
REGISTER sip:pbx.voice.home.arpa SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:208@pbx.voice.home.arpa>;tag=[call_number]
To: <sip:208@pbx.voice.home.arpa>
Call-ID: [call_id]
CSeq: 101 REGISTER
Contact: <sip:208@[local_ip]:[local_port]>
Expires: 3600
Content-Length: 0

]]></send>
  <recv response="401" auth="true"/>
  <send retrans="500"><![CDATA[
REGISTER sip:pbx.voice.home.arpa SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:208@pbx.voice.home.arpa>;tag=[call_number]
To: <sip:208@pbx.voice.home.arpa>
Call-ID: [call_id]
CSeq: 102 REGISTER
Contact: <sip:208@[local_ip]:[local_port]>
[authentication username=208 password=secret-208]
Expires: 3600
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
`

// pbx is kamailio in a namespace of its own.
type pbx struct {
	t      *testing.T
	folder string
	proc   *testkit.Process
}

func startPBX(t *testing.T, n *testkit.Node) *pbx {
	t.Helper()
	// Its control socket has a name of at most 107 bytes, and the test's own folder may be deeper.
	folder, err := os.MkdirTemp("", "pbx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	config := filepath.Join(folder, "kamailio.cfg")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(registrarConfig, "FOLDER", folder)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &pbx{t: t, folder: folder}
	p.proc = n.Start(t, "kamailio", "-DD", "-E", "-f", config, "-w", folder, "-Y", folder, "-m", "32", "-M", "4")
	testkit.Eventually(t, patience, "kamailio takes commands", func() bool {
		return exec.CommandContext(t.Context(), "kamcmd", "-s", "unix:"+folder+"/ctl", "core.version").Run() == nil
	})
	return p
}

// registered returns what is registered, without what changes by itself; "" = nothing.
func (p *pbx) registered() string {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), "kamcmd", "-s", "unix:"+p.folder+"/ctl", "ul.dump").CombinedOutput()
	if err != nil {
		p.t.Fatalf("kamcmd: %v: %s", err, out)
	}
	if !strings.Contains(string(out), "Address: ") {
		return ""
	}
	return regexp.MustCompile(`(?m)^\s*(Expires|Max-Slots|Size): .*\n`).ReplaceAllString(string(out), "")
}

// lineCheck is an element of the answer to POST .../check.
type lineCheck struct {
	Line                            int
	Name, Proxy, Verdict, Text, NAT string
	OK                              bool
}

// checkLine has the box check the one line of the desk phone.
func (b *box) checkLine() lineCheck {
	b.t.Helper()
	return b.checkLineOf(deskMAC)
}

// checkAnswered is checkLine at a registrar that is there. On a busy machine kamailio may take longer than the box waits.
func (b *box) checkAnswered() (c lineCheck) {
	b.t.Helper()
	for range 5 {
		if c = b.checkLine(); c.Verdict != "no_answer" {
			break
		}
		b.t.Logf("the registrar took too long: %+v", c)
	}
	return c
}

// checkLineOf has the box check the one line of a phone.
func (b *box) checkLineOf(mac phone.MAC) lineCheck {
	b.t.Helper()
	code, body, _ := b.call(b.laptop, http.MethodPost, "/api/v1/phones/"+mac.String()+"/check", nil)
	var checks []lineCheck
	if err := json.Unmarshal(body, &checks); err != nil || code != http.StatusOK || len(checks) != 1 {
		b.t.Fatalf("checking the lines: %d %s: %v", code, body, err)
	}
	if strings.Contains(string(body), "secret-") {
		b.t.Errorf("the password is in the answer: %s", body)
	}
	return checks[0]
}

// edit replaces a part of the settings.
func (b *box) edit(old, now string) {
	b.t.Helper()
	text, _ := b.site()
	if !strings.Contains(string(text), old) {
		b.t.Fatalf("%q is not in the settings:\n%s", old, text)
	}
	if code, why := b.putSite([]byte(strings.Replace(string(text), old, now, 1))); code != http.StatusNoContent {
		b.t.Fatalf("putting %q for %q: %d %+v", now, old, code, why)
	}
}

// TestRegistrar checks a line through the daemon's face: the proxy is found through the box's own names, the password is
// tried at a real registrar, and the registration of the phone, a sipp, stays what it was.
func TestRegistrar(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "netns", "kamailio", "kamcmd", "sipp")
	lan := office(t,
		testkit.Host{Name: "pbx", Addr: netip.MustParsePrefix(pbxAddr + "/16")},
		testkit.Host{Name: "desk", MAC: deskMAC.String(), Addr: netip.MustParsePrefix("10.77.0.50/16")})
	pbx := startPBX(t, lan.Node("pbx"))
	b := startBox(t, lan, site{
		sip: `proxy = "pbx.voice.home.arpa"`, dns: "[dns.hosts]\npbx = \"" + pbxAddr + "\"",
		phones: []sitePhone{{mac: deskMAC, label: "Front desk", line: "208", address: "10.77.0.50"}},
	}.text(), nil)

	if c := b.checkAnswered(); !c.OK || c.Verdict != "right_password" || c.Line != 1 || c.Name != "208" || c.NAT != "" || !strings.Contains(c.Text, pbxAddr) {
		t.Errorf("the right password: %+v", c)
	}
	if left := pbx.registered(); left != "" {
		t.Errorf("the box is still registered:\n%s", left)
	}
	if !regexp.MustCompile(`REGISTER 208 from ` + boxAddr + ` ct=\[<sip:phonebox-check-[0-9a-f]+@` + boxAddr).MatchString(pbx.proc.Output()) {
		t.Error("the box never registered")
	}

	scenario := filepath.Join(pbx.folder, "register.xml")
	if err := os.WriteFile(scenario, []byte(registerScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	lan.Node("desk").Run(t, "env", "TERM=dumb", "sipp", "-sf", scenario, "-i", "10.77.0.50", "-p", "5060", "-m", "1", "-nostdin",
		"-timeout", "30s", "-timeout_error", pbxAddr)
	desk := pbx.registered()
	if !strings.Contains(desk, "sip:208@10.77.0.50:5060") {
		t.Fatalf("the phone is not registered:\n%s", desk)
	}
	if c := b.checkAnswered(); !c.OK || !strings.Contains(c.Text, "One phone is registered") {
		t.Errorf("the right password, with the phone registered: %+v", c)
	}

	b.edit(`"secret-208"`, `"secret-209"`)
	if c := b.checkAnswered(); c.OK || c.Verdict != "wrong_password" || !strings.Contains(c.Text, "authname 208") {
		t.Errorf("a wrong password: %+v", c)
	}
	b.edit(`"pbx.voice.home.arpa"`, `"nobody.voice.home.arpa"`)
	if c := b.checkLine(); c.OK || c.Verdict != "name_not_found" || !strings.Contains(c.Text, "nobody.voice.home.arpa") {
		t.Errorf("a name that is not there: %+v", c)
	}
	b.edit(`"nobody.voice.home.arpa"`, `"10.77.0.99"`)
	if c := b.checkLine(); c.OK || c.Verdict != "no_answer" || !strings.Contains(c.Text, "10.77.0.99 port 5060") {
		t.Errorf("an address that nobody has: %+v", c)
	}

	if now := pbx.registered(); now != desk {
		t.Errorf("the phone's registration changed from\n%s\nto\n%s", desk, now)
	}
	if log := b.proc.Output(); strings.Contains(log, "secret-20") {
		t.Error("the password is in the log")
	}
	b.healthy()
}
