package dhcp

import (
	"errors"
	"slices"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

var errDisk = errors.New("input/output error")

// broken is a server whose store held the leases of phones 1 (running) and 2 (ran out) and takes nothing any more.
func broken(t *testing.T, cfg Config) *bench {
	t.Helper()
	now := time.Now()
	rec := func(n byte, addr string, left time.Duration) lease.Record {
		m := mac(n)
		return lease.Record{
			Key: lease.MACKey(m), HType: 1, HWAddr: m[:], Address: ip(addr), State: lease.Bound, Duration: 8 * time.Hour,
			Start: now.Add(left - 8*time.Hour), End: now.Add(left), Trusted: true,
		}
	}
	b := started(t, cfg, newStore(rec(1, "10.77.1.1", time.Hour), rec(2, "10.77.1.2", -time.Hour)))
	b.store.onCommit(func([]lease.Record) error { return errDisk })
	b.forget()
	return b
}

func TestStoreThatCannotBeWritten(t *testing.T) {
	tests := []struct {
		name   string
		phone  byte
		addr   string
		term   time.Duration
		probed bool
	}{
		{"a phone with a reservation has its whole lease", 9, "10.77.0.50", 8 * time.Hour, false},
		{"a lease on disk goes on to the end that is on disk", 1, "10.77.1.1", time.Hour, false},
		{"a new lease is short and probed", 5, "10.77.1.3", 10 * time.Minute, true},
		{"a listed phone without a reservation is served", 8, "10.77.1.3", 10 * time.Minute, true},
		{"a lease that ran out is like a new one", 2, "10.77.1.2", 10 * time.Minute, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := broken(t, config())
				defer b.stop()
				b.want(msgOffer, tt.addr, packet(t, msgDiscover, mac(tt.phone)))
				got := b.want(msgAck, tt.addr, selecting(t, tt.phone, tt.addr))
				if d := got.IPAddressLeaseTime(0); d > tt.term || d < tt.term-time.Minute {
					t.Errorf("got a lease of %s, want %s", d, tt.term)
				}
				if was := slices.Contains(b.wire.probed, ip(tt.addr)); was != tt.probed {
					t.Errorf("probed: got %v, want %v", was, tt.probed)
				}
				if evs := b.kinds(EventNotStored); len(evs) != 1 || !errors.Is(evs[0].Err, errDisk) || evs[0].MAC != mac(tt.phone) {
					t.Errorf("got %+v", evs)
				}
				time.Sleep(2 * time.Second)
				if state, detail, _ := b.s.State(); state != "running" || detail != notStoredText {
					t.Errorf("got %s, %q: the trouble is not shown", state, detail)
				}
			})
		})
	}
}

func TestUnstoredLeaseNeedsAProbeThatNobodyAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := broken(t, config())
		defer b.stop()
		b.want(msgOffer, "10.77.1.3", packet(t, msgDiscover, mac(5)))
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.1.3")] = phone.MAC{2} })
		b.want(msgNak, "", selecting(t, 5, "10.77.1.3"))
		b.want(msgOffer, "10.77.1.4", packet(t, msgDiscover, mac(5)))
		b.wire.set(func(w *fakeWire) { w.probeErr = errors.New("network is down") })
		b.silent(selecting(t, 5, "10.77.1.4"))
		if _, ok := b.s.LeaseFor(mac(5)); ok {
			t.Error("a lease that was neither stored nor probed runs")
		}
	})
}

func TestUnstoredLeaseNeverTakesAnAddressOfARecord(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.Pool, cfg.Known = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.2")}}, nil
		b := broken(t, cfg)
		defer b.stop()
		// The store is not known to fail yet: the expired address of phone 2 is offered, but not given.
		b.want(msgOffer, "10.77.1.2", packet(t, msgDiscover, mac(5)))
		b.want(msgNak, "", selecting(t, 5, "10.77.1.2"))
		b.silent(packet(t, msgDiscover, mac(5)))
		// It stays there for whom the record names.
		b.want(msgOffer, "10.77.1.2", packet(t, msgDiscover, mac(2)))
	})
}

func TestUnstoredLeasesAreWrittenOnceTheStoreWorks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := broken(t, config())
		defer b.stop()
		b.want(msgOffer, "10.77.1.3", packet(t, msgDiscover, mac(5)))
		b.want(msgAck, "10.77.1.3", selecting(t, 5, "10.77.1.3"))
		b.store.onCommit(nil)
		time.Sleep(12 * time.Second)
		if rec, ok := b.store.record("10.77.1.3"); !ok || rec.Duration != 10*time.Minute || rec.Key != lease.MACKey(mac(5)) {
			t.Errorf("stored: got %+v", rec)
		}
		if _, detail, _ := b.s.State(); detail != "" {
			t.Errorf("got %q: the trouble is over", detail)
		}
		got := b.want(msgAck, "10.77.1.3", packet(t, msgRequest, mac(5), has("10.77.1.3")))
		if d := got.IPAddressLeaseTime(0); d != 8*time.Hour {
			t.Errorf("renewal: got %s, want 8h", d)
		}
	})
}

func TestStoreThatCannotBeReadIsReadLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := mac(1)
		store := newStore(lease.Record{
			Key: lease.MACKey(m), HType: 1, HWAddr: m[:], Address: ip("10.77.1.1"), State: lease.Bound, Duration: 8 * time.Hour,
			Start: time.Now(), End: time.Now().Add(8 * time.Hour), Trusted: true,
		})
		store.readErr = errDisk
		b := started(t, config(), store)
		defer b.stop()
		b.want(msgOffer, "10.77.1.1", packet(t, msgDiscover, mac(5)))
		got := b.want(msgAck, "10.77.1.1", selecting(t, 5, "10.77.1.1")) // nobody answered a probe, no record was readable
		if d := got.IPAddressLeaseTime(0); d != 10*time.Minute || store.commits != 0 {
			t.Errorf("got a lease of %s and %d commits, want 10m and none", d, store.commits)
		}
		store.mu.Lock()
		store.readErr = nil
		store.mu.Unlock()
		time.Sleep(20 * time.Minute)
		b.want(msgAck, "10.77.1.1", packet(t, msgRequest, mac(1), has("10.77.1.1")))
	})
}
