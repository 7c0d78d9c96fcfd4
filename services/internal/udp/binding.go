package udp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// Binding is the socket of a server over the server's life: [Binding.Run] binds and serves it, [Binding.Move] goes to
// another address without a moment in which none is bound. It is safe for concurrent use.
type Binding struct {
	ready chan struct{}
	once  sync.Once

	mu      sync.Mutex
	cfg     ListenConfig
	running bool
	conn    *Conn              // the one that is served
	next    *Conn              // bound by Move, to be served next
	end     context.CancelFunc // ends the serving of conn
}

// NewBinding makes a Binding that is not bound yet.
func NewBinding(cfg ListenConfig) *Binding {
	return &Binding{cfg: cfg, ready: make(chan struct{})}
}

// Run binds and calls serve, again for each socket that Move brings, until ctx ends (nil) or serve fails. No socket is
// open when it has returned, or panicked with serve; it may be called again then.
func (b *Binding) Run(ctx context.Context, serve func(context.Context, *Conn) error) error {
	if err := b.bind(ctx); err != nil {
		return err
	}
	defer b.release()
	for {
		sctx, conn := b.begin(ctx)
		err := serve(sctx, conn)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case !b.advance():
			return fmt.Errorf("serving on %s: ended without a reason", conn.LocalAddr())
		}
	}
}

// Move changes the settings. Only another address binds a new socket; the old one is served until that is done and
// closed then. While Run does not run, Move only remembers. On an error the old settings stay in force.
func (b *Binding) Move(cfg ListenConfig) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		b.cfg = cfg
		return nil
	}
	same := b.cfg
	same.Interface = cfg.Interface
	if cfg == same {
		b.conn.SetInterface(cfg.Interface)
		if b.next != nil {
			b.next.SetInterface(cfg.Interface)
		}
		b.cfg = cfg
		return nil
	}
	conn, err := Listen(context.Background(), cfg)
	if err != nil {
		return err
	}
	if b.next != nil {
		_ = b.next.Close()
	}
	b.next, b.cfg = conn, cfg
	b.end()
	return nil
}

// Ready is closed once a socket was bound for the first time.
func (b *Binding) Ready() <-chan struct{} { return b.ready }

// Addr returns the address that is bound, or the zero value.
func (b *Binding) Addr() netip.AddrPort {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.next != nil:
		return b.next.LocalAddr()
	case b.conn != nil:
		return b.conn.LocalAddr()
	}
	return netip.AddrPort{}
}

func (b *Binding) bind(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running {
		return errors.New("running a server that runs already")
	}
	conn, err := Listen(ctx, b.cfg)
	if err != nil {
		return err
	}
	b.running, b.conn, b.end = true, conn, func() {}
	b.once.Do(func() { close(b.ready) })
	return nil
}

// begin gives the socket that is to be served, with a context that Move can end.
func (b *Binding) begin(ctx context.Context) (context.Context, *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sctx, cancel := context.WithCancel(ctx)
	b.end = cancel
	if b.next != nil {
		cancel()
	}
	return sctx, b.conn
}

// advance goes over to the socket that Move brought, if there is one.
func (b *Binding) advance() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		return false
	}
	b.end()
	_ = b.conn.Close()
	b.conn, b.next = b.next, nil
	return true
}

func (b *Binding) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	for _, c := range []*Conn{b.conn, b.next} {
		if c != nil {
			_ = c.Close()
		}
	}
	b.running, b.conn, b.next = false, nil, nil
}
