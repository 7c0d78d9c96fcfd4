package netdev

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

var (
	boxMAC   = phone.MAC{2, 0, 0, 0, 0, 1}
	otherMAC = phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}
	boxIP    = netip.MustParseAddr("10.77.0.1")
	otherIP  = netip.MustParseAddr("10.77.1.2")
)

func TestARPFramesByteForByte(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p    arpPacket
		want string
	}{
		"a probe names no sender address": {
			probeFor(boxMAC, otherIP),
			"ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 00000000 000000000000 0a4d0102",
		},
		"a request names the box": {
			requestFor(boxMAC, boxIP, otherIP),
			"ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a4d0001 000000000000 0a4d0102",
		},
		"an announcement names the box twice": {
			announcement(boxMAC, boxIP),
			"ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a4d0001 000000000000 0a4d0001",
		},
	} {
		got := hex.EncodeToString(c.p.marshal())
		if want := strings.ReplaceAll(c.want, " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		back, err := parseARP(append(c.p.marshal(), make([]byte, 18)...)) // padded to 60 bytes
		if err != nil || back != c.p {
			t.Errorf("%s: read back as %+v, %v", name, back, err)
		}
	}
}

func TestUDPFramesAreAsAnotherCodecReadsThem(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string][]byte{
		"empty": nil, "odd length": []byte("hello"), "even length": []byte("hello!"),
		"checksum that would be zero": zeroSum(t),
	} {
		f := udpFrame{
			From: boxMAC, To: otherMAC, Payload: payload,
			Src: netip.AddrPortFrom(boxIP, 67), Dst: netip.AddrPortFrom(otherIP, 68),
		}
		b, err := f.marshal()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.Default)
		udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !ok {
			t.Fatalf("%s: no UDP in %v", name, p)
		}
		if err := udp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
			t.Fatal(err)
		}
		if err, bad := p.VerifyChecksums(); err != nil || len(bad) > 0 || udp.Checksum == 0 {
			t.Errorf("%s: checksums: %v %v %#04x", name, err, bad, udp.Checksum)
		}
		ip := p.NetworkLayer().(*layers.IPv4)
		if ip.SrcIP.String() != boxIP.String() || ip.DstIP.String() != otherIP.String() || udp.SrcPort != 67 || udp.DstPort != 68 ||
			!bytes.Equal(udp.Payload, payload) {
			t.Errorf("%s: read as %v", name, p)
		}
	}
}

// zeroSum finds a payload whose checksum comes out as zero, which the wire must carry as 0xffff.
func zeroSum(t *testing.T) []byte {
	t.Helper()
	f := udpFrame{Src: netip.AddrPortFrom(boxIP, 67), Dst: netip.AddrPortFrom(otherIP, 68), Payload: []byte{0, 0}}
	b, err := f.marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b[len(b)-4 : len(b)-2] // adding its own complement brings the sum to all ones
}

func TestFramesThatCannotBeMadeAreErrors(t *testing.T) {
	t.Parallel()
	good := netip.AddrPortFrom(boxIP, 67)
	for name, f := range map[string]udpFrame{
		"no source":    {Dst: good},
		"IPv6":         {Src: netip.MustParseAddrPort("[::1]:67"), Dst: good},
		"huge payload": {Src: good, Dst: good, Payload: make([]byte, maxDatagram+1)},
	} {
		if _, err := f.marshal(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// reply makes what a DHCP server sends to a client.
func reply(t testing.TB, m dhcpv4.MessageType, yours, id string, mods ...dhcpv4.Modifier) udpFrame {
	t.Helper()
	p, err := dhcpv4.New(append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(m), dhcpv4.WithYourIP(net.ParseIP(yours)), dhcpv4.WithHwAddr(make(net.HardwareAddr, 6)),
	}, mods...)...)
	if err != nil {
		t.Fatal(err)
	}
	p.OpCode = dhcpv4.OpcodeBootReply
	if id != "" {
		p.UpdateOption(dhcpv4.OptServerIdentifier(net.ParseIP(id)))
	}
	return udpFrame{
		From: otherMAC, To: broadcastMAC(), Src: netip.MustParseAddrPort("10.77.0.9:67"),
		Dst: netip.MustParseAddrPort("255.255.255.255:68"), Payload: p.ToBytes(),
	}
}

func TestServerInKnowsForeignServersFromTheBox(t *testing.T) {
	t.Parallel()
	fromBox := reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.9")
	fromBox.From = boxMAC
	fromClient := reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.9")
	fromClient.Src = netip.MustParseAddrPort("10.77.0.9:68")
	garbage := fromClient
	garbage.Src, garbage.Payload = netip.MustParseAddrPort("10.77.0.9:67"), []byte("hello")
	for name, c := range map[string]struct {
		f       udpFrame
		want    role
		address string
	}{
		"an offer":                        {reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.8"), hands, "10.77.0.8"},
		"an offer without option 54":      {reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", ""), hands, "10.77.0.9"},
		"an ACK to another client":        {reply(t, dhcpv4.MessageTypeAck, "10.77.1.5", "10.77.0.8"), hands, "10.77.0.8"},
		"an ACK to an INFORM":             {reply(t, dhcpv4.MessageTypeAck, "0.0.0.0", "10.77.0.8"), shows, "10.77.0.8"},
		"a NAK":                           {reply(t, dhcpv4.MessageTypeNak, "0.0.0.0", "10.77.0.8"), refuses, "10.77.0.8"},
		"an offer of a proxy for netboot": {reply(t, dhcpv4.MessageTypeOffer, "0.0.0.0", "10.77.0.8"), shows, "10.77.0.8"},
		"the box by its MAC":              {fromBox, nobody, ""},
		"the box through a relay":         {reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.1"), nobody, ""},
		"a client":                        {fromClient, nobody, ""},
		"a request of another client":     {reply(t, dhcpv4.MessageTypeRequest, "10.77.1.5", "10.77.0.8"), nobody, ""},
		"bytes that are no DHCP":          {garbage, nobody, ""},
	} {
		got, kind := serverIn(c.f, boxMAC, boxIP)
		if kind != c.want || (kind != nobody && (got.Address.String() != c.address || got.MAC != otherMAC)) {
			t.Errorf("%s: got %v %+v", name, kind, got)
		}
		if kind == hands && got.Offered.String() != "10.77.1.5" {
			t.Errorf("%s: offered %s", name, got.Offered)
		}
	}
}

func TestQuestionsAskAsPCAndAsPhone(t *testing.T) {
	t.Parallel()
	frames, err := search{box: boxMAC, addr: boxIP}.questions(3)
	if err != nil || len(frames) != 4 {
		t.Fatalf("got %d frames, %v", len(frames), err)
	}
	var made phone.MAC
	for i, b := range frames {
		f, err := parseUDP(b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := dhcpv4.FromBytes(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if macOf(p.ClientHWAddr) != f.From || f.To != broadcastMAC() || f.Dst.String() != "255.255.255.255:67" {
			t.Errorf("frame %d: chaddr %s in a frame from %s to %s, %s", i, p.ClientHWAddr, f.From, f.To, f.Dst)
		}
		if i == 0 {
			if p.MessageType() != dhcpv4.MessageTypeInform || f.From != boxMAC || p.ClientIPAddr.String() != boxIP.String() {
				t.Errorf("the first is no INFORM of the box: %s", p.Summary())
			}
			continue
		}
		if p.MessageType() != dhcpv4.MessageTypeDiscover || !p.IsBroadcast() || f.Src.String() != "0.0.0.0:68" {
			t.Errorf("frame %d is no DISCOVER with the broadcast flag: %s", i, p.Summary())
		}
		if f.From == boxMAC || f.From[0]&3 != 2 || (!made.IsZero() && f.From != made) {
			t.Errorf("frame %d comes from %s, want one made-up local address", i, f.From)
		}
		made = f.From
		if got := strings.Contains(p.ClassIdentifier(), "Cisco"); got != (i == 2) {
			t.Errorf("frame %d has option 60 %q", i, p.ClassIdentifier())
		}
	}
}

func FuzzParseARP(f *testing.F) {
	f.Add(probeFor(boxMAC, otherIP).marshal())
	f.Add(append(requestFor(boxMAC, boxIP, otherIP).marshal(), make([]byte, 18)...))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseARP(b)
		if err != nil {
			return
		}
		if out := p.marshal(); !bytes.Equal(out, b[:len(out)]) {
			t.Errorf("% x is read as %+v, which is % x", b, p, out)
		}
	})
}

func FuzzParseUDP(f *testing.F) {
	b, err := reply(f, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.8").marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append(b, make([]byte, 18)...))
	f.Add(b[:50])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseUDP(b)
		if err != nil {
			return
		}
		if len(p.Payload) > len(b)-ethernetHeader-ipv4Header-udpHeader {
			t.Fatalf("a payload of %d from a frame of %d", len(p.Payload), len(b))
		}
		out, err := p.marshal()
		if err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		again, err := parseUDP(out)
		if err != nil || !bytes.Equal(again.Payload, p.Payload) || again.Src != p.Src || again.Dst != p.Dst ||
			again.From != p.From || again.To != p.To {
			t.Errorf("%+v is read back as %+v, %v", p, again, err)
		}
	})
}

func FuzzServerIn(f *testing.F) {
	f.Add(reply(f, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.8").Payload)
	f.Add(reply(f, dhcpv4.MessageTypeAck, "0.0.0.0", "10.77.0.1").Payload)
	f.Add([]byte{2, 1, 6, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, kind := serverIn(udpFrame{From: otherMAC, Src: netip.MustParseAddrPort("10.77.0.9:67"), Payload: b}, boxMAC, boxIP)
		if kind == nobody && s.Address.IsValid() {
			t.Errorf("nobody has the address %s", s.Address)
		}
		if kind != nobody && (!s.Address.Is4() || s.Address == boxIP) {
			t.Errorf("a server with the address %s", s.Address)
		}
		if kind == hands && (!s.Offered.Is4() || s.Offered.IsUnspecified()) {
			t.Errorf("an offer of %s", s.Offered)
		}
	})
}

func FuzzParseSender(f *testing.F) {
	good, err := udpFrame{
		From: otherMAC, To: boxMAC, Src: netip.AddrPortFrom(otherIP, 50123), Dst: netip.AddrPortFrom(boxIP, tftpPort), Payload: []byte("x"),
	}.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		from, mac, ok := parseSender(b)
		u, err := parseUDP(b)
		// Whatever is a whole datagram is told in the same way; of others the headers are enough.
		if err == nil && (!ok || from != u.Src || mac != u.From) {
			t.Errorf("found %s %s %v, wanted %s %s", from, mac, ok, u.Src, u.From)
		}
	})
}
