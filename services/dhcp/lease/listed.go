package lease

import "slices"

// Listed clients are those that the site names. As many free addresses of a pool as there are listed clients without an
// address are kept from all others, so that no crowd of strangers leaves a phone without one. A listed client counts
// in each network where it had an address and has none now; one that was never seen may turn up anywhere and counts at every
// place. One with a reservation has its address already and does not count.
//
// Those that were never seen keep at most three quarters of a pool: a site may list more phones than a pool has
// addresses, phones in boxes and phones of other networks, and the laptop beside them needs one as well. Those that were
// here stand behind an address of the pool each.

// waits is where a listed client counts.
type waits struct {
	anywhere bool // it was never seen
	at       []Place
}

// countListed counts the listed clients anew.
func (t *Table) countListed() {
	t.listed, t.unseen = make(map[Key]*waits, len(t.rules.Listed)), 0
	for _, key := range t.rules.Listed {
		t.listed[key] = new(waits)
		t.recount(key)
	}
}

// recount notes where a client counts after its record or its promise changed.
func (t *Table) recount(key Key) {
	w, ok := t.listed[key]
	if !ok {
		return
	}
	t.count(w, -1)
	t.find(w, key)
	t.count(w, 1)
}

func (t *Table) count(w *waits, n int) {
	if w.anywhere {
		t.unseen += n
	}
	for _, p := range w.at {
		t.pools[p].waiting += n
	}
}

// find looks where a client counts.
func (t *Table) find(w *waits, key Key) {
	w.anywhere, w.at = false, w.at[:0]
	if _, reserved := t.rules.Reservations[key]; reserved {
		return
	}
	if _, promised := t.holdOf[key]; promised {
		return
	}
	w.anywhere = true
	for e := t.byKey[key]; e != nil; e = e.next {
		p := t.near(e)
		if p == elsewhere {
			continue
		}
		w.anywhere = false
		if !slices.Contains(w.at, p) && !t.runsAt(p, key) {
			w.at = append(w.at, p)
		}
	}
}

// runsAt reports whether a lease of the client runs in the network of a place.
func (t *Table) runsAt(p Place, key Key) bool {
	for e := t.byKey[key]; e != nil; e = e.next {
		if e.inAlive != noPlace && t.near(e) == p {
			return true
		}
	}
	return false
}

// kept returns how many free addresses of a place's pool are for listed clients alone.
func (t *Table) kept(p Place) int {
	pool := t.pools[p]
	return pool.waiting + min(t.unseen, pool.open-pool.open/4)
}

// keptForListed refuses a client that is not listed when no more addresses are free than listed clients may need.
func (t *Table) keptForListed(p Place, key Key) error {
	free, kept := t.pools[p].free, t.kept(p)
	if _, listed := t.listed[key]; listed || free == 0 || free > kept {
		return nil
	}
	return refusal("kept_for_listed", "the last free addresses of the pool (%d) are kept for the listed phones that have none (%d), and this client is not listed",
		free, kept)
}
