package dns

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"phonebox/services/internal/udp"
)

// Server answers names. Make it with [New].
type Server struct {
	log     *slog.Logger
	report  func(Event)
	names   Names
	changes func() uint32
	now     func() time.Time
	metrics *metrics
	panics  *udp.PanicLog
	binding *udp.Binding
	state   atomic.Pointer[state]

	cache     *cache
	flights   *flights
	exchanges chan struct{} // holds a token for each exchange with an upstream server
	watcher   watcher
	roots     *x509.CertPool
	uptime    func() time.Duration     // since the start; it never jumps
	time      func() (time.Time, bool) // the box's time, and whether it is trusted
	timeout   time.Duration            // of one question to one upstream
	patience  time.Duration            // until an old answer is given
	unhurried time.Duration            // at least so long until another server is asked as well; tests set it
	clearPort uint16                   // where a server of DNS over TLS is asked in clear

	applying sync.Mutex
	ready    chan struct{}
	once     sync.Once
	addr     atomic.Pointer[netip.AddrPort]
	panic    atomic.Bool
}

// state is what [Server.Apply] replaces as a whole.
type state struct {
	cfg       Config
	zone      *zone
	upstream  []*upstream
	cleaner   cleaner
	timeNames map[string]bool // lower case, with the final dot
	epoch     uint64          // of the answers that may be given; older ones are for an outage only
	own       own
}

// plainPort is that of DNS in clear.
const plainPort = 53

// New makes a server without a socket. The error names the setting that is wrong, or is that of registering metrics.
func New(cfg Config, deps Deps) (*Server, error) {
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("registering metrics of dns: %w", err)
	}
	began := time.Now()
	s := &Server{
		log: deps.Log, report: deps.Report, names: deps.Names, metrics: m, flights: newFlights(m.inFlight),
		cache: newCache(cacheBytes), exchanges: make(chan struct{}, maxExchanges), roots: deps.Roots, time: deps.Time,
		uptime: func() time.Duration { return time.Since(began) }, timeout: upstreamTimeout, patience: patience, clearPort: plainPort,
		ready: make(chan struct{}), binding: udp.NewBinding(listenConfig(cfg)), changes: deps.Changes, now: deps.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.time == nil {
		s.time = func() (time.Time, bool) { return time.Now(), true }
	}
	s.panics = udp.NewPanicLog(deps.Log, func() { s.metrics.dropped.WithLabelValues(panicked.code).Inc() })
	if err := registerCache(deps.Metrics, s.cache); err != nil {
		return nil, fmt.Errorf("registering metrics of dns: %w", err)
	}
	st, err := s.build(cfg, &state{})
	if err != nil {
		return nil, err
	}
	s.state.Store(st)
	return s, nil
}

func listenConfig(cfg Config) udp.ListenConfig {
	return udp.ListenConfig{Addr: cfg.Listen, Interface: cfg.Interface}
}

func (s *Server) build(cfg Config, old *state) (*state, error) {
	z, err := newZone(cfg, s.names)
	if err != nil {
		return nil, err
	}
	s.number(z)
	st := &state{
		cfg: cfg, zone: z, upstream: s.connect(cfg, old.upstream), timeNames: map[string]bool{}, own: own{answers: map[string]ownAnswer{}}, epoch: old.epoch + 1,
		cleaner: cleaner{served: append([]netip.Prefix{cfg.Server.Masked()}, cfg.Subnets...), zone: z},
	}
	for _, name := range cfg.TimeNames {
		st.timeNames[dns.CanonicalName(name)] = true
	}
	for _, name := range cfg.Inside {
		st.cleaner.inside = append(st.cleaner.inside, dns.CanonicalName(name))
	}
	return st, nil
}

// Apply takes new settings. What was answered under the old ones is given in an outage only. Questions that wait for an upstream server are still answered; only another listening address
// binds a new socket. On an error the old settings stay in force.
func (s *Server) Apply(cfg Config) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	old := s.state.Load()
	st, err := s.build(cfg, old)
	if err != nil {
		return err
	}
	if err := s.binding.Move(listenConfig(cfg)); err != nil {
		return fmt.Errorf("applying the settings of dns: %w", err)
	}
	s.state.Store(st)
	s.disconnect(old.upstream, st.upstream)
	return nil
}

// Ready is closed once both sockets, UDP and TCP, were bound for the first time.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr returns the address that is served over UDP and TCP, or the zero value before [Server.Ready].
func (s *Server) Addr() netip.AddrPort {
	if a := s.addr.Load(); a != nil {
		return *a
	}
	return netip.AddrPort{}
}

// PanicNext is for the end-to-end test: the next packet panics inside the handler.
func (s *Server) PanicNext() { s.panic.Store(true) }

// planted panics when [Server.PanicNext] asked for it.
func (s *Server) planted() {
	if s.panic.CompareAndSwap(true, false) {
		panic("planted by PanicNext")
	}
}

// Run listens over UDP and TCP and serves until ctx ends (nil) or a socket fails (an error that names the operation). It
// may be called again after it has returned.
func (s *Server) Run(ctx context.Context) error {
	// With port 0 the port that the kernel chose for UDP may be taken for TCP; then another is tried.
	for attempt := 1; ; attempt++ {
		err := s.binding.Run(ctx, s.listenAndServe)
		if attempt < 8 && s.state.Load().cfg.Listen.Port() == 0 && errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		return err
	}
}

// listenAndServe adds TCP to a UDP socket.
func (s *Server) listenAndServe(ctx context.Context, conn *udp.Conn) error {
	addr := conn.LocalAddr()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// The address may not exist yet, as with UDP.
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
	}}
	ln, err := lc.Listen(ctx, "tcp4", addr.String())
	if err != nil {
		return fmt.Errorf("listening on %s over TCP: %w", addr, err)
	}
	s.addr.Store(&addr)
	s.once.Do(func() { close(s.ready) })
	return s.Serve(ctx, conn, ln)
}

// Serve answers on the two sockets until ctx ends (nil) or one fails. It closes ln and leaves conn open.
func (s *Server) Serve(ctx context.Context, conn *udp.Conn, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	defer waiting.Wait() // for questions under way, which the context ends
	defer cancel()
	streams := make(chan error, 1)
	go func() {
		defer cancel()
		streams <- s.serveStreams(ctx, ln)
	}()
	err := udp.Serve(ctx, conn, func(p *udp.Packet, replies []udp.Reply) []udp.Reply {
		return s.handle(ctx, conn, &waiting, p, replies)
	}, s.hooks())
	cancel()
	return errors.Join(err, <-streams)
}

func (s *Server) hooks() udp.Hooks {
	return udp.Hooks{
		Panicked: func(v any, stack, packet []byte) {
			s.panics.Panicked(v, stack, packet)
			s.reportDrop(netip.AddrPort{}, panicked)
		},
		Foreign:   func(p *udp.Packet) { s.drop(p.From, foreignInterface) },
		SendError: func(r udp.Reply, _ error) { s.drop(r.To, unwritable) },
		Lost: func(n int) {
			s.metrics.dropped.WithLabelValues(overflown.code).Add(float64(n))
			s.reportDrop(netip.AddrPort{}, overflown)
		},
	}
}

// drop counts and reports a packet that gets no answer.
func (s *Server) drop(from netip.AddrPort, r reason) {
	s.metrics.dropped.WithLabelValues(r.code).Inc()
	s.reportDrop(from, r)
}

func (s *Server) reportDrop(from netip.AddrPort, r reason) {
	s.report(Event{Kind: EventDropped, Time: time.Now(), From: from, Reason: r.sentence})
}

// Probe asks the server for the box's own name through its sockets, over UDP and over TCP. The error says what did not
// work.
func (s *Server) Probe(ctx context.Context) error {
	addr := s.Addr()
	if !addr.IsValid() {
		return errors.New("probing dns: it does not listen yet")
	}
	st := s.state.Load()
	if addr.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(st.zone.box, addr.Port())
	}
	q := new(dns.Msg)
	q.SetQuestion(st.zone.full("phonebox"), dns.TypeA)
	for _, network := range []string{"udp", "tcp"} {
		q.Id = dns.Id()
		answer, _, err := (&dns.Client{Net: network}).ExchangeContext(ctx, q, addr.String())
		if err != nil {
			return fmt.Errorf("probing dns over %s: %w", network, err)
		}
		if answer.Rcode != dns.RcodeSuccess || len(answer.Answer) != 1 {
			return fmt.Errorf("probing dns over %s: found %s with %d answers, want the box's address", network, dns.RcodeToString[answer.Rcode], len(answer.Answer))
		}
	}
	return nil
}
