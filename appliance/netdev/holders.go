package netdev

import (
	"net/netip"
	"sync"
	"time"

	"phonebox/services/phone"
)

// maxHolders bounds the memory of who answered for an address; an office has a few hundred.
const maxHolders = 4096

// holders remember for a few seconds what the wire said about an address.
type holders struct {
	mu  sync.Mutex
	now func() time.Time
	by  map[netip.Addr]holder
}

type holder struct {
	mac   phone.MAC
	one   bool // exactly one host answered
	until time.Time
}

func newHolders() *holders { return &holders{now: time.Now, by: make(map[netip.Addr]holder)} }

// get returns what is remembered of an address and still fresh.
func (h *holders) get(addr netip.Addr) (holder, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.by[addr]
	if ok && !h.now().Before(v.until) {
		delete(h.by, addr)
		return holder{}, false
	}
	return v, ok
}

// put remembers an answer for a while.
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
	h.by[addr] = holder{mac: mac, one: one, until: now.Add(fresh)}
}

// heard forgets what a packet contradicts: another host claims the address, or the first sign of one that was silent.
func (h *holders) heard(p arpPacket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok := h.by[p.SenderIP]; ok && (v.mac != p.SenderMAC || v.mac != p.From) {
		delete(h.by, p.SenderIP)
	}
}

// reset forgets all: the wire may be another.
func (h *holders) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.by)
}
