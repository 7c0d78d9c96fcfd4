package lease

import (
	"net/netip"
	"time"
)

// class is what an address of a pool is at the moment.
type class uint8

const (
	closed class = iota // never given to just anybody: excluded, or reserved for somebody
	unused              // no record names it
	ended               // its record's lease is over; its former client may come back
	held                // promised: offered, or being written to disk
	alive               // leased, or in quarantine
)

// pool is the addresses of one place, sorted so that the next one to give is found without a search: those that nobody
// had in the order in which they came free, those whose lease ended by when it ended.
type pool struct {
	class  []class
	free   int          // how many are unused or ended
	open   int          // how many are not closed
	cursor uint32       // the first address that the search for an unused one did not come to
	back   []uint32     // addresses before cursor that came free again; one that went meanwhile is skipped
	queued []bool       // which are in back
	gone   pile[*entry] // the ended ones
	// waiting is how many listed clients have no address and had their last one here.
	waiting int
	// vain is until when a search is not repeated that found nothing although some were free: see Careful.
	vain time.Time
}

func newPool(size uint32) *pool {
	return &pool{
		class: make([]class, size), queued: make([]bool, size),
		gone: pile[*entry]{
			less: func(a, b *entry) bool {
				if !a.rec.End.Equal(b.rec.End) {
					return a.rec.End.Before(b.rec.End)
				}
				return a.rec.Address.Less(b.rec.Address)
			},
			place: func(e *entry) *int { return &e.inGone },
		},
	}
}

// build sorts everything that the table knows by the rules of now.
func (t *Table) build() {
	t.pools = nil
	for p, size := range t.rules.sizes {
		pool := newPool(size)
		t.pools = append(t.pools, pool)
		for i := range size {
			addr := t.rules.at(Place(p), i)
			if _, reserved := t.rules.reservedFor[addr]; !reserved && !t.rules.excluded[addr] {
				pool.class[i] = unused
				pool.free++
				pool.open++
			}
		}
	}
	t.countListed()
	for addr, e := range t.entries {
		e.inGone = noPlace
		t.sort(addr)
	}
	for addr := range t.holds {
		t.sort(addr)
	}
}

// sort puts an address where it belongs after its record or its promise changed.
func (t *Table) sort(addr netip.Addr) {
	p, i, ok := t.rules.find(addr)
	if !ok || t.pools[p].class[i] == closed {
		return
	}
	pool := t.pools[p]
	was, now := pool.class[i], t.classOf(addr)
	pool.class[i] = now
	e := t.entries[addr]
	switch {
	case now == ended && e.inGone == noPlace:
		pool.gone.push(e)
	case now == ended:
		pool.gone.fix(e.inGone)
	case e != nil && e.inGone != noPlace:
		pool.gone.remove(e.inGone)
	}
	if now == unused && i < pool.cursor && !pool.queued[i] {
		pool.back, pool.queued[i] = append(pool.back, i), true
	}
	pool.free += isFree(now) - isFree(was)
}

func isFree(c class) int {
	if c == unused || c == ended {
		return 1
	}
	return 0
}

func (t *Table) classOf(addr netip.Addr) class {
	if _, promised := t.holds[addr]; promised {
		return held
	}
	e, recorded := t.entries[addr]
	switch {
	case !recorded:
		return unused
	case e.inAlive != noPlace:
		return alive
	}
	return ended
}

// leave takes an entry that is replaced or dropped out of all order; sort of its address follows.
func (t *Table) leave(e *entry) {
	t.unlive(e)
	if e.inGone != noPlace {
		p, _, _ := t.rules.find(e.rec.Address)
		t.pools[p].gone.remove(e.inGone)
	}
}

// live and unlive note that the entry's lease or quarantine runs, and that it does no longer.
func (t *Table) live(e *entry) {
	t.alive.push(e)
	if e.rec.State == Declined {
		t.declined[string(e.rec.HWAddr)]++
	}
}

func (t *Table) unlive(e *entry) {
	if e.inAlive == noPlace {
		return
	}
	t.alive.remove(e.inAlive)
	if e.rec.State == Declined {
		who := string(e.rec.HWAddr)
		if t.declined[who]--; t.declined[who] == 0 {
			delete(t.declined, who)
		}
	}
}

// lapse sorts what ended by itself since it was called last: leases, quarantines and promises.
func (t *Table) lapse(m Moment) {
	for t.alive.len() > 0 && !m.Mono.Before(t.alive.first().deadline) {
		e := t.alive.first()
		t.unlive(e)
		t.lapsed = append(t.lapsed, e)
		t.sort(e.rec.Address)
		t.recount(e.rec.Key)
	}
	for t.promised.len() > 0 && !m.Mono.Before(t.promised.first().until) {
		t.drop(t.promised.first().key)
	}
}

// unused finds an address of the pool that no record names. Each address is looked at once each time it comes free.
func (t *Table) unused(p Place, key Key, m Moment) (netip.Addr, bool) {
	pool := t.pools[p]
	for ; pool.cursor < uint32(len(pool.class)); pool.cursor++ {
		i := pool.cursor
		if pool.class[i] != unused {
			continue
		}
		if addr := t.rules.at(p, i); t.available(p, key, addr, m) {
			pool.cursor++ // the caller keeps it for the client; if that comes to nothing, sort puts it back
			return addr, true
		}
		pool.back, pool.queued[i] = append(pool.back, i), true
	}
	for range len(pool.back) {
		i := pool.back[0]
		pool.back, pool.queued[i] = pool.back[1:], false
		if pool.class[i] != unused {
			continue
		}
		if addr := t.rules.at(p, i); t.available(p, key, addr, m) {
			return addr, true
		}
		pool.back, pool.queued[i] = append(pool.back, i), true
	}
	return netip.Addr{}, false
}

// oldest finds the address of the pool whose lease ended first.
func (t *Table) oldest(p Place, key Key, m Moment) (netip.Addr, bool) {
	pool := t.pools[p]
	if !t.careful {
		if pool.gone.len() == 0 {
			return netip.Addr{}, false
		}
		addr := pool.gone.first().rec.Address
		return addr, t.available(p, key, addr, m)
	}
	// While the store fails, most of them belong to the client that the disk names.
	var best *entry
	for _, e := range pool.gone.items {
		if (best == nil || pool.gone.less(e, best)) && t.available(p, key, e.rec.Address, m) {
			best = e
		}
	}
	if best == nil {
		return netip.Addr{}, false
	}
	return best.rec.Address, true
}
