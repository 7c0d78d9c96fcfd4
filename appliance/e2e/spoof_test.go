package e2e_test

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"phonebox/services/testkit"
)

// TestOnlyTheOwnerGetsItsPassword lets a stranger with a lease of its own and a spoofer with the owner's address ask for the
// owner's configuration.
func TestOnlyTheOwnerGetsItsPassword(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "curl")
	lan := office(t, testkit.Host{Name: "owner", MAC: deskMAC.String()},
		testkit.Host{Name: "stranger", MAC: "00:06:d7:65:00:02"}, testkit.Host{Name: "spoofer", MAC: "02:00:00:00:77:66"})
	b := startBox(t, lan, site{phones: []sitePhone{
		{mac: deskMAC, label: "Owner", line: "208"},
		{mac: mustMAC("00:06:d7:65:00:02"), label: "Stranger", line: "209"},
	}}.text(), nil)
	owner, stranger, spoofer := lan.Node("owner"), lan.Node("stranger"), lan.Node("spoofer")
	name := "SIP" + deskMAC.Name() + ".cnf"
	secret := []byte("secret-208")
	c := b.node.Capture(t)

	ownAddr, _ := takeLease(t, owner)
	get := func(t *testing.T, n *testkit.Node, more ...string) (code int, content []byte) {
		to := filepath.Join(t.TempDir(), "got")
		_, err := n.Try(t, "curl", append([]string{"-sS", "--max-time", "6", "-o", to, "tftp://" + boxAddr + "/" + name}, more...)...)
		content, _ = os.ReadFile(to)
		return exitCode(err), content
	}
	t.Run("the owner gets it", func(t *testing.T) {
		b := b.with(t)
		if code, content := get(t, owner); code != 0 || !bytes.Contains(content, secret) {
			t.Errorf("curl ended with %d and %d bytes", code, len(content))
		}
		b.waitEvent(deskMAC, "released", name)
	})
	t.Run("a stranger does not", func(t *testing.T) {
		b := b.with(t)
		at, _ := takeLease(t, stranger)
		if code, content := get(t, stranger); code != curlNotFound || len(content) > 0 {
			t.Errorf("curl ended with %d and %d bytes, wanted TFTP ERROR 1", code, len(content))
		}
		b.waitEvent(deskMAC, "file_refused", at.String())
	})
	t.Run("a spoofer does not while the owner is there", func(t *testing.T) { spoof(t, b.with(t), c, spoofer, ownAddr, get) })
	t.Run("a spoofer does not while the owner is off", func(t *testing.T) {
		owner.CableOut(t)
		spoof(t, b.with(t), c, spoofer, ownAddr, get)
		owner.CableIn(t)
	})
	t.Run("a spoofer with a free address does not", func(t *testing.T) {
		b := b.with(t)
		free := netip.MustParsePrefix("10.77.0.200/16")
		spoofer.AddAddr(t, free)
		if code, content := get(t, spoofer); code != curlNotFound || len(content) > 0 {
			t.Errorf("curl ended with %d and %d bytes, wanted TFTP ERROR 1", code, len(content))
		}
		b.waitEvent(deskMAC, "file_refused", free.Addr().String())
		spoofer.DelAddr(t, free)
	})
	t.Run("the owner still gets it", func(t *testing.T) {
		if code, content := get(t, owner); code != 0 || !bytes.Contains(content, secret) {
			t.Errorf("curl ended with %d and %d bytes", code, len(content))
		}
	})
	// Nothing with the password went to anybody else's frames.
	for _, p := range c.Packets() {
		eth, ok := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
		if ok && bytes.Contains(p.Data(), secret) && !bytes.Equal(eth.DstMAC, deskMAC[:]) {
			t.Errorf("the password went to %s", eth.DstMAC)
		}
	}
}

// spoof takes the owner's address with another MAC and asks. The kernel of the box holds the owner's MAC for that address
// while the lease runs, so that the spoofer may not even hear the refusal; the wire shows it.
func spoof(t *testing.T, b *box, c *testkit.Capture, n *testkit.Node, owner netip.Addr, get func(*testing.T, *testkit.Node, ...string) (int, []byte)) {
	t.Helper()
	as := netip.PrefixFrom(owner, 16)
	n.AddAddr(t, as)
	defer n.DelAddr(t, as)
	before := len(refusals(c, owner))
	events := countEvents(b, "file_refused")
	if code, content := get(t, n); code == 0 || len(content) > 0 {
		t.Errorf("curl ended with %d and %d bytes: the spoofer got the file", code, len(content))
	}
	testkit.Eventually(t, patience, "the box refuses with ERROR 1", func() bool { return len(refusals(c, owner)) > before })
	testkit.Eventually(t, patience, "the refusal is in the journal", func() bool { return countEvents(b, "file_refused") > events })
	for _, code := range refusals(c, owner)[before:] {
		if code != 1 {
			t.Errorf("found TFTP ERROR %d, wanted 1", code)
		}
	}
}

// refusals returns the codes of the TFTP errors that a capture saw on their way to an address.
func refusals(c *testkit.Capture, to netip.Addr) (codes []int) {
	for _, p := range c.Packets() {
		ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		u, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if ip == nil || u == nil || ip.DstIP.String() != to.String() || ip.SrcIP.String() != boxAddr || len(u.Payload) < 4 {
			continue
		}
		if u.Payload[0] == 0 && u.Payload[1] == 5 {
			codes = append(codes, int(u.Payload[2])<<8|int(u.Payload[3]))
		}
	}
	return codes
}

func countEvents(b *box, kind string) (n int) {
	for _, e := range b.events(deskMAC) {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
