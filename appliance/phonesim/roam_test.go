package phonesim_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/phonesim"
)

func TestPhonesMoveAndKeepTheirAddress(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	elsewhere, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: o.Server, Ports: o.Ports, FirstRelay: 7000})
	if err != nil {
		t.Fatal(err)
	}
	r := basicStorm(t, o, phonesim.StormConfig{Phones: 4, Roam: phonesim.Roam{Phones: 3, Link: elsewhere}})
	m := r.Roaming
	if !r.OK() || m == nil || m.Moved != 3 || m.Same != 3 || m.Other != 0 || m.Failed != 0 || m.Last <= 0 || m.Half > m.Last {
		t.Errorf("found %+v, failures %+v", m, r.Failures)
	}
	for i, p := range r.Results {
		if moved := i < 3; p.MovedTo.IsValid() != moved || moved && p.MovedTo != p.Address {
			t.Errorf("phone %d had %s and moved to %s", i, p.Address, p.MovedTo)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	again := map[string]int{} // requests for the old address behind another relay, without an offer before
	for _, m := range o.packets {
		if m.MessageType() == dhcpv4.MessageTypeRequest && m.ServerIdentifier() == nil {
			again[m.GatewayIPAddr.String()]++
		}
	}
	if len(again) != 3 {
		t.Errorf("phones asked for their old address behind the relays %v, wanted three of the other segment", again)
	}
}

func TestAPhoneThatIsRefusedElsewhereGetsAnotherAddress(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	elsewhere, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: o.Server, Ports: o.Ports, FirstRelay: 7000})
	if err != nil {
		t.Fatal(err)
	}
	o.set(func() {
		o.change = func(m, a *dhcpv4.DHCPv4) bool {
			if m.MessageType() == dhcpv4.MessageTypeRequest && m.ServerIdentifier() == nil { // not in this segment
				a.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
				addr := o.leases[m.ClientHWAddr.String()].As4()
				addr[3] += 100
				o.leases[m.ClientHWAddr.String()] = netip.AddrFrom4(addr)
			}
			return true
		}
	})
	r := basicStorm(t, o, phonesim.StormConfig{Phones: 2, Roam: phonesim.Roam{Phones: 2, Link: elsewhere}})
	if m := r.Roaming; !r.OK() || m.Moved != 2 || m.Same != 0 || m.Other != 2 {
		t.Errorf("found %+v, failures %+v", m, r.Failures)
	}
}

func TestAPhoneThatIsLostElsewhereFails(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	nowhere, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: o.Server, Ports: phonesim.Ports{DHCP: 1}, FirstRelay: 7000})
	if err != nil {
		t.Fatal(err)
	}
	r := basicStorm(t, o, phonesim.StormConfig{Phones: 2, Roam: phonesim.Roam{Phones: 1, Link: nowhere}, Timeout: 2 * time.Second})
	if m := r.Roaming; r.OK() || m.Moved != 1 || m.Failed != 1 || m.Last != 0 || m.Reasons["a DHCP lease"] != 1 {
		t.Errorf("found %+v", m)
	}
}
