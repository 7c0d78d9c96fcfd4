package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of one port. Uploads and event streams move their own deadlines.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 60 * time.Second
	maxHeaderBytes = 32 << 10
	shutdownTime   = 700 * time.Millisecond // what a request in flight gets when the box stops
	handoverTime   = 5 * time.Second        // what it gets when only the address changes
	portsToTry     = 100                    // with Single
)

// endpoint is one port that is served.
type endpoint struct {
	addr     netip.AddrPort // bound
	listener net.Listener
	server   *http.Server
	stop     chan struct{} // closed when event streams must end
	stopOnce sync.Once
	tls      bool
}

// live is the state of a running Serve.
type live struct {
	plain, secure *endpoint
	errs          chan error
	wg            sync.WaitGroup
}

func (l *live) endpoints() []*endpoint {
	var eps []*endpoint
	for _, ep := range []*endpoint{l.plain, l.secure} {
		if ep != nil {
			eps = append(eps, ep)
		}
	}
	return eps
}

// Run listens and serves until ctx ends. The error names the operation that failed.
func (s *Server) Run(ctx context.Context) error {
	cfg := s.cfg.Load()
	plain, err := listenPlain(ctx, cfg)
	if err != nil {
		return err
	}
	var secure net.Listener
	if !cfg.Single && cfg.HTTPS.IsValid() {
		if secure, err = listen(ctx, cfg.HTTPS); err != nil {
			plain.Close()
			return err
		}
	}
	return s.Serve(ctx, plain, secure)
}

// Serve serves on the given listeners, which it closes, until ctx ends; secure gets TLS with the box's certificate and
// may be nil. When ctx ends, event streams are cut and other requests get 0.7 s to finish.
func (s *Server) Serve(ctx context.Context, plain, secure net.Listener) error {
	l := &live{errs: make(chan error, 8)}
	s.mu.Lock()
	if s.live != nil {
		s.mu.Unlock()
		plain.Close()
		if secure != nil {
			secure.Close()
		}
		return errors.New("serving the page: it is served already")
	}
	if secure != nil {
		s.cert.renew(s.cfg.Load(), s.deps.Log)
		l.secure = s.start(l, secure, true)
	}
	l.plain = s.start(l, plain, false)
	s.live = l
	s.mu.Unlock()
	s.readyOnce.Do(func() { close(s.ready) })
	s.deps.Log.Info("serving the page", "url", s.URL())

	var err error
	select {
	case <-ctx.Done():
	case err = <-l.errs:
	}
	s.mu.Lock()
	s.live = nil
	eps := l.endpoints()
	s.mu.Unlock()
	for _, ep := range eps {
		l.wg.Go(func() { ep.shutdown(shutdownTime) })
	}
	l.wg.Wait()
	return err
}

// Apply takes new settings. Ports whose address changed are opened anew before the old ones close; requests in flight,
// among them the one that changed the settings, are finished. The error tells which address could not be had; the page
// then goes on where it was.
func (s *Server) Apply(cfg Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.cfg.Load()
	if s.live != nil {
		if cfg.Single != old.Single {
			return errors.New("applying the page's settings: the single port can only be chosen at start")
		}
		if err := s.rebind(old, &cfg); err != nil {
			return fmt.Errorf("applying the page's settings: %w", err)
		}
		if !cfg.Single {
			s.cert.renew(&cfg, s.deps.Log)
		}
	}
	s.cfg.Store(&cfg)
	return nil
}

// rebind moves the ports whose configured address changed; s.mu is held.
func (s *Server) rebind(old, cfg *Config) error {
	if cfg.HTTP != old.HTTP {
		ep, err := s.move(s.live.plain, cfg.HTTP, false)
		if err != nil {
			return err
		}
		s.live.plain = ep
	}
	if !cfg.Single && cfg.HTTPS != old.HTTPS && s.live.secure != nil {
		ep, err := s.move(s.live.secure, cfg.HTTPS, true)
		if err != nil {
			return err
		}
		s.live.secure = ep
	}
	return nil
}

// move opens addr and lets the old endpoint finish in the background. Where the two overlap (the any address and one
// of the box) the old one has to go first.
func (s *Server) move(old *endpoint, addr netip.AddrPort, secure bool) (*endpoint, error) {
	ln, err := listen(context.Background(), addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		old.markStopping()
		old.listener.Close()
		ln, err = listen(context.Background(), addr)
		if err != nil { // put the old one back
			again, errAgain := listen(context.Background(), old.addr)
			if errAgain != nil {
				return nil, errors.Join(err, errAgain)
			}
			s.retire(old)
			if ep := s.start(s.live, again, secure); secure {
				s.live.secure = ep
			} else {
				s.live.plain = ep
			}
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	s.retire(old)
	return s.start(s.live, ln, secure), nil
}

func (s *Server) retire(ep *endpoint) {
	s.live.wg.Go(func() { ep.shutdown(handoverTime) })
}

// start serves ln in the background; s.mu is held.
func (s *Server) start(l *live, ln net.Listener, secure bool) *endpoint {
	ep := &endpoint{addr: listenerAddr(ln), listener: ln, stop: make(chan struct{}), tls: secure}
	handler := s.plain
	if secure {
		handler = s.secure
	}
	ep.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// Failed handshakes are what browsers do before a person accepts the certificate.
		ErrorLog: slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stopKey{}, (<-chan struct{})(ep.stop))
		},
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.cert.get},
	}
	ln = newConnections(ln, maxConns, maxOfHost, s.tooMany)
	l.wg.Go(func() {
		var err error
		if secure {
			err = ep.server.ServeTLS(ln, "", "")
		} else {
			err = ep.server.Serve(ln)
		}
		select {
		case <-ep.stop: // asked to
		default:
			if err != nil && !errors.Is(err, http.ErrServerClosed) {
				l.errs <- fmt.Errorf("serving the page on %s: %w", ep.addr, err)
			}
		}
	})
	return ep
}

func (e *endpoint) markStopping() { e.stopOnce.Do(func() { close(e.stop) }) }

// shutdown ends event streams at once, waits for other requests and cuts them after d.
func (e *endpoint) shutdown(d time.Duration) {
	e.markStopping()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if e.server.Shutdown(ctx) != nil {
		e.server.Close()
	}
}

// probe asks for /alive through the socket.
func (e *endpoint) probe(ctx context.Context, cert *certificate) error {
	target := e.addr
	if target.Addr().IsUnspecified() {
		target = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), target.Port())
	}
	scheme := "http"
	transport := &http.Transport{DisableKeepAlives: true, Proxy: nil}
	if e.tls {
		scheme = "https"
		// The certificate is our own and must be exactly that one, whatever the clock says of its dates.
		transport.TLSClientConfig = &tls.Config{
			InsecureSkipVerify: true, // #nosec: VerifyConnection compares the bytes
			VerifyConnection:   cert.isOurs,
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+target.String()+"/alive", nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("it answered %d, wanted %d", resp.StatusCode, http.StatusNoContent)
	}
	return nil
}

// stopKey is the context key of the channel that ends event streams.
type stopKey struct{}

// stopping returns the channel that is closed when event streams must end; nil outside of Serve.
func stopping(r *http.Request) <-chan struct{} {
	ch, _ := r.Context().Value(stopKey{}).(<-chan struct{})
	return ch
}

// listenPlain opens the plain port; with Single the next free one from the configured on.
func listenPlain(ctx context.Context, cfg *Config) (net.Listener, error) {
	ln, err := listen(ctx, cfg.HTTP)
	if !cfg.Single || cfg.HTTP.Port() == 0 {
		return ln, err
	}
	for i := 1; i < portsToTry && errors.Is(err, syscall.EADDRINUSE) && int(cfg.HTTP.Port())+i <= 65535; i++ {
		ln, err = listen(ctx, netip.AddrPortFrom(cfg.HTTP.Addr(), cfg.HTTP.Port()+uint16(i)))
	}
	return ln, err
}

// listen opens a TCP port. The address may not be on the interface yet: it can come with the cable.
func listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
	}}
	ln, err := lc.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return ln, nil
}

func listenerAddr(ln net.Listener) netip.AddrPort {
	ap, err := netip.ParseAddrPort(ln.Addr().String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// hostPort joins a host and a port and leaves the scheme's own port out.
func hostPort(host string, port, usual uint16) string {
	if port == usual {
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
