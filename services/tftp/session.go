package tftp

import (
	"context"
	"net/netip"
	"time"

	"phonebox/services/internal/udp"
)

// incoming is a read request with how it came.
type incoming struct {
	request
	raw   string // to tell the same request from another one, and for the fuzz corpus
	from  netip.AddrPort
	local netip.Addr // where it was sent to: the answer comes from there; not valid = the kernel chooses
	conn  *udp.Conn  // the socket that it came in on: errors are sent from there
	cfg   *Config    // at that moment

	arrived time.Time // when the kernel received it, by the monotonic clock, or when it was read
	unsure  bool      // it may be a repetition of the one before, which is over: it came at the same time as the answer
}

// tid is a client's address and port in eight bytes.
type tid uint64

func tidOf(a netip.AddrPort) tid {
	b := a.Addr().Unmap().As4()
	return tid(b[0])<<40 | tid(b[1])<<32 | tid(b[2])<<24 | tid(b[3])<<16 | tid(a.Port())
}

// phase is how far a session is.
type phase uint8

const (
	opening phase = iota // its file is opened by a worker, or waits for one
	waiting              // its file is open, and it waits until there is room for an image
	running              // its transfer runs
	over                 // it is in no list any more
)

// session is one request of a client's port: what becomes of it until its transfer is over. All of it is guarded by the
// server's lock, but for what never changes and what only the worker that opens its file uses.
type session struct {
	in    *incoming
	id    uint64    // the number of its transfer
	began time.Time // when the request came
	probe bool      // a health probe, which has room of its own

	phase    phase
	next     *incoming          // a request that came from the port while the file was being opened: it replaces this one
	again    *incoming          // the same request came again while the transfer ran, and no ACK since
	stop     bool               // the server stops
	cancel   context.CancelFunc // ends the opening of the file; nil while that has not begun
	file     File
	image    bool      // it is one of the images that are counted
	ending   bool      // its last block was sent
	answered time.Time // when the first packet was sent, then when the last block was: what arrived before is no new request
	asked    time.Time // when the client asked last
	active   time.Time // when data was last acknowledged; zero = never
	transfer *transfer // from the moment in which it runs

	// Its place among the sessions that never acknowledged anything, or among those that wait.
	list         *queue
	before, past *session
}

// same reports whether a request is the one that is being served, sent again. When data was acknowledged and then
// nothing for stale, it is a new one (phones.md a.8: ports come back).
func (s *session) same(in *incoming, now time.Time, stale time.Duration) bool {
	quiet := !s.active.IsZero() && now.Sub(s.active) >= stale
	return s.next == nil && in.raw == s.in.raw && !quiet
}

// ended says why the session is to end although its transfer is not over, or "".
func (s *session) ended() string {
	switch {
	case s.stop:
		return "phonebox is stopping"
	case s.next != nil:
		return replacedBy(s.in, s.next)
	}
	return ""
}

func replacedBy(old, in *incoming) string {
	if in.raw == old.raw {
		return "the client asked for the file from its start again"
	}
	return "the client asked for another file from the same port"
}

// queue is a list of sessions, the oldest first, of which each is in one at most.
type queue struct {
	first, last *session
	len         int
}

func (q *queue) add(s *session) {
	s.list, s.before, s.past = q, q.last, nil
	if q.last == nil {
		q.first = s
	} else {
		q.last.past = s
	}
	q.last = s
	q.len++
}

// leave takes a session out of the list that it is in, if it is in one.
func (s *session) leave() {
	q := s.list
	if q == nil {
		return
	}
	if s.before == nil {
		q.first = s.past
	} else {
		s.before.past = s.past
	}
	if s.past == nil {
		q.last = s.before
	} else {
		s.past.before = s.before
	}
	s.list, s.before, s.past = nil, nil, nil
	q.len--
}

// remembered bounds the memory of clients' ports: the last so many are kept, and at most twice as many.
const remembered = 1 << 15

// ports remembers at which of our ports the last transfer of each client's port was, for at least rememberFor or, in a
// flood, the last 32,768 of them. The next transfer of that port is put to another one, so that no late packet is taken
// for one of it; and who sends such a late packet is no stranger.
type ports struct {
	now, last map[tid]uint8
	turned    time.Time
}

const rememberFor = time.Minute

func (p *ports) put(key tid, lane uint8, now time.Time) {
	if p.now == nil {
		p.now, p.last, p.turned = make(map[tid]uint8), make(map[tid]uint8), now
	}
	if len(p.now) >= remembered || now.Sub(p.turned) >= rememberFor {
		p.now, p.last, p.turned = p.last, p.now, now
		clear(p.now)
	}
	p.now[key] = lane
}

func (p *ports) get(key tid) (lane uint8, ok bool) {
	if lane, ok = p.now[key]; !ok {
		lane, ok = p.last[key]
	}
	return lane, ok
}
