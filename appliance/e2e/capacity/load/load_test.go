package load

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// TestFramesAreWhatOthersRead compares the frames with the reading of libraries that nobody here wrote.
func TestFramesAreWhatOthersRead(t *testing.T) {
	t.Parallel()
	mac := MAC{0, 6, 0xd7, 1, 2, 0xff}.Plus(1)
	m := message{kind: request, xid: 0x01020304, broadcast: true, mac: mac, wanted: netip.MustParseAddr("10.77.1.5"), server: netip.MustParseAddr("10.77.0.1")}
	d := datagram{
		from: mac, to: everybody, src: netip.IPv4Unspecified(), dst: netip.MustParseAddr("255.255.255.255"), srcPort: clientPort, dstPort: serverPort,
		payload: m.append(nil),
	}
	p := gopacket.NewPacket(d.appendFrame(nil), layers.LayerTypeEthernet, gopacket.Default)
	for _, l := range p.Layers() {
		if u, ok := l.(*layers.UDP); ok {
			_ = u.SetNetworkLayerForChecksum(p.NetworkLayer())
		}
	}
	if err, bad := p.VerifyChecksums(); err != nil || len(bad) > 0 {
		t.Errorf("checksums: %v %v", err, bad)
	}
	eth := p.LinkLayer().(*layers.Ethernet)
	if eth.SrcMAC.String() != "00:06:d7:01:03:00" {
		t.Errorf("found the sender %s", eth.SrcMAC)
	}
	got, err := dhcpv4.FromBytes(p.TransportLayer().LayerPayload())
	if err != nil {
		t.Fatal(err)
	}
	if got.MessageType() != dhcpv4.MessageTypeRequest || !got.IsBroadcast() || got.RequestedIPAddress().String() != "10.77.1.5" ||
		got.ServerIdentifier().String() != "10.77.0.1" || got.ClassIdentifier() != vendorClass || got.TransactionID != [4]byte{1, 2, 3, 4} {
		t.Errorf("found %s", got.Summary())
	}
	back, ok := parseDatagram(d.appendFrame(nil))
	if !ok || back.from != d.from || back.dst != d.dst || back.dstPort != serverPort || !bytes.Equal(back.payload, d.payload) {
		t.Errorf("found %+v", back)
	}
}

func TestAnswersAreRead(t *testing.T) {
	t.Parallel()
	d, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithYourIP([]byte{10, 77, 1, 9}), dhcpv4.WithLeaseTime(3600),
		dhcpv4.WithServerIP([]byte{10, 77, 0, 1}), dhcpv4.WithOption(dhcpv4.OptServerIdentifier([]byte{10, 77, 0, 1})), dhcpv4.WithHwAddr([]byte{0, 6, 0xd7, 1, 2, 3}))
	if err != nil {
		t.Fatal(err)
	}
	d.OpCode = dhcpv4.OpcodeBootReply
	m, ok := parseAnswer(d.ToBytes())
	if !ok || m.kind != ack || m.yiaddr.String() != "10.77.1.9" || m.lease != time.Hour || m.server.String() != "10.77.0.1" || m.mac != (MAC{0, 6, 0xd7, 1, 2, 3}) {
		t.Errorf("found %+v, %v", m, ok)
	}
	d.OpCode = dhcpv4.OpcodeBootRequest
	if _, ok := parseAnswer(d.ToBytes()); ok {
		t.Error("a request was taken for an answer")
	}
}

// TestRecordsJudge lets a server give an address to two clients, and another address to one that has one.
func TestRecordsJudge(t *testing.T) {
	t.Parallel()
	c, err := NewClients(nil, ClientsConfig{Count: 3})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	a, b := netip.MustParseAddr("10.77.1.1"), netip.MustParseAddr("10.77.1.2")
	c.acknowledged(0, message{yiaddr: a, lease: time.Hour}, now)
	c.acknowledged(0, message{yiaddr: a, lease: time.Hour}, now)
	if c.tally.Twice+c.tally.Moved != 0 {
		t.Errorf("one lease, given again to the same client: %+v", c.tally)
	}
	c.acknowledged(1, message{yiaddr: a, lease: time.Hour}, now)
	if c.tally.Twice != 1 {
		t.Errorf("an address given to two: %+v", c.tally)
	}
	c.acknowledged(0, message{yiaddr: b, lease: time.Hour}, now)
	if c.tally.Moved != 1 {
		t.Errorf("another address for a client that has one: %+v", c.tally)
	}
	c.acknowledged(2, message{yiaddr: b, lease: time.Hour}, now.Add(2*time.Hour))
	if c.tally.Twice != 1 {
		t.Errorf("an address given anew after its lease: %+v", c.tally)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(datagram{src: netip.IPv4Unspecified(), dst: netip.IPv4Unspecified(), payload: message{kind: offer}.append(nil)}.appendFrame(nil))
	f.Add(appendARPAnswer(nil, MAC{1}, netip.IPv4Unspecified(), MAC{2}, netip.IPv4Unspecified()))
	f.Fuzz(func(t *testing.T, frame []byte) {
		_, _, _, _ = arpQuestion(frame)
		d, ok := parseDatagram(frame)
		if !ok {
			return
		}
		if len(d.payload) > len(frame)-headers {
			t.Errorf("a payload of %d bytes in a frame of %d", len(d.payload), len(frame))
		}
		_, _ = parseAnswer(d.payload)
	})
}
