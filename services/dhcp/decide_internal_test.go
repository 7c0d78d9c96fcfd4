package dhcp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// scene is a table in which 1 has 10.77.1.1, 2 had 10.77.1.2 until a while ago, 9 has its reservation, 10.77.1.9 is in
// quarantine, and 10.77.1.7 is offered to 7.
func scene(t *testing.T, st *settings) (*lease.Table, lease.Moment) {
	t.Helper()
	m := lease.Moment{Mono: time.Now(), Wall: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), Trusted: true}
	tab := lease.New(st.lease())
	bound := func(who phone.MAC, addr string, left time.Duration) lease.Record {
		return lease.Record{
			Key: lease.MACKey(who), HType: 1, HWAddr: who[:], Address: ip(addr), State: lease.Bound, Duration: 8 * time.Hour,
			Start: m.Wall.Add(left - 8*time.Hour), End: m.Wall.Add(left), Trusted: true, VendorClass: "Cisco Systems, Inc. IP Phone",
		}
	}
	tab.Restore([]lease.Record{
		bound(mac(1), "10.77.1.1", time.Hour), bound(mac(2), "10.77.1.2", -time.Hour), bound(mac(9), "10.77.0.50", time.Hour),
	}, m)
	tab.Quarantine(ip("10.77.1.9"), nil, m)
	if got, err := tab.Offer(lease.Home, lease.MACKey(mac(7)), ip("10.77.1.7"), m); err != nil || got != ip("10.77.1.7") {
		t.Fatalf("got %s, %v", got, err)
	}
	return tab, m
}

func TestDecisions(t *testing.T) {
	const discover, request = dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest
	ours := toServer("10.77.0.1")
	pc := dhcpv4.WithOption(dhcpv4.OptClassIdentifier("MSFT 5.0"))
	relay := func(a string) dhcpv4.Modifier { return dhcpv4.WithGatewayIP(ip(a).AsSlice()) }
	type mods []dhcpv4.Modifier
	tests := []struct {
		name   string
		typ    dhcpv4.MessageType
		from   byte
		mods   mods
		act    act
		addr   string // of the answer; "" = not looked at
		code   string // of the refusal
		others bool   // another server is known
		unicst bool   // the packet came to the box alone
		phones bool   // phones_only
	}{
		{name: "DISCOVER of a stranger", typ: discover, from: 3, act: offer, addr: "10.77.1.3"},
		{name: "DISCOVER of a leased phone", typ: discover, from: 1, act: offer, addr: "10.77.1.1"},
		{name: "DISCOVER of a phone whose lease ran out", typ: discover, from: 2, act: offer, addr: "10.77.1.2"},
		{name: "DISCOVER of a phone with a reservation", typ: discover, from: 9, mods: mods{wanted("10.77.1.4")}, act: offer, addr: "10.77.0.50"},
		{name: "DISCOVER with a wish", typ: discover, from: 3, mods: mods{wanted("10.77.1.44")}, act: offer, addr: "10.77.1.44"},
		{name: "DISCOVER through a relay of the subnet", typ: discover, from: 3, mods: mods{relay("10.77.9.9")}, act: offer},
		{name: "DISCOVER through a relay elsewhere", typ: discover, from: 3, mods: mods{relay("10.99.0.1")}, act: ignore, code: "foreign_relay"},
		{name: "DISCOVER of a PC", typ: discover, from: 3, mods: mods{pc}, act: offer},
		{name: "DISCOVER of a PC while only phones are served", typ: discover, from: 3, mods: mods{pc}, phones: true, act: ignore, code: "not_a_phone"},
		{name: "DISCOVER of a phone while only phones are served", typ: discover, from: 3, phones: true, act: offer},
		{name: "DISCOVER of a listed PC while only phones are served", typ: discover, from: 8, mods: mods{pc}, phones: true, act: offer},
		{name: "renewal without a class while only phones are served", typ: request, from: 1, mods: mods{has("10.77.1.1"), without(dhcpv4.OptionClassIdentifier)}, phones: true, act: bind},

		{name: "SELECTING what was offered", typ: request, from: 7, mods: mods{ours, wanted("10.77.1.7")}, act: bind, addr: "10.77.1.7"},
		{name: "SELECTING what was offered before a restart", typ: request, from: 3, mods: mods{ours, wanted("10.77.1.66")}, act: bind, addr: "10.77.1.66"},
		{name: "SELECTING what another was offered", typ: request, from: 3, mods: mods{ours, wanted("10.77.1.7")}, act: deny, code: "taken"},
		{name: "SELECTING what another has", typ: request, from: 3, mods: mods{ours, wanted("10.77.1.1")}, act: deny, code: "taken"},
		{name: "SELECTING a reserved address", typ: request, from: 3, mods: mods{ours, wanted("10.77.0.1")}, act: deny, code: "not_in_pool"},
		{name: "SELECTING another address than the leased one", typ: request, from: 1, mods: mods{ours, wanted("10.77.1.66")}, act: deny, code: "other_address"},
		{name: "SELECTING nothing", typ: request, from: 3, mods: mods{ours}, act: ignore, code: "no_address"},
		{name: "SELECTING another server", typ: request, from: 7, mods: mods{toServer("10.77.0.2"), wanted("10.77.1.7")}, act: withdrawn, code: "other_server_chosen"},

		{name: "INIT-REBOOT with the leased address", typ: request, from: 1, mods: mods{wanted("10.77.1.1")}, act: bind, addr: "10.77.1.1"},
		{name: "INIT-REBOOT with the address that ran out", typ: request, from: 2, mods: mods{wanted("10.77.1.2")}, act: bind, addr: "10.77.1.2"},
		{name: "INIT-REBOOT from a foreign network", typ: request, from: 3, mods: mods{wanted("192.168.1.20")}, act: deny, code: "foreign_network"},
		{name: "INIT-REBOOT from a foreign network beside another server", typ: request, from: 3, mods: mods{wanted("192.168.1.20")}, others: true, act: deny, code: "foreign_network"},
		{name: "INIT-REBOOT with a wrong address of a known phone", typ: request, from: 1, mods: mods{wanted("10.77.1.66")}, act: deny, code: "other_address"},
		{name: "INIT-REBOOT of a phone that has a reservation now", typ: request, from: 9, mods: mods{wanted("10.77.1.66")}, act: deny, code: "other_address"},
		{name: "INIT-REBOOT with another's address", typ: request, from: 3, mods: mods{wanted("10.77.1.1")}, act: deny, code: "taken"},
		{name: "INIT-REBOOT with another's reservation", typ: request, from: 3, mods: mods{wanted("10.77.0.50")}, act: deny, code: "taken"},
		{name: "INIT-REBOOT with an address in quarantine", typ: request, from: 3, mods: mods{wanted("10.77.1.9")}, act: deny, code: "quarantined"},
		{name: "INIT-REBOOT outside of the pool", typ: request, from: 3, mods: mods{wanted("10.77.9.9")}, act: deny, code: "not_in_pool"},
		{name: "INIT-REBOOT of a stranger with a free address", typ: request, from: 3, mods: mods{wanted("10.77.1.66")}, act: bind, addr: "10.77.1.66"},
		{name: "INIT-REBOOT of a stranger beside another server", typ: request, from: 3, mods: mods{wanted("10.77.1.66")}, others: true, act: ignore, code: "another_servers_client"},
		{name: "INIT-REBOOT of a known phone beside another server", typ: request, from: 2, mods: mods{wanted("10.77.9.9")}, others: true, act: deny, code: "not_in_pool"},

		{name: "RENEWING", typ: request, from: 1, mods: mods{has("10.77.1.1")}, unicst: true, act: bind, addr: "10.77.1.1"},
		{name: "RENEWING a lease that ran out", typ: request, from: 2, mods: mods{has("10.77.1.2")}, unicst: true, act: bind, addr: "10.77.1.2"},
		{name: "RENEWING an address of which there is no record", typ: request, from: 3, mods: mods{has("10.77.1.66")}, unicst: true, others: true, act: bind, addr: "10.77.1.66"},
		{name: "RENEWING another's address", typ: request, from: 3, mods: mods{has("10.77.1.1")}, unicst: true, act: deny, code: "taken"},
		{name: "RENEWING an address of another network", typ: request, from: 3, mods: mods{has("10.78.1.1")}, unicst: true, act: deny, code: "foreign_network"},
		{name: "RENEWING beside the leased address", typ: request, from: 1, mods: mods{has("10.77.1.66")}, unicst: true, act: deny, code: "other_address"},
		{name: "REBINDING", typ: request, from: 1, mods: mods{has("10.77.1.1")}, act: bind, addr: "10.77.1.1"},
		{name: "REBINDING of a stranger", typ: request, from: 3, mods: mods{has("10.77.1.66")}, act: bind, addr: "10.77.1.66"},
		{name: "REBINDING of a stranger beside another server", typ: request, from: 3, mods: mods{has("10.77.1.66")}, others: true, act: ignore, code: "another_servers_client"},
		{name: "REQUEST for nothing", typ: request, from: 3, act: ignore, code: "no_address"},

		{name: "DECLINE", typ: dhcpv4.MessageTypeDecline, from: 1, mods: mods{ours, wanted("10.77.1.1")}, act: declined, addr: "10.77.1.1", code: "declined"},
		{name: "DECLINE of what was offered", typ: dhcpv4.MessageTypeDecline, from: 7, mods: mods{wanted("10.77.1.7")}, act: declined, code: "declined"},
		{name: "DECLINE of another's address", typ: dhcpv4.MessageTypeDecline, from: 3, mods: mods{ours, wanted("10.77.1.1")}, act: ignore, code: "not_its_own"},
		{name: "DECLINE of nothing", typ: dhcpv4.MessageTypeDecline, from: 1, act: ignore, code: "no_address"},
		{name: "DECLINE to another server", typ: dhcpv4.MessageTypeDecline, from: 1, mods: mods{toServer("10.77.0.2"), wanted("10.77.1.1")}, act: ignore, code: "other_server_chosen"},
		{name: "RELEASE", typ: dhcpv4.MessageTypeRelease, from: 1, mods: mods{ours, has("10.77.1.1")}, act: released, addr: "10.77.1.1", code: "released"},
		{name: "RELEASE of another's address", typ: dhcpv4.MessageTypeRelease, from: 3, mods: mods{ours, has("10.77.1.1")}, act: ignore, code: "no_lease"},
		{name: "RELEASE to another server", typ: dhcpv4.MessageTypeRelease, from: 1, mods: mods{toServer("10.77.0.2"), has("10.77.1.1")}, act: ignore, code: "other_server_chosen"},
		{name: "INFORM", typ: dhcpv4.MessageTypeInform, from: 3, mods: mods{has("10.77.5.5")}, act: inform, addr: "10.77.5.5"},
		{name: "INFORM from elsewhere", typ: dhcpv4.MessageTypeInform, from: 3, mods: mods{has("10.99.5.5")}, act: ignore, code: "foreign_network"},
		{name: "INFORM without ciaddr", typ: dhcpv4.MessageTypeInform, from: 3, unicst: true, act: inform, addr: "10.77.5.5"},
		{name: "an OFFER as a request", typ: dhcpv4.MessageTypeOffer, from: 3, act: ignore, code: "wrong_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config()
			cfg.PhonesOnly = tt.phones
			st := mustSettings(t, cfg)
			tab, m := scene(t, st)
			r := parsed(t, packet(t, tt.typ, mac(tt.from), tt.mods...))
			if tt.unicst {
				r.from, r.to = netip.MustParseAddrPort("10.77.5.5:68"), ip("10.77.0.1")
			}
			v := st.decide(tab, r, !tt.others, m)
			code := ""
			if v.why != nil {
				code = v.why.code
			}
			if v.act != tt.act || code != tt.code || (tt.addr != "" && v.addr != ip(tt.addr)) {
				t.Errorf("got act %d, %s, %q (%v), want act %d, %s, %q", v.act, v.addr, code, v.why, tt.act, tt.addr, tt.code)
			}
		})
	}
}

func TestSelectingAnotherServerFreesTheOffer(t *testing.T) {
	st := mustSettings(t, config())
	tab, m := scene(t, st)
	r := parsed(t, packet(t, dhcpv4.MessageTypeRequest, mac(7), toServer("10.77.0.2"), wanted("10.77.1.7")))
	st.decide(tab, r, true, m)
	if s := tab.Standing(lease.MACKey(mac(3)), ip("10.77.1.7"), m); s != lease.Free {
		t.Errorf("got %v, want Free", s)
	}
}

func TestWhichAddressesAreProbed(t *testing.T) {
	tests := []struct {
		name  string
		typ   dhcpv4.MessageType
		from  byte
		mod   dhcpv4.Modifier
		probe bool
	}{
		{"an address offered to a stranger", dhcpv4.MessageTypeDiscover, 3, nil, true},
		{"the former address of a phone", dhcpv4.MessageTypeDiscover, 2, nil, true},
		{"the address that a phone has", dhcpv4.MessageTypeDiscover, 1, nil, false},
		{"a renewal", dhcpv4.MessageTypeRequest, 1, has("10.77.1.1"), false},
		{"INIT-REBOOT of a running lease", dhcpv4.MessageTypeRequest, 1, wanted("10.77.1.1"), false},
		{"INIT-REBOOT of a lease that ran out", dhcpv4.MessageTypeRequest, 2, wanted("10.77.1.2"), true},
		{"INIT-REBOOT of a stranger", dhcpv4.MessageTypeRequest, 3, wanted("10.77.1.66"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, relayed := range []bool{false, true} {
				cfg := config()
				cfg.PingCheck, cfg.Relayed = true, relayed
				st := mustSettings(t, cfg)
				tab, m := scene(t, st)
				var mods []dhcpv4.Modifier
				if tt.mod != nil {
					mods = append(mods, tt.mod)
				}
				v := st.decide(tab, parsed(t, packet(t, tt.typ, mac(tt.from), mods...)), true, m)
				if want := tt.probe && !relayed; v.probe != want {
					t.Errorf("relayed %v: got %v, want %v (%+v)", relayed, v.probe, want, v)
				}
			}
		})
	}
}
