package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"phonebox/services/testkit"
)

// namesSite has short leases, a host, and a network behind a relay.
const namesSite = `
name = "Harbour Street"
[network]
address = "10.77.0.1/16"
[dhcp]
pool = ["10.77.1.1-10.77.1.250"]
lease = "10s"
[[dhcp.subnet]]
name = "Warehouse"
network = "10.78.0.0/24"
gateway = "10.78.0.1"
pool = ["10.78.0.10-10.78.0.19"]
[dns.hosts]
pbx = "10.77.0.10"
[sip]
proxy = "pbx.voice.home.arpa"
[time]
upstream = []
[web]
plain_http = true
[[phones]]
mac = "00:06:D7:AA:2A:2E"
label = "Front desk"
[[phones]]
mac = "00:06:D7:AA:2A:2F"
label = "Front desk"
`

// digAt asks the box from a host; the answer is that of +short.
func digAt(t *testing.T, n *testkit.Node, args ...string) string {
	t.Helper()
	return strings.TrimSpace(n.Run(t, "dig", append([]string{"@" + boxAddr, "+short", "+tries=3", "+time=5"}, args...)...))
}

// TestNames is the site's names on a wire with programs that nobody here wrote: names come and go with leases, nobody
// takes one that is another's, a name of the past is rescued while the box answers others, and the page is found by name.
func TestNames(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "netns", "udhcpc", "dig")
	lan := office(t, testkit.Host{Name: "desk", MAC: deskMAC.String()}, testkit.Host{Name: "pc1", MAC: "02:00:00:00:77:31"}, testkit.Host{Name: "pc2", MAC: "02:00:00:00:77:32"})
	b := startBox(t, lan, namesSite, nil)
	t.Run("leases", func(t *testing.T) { testLeaseNames(t, b.with(t)) })
	t.Run("claims", func(t *testing.T) { testClaimedNames(t, b.with(t)) })
	t.Run("dig", func(t *testing.T) { testDigOdd(t, b.with(t)) })
	t.Run("rescue", func(t *testing.T) { testRescue(t, b.with(t)) })
	t.Run("page", func(t *testing.T) { testPageByName(t, b.with(t)) })
	b.restart()
	if got := digAt(t, lan.Node("laptop"), "sip.old-site.example"); got != "10.77.0.10" {
		t.Errorf("after a power cut a rescued name leads to %q", got)
	}
	b.healthy()
}

// lessee is a client that holds a lease; SIGUSR2 makes it give the lease back.
type lessee struct {
	*testkit.Process
	addr string
}

func leaseAs(t *testing.T, n *testkit.Node, hostname string) lessee {
	t.Helper()
	script, env := envScript(t, `[ "$1" = bound ] && ip addr replace "$ip/$mask" brd + dev "$interface"`)
	args := []string{"-f", "-R", "-i", testkit.Interface, "-t", "20", "-T", "2", "-s", script}
	if hostname != "" {
		args = append(args, "-x", "hostname:"+hostname)
	}
	p := n.Start(t, "udhcpc", args...)
	testkit.Eventually(t, patience, n.Name+" is bound", func() bool { return env("bound") != nil })
	return lessee{p, env("bound")["ip"]}
}

func (l lessee) release() { l.Signal(syscall.SIGUSR2) }

// testLeaseNames lets a phone and a computer have leases and give them up, one by a RELEASE and one by being gone.
func testLeaseNames(t *testing.T, b *box) {
	laptop := b.lan.Node("laptop")
	const desk, pc = "front-desk.voice.home.arpa", "reception-pc.voice.home.arpa"
	serial := func() string { return strings.Fields(digAt(t, laptop, "voice.home.arpa", "SOA"))[2] }
	before := serial()
	if got := digAt(t, laptop, desk); got != "" {
		t.Errorf("a phone without a lease is at %q", got)
	}
	phone, computer := leaseAs(t, b.lan.Node("desk"), "SEP"+deskMAC.Name()), leaseAs(t, b.lan.Node("pc1"), "Reception-PC")
	for name, want := range map[string]string{
		desk: phone.addr, "sep" + strings.ToLower(deskMAC.Name()) + ".voice.home.arpa": phone.addr, "SIP" + deskMAC.Name() + ".voice.home.arpa": phone.addr, pc: computer.addr,
	} {
		if got := digAt(t, laptop, name); got != want {
			t.Errorf("%s is at %q, want %s", name, got, want)
		}
	}
	for addr, want := range map[string]string{phone.addr: desk + ".", computer.addr: pc + "."} {
		if got := digAt(t, laptop, "-x", addr); got != want {
			t.Errorf("%s is called %q, want %s", addr, got, want)
		}
	}
	given := serial()
	if given == before {
		t.Errorf("two leases later the serial is still %s", given)
	}
	phone.release()
	gone := func(name, addr string) {
		t.Helper()
		testkit.Eventually(t, patience, name+" is gone", func() bool { return digAt(t, laptop, name) == "" && digAt(t, laptop, "-x", addr) == "" })
		if out := laptop.Run(t, "dig", "@"+boxAddr, name); !strings.Contains(out, "status: NXDOMAIN") || !strings.Contains(out, "SOA") {
			t.Errorf("%s: %s", name, out)
		}
	}
	gone(desk, phone.addr)
	computer.Signal(syscall.SIGKILL) // it says nothing; the lease runs out
	gone(pc, computer.addr)
	if after := serial(); after == given {
		t.Errorf("two leases less the serial is still %s", after)
	}
}

// testClaimedNames lets devices call themselves like the box, a host, a phone that is away, and each other.
func testClaimedNames(t *testing.T, b *box) {
	laptop := b.lan.Node("laptop")
	pc1, pc2 := b.lan.Node("pc1"), b.lan.Node("pc2")
	for name, want := range map[string]string{"tftp": boxAddr, "CiscoCM2": boxAddr, "pbx": "10.77.0.10", "front-desk": "", "sep0006d7aa2a2f": "", "wpad": ""} {
		l := leaseAs(t, pc1, name)
		if got := digAt(t, laptop, name+".voice.home.arpa"); got != want {
			t.Errorf("a computer calls itself %s: the name leads to %q, want %q", name, got, want)
		}
		if got := digAt(t, laptop, "-x", l.addr); got != "sep020000007731.voice.home.arpa." {
			t.Errorf("a computer that calls itself %s is called %q", name, got)
		}
		_ = l.Stop()
	}
	first, second := leaseAs(t, pc1, "twin"), leaseAs(t, pc2, "twin")
	if got := digAt(t, laptop, "twin.voice.home.arpa"); got != first.addr {
		t.Errorf("of two computers with one name %q has it, want the first, %s", got, first.addr)
	}
	first.release()
	testkit.Eventually(t, patience, "the second has the name", func() bool { return digAt(t, laptop, "twin.voice.home.arpa") == second.addr })
	_ = second.Stop()
}

// testDigOdd asks in odd ways: cut answers, TCP, EDNS, and types that are rare.
func testDigOdd(t *testing.T, b *box) {
	laptop := b.lan.Node("laptop")
	for _, q := range []struct{ args, want string }{
		{"phonebox.voice.home.arpa +short", boxAddr},
		{"phonebox.voice.home.arpa +short +tcp", boxAddr},
		{"phonebox.voice.home.arpa +noedns", "flags: qr aa rd;"},
		{"phonebox.voice.home.arpa +bufsize=4096", "EDNS: version: 0, flags:; udp: 1232"},
		{"phonebox.voice.home.arpa +edns=1 +noednsneg", "status: BADVERS"},
		{"phonebox.voice.home.arpa AAAA", "SOA\tphonebox.voice.home.arpa."},
		{"phonebox.voice.home.arpa ANY +notcp", "IN\tA\t" + boxAddr},
		{"voice.home.arpa AXFR", "Transfer failed"},
		{"voice.home.arpa NS +short", "phonebox.voice.home.arpa."},
		{"voice.home.arpa NAPTR +short", `10 10 "s" "SIP+D2U" "" _sip._udp.voice.home.arpa.`},
		{"_sip._udp.pbx.voice.home.arpa SRV +short", "0 0 5060 pbx.voice.home.arpa."},
		{"_tftp._udp.voice.home.arpa SRV +short", "0 0 69 tftp.voice.home.arpa."},
		{"_ntp._udp.voice.home.arpa SRV +short", "0 0 123 ntp.voice.home.arpa."},
		{"version.bind CH TXT", "status: REFUSED"},
		{"-x 10.78.0.11", "0.78.10.in-addr.arpa.\t60\tIN\tSOA"},
		{"*.voice.home.arpa", "status: NXDOMAIN"},
		{"CiscoCM1 +short", boxAddr},
	} {
		cmd := laptop.Command(t.Context(), "dig", append([]string{"@" + boxAddr, "+tries=3", "+time=5"}, strings.Fields(q.args)...)...)
		if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), q.want) {
			t.Errorf("dig %s:\n%s\nwant %q", q.args, out, q.want)
		}
	}
}

// testRescue maps a name that a phone asks for while another name is asked for all the time.
func testRescue(t *testing.T, b *box) {
	laptop, node := b.lan.Node("laptop"), b.lan.Node("desk")
	phone := leaseAs(t, node, "")
	const old = "tftp.old-site.example"
	if out := node.Run(t, "dig", "@"+boxAddr, old); !strings.Contains(out, "status: REFUSED") {
		t.Errorf("before: %s", out)
	}
	type missing struct {
		Name, Why string
		Count     int
		Askers    []struct{ MAC, Label, Address string }
	}
	var list []missing
	testkit.Eventually(t, patience, "the name is listed", func() bool {
		b.get("/api/v1/names/missing", &list)
		return len(list) > 0 && list[0].Name == old
	})
	m := list[0]
	if m.Count < 1 || len(m.Askers) != 1 || m.Askers[0].MAC != "00:06:D7:AA:2A:2E" || m.Askers[0].Label != "Front desk" || m.Askers[0].Address != phone.addr || m.Why == "" {
		t.Errorf("listed is %+v", m)
	}
	stop, answered := askAllTheTime(t, laptop)
	for body, code := range map[string]int{
		`{"name":"tftp.old-site.example","target":"phonebox"}`: 204, `{"name":"sip.old-site.example","target":"pbx"}`: 204, `{"name":"phonebox","target":"10.77.0.9"}`: 422,
	} {
		if got, answer, _ := b.call(b.laptop, http.MethodPost, "/api/v1/names", []byte(body), "Content-Type", "application/json"); got != code {
			t.Errorf("%s: found %d, wanted %d: %s", body, got, code, answer)
		}
	}
	if got := digAt(t, node, old); got != boxAddr {
		t.Errorf("the name leads to %q, want the box", got)
	}
	if got := digAt(t, node, "sip.old-site.example"); got != "10.77.0.10" {
		t.Errorf("the proxy's name leads to %q, want the host", got)
	}
	if got := node.Run(t, "curl", "-sS", "--fail", "tftp://"+boxAddr+"/SIPDefault.cnf"); got == "" {
		t.Error("who finds the box by that name gets no file")
	}
	if code, answer, _ := b.call(b.laptop, http.MethodDelete, "/api/v1/names/"+old, nil); code != http.StatusNoContent {
		t.Errorf("taking it back: %d %s", code, answer)
	}
	if got := digAt(t, node, old); got != "" {
		t.Errorf("taken back, and yet at %q", got)
	}
	stop()
	if asked, got := answered(); got < asked || asked == 0 {
		t.Errorf("while names changed %d of %d questions were answered", got, asked)
	}
	var events []event
	b.get("/api/v1/phones/"+deskMAC.String()+"/events", &events)
	told := false
	for _, e := range events {
		told = told || strings.Contains(e.Text, "asked for the name tftp.old-site.example (A), which the box does not know")
	}
	if !told {
		t.Error("the phone's timeline does not say what it asked for")
	}
	_ = phone.Stop()
}

// askAllTheTime asks for the box's name a hundred times a second; each question has its answer, or was lost by the box.
func askAllTheTime(t *testing.T, n *testkit.Node) (stop func(), figures func() (asked, answered int)) {
	t.Helper()
	conn := testkit.In(t, n, func() (net.Conn, error) { return net.Dial("udp4", boxAddr+":53") })
	quit, done := make(chan struct{}), make(chan struct{})
	asked, answered := 0, 0
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			select {
			case <-quit:
				return
			case <-time.After(10 * time.Millisecond):
			}
			payload, _ := new(dns.Msg).SetQuestion("phonebox.voice.home.arpa.", dns.TypeA).Pack()
			if _, err := conn.Write(payload); err != nil {
				continue
			}
			asked++
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if size, err := conn.Read(buf); err == nil && size > 12 && buf[7] == 1 {
				answered++
			}
		}
	}()
	return func() { close(quit); <-done; conn.Close() }, func() (int, int) { return asked, answered }
}

// testPageByName finds the page by its names, as a browser would, and its certificate holds them.
func testPageByName(t *testing.T, b *box) {
	laptop := b.lan.Node("laptop")
	laptop.IP(t, "route", "replace", "224.0.0.0/4", "dev", testkit.Interface)
	resolve := map[string]func() string{
		"phonebox.voice.home.arpa": func() string { return digAt(t, laptop, "phonebox.voice.home.arpa") },
		"phonebox.local":           func() string { return askMulticast(t, laptop, "phonebox.local.") },
	}
	for name, lookUp := range resolve {
		var addr string
		testkit.Eventually(t, patience, name+" is found", func() bool { addr = lookUp(); return addr == boxAddr })
		conn := testkit.In(t, laptop, func() (net.Conn, error) { return net.DialTimeout("tcp4", addr+":443", 10*time.Second) })
		var names []string
		client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
			DisableKeepAlives: true,
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				c := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true})
				if err := c.Handshake(); err != nil {
					return nil, err
				}
				leaf := c.ConnectionState().PeerCertificates[0]
				names = leaf.DNSNames
				return c, leaf.VerifyHostname(name)
			},
		}}
		resp, err := client.Get("https://" + name + "/login")
		if err != nil {
			t.Errorf("https://%s: %v (the certificate holds %q)", name, err, names)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("https://%s: %s", name, resp.Status)
		}
	}
	// A name that somebody else's page has is still refused.
	code, answer, _ := b.call(b.laptop, http.MethodGet, "/api/v1/status", nil)
	if code != http.StatusOK || !json.Valid(answer) {
		t.Errorf("the status: %d", code)
	}
}

// askMulticast asks all hosts once for an address; "" = nobody answered.
func askMulticast(t *testing.T, n *testkit.Node, name string) string {
	t.Helper()
	conn := testkit.In(t, n, func() (*net.UDPConn, error) { return net.ListenUDP("udp4", nil) })
	defer conn.Close()
	payload, _ := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
	if _, err := conn.WriteToUDPAddrPort(payload, netip.MustParseAddrPort("224.0.0.251:5353")); err != nil {
		return ""
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 1500)
	size, _, err := conn.ReadFromUDPAddrPort(buf)
	m := new(dns.Msg)
	if err != nil || m.Unpack(buf[:size]) != nil || len(m.Answer) == 0 {
		return ""
	}
	return m.Answer[0].(*dns.A).A.String()
}

// TestTheNameIsTaken puts another host of that name on the wire, with a program that nobody here wrote. The page is found by
// the next name, the certificate holds it, and both stay so over a power cut, also when the other is gone by then.
func TestTheNameIsTaken(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "netns", "avahi-daemon")
	lan := office(t, testkit.Host{Name: "other", Addr: netip.MustParsePrefix("10.77.0.30/16")})
	conf := filepath.Join(t.TempDir(), "avahi.conf")
	text := "[server]\nhost-name=phonebox\nallow-interfaces=" + testkit.Interface + "\nuse-ipv6=no\nenable-dbus=no\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	avahi := lan.Node("other").Start(t, "avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", conf)
	avahi.WaitOutput("Server startup complete", patience)
	b := startBox(t, lan, namesSite, nil)
	laptop := lan.Node("laptop")
	laptop.IP(t, "route", "replace", "224.0.0.0/4", "dev", testkit.Interface)
	certificate := func() string {
		t.Helper()
		var leaf *x509.Certificate
		testkit.Eventually(t, patience, "the certificate holds phonebox-2.local", func() bool {
			conn := testkit.In(t, laptop, func() (net.Conn, error) { return net.DialTimeout("tcp4", boxAddr+":443", 10*time.Second) })
			c := tls.Client(conn, &tls.Config{ServerName: "phonebox-2.local", InsecureSkipVerify: true})
			defer c.Close()
			if c.Handshake() != nil {
				return false
			}
			leaf = c.ConnectionState().PeerCertificates[0]
			return leaf.VerifyHostname("phonebox-2.local") == nil
		})
		return fmt.Sprintf("%x", leaf.SerialNumber)
	}
	found := func() {
		t.Helper()
		testkit.Eventually(t, patience, "phonebox-2.local is found", func() bool { return askMulticast(t, laptop, "phonebox-2.local.") == boxAddr })
		for host, code := range map[string]int{"phonebox-2.local": 200, "phonebox-3.local": 421} {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+boxAddr+"/api/v1/status", nil)
			req.Host = host
			req.SetBasicAuth("admin", password)
			resp, err := b.laptop.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != code {
				t.Errorf("asked as %s: %d, want %d", host, resp.StatusCode, code)
			}
		}
	}
	serial := certificate()
	found()
	if got := askMulticast(t, laptop, "phonebox.local."); got == boxAddr {
		t.Error("the box answers for a name that another host has")
	}
	_ = avahi.Stop()
	b.restart()
	found()
	if got := certificate(); got != serial {
		t.Errorf("after a power cut the certificate is %s, was %s: browsers ask again", got, serial)
	}
	if code, took := b.terminate(); code != 143 || took > 2*time.Second {
		t.Errorf("it stopped with %d after %s", code, took)
	}
}
