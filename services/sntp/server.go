package sntp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

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
	s := &Server{deps: deps, binding: udp.NewBinding(cfg.listen()), metrics: m, panics: udp.NewPanicLog(deps.Log, m.panics.Inc)}
	s.cfg.Store(&cfg)
	return s, nil
}

func (c Config) validate() error {
	if !c.Listen.IsValid() || !c.Listen.Addr().Is4() {
		return fmt.Errorf("sntp.listen: found %s, allowed is an IPv4 address with a port", c.Listen)
	}
	if !c.Server.IsValid() || !c.Server.Addr().Is4() {
		return fmt.Errorf("sntp.server: found %s, allowed is the box's IPv4 address with its subnet", c.Server)
	}
	return nil
}

func (c Config) listen() udp.ListenConfig {
	return udp.ListenConfig{Addr: c.Listen, Interface: c.Interface}
}

// Run listens and serves until ctx ends (nil) or the socket fails. It may be called again after it returned.
func (s *Server) Run(ctx context.Context) error { return s.binding.Run(ctx, s.loop) }

// Serve serves a socket that the caller opened, and does not close it, until ctx ends (nil) or the socket fails.
func (s *Server) Serve(ctx context.Context, conn *udp.Conn) error {
	addr := conn.LocalAddr()
	s.given.Store(&addr)
	return s.loop(ctx, conn)
}

func (s *Server) loop(ctx context.Context, conn *udp.Conn) error {
	return udp.Serve(ctx, conn, s.handle, udp.Hooks{
		Panicked:  s.panics.Panicked,
		Foreign:   func(p *udp.Packet) { s.drop(p, dropInterface) },
		SendError: func(udp.Reply, error) { s.metrics.sendErrors.Inc() },
	})
}

// handle answers one packet by unicast from the box's address, whatever address it was sent to (phones.md d.1).
func (s *Server) handle(p *udp.Packet, replies []udp.Reply) []udp.Reply {
	if s.panicNext.CompareAndSwap(true, false) {
		panic("planted by PanicNext")
	}
	cfg := s.cfg.Load()
	if code := cfg.foreign(p); code != "" {
		s.drop(p, code)
		return replies
	}
	r, code := parse(p.Payload)
	if code != "" {
		s.drop(p, code)
		return replies
	}
	q := s.deps.Clock.Quality()
	received := s.deps.Clock.Adjust(p.Received)
	sent := s.deps.Clock.Now()
	b := reply(r, q, received, sent)
	s.metrics.answered.Inc()
	stratum := b[1]
	if stratum == 0 {
		stratum = 16
		s.metrics.unsynchronised.Inc()
	}
	s.deps.Report(Event{Kind: EventAnswered, Time: sent, From: p.From, Version: r.version, Stratum: stratum})
	return append(replies, udp.Reply{Payload: b, To: p.From, From: cfg.Server.Addr(), Index: outgoing(p)})
}

// outgoing is the interface of the answer; the box's own probes come in through lo and are left to the kernel's route.
func outgoing(p *udp.Packet) int {
	if p.From.Addr() == p.To {
		return 0
	}
	return p.Index
}

// foreign tells whether a packet is not for us, and why.
func (c *Config) foreign(p *udp.Packet) dropCode {
	switch {
	case p.From.Port() == 0:
		return dropPort
	case p.From.Addr() == c.Server.Addr() && p.From.Port() == 123:
		return dropOwn
	case !p.To.IsValid(), p.To == c.Server.Addr(), p.To == broadcast(c.Server), p.To == limitedBroadcast:
		return ""
	}
	return dropDestination
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// broadcast returns the last address of a subnet.
func broadcast(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	host := uint32(1)<<(32-p.Bits()) - 1
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(a[:])|host)))
}

func (s *Server) drop(p *udp.Packet, code dropCode) {
	s.metrics.dropped.WithLabelValues(string(code)).Inc()
	s.deps.Report(Event{Kind: EventDropped, Time: s.deps.Clock.Now(), From: p.From, Reason: code.sentence()})
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
