package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

const otherServer = "10.77.0.3"

// TestOtherDHCPServer puts dnsmasq on the wire first: the box holds back until dnsmasq is gone, or somebody says so.
func TestOtherDHCPServer(t *testing.T) {
	waiting.enter(t)
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

	// While it is there, a person who says that it is gone is not believed.
	lookAgain(t, b)
	waitHeld(t, b)
	// dnsmasq goes. The box waits for ten minutes, for it may be restarting (services/dhcp tests that); a person who knows
	// does not have to wait.
	if err := dnsmasq.Stop(); err != nil {
		t.Logf("dnsmasq: %v", err)
	}
	gone := time.Now()
	lookAgain(t, b)
	testkit.Eventually(t, patience, "the box serves once dnsmasq is gone", func() bool { return b.status().Services["dhcp"].State == "running" })
	t.Logf("FIGURE serving after another DHCP server left and a person said so: %.1f s", time.Since(gone).Seconds())
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
	waiting.enter(t)
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

// TestOtherDHCPServerWhileServing starts dnsmasq while the box serves. A guest that the box does not serve gets an address
// from it, and by that alone the box knows. The phone that has an address keeps it; people decide about the rest.
func TestOtherDHCPServerWhileServing(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "dnsmasq", "udhcpc")
	lan := office(t, testkit.Host{Name: "phone", MAC: "02:00:00:00:77:31"}, testkit.Host{Name: "guest", MAC: "02:00:00:00:77:32"},
		testkit.Host{Name: "other", MAC: "02:00:00:00:77:03", Addr: netip.MustParsePrefix(otherServer + "/16")})
	b := startBox(t, lan, site{dhcp: "phones_only = true"}.text(), nil)
	const class = "Cisco Systems, Inc. IP Phone CP-7960G"
	addr, vars := takeLease(t, lan.Node("phone"), "-V", class)
	if vars["serverid"] != boxAddr {
		t.Fatalf("the phone's server is %s, wanted the box", vars["serverid"])
	}
	if s := b.status(); s.Network.Condition != "ready" || len(s.Others) != 0 {
		t.Errorf("before there is another server the status tells %+v and %+v", s.Network, s.Others)
	}
	dnsmasq := startDnsmasq(t, lan.Node("other"), "--no-ping", "--dhcp-option=3,10.77.0.9")
	began := time.Now()
	if at, vars := takeLease(t, lan.Node("guest"), "-B"); vars["serverid"] != otherServer {
		t.Fatalf("the guest got %s from %s, wanted it from dnsmasq", at, vars["serverid"])
	}
	waitHeld(t, b)
	t.Logf("FIGURE held because another DHCP server was overheard, from the guest's first packet: %.1f s", time.Since(began).Seconds())
	o := b.status().Others[0]
	if o.MAC != "02:00:00:00:77:03" || !strings.HasPrefix(o.Offered, "10.77.200.") || o.First.IsZero() || o.Seen.Before(o.First) || o.Accepted {
		t.Errorf("the status tells of %+v", o)
	}
	if !strings.Contains(fmt.Sprint(o.Options), "{3 router 10.77.0.9}") {
		t.Errorf("the status does not tell of the router that dnsmasq sends: %+v", o.Options)
	}
	if got := b.metric("phonebox_dhcp_other_servers", ""); got != 1 {
		t.Errorf("the metric tells of %g other servers, wanted 1", got)
	}

	c := b.node.Capture(t)
	renew(t, lan.Node("phone"), addr)
	if _, vars := takeLease(t, lan.Node("phone"), "-V", class); vars["serverid"] != otherServer {
		t.Errorf("a phone that asks anew has the server %s, wanted that the box is silent", vars["serverid"])
	}
	if n := answers(c); n != 1 {
		t.Errorf("the box sent %d DHCP answers while it was held, wanted the one to the renewal", n)
	}
	decide := func(body, state string) {
		t.Helper()
		if code, answer, _ := b.call(b.laptop, http.MethodPost, "/api/v1/dhcp/decision", []byte(body)); code != http.StatusNoContent {
			t.Fatalf("%s: found %d %s", body, code, answer)
		}
		s := b.status()
		if got := s.Services["dhcp"].State; got != state || s.Decision.Serve != (state == "running") || s.Others[0].Accepted != s.Decision.Serve {
			t.Errorf("after %s dhcp is %s, decision %+v, others %+v", body, got, s.Decision, s.Others)
		}
	}
	decide(`{"serve": true, "servers": ["`+otherServer+`"]}`, "running")
	decide(`{"serve": false}`, "held")
	_ = dnsmasq.Stop()
	lookAgain(t, b)
	b.waitReady()
	// The timeline is written beside the packets, so it may come a little after the state.
	wanted := []string{"another DHCP server answers on the wire: " + otherServer, "addresses are held back", "addresses are handed out again"}
	told := ""
	defer func() {
		if t.Failed() {
			t.Logf("the timeline of the box:\n%s", told)
		}
	}()
	testkit.Eventually(t, patience, fmt.Sprintf("the timeline tells %q", wanted), func() bool {
		told = ""
		for _, e := range b.events(phone.MAC{}) {
			told += e.Text + "\n"
		}
		return !slices.ContainsFunc(wanted, func(want string) bool { return !strings.Contains(told, want) })
	})
}

// lookAgain is a person who says that the other server is gone.
func lookAgain(t *testing.T, b *box) {
	t.Helper()
	if code, body, _ := b.call(b.laptop, http.MethodPost, "/api/v1/dhcp/look", nil); code != http.StatusNoContent {
		t.Fatalf("look again: found %d %s", code, body)
	}
}

// renew renews a lease that udhcpc took, as it would do: from the address to the box (RENEWING).
func renew(t *testing.T, n *testkit.Node, addr netip.Addr) {
	t.Helper()
	mac := n.HardwareAddr(t)
	p, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithHwAddr(mac), dhcpv4.WithClientIP(addr.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptClientIdentifier(append([]byte{1}, mac...))),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("Cisco Systems, Inc. IP Phone CP-7960G")))
	if err != nil {
		t.Fatal(err)
	}
	n.Do(t, func() error {
		conn, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 68)), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(boxAddr+":67")))
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := conn.Write(p.ToBytes()); err != nil {
			return err
		}
		buf := make([]byte, 1500)
		size, err := conn.Read(buf)
		if err != nil {
			return fmt.Errorf("the renewal of %s: %w", addr, err)
		}
		answer, err := dhcpv4.FromBytes(buf[:size])
		if err == nil && answer.MessageType() != dhcpv4.MessageTypeAck {
			err = fmt.Errorf("the renewal of %s got %s", addr, answer.MessageType())
		}
		return err
	})
}

func startDnsmasq(t *testing.T, n *testkit.Node, more ...string) *testkit.Process {
	t.Helper()
	dir := t.TempDir()
	p := n.Start(t, "dnsmasq", append([]string{
		"--keep-in-foreground", "--log-facility=-", "--port=0", "--conf-file=/dev/null", "--user=root",
		"--dhcp-range=10.77.200.1,10.77.200.200,255.255.0.0,1h", "--dhcp-leasefile=" + filepath.Join(dir, "leases"), "--pid-file=" + filepath.Join(dir, "pid"),
	}, more...)...)
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
