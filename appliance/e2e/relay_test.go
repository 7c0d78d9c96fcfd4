package e2e_test

import (
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/testkit"
)

// branchSite has a network behind a relay, of which a pool is kept for the relay's port eth1, and options for another make
// of phones.
const branchSite = `
[network]
address = "10.77.0.1/16"
gateway = "10.77.0.254"
[dhcp]
pool = ["10.77.1.1-10.77.1.250"]
[[dhcp.subnet]]
name = "Branch, everywhere"
network = "10.78.0.0/24"
gateway = "10.78.0.1"
pool = ["10.78.0.10-10.78.0.19"]
[[dhcp.subnet]]
name = "Branch, port eth1"
network = "10.78.0.0/24"
gateway = "10.78.0.1"
pool = ["10.78.0.20-10.78.0.29"]
lease = "2h"
circuit = ["eth1"]
[[dhcp.class]]
name = "Yealink"
vendor_class = "yealink"
[dhcp.class.options]
"66" = "http://10.77.0.10/yealink/"
"150" = ""
[time]
upstream = []
[web]
plain_http = true
`

// TestRelay puts a client behind a relay that nobody here wrote (ISC's dhcrelay, which adds option 82). It gets an address
// of its network for the time of that network, renews it through the router, keeps it over a power cut of the box, and is
// answered by its DNS. A client on the box's own wire has nothing of that.
func TestRelay(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "netns", "udhcpc", "dhcrelay", "dig", "sysctl")
	lan := office(t,
		testkit.Host{Name: "router", MAC: "02:00:00:00:77:fe", Addr: netip.MustParsePrefix("10.77.0.254/16")},
		testkit.Host{Name: "branch", MAC: "02:00:00:00:78:31"}, testkit.Host{Name: "pc", MAC: "02:00:00:00:77:31"})
	moveBehind(t, lan.Node("router"), lan.Node("branch"))
	b := startBox(t, lan, branchSite, nil)
	wire := b.node.Capture(t)
	relay := lan.Node("router").Start(t, "dhcrelay", "-4", "-d", "--no-pid", "-a", "-id", "eth1", "-iu", testkit.Interface, boxAddr)
	relay.WaitOutput("Sending on", patience)

	script, env := envScript(t, `case "$1" in bound) ip addr replace "$ip/$mask" dev "$interface"; ip route replace default via "$router";; esac`)
	client := lan.Node("branch").Start(t, "udhcpc", "-f", "-i", testkit.Interface, "-t", "10", "-T", "2", "-O", "tftp", "-s", script)
	testkit.Eventually(t, patience, "the client behind the relay is bound", func() bool { return env("bound") != nil })
	vars := env("bound")
	for name, want := range map[string]string{
		"ip": "10.78.0.20", "mask": "24", "router": "10.78.0.1", "lease": "7200", "siaddr": boxAddr, "serverid": boxAddr, "tftp": boxAddr, "dns": boxAddr,
	} {
		if vars[name] != want {
			t.Errorf("the client behind the relay was told %s=%q, wanted %q", name, vars[name], want)
		}
	}
	checkOption82(t, wire)

	// The renewal goes through the router to the box, without the relay.
	renew := func(when string) {
		t.Helper()
		before := len(unicastACKs(wire))
		client.Signal(syscall.SIGUSR1)
		testkit.Eventually(t, patience, "a renewal through the router "+when, func() bool { return len(unicastACKs(wire)) > before })
	}
	renew("while the box runs")
	b.restart()
	renew("after a power cut of the box")
	last := unicastACKs(wire)
	if got := last[len(last)-1]; yiaddr(got).String() != "10.78.0.20" || got.IPAddressLeaseTime(0).Hours() != 2 || got.Router()[0].String() != "10.78.0.1" {
		t.Errorf("the renewal is\n%s", got.Summary())
	}

	name := lan.Node("branch").Run(t, "dig", "+short", "+time=5", "@"+boxAddr, "phonebox.voice.home.arpa")
	if strings.TrimSpace(name) != boxAddr {
		t.Errorf("the box's DNS told the branch %q", name)
	}
	got, vars := takeLease(t, lan.Node("pc"), "-V", "yealink SIP-T46S")
	if !netip.MustParsePrefix("10.77.1.0/24").Contains(got) || vars["mask"] != "16" || vars["router"] != "10.77.0.254" {
		t.Errorf("the client on the box's wire was told %v", vars)
	}
	acks := dhcpOf(wire, dhcpv4.MessageTypeAck)
	if ack := acks[len(acks)-1]; ack.TFTPServerName() != "http://10.77.0.10/yealink/" || ack.ServerIPAddr.String() != boxAddr {
		t.Errorf("a client of the class was told\n%s", ack.Summary())
	}
	b.healthy()
}

// moveBehind takes a host from the LAN and hangs it on a second interface of the router, 10.78.0.1/24 on eth1.
func moveBehind(t *testing.T, router, host *testkit.Node) {
	t.Helper()
	host.IP(t, "link", "del", testkit.Interface)
	router.IP(t, "link", "add", "eth1", "type", "veth", "peer", "name", testkit.Interface, "address", host.MAC, "netns", host.Namespace())
	router.IP(t, "addr", "add", "10.78.0.1/24", "brd", "+", "dev", "eth1")
	router.IP(t, "link", "set", "eth1", "up")
	host.IP(t, "link", "set", testkit.Interface, "up")
	router.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1") // of its namespace
}

// checkOption82 looks whether the relay's information came and went unchanged.
func checkOption82(t *testing.T, wire *testkit.Capture) {
	t.Helper()
	var asked, answered []byte
	for _, m := range dhcpOf(wire, dhcpv4.MessageTypeRequest) {
		asked = m.Options.Get(dhcpv4.OptionRelayAgentInformation)
	}
	for _, m := range dhcpOf(wire, dhcpv4.MessageTypeAck) {
		answered = m.Options.Get(dhcpv4.OptionRelayAgentInformation)
	}
	if len(asked) == 0 || !slices.Equal(asked, answered) {
		t.Errorf("option 82 came as %x and went as %x", asked, answered)
	}
}

// unicastACKs returns the ACKs that went to a client without a relay.
func unicastACKs(wire *testkit.Capture) (out []*dhcpv4.DHCPv4) {
	for _, m := range dhcpOf(wire, dhcpv4.MessageTypeAck) {
		if m.GatewayIPAddr.IsUnspecified() && !m.ClientIPAddr.IsUnspecified() {
			out = append(out, m)
		}
	}
	return out
}
