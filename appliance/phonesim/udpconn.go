package phonesim

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// udpQueue is how many datagrams wait for a socket of a phone.
const udpQueue = 16

// errTooLong is what a phone gets that sends more than fits into a frame.
var errTooLong = errors.New("the datagram does not fit into a frame")

// datagramIn is a datagram that waits.
type datagramIn struct {
	buf  *[]byte // from the link's pool
	n    int
	from netip.AddrPort
}

// udpConn is a UDP socket of a phone on a wire.
type udpConn struct {
	nic    *wireNIC
	port   uint16
	in     chan datagramIn
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex
	timer   *time.Timer
	expired chan struct{} // closed when the read deadline has passed

	last atomic.Pointer[lastWord] // nil while somebody reads
}

// lastWord is what a socket still answers when nobody reads from it any more.
type lastWord struct {
	peer    netip.AddrPort
	payload []byte
}

var _ net.PacketConn = (*udpConn)(nil)

func newUDPConn(n *wireNIC, port uint16) *udpConn {
	return &udpConn{nic: n, port: port, in: make(chan datagramIn, udpQueue), closed: make(chan struct{}), expired: make(chan struct{})}
}

// ReadFrom implements [net.PacketConn], as do the methods that follow.
func (c *udpConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFrom without an allocation.
func (c *udpConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-c.in:
		return c.take(b, d)
	default:
	}
	c.mu.Lock()
	expired := c.expired
	c.mu.Unlock()
	select {
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-expired:
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	case d := <-c.in:
		return c.take(b, d)
	}
}

// take copies a datagram out and gives its buffer back.
func (c *udpConn) take(b []byte, d datagramIn) (int, netip.AddrPort, error) {
	n := copy(b, (*d.buf)[:d.n])
	c.nic.wire.pool.Put(d.buf)
	return n, d.from, nil
}

// WriteTo sends a datagram. One for an address that nobody answers for is lost, as on a wire.
func (c *udpConn) WriteTo(b []byte, to net.Addr) (int, error) {
	return c.WriteToUDPAddrPort(b, addrPortOf(to))
}

// WriteToUDPAddrPort is WriteTo without an allocation.
func (c *udpConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	if err := c.nic.sendUDP(c.port, to, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close frees the port.
func (c *udpConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.nic.forget(c)
		c.nic.wire.deaf(c)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timer != nil {
			c.timer.Stop()
		}
	})
	return nil
}

// SetReadDeadline wakes a read that waits, too; the zero time means none.
func (c *udpConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil && !c.timer.Stop() { // it fired, or is about to: it holds the old channel
		c.timer, c.expired = nil, make(chan struct{})
	}
	if t.IsZero() {
		return nil
	}
	if c.timer != nil {
		c.timer.Reset(time.Until(t))
		return nil
	}
	expired := c.expired
	c.timer = time.AfterFunc(time.Until(t), func() { close(expired) })
	return nil
}

// SetDeadline implements [net.PacketConn]; writing never waits.
func (c *udpConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writing never waits.
func (c *udpConn) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr is the phone's address.
func (c *udpConn) LocalAddr() net.Addr {
	c.nic.mu.Lock()
	defer c.nic.mu.Unlock()
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.nic.addr, c.port))
}

// dally closes the socket after a while and until then answers whatever the peer sends with that payload: the last ACK of a
// transfer may get lost (RFC 1350, 6). It takes no goroutine.
func (c *udpConn) dally(peer netip.AddrPort, payload []byte, long time.Duration) {
	c.last.Store(&lastWord{peer, payload})
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(long, func() { _ = c.Close() })
	c.mu.Unlock()
	for {
		select {
		case d := <-c.in: // it came before the last word stood
			c.nic.wire.pool.Put(d.buf)
			c.answerLast(d.from)
		default:
			return
		}
	}
}

// answerLast repeats the last word to the peer and reports whether there is one.
func (c *udpConn) answerLast(from netip.AddrPort) bool {
	l := c.last.Load()
	if l == nil {
		return false
	}
	c.nic.wire.count.late.Add(1)
	if from == l.peer {
		_ = c.nic.sendUDP(c.port, from, l.payload)
	}
	return true
}

// deliver queues a datagram and reports whether there was room.
func (c *udpConn) deliver(payload []byte, from netip.AddrPort) bool {
	if c.answerLast(from) {
		return true
	}
	buf := c.nic.wire.pool.Get().(*[]byte)
	select {
	case c.in <- datagramIn{buf: buf, n: copy(*buf, payload), from: from}:
		return true
	default:
		c.nic.wire.pool.Put(buf)
		return false
	}
}
