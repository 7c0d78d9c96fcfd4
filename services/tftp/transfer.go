package tftp

import (
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/internal/udp"
)

const (
	progressEvery = time.Second
	// quantum is how many packets of its window a transfer sends before others have their turn.
	quantum = 8
)

// notFound is the only answer to a file that cannot be had (phones.md a.8).
const notFound = "File not found"

// transfer is one file on its way to a client. It is guarded by the server's lock.
type transfer struct {
	sess     *session
	lane     *lane
	to       netip.AddrPort
	from     netip.Addr
	out      *udp.Outbox // while it sends
	memory   bool        // its blocks are read by whoever sends them, else by a worker
	reading  bool        // a worker reads blocks of it
	queued   bool        // it is among the turn's transfers that have more to send
	resends  int         // since the last ACK that was new
	sender   sender
	timers   timers
	progress time.Time // of the last event

	at    time.Time // when the keeper of time looks at it
	place int       // in the schedule; -1 = it is not there
}

func (s *Server) newTransfer(sess *session, now time.Time) *transfer {
	agreed, options := negotiate(sess.in.request, sess.file.Size)
	var oack []byte
	if options != nil {
		oack = oackPacket(options)
	}
	t := &transfer{sess: sess, to: sess.in.from, from: sess.in.local, memory: sess.file.inMemory(), progress: now, place: -1}
	t.timers = newTimers(*sess.in.cfg, agreed, now)
	if sess.in.unsure {
		t.timers.giveUp = min(t.timers.giveUp, 4*t.timers.longest) // a client that is there asks again by then
	}
	t.sender = newSender(sess.file, sess.in.mode, agreed, oack, t.emit)
	return t
}

// emit puts a packet where it is sent from.
func (t *transfer) emit(b []byte) { t.out.Add(t.to, t.from, b) }

// send sends what the client waits for, from the last block that it acknowledged on.
func (s *Server) send(u *turn, t *transfer) {
	if t.sess.list == &s.silent && !t.lane.conn.Clear(t.to.Addr()) {
		s.metrics.dropped.WithLabelValues(string(dropNeighbour)).Inc()
		s.finish(u, t.sess, EventDropped, "nobody is known to have its address, and much waits for such addresses already", nil)
		return
	}
	s.some(u, t)
	if t.sess.phase == running {
		t.timers.sent(u.now)
		s.attend(t)
	}
}

// some sends as much of the window as is a transfer's share of a turn; the rest follows in the next rounds. Files that are
// not in memory are left to a worker.
func (s *Server) some(u *turn, t *transfer) {
	if !t.memory && t.sender.acked >= 0 {
		s.readSoon(t)
		return
	}
	out := u.out(t.lane)
	share := min(quantum, t.sender.window)
	more := true
	if int64(out.Room()) >= share {
		var err error
		t.out, t.sender.buf = out, u.buf[:]
		more, err = t.sender.some(share)
		t.out, t.sender.buf = nil, nil
		if err != nil {
			s.broken(u, t, err)
			return
		}
		t.timers.sent(u.now)
		s.noteEnding(t)
	}
	if more && !t.queued {
		t.queued = true
		u.more = append(u.more, t)
	}
}

// ack takes an ACK of the client. Only ACKs that are new move the timers: a flood of others changes nothing.
func (s *Server) ack(u *turn, t *transfer, block uint16) {
	verdict := t.sender.ack(block)
	switch verdict {
	case ignore:
		return
	case repeat:
		t.timers.repeats()
	default:
		s.acked(u, t)
		if t.sender.acked < t.sender.highest {
			t.timers.repeats() // what follows the gap
		}
	}
	if verdict == done {
		if t.sess.next == nil {
			t.sess.next = t.sess.again // it came after the last ACK, as far as can be told: it is a new one
			if t.sess.next != nil {
				t.sess.next.unsure = true
			}
		}
		s.finish(u, t.sess, EventSent, "", nil)
		return
	}
	t.sess.again = nil
	s.send(u, t)
	if u.now.Sub(t.progress) >= progressEvery && t.sess.phase == running {
		t.progress = u.now
		u.ended = append(u.ended, ending{event: t.sess.event(EventProgress, u.now), probe: t.sess.probe})
	}
}

// acked notes an ACK that is new.
func (s *Server) acked(u *turn, t *transfer) {
	t.timers.progressed(u.now)
	t.resends = 0
	if t.sess.list == &s.silent {
		t.sess.leave() // somebody is there
		t.timers.giveUp = t.sess.in.cfg.GiveUp
	}
	if t.sender.acked > 0 {
		t.sess.active = u.now
	}
}

// broken ends a transfer whose file cannot be read any more; the client is told with the one code that it bears.
func (s *Server) broken(u *turn, t *transfer, err error) {
	if out := u.out(t.lane); out.Room() > 0 {
		out.Add(t.to, t.from, errorPacket(codeNotFound, notFound))
	}
	s.finish(u, t.sess, EventAborted, "the file could not be read", err)
}

// finish ends a session, whatever phase it is in, and leaves its last event to the turn. A request that replaces it takes
// its place.
func (s *Server) finish(u *turn, sess *session, kind EventKind, reason string, err error) {
	now := time.Now()
	e := sess.event(kind, now)
	e.Reason, e.Err = reason, err
	u.ended = append(u.ended, ending{event: e, probe: sess.probe, close: sess.file.Close})
	s.count(sess, kind)
	s.remember(sess, kind, now)
	s.leave(sess)
	if sess.next != nil && !s.stopping {
		s.enter(sess.next, now)
	}
	s.letIn(now)
}

// remember remembers the request of a session that was answered. Of one that broke off nothing is known: what its client asks
// may be how it goes on.
func (s *Server) remember(sess *session, kind EventKind, now time.Time) {
	switch {
	case sess.probe:
	case kind == EventSent:
		s.recent.put(tidOf(sess.in.from), answer{sess.in.raw, sess.answered})
	case kind == EventMissing:
		s.recent.put(tidOf(sess.in.from), answer{sess.in.raw, now}) // the ERROR follows
	}
}

// count counts a session that is over.
func (s *Server) count(sess *session, kind EventKind) {
	switch kind {
	case EventSent:
		s.metrics.sent.Inc()
	case EventAborted:
		s.metrics.aborted.Inc()
	case EventMissing:
		s.metrics.missing.Inc()
	default:
	}
	if t := sess.transfer; t != nil {
		s.metrics.bytes.Add(float64(t.sender.bytes()))
		s.metrics.retransmits.Add(float64(t.sender.resent))
	}
}

// event fills in what is the same in all events of a transfer.
func (sess *session) event(kind EventKind, now time.Time) Event {
	e := Event{
		Kind: kind, Time: now, Transfer: sess.id, From: sess.in.from, Name: sess.in.name, Size: sess.file.Size,
		Took: now.Sub(sess.began),
	}
	if t := sess.transfer; t != nil {
		e.Bytes, e.Retransmits = t.sender.bytes(), t.sender.resent
	}
	return e
}

func nothingAcked(giveUp time.Duration) string {
	return fmt.Sprintf("nothing was acknowledged for %v", giveUp)
}
