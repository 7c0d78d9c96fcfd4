package netdev_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"phonebox/appliance/netdev"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// from is where the requests of these tests come from.
var from = netip.AddrPortFrom(phoneNet.Addr(), 50123)

// request sends a TFTP request of a host with the phone's address.
func request(t *testing.T, n *testkit.Node) {
	t.Helper()
	requestFrom(t, n, from)
}

func requestFrom(t *testing.T, n *testkit.Node, from netip.AddrPort) {
	t.Helper()
	n.Do(t, func() error {
		c, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(from), &net.UDPAddr{IP: boxNet.Addr().AsSlice(), Port: 69})
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("\x00\x01SIP0006D7AA2A2E.cnf\x00octet\x00"))
		return err
	})
}

// asked tells the box who has the phone's address, and what of the requests.
func (b box) asked(t *testing.T) (mac phone.MAC, one bool) {
	t.Helper()
	mac, one, err := b.MACOf(t.Context(), phoneNet.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return mac, one
}

// served is the box with a port 69 on which requests come in, so that a test knows when one is there.
func served(t *testing.T) (b box, arrived func(t *testing.T)) {
	t.Helper()
	b = run(t, managed())
	b.wait(t, netdev.Ready)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: boxNet.Addr().AsSlice(), Port: 69})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return b, func(t *testing.T) {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.ReadFromUDP(make([]byte, 600)); err != nil {
			t.Fatalf("the request did not come: %v", err)
		}
	}
}

func TestSentByNeedsAllThatSpeaksForThePhone(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b, arrived := served(t)
		owner, other := lan.Node("phone"), lan.Node("other")
		own := mac(t, phoneMAC)
		expect := func(when string, want bool) {
			t.Helper()
			if got := b.SentBy(t.Context(), from, own); got != want {
				t.Errorf("%s: %v, wanted %v", when, got, want)
			}
		}
		look := func() {
			t.Helper()
			if got, one := b.asked(t); !one || got != own {
				t.Fatalf("MACOf: %s %v", got, one)
			}
		}
		request(t, owner)
		arrived(t)
		expect("without a lease and without a look", false)
		look()
		expect("without a lease: what is sent there may go to somebody else", false)
		if err := b.Neighbour(phoneNet.Addr(), own); err != nil {
			t.Fatal(err)
		}
		look()
		expect("with a lease and a look", true)
		if b.SentBy(t.Context(), netip.AddrPortFrom(from.Addr(), from.Port()+1), own) {
			t.Error("a request that never came was sent by the phone")
		}
		if b.SentBy(t.Context(), from, mac(t, otherMAC)) {
			t.Error("the request was sent by another as well")
		}

		// Another host asks from that address and port, and is silent otherwise.
		other.Do(t, func() error { return send(rrqFrame(t, otherMAC)) })
		arrived(t)
		expect("when another asks from the same address and port", false)
		look() // only the phone answers
		expect("and after a look", false)
		again := netip.AddrPortFrom(from.Addr(), from.Port()+1)
		requestFrom(t, owner, again)
		arrived(t)
		if !b.SentBy(t.Context(), again, own) {
			t.Error("the phone's next request, after a look: false")
		}
		if err := b.Neighbour(phoneNet.Addr(), phone.MAC{}); err != nil {
			t.Fatal(err)
		}
		if b.SentBy(t.Context(), again, own) {
			t.Error("when the lease ended: true")
		}
	})
}

// The question is begun when the phone is heard for the first time after its lease, and asked once.
func TestThePhoneIsAskedForBeforeItAsks(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b, arrived := served(t)
		owner, other, own := lan.Node("phone"), lan.Node("other"), mac(t, phoneMAC)
		c := owner.Capture(t)
		lease := func() {
			t.Helper()
			if err := b.Neighbour(phoneNet.Addr(), own); err != nil {
				t.Fatal(err)
			}
		}
		lease()
		owner.Run(t, "ip", "neigh", "flush", "dev", testkit.Interface)
		request(t, owner) // its kernel asks by ARP who the box is
		arrived(t)
		testkit.Eventually(t, limit, "the request is known to be the phone's", func() bool { return b.SentBy(t.Context(), from, own) })
		if n := questions(c); n != 1 {
			t.Errorf("the phone was asked %d times", n)
		}

		t.Run("a host that begins to answer later", func(t *testing.T) {
			other.Do(t, func() error { return send(arpClaim(t, otherMAC)) })
			testkit.Eventually(t, limit, "the answer does not count any more", func() bool { return !b.SentBy(t.Context(), from, own) })
		})
		t.Run("two hosts", func(t *testing.T) {
			// The other one answers for the address. It is the phone that asks, and yet nothing is sure.
			other.AddAddr(t, phoneNet)
			lease()
			owner.Do(t, func() error { return send(arpClaim(t, phoneMAC)) })
			testkit.Eventually(t, limit, "the phone is asked for", func() bool { return questions(c) >= 2 })
			request(t, owner)
			arrived(t)
			if b.SentBy(t.Context(), from, own) {
				t.Error("two hosts answer, and the phone is vouched for")
			}
			if got, one := b.asked(t); one {
				t.Errorf("MACOf: %s alone", got)
			}
		})
	})
}

// When frames were lost, another's request could pass for the phone's.
func TestSentByKnowsNothingWhenFramesWereLost(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b, arrived := served(t)
		owner, own := lan.Node("phone"), mac(t, phoneMAC)
		if err := b.Neighbour(phoneNet.Addr(), own); err != nil {
			t.Fatal(err)
		}
		request(t, owner)
		arrived(t)
		if got, one := b.asked(t); !one || got != own {
			t.Fatalf("MACOf: %s %v", got, one)
		}
		if !b.SentBy(t.Context(), from, own) {
			t.Fatal("at first: false")
		}
		const flood = 10_000 // more than the socket holds
		lan.Node("other").Do(t, func() error {
			return sendMany(rrqFrame(t, otherMAC), flood)
		})
		if b.SentBy(t.Context(), from, own) {
			t.Error("frames were lost, and the phone is vouched for")
		}
		b.asked(t)
		later := netip.AddrPortFrom(from.Addr(), from.Port()+7)
		requestFrom(t, owner, later)
		testkit.Eventually(t, limit, "what comes later is known again", func() bool { return b.SentBy(t.Context(), later, own) })
	})
}

// What speaks against a phone counts until the wire was asked again, and a port that two used is nobody's.
func TestSentByHearsWhatSpeaksAgainstThePhone(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b, arrived := served(t)
		owner, other := lan.Node("phone"), lan.Node("other")
		own, another := mac(t, phoneMAC), mac(t, otherMAC)
		second := netip.AddrPortFrom(from.Addr(), from.Port()+1)
		expect := func(when string, at netip.AddrPort, of phone.MAC, want bool) {
			t.Helper()
			if got := b.SentBy(t.Context(), at, of); got != want {
				t.Errorf("%s: %v, wanted %v", when, got, want)
			}
		}
		if err := b.Neighbour(phoneNet.Addr(), own); err != nil {
			t.Fatal(err)
		}
		request(t, owner)
		arrived(t)
		b.asked(t)
		expect("at first", from, own, true)
		other.Do(t, func() error { return send(rrqFrameFrom(t, otherMAC, second)) })
		arrived(t)
		expect("when another asked from the address, from another port", from, own, false)
		b.asked(t)
		expect("after a look", from, own, true)
		requestFrom(t, owner, second)
		arrived(t)
		b.asked(t)
		expect("a port that another used a moment ago", second, own, false)

		third := netip.AddrPortFrom(from.Addr(), from.Port()+2)
		if err := b.Neighbour(phoneNet.Addr(), another); err != nil {
			t.Fatal(err)
		}
		other.Do(t, func() error { return send(rrqFrameFrom(t, otherMAC, third)) })
		arrived(t)
		expect("a lease of another before a look", third, another, false)
		b.asked(t) // the phone answers
		expect("a lease of another for whom nobody answers", third, another, false)
	})
}

// A request that comes in pieces, or with a priority tag (802.1p, VLAN 0), reaches the TFTP server like any other, so its frame
// has to be seen as well: from an address and port that the phone used before, it would pass for the phone's.
func TestSentBySeesEveryFrameThatBecomesARequest(t *testing.T) {
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b, arrived := served(t)
		owner, own := lan.Node("phone"), mac(t, phoneMAC)
		if err := b.Neighbour(phoneNet.Addr(), own); err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct {
			name   string
			frames func(rrq []byte) [][]byte
		}{
			{"fragments", fragments},
			{"a priority tag", func(rrq []byte) [][]byte { return [][]byte{tagged(rrq)} }},
			{"two of them", func(rrq []byte) [][]byte { return [][]byte{tagged(tagged(rrq))} }},
		} {
			t.Run(c.name, func(t *testing.T) {
				at := netip.AddrPortFrom(from.Addr(), from.Port()+uint16(i))
				requestFrom(t, owner, at)
				arrived(t)
				if got, one := b.asked(t); !one || got != own {
					t.Fatalf("MACOf: %s %v", got, one)
				}
				if !b.SentBy(t.Context(), at, own) {
					t.Fatal("the phone's own request: false")
				}
				lan.Node("other").Do(t, func() error {
					for _, f := range c.frames(rrqFrameFrom(t, otherMAC, at)) {
						if err := send(f); err != nil {
							return err
						}
					}
					return nil
				})
				arrived(t)
				b.asked(t)
				if b.SentBy(t.Context(), at, own) {
					t.Error("another's request is taken for the phone's")
				}
			})
		}
		t.Run("of the phone", func(t *testing.T) {
			at := netip.AddrPortFrom(from.Addr(), from.Port()+9)
			owner.Do(t, func() error { return send(tagged(rrqFrameFrom(t, phoneMAC, at))) })
			arrived(t)
			b.asked(t)
			if !b.SentBy(t.Context(), at, own) {
				t.Error("a phone that tags its frames with a priority is not known by them")
			}
		})
	})
}

// fragments cuts an IPv4 datagram in two.
func fragments(frame []byte) [][]byte {
	const headers, first = 14 + 20, 16
	piece := func(from, to int, field uint16) []byte {
		f := append(append([]byte(nil), frame[:headers]...), frame[headers+from:headers+to]...)
		ip := f[14:headers]
		binary.BigEndian.PutUint16(ip[2:], uint16(len(f)-14))
		binary.BigEndian.PutUint16(ip[4:], 4711)
		binary.BigEndian.PutUint16(ip[6:], field)
		binary.BigEndian.PutUint16(ip[10:], 0)
		sum := uint32(0)
		for i := 0; i < len(ip); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(ip[i:]))
		}
		for sum>>16 != 0 {
			sum = sum&0xffff + sum>>16
		}
		binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
		return f
	}
	return [][]byte{piece(0, first, 0x2000), piece(first, len(frame)-headers, first/8)}
}

// tagged puts a tag of priority 5 and VLAN 0 into a frame.
func tagged(frame []byte) []byte {
	return slices.Concat(frame[:12], []byte{0x81, 0x00, 5 << 5, 0}, frame[12:])
}

// questions counts the ARP requests of the box for the phone's address.
func questions(c *testkit.Capture) (n int) {
	for _, p := range c.Packets() {
		a, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP)
		if ok && a.Operation == layers.ARPRequest && net.IP(a.DstProtAddress).Equal(phoneNet.Addr().AsSlice()) &&
			net.IP(a.SourceProtAddress).Equal(boxNet.Addr().AsSlice()) {
			n++
		}
	}
	return n
}

// send puts a frame on the wire, from the namespace of the caller.
func send(frame []byte) error { return sendMany(frame, 1) }

func sendMany(frame []byte, times int) error {
	ifi, err := net.InterfaceByName(testkit.Interface)
	if err != nil {
		return err
	}
	c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_LOOP, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for range times {
		if _, err := c.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])}); err != nil {
			return err
		}
	}
	return nil
}

// rrqFrame is a TFTP request from the phone's address and port in a frame of that MAC.
func rrqFrame(t *testing.T, of string) []byte {
	t.Helper()
	return rrqFrameFrom(t, of, from)
}

func rrqFrameFrom(t *testing.T, of string, from netip.AddrPort) []byte {
	t.Helper()
	src, dst := mac(t, of), mac(t, boxMAC)
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: from.Addr().AsSlice(), DstIP: boxNet.Addr().AsSlice()}
	udp := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: 69}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	return serialize(t, &layers.Ethernet{SrcMAC: src[:], DstMAC: dst[:], EthernetType: layers.EthernetTypeIPv4}, ip, udp,
		gopacket.Payload("\x00\x01SIP0006D7AA2A2E.cnf\x00octet\x00"))
}

// arpClaim is an ARP request of that MAC that asks for the box from the phone's address.
func arpClaim(t *testing.T, of string) []byte {
	t.Helper()
	src := mac(t, of)
	return serialize(t, &layers.Ethernet{SrcMAC: src[:], DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP}, &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation: layers.ARPRequest, SourceHwAddress: src[:], SourceProtAddress: phoneNet.Addr().AsSlice(),
		DstHwAddress: make([]byte, 6), DstProtAddress: boxNet.Addr().AsSlice(),
	})
}

func serialize(t *testing.T, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
