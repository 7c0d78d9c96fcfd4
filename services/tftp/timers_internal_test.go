package tftp

import (
	"testing"
	"time"
)

// newTestTimers makes the timers of a lockstep transfer with the usual settings.
func newTestTimers(t *testing.T, start time.Time) timers {
	t.Helper()
	cfg, err := withDefaults(Config{Listen: anyAddress})
	if err != nil {
		t.Fatal(err)
	}
	return newTimers(cfg, terms{block: 512, window: 1}, start)
}

// On a LAN a lost block costs 200 ms; a client that answers slowly is given the time, and never more than the second that
// it had before anything was measured.
func TestWaitFollowsTheRoundTrip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		trip, want time.Duration
	}{
		{"a phone on the LAN", time.Millisecond, 200 * time.Millisecond},
		{"one behind a slow line", 300 * time.Millisecond, 300 * time.Millisecond},
		{"one that is slower than we wait", 2 * time.Second, time.Second},
	} {
		now := time.Unix(1_000_000, 0)
		timers := newTestTimers(t, now)
		timers.sent(now)
		if got := timers.next().Sub(now); got != time.Second {
			t.Errorf("%s: the first wait is %v, want a second", tt.name, got)
		}
		for range 100 {
			now = now.Add(tt.trip)
			timers.progressed(now)
			timers.sent(now)
		}
		if got := timers.next().Sub(now); got < tt.want || got > tt.want+tt.want/10 {
			t.Errorf("%s: waits %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Karn: the ACK of what was sent twice measures nothing, and the longer wait stays until one is measured. A phone that
// begins to erase its flash gets a few packets and no flood.
func TestNothingIsLearntFromWhatWasSentTwice(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	timers := newTestTimers(t, now)
	for range 20 {
		timers.sent(now)
		now = now.Add(time.Millisecond)
		timers.progressed(now)
	}
	before := timers.smoothed
	timers.sent(now)
	began, resends := now, 0
	for now.Sub(began) < 8*time.Second { // it erases
		if now = timers.next(); timers.check(now) == dueResend {
			timers.sent(now)
			resends++
		}
	}
	if resends < 4 || resends > 6 {
		t.Errorf("%d resends in %v of silence, want about 5", resends, now.Sub(began))
	}
	timers.progressed(now)
	timers.sent(now)
	if timers.smoothed != before || timers.next().Sub(now) != time.Second {
		t.Errorf("after an ambiguous ACK: round trip %v (it was %v), wait %v; want the longest first wait", timers.smoothed, before, timers.next().Sub(now))
	}
	now = now.Add(time.Millisecond)
	timers.progressed(now)
	timers.sent(now)
	if got := timers.next().Sub(now); got != 200*time.Millisecond {
		t.Errorf("after an ACK that was measured it waits %v", got)
	}
	// A client that became slower for good is not sent everything twice for ever.
	resends = 0
	for range 50 {
		ack := now.Add(400 * time.Millisecond)
		for timers.next().Before(ack) {
			at := timers.next()
			timers.check(at)
			timers.sent(at)
			resends++
		}
		now = ack
		timers.progressed(now)
		timers.sent(now)
	}
	if resends > 10 {
		t.Errorf("%d of 50 blocks were sent again to a client that answers after 400 ms", resends)
	}
}

// A client that asked for an interval or for a window gets fixed waits.
func TestFixedWaits(t *testing.T) {
	t.Parallel()
	cfg, err := withDefaults(Config{Listen: anyAddress})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		agreed terms
		want   time.Duration
	}{
		{terms{window: 1, timeout: 3}, 3 * time.Second},
		{terms{window: 8}, time.Second},
	} {
		now := time.Unix(1_000_000, 0)
		timers := newTimers(cfg, tt.agreed, now)
		for range 10 {
			timers.sent(now)
			now = now.Add(time.Millisecond)
			timers.progressed(now)
		}
		timers.sent(now)
		if got := timers.next().Sub(now); got != tt.want {
			t.Errorf("%+v: waits %v, want %v", tt.agreed, got, tt.want)
		}
	}
}

// The heap gives the earliest transfer whatever was moved and removed.
func TestSchedule(t *testing.T) {
	t.Parallel()
	var h schedule
	start := time.Unix(0, 0)
	all := make([]*transfer, 500)
	for i := range all {
		all[i] = &transfer{place: -1}
		h.push(all[i], start.Add(time.Duration(i*7919%500)))
	}
	for i, x := range all {
		switch i % 5 {
		case 0:
			h.sooner(x, start.Add(-time.Duration(i)))
		case 1:
			h.later(x, x.at.Add(300))
		case 2:
			h.remove(x)
		}
	}
	last := start.Add(-time.Hour)
	count := 0
	for ; len(h) > 0; count++ {
		first := h[0]
		if first.at.Before(last) || first.place != 0 {
			t.Fatalf("%v comes after %v, at place %d", first.at, last, first.place)
		}
		last = first.at
		h.remove(first)
	}
	if count != 400 {
		t.Errorf("%d transfers came out, want 400", count)
	}
}

// The memory of clients' ports is bounded.
func TestPortsAreBounded(t *testing.T) {
	t.Parallel()
	var p ports
	now := time.Unix(1_000_000, 0)
	for i := range tid(10 * remembered) {
		p.put(i, uint8(i%lanes), now)
	}
	if n := len(p.now) + len(p.last); n > 2*remembered {
		t.Errorf("%d ports are remembered, allowed are %d", n, 2*remembered)
	}
	if lane, ok := p.get(10*remembered - 5); !ok || lane != uint8((10*remembered-5)%lanes) {
		t.Errorf("one of the last ports: %d, %v", lane, ok)
	}
	p.put(1, 0, now.Add(rememberFor))
	p.put(2, 0, now.Add(2*rememberFor))
	if _, ok := p.get(10*remembered - 5); ok {
		t.Error("a port is remembered for ever")
	}
}
