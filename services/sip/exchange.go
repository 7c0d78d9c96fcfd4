package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/emiago/sipgo/sip"

	"phonebox/services/internal/udp"
)

// maxPending bounds the exchanges that wait for an answer at once.
const maxPending = 256

// ErrSilent says that the phone did not answer in time.
var ErrSilent = errors.New("no answer")

var (
	errNotServing = errors.New("sip is not running")
	errBusy       = errors.New("too many exchanges are open")
)

// pending is a request that waits for its answer.
type pending struct {
	method  sip.RequestMethod
	peer    netip.Addr
	answers chan answer // room for one provisional and one final answer
}

// Ask sends OPTIONS to a phone and reports what came of it (EventAlive, EventSilent). nil says that its SIP
// application runs: it answered, whatever it said. The error wraps [ErrSilent] where it did not answer.
func (c *Client) Ask(ctx context.Context, to Target) error {
	_, err := c.exchange(ctx, sip.OPTIONS, to)
	return err
}

// Restart sends NOTIFY with Event check-sync, after which the phone reads syncinfo.xml and restarts when that says so
// (phones.md f.1), and reports what came of it (EventNotified, EventSilent). It returns the code of the answer; the
// error wraps [ErrSilent] where there was none.
func (c *Client) Restart(ctx context.Context, to Target) (int, error) {
	a, err := c.exchange(ctx, sip.NOTIFY, to)
	return a.code, err
}

// exchange sends a request, waits for the answer, counts and reports.
func (c *Client) exchange(ctx context.Context, method sip.RequestMethod, to Target) (answer, error) {
	if to.Address.Port() == 0 {
		to.Address = netip.AddrPortFrom(to.Address.Addr(), defaultPort)
	}
	began := time.Now()
	a, err := c.attempt(ctx, method, to)
	e := Event{Time: time.Now(), MAC: to.MAC, Address: to.Address, Code: a.code, UserAgent: a.userAgent}
	e.Took = e.Time.Sub(began)
	result := "answered"
	switch {
	case err == nil && method == sip.OPTIONS:
		e.Kind = EventAlive
	case err == nil:
		e.Kind = EventNotified
	case errors.Is(err, ErrSilent):
		result = "silent"
		e.Kind, e.Reason = EventSilent, "the phone did not answer "+words(method)
	default:
		result = "failed"
	}
	c.metrics.exchanges.WithLabelValues(string(method), result).Inc()
	if e.Kind != "" {
		c.deps.Report(e)
	}
	if err != nil {
		return answer{}, fmt.Errorf("sending %s to %s: %w", words(method), to.Address, err)
	}
	return a, nil
}

// words names a request for people.
func words(method sip.RequestMethod) string {
	if method == sip.NOTIFY {
		return "check-sync"
	}
	return string(method)
}

// attempt does the exchange on the present socket, and once more where the socket was replaced meanwhile: the answer
// went to the old one. A panic becomes an error.
func (c *Client) attempt(ctx context.Context, method sip.RequestMethod, to Target) (a answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			c.panics.Panicked(v, debug.Stack(), nil)
			a, err = answer{}, errors.New("a fault in this program")
		}
	}()
	if c.panicNext.CompareAndSwap(true, false) {
		panic("planted by a test")
	}
	for range 2 {
		cfg, conn := c.settings()
		if conn == nil {
			return answer{}, errNotServing
		}
		a, err = c.transact(ctx, conn, cfg.Timeout, outgoing{
			method: method, to: to.Address,
			write: func(from netip.AddrPort, branch string) *sip.Request { return request(method, from, to, branch) },
		})
		if _, now := c.settings(); err == nil || ctx.Err() != nil || now == conn {
			break
		}
	}
	return a, err
}

// outgoing is a request that is to be sent.
type outgoing struct {
	method sip.RequestMethod
	to     netip.AddrPort
	write  func(from netip.AddrPort, branch string) *sip.Request // called once
}

// transact is one client transaction over UDP (RFC 3261 section 17.1.2).
func (c *Client) transact(ctx context.Context, conn *udp.Conn, timeout time.Duration, out outgoing) (answer, error) {
	branch := branchCookie + token()
	p := &pending{method: out.method, peer: out.to.Addr(), answers: make(chan answer, 2)}
	if err := c.await(branch, p); err != nil {
		return answer{}, err
	}
	defer c.forget(branch)
	packet := udp.Reply{Payload: []byte(out.write(conn.LocalAddr(), branch).String()), To: out.to}
	if err := conn.Send(packet); err != nil {
		return answer{}, err
	}
	over := time.NewTimer(timeout)
	defer over.Stop()
	pause := timeout / 6
	again := time.NewTimer(pause)
	defer again.Stop()
	var provisional answer
	for {
		select {
		case a := <-p.answers:
			if a.code >= 200 {
				return a, nil
			}
			provisional = a
			again.Stop() // it has the request
		case <-again.C:
			if err := conn.Send(packet); err != nil {
				return answer{}, err
			}
			pause *= 2
			again.Reset(pause)
		case <-over.C:
			if provisional.code != 0 {
				return provisional, nil
			}
			return answer{}, ErrSilent
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// await has answers to a request delivered.
func (c *Client) await(branch string, p *pending) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) >= maxPending {
		return errBusy
	}
	c.pending[branch] = p
	return nil
}

func (c *Client) forget(branch string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, branch)
}

// deliver hands an answer to who waits for it, or says why nobody does. The phone may answer from any port of its
// address (phones.md f.2), but not from another address.
func (c *Client) deliver(p *udp.Packet, a answer) (reason, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.pending[a.branch]
	switch {
	case w == nil || w.method != a.method:
		return dropUnexpected, "it answers nothing that the box asks now"
	case w.peer != p.From.Addr():
		return dropForeign, fmt.Sprintf("it answers what the box asked %s", w.peer)
	}
	select {
	case w.answers <- a:
	default: // an answer to each repetition; one is enough
	}
	return "", ""
}
