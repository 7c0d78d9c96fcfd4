package netdev

import (
	"context"
	"net/netip"
	"time"

	"phonebox/services/phone"
)

const (
	// settledFor is how long an answer of the wire that nobody contradicted is enough for SentBy, which has the frame of
	// the request beside it. A phone asks for its files within that time.
	settledFor = 5 * time.Second
	// joinWait is how long SentBy waits for a question that was begun early; it is over after settle unless the phone or
	// the box is slow.
	joinWait = 500 * time.Millisecond
)

// Settling returns what is closed when the question about an address that was begun early is over; nil = none runs. SentBy
// does not wait then.
func (d *Device) Settling(addr netip.Addr) <-chan struct{} { return d.early.question(addr) }

// SentBy reports whether it is known already that the TFTP request which came from an address and port was sent by mac,
// and that what is sent to that address goes to mac. Then MACOf need not ask the wire once more. All of this must hold:
//
//   - the frame of this very request carried mac, and so did the others from that address and port;
//   - the kernel's entry for the address is mac, permanently, because a lease says so ([Device.Neighbour]): whoever else
//     claims the address is sent nothing;
//   - within the last 5 s the wire was asked who has the address, mac alone answered, nobody contradicted it for the 0.1 s
//     that MACOf waits, and neither an ARP packet nor a TFTP request did since.
//
// False says nothing about the sender: MACOf can tell. It waits 0.5 s at most, for a question that runs.
func (d *Device) SentBy(ctx context.Context, from netip.AddrPort, mac phone.MAC) bool {
	w, cfg, err := d.current()
	addr := from.Addr()
	if err != nil || !d.Up() || !cfg.Address.Contains(addr) || addr == cfg.Address.Addr() || !d.bound(addr, mac) {
		return false
	}
	d.early.join(ctx, addr)
	if !w.requests.sent(from, mac, d.holders.contradict) {
		return false
	}
	h, ok := d.holders.get(addr, settledFor)
	return ok && h.one && h.mac == mac
}
