package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
)

// Server is the page and the API. Its methods are safe for concurrent use.
type Server struct {
	cfg   atomic.Pointer[Config]
	deps  Deps
	pages *pages
	auth  *authority
	cert  *certificate
	says  flashes
	scans scanned // what was scanned last

	// streams holds a token for each open event stream.
	streams chan struct{}
	health  healthCheck
	dropped *prometheus.CounterVec

	plain  http.Handler // port 80
	secure http.Handler // port 443

	panicNext atomic.Bool
	startMu   sync.Mutex // held while the state of the first-run wizard changes
	ready     chan struct{}
	readyOnce sync.Once

	mu   sync.Mutex
	live *live // while Serve runs

	overviews    shared[[]string]
	phonesShared shared[phonesView]
	converting   shared[[]Conversion]
	cureMu       sync.Mutex
	cured        map[phone.MAC]oldCure // of stuck phones

	panicMu   sync.Mutex
	panicSeen time.Time // when a stack was last logged
}

// New checks the dependencies, parses the templates and prepares the handlers; it starts nothing and opens no socket.
func New(cfg Config, deps Deps) (*Server, error) {
	if deps.Box == nil || deps.Files == nil || deps.Secrets == nil || deps.Now == nil || deps.Log == nil || deps.Report == nil {
		return nil, errors.New("making the page: a dependency is missing, allowed is nil for Metrics and Registerer only")
	}
	if deps.Fleet == nil {
		deps.Fleet = noFleet{}
	}
	pages, err := parsePages()
	if err != nil {
		return nil, fmt.Errorf("making the page: %w", err)
	}
	auth, err := newAuthority(deps.Secrets, deps.Now)
	if err != nil {
		return nil, fmt.Errorf("making the page: %w", err)
	}
	if err := auth.ended.load(deps.Secrets); err != nil {
		return nil, fmt.Errorf("reading which sessions were ended: %w", err)
	}
	if deps.Uptime != nil {
		auth.uptime = deps.Uptime
	}
	s := &Server{
		deps:    deps,
		pages:   pages,
		auth:    auth,
		cert:    &certificate{},
		streams: make(chan struct{}, maxStreams),
		ready:   make(chan struct{}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_web_dropped_total",
			Help: "Requests that were refused, by reason.",
		}, []string{"reason"}),
	}
	s.cfg.Store(&cfg)
	if deps.Registerer != nil {
		if err := deps.Registerer.Register(s.dropped); err != nil {
			return nil, fmt.Errorf("registering the page's counters: %w", err)
		}
	}
	app := s.appHandler()
	s.plain = s.layers(s.openHandler(s.plainRest(app)))
	s.secure = s.layers(s.openHandler(app))
	return s, nil
}

// HTTPHandler is what port 80 answers, or, with Single, the one port.
func (s *Server) HTTPHandler() http.Handler { return s.plain }

// HTTPSHandler is what port 443 answers.
func (s *Server) HTTPSHandler() http.Handler { return s.secure }

// Ready is closed once the page listens for the first time.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// PanicNext is for the end-to-end test: the next request panics inside the handler.
func (s *Server) PanicNext() { s.panicNext.Store(true) }

// Addr returns the bound address of the page: of the encrypted port, or of the one port with Single. It is not valid
// while the page does not listen.
func (s *Server) Addr() netip.AddrPort {
	if s.cfg.Load().Single {
		return s.HTTPAddr()
	}
	return s.boundAddr(true)
}

// HTTPAddr returns the bound address of the plain port; not valid while the page does not listen.
func (s *Server) HTTPAddr() netip.AddrPort { return s.boundAddr(false) }

// URL returns the address of the page as people type it; "" while the page does not listen.
func (s *Server) URL() string {
	addr := s.Addr()
	switch {
	case !addr.IsValid():
		return ""
	case s.cfg.Load().Single:
		return "http://" + addr.String() + "/"
	}
	return "https://" + hostPort(addr.Addr().String(), addr.Port(), 443) + "/"
}

func (s *Server) boundAddr(secure bool) netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		return netip.AddrPort{}
	}
	ep := s.live.plain
	if secure {
		ep = s.live.secure
	}
	if ep == nil {
		return netip.AddrPort{}
	}
	return ep.addr
}

// Probe asks the page for a sign of life through its own sockets, as a person's browser would reach it. The error
// names the port that did not answer.
func (s *Server) Probe(ctx context.Context) error {
	s.mu.Lock()
	l := s.live
	var eps []*endpoint
	if l != nil {
		eps = l.endpoints()
	}
	s.mu.Unlock()
	if len(eps) == 0 {
		return errors.New("probing the page: it does not listen")
	}
	for _, ep := range eps {
		if err := ep.probe(ctx, s.cert); err != nil {
			return fmt.Errorf("probing the page on %s: %w", ep.addr, err)
		}
	}
	return nil
}
