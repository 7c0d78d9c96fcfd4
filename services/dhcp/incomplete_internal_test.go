package dhcp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// damaged is a server whose store lost every record but that of phone 1; PingCheck is off.
func damaged(t *testing.T) *bench {
	t.Helper()
	m := mac(1)
	store := newStore(lease.Record{
		Key: lease.MACKey(m), HType: 1, HWAddr: m[:], Address: ip("10.77.1.1"), State: lease.Bound, Duration: 8 * time.Hour,
		Start: time.Now(), End: time.Now().Add(8 * time.Hour), Trusted: true,
	})
	store.readErr = fmt.Errorf("leases.db was damaged: %w", ErrIncomplete)
	b := newBench(t, config(), store)
	b.start()
	time.Sleep(3100 * time.Millisecond)
	b.wantState("running")
	b.take()
	b.wire.set(func(w *fakeWire) { w.probed = nil })
	return b
}

// The file is damaged, and the card takes no new one: a new phone gets what nobody answers for and no readable record
// names, for ten minutes; who is in a readable record keeps its address.
func TestLostRecordsOnACardThatTakesNoWrites(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := damaged(t)
		defer b.stop()
		b.store.onCommit(func([]lease.Record) error { return errDisk })
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.1.1")], w.hosts[ip("10.77.1.2")] = mac(1), mac(2) })
		b.want(msgOffer, "10.77.1.3", packet(t, msgDiscover, mac(5)))
		if got := b.want(msgAck, "10.77.1.3", selecting(t, 5, "10.77.1.3")); got.IPAddressLeaseTime(0) != lease.UnstoredTime {
			t.Errorf("a new lease lasts %s", got.IPAddressLeaseTime(0))
		}
		if got := b.want(msgAck, "10.77.1.1", packet(t, msgRequest, mac(1), has("10.77.1.1"))); got.IPAddressLeaseTime(0) < 7*time.Hour {
			t.Errorf("the lease on disk lasts %s", got.IPAddressLeaseTime(0))
		}
		// When its user is off, a readable record keeps the address, and the lost one of phone 2 can't.
		b.wire.set(func(w *fakeWire) { clear(w.hosts) })
		b.want(msgNak, "", selecting(t, 6, "10.77.1.1"))
		if _, detail, _ := b.s.State(); !strings.Contains(detail, "records of leases were lost") || !strings.Contains(detail, "cannot be written") {
			t.Errorf("state: got %q", detail)
		}
	})
}

func TestLostRecordsAreReplacedByProbes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := damaged(t)
		defer b.stop()
		if _, detail, _ := b.s.State(); !strings.Contains(detail, "records of leases were lost") {
			t.Errorf("state: got %q", detail)
		}
		// Phone 2 had .2 and still uses it; its record is gone.
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.1.2")] = mac(2) })
		b.want(msgOffer, "10.77.1.3", packet(t, msgDiscover, mac(5)))
		b.want(msgAck, "10.77.1.3", selecting(t, 5, "10.77.1.3"))
		if want := []string{"10.77.1.2", "10.77.1.3"}; fmt.Sprint(b.wire.probed) != fmt.Sprint(want) {
			t.Errorf("probed %v, want %v, each once", b.wire.probed, want)
		}
		// It comes back for its address, although that was put into quarantine on its account.
		got := b.want(msgAck, "10.77.1.2", packet(t, msgRequest, mac(2), has("10.77.1.2")))
		if d := got.IPAddressLeaseTime(0); d != 8*time.Hour {
			t.Errorf("got a lease of %s", d)
		}
		// A record that is left may be an old one: it is probed once, and then the server knows better than the disk.
		for range 3 {
			b.want(msgAck, "10.77.1.1", packet(t, msgRequest, mac(1), has("10.77.1.1")))
		}
		if n := len(b.wire.probed); n != 4 || b.wire.probed[3] != ip("10.77.1.1") {
			t.Errorf("probed %v", b.wire.probed)
		}
	})
}

func TestLostAddressThatAnotherUsesIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := damaged(t)
		defer b.stop()
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.1.66")] = phone.MAC{2} })
		b.want(msgNak, "", packet(t, msgRequest, mac(2), has("10.77.1.66")))
		b.want(msgNak, "", packet(t, msgRequest, mac(3), wanted("10.77.1.66")))
	})
}

func TestProbingForLostRecordsEndsAfterALeaseTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := damaged(t)
		defer b.stop()
		time.Sleep(8 * time.Hour)
		if _, detail, _ := b.s.State(); detail != "" {
			t.Errorf("state: got %q", detail)
		}
		b.want(msgOffer, "10.77.1.2", packet(t, msgDiscover, mac(5)))
		if slices.Contains(b.wire.probed, ip("10.77.1.2")) {
			t.Error("probed after a whole lease time, with ping_check off")
		}
	})
}

// Another server appears while every address is probed: who has a lease that was saved keeps it, after the probe.
func TestSavedLeaseIsRenewedWhileServingIsHeld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := damaged(t)
		defer b.stop()
		b.wire.hear(other)
		synctest.Wait()
		b.wantState("held")
		b.want(msgAck, "10.77.1.1", packet(t, msgRequest, mac(1), has("10.77.1.1")))
		if got := b.in(packet(t, msgRequest, mac(2), has("10.77.1.2"))); len(got) != 0 {
			t.Errorf("got %v for an address of which there is no record", got)
		}
	})
}
