package e2e_test

import (
	"strings"
	"testing"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// TestCable takes the cable out and the adapter away: meanwhile nothing is served and the box says why, and afterwards
// everything comes back by itself.
func TestCable(t *testing.T) {
	waiting.enter(t)
	lan := office(t, testkit.Host{Name: "wire"})
	mac := mustMAC("00:06:d7:68:00:00")
	b := startBox(t, lan, site{phones: listed(mac, 1)}.text(), nil)
	b.setClock()
	w := newWire(t, lan.Node("wire"))
	first, unplug := boot(t, phonesim.Config{Link: w, MAC: mac})
	unplug()
	heldInside := func(t *testing.T, b *box) {
		var s status
		testkit.Eventually(t, patience, "dhcp is held", func() bool {
			s = b.insideStatus()
			return s.Services["dhcp"].State == "held"
		})
		if s.Ready || len(s.Notices) == 0 || !strings.Contains(s.Services["dhcp"].Detail, "cable") {
			t.Errorf("the status tells ready %t, the notices %q and of dhcp %q, wanted the cable as the reason",
				s.Ready, s.Notices, s.Services["dhcp"].Detail)
		}
		t.Logf("while it is out: %s; %q", s.Services["dhcp"].Detail, s.Notices)
	}
	for _, c := range []struct {
		name      string
		out, in   func(testing.TB)
		meanwhile func(*testing.T, *box)
	}{
		{"cable", b.node.CableOut, b.node.CableIn, heldInside},
		// Its address goes with the adapter, and with that the page: the log alone tells.
		{"adapter", b.node.RemoveInterface, b.node.RestoreInterface, func(_ *testing.T, b *box) { b.proc.WaitOutput("condition=missing", patience) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b.with(t)
			b.inside = b.client(b.node)
			c.out(t)
			c.meanwhile(t, b)
			c.in(t)
			b.waitReady()
			if out := b.node.IP(t, "-4", "addr", "show", "dev", testkit.Interface); !strings.Contains(out, boxAddr+"/16") {
				t.Errorf("the address of the box is not there again: %s", out)
			}
			b.healthy()
			r, unplug := boot(t, phonesim.Config{Link: w, MAC: mac})
			defer unplug()
			if r.Address != first.Address || r.ClockOffset == nil || len(r.Lines) != 1 || len(r.Pages) < 2 || r.Pages[0].Status != 200 {
				t.Errorf("the phone has %s (it had %s), clock %v, lines %v, pages %+v", r.Address, first.Address, r.ClockOffset, r.Lines, r.Pages)
			}
			testkit.Eventually(t, patience, "the phone is ready", func() bool { return b.phone(mac).Step == phone.Ready })
			if n := b.insideStatus().Notices; len(n) > 0 {
				t.Errorf("notices that are left: %q", n)
			}
		})
	}
}
