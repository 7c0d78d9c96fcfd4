package tftp

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

const (
	openTimeout   = 2 * time.Second // Files is allowed one
	settleTimeout = time.Second     // then Files finds out by itself who asks
	// maxWorkers bounds the files that are opened, or read from a disk, at the same time. It is large because a worker
	// may wait a second for a neighbour to answer, and a tenth of one for a phone that nobody vouches for; and no larger,
	// because each takes 20 KB of stack.
	maxWorkers = 128
	// maxIdle is how many of them stay when there is nothing to do: the stack of a new one has to grow again, which takes
	// longer than to open a small file.
	maxIdle = 4
)

// job is something that may wait: to open the file of a session, to begin the transfer of one that waited, or to read
// blocks of a transfer whose file is not in memory.
type job struct {
	sess  *session
	begin bool
	read  *transfer
}

// submit gives a job to a worker, or lets it wait for one. It is called with the lock held.
func (s *Server) submit(j job) {
	s.jobs.add(j)
	switch {
	case s.idle > 0:
		s.idle--
		s.more.Signal()
	case s.workers < maxWorkers:
		s.workers++
		s.wg.Go(s.work)
	}
}

// openSoon lets a worker open the file of a session, once it is known who asks where somebody finds out. That takes a
// tenth of a second and comes to a thousand phones at once; workers that waited would let the others wait for a second.
// It is called with the lock held.
func (s *Server) openSoon(sess *session) {
	var settled <-chan struct{}
	if s.deps.Settling != nil && !sess.probe {
		settled = s.deps.Settling(sess.in.from.Addr())
	}
	if settled == nil {
		s.submit(job{sess: sess})
		return
	}
	life := s.life
	s.wg.Go(func() {
		limit := time.NewTimer(settleTimeout)
		defer limit.Stop()
		select {
		case <-settled:
		case <-limit.C:
		case <-life.Done():
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.submit(job{sess: sess})
	})
}

// jobs is a queue of jobs.
type jobs struct {
	list  []job
	first int
}

func (q *jobs) add(j job) { q.list = append(q.list, j) }

func (q *jobs) take() (j job, ok bool) {
	if q.first == len(q.list) {
		q.list, q.first = q.list[:0], 0
		return job{}, false
	}
	j = q.list[q.first]
	q.list[q.first] = job{}
	q.first++
	if q.first >= 1024 && 2*q.first >= len(q.list) {
		n := copy(q.list, q.list[q.first:])
		clear(q.list[n:])
		q.list, q.first = q.list[:n], 0
	}
	return j, true
}

// work does jobs until there are none, and enough others wait for one.
func (s *Server) work() {
	u := newTurn()
	defer u.done()
	for {
		j, ok := s.nextJob()
		if !ok {
			return
		}
		s.do(u, j)
	}
}

// nextJob waits for a job; ok is false when this worker is not needed any more.
func (s *Server) nextJob() (j job, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok = s.jobs.take()
	for !ok && s.idle < maxIdle && !s.stopping {
		s.idle++ // who wakes one counts it off
		s.more.Wait()
		j, ok = s.jobs.take()
	}
	if !ok {
		s.workers--
	}
	return j, ok
}

// do does one job, and survives its panic.
func (s *Server) do(u *turn, j job) {
	defer s.conclude(u)
	sess := j.sess
	if j.read != nil {
		sess = j.read.sess
	}
	defer func() {
		if v := recover(); v != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.panicked(u, sess, v)
		}
	}()
	switch {
	case j.read != nil:
		s.read(u, j.read)
	case j.begin:
		s.begin(u, sess)
	default:
		s.open(u, sess)
	}
}

// open opens the file of a session and goes on with what there is to send.
func (s *Server) open(u *turn, sess *session) {
	file, err := s.openFile(sess)
	u.now = time.Now()
	switch s.opened(u, sess, file, err) {
	case running:
		s.begin(u, sess)
	case over:
		s.sendError(sess.in.conn, sess.in.local, sess.in.from, codeNotFound, notFound)
	default:
	}
}

// opened takes what became of the opening of a file: the transfer is to run, to wait, or is over with an ERROR; opening
// says that nobody waits for it any more, or that it is not to be answered.
func (s *Server) opened(u *turn, sess *session, file File, err error) phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess.file = file
	switch why := sess.ended(); {
	case why != "":
		// No ERROR: the client would take it for the answer to what it asked next.
		s.finish(u, sess, EventAborted, why, nil)
		return opening
	case errors.Is(err, ErrLater):
		s.metrics.dropped.WithLabelValues(string(dropUncertain)).Inc()
		s.finish(u, sess, EventDropped, ErrLater.Error(), nil)
		return opening
	case err != nil:
		s.finish(u, sess, EventMissing, "", err)
		return over
	case s.mustWait(sess):
		s.wait(u, sess)
		return waiting
	}
	return running
}

// openFile asks Files, and answers the probe itself.
func (s *Server) openFile(sess *session) (file File, err error) {
	ctx, ok := s.mayOpen(sess)
	if !ok {
		return File{}, nil
	}
	defer sess.cancel()
	in := sess.in
	if sess.probe {
		return probeFile(), nil
	}
	if err := checkName(in.name); err != nil {
		return File{}, err
	}
	defer func() {
		if v := recover(); v != nil {
			s.panics.Panicked(v, debug.Stack(), []byte(in.raw))
			file, err = File{}, panicError(v)
		}
	}()
	return s.deps.Files.Open(ctx, Request{Name: in.name, Mode: in.mode, From: in.from})
}

// mayOpen gives the context in which the file of a session is opened, if it is still wanted.
func (s *Server) mayOpen(sess *session) (context.Context, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess.ended() != "" {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(s.life, openTimeout)
	sess.cancel = cancel
	return ctx, true
}

// begin begins the transfer of a session whose file is open.
func (s *Server) begin(u *turn, sess *session) {
	u.now = time.Now()
	t := s.newTransfer(sess, u.now)
	// Before the packet leaves, so that it is told before the last ACK is.
	if !sess.probe {
		s.report(sess.event(EventStart, u.now))
	}
	s.metrics.started.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if why := sess.ended(); why != "" {
		s.finish(u, sess, EventAborted, why, nil)
		return
	}
	t.lane = s.laneFor(sess.in, u.now)
	sess.transfer, sess.phase, sess.answered = t, running, time.Now()
	if !sess.probe { // it has a place of its own, which is nobody else's
		s.silent.add(sess)
	}
	s.guarded(u, t, func() { s.send(u, t) })
}

// laneFor chooses the port of a transfer: another one than that of the client's port before.
func (s *Server) laneFor(in *incoming, now time.Time) *lane {
	key := tidOf(in.from)
	s.turns++
	number := uint8(s.turns % lanes)
	if last, ok := s.ports.get(key); ok && last == number {
		number = (number + 1) % lanes
	}
	s.ports.put(key, number, now)
	return s.lanes[number]
}

// readSoon lets a worker read what the transfer is to send next.
func (s *Server) readSoon(t *transfer) {
	if !t.reading {
		t.reading = true
		s.submit(job{read: t})
	}
}

// read reads and sends the blocks of a file that is not in memory, until the window is on its way.
func (s *Server) read(u *turn, t *transfer) {
	packet := make([]byte, 4+t.sender.block)
	for {
		s.mu.Lock()
		n, ok := t.sender.next()
		if t.sess.phase != running || !ok {
			t.reading = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		size, err := t.sender.src.read(packet[4:], n)
		u.now = time.Now()
		s.mu.Lock()
		if t.sess.phase == running {
			s.guarded(u, t, func() { s.wasRead(u, t, n, packet[:4+size], err) })
		}
		s.mu.Unlock()
		s.flush(u)
	}
}

// wasRead sends a block that was read, if it is still the next one: an ACK or a resend may have come meanwhile.
func (s *Server) wasRead(u *turn, t *transfer, n int64, packet []byte, err error) {
	next, ok := t.sender.next()
	switch {
	case err != nil:
		s.broken(u, t, err)
	case ok && next == n:
		t.out = u.out(t.lane)
		t.sender.data(n, packet)
		t.out = nil
		s.noteEnding(t)
		t.timers.sent(u.now)
		s.attend(t)
	}
}
