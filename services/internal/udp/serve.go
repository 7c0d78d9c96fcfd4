package udp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// Handler answers one packet. What it appends to replies is sent in one batch after the packets that arrived together;
// the payloads must stay untouched until then, so a handler that reuses a buffer sends with [Conn.Send] instead.
type Handler func(p *Packet, replies []Reply) []Reply

// Hooks tell a server what its loop met; each may be nil.
type Hooks struct {
	Panicked  func(value any, stack, packet []byte) // the handler panicked on that packet; the loop goes on
	Foreign   func(p *Packet)                       // the packet came in on another interface and was dropped
	SendError func(r Reply, err error)              // a reply could not be sent
	Lost      func(n int)                           // the kernel dropped n datagrams: the receive buffer was full
}

// Serve receives until ctx ends (nil) or the socket fails (an error that names the operation). It leaves c open.
func Serve(ctx context.Context, c *Conn, handle Handler, hooks Hooks) error {
	// The deadline may still be that of an earlier Serve whose context ended.
	if err := c.UDP.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("preparing to receive on %s: %w", c.LocalAddr(), err)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.UDP.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	defer func() {
		if !stop() {
			<-interrupted // or it would interrupt the next Serve on this socket
		}
	}()
	msgs := newBatch()
	replies := make([]Reply, 0, batchSize)
	for {
		n, err := c.pc.ReadBatch(msgs, 0)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case Transient(err):
			continue
		default:
			return fmt.Errorf("receiving on %s: %w", c.LocalAddr(), err)
		}
		replies = replies[:0]
		for i := range msgs[:n] {
			replies = c.receive(&msgs[i], handle, replies, hooks)
		}
		c.sendAll(replies, hooks.SendError)
		clear(replies[:cap(replies)]) // or the last payloads would stay alive until the next packet
	}
}

// receive hands one datagram to the handler, if it is for this server.
func (c *Conn) receive(m *ipv4.Message, handle Handler, replies []Reply, hooks Hooks) []Reply {
	p, ok := packetOf(m)
	if !ok {
		return replies
	}
	if p.counted {
		if n := c.lost(p.overflow); n > 0 && hooks.Lost != nil {
			hooks.Lost(n)
		}
	}
	if !c.ours(&p) {
		if hooks.Foreign != nil {
			hooks.Foreign(&p)
		}
		return replies
	}
	return guarded(handle, &p, replies, hooks)
}

// guarded calls the handler and survives its panic: one bad packet must not stop a service.
func guarded(handle Handler, p *Packet, replies []Reply, hooks Hooks) (out []Reply) {
	defer func() {
		if v := recover(); v != nil {
			out = replies
			if hooks.Panicked != nil {
				hooks.Panicked(v, debug.Stack(), p.Payload)
			}
		}
	}()
	return handle(p, replies)
}

// Transient reports whether an error of a receive or a send is that of a datagram and not of the socket: an ICMP
// "port unreachable" of a phone that went away, or a cable that is out.
func Transient(err error) bool {
	for _, e := range []error{
		unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENETDOWN, unix.ENOBUFS,
		unix.EAGAIN, unix.EINTR,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
