package dhcp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
)

// codes lists the options of a reply in the order of the wire.
func codes(t *testing.T, msg *dhcpv4.DHCPv4) (out []byte) {
	t.Helper()
	b := msg.ToBytes()[headerSize+4:]
	for i := 0; i < len(b) && b[i] != optEnd; i += 2 + int(b[i+1]) {
		out = append(out, b[i])
	}
	return out
}

func TestOptionsOfAnOffer(t *testing.T) {
	relay := dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRelayAgentInformation, []byte{1, 2, 'p', '1'}))
	id := dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte{1, 0, 6, 0xd7, 0xaa, 0, 1}))
	name := dhcpv4.WithOption(dhcpv4.OptHostName("SEP0006D7AA0001\x00"))
	tests := []struct {
		name string
		mods []dhcpv4.Modifier
		want []byte
	}{
		{"what a Cisco phone asks for", nil, []byte{1, 3, 6, 15, 51, 53, 54, 58, 59, 66, 150}},
		{"no option 55: everything", []dhcpv4.Modifier{without(dhcpv4.OptionParameterRequestList)}, []byte{1, 3, 6, 15, 28, 42, 51, 53, 54, 58, 59, 66, 150}},
		{"an empty wish: what is sent always", []dhcpv4.Modifier{asks(35)}, []byte{51, 53, 54, 58, 59, 66, 150}},
		{"client id and option 82 come back, 82 last", []dhcpv4.Modifier{id, relay}, []byte{1, 3, 6, 15, 51, 53, 54, 58, 59, 61, 66, 150, 82}},
		{"the name only to who sent one and asks", []dhcpv4.Modifier{name, asks(12)}, []byte{12, 51, 53, 54, 58, 59, 66, 150}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(1), tt.mods...))
			out := mustSettings(t, config()).lend(r, dhcpv4.MessageTypeOffer, ip("10.77.1.1"), 8*time.Hour)
			if got := codes(t, decoded(t, out)); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			wantBox(t, decoded(t, out))
			for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionClientIdentifier, dhcpv4.OptionRelayAgentInformation} {
				if !bytes.Equal(decoded(t, out).Options.Get(code), r.msg.Options.Get(code)) {
					t.Errorf("option %d: got %x, want it as it came", code.Code(), decoded(t, out).Options.Get(code))
				}
			}
		})
	}
}

// decoded is a reply as a client reads it.
func decoded(t testing.TB, out outgoing) *dhcpv4.DHCPv4 {
	t.Helper()
	msg, err := dhcpv4.FromBytes(out.msg.ToBytes())
	if err != nil {
		t.Fatalf("the reply cannot be read: %v", err)
	}
	return msg
}

// wantBox checks that 54, 66, 150 and siaddr are the box, and the size of a BOOTP packet.
func wantBox(t *testing.T, msg *dhcpv4.DHCPv4) {
	t.Helper()
	box := ip("10.77.0.1")
	all := []string{
		addrOf(msg.ServerIPAddr).String(), msg.TFTPServerName(), addrOf(msg.Options.Get(dhcpv4.OptionTFTPServerAddress)).String(),
		addrOf(msg.ServerIdentifier().To4()).String(),
	}
	for i, got := range all {
		if got != box.String() {
			t.Errorf("siaddr, 66, 150, 54: got %v (%d), want all %s", all, i, box)
		}
	}
	if n := len(msg.ToBytes()); n < minimumSize {
		t.Errorf("got %d bytes, want at least %d", n, minimumSize)
	}
}

func TestLeaseTimes(t *testing.T) {
	r := parsed(t, packet(t, dhcpv4.MessageTypeRequest, mac(1)))
	for _, tt := range []struct{ lease, t1, t2 time.Duration }{
		{8 * time.Hour, 4 * time.Hour, 7 * time.Hour},
		{10 * time.Minute, 5 * time.Minute, 525 * time.Second},
		{time.Minute, 30 * time.Second, 53 * time.Second},
	} {
		msg := decoded(t, mustSettings(t, config()).lend(r, dhcpv4.MessageTypeAck, ip("10.77.1.1"), tt.lease))
		got := [3]time.Duration{msg.IPAddressLeaseTime(0), msg.IPAddressRenewalTime(0), msg.IPAddressRebindingTime(0)}
		if want := [3]time.Duration{tt.lease, tt.t1, tt.t2}; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestValuesOfTheOptions(t *testing.T) {
	r := parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(1), without(dhcpv4.OptionParameterRequestList)))
	msg := decoded(t, mustSettings(t, config()).lend(r, dhcpv4.MessageTypeOffer, ip("10.77.1.1"), time.Hour))
	got := strings.TrimSpace(fmt.Sprintln(msg.SubnetMask(), msg.Router(), msg.DNS(), msg.DomainName(), msg.BroadcastAddress(), msg.NTPServers()))
	if want := "ffff0000 [10.77.0.254] [10.77.0.1] voice.home.arpa 10.77.255.255 [10.77.0.1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	cfg := config()
	cfg.Gateway, cfg.DNS, cfg.NTP, cfg.Domain = netip.Addr{}, nil, nil, ""
	msg = decoded(t, mustSettings(t, cfg).lend(r, dhcpv4.MessageTypeOffer, ip("10.77.1.1"), time.Hour))
	if got := codes(t, msg); !slices.Equal(got, []byte{1, 28, 51, 53, 54, 58, 59, 66, 150}) {
		t.Errorf("nothing set: got %v", got)
	}
}

func TestWayOfTheReplies(t *testing.T) {
	relayed := dhcpv4.WithGatewayIP(ip("10.77.9.9").AsSlice())
	port := dhcpv4.WithOption(dhcpv4.OptRelayAgentInfo(dhcpv4.OptGeneric(dhcpv4.RelaySourcePortSubOption, nil)))
	broadcast := dhcpv4.WithBroadcast(true)
	type way struct {
		to    string
		from  string
		index int
		raw   bool
	}
	everybody := way{"255.255.255.255:68", "10.77.0.1", 3, false}
	tests := []struct {
		name string
		mods []dhcpv4.Modifier
		kind string
		want way
	}{
		{"no address, no broadcast flag: a frame", nil, "lend", way{"10.77.1.1:68", "10.77.0.1", 0, true}},
		{"broadcast flag", []dhcpv4.Modifier{broadcast}, "lend", everybody},
		{"not on Ethernet", []dhcpv4.Modifier{onLink(iana.HWTypeInfiniband), dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte{1}))}, "lend", everybody},
		{"has an address", []dhcpv4.Modifier{has("10.77.1.1"), broadcast}, "lend", way{"10.77.1.1:68", "10.77.0.1", 0, false}},
		{"through a relay", []dhcpv4.Modifier{relayed, broadcast}, "lend", way{"10.77.9.9:67", "10.77.0.1", 0, false}},
		{"through a relay with a port of its own", []dhcpv4.Modifier{relayed, port}, "lend", way{"10.77.9.9:4067", "10.77.0.1", 0, false}},
		{"a NAK goes to everybody", []dhcpv4.Modifier{has("10.77.1.1")}, "nak", everybody},
		{"a NAK through a relay", []dhcpv4.Modifier{relayed, port}, "nak", way{"10.77.9.9:4067", "10.77.0.1", 0, false}},
		{"INFORM", []dhcpv4.Modifier{has("10.77.1.1"), broadcast}, "inform", way{"10.77.1.1:68", "10.77.0.1", 0, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := mustSettings(t, config())
			r := parsed(t, packet(t, dhcpv4.MessageTypeRequest, mac(1), tt.mods...))
			r.from = netip.MustParseAddrPort("10.77.9.9:4067")
			var out outgoing
			switch tt.kind {
			case "lend":
				out = st.lend(r, dhcpv4.MessageTypeAck, ip("10.77.1.1"), time.Hour)
			case "nak":
				out = st.nak(r, "because")
			case "inform":
				out = st.inform(r, r.ciaddr)
			}
			got := way{out.dest.To.String(), out.dest.From.String(), out.dest.Index, out.raw}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if out.raw && (out.mac != mac(1) || out.fallback.To.String() != everybody.to || out.fallback.Index != 3) {
				t.Errorf("frame: got %s, fallback %+v", out.mac, out.fallback)
			}
		})
	}
}

func TestNakHasNoLease(t *testing.T) {
	r := parsed(t, packet(t, dhcpv4.MessageTypeRequest, mac(1), has("10.77.1.1"), dhcpv4.WithGatewayIP(ip("10.77.9.9").AsSlice())))
	msg := decoded(t, mustSettings(t, config()).nak(r, "not here"))
	if got := codes(t, msg); !slices.Equal(got, []byte{53, 54, 56}) {
		t.Errorf("options: got %v, want 53, 54, 56", got)
	}
	for _, a := range []netip.Addr{addrOf(msg.ClientIPAddr), addrOf(msg.YourIPAddr), addrOf(msg.ServerIPAddr)} {
		if a.IsValid() {
			t.Errorf("got the address %s in a NAK", a)
		}
	}
	if msg.Message() != "not here" || !msg.IsBroadcast() {
		t.Errorf("got %q, broadcast %v", msg.Message(), msg.IsBroadcast())
	}
}

func TestInformHasNoLease(t *testing.T) {
	r := parsed(t, packet(t, dhcpv4.MessageTypeInform, mac(1), has("10.77.5.5")))
	msg := decoded(t, mustSettings(t, config()).inform(r, r.ciaddr))
	if got := codes(t, msg); !slices.Equal(got, []byte{1, 3, 6, 15, 53, 54, 66, 150}) || addrOf(msg.YourIPAddr).IsValid() {
		t.Errorf("got %v, yiaddr %s", got, msg.YourIPAddr)
	}
	wantBox(t, msg)
}

func TestLongRepliesLoseWhatAPhoneCanDoWithout(t *testing.T) {
	cfg := config()
	cfg.Domain = strings.Repeat("d", 255)
	id := dhcpv4.WithOption(dhcpv4.OptClientIdentifier(bytes.Repeat([]byte{7}, 255)))
	r := parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(1), id, without(dhcpv4.OptionParameterRequestList)))
	st := mustSettings(t, cfg)
	msg := decoded(t, st.lend(r, dhcpv4.MessageTypeOffer, ip("10.77.1.1"), time.Hour))
	if n := len(msg.ToBytes()); n > roomyReply+32 || msg.DomainName() != "" || len(msg.Router()) == 0 {
		t.Errorf("got %d bytes, domain %q, router %v", n, msg.DomainName(), msg.Router())
	}
	big := dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(1500))
	r = parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(1), id, big, without(dhcpv4.OptionParameterRequestList)))
	if msg := decoded(t, st.lend(r, dhcpv4.MessageTypeOffer, ip("10.77.1.1"), time.Hour)); msg.DomainName() != cfg.Domain {
		t.Errorf("a client that takes 1500 bytes: got the domain %q", msg.DomainName())
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := config()
	cfg.Server, cfg.Lease, cfg.DNS = netip.Prefix{}, 0, []netip.Addr{netip.IPv6Loopback()}
	cfg.Pool = []lease.Range{{First: ip("10.78.0.1"), Last: ip("10.78.0.2")}}
	cfg.Reservations = []Reservation{{}}
	err := cfg.Validate()
	for _, field := range []string{"server:", "lease:", "dns, ntp:", "pool[0]:", "reservations[0]:"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("got %v, want it to name %s", err, field)
		}
	}
	if err := config().Validate(); err != nil {
		t.Errorf("the example: %v", err)
	}
}

// FuzzReply sends bytes through completion, parsing, decision and reply. What is answered must be a well-formed reply to
// that packet, with all that promise "66, 150 and siaddr are equal, always" and the lease times say.
func FuzzReply(f *testing.F) {
	seed := func(typ dhcpv4.MessageType, mods ...dhcpv4.Modifier) {
		f.Add(packet(f, typ, mac(1), mods...).ToBytes())
	}
	seed(dhcpv4.MessageTypeDiscover)
	seed(dhcpv4.MessageTypeRequest, wanted("10.77.1.1"), toServer("10.77.0.1"))
	seed(dhcpv4.MessageTypeRequest, wanted("192.168.0.9"))
	seed(dhcpv4.MessageTypeRequest, has("10.77.1.1"))
	seed(dhcpv4.MessageTypeDecline, wanted("10.77.1.1"))
	seed(dhcpv4.MessageTypeRelease, has("10.77.1.1"))
	seed(dhcpv4.MessageTypeInform, has("10.77.5.5"), dhcpv4.WithGatewayIP(ip("10.77.9.9").AsSlice()))
	h := header()
	copy(h[fileAt:], "\x3c\x02ab\xff")
	f.Add(raw(h, 53, 1, 1, 52, 1, 3))
	seed(dhcpv4.MessageTypeDiscover, through("10.78.0.1"), agent("\x01a", "\x02b"), vendor("snom"))
	seed(dhcpv4.MessageTypeDiscover, through("10.79.0.1"), agent("\x01floor1", "\x05\x0a\x4f\x00\x00"), selects("10.78.0.0"))
	seed(dhcpv4.MessageTypeDiscover, vendor("snom"), without(dhcpv4.OptionParameterRequestList),
		dhcpv4.WithOption(dhcpv4.OptClientIdentifier(make([]byte, 255))), agent(string(append([]byte{1}, make([]byte, 250)...))))
	cfg := branches()
	cfg.Classes = []Class{{VendorClass: "snom", Options: map[uint8]Value{
		66: {Text: "http://10.77.0.10/"}, 150: {}, 43: {Bytes: make([]byte, 600)}, 224: {Bytes: make([]byte, 200)},
	}}}
	st := mustSettings(f, cfg)
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzzOne(t, st, in)
	})
}

func fuzzOne(t *testing.T, st *settings, in []byte) {
	r, err := parse(&udp.Packet{Payload: in, From: netip.MustParseAddrPort("10.77.5.5:68"), To: st.box, Index: 1})
	if err != nil {
		return
	}
	m := lease.Moment{Mono: time.Now(), Wall: time.Now(), Trusted: true}
	v := st.decide(lease.New(st.lease()), r, true, m)
	var out outgoing
	switch v.act {
	case offer:
		out = st.lend(r, dhcpv4.MessageTypeOffer, v.addr, st.Lease)
	case bind:
		out = st.lend(r, dhcpv4.MessageTypeAck, v.addr, st.Lease)
	case deny:
		out = st.nak(r, v.why.text)
	case inform:
		out = st.inform(r, v.addr)
	default:
		if v.why == nil || v.why.code == "" || v.why.text == "" {
			t.Fatalf("no answer and no reason: %+v", v)
		}
		return
	}
	b := out.msg.ToBytes()
	back, err := dhcpv4.FromBytes(b)
	if err != nil || len(b) < minimumSize || len(b) > fullReply {
		t.Fatalf("%d bytes, %v: %s", len(b), err, hex.EncodeToString(b))
	}
	if back.TransactionID != r.msg.TransactionID || !bytes.Equal(back.ClientHWAddr, r.msg.ClientHWAddr) || back.OpCode != dhcpv4.OpcodeBootReply {
		t.Fatalf("the reply is not one to the packet: %s", back.Summary())
	}
	if !out.dest.To.IsValid() || out.dest.To.Port() == 0 || out.dest.From != st.box {
		t.Fatalf("no way for the reply: %+v", out)
	}
	for _, code := range [...]uint8{optClientID, optRelayInfo, optSubnetSelection} {
		if !bytes.Equal(back.Options[code], r.msg.Options[code]) {
			t.Fatalf("option %d came as %x and goes as %x", code, r.msg.Options[code], back.Options[code])
		}
	}
	if v.act == offer || v.act == bind {
		if st.classOf(r) == nil || st.isOurs(r) {
			wantBox(t, back)
		}
		if !st.networks[r.place].prefix.Contains(v.addr) || v.addr == st.box || addrOf(back.YourIPAddr) != v.addr {
			t.Fatalf("gave %s", back.YourIPAddr)
		}
		if l, t1, t2 := back.IPAddressLeaseTime(0), back.IPAddressRenewalTime(0), back.IPAddressRebindingTime(0); !(0 < t1 && t1 < t2 && t2 < l) {
			t.Fatalf("lease %s, T1 %s, T2 %s", l, t1, t2)
		}
	}
}

// BenchmarkReply is a DISCOVER to its OFFER, bytes to bytes.
func BenchmarkReply(b *testing.B) {
	st := mustSettings(b, config())
	tab := lease.New(st.lease())
	in := packet(b, dhcpv4.MessageTypeDiscover, mac(1)).ToBytes()
	m := lease.Moment{Mono: time.Now(), Wall: time.Now(), Trusted: true}
	b.ReportAllocs()
	for b.Loop() {
		r, err := parse(&udp.Packet{Payload: in})
		if err != nil {
			b.Fatal(err)
		}
		v := st.decide(tab, r, true, m)
		if out := st.lend(r, dhcpv4.MessageTypeOffer, v.addr, st.Lease); len(out.msg.ToBytes()) < minimumSize {
			b.Fatal("short")
		}
	}
}
