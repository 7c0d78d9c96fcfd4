package netdev

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"phonebox/services/dhcp"
	"phonebox/services/phone"
)

func frameOf(t testing.TB, f udpFrame) []byte {
	t.Helper()
	b, err := f.marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFilterAcceptsWhatOtherServersSendToClients(t *testing.T) {
	t.Parallel()
	vm, err := bpf.NewVM(toClients(boxMAC))
	if err != nil {
		t.Fatal(err)
	}
	offer := reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.8")
	with := func(change func(*udpFrame)) []byte {
		f := offer
		f.Payload = append([]byte(nil), offer.Payload...)
		change(&f)
		return frameOf(t, f)
	}
	whole := frameOf(t, offer)
	options := append(append(append([]byte(nil), whole[:ethernetHeader+ipv4Header]...), 1, 1, 1, 1), whole[ethernetHeader+ipv4Header:]...)
	options[ethernetHeader] = 0x46 // an IPv4 header of 24 bytes
	binary.BigEndian.PutUint16(options[ethernetHeader+2:], uint16(len(options)-ethernetHeader))
	fragment := append([]byte(nil), whole...)
	fragment[ethernetHeader+6] = 0x20
	tcp := append([]byte(nil), whole...)
	tcp[ethernetHeader+9] = 6
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"an offer":                          {whole, true},
		"one in a packet with IPv4 options": {options, true},
		"one from a MAC that differs in the first bytes": {with(func(f *udpFrame) { f.From = boxMAC; f.From[0] ^= 4 }), true},
		"one from a MAC that differs in the last bytes":  {with(func(f *udpFrame) { f.From = boxMAC; f.From[5] ^= 4 }), true},
		"our own, sent back":                             {with(func(f *udpFrame) { f.From = boxMAC }), false},
		"a request through a relay":                      {with(func(f *udpFrame) { f.Payload[0] = 1; f.Dst = netip.MustParseAddrPort("10.77.0.1:67") }), false},
		"a reply to a relay":                             {with(func(f *udpFrame) { f.Dst = netip.MustParseAddrPort("10.77.0.254:67") }), false},
		"a request of a client":                          {with(func(f *udpFrame) { f.Payload[0] = 1; f.Src, f.Dst = f.Dst, f.Src }), false},
		"a request to port 68":                           {with(func(f *udpFrame) { f.Payload[0] = 1 }), false},
		"another service":                                {with(func(f *udpFrame) { f.Src = netip.MustParseAddrPort("10.77.0.9:69") }), false},
		"a fragment":                                     {fragment, false},
		"another protocol":                               {tcp, false},
		"a frame that is cut off":                        {whole[:ethernetHeader+ipv4Header+udpHeader], false},
		"nothing":                                        {nil, false},
	} {
		n, err := vm.Run(c.frame)
		if err != nil || (n > 0) != c.want {
			t.Errorf("%s: got %d, %v", name, n, err)
		}
	}
}

func TestOverheardServersAreTakenOnceAndBounded(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	now := time.Unix(1000, 0)
	d.overheard.now = func() time.Time { return now }
	hear := func(f udpFrame) bool {
		d.hearServer(boxMAC, frameOf(t, f))
		select {
		case <-d.News():
			return true
		default:
			return false
		}
	}
	relayed := reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.1") // our own, from the relay's MAC
	if hear(relayed) || hear(reply(t, dhcpv4.MessageTypeOffer, "0.0.0.0", "10.77.0.8")) || len(d.Overheard()) != 0 {
		t.Errorf("the box, or a proxy for netboot, passes for another server: %+v", d.Overheard())
	}
	if nak := reply(t, dhcpv4.MessageTypeNak, "0.0.0.0", "10.77.0.8"); !hear(nak) {
		t.Error("a NAK of another server is not heard")
	}
	now = now.Add(2 * glanceTime)
	router := dhcpv4.WithRouter([]byte{10, 77, 0, 254})
	if hear(reply(t, dhcpv4.MessageTypeAck, "10.77.1.5", "10.77.0.8", router)) {
		t.Error("the same server is news again")
	}
	got := d.Overheard()
	if len(got) != 1 || got[0].Offered.String() != "10.77.1.5" || got[0].MAC != otherMAC || !got[0].Seen.Equal(now) {
		t.Fatalf("got %+v", got)
	}
	want := dhcp.OptionText{Code: 3, Name: "router", Value: "10.77.0.254"}
	if !hasOption(got[0].Options, want) {
		t.Errorf("got the options %+v, want %+v among them", got[0].Options, want)
	}
	now = now.Add(glanceTime / 2)
	if hear(reply(t, dhcpv4.MessageTypeOffer, "10.77.1.6", "10.77.0.8")); !d.Overheard()[0].Seen.Equal(now.Add(-glanceTime / 2)) {
		t.Error("a packet a moment later was read")
	}
	for i := range 3 * maxOverheard {
		f := reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", netip.AddrFrom4([4]byte{10, 77, 9, byte(i)}).String())
		f.From[5] = byte(i)
		hear(f)
	}
	if len(d.Overheard()) != maxOverheard || len(d.overheard.glances) > maxOverheard {
		t.Errorf("%d servers and %d glances are remembered", len(d.Overheard()), len(d.overheard.glances))
	}
	d.forget()
	if len(d.Overheard()) != 0 {
		t.Error("the servers of another wire are remembered")
	}
}

func hasOption(list []dhcp.OptionText, want dhcp.OptionText) bool {
	for _, o := range list {
		if o == want {
			return true
		}
	}
	return false
}

// asks is an ARP request of a host.
func asks(host byte, sender, target string) arpPacket {
	mac := phone.MAC{2, 7, 7, 7, 7, host}
	p := requestFor(mac, netip.MustParseAddr(sender), netip.MustParseAddr(target))
	return p
}

func TestForeignNetworkIsNamedWhenEnoughSpeaksForIt(t *testing.T) {
	t.Parallel()
	own := netip.MustParsePrefix("10.77.0.1/16")
	for name, c := range map[string]struct {
		heard []arpPacket
		want  string // prefix and gateway
	}{
		"nothing":    {nil, ""},
		"our own":    {[]arpPacket{asks(1, "10.77.1.1", "10.77.0.254"), asks(2, "10.77.1.2", "10.77.0.254"), asks(3, "10.77.1.3", "10.77.0.254")}, ""},
		"one laptop": {[]arpPacket{asks(1, "192.168.1.10", "192.168.1.1"), asks(1, "192.168.1.10", "192.168.1.2"), asks(1, "192.168.1.11", "192.168.1.1")}, ""},
		"two hosts that ask for the gateway": {
			[]arpPacket{asks(1, "192.168.1.10", "192.168.1.1"), asks(2, "192.168.1.11", "192.168.1.1")}, "192.168.1.0/24 192.168.1.1",
		},
		"two hosts that ask for different ones": {
			[]arpPacket{asks(1, "192.168.1.10", "192.168.1.1"), asks(2, "192.168.1.11", "192.168.1.2")}, "",
		},
		"three hosts, and no gateway": {
			[]arpPacket{asks(1, "192.168.1.10", "192.168.1.10"), asks(2, "192.168.1.11", "192.168.1.11"), asks(3, "192.168.1.12", "192.168.1.12")},
			"192.168.1.0/24 invalid IP",
		},
		"hosts that found no network":  {[]arpPacket{asks(1, "169.254.1.1", "169.254.1.9"), asks(2, "169.254.1.2", "169.254.1.9"), asks(3, "169.254.1.3", "169.254.1.9")}, ""},
		"senders that are no hosts":    {[]arpPacket{asks(1, "224.0.0.1", "224.0.0.9"), asks(2, "224.0.0.2", "224.0.0.9"), asks(3, "0.0.0.7", "0.0.0.9"), asks(4, "0.0.0.8", "0.0.0.9")}, ""},
		"three hosts, each of its own": {[]arpPacket{asks(1, "192.168.1.10", "192.168.1.1"), asks(2, "192.168.2.10", "192.168.2.1"), asks(3, "192.168.3.10", "192.168.3.1")}, ""},
	} {
		f := newForeign()
		changes := 0
		for _, p := range append(c.heard, c.heard...) {
			if f.hear(own, p) {
				changes++
			}
		}
		got := ""
		if o := f.network(); o.prefix.IsValid() {
			got = o.prefix.String() + " " + o.gateway.String()
		}
		if got != c.want || (changes != 0) != (c.want != "") || changes > 1 {
			t.Errorf("%s: got %q with %d changes, want %q", name, got, changes, c.want)
		}
	}
}

func TestForeignNetworkIsForgottenAndBounded(t *testing.T) {
	t.Parallel()
	own := netip.MustParsePrefix("10.77.0.1/16")
	now := time.Unix(1000, 0)
	f := newForeign()
	f.now = func() time.Time { return now }
	f.hear(own, asks(1, "192.168.1.10", "192.168.1.1"))
	now = now.Add(foreignWindow + time.Second)
	f.hear(own, asks(2, "192.168.1.11", "192.168.1.1"))
	if o := f.network(); o.prefix.IsValid() {
		t.Errorf("two hosts that were never there together name %s", o.prefix)
	}
	f.hear(own, asks(1, "192.168.1.10", "192.168.1.1"))
	if text := f.network().text(own); !strings.Contains(text, "192.168.1.0/24 (gateway 192.168.1.1), not 10.77.0.0/16") || !strings.Contains(text, "VLAN") {
		t.Errorf("got %q", text)
	}
	f.hear(own, asks(9, "10.77.1.1", "10.77.0.254"))
	if text := f.network().text(own); !strings.Contains(text, "beside those of 10.77.0.0/16") {
		t.Errorf("with hosts of our own: got %q", text)
	}
	now = now.Add(foreignMemory - time.Second)
	if !f.network().prefix.IsValid() {
		t.Error("it is forgotten early")
	}
	now = now.Add(time.Second)
	if f.network().prefix.IsValid() {
		t.Error("it is not forgotten")
	}
	for i := range 100_000 { // whoever makes hosts up
		p := asks(byte(i), "192.168.1.1", "192.168.1.2")
		p.SenderMAC = phone.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		p.SenderIP = netip.AddrFrom4([4]byte{172, byte(16 + i%16), byte(i >> 4), byte(i)})
		p.TargetIP = netip.AddrFrom4([4]byte{172, byte(16 + i%16), byte(i), byte(i >> 8)})
		f.hear(own, p)
	}
	if len(f.nets) > maxForeignNets {
		t.Errorf("%d networks are remembered", len(f.nets))
	}
	for _, n := range f.nets {
		if len(n.hosts) > maxForeignHosts || len(n.asked) > maxForeignHosts {
			t.Errorf("%d hosts and %d questions of one network are remembered", len(n.hosts), len(n.asked))
		}
	}
}

func TestForeignServerTellsItsNetwork(t *testing.T) {
	t.Parallel()
	own := netip.MustParsePrefix("10.77.0.1/16")
	mask := dhcpv4.WithNetmask([]byte{255, 255, 240, 0})
	router := dhcpv4.WithRouter([]byte{172, 20, 0, 1})
	for name, c := range map[string]struct {
		payload []byte
		want    string
	}{
		"another network":                {reply(t, dhcpv4.MessageTypeOffer, "172.20.3.4", "172.20.0.9", mask, router).Payload, "172.20.0.0/20 172.20.0.1"},
		"another network, no gateway":    {reply(t, dhcpv4.MessageTypeOffer, "172.20.3.4", "172.20.0.9", mask).Payload, "172.20.0.0/20 invalid IP"},
		"no mask":                        {reply(t, dhcpv4.MessageTypeOffer, "172.20.3.4", "172.20.0.9", router).Payload, ""},
		"ours with another mask":         {reply(t, dhcpv4.MessageTypeOffer, "10.77.3.4", "10.77.0.9", mask).Payload, ""},
		"no address":                     {reply(t, dhcpv4.MessageTypeNak, "0.0.0.0", "172.20.0.9", mask).Payload, ""},
		"a mask with holes":              {reply(t, dhcpv4.MessageTypeOffer, "172.20.3.4", "172.20.0.9", dhcpv4.WithNetmask([]byte{255, 0, 255, 0})).Payload, ""},
		"bytes that are no DHCP message": {[]byte("hello"), ""},
	} {
		f := newForeign()
		prefix, gateway := networkIn(c.payload)
		changed := f.offered(own, prefix, gateway)
		got := ""
		if o := f.network(); o.prefix.IsValid() {
			got = o.prefix.String() + " " + o.gateway.String()
		}
		if got != c.want || changed != (c.want != "") || f.offered(own, prefix, gateway) {
			t.Errorf("%s: got %q, changed %v, want %q", name, got, changed, c.want)
		}
	}
}

func TestAskingMACIsOnePerBox(t *testing.T) {
	t.Parallel()
	a, b := askingMAC(boxMAC), askingMAC(otherMAC)
	if a != askingMAC(boxMAC) || a == b || a == boxMAC || a[0]&3 != 2 {
		t.Errorf("got %s and %s", a, b)
	}
}

func TestEchoAnswersOnlyItsOwnQuestion(t *testing.T) {
	t.Parallel()
	e := &echoes{id: 7, waiting: map[echo]chan struct{}{}}
	answer := make(chan struct{}, 1)
	e.waiting[echo{otherIP, 5}] = answer
	message := func(typ ipv4.ICMPType, id, seq int, data []byte) []byte {
		b, err := (&icmp.Message{Type: typ, Body: &icmp.Echo{ID: id, Seq: seq, Data: data}}).Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	right := make([]byte, 8)
	for name, c := range map[string]struct {
		from   netip.Addr
		packet []byte
	}{
		"a request":          {otherIP, message(ipv4.ICMPTypeEcho, 7, 5, right)},
		"another program's":  {otherIP, message(ipv4.ICMPTypeEchoReply, 8, 5, right)},
		"a guess":            {otherIP, message(ipv4.ICMPTypeEchoReply, 7, 5, []byte("01234567"))},
		"another question's": {otherIP, message(ipv4.ICMPTypeEchoReply, 7, 6, right)},
		"another host's":     {boxIP, message(ipv4.ICMPTypeEchoReply, 7, 5, right)},
		"nothing":            {otherIP, nil},
	} {
		if e.hear(c.from, c.packet); len(answer) != 0 {
			t.Errorf("%s passes for the answer", name)
			<-answer
		}
	}
	for range 3 { // more than anybody takes
		e.hear(otherIP, message(ipv4.ICMPTypeEchoReply, 7, 5, right))
	}
	if len(answer) != 1 {
		t.Error("the answer does not arrive")
	}
	for i := range maxEchoes {
		e.waiting[echo{otherIP, uint16(i)}] = answer
	}
	if _, _, _, err := e.open(otherIP); err == nil {
		t.Error("one more than allowed may wait")
	}
}

func FuzzEchoHear(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 7, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{8})
	f.Fuzz(func(t *testing.T, b []byte) {
		answer := make(chan struct{}, 1)
		e := &echoes{id: 7, waiting: map[echo]chan struct{}{{otherIP, 5}: answer}}
		e.hear(otherIP, b)
		if len(answer) == 1 && (len(b) != 16 || b[0] != 0 || binary.BigEndian.Uint16(b[4:]) != 7 || binary.BigEndian.Uint16(b[6:]) != 5) {
			t.Errorf("% x passes for the answer", b)
		}
	})
}

func FuzzHearServer(f *testing.F) {
	f.Add(frameOf(f, reply(f, dhcpv4.MessageTypeOffer, "10.77.1.5", "10.77.0.8", dhcpv4.WithNetmask([]byte{255, 255, 0, 0}))))
	f.Add(frameOf(f, reply(f, dhcpv4.MessageTypeNak, "0.0.0.0", "10.77.0.1")))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &Device{overheard: newOverheard(), foreign: newForeign(), news: make(chan struct{}, 1), poke: make(chan struct{}, 1)}
		d.cfg.Address = netip.MustParsePrefix("10.77.0.1/16")
		if _, err := parseUDP(b); err != nil {
			return
		}
		d.hearServer(boxMAC, b)
		for _, s := range d.Overheard() {
			if !s.Address.Is4() || s.Address == boxIP || s.MAC == boxMAC {
				t.Errorf("a server %+v", s)
			}
		}
		if o := d.foreign.network(); o.prefix.IsValid() && o.prefix.Overlaps(d.cfg.Address) {
			t.Errorf("the box's own network is foreign: %s", o.prefix)
		}
	})
}
