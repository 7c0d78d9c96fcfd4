package store

import (
	"net/netip"
	"sync"
)

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

// apply notes records that are on disk, in the order of their sequence numbers. A record replaces the one of its address;
// one that was forgotten leaves none.
func apply(into map[netip.Addr][]byte, records []logged) {
	for i := range records {
		r := &records[i]
		if into[r.addr] = r.value; r.forgotten {
			into[r.addr] = nil
		}
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
