package dns

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	dotIdle     = 30 * time.Second // a connection without a question is closed after that (RFC 7858 section 3.4)
	dotPipeline = 128              // questions that may wait on one connection
	dotPadding  = 128              // questions are filled up to a multiple of that, in bytes (RFC 8467 section 4.1)
)

var errLost = errors.New("the connection was closed")

// dot asks one server over TLS. There is one connection at a time: it stays open between questions, which need not wait
// for each other's answers (RFC 7858 section 3.4).
type dot struct {
	up     Upstream
	server *Server
	config *tls.Config

	dialing chan struct{} // holds a token while one makes a connection
	mu      sync.Mutex
	conn    *dotConn
}

func newDoT(up Upstream, s *Server) *dot {
	return &dot{up: up, server: s, dialing: make(chan struct{}, 1), config: &tls.Config{
		ServerName: up.TLSName, RootCAs: s.roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"dot"},
		ClientSessionCache: tls.NewLRUClientSessionCache(2),
		Time:               func() time.Time { now, _ := s.time(); return now },
	}}
}

// datesError says that a certificate is right but for its dates, while the box does not know the time.
type datesError struct{ err error }

func (e datesError) Error() string {
	return "its certificate does not fit the time of the box, which is not trusted yet: " + e.err.Error()
}

func (e datesError) Unwrap() error { return e.err }

// exchange asks over the connection that is open, or a new one. A server may close an idle connection at any moment, so
// a question that got no answer for that is sent once more.
func (d *dot) exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	c, used, err := d.connection(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", d.up, err)
	}
	resp, err := c.exchange(ctx, q)
	if used && errors.Is(err, errLost) && ctx.Err() == nil {
		if c, _, err = d.connection(ctx); err == nil {
			resp, err = c.exchange(ctx, q)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", d.up, err)
	}
	return resp, nil
}

// connection returns the connection that is open, or makes one; used says that it is not new.
func (d *dot) connection(ctx context.Context) (c *dotConn, used bool, err error) {
	select {
	case d.dialing <- struct{}{}:
		defer func() { <-d.dialing }()
	case <-ctx.Done():
		return nil, false, fmt.Errorf("waiting for a connection: %w", ctx.Err())
	}
	d.mu.Lock()
	c = d.conn
	d.mu.Unlock()
	if c != nil && !c.closed() {
		return c, true, nil
	}
	if c, err = d.dial(ctx); err != nil {
		return nil, false, err
	}
	d.mu.Lock()
	d.conn = c
	d.mu.Unlock()
	return c, false, nil
}

func (d *dot) dial(ctx context.Context) (*dotConn, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", d.up.Addr.String())
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, d.config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		if _, trusted := d.server.time(); !trusted && d.onlyDates(err) {
			return nil, datesError{err}
		}
		return nil, err
	}
	dc := &dotConn{conn: &dns.Conn{Conn: c}, waiting: map[uint16]chan *dns.Msg{}, gone: make(chan struct{})}
	dc.server = d.server
	go dc.read()
	return dc, nil
}

// onlyDates reports whether a certificate was refused for nothing but its dates: at a time at which it is valid, it is
// of that server, and an authority that is trusted says so.
func (d *dot) onlyDates(err error) bool {
	var refused *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &refused) || !errors.As(err, &invalid) || invalid.Reason != x509.Expired || len(refused.UnverifiedCertificates) == 0 {
		return false
	}
	leaf, between := refused.UnverifiedCertificates[0], x509.NewCertPool()
	for _, cert := range refused.UnverifiedCertificates[1:] {
		between.AddCert(cert)
	}
	for _, at := range []time.Time{leaf.NotBefore.Add(time.Second), leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2), leaf.NotAfter.Add(-time.Second)} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: d.up.TLSName, Roots: d.server.roots, Intermediates: between, CurrentTime: at}); err == nil {
			return true
		}
	}
	return false
}

// close ends the connection, if there is one; questions that wait are answered by nobody.
func (d *dot) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.conn.close(errLost)
	}
}

// dotConn is a connection with the questions that wait on it.
type dotConn struct {
	server *Server
	conn   *dns.Conn
	write  sync.Mutex

	mu      sync.Mutex
	waiting map[uint16]chan *dns.Msg
	heard   uint64 // answers that came
	gone    chan struct{}
	err     error
	over    bool
}

// exchange sends a question and waits for its answer. The error is errLost when the connection ended first.
func (c *dotConn) exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	q = pad(q)
	answer, err := c.enter(q)
	if err != nil {
		return nil, err
	}
	defer c.leave(q.Id)
	heard := c.hasHeard()
	c.write.Lock()
	deadline, _ := ctx.Deadline()
	_ = c.conn.SetWriteDeadline(deadline)
	_ = c.conn.SetReadDeadline(time.Now().Add(dotIdle))
	err = c.conn.WriteMsg(q)
	c.write.Unlock()
	if err != nil {
		c.close(err)
		return nil, fmt.Errorf("%w: %w", errLost, err)
	}
	select {
	case resp := <-answer:
		if !answers(resp, q) {
			c.server.metrics.ignored.WithLabelValues("mismatch").Inc()
			return nil, errors.New("the answer is not to this question")
		}
		return resp, nil
	case <-c.gone:
		return nil, fmt.Errorf("%w: %w", errLost, c.err)
	case <-ctx.Done():
		if c.hasHeard() == heard {
			// The server may be gone without a word; the next question shall not wait for this connection.
			c.close(errLost)
		}
		return nil, ctx.Err()
	}
}

// enter gives the question an id that no other question on this connection has.
func (c *dotConn) enter(q *dns.Msg) (chan *dns.Msg, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, errLost
	}
	if len(c.waiting) >= dotPipeline {
		return nil, errCrowded
	}
	for c.waiting[q.Id] != nil {
		q.Id = dns.Id()
	}
	answer := make(chan *dns.Msg, 1)
	c.waiting[q.Id] = answer
	return answer, nil
}

func (c *dotConn) leave(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// read hands the answers out until the connection ends or is idle for long.
func (c *dotConn) read() {
	defer c.close(errLost)
	defer c.server.panics.Recover(nil)
	for {
		resp, err := c.conn.ReadMsg()
		if err != nil {
			c.close(err)
			return
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(dotIdle))
		c.mu.Lock()
		c.heard++
		answer := c.waiting[resp.Id]
		delete(c.waiting, resp.Id)
		c.mu.Unlock()
		if answer != nil {
			answer <- resp
		} else {
			c.server.metrics.ignored.WithLabelValues("late").Inc()
		}
	}
}

func (c *dotConn) hasHeard() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

func (c *dotConn) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

func (c *dotConn) close(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over, c.err = true, why
	close(c.gone)
	_ = c.conn.Close()
}

// pad fills a question up, so that its length does not tell which name it is for (RFC 7830, RFC 8467).
func pad(q *dns.Msg) *dns.Msg {
	opt := q.IsEdns0()
	if opt == nil || len(opt.Option) > 0 {
		return q
	}
	const optionHeader = 4
	free := (q.Len() + optionHeader) % dotPadding
	opt.Option = append(opt.Option, &dns.EDNS0_PADDING{Padding: make([]byte, (dotPadding-free)%dotPadding)})
	return q
}
