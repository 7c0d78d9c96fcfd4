package tftp

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/internal/udp"
)

// incoming is a read request with how it came.
type incoming struct {
	request
	raw   []byte // to tell the same request from another one, and for the fuzz corpus
	from  netip.AddrPort
	local netip.Addr // where it was sent to: the answer comes from there; not valid = the kernel chooses
	conn  *udp.Conn  // the socket that it came in on: errors are sent from there
	cfg   Config     // at that moment
}

// session is one port of a client with its one goroutine: a transfer, and after it the next one if the client asked for
// another file from the same port meanwhile. The receive loop signals it; its goroutine waits in a read, which a signal
// interrupts by the read deadline.
type session struct {
	from   netip.AddrPort
	probe  bool         // a health probe, which has room of its own
	active atomic.Int64 // when data was last acknowledged, in Unix nanoseconds; 0 = never

	mu     sync.Mutex
	raw    []byte             // the request that is being served
	next   *incoming          // the request that ends it
	again  bool               // the same request came again
	over   bool               // the transfer is: the same request would be a new one
	stop   bool               // the server stops
	conn   *net.UDPConn       // of the transfer; nil while there is none
	cancel context.CancelFunc // ends the opening of the file
}

// request takes a request from the session's port: the same one asks for the last packet again; another one, or the
// same one when data was acknowledged and then nothing for stale, ends the transfer (phones.md a.8: ports come back).
func (s *session) request(in *incoming, stale time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	active := s.active.Load()
	quiet := active != 0 && time.Since(time.Unix(0, active)) >= stale
	if s.next == nil && !s.over && string(in.raw) == string(s.raw) && !quiet {
		s.again = true
	} else {
		s.next = in
		s.cancel()
	}
	s.interrupt()
}

// end stops the session for good.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = true
	s.cancel()
	s.interrupt()
}

func (s *session) interrupt() {
	if s.conn != nil {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// begin returns the context in which the file of the session's request is opened.
func (s *session) begin(ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, s.cancel = context.WithTimeout(ctx, openTimeout)
	if s.stop || s.next != nil {
		s.cancel()
	}
	return ctx
}

// following makes the session serve the request that came meanwhile, if there is one.
func (s *session) following() *incoming {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.next
	if next == nil || s.stop {
		return nil
	}
	s.active.Store(0)
	s.raw, s.next, s.again, s.over = next.raw, nil, false, false
	return next
}

// finished notes that the transfer is over: its socket, which the caller closes, is not interrupted any more.
func (s *session) finished() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.over = nil, true
	s.cancel()
}

// use makes conn the socket that signals interrupt.
func (s *session) use(conn *net.UDPConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
}

// arm lets a read on the session's socket wait until then, unless a signal is waiting.
func (s *session) arm(until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again || s.stop || s.next != nil {
		until = time.Unix(1, 0)
	}
	return s.conn.SetReadDeadline(until)
}

// signals returns what came since the last call; over is a sentence that says why the transfer is, or "".
func (s *session) signals() (again bool, over string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	again, s.again = s.again, false
	switch {
	case s.stop:
		over = "phonebox is stopping"
	case s.next != nil && string(s.next.raw) == string(s.raw):
		over = "the client asked for the file from its start again"
	case s.next != nil:
		over = "the client asked for another file from the same port"
	}
	return again, over
}
