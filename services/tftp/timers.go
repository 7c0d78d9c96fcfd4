package tftp

import "time"

// timers say when a transfer sends again and when it gives up (phones.md a.8): after 1, 2 and 4 s and then each 4 s,
// unless the client asked for an interval of its own (RFC 2349), and after 25 s without a new ACK. They have no clock.
type timers struct {
	first    time.Duration // wait before the first resend
	giveUp   time.Duration
	fixed    bool          // the wait does not grow
	wait     time.Duration // before the next resend
	resendAt time.Time
	acked    time.Time // the last ACK that brought the transfer on; at first its start
}

// due is what there is to do at a moment.
type due int

const (
	dueNothing due = iota
	dueResend
	dueGiveUp
)

func newTimers(cfg Config, agreed terms, now time.Time) timers {
	t := timers{first: cfg.Resend, giveUp: cfg.GiveUp, acked: now}
	if agreed.timeout != 0 {
		t.first, t.fixed = time.Duration(agreed.timeout)*time.Second, true
	}
	t.wait = t.first
	return t
}

// check says what is due now. A resend that is due is counted as done.
func (t *timers) check(now time.Time) due {
	switch {
	case now.Sub(t.acked) >= t.giveUp:
		return dueGiveUp
	case now.Before(t.resendAt):
		return dueNothing
	}
	if !t.fixed {
		t.wait = min(2*t.wait, 4*t.first)
	}
	return dueResend
}

// sent notes that the client was sent something at now.
func (t *timers) sent(now time.Time) { t.resendAt = now.Add(t.wait) }

// soon makes a resend due in a moment: an ACK that came before what asks for it, and was not read yet, comes first.
func (t *timers) soon(now time.Time) {
	if at := now.Add(2 * time.Millisecond); at.Before(t.resendAt) {
		t.resendAt = at
	}
}

// progressed notes that a new ACK came at now.
func (t *timers) progressed(now time.Time) { t.acked, t.wait = now, t.first }

// next returns when check is to be called at the latest.
func (t *timers) next() time.Time {
	if giveUp := t.acked.Add(t.giveUp); giveUp.Before(t.resendAt) {
		return giveUp
	}
	return t.resendAt
}
