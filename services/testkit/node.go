package testkit

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"phonebox/services/testkit/netns"
)

// patience is how long the kernel may take to bring a link up.
const patience = 10 * time.Second

// Node is one host of a LAN: a network namespace whose eth0 hangs on the switch.
type Node struct {
	Host
	ns   string // the namespace
	sw   string // the switch's namespace
	port string // the other end of eth0, at the switch
}

// Namespace returns the name that ip netns knows.
func (n *Node) Namespace() string { return n.ns }

// plug makes eth0, hangs it on the switch and sets what the Host says.
func (n *Node) plug(t testing.TB) {
	t.Helper()
	address := ""
	if n.MAC != "" {
		address = " address " + n.MAC
	}
	batch(t, n.sw,
		fmt.Sprintf("link add %s type veth peer name %s%s netns %s", n.port, Interface, address, n.ns),
		fmt.Sprintf("link set %s master br0 up", n.port))
	lines := []string{}
	if n.Addr.IsValid() {
		lines = append(lines, fmt.Sprintf("addr add %s brd + dev %s", n.Addr, Interface))
	}
	batch(t, n.ns, append(lines, "link set "+Interface+" up")...)
	if err := netns.Do(n.ns, func() error { return netns.SendChecksums(Interface) }); err != nil {
		t.Fatalf("asking %s for checksums: %v", n.ns, err)
	}
}

// CableOut takes the cable out: eth0 stays, without a carrier. It returns once the host sees it.
func (n *Node) CableOut(t testing.TB) {
	t.Helper()
	ip(t, "-n", n.sw, "link", "set", n.port, "down")
	Eventually(t, patience, n.Name+" loses its carrier", func() bool { return !n.running(t) })
}

// CableIn puts the cable back and returns once the switch forwards.
func (n *Node) CableIn(t testing.TB) {
	t.Helper()
	ip(t, "-n", n.sw, "link", "set", n.port, "up")
	n.waitForwarding(t)
}

// RemoveInterface removes eth0, as a USB adapter goes when it is pulled.
func (n *Node) RemoveInterface(t testing.TB) {
	t.Helper()
	ip(t, "-n", n.sw, "link", "del", n.port)
}

// RestoreInterface makes eth0 anew, as the Host says, and returns once the switch forwards.
func (n *Node) RestoreInterface(t testing.TB) {
	t.Helper()
	n.plug(t)
	n.waitForwarding(t)
}

// AddAddr adds an address to eth0.
func (n *Node) AddAddr(t testing.TB, p netip.Prefix) {
	t.Helper()
	ip(t, "-n", n.ns, "addr", "add", p.String(), "brd", "+", "dev", Interface)
}

// DelAddr removes an address from eth0.
func (n *Node) DelAddr(t testing.TB, p netip.Prefix) {
	t.Helper()
	ip(t, "-n", n.ns, "addr", "del", p.String(), "dev", Interface)
}

// SetMAC gives eth0 another Ethernet address; what it had of addresses stays.
func (n *Node) SetMAC(t testing.TB, mac string) {
	t.Helper()
	batch(t, n.ns, "link set "+Interface+" down",
		fmt.Sprintf("link set %s address %s", Interface, mac), "link set "+Interface+" up")
	n.waitForwarding(t)
}

// HardwareAddr returns the Ethernet address of eth0.
func (n *Node) HardwareAddr(t testing.TB) net.HardwareAddr {
	t.Helper()
	return In(t, n, func() (net.HardwareAddr, error) {
		ifi, err := net.InterfaceByName(Interface)
		if err != nil {
			return nil, err
		}
		return ifi.HardwareAddr, nil
	})
}

// IP runs ip of iproute2 on the host and returns its output.
func (n *Node) IP(t testing.TB, args ...string) string {
	t.Helper()
	return ip(t, append([]string{"-n", n.ns}, args...)...)
}

// running reports whether eth0 is up with a carrier.
func (n *Node) running(t testing.TB) bool {
	t.Helper()
	return In(t, n, func() (bool, error) {
		ifi, err := net.InterfaceByName(Interface)
		return err == nil && ifi.Flags&net.FlagRunning != 0, nil
	})
}

// waitForwarding returns once eth0 has its carrier and the switch forwards on its port.
func (n *Node) waitForwarding(t testing.TB) {
	t.Helper()
	Eventually(t, patience, n.Name+" gets its carrier", func() bool { return n.running(t) })
	Eventually(t, patience, "the switch forwards to "+n.Name, func() bool {
		out, err := exec.Command("ip", "-n", n.sw, "-d", "link", "show", "dev", n.port).Output()
		return err == nil && strings.Contains(string(out), "state forwarding")
	})
}

// In runs f in the namespace, on a thread of its own that is not used again, and returns its result: sockets opened
// there stay there wherever they are used. f must not start goroutines that open more (see [Reexec]), and must not end
// the test.
func In[T any](t testing.TB, n *Node, f func() (T, error)) T {
	t.Helper()
	var v T
	err := netns.Do(n.ns, func() (err error) {
		v, err = f()
		return err
	})
	if err != nil {
		t.Fatalf("in %s: %v", n.ns, err)
	}
	return v
}

// Do is [In] for code without a result.
func (n *Node) Do(t testing.TB, f func() error) {
	t.Helper()
	In(t, n, func() (struct{}, error) { return struct{}{}, f() })
}
