package dhcp

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

// branches is the example with two networks behind relays: a warehouse, and a tower whose two floors have pools of their
// own in one network. Phone 9's reservation is at home, phone 10's in the warehouse.
func branches() Config {
	cfg := config()
	pool := func(first, last string) []lease.Range { return []lease.Range{{First: ip(first), Last: ip(last)}} }
	cfg.Subnets = []Subnet{
		{Name: "Warehouse", Network: netip.MustParsePrefix("10.78.0.0/24"), Gateway: ip("10.78.0.1"), Pool: pool("10.78.0.50", "10.78.0.60"), Lease: time.Hour},
		{Name: "Floor 1", Network: netip.MustParsePrefix("10.79.0.0/24"), Gateway: ip("10.79.0.1"), Pool: pool("10.79.0.10", "10.79.0.19"), Circuit: []string{"floor1"}},
		{Name: "Floor 2", Network: netip.MustParsePrefix("10.79.0.0/24"), Gateway: ip("10.79.0.1"), Pool: pool("10.79.0.20", "10.79.0.29"), Circuit: []string{"0x0002"}},
	}
	cfg.Reservations = append(cfg.Reservations, Reservation{MAC: mac(10), Address: ip("10.78.0.55")})
	return cfg
}

// agent is option 82 of these suboptions.
func agent(parts ...string) dhcpv4.Modifier {
	var b []byte
	for _, p := range parts {
		b = append(append(b, p[0], byte(len(p)-1)), p[1:]...)
	}
	return dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRelayAgentInformation, b))
}

func selects(addr string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(optSubnetSelection), ip(addr).AsSlice()))
}

func through(addr string) dhcpv4.Modifier { return dhcpv4.WithGatewayIP(ip(addr).AsSlice()) }

func TestWhichNetworkAPacketBelongsTo(t *testing.T) {
	const home, warehouse, floor1, floor2 = 0, 1, 2, 3
	link := "\x05\x0a\x4e\x00\x00" // 10.78.0.0
	type mods []dhcpv4.Modifier
	tests := []struct {
		name  string
		mods  mods
		want  lease.Place
		code  string
		alone bool // it came to the box alone, not by broadcast
	}{
		{name: "on the box's wire", want: home},
		{name: "through a relay of the box's own network", mods: mods{through("10.77.9.9")}, want: home},
		{name: "through the warehouse's relay", mods: mods{through("10.78.0.1")}, want: warehouse},
		{name: "through an unknown relay", mods: mods{through("10.99.0.1")}, code: "foreign_relay"},
		{name: "the link that an unknown relay names", mods: mods{through("10.99.0.1"), agent(link)}, want: warehouse},
		{name: "an unknown link wins over a known relay", mods: mods{through("10.78.0.1"), agent("\x05\x0a\x63\x00\x00")}, code: "foreign_relay"},
		{name: "link selection wins over subnet selection", mods: mods{through("10.77.9.9"), agent(link), selects("10.79.0.0")}, want: warehouse},
		{name: "a link selection of three bytes means nothing", mods: mods{through("10.77.9.9"), agent("\x05\x0a\x4e\x00")}, want: home},
		{name: "subnet selection wins over giaddr", mods: mods{through("10.77.9.9"), selects("10.78.0.0")}, want: warehouse},
		{name: "subnet selection without a relay", mods: mods{selects("10.78.0.0")}, want: warehouse},
		{name: "an unknown subnet", mods: mods{selects("10.99.0.0")}, code: "foreign_relay"},
		{name: "a circuit", mods: mods{through("10.79.0.1"), agent("\x01floor1")}, want: floor1},
		{name: "a circuit in hex", mods: mods{through("10.79.0.1"), agent("\x01\x00\x02", "\x02remote")}, want: floor2},
		{name: "an unknown circuit", mods: mods{through("10.79.0.1"), agent("\x01cellar")}, code: "foreign_circuit"},
		{name: "no circuit", mods: mods{through("10.79.0.1")}, code: "foreign_circuit"},
		{name: "a renewal through a router", mods: mods{has("10.78.0.51")}, alone: true, want: warehouse},
		{name: "a renewal through a router from the second floor", mods: mods{has("10.79.0.25")}, alone: true, want: floor2},
		{name: "a foreign renewal through a router", mods: mods{has("10.99.0.25")}, alone: true, want: home},
		{name: "an address of the warehouse on the box's wire", mods: mods{has("10.78.0.51")}, want: home},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parsed(t, packet(t, dhcpv4.MessageTypeRequest, mac(3), tt.mods...))
			if tt.alone {
				r.to = ip("10.77.0.1")
			}
			why := mustSettings(t, branches()).locate(r)
			if (why == nil) != (tt.code == "") || (why != nil && why.code != tt.code) || (why == nil && r.place != tt.want) {
				t.Errorf("got place %d, %v, want %d, %q", r.place, why, tt.want, tt.code)
			}
		})
	}
}

func TestDecisionsAcrossNetworks(t *testing.T) {
	const discover, request = dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest
	type mods []dhcpv4.Modifier
	tests := []struct {
		name  string
		typ   dhcpv4.MessageType
		from  byte
		mods  mods
		act   act
		addr  string
		code  string
		alone bool
	}{
		{name: "DISCOVER of a stranger in the warehouse", typ: discover, from: 3, mods: mods{through("10.78.0.1")}, act: offer, addr: "10.78.0.50"},
		{name: "DISCOVER of a phone that moved there", typ: discover, from: 1, mods: mods{through("10.78.0.1")}, act: offer, addr: "10.78.0.50"},
		{name: "DISCOVER of a phone whose reservation is at home", typ: discover, from: 9, mods: mods{through("10.78.0.1")}, act: offer, addr: "10.78.0.50"},
		{name: "DISCOVER of a phone with a reservation there", typ: discover, from: 10, mods: mods{through("10.78.0.1")}, act: offer, addr: "10.78.0.55"},
		{name: "DISCOVER at home of a phone with a reservation there", typ: discover, from: 10, act: offer, addr: "10.77.1.3"},
		{name: "DISCOVER with a wish of another network", typ: discover, from: 3, mods: mods{through("10.78.0.1"), wanted("10.77.1.44")}, act: offer, addr: "10.78.0.50"},
		{name: "DISCOVER from the second floor", typ: discover, from: 3, mods: mods{through("10.79.0.1"), agent("\x01\x00\x02")}, act: offer, addr: "10.79.0.20"},
		{name: "INIT-REBOOT with the address of home", typ: request, from: 1, mods: mods{through("10.78.0.1"), wanted("10.77.1.1")}, act: deny, code: "foreign_network"},
		{name: "INIT-REBOOT at home with an address of the warehouse", typ: request, from: 3, mods: mods{wanted("10.78.0.50")}, act: deny, code: "foreign_network"},
		{name: "INIT-REBOOT with the other floor's address", typ: request, from: 3, mods: mods{through("10.79.0.1"), agent("\x01\x00\x02"), wanted("10.79.0.10")}, act: deny, code: "not_in_pool"},
		{name: "INIT-REBOOT with another's reservation there", typ: request, from: 3, mods: mods{through("10.78.0.1"), wanted("10.78.0.55")}, act: deny, code: "reserved"},
		{name: "SELECTING in the warehouse", typ: request, from: 3, mods: mods{through("10.78.0.1"), toServer("10.77.0.1"), wanted("10.78.0.52")}, act: bind, addr: "10.78.0.52"},
		{name: "RENEWING through a router", typ: request, from: 3, mods: mods{has("10.78.0.52")}, alone: true, act: bind, addr: "10.78.0.52"},
		{name: "REBINDING through the relay", typ: request, from: 3, mods: mods{through("10.78.0.1"), has("10.78.0.52")}, act: bind, addr: "10.78.0.52"},
		{name: "an address of the warehouse that is not in its pool", typ: request, from: 3, mods: mods{has("10.78.0.99")}, alone: true, act: deny, code: "not_in_pool"},
		{name: "the gateway of the warehouse", typ: request, from: 3, mods: mods{through("10.78.0.1"), wanted("10.78.0.1")}, act: deny, code: "not_in_pool"},
		{name: "INFORM in the warehouse", typ: dhcpv4.MessageTypeInform, from: 3, mods: mods{through("10.78.0.1"), has("10.78.0.99")}, act: inform, addr: "10.78.0.99"},
		{name: "INFORM through a router", typ: dhcpv4.MessageTypeInform, from: 3, mods: mods{has("10.78.0.99")}, alone: true, act: inform, addr: "10.78.0.99"},
		{name: "INFORM in the warehouse from home", typ: dhcpv4.MessageTypeInform, from: 3, mods: mods{through("10.78.0.1"), has("10.77.5.5")}, act: ignore, code: "foreign_network"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := branches()
			cfg.PingCheck = true
			st := mustSettings(t, cfg)
			tab, m := scene(t, st)
			r := parsed(t, packet(t, tt.typ, mac(tt.from), tt.mods...))
			if tt.alone {
				r.from, r.to = netip.MustParseAddrPort("10.78.0.99:68"), ip("10.77.0.1")
			}
			v := st.decide(tab, r, true, m)
			code := ""
			if v.why != nil {
				code = v.why.code
			}
			if v.act != tt.act || code != tt.code || (tt.addr != "" && v.addr != ip(tt.addr)) {
				t.Errorf("got act %d, %s, %q (%v), want act %d, %s, %q", v.act, v.addr, code, v.why, tt.act, tt.addr, tt.code)
			}
			if v.probe && v.act != offer && !st.Server.Contains(v.addr) {
				t.Errorf("%s is to be probed, which lies behind a relay and which its client may use", v.addr)
			}
		})
	}
}

// An address behind a relay is probed by an echo before it is offered, and a host that answers keeps it.
func TestAnOfferBehindARelayIsProbed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := branches()
		cfg.PingCheck = true
		b := newBench(t, cfg, newStore())
		b.wire.hosts[ip("10.78.0.50")] = phone.MAC{} // an echo tells no MAC
		b.start()
		time.Sleep(lookTime + 100*time.Millisecond)
		defer b.stop()
		b.want(msgOffer, "10.78.0.51", packet(t, msgDiscover, mac(3), through("10.78.0.1")))
		if evs := b.kinds(EventDecline); len(evs) != 1 || !strings.Contains(evs[0].Reason, "a host behind the relay") {
			t.Errorf("got %+v", evs)
		}
		b.want(msgAck, "10.78.0.51", packet(t, msgRequest, mac(3), through("10.78.0.1"), wanted("10.78.0.51"), toServer("10.77.0.1")))
	})
}

// What a client behind a relay is told is of its network; what names the box stays, and what the relay sent comes back.
func TestRepliesBehindARelay(t *testing.T) {
	st := mustSettings(t, branches())
	r := parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(3), without(dhcpv4.OptionParameterRequestList),
		through("10.78.0.1"), agent("\x01port 7", "\x02switch", "\x99\x01\x02"), selects("10.78.0.0")))
	if why := st.locate(r); why != nil {
		t.Fatal(why)
	}
	msg := decoded(t, st.lend(r, dhcpv4.MessageTypeOffer, ip("10.78.0.50"), time.Hour))
	if msg.SubnetMask().String() != "ffffff00" || len(msg.Router()) != 1 || msg.Router()[0].String() != "10.78.0.1" || msg.BroadcastAddress().String() != "10.78.0.255" {
		t.Errorf("got mask %s, router %v, broadcast %s", msg.SubnetMask(), msg.Router(), msg.BroadcastAddress())
	}
	wantBox(t, msg)
	nak := st.nak(r, "no")
	for _, reply := range []outgoing{st.lend(r, dhcpv4.MessageTypeAck, ip("10.78.0.50"), time.Hour), nak, st.inform(r, ip("10.78.0.99"))} {
		got := decoded(t, reply)
		for _, code := range []uint8{optRelayInfo, optSubnetSelection} {
			if !bytes.Equal(got.Options[code], r.msg.Options[code]) {
				t.Errorf("%s: option %d is %x, want it as it came: %x", got.MessageType(), code, got.Options[code], r.msg.Options[code])
			}
		}
		if c := codes(t, got); c[len(c)-1] != optRelayInfo {
			t.Errorf("option 82 is not the last: %v", c)
		}
		if reply.dest.To != netip.MustParseAddrPort("10.78.0.1:67") {
			t.Errorf("%s goes to %s", got.MessageType(), reply.dest.To)
		}
	}
	if !decoded(t, nak).IsBroadcast() {
		t.Error("the relay is not told to broadcast the NAK")
	}
}

// A phone is moved from the box's wire to the warehouse and back: refused there, then given an address of its network, for
// the time of that network, with what was asked and sent reported byte for byte.
func TestAPhoneMovesBetweenNetworks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, branches(), newStore())
		defer b.stop()
		home := b.lease(1)
		relay := []dhcpv4.Modifier{through("10.78.0.1"), agent("\x01port 7", "\x02\xff\x00")}
		with := func(mods ...dhcpv4.Modifier) []dhcpv4.Modifier { return append(slices.Clone(relay), mods...) }
		b.forget()
		b.want(msgNak, "", packet(t, msgRequest, mac(1), with(wanted(home))...))
		addr := b.want(msgOffer, "", packet(t, msgDiscover, mac(1), with()...)).YourIPAddr.String()
		if !netip.MustParsePrefix("10.78.0.0/24").Contains(ip(addr)) {
			t.Fatalf("offered %s, want an address of the warehouse", addr)
		}
		asked := packet(t, msgRequest, mac(1), with(wanted(addr), toServer("10.77.0.1"))...)
		ack := b.want(msgAck, addr, asked)
		if ack.IPAddressLeaseTime(0) != time.Hour {
			t.Errorf("the lease lasts %s, want an hour", ack.IPAddressLeaseTime(0))
		}
		for _, ev := range b.kinds(EventAck) {
			if !bytes.Equal(ev.Asked, asked.ToBytes()) || !bytes.Equal(ev.Sent, ack.ToBytes()) {
				t.Errorf("the event holds other bytes than what was asked and sent")
			}
			if ev.Relay != ip("10.78.0.1") || ev.Circuit != "port 7" || ev.Remote != "0xff00" {
				t.Errorf("relay %s, circuit %q, remote %q", ev.Relay, ev.Circuit, ev.Remote)
			}
		}
		if naks := b.kinds(EventNak); len(naks) != 1 || len(naks[0].Asked) == 0 || len(naks[0].Sent) == 0 {
			t.Errorf("the NAK: got %+v", naks)
		}
		if l, ok := b.s.LeaseOf(ip(home)); !ok || l.MAC != mac(1) {
			t.Errorf("%s is no longer kept for the phone, and its end has not come", home)
		}
		if l, ok := b.s.LeaseFor(mac(1)); !ok || l.Address != ip(addr) {
			t.Errorf("the phone is said to be at %s, want %s", l.Address, addr)
		}
		renewal := packet(t, msgRequest, mac(1), has(addr))
		alone := func(p *udp.Packet) { p.From, p.To = netip.AddrPortFrom(ip(addr), 68), ip("10.77.0.1") }
		if got := b.ask(renewal, alone); got == nil || got.MessageType() != msgAck || got.Router()[0].String() != "10.78.0.1" {
			t.Errorf("renewal through a router: got %v", got)
		}
		if got := b.wire.neighbour(addr); !got.IsZero() {
			t.Errorf("%s behind the relay got a neighbour entry", addr)
		}
		b.want(msgNak, "", packet(t, msgRequest, mac(1), wanted(addr)))
		if got := b.lease(1); got != home {
			t.Errorf("back at home it got %s, want %s again", got, home)
		}
	})
}

func TestSubnetsThatCannotBeTogether(t *testing.T) {
	one := func() Subnet { return branches().Subnets[1] }
	for name, change := range map[string]func(*Config, *Subnet){
		"the box's own network":     func(_ *Config, s *Subnet) { s.Network = netip.MustParsePrefix("10.77.4.0/24") },
		"a part of another":         func(_ *Config, s *Subnet) { s.Network = netip.MustParsePrefix("10.79.0.0/25") },
		"the same without circuits": func(c *Config, s *Subnet) { s.Circuit, c.Subnets[1].Circuit = nil, nil },
		"a circuit twice":           func(_ *Config, s *Subnet) { s.Pool = nil },
		"a pool that overlaps":      func(_ *Config, s *Subnet) { s.Circuit = []string{"x"} },
		"a pool outside":            func(_ *Config, s *Subnet) { s.Circuit, s.Pool[0].Last = []string{"x"}, ip("10.80.0.1") },
		"a gateway outside":         func(_ *Config, s *Subnet) { s.Circuit, s.Pool, s.Gateway = []string{"x"}, nil, ip("10.80.0.1") },
		"a circuit that is no hex":  func(_ *Config, s *Subnet) { s.Circuit, s.Pool = []string{"0xzz"}, nil },
		"a lease of a second":       func(_ *Config, s *Subnet) { s.Circuit, s.Pool, s.Lease = []string{"x"}, nil, time.Second },
		"no network":                func(_ *Config, s *Subnet) { s.Network = netip.Prefix{} },
	} {
		cfg, s := branches(), one()
		s.Pool = slices.Clone(s.Pool)
		change(&cfg, &s)
		cfg.Subnets = append(cfg.Subnets, s)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := branches().Validate(); err != nil {
		t.Errorf("the example: %v", err)
	}
}

// FuzzRelayInformation: whatever a relay sends, it is read without a panic, within its bytes, and shown on one line.
func FuzzRelayInformation(f *testing.F) {
	f.Add([]byte("\x01\x06floor1\x02\x02ab\x05\x04\x0a\x4e\x00\x00\x13\x00"))
	f.Add([]byte("\x01\xff\x00"))
	f.Add([]byte("\x05\x03abc\x06\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		info := parseRelayInfo(b)
		if len(info.circuit) > len(b) || len(info.remote) > len(b) {
			t.Error("longer than the option")
		}
		for _, id := range [][]byte{info.circuit, info.remote} {
			text := idText(id)
			if back, ok := idBytes(text); len(id) > 0 && len(id) <= longestOption && (!ok || !bytes.Equal(back, id)) {
				t.Errorf("%q is not %x again", text, id)
			}
		}
		if text := kinds[optRelayInfo].text(b); printable([]byte(text), len(text)) != text {
			t.Errorf("%q is not for people", text)
		}
	})
}

// What was asked is reported as it came, although the buffer that it came in holds another packet by then.
func TestWhatWasAskedOutlivesTheBuffer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.PingCheck = true
		b := started(t, cfg, newStore())
		defer b.stop()
		b.forget()
		for _, msg := range []*dhcpv4.DHCPv4{packet(t, msgDiscover, mac(1)), selecting(t, 1, "10.77.1.1")} {
			var buffer []byte
			b.in(msg, func(p *udp.Packet) { buffer = p.Payload })
			for i := range buffer {
				buffer[i] = 0xee
			}
			time.Sleep(5 * time.Second)
			sent := b.take()
			last := b.events[len(b.events)-1]
			if len(sent) != 1 || !bytes.Equal(last.Sent, sent[0].ToBytes()) || !bytes.Equal(last.Asked, msg.ToBytes()) {
				t.Errorf("%s: %d answers; asked %x, sent %x", last.Kind, len(sent), last.Asked, last.Sent)
			}
		}
	})
}

// While the store fails, a new lease needs a probe that nobody answers. Behind a relay nobody can be asked: there is none.
func TestNoNewLeaseBehindARelayWhileTheStoreFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := branches()
		b := broken(t, cfg)
		defer b.stop()
		relay := through("10.78.0.1")
		addr := b.want(msgOffer, "", packet(t, msgDiscover, mac(5), relay)).YourIPAddr.String()
		b.silent(packet(t, msgRequest, mac(5), relay, wanted(addr), toServer("10.77.0.1")))
		b.want(msgOffer, "10.78.0.55", packet(t, msgDiscover, mac(10), relay))
		b.want(msgAck, "10.78.0.55", packet(t, msgRequest, mac(10), relay, wanted("10.78.0.55"), toServer("10.77.0.1")))
	})
}

// A network that comes or goes while a phone's packet waits for the disk moves no other phone into a wrong one.
func TestNetworksChangeWhileAPhoneWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, branches(), store)
		defer b.stop()
		mods := []dhcpv4.Modifier{through("10.79.0.1"), agent("\x01floor1")}
		addr := b.want(msgOffer, "", packet(t, msgDiscover, mac(3), mods...)).YourIPAddr.String()
		disk := make(chan struct{})
		store.onCommit(func([]lease.Record) error { <-disk; return nil })
		b.in(packet(t, msgRequest, mac(3), append(mods, wanted(addr), toServer("10.77.0.1"))...))
		cfg := branches()
		cfg.Subnets[0], cfg.Subnets[1] = cfg.Subnets[1], cfg.Subnets[0] // what was the tower's place is the warehouse's
		if err := b.s.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		close(disk)
		time.Sleep(time.Second)
		got := b.take()
		if len(got) != 1 || got[0].MessageType() != msgAck || got[0].YourIPAddr.String() != addr || got[0].Router()[0].String() != "10.79.0.1" {
			t.Errorf("got %v, want the ACK of the tower", got)
		}
	})
}
