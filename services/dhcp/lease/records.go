package lease

import "net/netip"

// The records of one client. It has one for each address that it was acknowledged and that is not over: who takes an
// address in another network does not give up the one before, for anybody can ask in its name. Of those that are over it
// has the latest of each network, in which nothing of its own runs, for the case that it comes back; the others are
// forgotten. So whoever speaks for a client, in however many networks, gets one address in each.

// elsewhere is where an address lies that is in no network any more.
const elsewhere Place = -1

// link puts an entry among those of its client, in front of all that are not later.
func (t *Table) link(e *entry) {
	at := t.byKey[e.rec.Key]
	if at == nil || !at.later(e) {
		e.next, t.byKey[e.rec.Key] = at, e
		return
	}
	for at.next != nil && at.next.later(e) {
		at = at.next
	}
	e.next, at.next = at.next, e
}

// later reports whether an entry stays the later one beside one that is new. What came from the store has the wall clock
// alone to tell that; what this process acknowledged is later than all of it.
func (e *entry) later(than *entry) bool {
	return !than.told && (e.told || e.rec.Start.After(than.rec.Start))
}

// unlink takes an entry out of those of its client.
func (t *Table) unlink(e *entry) {
	at := t.byKey[e.rec.Key]
	switch {
	case at == e && e.next == nil:
		delete(t.byKey, e.rec.Key)
	case at == e:
		t.byKey[e.rec.Key] = e.next
	default:
		for at != nil && at.next != e {
			at = at.next
		}
		if at != nil {
			at.next = e.next
		}
	}
	e.next = nil
}

// latest makes an entry the first of its client.
func (t *Table) latest(e *entry) {
	if t.byKey[e.rec.Key] != e {
		t.unlink(e)
		t.link(e)
	}
}

// tidy forgets the records of a client that are over and that another one outdoes.
func (t *Table) tidy(key Key) {
	first := t.byKey[key]
	if first == nil || first.next == nil {
		return
	}
	for e := first; e != nil; {
		next := e.next
		if e.over() && t.outdone(e) {
			t.forget(e)
		}
		e = next
	}
}

// over reports whether the end of an entry was noted: see end.
func (e *entry) over() bool { return e.rec.State == Released || e.rec.State == Expired }

// outdone reports whether the client has another record in the same network that runs, or that is later.
func (t *Table) outdone(e *entry) bool {
	p, later := t.near(e), true
	for o := t.byKey[e.rec.Key]; o != nil; o = o.next {
		if o == e {
			later = false
		} else if (later || !o.over()) && t.near(o) == p {
			return true
		}
	}
	return false
}

// near returns the place of an entry's address.
func (t *Table) near(e *entry) Place {
	if p, ok := t.rules.placeOf(e.rec.Address); ok {
		return p
	}
	return elsewhere
}

// forget removes an entry whose lease is over; on disk as well, a moment later.
func (t *Table) forget(e *entry) {
	addr := e.rec.Address
	t.leave(e)
	t.unlink(e)
	delete(t.entries, addr)
	t.erase(addr)
	t.sort(addr)
	t.recount(e.rec.Key)
}

// erase notes that nothing on disk is to name the address any more.
func (t *Table) erase(addr netip.Addr) {
	delete(t.dirty, addr)
	t.forgotten[addr] = struct{}{}
}

// running returns the client's latest entry that runs at the place and that it could have there now; nil = none does.
func (t *Table) running(p Place, key Key, m Moment) *entry {
	for e := t.byKey[key]; e != nil; e = e.next {
		if e.live(m) && t.available(p, key, e.rec.Address, m) {
			return e
		}
	}
	return nil
}

// former returns the client's latest address that it could have at the place now.
func (t *Table) former(p Place, key Key, m Moment) (netip.Addr, bool) {
	for e := t.byKey[key]; e != nil; e = e.next {
		if t.available(p, key, e.rec.Address, m) {
			return e.rec.Address, true
		}
	}
	return netip.Addr{}, false
}

// Other returns the client's latest address whose lease runs, apart from one.
func (t *Table) Other(key Key, apart netip.Addr, m Moment) (netip.Addr, bool) {
	for e := t.byKey[key]; e != nil; e = e.next {
		if e.rec.Address != apart && e.rec.State == Bound && e.live(m) {
			return e.rec.Address, true
		}
	}
	return netip.Addr{}, false
}
