package dhcp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/services/dhcp/lease"
)

// A card that does not answer for ten seconds holds up a storm of honest clients: they took up what they were offered.
func TestSlowDiskIsNoStarvation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, wide(), store)
		defer b.stop()
		store.onCommit(func([]lease.Record) error { time.Sleep(10 * time.Second); return nil })
		const clients = 300
		for i := range clients {
			for _, o := range b.in(laptop(t, msgDiscover, many(i))) {
				b.in(laptop(t, msgRequest, many(i), wanted(o.YourIPAddr.String()), toServer("10.77.0.1")))
			}
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		for i := range 100 {
			if got := b.in(laptop(t, msgDiscover, many(1000+i))); len(got) != 1 {
				t.Fatalf("the next client but %d is not served: %s", i, b.lastReason())
			}
		}
	})
}

// The settings change while a lease is written, and its client is refused. Its former lease is on disk as before, and the
// one that it was refused is removed from there.
func TestLeaseThatWasWrittenForNothingIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		defer b.stop()
		addr := b.lease(1)
		reserved := config()
		reserved.Reservations = append(reserved.Reservations, Reservation{MAC: mac(1), Address: ip("10.77.0.60")})
		if err := b.s.Apply(reserved); err != nil {
			t.Fatal(err)
		}
		b.want(msgOffer, "10.77.0.60", packet(t, msgDiscover, mac(1)))
		store.onCommit(func([]lease.Record) error {
			store.onCommit(nil)
			return b.s.Apply(config())
		})
		b.want(msgNak, "", packet(t, msgRequest, mac(1), wanted("10.77.0.60"), toServer("10.77.0.1")))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if rec, _ := store.record(addr); rec.Key != lease.MACKey(mac(1)) {
			t.Errorf("the lease of %s runs and is not on disk", addr)
		}
		if rec, ok := store.record("10.77.0.60"); ok {
			t.Errorf("on disk is a lease that nobody has: %+v", rec)
		}
	})
}

// The lease that is lost may be as long as the longest that is left, whatever the settings say now.
func TestProbingForLostRecordsLastsAsLongAsTheLongestLease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := mac(1)
		store := newStore(lease.Record{
			Key: lease.MACKey(m), HType: 1, HWAddr: m[:], Address: ip("10.77.1.1"), State: lease.Bound, Duration: 24 * time.Hour,
			Start: time.Now(), End: time.Now().Add(39 * time.Hour), Trusted: true,
		})
		store.readErr = fmt.Errorf("leases.db was damaged: %w", ErrIncomplete)
		b := started(t, config(), store)
		defer b.stop()
		time.Sleep(23 * time.Hour)
		if _, detail, _ := b.s.State(); !strings.Contains(detail, "records of leases were lost") {
			t.Errorf("state: got %q", detail)
		}
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.1.2")] = mac(2) })
		b.want(msgOffer, "10.77.1.3", packet(t, msgDiscover, mac(5)))
	})
}

// What could not be written while the disk was full is written when the server stops, all of it.
func TestStopWritesAllThatIsNotOnDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, wide(), store)
		full := true
		store.onCommit(func([]lease.Record) error {
			if full {
				return errDisk
			}
			return nil
		})
		const clients = maxFlush + 100
		if got := b.storm(clients, time.Second); got != clients {
			t.Fatalf("got %d of %d leases", got, clients)
		}
		full = false
		b.stop()
		if n := len(store.records); n != clients {
			t.Errorf("got %d of %d leases on disk after the stop", n, clients)
		}
	})
}
