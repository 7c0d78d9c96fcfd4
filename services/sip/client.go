package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/emiago/sipgo/sip"

	"phonebox/services/internal/udp"
)

// Client asks phones and restarts them. Its methods may be called from anywhere.
type Client struct {
	deps    Deps
	metrics *metrics
	panics  *udp.PanicLog
	binding *udp.Binding
	reader  *sip.Parser
	changed chan struct{} // the settings are other ones: the next round is due

	panicNext atomic.Bool

	mu      sync.Mutex
	cfg     Config
	conn    *udp.Conn // nil while nothing is served
	pending map[string]*pending
}

// New makes a client; no socket is opened before Run.
func New(cfg Config, deps Deps) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sip settings: %w", err)
	}
	if deps.Targets == nil || deps.Log == nil || deps.Report == nil {
		return nil, errors.New("sip: targets, a logger and a report are required")
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	return &Client{
		deps: deps, metrics: m, cfg: cfg.withDefaults(),
		panics:  udp.NewPanicLog(deps.Log, func() { m.dropped.WithLabelValues(dropPanic).Inc() }),
		binding: udp.NewBinding(listenConfig(cfg)),
		reader:  newReader(),
		changed: make(chan struct{}, 1),
		pending: make(map[string]*pending),
	}, nil
}

func listenConfig(cfg Config) udp.ListenConfig { return udp.ListenConfig{Addr: cfg.Listen} }

// Run binds Config.Listen and serves it until ctx ends (nil); the error names the operation. It may be called again
// after it returned.
func (c *Client) Run(ctx context.Context) error { return c.binding.Run(ctx, c.Serve) }

// Serve asks the targets in rounds and takes the answers in, on a socket that the caller opened and closes. It returns
// nil when ctx ends, else why receiving failed.
func (c *Client) Serve(ctx context.Context, conn *udp.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	c.setConn(conn)
	var rounds sync.WaitGroup
	rounds.Go(func() { c.askRounds(ctx) })
	defer func() {
		c.setConn(nil)
		cancel()
		rounds.Wait()
	}()
	return udp.Serve(ctx, conn, c.handle, udp.Hooks{
		Panicked: c.panics.Panicked,
		SendError: func(r udp.Reply, err error) {
			c.deps.Log.Debug("sending an answer", "peer", r.To, "err", err)
		},
	})
}

// Apply takes new settings over; only another Listen binds a new socket. On an error the old ones stay.
func (c *Client) Apply(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("sip settings: %w", err)
	}
	if err := c.binding.Move(listenConfig(cfg)); err != nil {
		return err
	}
	c.mu.Lock()
	c.cfg = cfg.withDefaults()
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return nil
}

// Ready is closed once the socket was bound for the first time.
func (c *Client) Ready() <-chan struct{} { return c.binding.Ready() }

// Addr returns the bound address once ready.
func (c *Client) Addr() netip.AddrPort { return c.binding.Addr() }

// PanicNext is for the end-to-end test: the next exchange with a phone panics inside, and the client must survive it.
func (c *Client) PanicNext() { c.panicNext.Store(true) }

func (c *Client) settings() (Config, *udp.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg, c.conn
}

func (c *Client) setConn(conn *udp.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
}
