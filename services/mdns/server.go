package mdns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/internal/udp"
)

// lookEvery is how often the wire is looked at: a laptop that is plugged in after the box finds its name this late at most.
const lookEvery = time.Second

// Server answers for the box's .local name. Its methods are safe for concurrent use.
type Server struct {
	deps      Deps
	metrics   *metrics
	panics    *udp.PanicLog
	panicNext atomic.Bool
	kick      chan struct{} // something was decided that the loop has to look at
	name      atomic.Pointer[string]

	mu   sync.Mutex
	resp *responder
	conn *udp.Conn // while Serve runs
	link link
	told []Event // by the responder, not yet reported
}

// New makes a server; it opens nothing. The error says which setting or dependency is wrong.
func New(cfg Config, deps Deps) (*Server, error) {
	if deps.Log == nil || deps.Report == nil {
		return nil, errors.New("making mdns: Log and Report are required")
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("making mdns: %w", err)
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("registering metrics of mdns: %w", err)
	}
	s := &Server{deps: deps, metrics: m, kick: make(chan struct{}, 1)}
	s.panics = udp.NewPanicLog(deps.Log, func() { m.dropped.WithLabelValues(panicked.code).Inc() })
	s.resp = s.responder(cfg)
	return s, nil
}

func (s *Server) responder(cfg Config) *responder {
	return newResponder(cfg, func(d time.Duration) time.Duration { return rand.N(d) }, func(e Event) { s.told = append(s.told, e) })
}

// Name returns the box's name on the wire, such as phonebox.local; "" while it has none.
func (s *Server) Name() string {
	if name := s.name.Load(); name != nil {
		return *name
	}
	return ""
}

// PanicNext is for the test: the next packet panics inside the handler.
func (s *Server) PanicNext() { s.panicNext.Store(true) }

// Run listens and answers until ctx ends (nil) or the socket fails (an error that names the operation). It may be called
// again after it has returned.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	iface := s.resp.cfg.Interface
	s.mu.Unlock()
	// Another program of the machine may answer for names of its own on the same port.
	conn, err := udp.Listen(ctx, udp.ListenConfig{Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), port), Interface: iface, ReuseAddr: true})
	if err != nil {
		return fmt.Errorf("listening for .local names: %w", err)
	}
	defer conn.Close()
	return s.Serve(ctx, conn)
}

// Serve answers on a socket until ctx ends (nil) or the socket fails, and says goodbye. It leaves conn open.
func (s *Server) Serve(ctx context.Context, conn *udp.Conn) error {
	if err := prepare(conn); err != nil {
		return err
	}
	s.mu.Lock()
	s.conn, s.link = conn, link{}
	conn.SetInterface(s.resp.cfg.Interface)
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	received := make(chan error, 1)
	go func() {
		defer cancel()
		received <- udp.Serve(ctx, conn, func(p *udp.Packet, replies []udp.Reply) []udp.Reply {
			s.receive(p)
			return replies
		}, udp.Hooks{
			Panicked: func(v any, stack, packet []byte) {
				s.panics.Panicked(v, stack, packet)
				s.drop(netip.AddrPort{}, panicked, false)
			},
			Foreign: func(p *udp.Packet) { s.drop(p.From, foreignInterface, true) },
		})
	}()
	s.keepTime(ctx)
	s.end()
	return <-received
}

// keepTime does what is due, and looks at the wire.
func (s *Server) keepTime(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	s.lookAtWire()
	for {
		timer.Reset(s.untilDue())
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			s.lookAtWire()
		case <-s.kick:
		case <-timer.C:
			s.do(func(r *responder, now time.Time) []outgoing { return r.step(now) })
		}
	}
}

// untilDue is how long nothing has to be said.
func (s *Server) untilDue() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.resp.next()
	if at.IsZero() {
		return time.Hour
	}
	return max(time.Until(at), 0)
}

// do lets the responder decide, sends what it says, and reports what it tells.
func (s *Server) do(decide func(*responder, time.Time) []outgoing) {
	for _, e := range s.decide(decide) {
		if e.Kind == EventConflict {
			s.metrics.conflicts.Inc()
		}
		e.Time = time.Now()
		s.deps.Report(e)
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// decide is do under the lock, which a panic gives back.
func (s *Server) decide(decide func(*responder, time.Time) []outgoing) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = nil
	s.send(decide(s.resp, time.Now()))
	s.noteName()
	return s.told
}

// noteName is called with mu held.
func (s *Server) noteName() {
	name := ""
	if s.resp.phase == announcing || s.resp.phase == standing {
		name = s.resp.label() + ".local"
	}
	s.name.Store(&name)
}

// send is called with mu held. What can't be sent is counted; hosts ask again.
func (s *Server) send(out []outgoing) {
	if s.conn == nil {
		return
	}
	for _, o := range out {
		payload, err := o.msg.Pack()
		to := "one"
		if o.to == group {
			to = "all"
		}
		if err == nil {
			err = s.conn.Send(udp.Reply{Payload: payload, To: o.to, From: s.resp.cfg.Address.Addr(), Index: s.link.index})
		}
		if err != nil {
			s.deps.Log.Debug("not sent about .local names", "to", o.to, "err", err)
			s.metrics.dropped.WithLabelValues(unsendable.code).Inc()
			continue
		}
		s.metrics.sent.WithLabelValues(to).Inc()
	}
}

// receive hears one packet.
func (s *Server) receive(p *udp.Packet) {
	s.do(func(r *responder, now time.Time) []outgoing {
		if s.panicNext.CompareAndSwap(true, false) {
			panic("planted by PanicNext")
		}
		out, kind, why := r.receive(now, incoming{payload: p.Payload, from: p.From, to: p.To})
		if kind != "" {
			s.metrics.heard.WithLabelValues(kind).Inc()
		} else {
			// What is no question to us is the business of others on the wire; it is counted, not shown.
			s.drop(p.From, why, why == foreignClient || why == tooMany)
		}
		return out
	})
}

func (s *Server) drop(from netip.AddrPort, why reason, report bool) {
	if why != panicked {
		s.metrics.dropped.WithLabelValues(why.code).Inc()
	}
	if report {
		s.deps.Report(Event{Kind: EventDropped, Time: time.Now(), From: from, Reason: why.sentence})
	}
}

// lookAtWire begins anew on a wire that came, and is silent on one that went.
func (s *Server) lookAtWire() {
	s.mu.Lock()
	now := lookAt(s.resp.cfg.Interface, s.resp.cfg.Address.Addr())
	was := s.link
	s.mu.Unlock()
	if now == was {
		return
	}
	s.do(func(r *responder, at time.Time) []outgoing {
		if s.conn == nil || s.link != was {
			return nil // it ended meanwhile, or somebody else looked, too
		}
		if was != (link{}) {
			leave(s.conn, was)
			r.silence()
		}
		s.link = now
		if now == (link{}) {
			return nil
		}
		if err := join(s.conn, now); err != nil {
			s.deps.Log.Warn("no .local names", "err", err)
			s.link = link{} // tried again at the next look
			return nil
		}
		r.begin(at)
		return nil
	})
}

// Apply takes new settings: what is no longer true is taken back, and the new names are looked for.
func (s *Server) Apply(cfg Config) error {
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("applying the settings of mdns: %w", err)
	}
	s.mu.Lock()
	old := s.resp.cfg
	if cfg.Last = old.Last; cfg == old {
		s.mu.Unlock()
		return nil
	}
	if cfg.Host == old.Host {
		cfg.Last = s.resp.label()
	}
	s.mu.Unlock()
	s.do(func(r *responder, now time.Time) []outgoing {
		s.send(r.goodbye())
		s.resp = s.responder(cfg)
		if s.conn == nil {
			return nil
		}
		s.conn.SetInterface(cfg.Interface)
		if cfg.Interface != old.Interface || cfg.Address != old.Address {
			if s.link != (link{}) {
				leave(s.conn, s.link)
			}
			s.link = link{} // looked for at once, and again each second
		} else if s.link != (link{}) {
			s.resp.begin(now)
		}
		return nil
	})
	if cfg.Interface != old.Interface || cfg.Address != old.Address {
		s.lookIfServing()
	}
	return nil
}

func (s *Server) lookIfServing() {
	s.mu.Lock()
	serving := s.conn != nil
	s.mu.Unlock()
	if serving {
		s.lookAtWire()
	}
}

// end says goodbye and forgets the socket.
func (s *Server) end() {
	s.do(func(r *responder, _ time.Time) []outgoing {
		s.send(r.goodbye())
		r.silence()
		s.conn, s.link = nil, link{} // with the socket its membership ends
		return nil
	})
}
