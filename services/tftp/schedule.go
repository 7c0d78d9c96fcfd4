package tftp

import (
	"context"
	"time"
)

// schedule is a heap of transfers by the time at which their timers are to be looked at. That is never later than what
// the timers say, and often earlier: an ACK moves only the timers, not the heap.
type schedule []*transfer

func (h schedule) less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h schedule) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *schedule) push(t *transfer, at time.Time) {
	t.at, t.place = at, len(*h)
	*h = append(*h, t)
	h.up(t.place)
}

// sooner moves a transfer towards the front where its time is earlier than that for which it stands there.
func (h *schedule) sooner(t *transfer, at time.Time) {
	if at.Before(t.at) {
		t.at = at
		h.up(t.place)
	}
}

// later moves a transfer back.
func (h *schedule) later(t *transfer, at time.Time) {
	t.at = at
	h.down(t.place)
}

func (h *schedule) remove(t *transfer) {
	i, end := t.place, len(*h)-1
	if i != end {
		h.swap(i, end)
	}
	(*h)[end] = nil
	*h = (*h)[:end]
	if i != end {
		h.down(i)
		h.up(i)
	}
}

func (h *schedule) up(i int) {
	for i > 0 && h.less(i, (i-1)/2) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (h *schedule) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(*h); child++ {
			if h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// A server that is behind with reading does not send again what may have been acknowledged: it looks again after
// unreadPause, for at most unreadPatience.
const (
	unreadPause    = 2 * time.Millisecond
	unreadPatience = 50 * time.Millisecond
)

// dueAtOnce bounds how many transfers are looked at while the lock is held.
const dueAtOnce = 64

// keepTime sends again and gives up what is due, until ctx ends, and survives panics.
func (s *Server) keepTime(ctx context.Context) {
	for ctx.Err() == nil {
		func() {
			defer s.panics.Recover(nil)
			s.keep(ctx)
		}()
	}
}

// keep does the work of keepTime.
func (s *Server) keep(ctx context.Context) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	u := &turn{}
	for ctx.Err() == nil {
		wait := s.overdue(u)
		if wait <= 0 {
			continue
		}
		alarm.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-alarm.C:
		case <-s.sooner:
		}
	}
}

// overdue looks at the transfers whose time has come, at dueAtOnce of them at most, and returns how long to wait.
func (s *Server) overdue(u *turn) time.Duration {
	u.now = time.Now()
	defer s.conclude(u)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireWaiting(u)
	for range dueAtOnce {
		if len(s.timed) == 0 || s.timed[0].at.After(u.now) {
			break
		}
		t := s.timed[0]
		s.guarded(u, t, func() { s.look(u, t) })
	}
	s.alarm = u.now.Add(time.Hour)
	if len(s.timed) > 0 {
		s.alarm = s.timed[0].at
	}
	if s.waiting.len > 0 {
		s.alarm = earlier(s.alarm, u.now.Add(time.Second))
	}
	return s.alarm.Sub(u.now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// look does what is due for the first transfer of the schedule.
func (s *Server) look(u *turn, t *transfer) {
	if t.timers.overdue(u.now) < unreadPatience && t.lane.in.Waits() {
		s.timed.later(t, u.now.Add(unreadPause)) // the ACK may have come, and was not read yet
		return
	}
	switch t.timers.check(u.now) {
	case dueGiveUp:
		s.finish(u, t.sess, EventAborted, nothingAcked(t.timers.giveUp), nil)
		return
	case dueResend:
		if t.sender.acked < 1 {
			t.sess.again = nil // it asked because it has nothing
		}
		if why := t.sess.ended(); why != "" {
			s.finish(u, t.sess, EventAborted, why, nil)
			return
		}
		if t.sess.list == &s.silent && s.crowded() && t.resends >= resendsInCrowd {
			s.metrics.evicted.WithLabelValues(string(evictedCrowd)).Inc()
			s.finish(u, t.sess, EventAborted, "nothing was ever acknowledged, and there are many other transfers", nil)
			return
		}
		t.resends++
		t.sender.rewind()
		s.send(u, t)
	default:
	}
	if t.sess.phase == running {
		s.timed.later(t, t.timers.next())
	}
}

// attend makes the keeper of time look at a transfer when its timers say so.
func (s *Server) attend(t *transfer) {
	at := t.timers.next()
	if t.place < 0 {
		s.timed.push(t, at)
	} else {
		s.timed.sooner(t, at)
	}
	s.wakeBy(at)
}

// wakeBy makes the keeper of time wake up by then.
func (s *Server) wakeBy(at time.Time) {
	if at.Before(s.alarm) {
		s.alarm = at
		select {
		case s.sooner <- struct{}{}:
		default: // it is about to look anyway
		}
	}
}
