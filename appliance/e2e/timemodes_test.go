package e2e_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

const (
	subnetBroadcast = "10.77.255.255"
	ntpGroup        = "224.0.1.1"
)

// ntpPacket is an NTP packet as it went over the wire.
type ntpPacket struct {
	srcMAC, dstMAC   string
	src, dst         string
	srcPort, dstPort uint16
	ttl              uint8
	mode, version    uint8
	stratum          uint8
	leap             uint8
	origin, transmit uint64
}

// ntpPackets are those that a capture saw.
func ntpPackets(c *testkit.Capture) (list []ntpPacket) {
	for _, p := range c.Packets() {
		eth, _ := p.LinkLayer().(*layers.Ethernet)
		ip, _ := p.NetworkLayer().(*layers.IPv4)
		udp, _ := p.TransportLayer().(*layers.UDP)
		if eth == nil || ip == nil || udp == nil || udp.SrcPort != 123 && udp.DstPort != 123 {
			continue
		}
		var n layers.NTP
		if n.DecodeFromBytes(udp.Payload, gopacket.NilDecodeFeedback) != nil {
			continue
		}
		list = append(list, ntpPacket{
			srcMAC: eth.SrcMAC.String(), dstMAC: eth.DstMAC.String(), src: ip.SrcIP.String(), dst: ip.DstIP.String(),
			srcPort: uint16(udp.SrcPort), dstPort: uint16(udp.DstPort), ttl: ip.TTL, mode: uint8(n.Mode), version: uint8(n.Version),
			stratum: uint8(n.Stratum), leap: uint8(n.LeapIndicator), origin: uint64(n.OriginTimestamp), transmit: uint64(n.TransmitTimestamp),
		})
	}
	return list
}

// broadcastsOf are the mode-5 packets of a capture to that address.
func broadcastsOf(list []ntpPacket, to string) (out []ntpPacket) {
	for _, p := range list {
		if p.mode == 5 && p.dst == to {
			out = append(out, p)
		}
	}
	return out
}

// timePhone is a phone with a way to ask of its own, and what it is to do.
type timePhone struct {
	name, parameters string
	mac              phone.MAC
	asks             string // where its first request goes; "" = it asks nobody
	later            string // where its later ones go; "" = there are none
	listens          bool
}

func timePhones() []timePhone {
	all := []timePhone{
		{name: "unicast", parameters: `sntp_mode = "unicast"`, asks: boxAddr, later: boxAddr},
		{name: "anycast", parameters: `sntp_mode = "anycast"`, asks: subnetBroadcast, later: boxAddr},
		{name: "multicast", parameters: `sntp_mode = "multicast"`, listens: true},
		{name: "directedbroadcast", parameters: `sntp_mode = "directedbroadcast"`, asks: boxAddr, listens: true},
		{name: "directedbroadcast without a server", parameters: "sntp_mode = \"directedbroadcast\"\nsntp_server = \"\"", asks: subnetBroadcast, listens: true},
	}
	for i := range all {
		all[i].mac = phonesim.AddMAC(mustMAC("00:06:d7:7e:00:00"), i)
	}
	return all
}

// TestEveryWayToGetTheTime boots a phone for each mode of phones.md d.1, and a capture shows what went over the wire.
func TestEveryWayToGetTheTime(t *testing.T) {
	t.Parallel()
	lan := office(t, testkit.Host{Name: "wire"}, testkit.Host{Name: "ntp", Addr: netip.MustParsePrefix("10.77.0.30/16")})
	testkit.Need(t, "chronyd")
	startUpstreamNTP(t, lan.Node("ntp"))
	phones := timePhones()
	s := site{time: "upstream = [\"10.77.0.30\"]\nbroadcast_interval = \"2s\""}
	for i, p := range phones {
		s.phones = append(s.phones, sitePhone{mac: p.mac, label: p.name, line: itoa(208 + i), more: "[phones.parameters]\n" + p.parameters})
	}
	b := startBox(t, lan, s.text(), nil)
	c := b.node.Capture(t)
	testkit.Eventually(t, patience, "the box trusts its upstream", func() bool { return b.status().Clock.Stratum == 4 })
	w := newWire(t, lan.Node("wire"))
	t.Run("phones", func(t *testing.T) {
		for _, tt := range phones {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				b := b.with(t)
				p, _ := plug(t, phonesim.Config{Link: w, MAC: tt.mac, State: phonesim.StateSIP, ClockPoll: 500 * time.Millisecond})
				waitDone(t, p, time.Minute)
				testkit.Eventually(t, time.Minute, "the phone got the time as its mode says", func() bool {
					r := p.Result()
					return (tt.asks != "") == (r.ClockAnswers > 0) && tt.listens == (r.ClockHeard > 2) && (tt.later == "" || r.ClockAnswers > 2)
				})
				r := p.Result()
				if off := *r.ClockOffset; off < -0.1 || off > 0.1 || r.ClockStratum != 4 || r.ClockServer.String() != boxAddr || len(r.Faults) > 0 {
					t.Errorf("the phone is %.3f s off, stratum %d from %s, faults %q", off, r.ClockStratum, r.ClockServer, r.Faults)
				}
				checkRequests(t, ntpPackets(c), tt, r.Address.String())
				b.checkAsked(tt)
			})
		}
	})
	t.Run("broadcasts", func(t *testing.T) { checkBroadcasts(t, ntpPackets(c)) })
}

// checkRequests looks at what a phone sent and got.
func checkRequests(t *testing.T, list []ntpPacket, tt timePhone, addr string) {
	t.Helper()
	var sent []ntpPacket
	for _, p := range list {
		if p.src == addr && p.dstPort == 123 {
			sent = append(sent, p)
		}
	}
	if tt.asks == "" {
		if len(sent) > 0 {
			t.Errorf("a phone that only listens sent %+v", sent[0])
		}
		return
	}
	for i, q := range sent {
		want := tt.asks
		if i > 0 && tt.later != "" {
			want = tt.later
		}
		if q.dst != want || q.mode != 3 {
			t.Errorf("request %d went to %s with mode %d, wanted %s and mode 3", i, q.dst, q.mode, want)
		}
		at := slices.IndexFunc(list, func(p ntpPacket) bool { return p.dst == addr && p.origin == q.transmit && p.dstPort == q.srcPort })
		if at < 0 {
			if i < len(sent)-1 { // the answer to the last may be on its way
				t.Errorf("request %d to %s has no answer", i, q.dst)
			}
			continue
		}
		if a := list[at]; a.src != boxAddr || a.srcPort != 123 || a.mode != 4 || a.version != q.version || a.dstMAC != q.srcMAC || a.ttl != 64 {
			t.Errorf("request %d was answered by %+v, wanted a unicast of %s port 123, mode 4, version %d", i, a, boxAddr, q.version)
		}
	}
	if len(sent) == 0 || tt.later == "" && len(sent) > 1 {
		t.Errorf("found %d requests", len(sent))
	}
}

// checkBroadcasts looks at what the box sent to everybody.
func checkBroadcasts(t *testing.T, list []ntpPacket) {
	for to, mac := range map[string]string{subnetBroadcast: "ff:ff:ff:ff:ff:ff", ntpGroup: "01:00:5e:00:01:01"} {
		got := broadcastsOf(list, to)
		if len(got) < 2 {
			t.Errorf("%d broadcasts to %s", len(got), to)
		}
		for _, p := range got {
			if p.src != boxAddr || p.srcPort != 123 || p.dstPort != 123 || p.ttl != 1 || p.dstMAC != mac || p.stratum != 4 || p.leap != 0 || p.origin != 0 {
				t.Errorf("to %s: %+v, wanted one of %s port 123 with TTL 1 to %s", to, p, boxAddr, mac)
			}
		}
	}
}

// checkAsked looks at what the API says about the phone's question.
func (b *box) checkAsked(tt timePhone) {
	b.t.Helper()
	var got struct {
		Asked *struct {
			To, Destination, Address string
			Mode, Version, Stratum   int
		}
	}
	b.get("/api/v1/phones/"+tt.mac.Name()+"/time", &got)
	last := tt.later
	if last == "" {
		last = tt.asks
	}
	switch {
	case tt.asks == "" && got.Asked != nil:
		b.t.Errorf("the box says that a phone asked that only listens: %+v", got.Asked)
	case tt.asks != "" && (got.Asked == nil || got.Asked.To != last && got.Asked.To != tt.asks || got.Asked.Mode != 3 || got.Asked.Version != 3 || got.Asked.Stratum != 4):
		b.t.Errorf("the box says %+v, wanted a question of mode 3 to %s that was told stratum 4", got.Asked, last)
	}
}

// TestTheTimeIsBroadcastWhenItIsKnown: a box without a time server says nothing until a person sets its clock; a request to
// any address of everybody is answered by unicast, also after the interface was pulled and put back.
func TestTheTimeIsBroadcastWhenItIsKnown(t *testing.T) {
	t.Parallel()
	lan := office(t)
	b := startBox(t, lan, site{time: `broadcast_interval = "1s"`}.text(), nil)
	laptop := lan.Node("laptop")
	c := laptop.Capture(t)
	trusted := b.status().Clock.Trusted // by the clock of the machine, where that is synchronised
	for _, to := range []string{boxAddr, subnetBroadcast, "255.255.255.255", ntpGroup} {
		r := askByUnicast(t, laptop, to)
		if unset := r.leap == 3 && r.stratum == 0; unset == trusted {
			t.Errorf("asked at %s: %+v, and the box says trusted %v", to, r, trusted)
		}
	}
	// It serves for three seconds at least: so long the look for other DHCP servers takes.
	if n := b.metric("phonebox_sntp_broadcasts_total", ""); !trusted && n > 0 {
		t.Errorf("a box that does not know the time broadcast it %v times", n)
	}
	b.setClock()
	testkit.Eventually(t, patience, "the time is broadcast", func() bool {
		list := ntpPackets(c)
		return len(broadcastsOf(list, subnetBroadcast)) > 1 && len(broadcastsOf(list, ntpGroup)) > 1
	})
	b.node.RemoveInterface(t)
	b.node.RestoreInterface(t)
	testkit.Eventually(t, patience, "the box is in the group again", func() bool {
		_, err := tryByUnicast(t, laptop, ntpGroup)
		return err == nil
	})
	b.waitReady()
	for _, to := range []string{boxAddr, subnetBroadcast, "255.255.255.255", ntpGroup} {
		if r := askByUnicast(t, laptop, to); r.stratum == 0 {
			t.Errorf("asked at %s: %+v, wanted the time that was set", to, r)
		}
	}
	before := len(broadcastsOf(ntpPackets(c), ntpGroup))
	testkit.Eventually(t, patience, "the time is broadcast again", func() bool { return len(broadcastsOf(ntpPackets(c), ntpGroup)) > before })
	if n := b.metric("phonebox_sntp_answered_destination_total", `destination="multicast"`); n < 2 {
		t.Errorf("%v requests to the group are counted", n)
	}
}

// askByUnicast sends a request to an address and returns the answer, which must be a unicast of the box.
func askByUnicast(t *testing.T, n *testkit.Node, to string) ntpPacket {
	t.Helper()
	var got ntpPacket
	var err error
	testkit.Eventually(t, patience, "an answer to what was sent to "+to, func() bool {
		got, err = tryByUnicast(t, n, to)
		return err == nil
	})
	if got.src != boxAddr || got.srcPort != 123 {
		t.Errorf("asked at %s, the answer came from %s port %d", to, got.src, got.srcPort)
	}
	return got
}

// tryByUnicast asks once.
func tryByUnicast(t *testing.T, n *testkit.Node, to string) (got ntpPacket, err error) {
	n.Do(t, func() error {
		var pc net.PacketConn
		lc := net.ListenConfig{Control: viaInterface}
		if pc, err = lc.ListenPacket(t.Context(), "udp4", n.Addr.Addr().String()+":0"); err != nil {
			return err
		}
		defer pc.Close()
		q := make([]byte, 48)
		q[0], q[47] = 3<<3|3, 7
		if _, err = pc.WriteTo(q, &net.UDPAddr{IP: net.ParseIP(to), Port: 123}); err != nil {
			return nil
		}
		_ = pc.SetReadDeadline(time.Now().Add(time.Second))
		buf := make([]byte, 100)
		size, from, readErr := pc.ReadFrom(buf)
		if err = readErr; err != nil {
			return nil
		}
		var l layers.NTP
		if err = l.DecodeFromBytes(buf[:size], gopacket.NilDecodeFeedback); err == nil {
			ap := from.(*net.UDPAddr).AddrPort()
			got = ntpPacket{src: ap.Addr().Unmap().String(), srcPort: ap.Port(), mode: uint8(l.Mode), stratum: uint8(l.Stratum), leap: uint8(l.LeapIndicator), origin: uint64(l.OriginTimestamp)}
		}
		return nil
	})
	return got, err
}

// viaInterface lets a socket send to everybody, through eth0 whatever the routes say.
func viaInterface(_, _ string, c syscall.RawConn) error {
	var optErr error
	err := c.Control(func(fd uintptr) {
		optErr = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
			unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, testkit.Interface))
	})
	return errors.Join(err, optErr)
}
