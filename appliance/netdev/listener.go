package netdev

import (
	"errors"
	"net/netip"
	"sync"

	"phonebox/services/phone"
)

// maxWaiting bounds how many questions may wait for an answer of the wire at once: the probes of a storm (dhcp asks up to
// 2,048 at a time) and those of MACOf.
const maxWaiting = 4096

var errBusy = errors.New("too many questions to the wire are open")

// answer is who claims an address: the sender in the ARP packet and the sender of the frame around it. An honest host
// has one for both.
type answer struct{ sender, frame phone.MAC }

// listeners hand each ARP packet to those who wait for its sender's address.
type listeners struct {
	mu      sync.Mutex
	waiting int
	by      map[netip.Addr][]chan answer
}

// add waits for packets from addr until cancel is called. The channel holds a few answers; more are dropped, for
// nobody needs more than two.
func (l *listeners) add(addr netip.Addr) (answers <-chan answer, cancel func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting >= maxWaiting {
		return nil, nil, errBusy
	}
	if l.by == nil {
		l.by = make(map[netip.Addr][]chan answer)
	}
	c := make(chan answer, 8)
	l.waiting++
	l.by[addr] = append(l.by[addr], c)
	return c, func() { l.remove(addr, c) }, nil
}

func (l *listeners) remove(addr netip.Addr, c chan answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.by[addr] {
		if other == c {
			l.by[addr] = append(l.by[addr][:i:i], l.by[addr][i+1:]...)
			l.waiting--
			break
		}
	}
	if len(l.by[addr]) == 0 {
		delete(l.by, addr)
	}
}

// deliver hands a packet on and reports whether somebody waited for it.
func (l *listeners) deliver(p arpPacket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.by[p.SenderIP] {
		select {
		case c <- answer{sender: p.SenderMAC, frame: p.From}:
		default:
		}
	}
	return len(l.by[p.SenderIP]) > 0
}
