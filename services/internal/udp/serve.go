package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	batchSize  = 64
	packetSize = 4096 // a phone's datagram is under 1,500 bytes; EDNS0 clients may send up to 4,096
	oobSize    = 256
)

// Packet is one received datagram. Payload belongs to the loop again once the handler returns.
type Packet struct {
	Payload  []byte
	From     netip.AddrPort
	To       netip.Addr // the destination in the IP header; not valid where the kernel did not tell
	Index    int        // the interface that it came in on; 0 where the kernel did not tell
	Received time.Time  // the kernel's receive time, else the time of the read (wall clock)
}

// Reply is one datagram to send.
type Reply struct {
	Payload []byte
	To      netip.AddrPort
	From    netip.Addr // source address; not valid = the kernel chooses
	Index   int        // outgoing interface; 0 = the kernel's route
}

// Handler answers one packet. What it appends to replies is sent in one batch after the packets that arrived together;
// the payloads must stay untouched until then, so a handler that reuses a buffer sends with [Conn.Send] instead.
type Handler func(p *Packet, replies []Reply) []Reply

// Hooks tell a server what its loop met; each may be nil.
type Hooks struct {
	Panicked  func(value any, stack, packet []byte) // the handler panicked on that packet; the loop goes on
	Foreign   func(p *Packet)                       // the packet came in on another interface and was dropped
	SendError func(r Reply, err error)              // a reply could not be sent
}

// Serve receives until ctx ends (nil) or the socket fails (an error that names the operation).
func Serve(ctx context.Context, c *Conn, handle Handler, hooks Hooks) error {
	stop := context.AfterFunc(ctx, func() { _ = c.UDP.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	msgs := newBatch()
	replies := make([]Reply, 0, batchSize)
	for {
		n, err := c.pc.ReadBatch(msgs, 0)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if transient(err) {
				continue
			}
			return fmt.Errorf("receiving on %s: %w", c.LocalAddr(), err)
		}
		replies = replies[:0]
		for i := range msgs[:n] {
			p, ok := packetOf(&msgs[i])
			if !ok {
				continue
			}
			if !c.ours(&p) {
				if hooks.Foreign != nil {
					hooks.Foreign(&p)
				}
				continue
			}
			replies = guarded(handle, &p, replies, hooks)
		}
		c.sendAll(replies, hooks)
	}
}

// guarded calls the handler and survives its panic: one bad packet must not stop a service.
func guarded(handle Handler, p *Packet, replies []Reply, hooks Hooks) (out []Reply) {
	out = replies
	defer func() {
		if v := recover(); v != nil {
			out = replies
			if hooks.Panicked != nil {
				hooks.Panicked(v, debug.Stack(), append([]byte(nil), p.Payload...))
			}
		}
	}()
	return handle(p, replies)
}

// Send sends replies now, in batches. It reports the first error and still tries the others.
func (c *Conn) Send(replies ...Reply) error {
	var first error
	c.sendAll(replies, Hooks{SendError: func(_ Reply, err error) {
		if first == nil {
			first = err
		}
	}})
	return first
}

func (c *Conn) sendAll(replies []Reply, hooks Hooks) {
	if len(replies) == 0 {
		return
	}
	out := make([]ipv4.Message, len(replies))
	for i, r := range replies {
		out[i].Buffers = [][]byte{r.Payload}
		out[i].Addr = net.UDPAddrFromAddrPort(r.To)
		if r.From.IsValid() || r.Index != 0 {
			cm := ipv4.ControlMessage{IfIndex: r.Index}
			if r.From.IsValid() {
				cm.Src = r.From.AsSlice()
			}
			out[i].OOB = cm.Marshal()
		}
	}
	for len(out) > 0 {
		n, err := c.pc.WriteBatch(out, 0)
		if err != nil {
			// The kernel reports the error of the first datagram that it could not send.
			if hooks.SendError != nil && n < len(replies) {
				hooks.SendError(replies[n], err)
			}
			n++
		}
		out, replies = out[min(n, len(out)):], replies[min(n, len(replies)):]
	}
}

// ours reports whether the packet came in where the server serves, or from the box itself.
func (c *Conn) ours(p *Packet) bool {
	if c.cfg.Interface == "" || p.Index == 0 {
		return true
	}
	ifi, err := net.InterfaceByName(c.cfg.Interface)
	if err == nil && ifi.Index == p.Index {
		return true
	}
	// A health probe of the box comes in through lo, from the address that it goes to.
	lo, err := net.InterfaceByIndex(p.Index)
	return err == nil && lo.Flags&net.FlagLoopback != 0 && p.From.Addr() == p.To
}

func newBatch() []ipv4.Message {
	msgs := make([]ipv4.Message, batchSize)
	for i := range msgs {
		msgs[i].Buffers = [][]byte{make([]byte, packetSize)}
		msgs[i].OOB = make([]byte, oobSize)
	}
	return msgs
}

func packetOf(m *ipv4.Message) (Packet, bool) {
	ua, ok := m.Addr.(*net.UDPAddr)
	if !ok {
		return Packet{}, false
	}
	ap := ua.AddrPort()
	p := Packet{
		Payload: m.Buffers[0][:m.N],
		From:    netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()),
	}
	var cm ipv4.ControlMessage
	if cm.Parse(m.OOB[:m.NN]) == nil {
		p.To, _ = netip.AddrFromSlice(cm.Dst.To4())
		p.Index = cm.IfIndex
	}
	p.Received = kernelTime(m.OOB[:m.NN])
	return p, true
}

// kernelTime finds the receive time in the control messages, else takes the current time.
func kernelTime(oob []byte) time.Time {
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= 16 {
			ts := *(*unix.Timespec)(ptr(data))
			return time.Unix(ts.Unix())
		}
		oob = rest
	}
	return time.Now()
}

// transient reports errors of a datagram, not of the socket: an ICMP "port unreachable" of a phone that went away.
func transient(err error) bool {
	for _, e := range []error{unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EAGAIN, unix.EINTR, unix.ENETDOWN} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
