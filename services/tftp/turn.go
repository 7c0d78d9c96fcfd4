package tftp

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync"
	"time"

	"phonebox/services/internal/udp"
)

// turn is what one holding of the server's lock leaves to be done after it: packets to send, events to report and files to
// close. Nothing that may wait, or that calls out, happens under the lock.
type turn struct {
	own   *lane // whose loop it is; nil = nobody's
	now   time.Time
	outs  [lanes]*udp.Outbox // of the lanes that something is to be sent from
	more  []*transfer        // those whose window was not sent as a whole
	spare []*transfer
	ended []ending
	buf   [4 + maxBlock]byte // where packets are made
}

// turns are those that nobody has: a request takes one, and hundreds of workers do.
var turns = sync.Pool{New: func() any { return new(turn) }}

// newTurn returns a turn that is nobody's loop's.
func newTurn() *turn { return turns.Get().(*turn) }

// done gives a turn back that was concluded. One that panicked on the way is not given back.
func (u *turn) done() { turns.Put(u) }

// ending is an event of a session that is over, and its file.
type ending struct {
	event Event
	probe bool
	close func() error
}

// out is where packets of a lane are put during this turn.
func (u *turn) out(l *lane) *udp.Outbox {
	if u.own == l {
		return l.box
	}
	if u.outs[l.number] == nil {
		u.outs[l.number] = l.boxes.Get().(*udp.Outbox)
	}
	return u.outs[l.number]
}

// flush sends what the turn collected. A packet that cannot be sent is as good as one that is lost.
func (s *Server) flush(u *turn) {
	failed := func(error) { s.metrics.sendErrors.Inc() }
	if u.own != nil {
		u.own.box.Flush(failed)
	}
	for i, out := range u.outs {
		if out != nil {
			out.Flush(failed)
			s.lanes[i].boxes.Put(out)
			u.outs[i] = nil
		}
	}
}

// conclude does what the turn left to do. It is called without the lock.
func (s *Server) conclude(u *turn) {
	s.flush(u)
	for len(u.more) > 0 {
		s.mu.Lock()
		s.round(u)
		s.mu.Unlock()
		s.flush(u)
	}
	s.tell(u)
}

// round lets each transfer whose window was not sent as a whole send some more of it, in their order, so that none
// keeps the others waiting. It is called with the lock held.
func (s *Server) round(u *turn) {
	now := u.more
	u.more, u.spare = u.spare[:0], now
	for _, t := range now {
		t.queued = false
		if t.sess.phase == running {
			s.guarded(u, t, func() { s.some(u, t) })
		}
	}
	clear(now)
}

// guarded calls f for a transfer, with the lock held, and survives its panic: it costs that transfer alone.
func (s *Server) guarded(u *turn, t *transfer, f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(u, t.sess, v)
		}
	}()
	f()
}

// panicked ends the session that a panic was about. It is called with the lock held.
func (s *Server) panicked(u *turn, sess *session, value any) {
	s.panics.Panicked(value, debug.Stack(), []byte(sess.in.raw))
	if sess.phase != over {
		s.finish(u, sess, EventAborted, "phonebox made a mistake; its log says more", panicError(value))
	}
}

func panicError(value any) error { return fmt.Errorf("serving the file panicked: %v", value) }

// tell reports the sessions that are over and closes their files.
func (s *Server) tell(u *turn) {
	for i := range u.ended {
		e := &u.ended[i]
		if !e.probe {
			s.report(e.event)
		}
		if e.close != nil {
			s.close(e)
		}
	}
	clear(u.ended)
	u.ended = u.ended[:0]
}

// close closes the file of a session that is over. That may panic; who waits for the turn has no part in it.
func (s *Server) close(e *ending) {
	defer s.panics.Recover(nil)
	if err := e.close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		s.deps.Log.Warn("closing a file failed", "file", e.event.Name, "err", err)
	}
}

// report tells an event. Who is told may panic; the packet that it was about is gone by then.
func (s *Server) report(e Event) {
	defer s.panics.Recover(nil)
	s.deps.Report(e)
}
