package netdev_test

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/netdev"
	"phonebox/services/dhcp"
	"phonebox/services/testkit"
)

// heard waits for news and returns the servers.
func heard(t *testing.T, b box) []dhcp.OtherServer {
	t.Helper()
	for len(b.Overheard()) == 0 {
		select {
		case <-b.News():
		case <-time.After(limit):
			t.Fatal("no server is overheard")
		}
	}
	return b.Overheard()
}

// serverFrame is an OFFER as a DHCP server broadcasts it.
func serverFrame(t *testing.T, from, to string, id netip.Addr) []byte {
	t.Helper()
	p, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer), dhcpv4.WithYourIP(net.IP{10, 77, 9, 77}), dhcpv4.WithServerIP(id.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(id.AsSlice())), dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 9, 9}))
	if err != nil {
		t.Fatal(err)
	}
	p.OpCode = dhcpv4.OpcodeBootReply
	src, err := net.ParseMAC(from)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := net.ParseMAC(to)
	if err != nil {
		t.Fatal(err)
	}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 77, 0, 99}, DstIP: net.IP{255, 255, 255, 255}}
	udp := &layers.UDP{SrcPort: 67, DstPort: 68}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: src, DstMAC: dst, EthernetType: layers.EthernetTypeIPv4}, ip, udp, gopacket.Payload(p.ToBytes())); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const everybody = "ff:ff:ff:ff:ff:ff"

// Somebody plugs a server in while the box serves, and a client of it gets an address.
func TestServersAreOverheard(t *testing.T) {
	testkit.Need(t, "dnsmasq", "udhcpc")
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		dnsmasq(t, lan.Node("phone"), "--dhcp-range=10.77.9.10,10.77.9.20,1h", "--no-ping", "--bind-interfaces", "--dhcp-option=3,10.77.0.9")
		client := lan.Node("other").Start(t, "udhcpc", "-f", "-n", "-q", "-B", "-i", testkit.Interface, "-s", "/bin/true")
		if err := client.Wait(); err != nil {
			t.Fatalf("udhcpc: %v", err)
		}
		got := heard(t, b)
		if len(got) != 1 || got[0].Address != phoneNet.Addr() || got[0].MAC != mac(t, phoneMAC) || time.Since(got[0].Seen) > limit ||
			!netip.MustParsePrefix("10.77.9.0/24").Contains(got[0].Offered) {
			t.Errorf("overheard %+v, want the server %s", got, phoneNet.Addr())
		}
		found := false
		for _, o := range got[0].Options {
			found = found || o.Code == 3 && o.Value == "10.77.0.9"
		}
		if !found {
			t.Errorf("the options are %+v, want the router that dnsmasq tells", got[0].Options)
		}
		lan.Node("box").CableOut(t)
		b.wait(t, netdev.Unplugged)
		lan.Node("box").CableIn(t)
		b.wait(t, netdev.Ready)
		if got := b.Overheard(); len(got) != 0 {
			t.Errorf("after the cable was out, %+v is still known", got)
		}
	})
}

// A packet of ours that a relay or a loop sends back, foreign VLANs and helpers for netboot are no other servers.
func TestNoFalseAlarms(t *testing.T) {
	testkit.Need(t, "dnsmasq", "udhcpc")
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		// A real helper for netboot, and a client that it answers.
		pxe := dnsmasq(t, lan.Node("phone"), "--dhcp-range=10.77.9.0,proxy", "--pxe-service=x86PC,Boot,boot", "--bind-interfaces", "--dhcp-broadcast")
		client := lan.Node("other").Start(t, "udhcpc", "-f", "-n", "-q", "-B", "-t", "1", "-T", "1", "-i", testkit.Interface, "-s", "/bin/true",
			"-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000", "-x", "0x5e:010201")
		pxe.WaitOutput("PXE(eth0)", limit)
		_ = client.Wait() // it gets no address
		if found, err := b.Discover(t.Context(), 1, 300*time.Millisecond); err != nil || len(found) != 0 {
			t.Errorf("a look finds %+v, %v", found, err)
		}

		send := frames(t, lan.Node("other"))
		send(serverFrame(t, otherMAC, everybody, boxNet.Addr())) // through a relay
		send(serverFrame(t, boxMAC, everybody, boxNet.Addr()))   // through a loop
		send(serverFrame(t, boxMAC, everybody, phoneNet.Addr())) // a server that somebody runs on the box itself
		foreign := serverFrame(t, otherMAC, everybody, netip.MustParseAddr("10.77.0.66"))
		send(append(append(append([]byte(nil), foreign[:12]...), 0x81, 0, 0, 7), foreign[12:]...)) // another VLAN
		// One that is a server comes after all of those in the same socket.
		send(serverFrame(t, otherMAC, everybody, netip.MustParseAddr("10.77.0.77")))
		got := heard(t, b)
		if len(got) != 1 || got[0].Address.String() != "10.77.0.77" {
			t.Errorf("overheard %+v, want the last one alone", got)
		}
	})
}

// Some servers send to the client's MAC in spite of the broadcast flag.
func TestDiscoverHearsWhatIsSentToItsMadeUpMAC(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		asked := lan.Node("other").Capture(t)
		send := frames(t, lan.Node("other"))
		type result struct {
			found []dhcp.OtherServer
			err   error
		}
		done := make(chan result, 1)
		go func() {
			found, err := b.Discover(t.Context(), 1, limit)
			done <- result{found, err}
		}()
		from := ""
		testkit.Eventually(t, limit, "a DISCOVER is sent", func() bool {
			for _, p := range asked.Packets() {
				u, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
				if eth, ok := p.LinkLayer().(*layers.Ethernet); ok && u != nil && u.DstPort == 67 && eth.SrcMAC.String() != boxMAC {
					from = eth.SrcMAC.String()
				}
			}
			return from != ""
		})
		send(serverFrame(t, otherMAC, from, netip.MustParseAddr("10.77.0.66")))
		if r := <-done; r.err != nil || len(r.found) != 1 || r.found[0].Address.String() != "10.77.0.66" {
			t.Errorf("found %+v, %v", r.found, r.err)
		}
	})
}

// A host begins to use the box's address: it is seen at once, and the box defends its address once.
func TestHostThatTakesTheBoxAddressLater(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		announced := announcements(lan.Node("phone").Capture(t))
		testkit.Eventually(t, limit, "the box has probed and announced its address", func() bool { return announced() == 1 })
		for len(b.News()) > 0 {
			<-b.News()
		}
		other := lan.Node("other")
		other.AddAddr(t, boxNet)
		other.Do(t, func() error { return askFor(phoneNet.Addr()) })
		testkit.Eventually(t, limit, "the duplicate is a state", func() bool {
			s := b.State()
			return s.Duplicate == mac(t, otherMAC) && s.Troubled() && strings.Contains(s.Text, otherMAC[:5])
		})
		select {
		case <-b.News():
		case <-time.After(limit):
			t.Error("nobody is told")
		}
		testkit.Eventually(t, limit, "the box defends its address", func() bool { return announced() == 2 })
		for range 3 {
			_, _ = other.Try(t, "ip", "neigh", "flush", "all")
			other.Do(t, func() error { return askFor(freeAddr) })
		}
		// The answer to a question of ours comes after those in the same socket.
		if _, found, err := b.Probe(t.Context(), phoneNet.Addr(), limit); !found || err != nil {
			t.Errorf("the phone is not found: %v", err)
		}
		if n := announced(); n != 2 {
			t.Errorf("the box fights for its address: %d announcements", n)
		}
		other.DelAddr(t, boxNet)
	})
}

// announcements counts the announcements of the box's address.
func announcements(c *testkit.Capture) func() int {
	return func() (n int) {
		for _, p := range c.Packets() {
			a, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP)
			if ok && net.HardwareAddr(a.SourceHwAddress).String() == boxMAC && bytes.Equal(a.SourceProtAddress, boxNet.Addr().AsSlice()) &&
				bytes.Equal(a.DstProtAddress, a.SourceProtAddress) {
				n++
			}
		}
		return n
	}
}

// The address is another's when the box comes: it is not the box's to defend.
func TestAddressThatWasAnothersIsNotDefended(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		other := lan.Node("other")
		other.AddAddr(t, boxNet)
		announced := announcements(lan.Node("phone").Capture(t))
		b := run(t, managed())
		testkit.Eventually(t, limit, "the duplicate is found", func() bool { return b.State().Duplicate == mac(t, otherMAC) })
		other.SetMAC(t, "00:06:d7:00:00:98") // a second one, by its MAC
		other.Do(t, func() error { return askFor(phoneNet.Addr()) })
		testkit.Eventually(t, limit, "the second is found", func() bool { return b.State().Duplicate == mac(t, "00:06:d7:00:00:98") })
		if _, found, err := b.Probe(t.Context(), phoneNet.Addr(), limit); !found || err != nil {
			t.Errorf("the phone is not found: %v", err)
		}
		if n := announced(); n != 0 {
			t.Errorf("the box announced the address %d times", n)
		}
	})
}

// The box is plugged into the wrong VLAN: it hears who is there.
func TestForeignNetworkIsAState(t *testing.T) {
	t.Parallel()
	testkit.Reexec(t, "box", []testkit.Host{
		{Name: "box", MAC: boxMAC},
		{Name: "one", MAC: phoneMAC, Addr: netip.MustParsePrefix("192.168.1.10/24")},
		{Name: "two", MAC: otherMAC, Addr: netip.MustParsePrefix("192.168.1.11/24")},
	}, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		for _, name := range []string{"one", "two"} {
			lan.Node(name).Do(t, func() error { return askFor(netip.MustParseAddr("192.168.1.1")) })
		}
		testkit.Eventually(t, limit, "the state names the other network", func() bool {
			s := b.State()
			return s.Foreign.String() == "192.168.1.0/24" && s.ForeignGateway.String() == "192.168.1.1" && s.Troubled() && s.Up() &&
				strings.Contains(s.Text, "192.168.1.0/24 (gateway 192.168.1.1), not 10.77.0.0/16: is the box on the right VLAN?")
		})
		lan.Node("box").CableOut(t)
		b.wait(t, netdev.Unplugged)
		if s := b.State(); s.Foreign.IsValid() {
			t.Errorf("without a cable %s is still named", s.Foreign)
		}
		lan.Node("box").CableIn(t)
		b.wait(t, netdev.Ready)
		if s := b.State(); s.Foreign.IsValid() {
			t.Errorf("on what may be another wire %s is still named", s.Foreign)
		}
	})
}

func TestForeignServerNamesItsNetwork(t *testing.T) {
	testkit.Need(t, "dnsmasq")
	t.Parallel()
	testkit.Reexec(t, "box", []testkit.Host{
		{Name: "box", MAC: boxMAC},
		{Name: "router", MAC: otherMAC, Addr: netip.MustParsePrefix("172.20.0.1/20")},
	}, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		dnsmasq(t, lan.Node("router"), "--dhcp-range=172.20.3.10,172.20.3.20,255.255.240.0,1h", "--no-ping", "--bind-interfaces")
		if found, err := b.Discover(t.Context(), 1, limit); err != nil || len(found) != 1 || found[0].Address.String() != "172.20.0.1" {
			t.Fatalf("found %+v, %v", found, err)
		}
		testkit.Eventually(t, limit, "the state names the network of the server", func() bool {
			s := b.State()
			return s.Foreign.String() == "172.20.0.0/20" && s.ForeignGateway.String() == "172.20.0.1"
		})
	})
}

// An address behind a router is asked for by ICMP, thousands at a time.
func TestProbeBeyondTheWire(t *testing.T) {
	t.Parallel()
	testkit.Reexec(t, "box", []testkit.Host{
		{Name: "box", MAC: boxMAC},
		{Name: "router", MAC: otherMAC, Addr: netip.MustParsePrefix("10.77.0.254/16")},
	}, func(t *testing.T, lan *testkit.LAN) {
		there := netip.MustParseAddr("172.20.5.5")
		lan.Node("router").AddAddr(t, netip.PrefixFrom(there, 32))
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		var answer netip.Addr
		testkit.Eventually(t, limit, "the address beyond the wire answers", func() bool {
			m, found, err := b.Probe(t.Context(), there, limit)
			if err == nil && !m.IsZero() {
				t.Errorf("it has the MAC %s", m)
			}
			answer = there
			return err == nil && found
		})
		if _, found, err := b.Probe(t.Context(), answer.Next(), 300*time.Millisecond); found || err != nil {
			t.Errorf("a free address: %v %v", found, err)
		}
		var wg sync.WaitGroup
		var wrong atomic.Int32
		began := time.Now()
		for i := range 3000 {
			wg.Go(func() {
				addr, want := there, i%2 == 0
				wait := limit
				if !want {
					addr, wait = netip.AddrFrom4([4]byte{172, 20, byte(6 + i>>8), byte(i)}), 2*time.Second
				}
				if _, found, err := b.Probe(t.Context(), addr, wait); err != nil || found != want {
					wrong.Add(1)
				}
			})
		}
		wg.Wait()
		t.Logf("FIGURE 3,000 probes beyond the wire at once: %.1f s", time.Since(began).Seconds())
		if n := wrong.Load(); n > 0 {
			t.Errorf("%d of 3,000 probes are wrong", n)
		}
	})
}
