package tftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/internal/udp"
)

// Server is a read-only TFTP server. It is safe for concurrent use.
//
// A request is taken on the receive loop, its file is opened by a worker, and it is sent from one of a few ports that all
// transfers share: a phone in lockstep costs a place in a map and in a heap of timers, no socket and no goroutine. When
// there is no room, a new request waits: a transfer that was acknowledged is never ended for another client, for it may be
// an image on its way into a flash.
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
	sooner    chan struct{} // wakes the keeper of time

	lanes [lanes]*lane    // while it serves
	life  context.Context // while it serves: the files are opened in it
	wg    sync.WaitGroup  // of the workers

	mu       sync.Mutex     // held for moments, never while something waits
	cfg      *Config        // with defaults; replaced, never changed
	given    netip.AddrPort // the address of a socket that Serve was given
	stopping bool
	sessions map[tid]*session
	clients  map[tid]tally // by address
	probes   int           // sessions of probes, counted apart
	images   int           // sessions of images that have their place
	silent   queue         // transfers to who never acknowledged anything
	waiting  queue         // sessions of images that have no place yet
	expired  time.Time     // when waiting was looked through
	timed    schedule
	alarm    time.Time // when the keeper of time wakes up
	jobs     jobs
	workers  int
	idle     int        // workers that wait for a job and that nobody has woken yet
	more     *sync.Cond // of mu: there is a job for one of them, or the server stops
	ports    ports
	recent   recent
	turns    uint64 // lanes are given in turn
	lostTold time.Time
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
		deps: deps, cfg: &cfg, binding: udp.NewBinding(listenConfig(cfg)),
		sessions: make(map[tid]*session), clients: make(map[tid]tally),
		probing: make(chan struct{}, maxProbes), sooner: make(chan struct{}, 1),
	}
	s.more = sync.NewCond(&s.mu)
	if s.metrics, err = newMetrics(deps.Metrics, s); err != nil {
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
	}{
		{"max_transfers", &cfg.MaxTransfers, defaultTransfers},
		{"max_images", &cfg.MaxImages, (cmp.Or(max(cfg.MaxTransfers, 0), defaultTransfers) + 1) / 2},
		{"max_per_client", &cfg.MaxPerClient, defaultPerClient},
	} {
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

// Run listens and serves until ctx ends (nil) or a socket fails. Transfers that run then are ended. It may be called
// again after it returned.
func (s *Server) Run(ctx context.Context) error {
	return s.whileServing(ctx, func(ctx context.Context) error {
		return s.binding.Run(ctx, s.loop)
	})
}

// Serve serves a socket that the caller opened, and does not close it, until ctx ends (nil) or a socket fails. Transfers
// that run then are ended.
func (s *Server) Serve(ctx context.Context, conn *udp.Conn) error {
	s.mu.Lock()
	s.given = conn.LocalAddr()
	s.mu.Unlock()
	return s.whileServing(ctx, func(ctx context.Context) error { return s.loop(ctx, conn) })
}

// whileServing runs serve with all that transfers need, and leaves no goroutine and no socket behind, even when serve
// panics.
func (s *Server) whileServing(ctx context.Context, serve func(context.Context) error) error {
	// A file that is not opened because the server stops is not missing: endSessions tells the sessions before life ends.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	opened, err := s.openLanes(ctx, s.config().Interface)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.stopping, s.lanes, s.life, s.alarm = false, opened, life, time.Now().Add(time.Hour)
	s.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, lanes)
	var loops sync.WaitGroup
	for _, l := range opened {
		loops.Go(func() {
			if err := s.serveLane(life, l); err != nil {
				failed <- err
				stop()
			}
		})
	}
	loops.Go(func() { s.keepTime(life) })
	defer func() {
		s.endSessions()
		cancel()
		interruptLanes(opened)
		s.wg.Wait()
		loops.Wait()
		closeLanes(opened)
	}()
	err = serve(ctx)
	select {
	case failure := <-failed:
		return errors.Join(failure, err)
	default:
		return err
	}
}

// endSessions ends what runs and waits; what is being opened is told.
func (s *Server) endSessions() {
	u := &turn{now: time.Now()}
	defer s.conclude(u)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping, s.idle = true, 0
	s.more.Broadcast()
	for _, sess := range s.sessions {
		sess.stop = true
		switch {
		case sess.phase != opening:
			s.finish(u, sess, EventAborted, sess.ended(), nil)
		case sess.cancel != nil:
			sess.cancel()
		}
	}
}

// config returns the settings.
func (s *Server) config() *Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg
}

// loop takes the requests that come to one socket; transfers outlive it.
func (s *Server) loop(ctx context.Context, conn *udp.Conn) error {
	return udp.Serve(ctx, conn, func(p *udp.Packet, replies []udp.Reply) []udp.Reply {
		return s.handle(conn, p, replies)
	}, udp.Hooks{
		Panicked: s.panics.Panicked,
		Foreign: func(p *udp.Packet) {
			s.dropped(Event{From: p.From, Reason: "it came in on an interface that is not served"}, dropInterface)
		},
		SendError: func(_ udp.Reply, err error) { s.unsent(err) },
		Lost:      s.lost,
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
	s.cfg = &cfg
	for _, l := range s.lanes {
		if l != nil {
			l.conn.SetInterface(cfg.Interface)
		}
	}
	s.letIn(time.Now())
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

// Open returns the number of transfers that run or wait, probes left out.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.others()
}

// PanicNext is for the end-to-end test: the next packet panics inside the handler.
func (s *Server) PanicNext() { s.panicNext.Store(true) }
