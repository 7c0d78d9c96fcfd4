package netdev_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"phonebox/appliance/netdev"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

const (
	limit    = 15 * time.Second // for the slowest machine; nothing takes that long
	boxMAC   = "02:00:00:00:00:01"
	phoneMAC = "00:06:d7:aa:2a:2e"
	otherMAC = "00:06:d7:aa:2a:2f"
)

var (
	boxNet   = netip.MustParsePrefix("10.77.0.1/16")
	phoneNet = netip.MustParsePrefix("10.77.1.2/16")
	freeAddr = netip.MustParseAddr("10.77.1.77")
)

// hosts are the box, a phone with an address and another without.
func hosts() []testkit.Host {
	return []testkit.Host{
		{Name: "box", MAC: boxMAC},
		{Name: "phone", MAC: phoneMAC, Addr: phoneNet},
		{Name: "other", MAC: otherMAC},
	}
}

// inBox runs the body inside the box's namespace.
func inBox(t *testing.T, body func(t *testing.T, lan *testkit.LAN)) {
	t.Helper()
	t.Parallel()
	testkit.Reexec(t, "box", hosts(), body)
}

func mac(t *testing.T, s string) phone.MAC {
	t.Helper()
	m, err := phone.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// box is a device that runs.
type box struct {
	*netdev.Device
	states chan netdev.State
	stop   func()
}

func managed() netdev.Config {
	return netdev.Config{
		Interface: testkit.Interface, Address: boxNet, Gateway: netip.MustParseAddr("10.77.0.254"),
		Manage: true, Freshness: time.Nanosecond, // each question goes to the wire
	}
}

// run starts a device and waits until it has looked.
func run(t *testing.T, cfg netdev.Config) box {
	t.Helper()
	b := box{states: make(chan netdev.State, 100)}
	d, err := netdev.New(cfg, netdev.Deps{
		Log:    slog.New(slog.NewTextHandler(logTo{t}, nil)),
		Report: func(s netdev.State) { b.states <- s },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Device = d
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(b.stop)
	<-d.Ready()
	return b
}

type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// wait returns once the device is in that condition.
func (b box) wait(t *testing.T, want netdev.Condition) {
	t.Helper()
	testkit.Eventually(t, limit, "the interface is "+string(want), func() bool { return b.State().Condition == want })
}

// next reads one change.
func next(t *testing.T, c <-chan bool) bool {
	t.Helper()
	select {
	case up := <-c:
		return up
	case <-time.After(limit):
		t.Fatal("no change is delivered")
		return false
	}
}

func TestAddressRouteAndLinkComeBackByThemselves(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		n := lan.Node("box")
		n.IP(t, "link", "set", testkit.Interface, "down") // it is the box's to switch on
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		changes := b.Changes()
		if !next(t, changes) {
			t.Error("a subscription does not begin with the current state")
		}
		configured := func(when string) {
			t.Helper()
			testkit.Eventually(t, limit, when+" address and route are set", func() bool {
				return strings.Contains(n.IP(t, "addr"), "inet 10.77.0.1/16 brd 10.77.255.255") &&
					strings.Contains(n.IP(t, "route"), "default via 10.77.0.254 dev eth0")
			})
		}
		configured("at the start")
		if err := b.Neighbour(phoneNet.Addr(), mac(t, phoneMAC)); err != nil {
			t.Fatal(err)
		}

		n.CableOut(t)
		if next(t, changes) {
			t.Error("the cable is out and the device is up")
		}
		if s := b.State(); s.Condition != netdev.Unplugged {
			t.Errorf("with the cable out: %+v", s)
		}
		n.CableIn(t)
		if !next(t, changes) {
			t.Error("the cable is in and the device is down")
		}

		n.RemoveInterface(t)
		if next(t, changes) {
			t.Error("the interface is gone and the device is up")
		}
		b.wait(t, netdev.Missing)
		n.RestoreInterface(t)
		if !next(t, changes) {
			t.Error("the interface is back and the device is down")
		}
		configured("after the interface returned")
		if _, found, err := b.Probe(t.Context(), phoneNet.Addr(), limit); !found || err != nil {
			t.Errorf("after the interface returned a probe finds nobody: %v", err)
		}
		permanent(t, n, phoneNet.Addr(), phoneMAC)

		n.DelAddr(t, boxNet) // somebody's mistake
		configured("after somebody removed it")
	})
}

// Somebody switches the interface off and the box switches it on again in the same look; a cable may be that quick, too.
// Whoever searched the wire for other servers has to be told.
func TestALinkThatIsBackBeforeTheLookIsToldAllTheSame(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		changes := b.Changes()
		next(t, changes)
		for range 3 {
			lan.Node("box").IP(t, "link", "set", testkit.Interface, "down")
			for !next(t, changes) {
			}
			if !b.Up() {
				t.Error("the last change says that the wire is up, and it is not")
			}
		}
	})
}

// permanent waits until the host's kernel has that permanent entry; mac "" means none.
func permanent(t *testing.T, n *testkit.Node, addr netip.Addr, mac string) {
	t.Helper()
	want := addr.String() + " lladdr " + mac + " PERMANENT"
	testkit.Eventually(t, limit, "the permanent entry of "+addr.String()+" is "+mac, func() bool {
		out := n.IP(t, "neigh", "show", "dev", testkit.Interface, "nud", "permanent")
		if mac == "" {
			return !strings.Contains(out, addr.String()+" ")
		}
		return strings.Contains(out, want)
	})
}

func TestWithoutManageTheDeviceOnlyLooks(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		n := lan.Node("box")
		cfg := managed()
		cfg.Manage = false
		b := run(t, cfg)
		b.wait(t, netdev.NoAddress)
		if out := n.IP(t, "addr") + n.IP(t, "route"); strings.Contains(out, "10.77.0.") {
			t.Errorf("it set something: %s", out)
		}
		n.AddAddr(t, boxNet)
		b.wait(t, netdev.Ready)
		n.DelAddr(t, boxNet)
		b.wait(t, netdev.NoAddress)
	})
}

func TestApplyMovesTheBoxToAnotherAddress(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		n := lan.Node("box")
		foreign := netip.MustParsePrefix("192.0.2.9/24")
		n.AddAddr(t, foreign)
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		for _, to := range []netip.Prefix{netip.MustParsePrefix("10.77.0.2/16"), netip.MustParsePrefix("10.78.0.1/24")} {
			cfg := managed()
			cfg.Address, cfg.Gateway = to, netip.Addr{}
			if err := b.Apply(cfg); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, limit, "the box has "+to.String()+" alone", func() bool {
				out := n.IP(t, "addr", "show", "dev", testkit.Interface)
				return strings.Contains(out, "inet "+to.String()) && strings.Count(out, "inet 10.") == 1 &&
					strings.Contains(out, foreign.String()) && !strings.Contains(n.IP(t, "route"), "default")
			})
			b.wait(t, netdev.Ready)
		}
		if err := b.Apply(netdev.Config{}); err == nil {
			t.Error("wrong settings are taken")
		}
		// A later process knows the address as the box's own.
		b.stop()
		b = run(t, managed())
		b.wait(t, netdev.Ready)
		if out := n.IP(t, "addr", "show", "dev", testkit.Interface); strings.Contains(out, "10.78.0.1") {
			t.Errorf("the old address is left: %s", out)
		}
	})
}

func TestProbeFindsWhoHasAnAddress(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		got, found, err := b.Probe(t.Context(), phoneNet.Addr(), limit)
		if err != nil || !found || got != mac(t, phoneMAC) {
			t.Errorf("the phone's address: %s %v %v", got, found, err)
		}
		if got, found, err := b.Probe(t.Context(), freeAddr, 200*time.Millisecond); err != nil || found {
			t.Errorf("a free address: %s %v %v", got, found, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := b.Probe(ctx, freeAddr, limit); err == nil {
			t.Error("a cancelled probe gives no error")
		}
	})
}

// A phone that is just about to take an address gives it up when another host asks for it from 0.0.0.0 (RFC 5227 section
// 2.1.1). So the box asks in the name of its own address; only that one it asks for without.
func TestProbeLooksLikeNoHostThatWantsTheAddress(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		heard := lan.Node("other").Capture(t)
		for _, addr := range []netip.Addr{freeAddr, boxNet.Addr()} {
			if _, found, err := b.Probe(t.Context(), addr, 200*time.Millisecond); err != nil || found {
				t.Errorf("asking for %s: %v %v", addr, found, err)
			}
		}
		asked := map[netip.Addr]map[string]bool{freeAddr: {}, boxNet.Addr(): {}} // senders by what was asked for
		for _, p := range heard.Packets() {
			if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok && arp.Operation == layers.ARPRequest {
				if target, _ := netip.AddrFromSlice(arp.DstProtAddress); asked[target] != nil {
					asked[target][net.IP(arp.SourceProtAddress).String()] = true
				}
			}
		}
		if got := asked[freeAddr]; len(got) != 1 || !got[boxNet.Addr().String()] {
			t.Errorf("the box asked for a phone's address as %v, want as %s alone", got, boxNet.Addr())
		}
		if got := asked[boxNet.Addr()]; !got["0.0.0.0"] {
			t.Errorf("the box asked for its own address as %v, want as 0.0.0.0", got)
		}
	})
}

func TestAnotherHostWithTheBoxAddressIsFound(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		lan.Node("other").AddAddr(t, boxNet)
		b := run(t, managed())
		testkit.Eventually(t, limit, "the duplicate is found", func() bool {
			got, found := b.DuplicateAddress()
			return found && got == mac(t, otherMAC) && strings.Contains(b.State().Text, "the same address")
		})
		lan.Node("other").DelAddr(t, boxNet)
		lan.Node("box").CableOut(t)
		b.wait(t, netdev.Unplugged)
		lan.Node("box").CableIn(t)
		b.wait(t, netdev.Ready)
		if got, found, err := b.Probe(t.Context(), boxNet.Addr(), 300*time.Millisecond); found || err != nil {
			t.Errorf("the box finds itself: %s %v", got, err)
		}
		if got, found := b.DuplicateAddress(); found {
			t.Errorf("the duplicate %s is gone and still named", got)
		}
	})
}

// What a host of another VLAN on the same cable claims, by tagged frames, is none of the box's business: it must neither
// pass for a phone nor look like a second box.
func TestForeignVLANsAreNotHeard(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		send := frames(t, lan.Node("other"))
		own, box := mac(t, otherMAC), boxNet.Addr().As4()
		arp := append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, own[:]...) // asks for the phone as 10.77.0.1
		arp = append(append(arp, box[:]...), make([]byte, 6)...)
		arp = append(arp, phoneNet.Addr().AsSlice()...)
		head := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, own[:]...)
		send(slices.Concat(head, []byte{0x81, 0, 0, 7, 8, 6}, arp))
		// The answer to a question of ours comes after that in the same socket.
		if got, found, err := b.Probe(t.Context(), phoneNet.Addr(), limit); !found || err != nil || got != mac(t, phoneMAC) {
			t.Fatalf("the phone was not found: %s %v", got, err)
		}
		if got, found := b.DuplicateAddress(); found {
			t.Errorf("the host %s of another VLAN is taken for a second box", got)
		}
		send(slices.Concat(head, []byte{8, 6}, arp))
		testkit.Eventually(t, limit, "the same without a tag is heard", func() bool {
			got, found := b.DuplicateAddress()
			return found && got == own
		})
	})
}

// frames returns what sends raw frames from a node.
func frames(t *testing.T, n *testkit.Node) func([]byte) {
	t.Helper()
	var conn *packet.Conn
	n.Do(t, func() error {
		ifi, err := net.InterfaceByName(testkit.Interface)
		if err == nil {
			conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, nil)
		}
		return err
	})
	t.Cleanup(func() { conn.Close() })
	return func(frame []byte) {
		if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSendUDPReachesAClientWithoutAnAddress(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		heard := lan.Node("other").Capture(t)
		src, dst := netip.AddrPortFrom(boxNet.Addr(), 67), netip.AddrPortFrom(freeAddr, 68)
		if err := b.SendUDP(mac(t, otherMAC), src, dst, []byte("here is your address")); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, limit, "the frame arrives", func() bool {
			for _, p := range heard.Packets() {
				if p.Layer(layers.LayerTypeUDP) == nil || !strings.Contains(string(p.Data()), "here is your address") {
					continue
				}
				eth := p.LinkLayer().(*layers.Ethernet)
				if err, bad := p.VerifyChecksums(); err != nil || len(bad) > 0 || eth.DstMAC.String() != otherMAC || eth.SrcMAC.String() != boxMAC {
					t.Errorf("the frame arrives as %v: %v %v", p, err, bad)
				}
				return true
			}
			return false
		})
	})
}

func TestNeighbourEntriesArePermanentAndGoWithTheLease(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		n := lan.Node("box")
		stale := netip.MustParseAddr("10.77.1.200") // of a box that was killed
		n.IP(t, "addr", "add", "10.77.0.1/16", "dev", testkit.Interface)
		n.IP(t, "neigh", "add", stale.String(), "lladdr", otherMAC, "nud", "permanent", "dev", testkit.Interface)
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		permanent(t, n, stale, "")
		set := func(addr netip.Addr, to phone.MAC) {
			t.Helper()
			if err := b.Neighbour(addr, to); err != nil {
				t.Error(err)
			}
		}
		set(freeAddr, mac(t, otherMAC))
		permanent(t, n, freeAddr, otherMAC)
		set(freeAddr, mac(t, phoneMAC))
		permanent(t, n, freeAddr, phoneMAC)
		n.IP(t, "link", "set", testkit.Interface, "down") // drops every entry; the box switches it on again
		permanent(t, n, freeAddr, phoneMAC)
		set(freeAddr, phone.MAC{})
		permanent(t, n, freeAddr, "")
		set(freeAddr, phone.MAC{}) // none to remove
		set(netip.MustParseAddr("192.0.2.7"), mac(t, phoneMAC))
		permanent(t, n, netip.MustParseAddr("192.0.2.7"), "")
		set(freeAddr, mac(t, phoneMAC))
		b.stop()
		permanent(t, n, freeAddr, "")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }() // as after a panic: it knows what is leased
		permanent(t, n, freeAddr, phoneMAC)
		n.CableOut(t)
		b.wait(t, netdev.Unplugged)
		set(freeAddr, phone.MAC{}) // a lease that runs out while the cable is out
		permanent(t, n, freeAddr, "")
		if _, _, err := b.Probe(t.Context(), freeAddr, limit); err == nil {
			t.Error("a probe without a cable says that nobody answers")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run for the second time: %v", err)
		}
	})
}

func TestMACOfSeesWhatTheWireSays(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		addr := phoneNet.Addr()
		expect := func(when, want string, held bool) {
			t.Helper()
			got, one, err := b.MACOf(t.Context(), addr)
			if err != nil || one != held || (held && got != mac(t, want)) {
				t.Errorf("%s: got %s %v %v", when, got, one, err)
			}
		}
		expect("at first", phoneMAC, true)
		// What we wrote ourselves counts for nothing.
		if err := b.Neighbour(addr, mac(t, boxMAC)); err != nil {
			t.Fatal(err)
		}
		expect("with an entry of ours", phoneMAC, true)

		lan.Node("phone").SetMAC(t, "00:06:d7:00:00:99")
		expect("after its MAC changed", "00:06:d7:00:00:99", true)

		lan.Node("other").AddAddr(t, phoneNet)
		expect("with two hosts", "", false)
		lan.Node("phone").CableOut(t)
		expect("with the other alone", otherMAC, true)
		lan.Node("other").DelAddr(t, phoneNet)
		expect("with nobody", "", false)

		addr = boxNet.Addr()
		expect("the box itself", boxMAC, true)
		if _, _, err := b.MACOf(t.Context(), netip.MustParseAddr("192.0.2.1")); err == nil {
			t.Error("an address beyond the wire gives no error")
		}
		lan.Node("box").CableOut(t)
		b.wait(t, netdev.Unplugged)
		if _, _, err := b.MACOf(t.Context(), phoneNet.Addr()); err == nil {
			t.Error("without a cable there is no error")
		}
	})
}

func TestMACOfForgetsAtOnceWhenAnotherHostAppears(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		cfg := managed()
		cfg.Freshness = time.Hour
		b := run(t, cfg)
		b.wait(t, netdev.Ready)
		if got, one, err := b.MACOf(t.Context(), phoneNet.Addr()); err != nil || !one || got != mac(t, phoneMAC) {
			t.Fatalf("at first: %s %v %v", got, one, err)
		}
		lan.Node("phone").CableOut(t)
		if got, one, err := b.MACOf(t.Context(), phoneNet.Addr()); err != nil || !one || got != mac(t, phoneMAC) {
			t.Fatalf("while it is fresh: %s %v %v", got, one, err)
		}
		other := lan.Node("other")
		other.AddAddr(t, phoneNet)
		_, _ = other.Try(t, "ip", "neigh", "flush", "all")
		other.Do(t, func() error { return askFor(boxNet.Addr()) }) // any packet of it makes it ask who the box is
		testkit.Eventually(t, limit, "the other host is seen", func() bool {
			got, one, err := b.MACOf(t.Context(), phoneNet.Addr())
			return err == nil && one && got == mac(t, otherMAC)
		})
	})
}
