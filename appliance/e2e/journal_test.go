package e2e_test

import (
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// journalLag is how much of the journal a power cut may cost (promise 2).
const journalLag = 5 * time.Second

// TestJournalSurvivesKill kills the daemon while phones boot: every event that was older than five seconds is there
// afterwards, unchanged, and the steps go on from there.
func TestJournalSurvivesKill(t *testing.T) {
	waiting.enter(t)
	const n = 5
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:6a:00:00")
	b := startBox(t, lan, site{phones: listed(base, n)}.text(), nil)
	w := newWire(t, lan.Node("wire"))
	storm(t, w, base, n, nil)
	// One that polls several times a second keeps the journal busy until it is cut off.
	quiet, busy := phonesim.AddMAC(base, 0), phonesim.AddMAC(base, n)
	plug(t, phonesim.Config{Link: w, MAC: busy, State: phonesim.StateBare, Speed: 100})
	last := time.Now()
	testkit.Eventually(t, time.Minute, "the storm is more than five seconds ago", func() bool { return time.Since(last) > 2*journalLag })

	before := map[phone.MAC][]event{}
	for i := range n + 1 {
		mac := phonesim.AddMAC(base, i)
		before[mac] = b.events(mac)
	}
	step := b.phone(quiet).Step
	b.kill()
	killed := time.Now()
	b.start()
	lost, kept := 0, 0
	for mac, events := range before {
		after := map[uint64]event{}
		for _, e := range b.events(mac) {
			after[e.ID] = e
		}
		for _, e := range events {
			switch got, ok := after[e.ID]; {
			case ok && got.Text == e.Text && got.Time.Equal(e.Time) && got.Step == e.Step && got.Kind == e.Kind:
				kept++
			case killed.Sub(e.Time) > journalLag:
				t.Errorf("%s: the event %+v is %s old and not there any more (found %+v)", mac, e, killed.Sub(e.Time), got)
			default:
				lost++
			}
		}
	}
	if kept < 5*n {
		t.Errorf("found %d events of the storm again, wanted several of each phone", kept)
	}
	t.Logf("%d events kept, %d lost", kept, lost)
	if now := b.phone(quiet).Step; now != step {
		t.Errorf("a quiet phone is in step %q after the restart, it was in %q", now, step)
	}
	b.waitReady()
}
