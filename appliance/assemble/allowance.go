package assemble

import (
	"net/netip"
	"sync"
	"time"
)

// allowance lets each address report a few events a second: whoever asks the time a thousand times a second would fill a
// timeline with that, and cost more than the answers do. Addresses share a fixed number of places; two that have the same
// are let through more often, not less.
type allowance struct {
	perSecond uint8

	mu     sync.Mutex
	places [1024]struct {
		addr   [4]byte
		second int64
		n      uint8
	}
}

// take reports whether one more event of an address is to be recorded.
func (a *allowance) take(addr netip.Addr, now time.Time) bool {
	if !addr.Is4() {
		return true
	}
	key, second := addr.As4(), now.Unix()
	p := &a.places[(int(key[2])<<8|int(key[3]))%len(a.places)]
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.addr != key || p.second != second {
		p.addr, p.second, p.n = key, second, 0
	}
	if p.n >= a.perSecond {
		return false
	}
	p.n++
	return true
}
