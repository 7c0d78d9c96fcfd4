package phonesim_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/phonesim"
)

func TestAPhoneFromAnotherNetworkIsRefusedAndAsksAnew(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	r := run(t, o, phonesim.Config{MAC: mac(1), Remember: netip.MustParseAddr("10.1.2.3")})
	wantClean(t, r, phonesim.OutcomeReady)
	if diff := cmp.Diff([]string{"REQUEST", "DISCOVER", "REQUEST"}, o.messages()); diff != "" {
		t.Errorf("the messages (want, got): %s", diff)
	}
}

func TestARememberedAddressIsAskedForAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	r := run(t, o, phonesim.Config{MAC: mac(1), Remember: netip.AddrFrom4([4]byte{127, o.net, 1, 1})})
	wantClean(t, r, phonesim.OutcomeReady)
	if diff := cmp.Diff([]string{"REQUEST"}, o.messages()); diff != "" {
		t.Errorf("the messages (want, got): %s", diff)
	}
}

func TestFaultsOfADHCPServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		change     func(a *dhcpv4.DHCPv4)
	}{
		{"another client id", "option 61", func(a *dhcpv4.DHCPv4) {
			a.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClientIdentifier, []byte{1, 2, 3}))
		}},
		{"siaddr of somebody else", "siaddr says 127.0.0.9", func(a *dhcpv4.DHCPv4) { a.ServerIPAddr = []byte{127, 0, 0, 9} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.configure(mac(1))
			o.set(func() { o.change = func(_, a *dhcpv4.DHCPv4) bool { c.change(a); return true } })
			r := run(t, o, phonesim.Config{MAC: mac(1)})
			if r.OK() || !slices.ContainsFunc(r.Faults, func(f string) bool { return strings.Contains(f, c.want) }) {
				t.Errorf("found the faults %q, wanted one with %q", r.Faults, c.want)
			}
		})
	}
}

func TestAnErrorCodeOtherThan1StopsTheHunt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: grants(time.Hour), packet: func(datagram) []byte { return []byte{0, 5, 0, 2, 0} }}
		r := bubble(t, 60*time.Second, link, phonesim.Config{})
		got, _ := seconds(link.requests("CTLSEP" + mac(1).Name() + ".tlv"))
		if diff := cmp.Diff([]float64{0, 51}, got); diff != "" {
			t.Errorf("the requests (want, got): %s", diff)
		}
		if len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "error code 2") || !strings.Contains(r.Problem, "stops the loader's hunt") {
			t.Errorf("found the faults %q and the problem %q", r.Faults, r.Problem)
		}
	})
}

func TestABrokenTransferBeginsTheCycleAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		block := append([]byte{0, 3, 0, 1}, make([]byte, 512)...) // one full block, and then silence
		sep := "SEP" + mac(1).Name() + ".cnf.xml"
		link := &fakeLink{dhcp: grants(time.Hour), packet: func(d datagram) []byte {
			if strings.Contains(string(d.payload), "SEP"+mac(1).Name()+".cnf.xml") {
				return block
			}
			return notFound(d)
		}}
		r := bubble(t, 30*time.Second, link, phonesim.Config{})
		got, _ := seconds(link.requests(sep))
		if diff := cmp.Diff([]float64{0, 21}, got); diff != "" { // five acknowledgements, a second's rest
			t.Errorf("the requests (want, got): %s", diff)
		}
		if f, _ := r.File(sep); f.Answer != phonesim.AnswerBroken || r.Retransmits.TFTP < 4 {
			t.Errorf("found %+v and %d retransmissions", f, r.Retransmits.TFTP)
		}
	})
}
