package store

import (
	"net/netip"
	"sync"

	"phonebox/services/dhcp/lease"
)

// index knows which lease belongs to which key. The committer owns it.
type index struct {
	byKey map[lease.Key]netip.Addr
	owner map[netip.Addr]lease.Key // "" = nobody
}

func newIndex() *index {
	return &index{byKey: map[lease.Key]netip.Addr{}, owner: map[netip.Addr]lease.Key{}}
}

// own notes that the lease of addr belongs to owner now. It returns the address that the owner had before, whose lease
// goes: one that isn't valid means that there is none.
func (x *index) own(addr netip.Addr, owner lease.Key) (gone netip.Addr) {
	before, ok := x.owner[addr]
	if ok && before == owner && (owner == "" || x.byKey[owner] == addr) {
		return gone
	}
	if ok && before != "" && before != owner && x.byKey[before] == addr {
		delete(x.byKey, before)
	}
	if owner != "" {
		if old, ok := x.byKey[owner]; ok && old != addr {
			gone = old
			delete(x.owner, old)
		}
		x.byKey[owner] = addr
	}
	x.owner[addr] = owner
	return gone
}

// overlay is what differs from leases.db: the leases that the logs hold. A nil value means that the lease is gone.
type overlay struct {
	mu      sync.RWMutex
	active  map[netip.Addr][]byte // of the epoch that is written
	folding map[netip.Addr][]byte // of the epochs before, on their way to leases.db; not written any more
	upTo    uint32                // the last of those epochs
	folded  uint32                // what leases.db has
	err     error                 // why the last fold failed
}

func newOverlay() overlay { return overlay{active: map[netip.Addr][]byte{}} }

// apply notes records that are on disk, in the order of their sequence numbers.
func apply(x *index, into map[netip.Addr][]byte, records []logged) {
	for i := range records {
		r := &records[i]
		if gone := x.own(r.addr, r.owner); gone.IsValid() {
			into[gone] = nil
		}
		into[r.addr] = r.value
	}
}

// merged returns what is to be seen instead of what leases.db has; the caller holds the lock.
func (o *overlay) merged() map[netip.Addr][]byte {
	out := make(map[netip.Addr][]byte, len(o.active)+len(o.folding))
	for a, v := range o.folding {
		out[a] = v
	}
	for a, v := range o.active {
		out[a] = v
	}
	return out
}
