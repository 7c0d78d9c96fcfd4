package dhcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
)

// Server is a DHCP server. Its methods are safe for concurrent use; [Server.Run] and [Server.Serve] run one at a time.
type Server struct {
	deps      Deps
	log       *slog.Logger
	metrics   *metrics
	ready     chan struct{}
	readyOnce sync.Once
	panicNext atomic.Bool
	kick      chan struct{}            // the settings or a person's decision changed: see watch
	workers   chan struct{}            // bounds the probes that run at a time
	current   atomic.Pointer[settings] // st, for those who do not hold the lock

	mu        sync.Mutex
	st        *settings
	table     *lease.Table
	addr      netip.AddrPort
	restart   context.CancelFunc // ends Serve so that Run listens elsewhere
	view      view               // what was seen on the wire
	phase     phase
	relook    bool
	lookNow   bool // a person asks for a look
	metOthers bool // another server was known since the link came up
	served    bool // addresses were given out since the link came up
	met       map[netip.Addr]*sighting
	since     time.Time // what the wire heard before does not count
	decision  Decision  // a person's, about other servers
	decided   bool      // in the life of this process
	loaded    bool      // the store's records are in the table
	trusted   bool      // the table was told that the clock is right
	storeErr  error
	lastTry   time.Time // of the store, while it fails
	flushing  bool      // records that nobody waits for are on their way to the disk
	queue     *queue    // nil while Serve does not run
	busy      map[lease.Key]netip.Addr
	leaving   map[lease.Key]bool // whose RELEASE is being looked into
	checked   *recent[netip.Addr, check]
	seen      *recent[lease.Key, transaction]
	said      *recent[saying, time.Time]
	strangers *strangers

	suspectTill time.Time // records may be missing: see ErrIncomplete
	lastPanic   time.Time

	looks  int       // that found nothing since the link came up; of watch alone
	looked time.Time // when the last look ended; of watch alone
}

// maxWorkers bounds the probes that wait at a time, each for probeWait: with 300 ms that makes 6,800 addresses a second.
// Phones beyond it are answered at their next try. The wire must take as many questions.
const maxWorkers = 2048

// New makes a server. It opens nothing and starts nothing. The error names every setting that is wrong.
func New(cfg Config, deps Deps) (*Server, error) {
	st, err := newSettings(cfg)
	if err != nil {
		return nil, fmt.Errorf("checking the settings of dhcp: %w", err)
	}
	if deps.Clock == nil || deps.Store == nil || deps.Log == nil || deps.Report == nil || (deps.Wire == nil && !cfg.Relayed) {
		return nil, errors.New("making the dhcp server: Clock, Store, Wire, Log and Report are required")
	}
	mx, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Server{
		deps: deps, log: deps.Log, metrics: mx, ready: make(chan struct{}), kick: make(chan struct{}, 1),
		workers: make(chan struct{}, maxWorkers),
		st:      st, table: lease.New(st.lease()), phase: phaseOff(),
		busy: make(map[lease.Key]netip.Addr), leaving: make(map[lease.Key]bool), checked: newRecent[netip.Addr, check](remembered),
		seen: newRecent[lease.Key, transaction](remembered), said: newRecent[saying, time.Time](remembered),
		met: make(map[netip.Addr]*sighting), strangers: newStrangers(),
	}
	s.current.Store(st)
	return s, nil
}

// Run listens and serves until ctx ends (nil), listening anew when the settings ask for it. The error names the
// operation. It may be called again after it returned.
func (s *Server) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		again, err := s.runOnce(ctx)
		if err != nil || !again {
			return err
		}
	}
	return nil
}

func (s *Server) runOnce(ctx context.Context) (again bool, err error) {
	sub, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.restart = cancel
	cfg := s.st.Config
	s.mu.Unlock()
	conn, err := udp.Listen(ctx, udp.ListenConfig{Addr: cfg.Listen, Interface: cfg.Interface, Broadcast: true})
	if err != nil {
		return false, err
	}
	defer conn.Close()
	err = s.Serve(sub, conn)
	return err == nil && ctx.Err() == nil, err
}

// Serve answers on the socket until ctx ends (nil) or the socket fails (an error that names the operation). It does not
// close the socket. What was acknowledged is on disk when it returns.
func (s *Server) Serve(ctx context.Context, conn *udp.Conn) error {
	sub, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stop := s.start(sub, fail, conn, conn.LocalAddr())
	err := udp.Serve(sub, conn, func(p *udp.Packet, replies []udp.Reply) []udp.Reply {
		return s.handle(sub, conn, p, replies)
	}, s.hooks())
	fail(nil)
	stop()
	if cause := context.Cause(sub); err == nil && ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// sender sends what is not an answer at once; it is the socket.
type sender interface {
	Send(replies ...udp.Reply) error
}

// start begins everything of Serve but the loop; stop, called when ctx has ended, returns when all of it is over.
func (s *Server) start(ctx context.Context, fail context.CancelCauseFunc, out sender, addr netip.AddrPort) (stop func()) {
	s.load(ctx)
	q := newQueue()
	s.begin(q, addr)
	var helpers, committer sync.WaitGroup
	s.spawn(&helpers, fail, "watching the wire", func() { s.watch(ctx) })
	s.spawn(&helpers, fail, "ending leases", func() { s.sweep(ctx) })
	written, answering := make(chan batch, 1), make(chan struct{})
	s.spawn(&committer, fail, "writing leases", func() { s.commit(ctx, q, written, answering) })
	s.spawn(&committer, fail, "answering leases", func() {
		defer close(answering)
		s.answer(ctx, out, written)
	})
	return func() {
		helpers.Wait()
		s.waitWorkers()
		s.end(q)
		committer.Wait()
		s.waitWorkers() // those that a failed write started
	}
}

// begin notes that Serve runs; what an earlier one left unanswered is forgotten. Without a wire to look at, serving
// begins at once: the first packet may be waiting already.
func (s *Server) begin(q *queue, addr netip.AddrPort) {
	eff := &effects{}
	s.mu.Lock()
	s.queue, s.addr, s.flushing, s.relook, s.metOthers, s.served = q, addr, false, false, false, false
	s.forgetAnswers()
	clear(s.busy)
	clear(s.leaving)
	s.view, s.phase = view{looking: true}, phaseLooking()
	if s.st.Relayed {
		s.view = view{}
		s.phase = s.judge()
		s.entered(eff, s.phase)
	}
	s.mu.Unlock()
	s.perform(eff, nil)
	s.readyOnce.Do(func() { close(s.ready) })
}

// end hands the last records to the committer and lets it stop.
func (s *Server) end(q *queue) {
	s.mu.Lock()
	s.flushSome(q, math.MaxInt) // those that are on their way once more
	s.queue, s.phase = nil, phaseOff()
	s.mu.Unlock()
	q.close()
}

// spawn runs a helper of Serve; its panic ends Serve with an error instead of the process.
func (s *Server) spawn(wg *sync.WaitGroup, fail context.CancelCauseFunc, doing string, fn func()) {
	wg.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				s.metrics.panics.Inc()
				s.log.Error("helper panicked", "doing", doing, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				fail(fmt.Errorf("%s: panicked: %v", doing, v))
			}
		}()
		fn()
	})
}

// Apply takes new settings without dropping a packet; a lease that no longer fits runs on and is refused when its
// client wants to renew it. The server listens anew, under [Server.Run], when Listen or Interface changed, and looks at
// the wire again when the box's address did. The error names what is wrong; the old settings stay then.
func (s *Server) Apply(cfg Config) error {
	st, err := newSettings(cfg)
	if err != nil {
		return fmt.Errorf("checking the settings of dhcp: %w", err)
	}
	if s.deps.Wire == nil && !cfg.Relayed {
		return errors.New("checking the settings of dhcp: relayed cannot be taken back on a server without a wire")
	}
	s.mu.Lock()
	old := s.st
	s.st = st
	s.current.Store(st)
	s.table.Apply(st.lease())
	rebind := old.Listen != st.Listen || old.Interface != st.Interface
	relook := old.Server != st.Server || old.Relayed != st.Relayed || rebind
	s.relook = s.relook || relook
	if relook && s.queue != nil { // not one more OFFER before the look
		s.view = view{looking: true}
		s.phase = s.judge()
	}
	restart := s.restart
	s.mu.Unlock()
	if rebind && restart != nil {
		restart()
	}
	s.nudge()
	return nil
}

// nudge tells the watcher that there is something to judge anew.
func (s *Server) nudge() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Ready is closed once the server has been bound for the first time.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr returns the bound address once the server is ready.
func (s *Server) Addr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// PanicNext is for the end-to-end test: the next packet panics inside the handler.
func (s *Server) PanicNext() { s.panicNext.Store(true) }

// locked runs fn under the lock and gives it back even when fn panics: a helper that panicked with the lock held would
// stop the service for good, for the restart needs it as well.
func (s *Server) locked(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// moment is the time on both clocks. The monotonic one is Go's own, whatever the service clock does to the wall clock.
func (s *Server) moment() lease.Moment {
	return lease.Moment{Mono: time.Now(), Wall: s.deps.Clock.Now(), Trusted: s.deps.Clock.Trusted()}
}

// load takes the store's records into the table, once.
func (s *Server) load(ctx context.Context) {
	s.mu.Lock()
	loaded := s.loaded
	s.lastTry = time.Now()
	s.mu.Unlock()
	if loaded {
		return
	}
	records, err := s.deps.Store.Leases(ctx)
	decision, derr := s.deps.Store.Decision(ctx)
	if derr != nil {
		s.log.Warn("decision about other servers not read", "err", derr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if derr == nil && !s.decided {
		s.decision = decision
	}
	m := s.moment()
	switch {
	case errors.Is(err, ErrIncomplete):
		s.lost(err, records, m)
	case err != nil:
		s.storeFailed(fmt.Errorf("reading leases: %w", err))
		return
	}
	s.table.Restore(records, m)
	s.loaded, s.trusted = true, m.Trusted
	s.storeWorks()
	s.log.Info("leases read", "records", len(records), "clock_trusted", m.Trusted)
}
