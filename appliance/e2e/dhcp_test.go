package e2e_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// dhcpOf returns the DHCP messages of that type that a capture saw, in order.
func dhcpOf(c *testkit.Capture, kind dhcpv4.MessageType) []*dhcpv4.DHCPv4 {
	var out []*dhcpv4.DHCPv4
	for _, p := range c.Packets() {
		u, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !ok || u.SrcPort != 67 && u.DstPort != 67 {
			continue
		}
		if m, err := dhcpv4.FromBytes(u.Payload); err == nil && m.MessageType() == kind {
			out = append(out, m)
		}
	}
	return out
}

// lastACK returns the last ACK for a client and checks what each of them must hold.
func lastACK(t *testing.T, c *testkit.Capture, mac phone.MAC) *dhcpv4.DHCPv4 {
	t.Helper()
	var ack *dhcpv4.DHCPv4
	for _, m := range dhcpOf(c, dhcpv4.MessageTypeAck) {
		if slices.Equal(m.ClientHWAddr, mac[:]) {
			ack = m
		}
	}
	if ack == nil {
		t.Fatalf("no ACK for %s on the wire", mac)
	}
	checkACK(t, ack)
	return ack
}

// checkACK checks that option 66, option 150 and siaddr all name the box, and that the lease times are there.
func checkACK(t *testing.T, ack *dhcpv4.DHCPv4) {
	t.Helper()
	box := netip.MustParseAddr(boxAddr).As4()
	if got := ack.Options.Get(dhcpv4.OptionTFTPServerName); string(got) != boxAddr {
		t.Errorf("option 66 of %s: found %q, wanted %s", ack.ClientHWAddr, got, boxAddr)
	}
	if got := ack.Options.Get(dhcpv4.GenericOptionCode(150)); !slices.Equal(got, box[:]) {
		t.Errorf("option 150 of %s: found %v, wanted %v", ack.ClientHWAddr, got, box)
	}
	if got := ack.ServerIPAddr.String(); got != boxAddr {
		t.Errorf("siaddr of %s: found %s, wanted %s", ack.ClientHWAddr, got, boxAddr)
	}
	for _, code := range []dhcpv4.OptionCode{
		dhcpv4.OptionIPAddressLeaseTime, dhcpv4.OptionServerIdentifier, dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue,
	} {
		if len(ack.Options.Get(code)) != 4 {
			t.Errorf("option %d is missing in the ACK for %s", code.Code(), ack.ClientHWAddr)
		}
	}
}

func yiaddr(m *dhcpv4.DHCPv4) netip.Addr {
	a, _ := netip.AddrFromSlice(m.YourIPAddr.To4())
	return a
}

// takeLease runs udhcpc on a host, which then has the address of its lease on eth0, and returns the address and what
// udhcpc told its script.
func takeLease(t *testing.T, n *testkit.Node, args ...string) (netip.Addr, map[string]string) {
	t.Helper()
	testkit.Need(t, "udhcpc")
	script, env := envScript(t, `[ "$1" = bound ] && ip addr replace "$ip/$mask" brd + dev "$interface"`)
	n.Run(t, "udhcpc", append([]string{"-i", testkit.Interface, "-n", "-q", "-f", "-t", "5", "-T", "2", "-s", script}, args...)...)
	vars := env("bound")
	a, err := netip.ParseAddr(vars["ip"])
	if err != nil {
		t.Fatalf("udhcpc told no address: %v: %v", err, vars)
	}
	return a, vars
}
