package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	tftpclient "github.com/pin/tftp/v3"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// deskMAC is a listed phone that a namespace with real programs plays.
var deskMAC = mustMAC("00:06:d7:aa:2a:2e")

// TestClients serves clients that nobody here wrote.
func TestClients(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "netns", "udhcpc", "dhclient", "atftp", "tftp", "curl", "ntpdate", "chronyd", "dig", "sipp")
	lan := office(t,
		testkit.Host{Name: "pc1", MAC: "02:00:00:00:77:31"}, testkit.Host{Name: "pc2", MAC: "02:00:00:00:77:32"},
		testkit.Host{Name: "desk", MAC: deskMAC.String()},
		testkit.Host{Name: "ntp", Addr: netip.MustParsePrefix("10.77.0.30/16")})
	startUpstreamNTP(t, lan.Node("ntp"))
	files := map[string][]byte{
		"chime.pcm": bytes.Repeat([]byte("chime"), 12_000),
		"even.pcm":  bytes.Repeat([]byte("0123456789abcdef"), 40*512/16), // ends with an empty block
	}
	for name, content := range phone.MakeBundle("P0S3-8-12-00", 130_552, 756_120) {
		files[name] = content
	}
	b := startBox(t, lan, site{
		time: `upstream = ["10.77.0.30"]`, sip: `proxy = "pbx.voice.home.arpa"`,
		dns:    "[dns.hosts]\npbx = \"10.77.0.10\"",
		phones: []sitePhone{{mac: deskMAC, label: "Front desk", line: "208"}},
	}.text(), files)

	t.Run("udhcpc", func(t *testing.T) { testUdhcpc(t, b.with(t)) })
	t.Run("dhclient", func(t *testing.T) { testDhclient(t, b.with(t)) })
	t.Run("TFTP", func(t *testing.T) { testTFTPClients(t, b.with(t), files) })
	t.Run("TFTP refuses", func(t *testing.T) { testTFTPRefuses(t, b.with(t)) })
	t.Run("NTP", func(t *testing.T) { testNTPClients(t, b.with(t)) })
	t.Run("sipp", func(t *testing.T) { testSipp(t, b.with(t)) })
	t.Run("dig", func(t *testing.T) { testDig(t, b.with(t)) }) // the phone of sipp has its lease by now
	t.Run("HTTPS", func(t *testing.T) { testLogin(t, b.with(t)) })
	b.healthy()
}

// startUpstreamNTP runs chronyd as the time server that the box asks; -x keeps it from setting the clock.
func startUpstreamNTP(t *testing.T, n *testkit.Node) {
	t.Helper()
	n.Start(t, "chronyd", "-x", "-d", "-u", "root", "local stratum 3", "allow", "cmdport 0",
		"bindcmdaddress /", "pidfile "+filepath.Join(t.TempDir(), "pid"))
}

func testUdhcpc(t *testing.T, b *box) {
	n := b.lan.Node("pc1")
	c := b.node.Capture(t)
	got, vars := takeLease(t, n, "-O", "tftp", "-O", "150", "-O", "ntpsrv")
	ack := lastACK(t, c, mustMAC(n.MAC))
	if yiaddr(ack) != got {
		t.Errorf("udhcpc has %s, the ACK gave %s", got, yiaddr(ack))
	}
	for name, want := range map[string]string{"siaddr": boxAddr, "tftp": boxAddr, "serverid": boxAddr, "dns": boxAddr, "ntpsrv": boxAddr, "domain": "voice.home.arpa"} {
		if vars[name] != want {
			t.Errorf("udhcpc was told %s=%q, wanted %q", name, vars[name], want)
		}
	}
	if again, _ := takeLease(t, n); again != got {
		t.Errorf("the second lease of one client is %s, the first was %s", again, got)
	}
}

func testDhclient(t *testing.T, b *box) {
	n := b.lan.Node("pc2")
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	text := "option voip-tftp code 150 = array of ip-address;\n" +
		"request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, tftp-server-name, voip-tftp, ntp-servers;\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	script, env := envScript(t, "")
	c := b.node.Capture(t)
	p := n.Start(t, "dhclient", "-d", "-4", "-1", "-cf", conf, "-sf", script,
		"-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"), testkit.Interface)
	var vars map[string]string
	testkit.Eventually(t, patience, "dhclient is bound", func() bool { vars = env("BOUND"); return vars != nil })
	_ = p.Stop()
	ack := lastACK(t, c, mustMAC(n.MAC))
	for name, want := range map[string]string{
		"new_ip_address": yiaddr(ack).String(), "new_tftp_server_name": boxAddr, "new_voip_tftp": boxAddr, "new_dhcp_server_identifier": boxAddr,
		"new_subnet_mask": "255.255.0.0", "new_domain_name": "voice.home.arpa", "new_ntp_servers": boxAddr,
	} {
		if vars[name] != want {
			t.Errorf("dhclient was told %s=%q, wanted %q", name, vars[name], want)
		}
	}
}

func testTFTPClients(t *testing.T, b *box, files map[string][]byte) {
	n := b.lan.Node("laptop")
	clients := map[string]func(t *testing.T, name, to string){
		"atftp": func(t *testing.T, name, to string) {
			n.Run(t, "atftp", "--get", "-r", name, "-l", to, boxAddr)
		},
		"atftp with blksize and windowsize": func(t *testing.T, name, to string) {
			n.Run(t, "atftp", "--option", "blksize 1400", "--option", "tsize", "--option", "windowsize 8", "--get", "-r", name, "-l", to, boxAddr)
		},
		"tftp-hpa": func(t *testing.T, name, to string) {
			n.Run(t, "tftp", boxAddr, "-m", "octet", "-c", "get", name, to)
		},
		"curl": func(t *testing.T, name, to string) {
			n.Run(t, "curl", "-sS", "--fail", "-o", to, "tftp://"+boxAddr+"/"+name)
		},
		"pin": func(t *testing.T, name, to string) {
			content := testkit.In(t, n, func() ([]byte, error) {
				c, err := tftpclient.NewClient(boxAddr + ":69")
				if err != nil {
					return nil, err
				}
				w, err := c.Receive(name, "octet")
				if err != nil {
					return nil, err
				}
				var buf bytes.Buffer
				_, err = w.WriteTo(&buf)
				return buf.Bytes(), err
			})
			if err := os.WriteFile(to, content, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
	wanted := map[string][]byte{
		"chime.pcm": files["chime.pcm"], "even.pcm": files["even.pcm"], "./CHIME.PCM": files["chime.pcm"],
		"P0S3-8-12-00.sb2": files["P0S3-8-12-00.sb2"],
	}
	wanted["dialplan.xml"], _ = b.file(deskMAC, "dialplan.xml")
	for client, get := range clients {
		t.Run(client, func(t *testing.T) {
			for name, want := range wanted {
				to := filepath.Join(t.TempDir(), "got")
				get(t, name, to)
				got, err := os.ReadFile(to)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if len(want) == 0 || sha256.Sum256(got) != sha256.Sum256(want) {
					t.Errorf("%s: found %d bytes, wanted %d, or they differ", name, len(got), len(want))
				}
			}
		})
	}
}

// curlNotFound is how curl ends after TFTP ERROR 1.
const curlNotFound = 68

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func testTFTPRefuses(t *testing.T, b *box) {
	n := b.lan.Node("laptop")
	for _, name := range []string{"nothing.cnf", "../site.toml", "../../etc/passwd", "%2e%2e/site.toml"} {
		out, err := n.Try(t, "curl", "-sS", "--path-as-is", "--fail", "tftp://"+boxAddr+"/"+name)
		if code := exitCode(err); code != curlNotFound {
			t.Errorf("%s: curl ended with %d, wanted %d, which is TFTP ERROR 1: %q", name, code, curlNotFound, out)
		}
	}
	from := filepath.Join(t.TempDir(), "chime.pcm")
	if err := os.WriteFile(from, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := n.Try(t, "curl", "-sS", "-T", from, "tftp://"+boxAddr+"/"); err == nil {
		t.Errorf("a file could be written: %s", out)
	}
	if content, err := os.ReadFile(filepath.Join(b.data, "tftp", "chime.pcm")); err != nil || len(content) != 60_000 {
		t.Errorf("the file on the shelf changed: %d bytes, %v", len(content), err)
	}
}

func testNTPClients(t *testing.T, b *box) {
	n := b.lan.Node("laptop")
	testkit.Eventually(t, patience, "the box trusts its upstream", func() bool {
		c := b.status().Clock
		return c.Trusted && c.Stratum == 4
	})
	if out := n.Run(t, "ntpdate", "-q", boxAddr); !strings.Contains(out, boxAddr) || !strings.Contains(out, "s4 ") {
		t.Errorf("ntpdate -q: found %q, wanted an answer of stratum 4", out)
	}
	out := n.Run(t, "chronyd", "-Q", "-d", "-u", "root", "-t", "20", "server "+boxAddr+" iburst maxsamples 4", "cmdport 0",
		"pidfile "+filepath.Join(t.TempDir(), "pid"))
	m := regexp.MustCompile(`System clock wrong by (-?[0-9.]+) seconds`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("chronyd -Q did not take the time: %s", out)
	}
	if off, err := strconv.ParseFloat(m[1], 64); err != nil || off > 0.5 || off < -0.5 {
		t.Errorf("chronyd measures an offset of %s s to the clock that the box has it from, wanted almost none", m[1])
	}
}

func testDig(t *testing.T, b *box) {
	n := b.lan.Node("laptop")
	desk := b.phone(deskMAC).Address
	if desk == "" {
		t.Fatal("the desk phone has no address")
	}
	a4 := netip.MustParseAddr(desk).As4()
	var reverse string
	for _, x := range a4 {
		reverse = "." + strconv.Itoa(int(x)) + reverse
	}
	reverse = strings.TrimPrefix(reverse, ".") + ".in-addr.arpa"
	for _, q := range []struct {
		name string
		args []string
		want string
	}{
		{"the box as CiscoCM1", []string{"CiscoCM1.voice.home.arpa", "A", "+short"}, boxAddr},
		{"a host of the site", []string{"pbx.voice.home.arpa", "A", "+short"}, "10.77.0.10"},
		{"over TCP", []string{"pbx.voice.home.arpa", "A", "+short", "+tcp"}, "10.77.0.10"},
		{"a phone by its label", []string{"front-desk.voice.home.arpa", "A", "+short"}, desk},
		{"a phone by its MAC", []string{"sep" + strings.ToLower(deskMAC.Name()) + ".voice.home.arpa", "A", "+short"}, desk},
		{"PTR", []string{reverse, "PTR", "+short"}, "front-desk.voice.home.arpa."},
		{"SRV", []string{"_sip._udp.voice.home.arpa", "SRV", "+short"}, "5060 pbx.voice.home.arpa."},
		{"a name that is not there", []string{"nobody.voice.home.arpa", "A"}, "status: NXDOMAIN"},
		{"a foreign name without upstream", []string{"example.org", "A"}, "status: REFUSED"},
	} {
		out := n.Run(t, "dig", append([]string{"@" + boxAddr, "+tries=2", "+time=3"}, q.args...)...)
		if !strings.Contains(out, q.want) {
			t.Errorf("%s: found %q, wanted %q in it", q.name, out, q.want)
		}
	}
}

// sippScenario is a phone that answers OPTIONS and NOTIFY.
const sippScenario = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="phone">
  <recv request="OPTIONS" optional="true" next="answer"/>
  <recv request="NOTIFY"/>
  <label id="answer"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
User-Agent: sipp
Content-Length: 0

]]></send>
</scenario>
`

// testSipp plays a phone with real programs: udhcpc for its address, curl for its configuration, sipp for SIP.
func testSipp(t *testing.T, b *box) {
	n := b.lan.Node("desk")
	at, _ := takeLease(t, n)
	want, _ := b.file(deskMAC, "SIP"+deskMAC.Name()+".cnf")
	got := n.Run(t, "curl", "-sS", "--fail", "tftp://"+boxAddr+"/SIP"+deskMAC.Name()+".cnf")
	if got != string(want) || !strings.Contains(got, "secret-208") {
		t.Errorf("found %d bytes of the phone's configuration, the API tells of %d", len(got), len(want))
	}
	// The client has its last block before the box has told the step.
	testkit.Eventually(t, patience, "the desk phone is configured", func() bool { return b.phone(deskMAC).Step == phone.Configured })
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "phone.xml"), []byte(sippScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	messages := filepath.Join(dir, "messages")
	n.Start(t, "env", "TERM=dumb", "sipp", "-sf", filepath.Join(dir, "phone.xml"), "-i", at.String(), "-p", "5060", "-nostdin",
		"-trace_msg", "-message_file", messages, "-message_overwrite", "false")
	testkit.Eventually(t, patience, "sipp listens", func() bool {
		return strings.Contains(n.Run(t, "cat", "/proc/net/udp"), ":13C4 ")
	})
	// Taking the settings over begins a round of OPTIONS; else the next one is up to a minute away.
	text, _ := b.site()
	if code, why := b.putSite(text); code != 204 {
		t.Fatalf("putting the same settings: %d %+v", code, why)
	}
	b.waitEvent(deskMAC, "sip_alive", "sipp")
	testkit.Eventually(t, patience, "the desk phone is ready", func() bool { return b.phone(deskMAC).Step == phone.Ready })
	code, body, _ := b.call(b.laptop, "POST", "/api/v1/phones/"+deskMAC.String()+"/restart", nil)
	if code != 204 {
		t.Fatalf("restarting the phone: %d %s", code, body)
	}
	testkit.Eventually(t, patience, "sipp logs the NOTIFY", func() bool {
		log, _ := os.ReadFile(messages)
		return regexp.MustCompile(`(?s)NOTIFY sip:.*Event: check-sync`).Match(log)
	})
	b.waitEvent(deskMAC, "restart", "200")
}
