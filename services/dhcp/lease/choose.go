package lease

import (
	"net/netip"
	"time"
)

// Offer chooses an address for the client and keeps it for OfferTime. The order is: its reservation, the address that
// it has or had, the one offered a moment ago, the one that it asks for, one that nobody ever had, and at last the one
// that has been out of use for the longest time. The error is a [*Refusal].
func (t *Table) Offer(key Key, want netip.Addr, m Moment) (netip.Addr, error) {
	addr, ok := t.choose(key, want, m)
	if !ok {
		if t.rules.size == 0 {
			return addr, refusal("pool_empty", "there is no pool, and no address is reserved for this client")
		}
		return addr, refusal("pool_empty", "all %d addresses of the pool are in use", t.rules.size)
	}
	t.keep(key, addr, m.Mono.Add(OfferTime))
	return addr, nil
}

func (t *Table) choose(key Key, want netip.Addr, m Moment) (netip.Addr, bool) {
	if addr, ok := t.Home(key, m); ok {
		return addr, true
	}
	if addr, ok := t.byKey[key]; ok && t.available(key, addr, m) {
		return addr, true
	}
	if addr, ok := t.holdOf[key]; ok && t.available(key, addr, m) {
		return addr, true
	}
	if want.IsValid() && t.available(key, want, m) && !t.wasOthers(key, want) {
		return want, true
	}
	if !t.emptyTill.IsZero() && m.Mono.Before(t.emptyTill) {
		return netip.Addr{}, false
	}
	if addr, ok := t.unused(key, m); ok {
		return addr, true
	}
	if addr, ok := t.oldest(key, m); ok {
		return addr, true
	}
	t.emptyTill = t.nextEnd(m)
	return netip.Addr{}, false
}

// Home returns the address that the client ought to have: its reservation, else that of its running lease.
func (t *Table) Home(key Key, m Moment) (netip.Addr, bool) {
	if addr, ok := t.rules.Reservations[key]; ok && t.available(key, addr, m) {
		return addr, true
	}
	if addr, ok := t.byKey[key]; ok && t.entries[addr].live(m) && t.available(key, addr, m) {
		return addr, true
	}
	return netip.Addr{}, false
}

// Known reports whether the client has a reservation or a record, running or not.
func (t *Table) Known(key Key) bool {
	_, reserved := t.rules.Reservations[key]
	_, recorded := t.byKey[key]
	return reserved || recorded
}

// available reports whether the client could have the address now.
func (t *Table) available(key Key, addr netip.Addr, m Moment) bool {
	return t.rules.fits(key, addr) && t.inTheWay(key, addr, m) == Free
}

// wasOthers reports whether a record names another client: such an address is given only when no unused one is left.
func (t *Table) wasOthers(key Key, addr netip.Addr) bool {
	e, ok := t.entries[addr]
	return ok && e.rec.Key != key
}

// unused finds an address of the pool that no record names.
func (t *Table) unused(key Key, m Moment) (netip.Addr, bool) {
	for range t.rules.size {
		addr := t.rules.at(t.next)
		t.next = (t.next + 1) % t.rules.size
		if _, recorded := t.entries[addr]; !recorded && t.available(key, addr, m) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// oldest finds the address of the pool whose lease ended first.
func (t *Table) oldest(key Key, m Moment) (netip.Addr, bool) {
	var best *entry
	for addr, e := range t.entries {
		if e.live(m) || !t.available(key, addr, m) {
			continue
		}
		if best == nil || e.rec.End.Before(best.rec.End) || (e.rec.End.Equal(best.rec.End) && addr.Less(best.rec.Address)) {
			best = e
		}
	}
	if best == nil {
		return netip.Addr{}, false
	}
	return best.rec.Address, true
}

// nextEnd returns when the first lease, quarantine or offer ends.
func (t *Table) nextEnd(m Moment) time.Time {
	first := m.Mono.Add(OfferTime)
	for _, e := range t.entries {
		if e.live(m) && e.deadline.Before(first) {
			first = e.deadline
		}
	}
	for _, h := range t.holds {
		if m.Mono.Before(h.until) && h.until.Before(first) {
			first = h.until
		}
	}
	return first
}

// Standing is what an address is to a client that asks for it.
type Standing int

// The standings, from the strongest refusal on.
const (
	Foreign     Standing = iota // not on the subnet
	Taken                       // leased or promised to another
	Quarantined                 // somebody uses it who did not get it here
	Reserved                    // reserved for another
	Unusable                    // on the subnet, but not an address that is handed out
	Own                         // the client's: leased, promised, or its former one
	Free                        // nobody's
)

// Standing tells what the address is to the client now.
func (t *Table) Standing(key Key, addr netip.Addr, m Moment) Standing {
	if !t.rules.Subnet.Contains(addr) {
		return Foreign
	}
	if s := t.inTheWay(key, addr, m); s != Free {
		return s
	}
	if owner, ok := t.rules.reservedFor[addr]; ok && owner != key {
		return Reserved
	}
	if !t.rules.fits(key, addr) {
		return Unusable
	}
	if e, ok := t.entries[addr]; ok && e.rec.Key == key {
		return Own
	}
	if h, ok := t.holds[addr]; ok && h.key == key {
		return Own
	}
	return Free
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
