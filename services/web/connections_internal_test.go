package web

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// dialFrom opens a connection from an address of the loopback network, which the listener takes for another host.
func dialFrom(t *testing.T, from string, to net.Addr) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// moved gives connections the addresses of a network that is not the box's own: 127.x becomes 10.x.
type moved struct{ net.Listener }

func (l moved) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return movedConn{c}, nil
}

type movedConn struct{ net.Conn }

func (c movedConn) RemoteAddr() net.Addr {
	a := c.Conn.RemoteAddr().(*net.TCPAddr)
	b := netip.MustParseAddr(a.IP.String()).As4()
	b[0] = 10
	return &net.TCPAddr{IP: b[:], Port: a.Port}
}

// closedAtOnce reports whether the other side closed a connection.
func closedAtOnce(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	switch {
	case err == nil:
		return false
	case err == io.EOF:
		return true
	}
	t.Fatalf("neither greeted nor closed: %v", err)
	return false
}

// One host that opens connections without end gets its share; others find room, and so does the host itself once it closes some.
func TestOneHostDoesNotTakeAllConnections(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	refused := make(chan netip.Addr, 100)
	l := newConnections(moved{inner}, 6, 3, func(from netip.Addr) { refused <- from })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // greets, and hangs up when its client does
				_, _ = c.Write([]byte("x"))
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
				_ = c.Close() // twice, as net/http does
			}()
		}
	}()
	var mine []net.Conn
	for i := range 5 {
		c := dialFrom(t, "127.0.0.9", inner.Addr())
		if got := closedAtOnce(t, c); got != (i >= 3) {
			t.Errorf("connection %d of a host: closed at once %v", i+1, got)
		}
		mine = append(mine, c)
	}
	for range 2 {
		if from := <-refused; from != netip.MustParseAddr("10.0.0.9") {
			t.Errorf("a connection of %s was refused", from)
		}
	}
	if closedAtOnce(t, dialFrom(t, "127.0.0.10", inner.Addr())) {
		t.Error("another host found no room")
	}
	// The sixth place is the last; who comes then waits for it.
	for range 2 {
		dialFrom(t, "127.0.0.11", inner.Addr())
	}
	late := dialFrom(t, "127.0.0.12", inner.Addr())
	mine[0].Close()
	if closedAtOnce(t, late) {
		t.Error("who waited for a place was sent away")
	}
	mine[1].Close()
	deadline := time.Now().Add(10 * time.Second)
	for closedAtOnce(t, dialFrom(t, "127.0.0.9", inner.Addr())) {
		if time.Now().After(deadline) {
			t.Fatal("a place that was given back is not taken again")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A listener that is full and is closed does not keep who accepts.
func TestAFullListenerCanBeClosed(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newConnections(inner, 1, 1, func(netip.Addr) {})
	dialFrom(t, "127.0.0.1", inner.Addr())
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(interface{ CloseWrite() error }); !ok {
		t.Error("net/http cannot end an answer gently")
	}
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a full listener that was closed: %v", err)
	}
}
