package lease_test

import (
	"net/netip"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
)

// dirty returns what is to be written anew, by address.
func dirty(tab *lease.Table) map[netip.Addr]lease.Record {
	out := make(map[netip.Addr]lease.Record)
	for _, rec := range tab.Dirty(100, func(lease.Key, netip.Addr) bool { return false }) {
		out[rec.Address] = rec
	}
	return out
}

// A record was written and its client is refused after all: what it replaced on disk is written again, and until then no
// renewal relies on it.
func TestRefusedRecordDoesNotReplaceOthersOnDisk(t *testing.T) {
	m := start()
	t.Run("of the address", func(t *testing.T) {
		tab := lease.New(settings())
		rec := tab.Begin(client(2), ip("10.77.1.1"), 8*time.Hour, m)
		// The store could not be read until now.
		other := lease.New(settings()).Begin(client(1), ip("10.77.1.1"), 8*time.Hour, m)
		tab.Restore([]lease.Record{other}, m)
		if s := tab.Standing(key(2), rec.Address, m); s != lease.Taken {
			t.Fatalf("got the standing %v", s)
		}
		tab.Stored(rec, m)
		tab.Unsure(rec)
		tab.Abort(rec)
		if got := dirty(tab)[rec.Address]; got.Key != key(1) {
			t.Errorf("the disk names %s, and nothing is written of the lease of %s (%+v)", rec.Key, key(1), got)
		}
		if tab.Extend(client(1), rec.Address, time.Hour, m) {
			t.Error("renewed without a record on disk")
		}
	})
	t.Run("of no one", func(t *testing.T) {
		tab := lease.New(settings())
		addr := give(t, tab, 1, m)
		rec := tab.Begin(client(1), ip("10.77.1.3"), 8*time.Hour, m)
		tab.Stored(rec, m)
		tab.Unsure(rec)
		tab.Abort(rec)
		if got := dirty(tab); len(got) != 1 || got[rec.Address].State != lease.Forgotten {
			t.Errorf("the disk names %s for %s, and what is written is %+v", rec.Key, rec.Address, got)
		}
		if !tab.Extend(client(1), addr, time.Hour, m) {
			t.Error("the record of another address of the client is as good as it was")
		}
	})
}

// A write that failed may be on disk all the same.
func TestFailedWriteIsNotReliedOn(t *testing.T) {
	tab, m := lease.New(settings()), start()
	addr := give(t, tab, 1, m)
	rec := tab.Begin(client(1), addr, 4*time.Hour, m)
	tab.Unsure(rec)
	tab.Abort(rec)
	if tab.Extend(client(1), addr, time.Hour, m) {
		t.Error("renewed without a write, though the record may have been replaced on disk")
	}
	if got := dirty(tab)[addr]; got.Key != key(1) || got.Duration != 8*time.Hour {
		t.Errorf("the lease of %s is not written anew", addr)
	}
}

// The record of a lease that was not stored is written later; then it must protect the address to the end that was told.
func TestUnstoredLeaseEndsOnDiskNotBeforeItsClientIsTold(t *testing.T) {
	tab, m := lease.New(settings()), start()
	rec := tab.Begin(client(1), ip("10.77.1.1"), 8*time.Hour, m)
	told := after(m, 40*time.Second) // the disk took so long to fail
	if err := tab.Finish(rec.Shorten(lease.UnstoredTime), false, told); err != nil {
		t.Fatal(err)
	}
	end := told.Wall.Add(lease.UnstoredTime)
	if got := dirty(tab)[rec.Address]; got.End.Before(end) {
		t.Errorf("ends on disk at %s, %s before the end that the client was told", got.End, end.Sub(got.End))
	}
}

// Who asked for the address that it was offered has taken it up; that the disk is slow is not its fault.
func TestLeaseOnItsWayToTheDiskIsNotUntaken(t *testing.T) {
	tab, m := lease.New(settings()), start()
	for n := range byte(2) {
		if _, err := tab.Offer(lease.Home, key(n+1), netip.Addr{}, m); err != nil {
			t.Fatal(err)
		}
	}
	addr, _ := tab.Offer(lease.Home, key(1), netip.Addr{}, m)
	rec := tab.Begin(client(1), addr, time.Hour, m)
	later := after(m, 10*time.Second)
	if n := tab.Untaken(4*time.Second, later); n != 1 {
		t.Errorf("got %d offers that nobody took up, want 1", n)
	}
	tab.Abort(rec)
	if _, err := tab.Offer(lease.Home, key(1), netip.Addr{}, m); err != nil {
		t.Fatal(err)
	}
	if n := tab.Untaken(4*time.Second, later); n != 2 {
		t.Errorf("got %d offers that nobody took up, want 2", n)
	}
}

// A clock that was set forward by a few seconds makes an end on disk too early by as much.
func TestRestampIsExact(t *testing.T) {
	tab, m := lease.New(settings()), start()
	addr := give(t, tab, 1, m)
	tab.Restamp(m)
	m = after(m, 5*time.Hour)
	if !tab.Extend(client(1), addr, 8*time.Hour, m) {
		t.Fatal("not extended to the very end")
	}
	set := m
	set.Wall = set.Wall.Add(10 * time.Second)
	if n := tab.Restamp(set); n != 1 {
		t.Errorf("the disk frees %s 10 s before its client's lease ends, and nothing is written", addr)
	}
}

// The sentence counts what could be given at all, and tells when it is the store that keeps free addresses back.
func TestEmptyPoolIsToldAsItIs(t *testing.T) {
	m := start()
	s := settings()
	s.Pools = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.4")}}
	s.Reservations = map[lease.Key]netip.Addr{key(9): ip("10.77.1.2")}
	s.Exclude = []netip.Addr{ip("10.77.1.3")}
	s.Listed = nil
	tab := lease.New(s)
	give(t, tab, 1, m)
	give(t, tab, 2, m)
	_, err := tab.Offer(lease.Home, key(3), netip.Addr{}, m)
	wantCode(t, err, "pool_empty")
	if err.Error() != "all 2 addresses of the pool are in use" {
		t.Errorf("got %q", err)
	}
	tab.Careful(true)
	_, err = tab.Offer(lease.Home, key(3), netip.Addr{}, after(m, 9*time.Hour))
	wantCode(t, err, "pool_empty")
	if err.Error() != "none of the 2 free addresses of the pool is given to a new client: records on disk name others, and none can be written now" {
		t.Errorf("got %q", err)
	}
}
