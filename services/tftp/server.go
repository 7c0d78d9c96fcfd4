package tftp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/internal/udp"
)

// Server is a read-only TFTP server. It is safe for concurrent use.
//
// A request is taken on the receive loop; opening the file and sending it is done on one goroutine for each port of a
// client, of which there are at most MaxTransfers. When there is no room, a new request waits (the phone asks again):
// a transfer that runs is never ended for another client, for it may be an image on its way into a flash.
//
// Every read request that cannot be served is answered with ERROR 1 at once, and with no other code.
type Server struct {
	deps      Deps
	binding   *udp.Binding
	metrics   *metrics
	panics    *udp.PanicLog
	transfers atomic.Uint64 // numbers them
	panicNext atomic.Bool
	probing   chan struct{} // one element for each Probe that runs

	mu       sync.Mutex
	cfg      Config         // with defaults
	given    netip.AddrPort // the address of a socket that Serve was given
	stopping bool
	sessions map[netip.AddrPort]*session
	clients  map[netip.Addr]int // sessions of each address
	probes   int                // sessions of probes, counted apart
	wg       sync.WaitGroup     // of the sessions' goroutines
}

// New makes a server; it opens nothing. The error says which setting or dependency is wrong.
func New(cfg Config, deps Deps) (*Server, error) {
	if deps.Files == nil || deps.Log == nil || deps.Report == nil {
		return nil, errors.New("making the tftp server: Files, Log and Report are required")
	}
	cfg, err := withDefaults(cfg)
	if err != nil {
		return nil, fmt.Errorf("making the tftp server: %w", err)
	}
	s := &Server{
		deps: deps, cfg: cfg, binding: udp.NewBinding(listenConfig(cfg)),
		sessions: make(map[netip.AddrPort]*session), clients: make(map[netip.Addr]int),
		probing: make(chan struct{}, maxProbes),
	}
	if s.metrics, err = newMetrics(deps.Metrics, s.running); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	s.panics = udp.NewPanicLog(deps.Log, s.metrics.panics.Inc)
	return s, nil
}

// withDefaults checks a configuration and fills in what is zero.
func withDefaults(cfg Config) (Config, error) {
	if !cfg.Listen.IsValid() || !cfg.Listen.Addr().Is4() {
		return Config{}, fmt.Errorf("tftp.listen: found %s, allowed is an IPv4 address with a port", cfg.Listen)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{{"resend", &cfg.Resend, defaultResend}, {"give_up", &cfg.GiveUp, defaultGiveUp}} {
		if *d.value == 0 {
			*d.value = d.zero
		}
		if *d.value < 0 {
			return Config{}, fmt.Errorf("tftp.%s: found %v, allowed are positive durations", d.name, *d.value)
		}
	}
	for _, n := range []struct {
		name  string
		value *int
		zero  int
	}{{"max_transfers", &cfg.MaxTransfers, defaultTransfers}, {"max_per_client", &cfg.MaxPerClient, defaultPerClient}} {
		if *n.value == 0 {
			*n.value = n.zero
		}
		if *n.value < 0 {
			return Config{}, fmt.Errorf("tftp.%s: found %d, allowed are positive numbers", n.name, *n.value)
		}
	}
	return cfg, nil
}

func listenConfig(cfg Config) udp.ListenConfig {
	return udp.ListenConfig{Addr: cfg.Listen, Interface: cfg.Interface}
}

// Run listens and serves until ctx ends (nil) or the socket fails. Transfers that run then are ended. It may be called
// again after it returned.
func (s *Server) Run(ctx context.Context) error {
	return s.whileServing(ctx, func(life context.Context) error {
		return s.binding.Run(ctx, func(ctx context.Context, conn *udp.Conn) error { return s.loop(ctx, life, conn) })
	})
}

// Serve serves a socket that the caller opened, and does not close it, until ctx ends (nil) or the socket fails.
// Transfers that run then are ended.
func (s *Server) Serve(ctx context.Context, conn *udp.Conn) error {
	s.mu.Lock()
	s.given = conn.LocalAddr()
	s.mu.Unlock()
	return s.whileServing(ctx, func(life context.Context) error { return s.loop(ctx, life, conn) })
}

// whileServing runs serve and leaves no goroutine and no socket of a transfer behind, even when serve panics.
func (s *Server) whileServing(ctx context.Context, serve func(life context.Context) error) error {
	// A file that is not opened because the server stops is not missing: endSessions tells the sessions before life ends.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	s.stopping = false
	s.mu.Unlock()
	defer s.wg.Wait()
	defer cancel()
	defer s.endSessions()
	return serve(life)
}

func (s *Server) endSessions() {
	s.mu.Lock()
	s.stopping = true
	all := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, sess := range all {
		sess.end()
	}
}

// loop serves one socket; transfers outlive it until life ends.
func (s *Server) loop(ctx, life context.Context, conn *udp.Conn) error {
	return udp.Serve(ctx, conn, func(p *udp.Packet, replies []udp.Reply) []udp.Reply {
		return s.handle(life, conn, p, replies)
	}, udp.Hooks{
		Panicked: s.panics.Panicked,
		Foreign: func(p *udp.Packet) {
			s.dropped(Event{From: p.From, Reason: "it came in on an interface that is not served"}, dropInterface)
		},
		SendError: func(udp.Reply, error) { s.metrics.sendErrors.Inc() },
	})
}

// Apply takes new settings. Transfers that run keep theirs; only another Listen binds a new socket, and when that fails
// the old settings stay in force.
func (s *Server) Apply(cfg Config) error {
	cfg, err := withDefaults(cfg)
	if err != nil {
		return fmt.Errorf("applying tftp settings: %w", err)
	}
	if err := s.binding.Move(listenConfig(cfg)); err != nil {
		return fmt.Errorf("applying tftp settings: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg = cfg
	return nil
}

// Ready is closed once Run has bound the address for the first time.
func (s *Server) Ready() <-chan struct{} { return s.binding.Ready() }

// Addr returns the address that is bound, or the zero value.
func (s *Server) Addr() netip.AddrPort {
	if addr := s.binding.Addr(); addr.IsValid() {
		return addr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// PanicNext is for the end-to-end test: the next packet panics inside the handler.
func (s *Server) PanicNext() { s.panicNext.Store(true) }
