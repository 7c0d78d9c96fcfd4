package lease

import (
	"net/netip"
	"time"
)

// Offer chooses an address for the client at its place and keeps it for OfferTime. The order is: its reservation, the
// address that it has or had, the one offered a moment ago, the one that it asks for, one that nobody ever had, and at
// last the one that has been out of use for the longest time. A client that is not listed gets none of the last free
// addresses that the listed ones without an address may still need. The error is a [*Refusal].
func (t *Table) Offer(p Place, key Key, want netip.Addr, m Moment) (netip.Addr, error) {
	if p < 0 || int(p) >= len(t.pools) {
		return netip.Addr{}, refusal("foreign_network", "the network of the client is no longer served")
	}
	addr, err := t.choose(p, key, want, m)
	if err != nil {
		return netip.Addr{}, err
	}
	t.keep(key, addr, m.Mono.Add(OfferTime))
	return addr, nil
}

func (t *Table) choose(p Place, key Key, want netip.Addr, m Moment) (netip.Addr, error) {
	if addr, ok := t.Home(p, key, m); ok {
		return addr, nil
	}
	former, had := t.former(p, key, m)
	offered, promised := t.holdOf[key]
	promised = promised && t.available(p, key, offered, m)
	if promised && (!had || former == offered) {
		return offered, nil
	}
	t.lapse(m)
	if err := t.keptForListed(p, key); err != nil {
		return netip.Addr{}, err
	}
	switch {
	case had:
		return former, nil
	case want.IsValid() && t.available(p, key, want, m) && !t.wasOthers(key, want):
		return want, nil
	}
	return t.anyFree(p, key, m)
}

// anyFree finds an address that is the client's in no way.
func (t *Table) anyFree(p Place, key Key, m Moment) (netip.Addr, error) {
	pool := t.pools[p]
	if pool.free > 0 && !m.Mono.Before(pool.vain) {
		if addr, ok := t.unused(p, key, m); ok {
			return addr, nil
		}
		if addr, ok := t.oldest(p, key, m); ok {
			return addr, nil
		}
		pool.vain = m.Mono.Add(searchAgain)
	}
	if len(pool.class) == 0 {
		return netip.Addr{}, refusal("pool_empty", "there is no pool, and no address is reserved for this client")
	}
	if pool.free > 0 {
		return netip.Addr{}, refusal("pool_empty", "none of the %d free addresses of the pool is given to a new client: records on disk name others, and none can be written now", pool.free)
	}
	return netip.Addr{}, refusal("pool_empty", "all %d addresses of the pool are in use", pool.open)
}

// searchAgain is how long a search is not repeated that looked at free addresses and found none for its client, which
// happens while the store fails: each belongs to the client that a record on disk names.
const searchAgain = time.Second

// Home returns the address that the client ought to have at its place: its reservation there, else that of its running
// lease there.
func (t *Table) Home(p Place, key Key, m Moment) (netip.Addr, bool) {
	if addr, ok := t.rules.Reservations[key]; ok && t.available(p, key, addr, m) {
		return addr, true
	}
	if e := t.running(p, key, m); e != nil {
		return e.rec.Address, true
	}
	return netip.Addr{}, false
}

// Known reports whether the client has a reservation or a record, running or not.
func (t *Table) Known(key Key) bool {
	_, reserved := t.rules.Reservations[key]
	return reserved || t.byKey[key] != nil
}

// available reports whether the client could have the address at its place now.
func (t *Table) available(p Place, key Key, addr netip.Addr, m Moment) bool {
	return t.rules.fits(p, key, addr) && t.inTheWay(key, addr, m) == Free
}

// wasOthers reports whether a record names another client: such an address is given only when no unused one is left.
func (t *Table) wasOthers(key Key, addr netip.Addr) bool {
	e, ok := t.entries[addr]
	return ok && e.rec.Key != key
}

// Standing is what an address is to a client that asks for it.
type Standing int

// The standings, from the strongest refusal on.
const (
	Foreign     Standing = iota // not on the client's network
	Taken                       // leased or promised to another
	Quarantined                 // somebody uses it who did not get it here
	Reserved                    // reserved for another
	Unusable                    // on the network, but not an address that is handed out there
	Kept                        // free, but one of the last, which are kept for the listed clients
	Own                         // the client's: leased, promised, or its former one
	Free                        // nobody's
)

// StandingAt tells what the address is now to the client at its place.
func (t *Table) StandingAt(p Place, key Key, addr netip.Addr, m Moment) Standing {
	if !t.rules.contains(p, addr) {
		return Foreign
	}
	if s := t.inTheWay(key, addr, m); s != Free {
		return s
	}
	if owner, ok := t.rules.reservedFor[addr]; ok && owner != key {
		return Reserved
	}
	if !t.rules.fits(p, key, addr) {
		return Unusable
	}
	if h, ok := t.holds[addr]; ok && h.key == key {
		return Own
	}
	e, recorded := t.entries[addr]
	recorded = recorded && e.rec.Key == key
	if recorded && e.live(m) {
		return Own
	}
	if _, reserved := t.rules.reservedFor[addr]; !reserved {
		t.lapse(m)
		if t.keptForListed(p, key) != nil {
			return Kept
		}
	}
	if recorded {
		return Own
	}
	return Free
}

// Standing tells what the address is now to a client whose place is that of the address.
func (t *Table) Standing(key Key, addr netip.Addr, m Moment) Standing {
	p, ok := t.rules.placeOf(addr)
	if !ok {
		return Foreign
	}
	return t.StandingAt(p, key, addr, m)
}

// inTheWay returns Taken or Quarantined when somebody else has the address, else Free.
func (t *Table) inTheWay(key Key, addr netip.Addr, m Moment) Standing {
	if e, ok := t.entries[addr]; ok && e.live(m) {
		if e.rec.State == Declined {
			return Quarantined
		}
		if e.rec.Key != key {
			return Taken
		}
	}
	if t.heldByOther(key, addr, m) || (t.careful && t.namesOther(key, addr)) {
		return Taken
	}
	return Free
}
