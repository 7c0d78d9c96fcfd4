package sntp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/internal/udp"
)

// Server answers SNTP and NTP clients. It is safe for concurrent use.
type Server struct {
	deps      Deps
	binding   *udp.Binding
	metrics   *metrics
	panics    *udp.PanicLog
	panicNext atomic.Bool
	cfg       atomic.Pointer[Config]
	given     atomic.Pointer[netip.AddrPort] // the address of a socket that Serve was given
	begun     time.Time
	changed   chan struct{} // Apply was called

	mu      sync.Mutex // taken once for each batch of requests
	clients *clients
	drops   [dropCodes]drops
}

// New makes a server; it opens nothing. The error says which setting or dependency is wrong.
func New(cfg Config, deps Deps) (*Server, error) {
	if deps.Clock == nil || deps.Log == nil || deps.Report == nil {
		return nil, errors.New("making the sntp server: Clock, Log and Report are required")
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("making the sntp server: %w", err)
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	s := &Server{
		deps: deps, binding: udp.NewBinding(cfg.listen()), metrics: m, panics: udp.NewPanicLog(deps.Log, m.panics.Inc),
		begun: time.Now(), changed: make(chan struct{}, 1), clients: newClients(),
	}
	s.cfg.Store(&cfg)
	return s, nil
}

func (c Config) listen() udp.ListenConfig {
	return udp.ListenConfig{Addr: c.Listen, Interface: c.Interface, Broadcast: true}
}

// Run listens and serves until ctx ends (nil) or the socket fails. It may be called again after it returned.
func (s *Server) Run(ctx context.Context) error { return s.binding.Run(ctx, s.serve) }

// Serve serves a socket that the caller opened, and does not close it, until ctx ends (nil) or the socket fails.
func (s *Server) Serve(ctx context.Context, conn *udp.Conn) error {
	addr := conn.LocalAddr()
	s.given.Store(&addr)
	return s.serve(ctx, conn)
}

// Apply takes new settings; only another Listen binds a new socket, and when that fails the old settings stay in force.
func (s *Server) Apply(cfg Config) error {
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("applying sntp settings: %w", err)
	}
	if err := s.binding.Move(cfg.listen()); err != nil {
		return fmt.Errorf("applying sntp settings: %w", err)
	}
	s.cfg.Store(&cfg)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return nil
}

// Ready is closed once Run has bound the address for the first time.
func (s *Server) Ready() <-chan struct{} { return s.binding.Ready() }

// Addr returns the address that is bound, or the zero value.
func (s *Server) Addr() netip.AddrPort {
	if addr := s.binding.Addr(); addr.IsValid() {
		return addr
	}
	if a := s.given.Load(); a != nil {
		return *a
	}
	return netip.AddrPort{}
}

// PanicNext is for the end-to-end test: the next packet panics inside the handler.
func (s *Server) PanicNext() { s.panicNext.Store(true) }

// Probe asks the time at the box's own address as a client would. It returns nil when the answer to just that question
// came before ctx ended; whether the box knows the time is another matter.
func (s *Server) Probe(ctx context.Context) error {
	addr := s.Addr()
	if !addr.IsValid() {
		return errors.New("probing sntp: the server is not bound to an address")
	}
	if addr.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(s.cfg.Load().Server.Addr(), addr.Port())
	}
	if err := probe(ctx, addr); err != nil {
		return fmt.Errorf("probing sntp at %s: %w", addr, err)
	}
	return nil
}

func probe(ctx context.Context, addr netip.AddrPort) error {
	conn, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: addr.Addr().AsSlice()}}).DialContext(ctx, "udp4", addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	q := make([]byte, packetSize)
	q[0] = 4<<3 | modeClient
	rand.Read(q[40:48]) // never fails (crypto/rand)
	if _, err := conn.Write(q); err != nil {
		return err
	}
	a := make([]byte, 2*packetSize)
	n, err := conn.Read(a)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("no answer: %w", ctx.Err())
	case err != nil:
		return err
	case n < packetSize || a[0]&7 != modeServer || string(a[24:32]) != string(q[40:48]):
		return errors.New("the answer is to another question")
	}
	return nil
}
