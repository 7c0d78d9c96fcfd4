package lease

// Listed clients are those that the site names. As many free addresses of a pool as there are listed clients without an
// address are kept from all others, so that no crowd of strangers leaves a phone without one. A listed client counts
// where it had its last address; one that was never seen may turn up anywhere and counts at every place. One with a
// reservation has its address already and does not count.

// where a listed client counts, beside a Place.
const (
	nowhere    Place = -1 // it has an address, or is being given one
	everywhere Place = -2 // it was never seen
)

// countListed counts the listed clients anew.
func (t *Table) countListed() {
	t.listed, t.unseen = make(map[Key]Place, len(t.rules.Listed)), 0
	for _, key := range t.rules.Listed {
		t.listed[key] = nowhere
		t.recount(key)
	}
}

// recount notes where a client counts after its record or its promise changed.
func (t *Table) recount(key Key) {
	was, ok := t.listed[key]
	if !ok {
		return
	}
	now := t.waitsAt(key)
	t.listed[key] = now
	t.count(was, -1)
	t.count(now, 1)
}

func (t *Table) count(p Place, n int) {
	switch {
	case p == everywhere:
		t.unseen += n
	case p >= 0:
		t.pools[p].waiting += n
	}
}

func (t *Table) waitsAt(key Key) Place {
	if _, reserved := t.rules.Reservations[key]; reserved {
		return nowhere
	}
	if _, promised := t.holdOf[key]; promised {
		return nowhere
	}
	addr, ok := t.byKey[key]
	if !ok {
		return everywhere
	}
	if t.entries[addr].inAlive != noPlace {
		return nowhere
	}
	if p, ok := t.rules.placeOf(addr); ok {
		return p
	}
	return everywhere
}

// keptForListed refuses a client that is not listed when no more addresses are free than listed clients may need.
func (t *Table) keptForListed(p Place, key Key) error {
	pool := t.pools[p]
	kept := pool.waiting + t.unseen
	if _, listed := t.listed[key]; listed || pool.free == 0 || pool.free > kept {
		return nil
	}
	return refusal("kept_for_listed", "the last free addresses of the pool (%d) are kept for the listed phones that have none (%d), and this client is not listed",
		pool.free, kept)
}
