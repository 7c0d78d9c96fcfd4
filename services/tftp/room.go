package tftp

import (
	"fmt"
	"time"
)

const (
	// imageSize is the size in bytes above which a file is an image: the loader is larger, and every configuration,
	// list and ring is smaller or not much larger.
	imageSize = 64 << 10
	// waitingPatience is how long an image waits for its turn while the client does not ask again. Phones ask every 4 s.
	waitingPatience = 10 * time.Second
	// resendsInCrowd is how often something is sent again to who never acknowledged anything, when there is a crowd.
	resendsInCrowd = 2
)

// crowded reports whether three of four places are taken.
func (s *Server) crowded() bool { return 4*s.others() > 3*s.cfg.MaxTransfers }

// others returns the number of sessions that are no probes.
func (s *Server) others() int { return len(s.sessions) - s.probes }

// accept takes a read request, which the kernel received at stamp: it begins a session, or is for the one that has the port.
func (s *Server) accept(in *incoming, stamp time.Time) {
	u := newTurn()
	u.now = time.Now()
	in.arrived = arrival(stamp, u.now)
	code, reason := func() (dropCode, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		in.cfg = s.cfg
		return s.admit(u, in)
	}()
	s.conclude(u)
	u.done()
	if code != "" {
		s.dropped(Event{From: in.from, Name: in.name, Reason: reason}, code)
	}
}

// admit does the work of accept; code and reason say why there is no room.
func (s *Server) admit(u *turn, in *incoming) (code dropCode, reason string) {
	key := tidOf(in.from)
	if sess := s.sessions[key]; sess != nil {
		return s.askedAgain(u, sess, in)
	}
	if s.recent.answered(key, in, 4*in.cfg.Resend) {
		return dropRepeated, repeated
	}
	probe := in.name == ProbeName
	of := s.clients[key>>16]
	switch {
	case s.stopping:
		return dropStopping, "phonebox is stopping"
	case probe && s.probes >= maxProbes:
		return dropTransfers, fmt.Sprintf("there are %d probes already", s.probes)
	case !probe && s.others() >= in.cfg.MaxTransfers && !s.makeRoom(u):
		return dropTransfers, fmt.Sprintf("there are %d transfers already", s.others())
	case !probe && of.full(in.cfg.MaxPerClient):
		return dropClient, fmt.Sprintf("that address has %d transfers already", of.sessions)
	}
	s.enter(in, u.now)
	return "", ""
}

// tally counts the sessions of an address.
//
// One whose last block is on its way may be over: its last ACK comes to another socket than the next request, and may be
// read after it, or it is lost. So that a client that asks for its next files is not kept out by those that it has, they
// count apart.
type tally struct {
	sessions int
	ending   int // of those, the ones whose last block was sent
}

// full reports whether the address has as many sessions as it may. Of those that are ending it may have one on each lane
// for each that runs: before a lane brings a client on, it reads the ACK that the client sent there before.
func (c tally) full(most int) bool { return c.sessions-c.ending >= most || c.ending > lanes*most }

// askedAgain takes a request from a port that has a session: the same one asks for the last packet again; another one
// ends the session and takes its place.
//
// Requests and ACKs come to different sockets, so that a request may be read before the ACK that its sender sent before it,
// or after one that was sent later. What came too early to be a new one is no more than a repetition, whenever it is read;
// what else depends on that order is decided in a moment, by ack or by look.
func (s *Server) askedAgain(u *turn, sess *session, in *incoming) (code dropCode, reason string) {
	sess.asked = u.now
	if sess.next == nil && in.raw == sess.in.raw && in.arrived.Before(sess.answered) {
		return dropRepeated, repeated
	}
	t := sess.transfer
	if sess.same(in, u.now, 4*in.cfg.Resend) {
		// The client repeats its request because the answer was lost or late. With a window only the timer sends again,
		// or a forged request would bring 64 packets.
		if sess.phase == running && t.sender.lockstep() {
			sess.again = in
			t.timers.soon(u.now)
			s.attend(t)
		}
		return "", ""
	}
	sess.next = in
	switch {
	case sess.phase == opening && sess.cancel != nil:
		sess.cancel()
	case sess.phase == running && t.sender.lockstep() && t.sender.sent == t.sender.last:
		t.timers.soon(u.now)
		s.attend(t)
	case sess.phase != opening:
		s.finish(u, sess, EventAborted, sess.ended(), nil)
	}
	return "", ""
}

// makeRoom gives up the oldest transfer to who never acknowledged anything, if that has had the time to: a flood of
// requests with forged addresses takes the places of each other and not those of phones.
func (s *Server) makeRoom(u *turn) bool {
	oldest := s.silent.first
	if oldest == nil || u.now.Sub(oldest.transfer.progress) < s.cfg.Resend/4 {
		return false
	}
	s.metrics.evicted.WithLabelValues(string(evictedPlace)).Inc()
	s.finish(u, oldest, EventAborted, "nothing was ever acknowledged, and another client needs the place", nil)
	return true
}

// enter begins a session.
func (s *Server) enter(in *incoming, now time.Time) {
	key := tidOf(in.from)
	sess := &session{in: in, id: s.transfers.Add(1), began: now, asked: now, probe: in.name == ProbeName}
	s.sessions[key] = sess
	if sess.probe {
		s.probes++
	} else {
		of := s.clients[key>>16]
		of.sessions++
		s.clients[key>>16] = of
	}
	s.openSoon(sess)
}

// leave takes a session out of everything that counts it.
func (s *Server) leave(sess *session) {
	key := tidOf(sess.in.from)
	delete(s.sessions, key)
	if sess.probe {
		s.probes--
	} else {
		s.leaveClient(sess, key>>16)
	}
	if sess.image {
		s.images--
		sess.image = false
	}
	sess.leave()
	if t := sess.transfer; t != nil && t.place >= 0 {
		s.timed.remove(t)
		t.place = -1
	}
	sess.phase = over
}

func (s *Server) leaveClient(sess *session, addr tid) {
	of := s.clients[addr]
	of.sessions--
	if sess.ending {
		of.ending--
	}
	if of.sessions == 0 {
		delete(s.clients, addr)
	} else {
		s.clients[addr] = of
	}
}

// noteEnding notes that the last block of a transfer was sent.
func (s *Server) noteEnding(t *transfer) {
	sess := t.sess
	if sess.ending || sess.probe || t.sender.highest != t.sender.last {
		return
	}
	sess.ending, sess.answered = true, time.Now()
	key := tidOf(sess.in.from) >> 16
	of := s.clients[key]
	of.ending++
	s.clients[key] = of
}

// mustWait reports whether a session has no room yet for what is an image; else it takes the room. Smaller files have
// room whenever the session has: an image never keeps a phone from its configuration.
func (s *Server) mustWait(sess *session) bool {
	if sess.probe || sess.file.Size <= imageSize {
		return false
	}
	if s.images >= s.cfg.MaxImages || s.waiting.len > 0 {
		return true
	}
	s.images++
	sess.image = true
	return false
}

// wait lets a session wait for its turn, with its file open. As many may wait as may run.
func (s *Server) wait(u *turn, sess *session) {
	if s.waiting.len >= s.cfg.MaxImages {
		s.metrics.dropped.WithLabelValues(string(dropImages)).Inc()
		s.finish(u, sess, EventDropped, fmt.Sprintf("%d images are being sent and %d wait for their turn", s.images, s.waiting.len), nil)
		return
	}
	sess.phase = waiting
	s.waiting.add(sess)
	s.wakeBy(u.now.Add(time.Second))
}

// letIn begins the transfers of sessions that waited, as far as there is room, the oldest first.
func (s *Server) letIn(now time.Time) {
	for s.waiting.first != nil && s.images < s.cfg.MaxImages && !s.stopping {
		sess := s.waiting.first
		sess.leave()
		sess.phase, sess.image, sess.asked = opening, true, now
		s.images++
		s.submit(job{sess: sess, begin: true})
	}
}

// expireWaiting ends the waiting of those who no longer ask.
func (s *Server) expireWaiting(u *turn) {
	if u.now.Sub(s.expired) < time.Second {
		return
	}
	s.expired = u.now
	for sess := s.waiting.first; sess != nil && sess.phase == waiting; {
		next := sess.past
		if u.now.Sub(sess.asked) >= waitingPatience {
			s.finish(u, sess, EventAborted, "the client stopped asking while it waited for its turn", nil)
		}
		sess = next
	}
}
