package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// Reply is one datagram to send.
type Reply struct {
	Payload []byte
	To      netip.AddrPort
	From    netip.Addr // source address; not valid = the kernel chooses
	Index   int        // outgoing interface; 0 = the kernel's route
}

// Send sends replies now, in batches. It reports the first error and still tries the others.
func (c *Conn) Send(replies ...Reply) error {
	var first error
	c.sendAll(replies, func(r Reply, err error) {
		if first == nil {
			first = fmt.Errorf("sending to %s: %w", r.To, err)
		}
	})
	return first
}

// outgoing is the room for some datagrams on their way to the kernel.
type outgoing struct {
	msgs  []ipv4.Message
	bufs  [][1][]byte
	addrs []net.UDPAddr
	ips   [][4]byte
}

func newOutgoing(count int) *outgoing {
	return &outgoing{make([]ipv4.Message, count), make([][1][]byte, count), make([]net.UDPAddr, count), make([][4]byte, count)}
}

// outgoings keeps rooms for batches, of 14 KB each, and for single datagrams, which hundreds of goroutines send at once.
type outgoings struct{ batch, single sync.Pool }

func (p *outgoings) get(count int) *outgoing {
	pool, room := &p.batch, batchSize
	if count == 1 {
		pool, room = &p.single, 1
	}
	if o, ok := pool.Get().(*outgoing); ok {
		return o
	}
	return newOutgoing(room)
}

// put takes a room back, without the payloads: they must not be kept alive.
func (p *outgoings) put(o *outgoing) {
	clear(o.bufs)
	if len(o.bufs) == 1 {
		p.single.Put(o)
		return
	}
	p.batch.Put(o)
}

func (o *outgoing) fill(replies []Reply) []ipv4.Message {
	for i, r := range replies {
		o.ips[i] = r.To.Addr().Unmap().As4()
		o.addrs[i] = net.UDPAddr{IP: o.ips[i][:], Port: int(r.To.Port())}
		o.bufs[i][0] = r.Payload
		o.msgs[i] = ipv4.Message{Buffers: o.bufs[i][:], Addr: &o.addrs[i], OOB: controlOf(r)}
	}
	return o.msgs[:len(replies)]
}

// controlOf asks the kernel for a source address and an interface.
func controlOf(r Reply) []byte {
	if !r.From.IsValid() && r.Index == 0 {
		return nil
	}
	info := unix.Inet4Pktinfo{Ifindex: int32(r.Index)}
	if r.From.IsValid() {
		info.Spec_dst = r.From.Unmap().As4()
	}
	return unix.PktInfo4(&info)
}

// sendAll sends replies in batches; failed, which may be nil, is told each one that the kernel did not take.
func (c *Conn) sendAll(replies []Reply, failed func(Reply, error)) {
	if failed == nil {
		failed = func(Reply, error) {}
	}
	if len(replies) == 0 {
		return
	}
	o := c.out.get(len(replies))
	defer c.out.put(o)
	for len(replies) > 0 {
		pressed := c.pressed()
		if err := c.sendable(replies[0], pressed); err != nil {
			failed(replies[0], err)
			replies = replies[1:]
			continue
		}
		n := 1
		for n < len(replies) && n < batchSize && c.sendable(replies[n], pressed) == nil {
			n++
		}
		c.sendBatch(o.fill(replies[:n]), replies[:n], failed)
		replies = replies[n:]
	}
}

// sendable says why a reply cannot be sent, or nil; pressed says that only those are whose way is clear.
func (c *Conn) sendable(r Reply, pressed bool) error {
	to := r.To.Addr().Unmap()
	switch {
	case !to.Is4() || r.From.IsValid() && !r.From.Unmap().Is4():
		return fmt.Errorf("the destination %s is no IPv4 address", r.To)
	case pressed && !c.ifaces.reaches(to, c):
		return ErrNoNeighbour
	}
	return nil
}

// sendBatch sends one batch. sendmmsg(2) stops at the first datagram that fails and tells its error only when it is the
// first of a call, so an error is always that of msgs[0]: it alone is skipped.
func (c *Conn) sendBatch(msgs []ipv4.Message, replies []Reply, failed func(Reply, error)) {
	retried := false
	for len(msgs) > 0 {
		n, err := c.pc.WriteBatch(msgs, 0)
		switch {
		case err == nil && n > 0:
			msgs, replies, retried = msgs[n:], replies[n:], false
			continue
		case err == nil:
			err = errors.New("the kernel took no datagram")
		case !retried && errors.Is(err, unix.ECONNREFUSED):
			// The error of an earlier datagram that waited in the socket; this one was not tried yet.
			retried = true
			continue
		}
		failed(replies[0], err)
		msgs, replies, retried = msgs[1:], replies[1:], false
	}
}
