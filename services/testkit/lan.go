package testkit

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"phonebox/services/testkit/netns"
)

// Interface is the name of every host's one interface.
const Interface = "eth0"

// Host says what a host of a LAN is; the zero MAC and address leave both to the kernel and to the test.
type Host struct {
	Name string       // a short word, unique in its LAN
	MAC  string       // in the notation of ip; "" = the kernel makes one up
	Addr netip.Prefix // set on eth0; not valid = none
}

// LAN is one switch and the hosts around it.
type LAN struct {
	prefix string
	nodes  []*Node
}

// namePrefix begins the name of every namespace; the number of the process that made it follows.
const namePrefix = "phonebox-"

// NewLAN makes a LAN that lasts as long as the test; it ends the test where that can't be done (see [Need]). The
// interfaces are up, the switch forwards, and IPv6 is off, so that the wire carries only what the test sends. The
// sender computes checksums, as a wire carries them: a reader of raw frames sees valid ones.
func NewLAN(t testing.TB, hosts ...Host) *LAN {
	t.Helper()
	Need(t, "netns")
	sweep(t)
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	lan := newLAN(fmt.Sprintf("%s%d-%s", namePrefix, os.Getpid(), hex.EncodeToString(id[:])), hosts)
	full := neighboursFull()
	t.Cleanup(func() {
		lan.remove(t)
		if now := neighboursFull(); now > full && t.Failed() {
			t.Logf("the kernel's table of neighbours was full %d times meanwhile: it is one for all namespaces, and hosts do not "+
				"find each other then. Something else on this machine has a thousand of them", now-full)
		}
	})
	ip(t, "netns", "add", lan.sw())
	disableIPv6(t, lan.sw())
	batch(t, lan.sw(), "link set lo up",
		"link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set br0 up")
	for _, n := range lan.nodes {
		ip(t, "netns", "add", n.ns)
		disableIPv6(t, n.ns)
		batch(t, n.ns, "link set lo up")
		n.plug(t)
	}
	for _, n := range lan.nodes {
		n.waitForwarding(t)
	}
	return lan
}

// neighboursFull is how often the kernel had no room for one more neighbour (table_fulls, a hexadecimal number for each
// processor); 0 where it does not say.
func neighboursFull() (n uint64) {
	// Of this thread: the first one of the process may be in a namespace for good (see In), and only the machine's own has it.
	text, err := os.ReadFile("/proc/thread-self/net/stat/arp_cache")
	if err != nil {
		return 0
	}
	head, rows, _ := strings.Cut(string(text), "\n")
	column := slices.Index(strings.Fields(head), "table_fulls")
	for row := range strings.Lines(rows) {
		if f := strings.Fields(row); column >= 0 && column < len(f) {
			v, _ := strconv.ParseUint(f[column], 16, 64)
			n += v
		}
	}
	return n
}

// newLAN is the description alone: [Reexec] makes one in the inner process.
func newLAN(prefix string, hosts []Host) *LAN {
	lan := &LAN{prefix: prefix}
	for i, h := range hosts {
		lan.nodes = append(lan.nodes, &Node{
			Host: h, ns: prefix + "-" + h.Name, sw: lan.sw(), port: "port" + strconv.Itoa(i),
		})
	}
	return lan
}

func (l *LAN) sw() string { return l.prefix + "-sw" }

// Node returns the host of that name; asking for another is a mistake of the test and panics.
func (l *LAN) Node(name string) *Node {
	for _, n := range l.nodes {
		if n.Name == name {
			return n
		}
	}
	panic(fmt.Sprintf("testkit: no host %q in this LAN", name))
}

// Nodes returns all hosts in the order that NewLAN was given.
func (l *LAN) Nodes() []*Node { return append([]*Node(nil), l.nodes...) }

// remove ends what still runs in the namespaces and removes them.
func (l *LAN) remove(t testing.TB) {
	names := []string{l.sw()}
	for _, n := range l.nodes {
		names = append(names, n.ns)
	}
	for _, name := range names {
		if err := netns.Remove(name); err != nil {
			t.Logf("removing the namespace %s: %v", name, err)
		}
	}
}

// sweep removes what tests left behind that were killed before their cleanup ran.
func sweep(t testing.TB) {
	t.Helper()
	for _, name := range netns.Sweep(namePrefix) {
		t.Logf("removed %s, left by a test that was killed", name)
	}
}

// ip runs ip of iproute2 and returns its output; a failure ends the test.
func ip(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// batch runs several ip commands in a namespace with one process.
func batch(t testing.TB, ns string, lines ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-n", ns, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip in %s: %q: %v: %s", ns, lines, err, out)
	}
}

// disableIPv6 keeps router and neighbour discovery off the wire; it is a setting of that namespace alone.
func disableIPv6(t testing.TB, ns string) {
	t.Helper()
	if err := netns.Do(ns, netns.WithoutIPv6); err != nil {
		t.Fatalf("switching IPv6 off in %s: %v", ns, err)
	}
}

// Eventually polls ok until it holds; after the limit it ends the test, naming what it waited for. It is no timed
// test: the limit only has to be longer than the slowest machine needs.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", limit, what)
		}
	}
}
