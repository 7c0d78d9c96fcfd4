package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/internal/udp"
)

// oneFile is a Files with one file under every name.
type oneFile []byte

func (f oneFile) Open(context.Context, Request) (File, error) {
	return File{Bytes: f, Size: int64(len(f))}, nil
}

// serveInside runs a server on loopback, for tests that look into it.
func serveInside(t *testing.T, cfg Config) (*Server, *udp.Conn) {
	t.Helper()
	cfg.Listen = netip.MustParseAddrPort("127.77.0.1:0")
	s, err := New(cfg, Deps{Files: oneFile(make([]byte, 600)), Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := udp.Listen(t.Context(), udp.ListenConfig{Addr: cfg.Listen})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, conn) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, conn.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, conn
}

// askFor sends a request, of which extra is the end, and waits for the first packet of the answer.
func askFor(t *testing.T, server netip.AddrPort, name string, extra []byte) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 1, 9)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	packet := append(fmt.Appendf(nil, "\x00\x01%s\x00octet\x00", name), extra...)
	if _, err := c.WriteToUDPAddrPort(packet, server); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 600)); err != nil {
		t.Fatal(err)
	}
	return c
}

// A request of 4 KB, of which a flood may have any number, is kept as one of 512 bytes (RFC 2347 allows no more).
func TestLongRequestsCostNoMemory(t *testing.T) {
	t.Parallel()
	s, conn := serveInside(t, Config{})
	options := bytes.Repeat([]byte("a\x00"+string(bytes.Repeat([]byte("x"), 250))+"\x00"), 15)
	askFor(t, conn.LocalAddr(), "f", options)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		kept := len(sess.in.raw) + len(sess.in.name)
		for _, o := range sess.in.options {
			kept += len(o.name) + len(o.value)
		}
		if kept > 1024 {
			t.Errorf("%d bytes of a request of %d are kept", kept, len(options))
		}
	}
}

// A health probe has room of its own: it neither gives its place to a phone, which would be one more than there is room
// for, nor dies for it.
func TestProbesGiveNoPlaceAway(t *testing.T) {
	t.Parallel()
	s, conn := serveInside(t, Config{MaxTransfers: 1, Resend: 2 * time.Second, GiveUp: time.Hour})
	askFor(t, conn.LocalAddr(), ProbeName, nil)
	askFor(t, conn.LocalAddr(), "first", nil)
	time.Sleep(600 * time.Millisecond) // what is younger than a quarter of Resend gives no place
	askFor(t, conn.LocalAddr(), "second", nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probes != 1 || s.others() != 1 {
		t.Errorf("%d probes and %d transfers are there, want one of each", s.probes, s.others())
	}
}
