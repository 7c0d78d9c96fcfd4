package tftp

import "time"

// leastWait is the part of Config.Resend that is the shortest wait for an ACK before a block is sent again: 200 ms. A
// phone answers in milliseconds, but one that writes its flash may need more.
const leastWait = 5

// leastMeasured is the wait in which a busy machine is told from a slow client: shorter ones of Config.Resend stay as they
// are.
const leastMeasured = 20 * time.Millisecond

// timers say when a transfer sends again and when it gives up (phones.md a.8). Until the client's round trip was measured
// it sends again after 1, 2 and 4 s and then each 4 s; afterwards the first wait is what RFC 6298 makes of the measured
// times, between 200 ms and that second, and doubles up to the same 4 s. A client that asked for an interval of its own
// (RFC 2349) gets that; one that asked for a window gets our first waits, for it tells of a gap by itself, and a window that
// is sent again for nothing costs up to 64 packets. After 25 s without a new ACK it is over. They have no clock.
type timers struct {
	longest time.Duration // the first wait while nothing is measured, and never more than that
	least   time.Duration // the first wait is never shorter
	giveUp  time.Duration
	fixed   bool          // the wait does not change
	first   time.Duration // wait before the first resend
	wait    time.Duration // before the next resend

	smoothed  time.Duration // SRTT of RFC 6298; 0 = nothing was measured
	deviation time.Duration // RTTVAR
	sentAt    time.Time
	ambiguous bool // what the next ACK is for was sent more than once: it measures nothing (Karn)

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
	t := timers{longest: cfg.Resend, giveUp: cfg.GiveUp, acked: now}
	t.least = t.longest
	if agreed.window == 1 {
		t.least = max(t.longest/leastWait, min(t.longest, leastMeasured))
	}
	if agreed.timeout != 0 {
		t.longest, t.fixed = time.Duration(agreed.timeout)*time.Second, true
	}
	t.first, t.wait = t.longest, t.longest
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
	t.repeats()
	if !t.fixed {
		t.wait = min(2*t.wait, 4*t.longest)
	}
	return dueResend
}

// repeats notes that what was sent is sent again.
func (t *timers) repeats() { t.ambiguous = true }

// sent notes that the client was sent something at now.
func (t *timers) sent(now time.Time) { t.sentAt, t.resendAt = now, now.Add(t.wait) }

// soon makes a resend due in a moment: an ACK that came before what asks for it, and was not read yet, comes first.
func (t *timers) soon(now time.Time) {
	if at := now.Add(2 * time.Millisecond); at.Before(t.resendAt) {
		t.resendAt = at
	}
}

// progressed notes that a new ACK came at now. After a resend the longer wait stays until an ACK is measured again, or a
// client that is slower than the estimate would be sent everything twice for ever (RFC 6298 section 5.7).
func (t *timers) progressed(now time.Time) {
	t.acked = now
	switch {
	case t.fixed:
	case t.ambiguous:
		t.wait = min(max(t.first, t.wait), t.longest)
	default:
		t.measured(now.Sub(t.sentAt))
		t.wait = t.first
	}
	t.ambiguous = false
}

// measured takes a round trip into the estimate (RFC 6298 section 2).
func (t *timers) measured(trip time.Duration) {
	if t.smoothed == 0 {
		t.smoothed, t.deviation = max(trip, 1), trip/2
	} else {
		t.deviation += ((t.smoothed - trip).Abs() - t.deviation) / 4
		t.smoothed = max(t.smoothed+(trip-t.smoothed)/8, 1)
	}
	t.first = min(max(t.smoothed+4*t.deviation, t.least), t.longest)
}

// overdue returns how long ago it is that something became due; less than nothing while nothing is.
func (t *timers) overdue(now time.Time) time.Duration { return now.Sub(t.next()) }

// next returns when check is to be called at the latest.
func (t *timers) next() time.Time {
	if giveUp := t.acked.Add(t.giveUp); giveUp.Before(t.resendAt) {
		return giveUp
	}
	return t.resendAt
}
