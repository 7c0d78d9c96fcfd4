package e2e_test

import (
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"

	"phonebox/services/testkit"
)

const otherServer = "10.77.0.3"

// TestOtherDHCPServer puts dnsmasq on the wire first: the box holds back until dnsmasq is gone, or somebody says so.
func TestOtherDHCPServer(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "dnsmasq", "udhcpc")
	lan := office(t, testkit.Host{Name: "pc", MAC: "02:00:00:00:77:31"},
		testkit.Host{Name: "other", MAC: "02:00:00:00:77:03", Addr: netip.MustParsePrefix(otherServer + "/16")})
	dnsmasq := startDnsmasq(t, lan.Node("other"))
	b := newBox(t, lan, site{}.text(), nil)
	c := b.node.Capture(t)

	build(t)
	began := time.Now()
	b.start()
	b.setPassword()
	waitHeld(t, b)
	t.Logf("FIGURE held because of another DHCP server, from the start of the daemon: %.1f s", time.Since(began).Seconds())
	if at, vars := takeLease(t, lan.Node("pc")); vars["serverid"] != otherServer {
		t.Errorf("the client got %s from %s, wanted it from dnsmasq", at, vars["serverid"])
	}
	if n := answers(c); n != 0 {
		t.Errorf("the box sent %d DHCP answers while it was held, wanted none", n)
	}
	b.healthy() // held is not ill

	// dnsmasq goes: the box sees that by itself within a minute.
	gone := time.Now()
	if err := dnsmasq.Stop(); err != nil {
		t.Logf("dnsmasq: %v", err)
	}
	testkit.Eventually(t, 90*time.Second, "the box serves once dnsmasq is gone", func() bool { return b.status().Services["dhcp"].State == "running" })
	t.Logf("FIGURE serving by itself after another DHCP server left: %.0f s", time.Since(gone).Seconds())
	if _, vars := takeLease(t, lan.Node("pc")); vars["serverid"] != boxAddr {
		t.Errorf("the client's server is %s, wanted the box", vars["serverid"])
	}

	// It is there again at the next start; a person says "serve anyway" on the page.
	dnsmasq = startDnsmasq(t, lan.Node("other"))
	b.kill()
	b.start()
	waitHeld(t, b)
	code, body, _ := b.call(b.laptop, http.MethodPost, "/serve-anyway", nil, "Content-Type", "application/x-www-form-urlencoded")
	if code != http.StatusSeeOther {
		t.Fatalf("serve anyway: found %d %s", code, body)
	}
	b.waitReady()
	b.restart()
	if s := b.status(); s.Services["dhcp"].State != "running" || !strings.Contains(s.Services["dhcp"].Detail, otherServer) || len(s.Others) == 0 {
		t.Errorf("after the restart dhcp is %+v beside %v, wanted that it runs and says beside whom", s.Services["dhcp"], s.Others)
	}

	// Another box there is told so in its settings.
	b.kill()
	sure := newBox(t, lan, site{dhcp: "authoritative = true"}.text(), nil)
	sure.start()
	sure.setPassword()
	sure.waitReady()
	if s := sure.status().Services["dhcp"]; s.State != "running" || !strings.Contains(s.Detail, otherServer) {
		t.Errorf("with dhcp.authoritative dhcp is %+v, wanted that it runs and says beside whom", s)
	}
	_ = dnsmasq.Stop()
}

// TestOtherDHCPServerAtLinkUp connects a box that served before to a wire with another DHCP server.
func TestOtherDHCPServerAtLinkUp(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "dnsmasq", "udhcpc")
	lan := office(t, testkit.Host{Name: "pc", MAC: "02:00:00:00:77:31"},
		testkit.Host{Name: "other", MAC: "02:00:00:00:77:03", Addr: netip.MustParsePrefix(otherServer + "/16")})
	b := startBox(t, lan, site{}.text(), nil)
	b.node.CableOut(t)
	testkit.Eventually(t, patience, "dhcp is held", func() bool { return b.insideStatus().Services["dhcp"].State == "held" })
	startDnsmasq(t, lan.Node("other"))
	c := b.node.Capture(t)
	b.node.CableIn(t)
	if at, vars := takeLease(t, lan.Node("pc")); vars["serverid"] != otherServer {
		t.Errorf("the client got %s from %s, wanted it from dnsmasq", at, vars["serverid"])
	}
	waitHeld(t, b)
	if n := answers(c); n != 0 {
		t.Errorf("the box sent %d DHCP answers since the cable is in, wanted none", n)
	}
}

func startDnsmasq(t *testing.T, n *testkit.Node) *testkit.Process {
	t.Helper()
	dir := t.TempDir()
	p := n.Start(t, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--port=0", "--conf-file=/dev/null", "--user=root",
		"--dhcp-range=10.77.200.1,10.77.200.200,255.255.0.0,1h", "--dhcp-leasefile="+filepath.Join(dir, "leases"), "--pid-file="+filepath.Join(dir, "pid"))
	p.WaitOutput("DHCP, IP range", patience)
	return p
}

// waitHeld waits until dhcp is held because of dnsmasq, and checks that the status tells so.
func waitHeld(t *testing.T, b *box) {
	t.Helper()
	testkit.Eventually(t, patience, "dhcp is held because of dnsmasq", func() bool {
		s := b.status()
		return s.Services["dhcp"].State == "held" && strings.Contains(s.Services["dhcp"].Detail, otherServer)
	})
	s := b.status()
	if s.Ready || len(s.Others) != 1 || s.Others[0].Address != otherServer {
		t.Errorf("the status tells ready %t and other servers %+v, wanted dnsmasq", s.Ready, s.Others)
	}
}

// answers counts the DHCP packets that a capture saw from the box to clients.
func answers(c *testkit.Capture) (n int) {
	for _, p := range c.Packets() {
		ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		u, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if ip != nil && u != nil && ip.SrcIP.String() == boxAddr && u.SrcPort == 67 && len(u.Payload) > 0 && u.Payload[0] == 2 {
			n++
		}
	}
	return n
}
