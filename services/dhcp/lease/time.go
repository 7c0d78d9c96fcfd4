package lease

import (
	"net/netip"
	"time"
)

// Restore takes what the store held. A lease that ran gets its full Duration again, from now, unless both clocks (then
// and now) could be trusted: then it gets what is left of it, and never more than its Duration. Records without an IPv4
// address or a key are left out; where two name the same address, the running and then the later one stays.
func (t *Table) Restore(records []Record, m Moment) {
	for _, rec := range records {
		if !rec.Address.Is4() || rec.Key == "" {
			continue
		}
		if rec.Duration <= 0 {
			rec.Duration = t.Duration(rec.Address)
		}
		e := newEntry(&rec)
		t.disk[rec.Address] = stored{&rec, m.Mono.Add(remains(&rec, m))}
		if rec.State == Bound || rec.State == Declined {
			e.deadline = m.Mono.Add(left(&rec, m))
			if !e.live(m) {
				over := rec
				over.State = Expired
				e.rec, e.dirty = &over, true
			}
		}
		if t.yields(t.entries[rec.Address], e, m) {
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

// left returns how much of a stored lease may be left: no client was told more than Duration at a time, and none an end
// after End.
func left(rec *Record, m Moment) time.Duration { return min(remains(rec, m), rec.Duration) }

// remains returns how long a stored record protects its address from now on, as far as the clocks can tell.
func remains(rec *Record, m Moment) time.Duration {
	if !m.Trusted || !rec.Trusted {
		return rec.Duration
	}
	return min(max(rec.End.Sub(m.wall()), 0), max(rec.End.Sub(rec.Start), rec.Duration))
}

// Trust is called when the wall clock has become trustworthy after Restore: leases that nobody renewed since are
// shortened to the end that was stored, if that came from a trusted clock. None gets longer, and none gets shorter
// than what was told to its client since the start.
func (t *Table) Trust(m Moment) {
	for addr, s := range t.disk {
		if end := m.Mono.Add(remains(s.rec, m)); s.rec.Trusted && end.Before(s.deadline) {
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

// clockMoved is by how much the wall clock must have been set until the leases are looked at again.
const clockMoved = time.Second

// stamp is how the two clocks stood when [Table.Restamp] last looked at every lease.
type stamp struct {
	known bool
	at    Moment
}

// moved reports whether the wall clock was set since.
func (s stamp) moved(m Moment) bool {
	by := m.wall().Sub(s.at.wall()) - m.Mono.Sub(s.at.Mono)
	return !s.known || by.Abs() >= clockMoved
}

// Restamp finds the leases whose stored end is too early by the wall clock of now, which was behind when they were
// written and was set since, and gives them their true end. They are dirty then: after a restart the end that is on
// disk would free an address that its client still uses. It returns how many they were. An end that is too late does
// no harm, for Restore never gives more than a whole lease. While the clock just runs it costs nothing.
func (t *Table) Restamp(m Moment) (n int) {
	if !m.Trusted {
		t.stamp.known = false
		return 0
	}
	if !t.stamp.moved(m) {
		return 0
	}
	t.stamp = stamp{known: true, at: m}
	for _, e := range t.alive.items {
		if !e.rec.Trusted || !e.live(m) {
			continue
		}
		end := m.wall().Add(e.deadline.Sub(m.Mono))
		if !end.After(e.rec.End) {
			continue
		}
		rec := *e.rec
		rec.Start, rec.End = end.Add(-rec.Duration), end
		t.change(e, rec)
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
			over = append(over, *e.rec)
		}
		t.end(e, *e.rec, Expired)
		t.tidy(e.rec.Key)
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
	out := make([]Live, 0, t.alive.len())
	t.Each(m, func(rec *Record, left time.Duration) { out = append(out, Live{Record: *rec, Left: left}) })
	return out
}

// Each calls f for every lease that runs, in no particular order; f does not change the record.
func (t *Table) Each(m Moment, f func(rec *Record, left time.Duration)) {
	for _, e := range t.alive.items {
		if e.rec.State == Bound && e.live(m) {
			f(e.rec, e.deadline.Sub(m.Mono))
		}
	}
}

// Promises returns how many addresses are kept for clients that have not taken them yet.
func (t *Table) Promises() int { return t.promised.len() }

// Room returns how many addresses of the pool of a place are free, and how many it has.
func (t *Table) Room(p Place) (free, all int) {
	if p < 0 || int(p) >= len(t.pools) {
		return 0, 0
	}
	return t.pools[p].free, t.pools[p].open
}

// Untaken returns how many addresses were offered at least so long ago and that their clients did not ask for yet.
func (t *Table) Untaken(age time.Duration, m Moment) (n int) {
	for _, h := range t.promised.items {
		if !h.taken && !h.until.After(m.Mono.Add(OfferTime-age)) {
			n++
		}
	}
	return n
}

// Promised reports whether an address is kept for the client.
func (t *Table) Promised(key Key) bool {
	_, ok := t.holdOf[key]
	return ok
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
	return Live{Record: *e.rec, Left: e.deadline.Sub(m.Mono)}, true
}

// Of returns the running lease of a client; of several, which are in different networks, the one that was acknowledged last.
func (t *Table) Of(key Key, m Moment) (Live, bool) {
	for e := t.byKey[key]; e != nil; e = e.next {
		if live, ok := t.At(e.rec.Address, m); ok {
			return live, true
		}
	}
	return Live{}, false
}
