package phonesim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/phonesim"
)

// extensions returns when a phone asked to keep its lease, and how many of those were for everybody.
func extensions(l *fakeLink) (at []float64, broadcast int) {
	for _, s := range l.messages() {
		if s.m.ClientIPAddr.IsUnspecified() {
			continue
		}
		at = append(at, s.at.Seconds())
		if !s.unicast {
			broadcast++
		}
	}
	return at, broadcast
}

func TestRenewalsAreCounted(t *testing.T) {
	t.Parallel()
	keeps := phonesim.Config{Profile: phonesim.ProfileBasic, Stay: true}
	sooner := keeps
	sooner.Renew = 30 * time.Second
	for _, c := range []struct {
		name  string
		cfg   phonesim.Config
		lease time.Duration
		// change turns an ACK into something else, or nothing, for the request after it.
		change func(m, a *dhcpv4.DHCPv4, at time.Duration) *dhcpv4.DHCPv4
		long   time.Duration
		want   phonesim.Renewals
		at     []float64
	}{
		{"at T1", keeps, 100 * time.Second, nil, 160 * time.Second, phonesim.Renewals{Renewed: 3}, []float64{50, 100, 150}},
		{"sooner, when told to", sooner, 8 * time.Hour, nil, 100 * time.Second, phonesim.Renewals{Renewed: 3}, []float64{30, 60, 90}},
		{"never later than T1", sooner, 40 * time.Second, nil, 50 * time.Second, phonesim.Renewals{Renewed: 2}, []float64{20, 40}},
		{
			"a lease that the server shortens is obeyed", keeps, 100 * time.Second, func(m, a *dhcpv4.DHCPv4, at time.Duration) *dhcpv4.DHCPv4 {
				if at > 0 {
					a.UpdateOption(dhcpv4.OptIPAddressLeaseTime(20 * time.Second))
				}
				return a
			}, 75 * time.Second, phonesim.Renewals{Renewed: 3}, []float64{50, 60, 70},
		},
		{
			"another server takes over", keeps, 800 * time.Second, func(m, a *dhcpv4.DHCPv4, at time.Duration) *dhcpv4.DHCPv4 {
				if at >= 400*time.Second && at < 700*time.Second {
					return nil
				}
				return a
			}, 750 * time.Second, phonesim.Renewals{Rebound: 1}, []float64{400, 550, 625, 685, 700},
		},
		{
			"the server refuses", keeps, 100 * time.Second, func(m, a *dhcpv4.DHCPv4, at time.Duration) *dhcpv4.DHCPv4 {
				if at == 50*time.Second {
					a.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
				}
				return a
			}, 80 * time.Second, phonesim.Renewals{Failed: 1, Lost: 1}, []float64{50},
		},
		{
			"nobody answers any more", keeps, 100 * time.Second, func(m, a *dhcpv4.DHCPv4, at time.Duration) *dhcpv4.DHCPv4 {
				if at > 0 {
					return nil
				}
				return a
			}, 120 * time.Second, phonesim.Renewals{Failed: 1, Lost: 1}, []float64{50, 87.5},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				give := grants(c.lease)
				link := &fakeLink{packet: answers}
				link.dhcp = func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
					a := give(m)
					if c.change != nil {
						a = c.change(m, a, time.Since(link.begun))
					}
					return a
				}
				r := bubble(t, c.long, link, c.cfg)
				at, broadcast := extensions(link)
				if diff := cmp.Diff(c.at, at); diff != "" {
					t.Errorf("when it asked (want, got): %s", diff)
				}
				if r.Renewals != c.want || (broadcast > 0) != (c.want.Rebound > 0 || c.name == "nobody answers any more") {
					t.Errorf("found %+v with %d requests to everybody, wanted %+v", r.Renewals, broadcast, c.want)
				}
			})
		})
	}
}
