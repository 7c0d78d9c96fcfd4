package web

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Limits of the connections to one port.
const (
	// maxConns is for all hosts: what comes beyond it waits in the kernel's queue.
	maxConns = 512
	// maxOfHost is for one host: what comes beyond it is closed. Phones have one connection, a browser with its live views some
	// six, and a router may stand before a whole office; but one broken device must not take all that there are.
	maxOfHost = 128
)

// connections bounds the connections of a listener, in all and for each host; those of the box itself count in all only.
// [golang.org/x/net/netutil.LimitListener] would hide CloseWrite, without which net/http cannot end an answer gently while
// its client still sends.
type connections struct {
	net.Listener
	ofHost  int
	refused func(from netip.Addr) // called for each connection that is closed at once

	room  chan struct{}
	ended chan struct{}
	end   sync.Once

	mu   sync.Mutex
	open map[netip.Addr]int
}

func newConnections(ln net.Listener, most, ofHost int, refused func(from netip.Addr)) *connections {
	return &connections{
		Listener: ln, ofHost: ofHost, refused: refused, room: make(chan struct{}, most), ended: make(chan struct{}), open: map[netip.Addr]int{},
	}
}

// Accept implements [net.Listener].
func (l *connections) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.ended:
		return nil, net.ErrClosed
	}
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.room
			return nil, err
		}
		from, _ := netip.ParseAddrPort(c.RemoteAddr().String())
		host := fromAddress(from.Addr().Unmap()).addr
		if host.IsLoopback() {
			host = netip.Addr{}
		}
		if l.take(host) {
			return &connection{Conn: c, gone: func() { l.giveBack(host) }}, nil
		}
		c.Close()
		l.refused(from.Addr().Unmap())
	}
}

// Close implements [net.Listener].
func (l *connections) Close() error {
	l.end.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// take counts a connection of a host; the zero address stands for the box itself, which has no bound of its own.
func (l *connections) take(host netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if host.IsValid() && l.open[host] >= l.ofHost {
		return false
	}
	l.open[host]++
	return true
}

func (l *connections) giveBack(host netip.Addr) {
	l.mu.Lock()
	if l.open[host]--; l.open[host] <= 0 {
		delete(l.open, host)
	}
	l.mu.Unlock()
	<-l.room
}

// connection gives its place back when it is closed for the first time.
type connection struct {
	net.Conn
	once sync.Once
	gone func()
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	defer c.once.Do(c.gone)
	return c.Conn.Close()
}

// CloseWrite ends what is sent and leaves the other direction open, where the connection can do so.
func (c *connection) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// tooMany counts and reports a connection that was closed because its host has too many.
func (s *Server) tooMany(from netip.Addr) {
	s.dropped.WithLabelValues("connections").Inc()
	s.deps.Report(Event{
		Kind: EventDropped, Time: s.deps.Now(), From: from, Code: http.StatusTooManyRequests,
		What: "A connection was closed: its host has too many open.",
	})
}
