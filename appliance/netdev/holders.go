package netdev

import (
	"net/netip"
	"sync"
	"time"

	"phonebox/services/phone"
)

const (
	// maxHolders bounds the memory of who answered for an address; an office has a few hundred.
	maxHolders = 4096
	// holderKeep is how long an answer is kept at least, whatever who asks calls fresh.
	holderKeep = settledFor
)

// holders remember for a few seconds what the wire said about an address.
type holders struct {
	mu  sync.Mutex
	now func() time.Time
	by  map[netip.Addr]holder
}

type holder struct {
	mac   phone.MAC
	one   bool // exactly one host answered
	at    time.Time
	until time.Time // after which it need not be kept
}

func newHolders() *holders { return &holders{now: time.Now, by: make(map[netip.Addr]holder)} }

// get returns what is remembered of an address, if that is younger than fresh; that nobody answered is believed for
// silence at most.
func (h *holders) get(addr netip.Addr, fresh time.Duration) (holder, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.by[addr]
	if !v.one {
		fresh = min(fresh, silence)
	}
	if !ok || h.now().Sub(v.at) >= fresh {
		return holder{}, false
	}
	return v, true
}

// put remembers an answer of this moment, for as long as fresh says that somebody may want it.
func (h *holders) put(addr netip.Addr, mac phone.MAC, one bool, fresh time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if len(h.by) >= maxHolders {
		for a, v := range h.by {
			if !now.Before(v.until) {
				delete(h.by, a)
			}
		}
		if len(h.by) >= maxHolders {
			clear(h.by) // costs one more question for each
		}
	}
	h.by[addr] = holder{mac: mac, one: one, at: now, until: now.Add(max(fresh, holderKeep))}
}

// heard forgets what a packet contradicts: another host claims the address, or the first sign of one that was silent.
func (h *holders) heard(p arpPacket) {
	h.contradict(p.SenderIP, p.SenderMAC)
	h.contradict(p.SenderIP, p.From)
}

// contradict forgets what is remembered of an address if that is not that mac has it.
func (h *holders) contradict(addr netip.Addr, mac phone.MAC) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok := h.by[addr]; ok && v.mac != mac {
		delete(h.by, addr)
	}
}

// forget forgets what is remembered of an address.
func (h *holders) forget(addr netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, addr)
}

// reset forgets all: the wire may be another.
func (h *holders) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.by)
}
