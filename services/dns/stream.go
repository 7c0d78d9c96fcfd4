package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// How many TCP connections may be open, of all clients and of one; how long a client may be silent on one, which also
// bounds how long stopping may take.
const (
	maxStreams          = 64
	maxStreamsPerClient = 8
	streamReadTimeout   = 2 * time.Second
	streamWriteTimeout  = 2 * time.Second // a client that does not read holds its place no longer
	streamIdleTimeout   = 8 * time.Second
)

// serveStreams answers over TCP until ctx ends.
func (s *Server) serveStreams(ctx context.Context, ln net.Listener) error {
	started := make(chan struct{})
	srv := &dns.Server{
		Listener: &gate{Listener: ln, server: s, open: map[netip.Addr]int{}, conns: map[*stream]bool{}},
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			s.serveStream(ctx, w, q)
		}),
		ReadTimeout:       streamReadTimeout,
		IdleTimeout:       func() time.Duration { return streamIdleTimeout },
		NotifyStartedFunc: func() { close(started) },
		MsgAcceptFunc: func(h dns.Header) dns.MsgAcceptAction {
			if h.Bits&0x8000 != 0 {
				return dns.MsgIgnore
			}
			return dns.MsgAccept // what else is wrong is answered as over UDP
		},
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-started
		<-ctx.Done()
		// Closes the listener and the connections, and waits for their goroutines.
		srv.Listener.(*gate).closeAll()
		_ = srv.Shutdown()
	}()
	err := srv.ActivateAndServe()
	if ctx.Err() != nil {
		<-stopped
		return nil
	}
	return fmt.Errorf("serving dns over TCP: %w", err)
}

// serveStream answers one question of a connection.
func (s *Server) serveStream(ctx context.Context, w dns.ResponseWriter, q *dns.Msg) {
	began := time.Now()
	from := addrPortOf(w.RemoteAddr())
	defer s.recover(q, from)
	s.planted()
	payload, err := s.resolve(ctx, s.state.Load(), from, q, began)
	if err == nil {
		_, err = w.Write(payload)
	}
	if err != nil {
		s.drop(from, unwritable)
		_ = w.Close() // what was sent may end within an answer
	}
}

// resolve answers a question over a connection, and waits for the answer. From is not valid where the box itself asks:
// that is told to nobody.
func (s *Server) resolve(ctx context.Context, st *state, from netip.AddrPort, q *dns.Msg, began time.Time) ([]byte, error) {
	if resp, local := s.answerHere(st, q); resp != nil {
		if from.IsValid() {
			s.tellMessage(from, q, resp, told{local: local, began: began})
		}
		resp.Compress = true
		return resp.Pack()
	}
	asked, ok := questionOf(q)
	if !ok {
		return failure(q, dns.RcodeFormatError).Pack()
	}
	out, wait := s.recall(st, from.Addr(), &asked)
	if wait != nil {
		out = s.await(ctx, wait)
	}
	if from.IsValid() {
		s.tellOutcome(from, out, began)
	}
	return out.write(&asked, dns.MaxMsgSize)
}

// gate lets in the connections that are served.
type gate struct {
	net.Listener
	server *Server

	mu     sync.Mutex
	closed bool
	open   map[netip.Addr]int
	conns  map[*stream]bool
}

// stream gives its place back when it is closed.
type stream struct {
	net.Conn
	gate   *gate
	client netip.Addr
}

// Accept implements [net.Listener].
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addrPortOf(c.RemoteAddr())
		if !g.server.state.Load().serves(from.Addr()) {
			_ = c.Close()
			g.server.drop(from, foreignClient)
			continue
		}
		if s := g.enter(c, from.Addr()); s != nil {
			return s, nil
		}
		_ = c.Close()
		g.server.drop(from, tooManyConnections)
	}
}

func (g *gate) enter(c net.Conn, client netip.Addr) *stream {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.conns) >= maxStreams || g.open[client] >= maxStreamsPerClient {
		return nil
	}
	s := &stream{Conn: c, gate: g, client: client}
	g.conns[s] = true
	g.open[client]++
	return s
}

// Write implements [net.Conn]. miekg/dns sets no deadline for it, whatever its WriteTimeout is.
func (s *stream) Write(b []byte) (int, error) {
	if err := s.Conn.SetWriteDeadline(time.Now().Add(streamWriteTimeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

// Close implements [net.Conn].
func (s *stream) Close() error {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	if s.gate.conns[s] {
		delete(s.gate.conns, s)
		if s.gate.open[s.client]--; s.gate.open[s.client] == 0 {
			delete(s.gate.open, s.client)
		}
	}
	return s.Conn.Close()
}

// closeAll ends what clients wait for, so that stopping does not wait for silent ones.
func (g *gate) closeAll() {
	_ = g.Listener.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for s := range g.conns {
		_ = s.Conn.Close()
	}
}

func addrPortOf(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
