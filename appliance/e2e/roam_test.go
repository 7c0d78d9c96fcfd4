package e2e_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// narrowSite has one address at home, a network behind a relay, and no conflict probing.
const narrowSite = `
[network]
address = "10.77.0.1/16"
gateway = "10.77.0.254"
[dhcp]
pool = ["10.77.1.1-10.77.1.1"]
ping_check = false
[[dhcp.subnet]]
name = "Branch"
network = "10.78.0.0/24"
gateway = "10.78.0.1"
pool = ["10.78.0.10-10.78.0.19"]
[time]
upstream = []
[web]
plain_http = true
`

// TestForgedRoaming sends, from a host on the wire, a REQUEST in another client's name as if it came through the branch's
// relay. The client keeps its address at home, over a power cut too, and nobody else gets it.
func TestForgedRoaming(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "netns", "udhcpc")
	pcMAC, next := mustMAC("02:00:00:00:77:31"), mustMAC("02:00:00:00:77:99")
	lan := office(t, testkit.Host{Name: "pc", MAC: pcMAC.String()},
		testkit.Host{Name: "forger", MAC: "02:00:00:00:77:66", Addr: netip.MustParsePrefix("10.77.0.66/16")})
	b := startBox(t, lan, narrowSite, nil)
	home, _ := takeLease(t, lan.Node("pc"))
	forge := forger(t, lan.Node("forger"))

	forge(dhcpv4.MessageTypeRequest, pcMAC, "10.78.0.1", "10.78.0.15")
	b.waitEvent(pcMAC, "lease", "got the address 10.78.0.15")
	full := "all 1 addresses of the pool are in use"
	forge(dhcpv4.MessageTypeDiscover, next, "10.77.0.66", "")
	b.waitEvent(next, "lease_trouble", full)
	forge(dhcpv4.MessageTypeRelease, pcMAC, "10.78.0.1", home.String())
	b.waitEvent(pcMAC, "lease_trouble", "the relay of another network")

	b.restart()
	other := mustMAC("02:00:00:00:77:98")
	forge(dhcpv4.MessageTypeDiscover, other, "10.77.0.66", "")
	b.waitEvent(other, "lease_trouble", full)
	if again, _ := takeLease(t, lan.Node("pc")); again != home {
		t.Errorf("the client had %s and has %s", home, again)
	}
	b.healthy()
}

// forger returns a function that sends a packet as a relay does.
func forger(t *testing.T, n *testkit.Node) func(typ dhcpv4.MessageType, who phone.MAC, relay, addr string) {
	conn := testkit.In(t, n, func() (*net.UDPConn, error) {
		return net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4zero, Port: 67}, &net.UDPAddr{IP: net.ParseIP(boxAddr), Port: 67})
	})
	t.Cleanup(func() { conn.Close() })
	return func(typ dhcpv4.MessageType, who phone.MAC, relay, addr string) {
		t.Helper()
		mods := []dhcpv4.Modifier{
			dhcpv4.WithMessageType(typ), dhcpv4.WithHwAddr(who[:]), dhcpv4.WithGatewayIP(net.ParseIP(relay)),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(boxAddr))),
		}
		switch typ {
		case dhcpv4.MessageTypeRequest:
			mods = append(mods, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(addr))))
		case dhcpv4.MessageTypeRelease:
			mods = append(mods, dhcpv4.WithClientIP(net.ParseIP(addr)))
		}
		msg, err := dhcpv4.New(mods...)
		if err == nil {
			_, err = conn.Write(msg.ToBytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
