package lease

import (
	"net/netip"
	"time"
)

// Restore takes what the store held. A lease that ran gets its full Duration again, from now, unless both clocks (then
// and now) could be trusted: then it gets what is left of it, and never more than its Duration. Records without an IPv4
// address or a key are left out; where two name the same client or address, the running and then the later one stays.
func (t *Table) Restore(records []Record, m Moment) {
	for _, rec := range records {
		if !rec.Address.Is4() || rec.Key == "" {
			continue
		}
		if rec.Duration <= 0 {
			rec.Duration = t.Duration(rec.Address)
		}
		e := newEntry(rec)
		if rec.State == Bound || rec.State == Declined {
			e.deadline = m.Mono.Add(left(rec, m))
			if !e.live(m) {
				e.rec.State, e.dirty = Expired, true
			}
		}
		t.disk[rec.Address], t.diskOf[rec.Key] = stored{rec, e.deadline}, rec.Address
		if t.yields(t.entries[rec.Address], e, m) && t.yields(t.entries[t.byKey[rec.Key]], e, m) {
			t.put(e)
		}
	}
}

// yields reports whether the entry that is there gives way to the one from the store.
func (t *Table) yields(there, e *entry, m Moment) bool {
	switch {
	case there == nil:
		return true
	case there.told: // this process knows better than the disk
		return false
	case there.live(m) != e.live(m):
		return e.live(m)
	}
	return there.rec.End.Before(e.rec.End)
}

// left returns how much of a stored lease is left.
func left(rec Record, m Moment) time.Duration {
	if !m.Trusted || !rec.Trusted {
		return rec.Duration
	}
	return min(max(rec.End.Sub(m.wall()), 0), rec.Duration)
}

// Trust is called when the wall clock has become trustworthy after Restore: leases that nobody renewed since are
// shortened to the end that was stored, if that came from a trusted clock. None gets longer, and none gets shorter
// than what was told to its client since the start.
func (t *Table) Trust(m Moment) {
	for addr, s := range t.disk {
		if end := m.Mono.Add(left(s.rec, m)); s.rec.Trusted && end.Before(s.deadline) {
			s.deadline = end
			t.disk[addr] = s
		}
	}
	for _, e := range t.entries {
		if e.told || !e.rec.Trusted || !e.live(m) {
			continue
		}
		if end := m.Mono.Add(left(e.rec, m)); end.Before(e.deadline) {
			e.deadline = end
		}
	}
	t.alive.order()
}

// restampAfter is how much too early the stored end of a lease may be: a slow disk makes it so, too.
const restampAfter = 15 * time.Second

// Restamp finds the leases whose stored end is too early by the wall clock of now, which was behind when they were
// written and was set since, and gives them their true end. They are dirty then: after a restart the end that is on
// disk would free an address that its client still uses. It returns how many they were. An end that is too late does
// no harm, for Restore never gives more than a whole lease.
func (t *Table) Restamp(m Moment) (n int) {
	for _, e := range t.entries {
		if !m.Trusted || !e.rec.Trusted || !e.live(m) {
			continue
		}
		end := m.wall().Add(e.deadline.Sub(m.Mono))
		if end.Sub(e.rec.End) <= restampAfter {
			continue
		}
		e.rec.Start, e.rec.End = end.Add(-e.rec.Duration), end
		t.soil(e)
		n++
	}
	return n
}

// Expire ends every lease and quarantine whose time is over and forgets lapsed offers. It returns the records of the
// leases that ended.
func (t *Table) Expire(m Moment) []Record {
	t.lapse(m)
	var over []Record
	for _, e := range t.lapsed {
		if t.entries[e.rec.Address] != e || (e.rec.State != Bound && e.rec.State != Declined) {
			continue // replaced or given back meanwhile
		}
		if e.rec.State == Bound {
			over = append(over, e.rec)
		}
		t.end(e, Expired)
	}
	t.lapsed = nil
	return over
}

// Live is a lease that runs.
type Live struct {
	Record Record
	Left   time.Duration
}

// Leases returns every lease that runs, in no particular order.
func (t *Table) Leases(m Moment) []Live {
	out := make([]Live, 0, len(t.entries))
	for addr := range t.entries {
		if l, ok := t.At(addr, m); ok {
			out = append(out, l)
		}
	}
	return out
}

// Running returns how many leases run.
func (t *Table) Running(m Moment) int {
	t.lapse(m)
	n := t.alive.len()
	for _, quarantined := range t.declined {
		n -= quarantined
	}
	return n
}

// At returns the running lease of an address.
func (t *Table) At(addr netip.Addr, m Moment) (Live, bool) {
	e, ok := t.entries[addr]
	if !ok || e.rec.State != Bound || !e.live(m) {
		return Live{}, false
	}
	return Live{Record: e.rec, Left: e.deadline.Sub(m.Mono)}, true
}

// Of returns the running lease of a client.
func (t *Table) Of(key Key, m Moment) (Live, bool) {
	addr, ok := t.byKey[key]
	if !ok {
		return Live{}, false
	}
	return t.At(addr, m)
}
