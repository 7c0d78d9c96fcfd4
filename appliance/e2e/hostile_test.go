package e2e_test

import (
	"slices"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// wantAllReady demands that n phones of a storm got there, each at an address of its own.
func wantAllReady(t *testing.T, r phonesim.Report, n int) {
	t.Helper()
	t.Logf("FIGURE 50/95/100 %% of %d phones ready after %.1f/%.1f/%.1f s, sent again %+v, of these after a frame that was lost on purpose %+v, because of "+
		"the box %+v, frames %+v", n, r.Half.Seconds(), r.Most.Seconds(), r.All.Seconds(), r.Retransmits,
		r.RetransmitsByLoss, r.RetransmitsByServers, *r.Wire)
	if r.Ready != n || len(r.Failures) > 0 || len(r.Duplicates) > 0 || len(r.TFTP.ContentErrors) > 0 {
		t.Errorf("found %d ready, failed because of %v, duplicates %+v, wrong content %+v; wanted %d and nothing else",
			r.Ready, r.Reasons, r.Duplicates, r.TFTP.ContentErrors, n)
		for _, f := range r.Failures[:min(len(r.Failures), 10)] {
			t.Logf("%+v", f)
		}
	}
	if r.Wire.LostHere > 0 {
		t.Logf("the simulator itself lost %d frames: what was sent again is not the box's fault alone", r.Wire.LostHere)
	}
}

// wantReadyHere demands that the box tells the same of the listed phones.
func (b *box) wantReadyHere(macs []phone.MAC) {
	b.t.Helper()
	waiting := func() []phoneEntry {
		var left []phoneEntry
		for _, p := range b.phones() {
			if slices.Contains(macs, p.MAC) && p.Step != phone.Ready {
				left = append(left, p)
			}
		}
		return left
	}
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the box does not call ready: %+v", waiting())
		}
	}()
	testkit.Eventually(b.t, 3*time.Minute, "the box calls every phone ready", func() bool { return len(waiting()) == 0 })
}

// counted returns n hardware addresses from base on.
func counted(base phone.MAC, n int) []phone.MAC {
	var macs []phone.MAC
	for i := range n {
		macs = append(macs, phonesim.AddMAC(base, i))
	}
	return macs
}

// TestStormWithLoss boots two hundred phones over a wire that loses every tenth frame in both directions, and repeats and
// reorders some.
func TestStormWithLoss(t *testing.T) {
	crowding.enter(t)
	const n = 200
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:53:00:00")
	b := startBox(t, lan, site{phones: listed(base, n)}.text(), shelf())
	b.setClock()
	w := newWire(t, lan.Node("wire"))
	if err := w.SetFaults(phonesim.Faults{Loss: 0.1, Dup: 0.01, Reorder: 0.01, Seed: 11}); err != nil {
		t.Fatal(err)
	}
	phones := moveIn(t, phonesim.StormConfig{Link: w, Phones: n, Window: 2 * time.Second, Base: base, Seed: 11, Timeout: stormLimit})
	phones.waitReady()
	// They stay: a phone of which the box lost all signs is asked in the next round of OPTIONS.
	b.wantReadyHere(counted(base, n))
	r := phones.leave()
	wantAllReady(t, r, n)
	if r.Wire.LostOut == 0 || r.Wire.LostIn == 0 || r.RetransmitsByLoss.TFTP == 0 || r.RetransmitsByLoss.DHCP == 0 {
		t.Errorf("found %+v and %+v sent again after a loss, wanted a wire that loses frames", r.Wire, r.RetransmitsByLoss)
	}
	b.healthy()
}

// TestHostileClients boots listed phones while hostile ones take leases, decline and release those of others, speak in the name
// of others, flood TFTP and leave transfers half open. Phones that had an address before renew it all the while, and none
// loses it.
func TestHostileClients(t *testing.T) {
	// Beside nobody who keeps the processors busy: a phone that does not answer the box within 300 ms is taken for gone.
	working.enter(t)
	const before, n = 25, 50
	lan := office(t, testkit.Host{Name: "wire"}, testkit.Host{Name: "desk", MAC: deskMAC.String()})
	base := mustMAC("00:06:d7:54:00:00")
	s := site{
		dhcp:   `pool = ["10.77.1.1-10.77.1.250"]`, // not even half of what the hostile ones ask for
		phones: append(listed(base, before+n), sitePhone{mac: deskMAC, label: "Latecomer", line: "400"}),
	}
	b := startBox(t, lan, s.text(), shelf())
	b.setClock()
	w := newWire(t, lan.Node("wire"))
	old := moveIn(t, phonesim.StormConfig{Link: w, Phones: before, Base: base, Seed: 12, Timeout: stormLimit, Renew: 2 * time.Second})
	old.waitReady()
	addresses := b.addresses()
	young := moveIn(t, phonesim.StormConfig{
		Link: w, Phones: n, Window: 12 * time.Second, Base: phonesim.AddMAC(base, before), Seed: 12, Timeout: stormLimit,
		Hostile: &phonesim.HostileConfig{Wire: w, Kinds: phonesim.HostileKinds(), Rate: 100, For: 20 * time.Second, Seed: 12},
	})
	young.waitReady()
	r := young.leave()
	for _, h := range r.Hostile {
		t.Logf("FIGURE hostile %s: %d packets, %d answered, %d leases", h.Kind, h.Sent, h.Answered, h.Leases)
		if h.Sent == 0 {
			t.Errorf("the hostile clients that %s did nothing: %s", h.Kind, h.Error)
		}
	}
	wantAllReady(t, r, n)
	old.wantKept(b, addresses)
	if addr, _ := takeLease(t, lan.Node("desk")); !addr.IsValid() { // the pool is not empty for a listed phone that comes late
		t.Error("a listed phone that comes late gets no address")
	}
	b.healthy()
	b.wantSameCounts("dhcp", "tftp")
	if kb := b.residentKB(); kb >= 120_000 {
		t.Errorf("the daemon has %d kB in memory, wanted less than 120 MB", kb)
	}
	if code, took := b.terminate(); code != 143 || took > 2*time.Second {
		t.Errorf("the daemon ended with %d after %s, wanted 143 within 2 s", code, took)
	}
}

// addresses returns the address of each phone that the box knows.
func (b *box) addresses() map[phone.MAC]string {
	b.t.Helper()
	all := map[phone.MAC]string{}
	for _, p := range b.phones() {
		all[p.MAC] = p.Address
	}
	return all
}

// wantSameCounts demands that the page and the metrics count the same number of packets that were not answered, and some.
func (b *box) wantSameCounts(services ...string) {
	b.t.Helper()
	for _, service := range services {
		var page int
		var metrics float64
		defer func() {
			if b.t.Failed() {
				b.t.Logf("%s: the page counts %d packets that were not answered, the metrics %g", service, page, metrics)
			}
		}()
		testkit.Eventually(b.t, patience, "the page counts as many packets of "+service+" as the metrics", func() bool {
			page = 0
			for _, n := range b.status().NotAnswered {
				if n.Service == service {
					page += n.Count
				}
			}
			metrics = b.metric("phonebox_"+service+"_dropped_total", "") + b.metric("phonebox_"+service+"_refused_total", "")
			return float64(page) == metrics && page > 0
		})
		b.t.Logf("FIGURE %s: %d packets were not answered", service, page)
	}
}
