package phonesim

import (
	"net/netip"
	"time"

	"phonebox/services/phone"
)

const (
	arpTries     = 3
	arpRetry     = time.Second      // as most stacks; not known of the real phones
	arpKeep      = 60 * time.Second // after which a neighbour is asked for again
	arpQueue     = 8                // frames that wait for one neighbour
	maxNeighbour = 64               // a phone talks to few
)

// neighbour is somebody whose hardware address a phone knows or asks for.
type neighbour struct {
	mac     phone.MAC
	until   time.Time // known until then; zero = not known yet
	waiting [][]byte  // frames without their destination
	timer   *time.Timer
	tries   int
}

// sendIP sends a frame whose destination is not filled in to the next hop of an address.
func (n *wireNIC) sendIP(frame []byte, to netip.Addr) error {
	n.mu.Lock()
	hop, ok := n.hopLocked(to)
	if !ok {
		n.mu.Unlock()
		return errNoAddress
	}
	if !hop.IsValid() {
		n.mu.Unlock()
		all := everybody()
		copy(frame, all[:])
		return n.wire.sendFrom(n, frame)
	}
	e := n.neighbours[hop]
	if e != nil && time.Now().Before(e.until) {
		copy(frame, e.mac[:])
		n.mu.Unlock()
		return n.wire.sendFrom(n, frame)
	}
	ask := n.awaitLocked(hop, e, frame)
	own := n.addr
	n.mu.Unlock()
	if !ask {
		return nil
	}
	return n.wire.sendFrom(n, arpFrame(n.mac, own, hop))
}

// hopLocked says who is to get a packet: not valid = everybody; false = the phone has no address, or no way there.
func (n *wireNIC) hopLocked(to netip.Addr) (netip.Addr, bool) {
	switch own := n.lease.Address; {
	case !n.held:
		return netip.Addr{}, false
	case to == broadcastOf(own) || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.Addr{}, true
	case own.Contains(to):
		return to, true
	}
	return n.lease.Gateway, n.lease.Gateway.IsValid()
}

// awaitLocked keeps a frame until the neighbour answers and reports whether it is to be asked now.
func (n *wireNIC) awaitLocked(hop netip.Addr, e *neighbour, frame []byte) bool {
	if e == nil {
		if len(n.neighbours) >= maxNeighbour {
			return false // lost
		}
		e = &neighbour{}
		n.neighbours[hop] = e
	}
	if len(e.waiting) < arpQueue {
		e.waiting = append(e.waiting, frame)
	}
	if e.timer != nil {
		return false
	}
	e.tries = 1
	e.timer = time.AfterFunc(arpRetry, func() { n.askAgain(hop, e) })
	return true
}

// askAgain repeats a question that stayed without an answer, or gives the neighbour up.
func (n *wireNIC) askAgain(hop netip.Addr, e *neighbour) {
	n.mu.Lock()
	if e.timer == nil || n.neighbours[hop] != e {
		n.mu.Unlock()
		return
	}
	e.tries++
	own := n.addr
	if e.tries > arpTries {
		delete(n.neighbours, hop)
		n.mu.Unlock()
		return
	}
	e.timer.Reset(arpRetry)
	n.mu.Unlock()
	_ = n.wire.sendFrom(n, arpFrame(n.mac, own, hop))
}

// learn notes what an ARP packet says of its sender and sends what waited for that.
func (n *wireNIC) learn(addr netip.Addr, mac phone.MAC) {
	n.mu.Lock()
	e := n.neighbours[addr]
	if e == nil {
		n.mu.Unlock()
		return
	}
	e.mac, e.until = mac, time.Now().Add(arpKeep)
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	waiting := e.waiting
	e.waiting = nil
	n.mu.Unlock()
	for _, frame := range waiting {
		copy(frame, mac[:])
		_ = n.wire.sendFrom(n, frame)
	}
}

// forgetNeighboursLocked stops every question.
func (n *wireNIC) forgetNeighboursLocked() {
	for _, e := range n.neighbours {
		if e.timer != nil {
			e.timer.Stop()
			e.timer = nil
		}
	}
	n.neighbours = map[netip.Addr]*neighbour{}
}

// arpPacket gives the phone an ARP packet that is for it: it learns, and answers questions for its own address.
func (n *wireNIC) arp(a arpPacket) {
	n.mu.Lock()
	held, own := n.held, n.addr
	n.mu.Unlock()
	if !held {
		return
	}
	if !a.senderIP.IsUnspecified() && a.senderIP != own {
		n.learn(a.senderIP, a.senderMAC)
	}
	if a.op == arpRequest && a.targetIP == own && a.senderMAC != n.mac {
		_ = n.wire.sendFrom(n, arpAnswer(n.mac, own, a.senderMAC, a.senderIP))
	}
}
