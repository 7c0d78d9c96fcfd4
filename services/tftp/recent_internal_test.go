package tftp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// When a packet came is what the kernel says, unless the clock was set since.
func TestArrival(t *testing.T) {
	t.Parallel()
	now := time.Now()
	wall := now.Round(0) // without the monotonic clock, as a stamp is
	for _, tt := range []struct {
		name  string
		stamp time.Time
		age   time.Duration
	}{
		{"a moment ago", wall.Add(-30 * time.Millisecond), 30 * time.Millisecond},
		{"a minute ago", wall.Add(-time.Minute), time.Minute},
		{"the clock was set forward by years", wall.AddDate(-50, 0, 0), 0},
		{"and back", wall.Add(time.Second), 0},
		{"not told", time.Time{}, 0},
		{"told by the read", now, 0},
	} {
		if age := now.Sub(arrival(tt.stamp, now)); age != tt.age {
			t.Errorf("%s: it came %v ago, want %v", tt.name, age, tt.age)
		}
	}
}

// The memory is of the last requests, of each client's port the last one, and never grows.
func TestRecentIsBounded(t *testing.T) { // alone, for it counts allocations
	var r recent
	at := time.Now()
	late := func(key int, raw string, since time.Duration) (*incoming, bool) {
		in := &incoming{raw: raw, arrived: at.Add(since)}
		return in, r.answered(tid(key), in, 4*time.Second)
	}
	for key := range 3 * recently {
		r.put(tid(key+1), answer{"f", at})
	}
	r.put(3*recently, answer{"g", at})
	if len(r.of) != recently {
		t.Errorf("%d requests are remembered, want %d", len(r.of), recently)
	}
	for _, tt := range []struct {
		key            int
		raw            string
		since          time.Duration
		answered, sure bool
	}{
		{2 * recently, "f", -1, false, true},
		{2*recently + 1, "f", -1, true, false},
		{2*recently + 1, "f", 0, false, false},
		{2*recently + 1, "f", 4 * time.Second, false, true},
		{2*recently + 1, "g", -1, false, true},
		{3 * recently, "f", -1, false, true},
		{3 * recently, "g", -1, true, false},
	} {
		in, answered := late(tt.key, tt.raw, tt.since)
		if answered != tt.answered || in.unsure == tt.sure {
			t.Errorf("%+v: answered %v, unsure %v", tt, answered, in.unsure)
		}
	}
	key := tid(3 * recently)
	if n := testing.AllocsPerRun(2000, func() { key++; r.put(key, answer{"f", at}) }); n > 0 {
		t.Errorf("%v allocations for each transfer", n)
	}
}

// A request that may be the one before once more is given up before a client asks again, but not when somebody is there.
func TestUnsureRequestIsGivenUpSooner(t *testing.T) {
	t.Parallel()
	s, _ := serveInside(t, Config{})
	cfg := s.config()
	start := time.Now()
	begin := func(unsure bool) *transfer {
		in := &incoming{request: request{name: "f", mode: modeOctet}, from: netip.MustParseAddrPort("127.77.1.9:9"), cfg: cfg, unsure: unsure}
		sess := &session{in: in, file: File{Bytes: make([]byte, 600), Size: 600}, phase: running}
		sess.transfer = s.newTransfer(sess, start)
		s.silent.add(sess)
		return sess.transfer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sure, unsure, there := begin(false), begin(true), begin(true)
	s.acked(&turn{now: start}, there)
	got := fmt.Sprint(sure.timers.giveUp, unsure.timers.giveUp, there.timers.giveUp)
	if want := "25s 4s 25s"; got != want {
		t.Errorf("they are given up after %s, want %s", got, want)
	}
	for s.silent.first != nil {
		s.silent.first.leave()
	}
}

// A request that came after the last block was sent and was read before its ACK may be either: it is served, and is unsure.
func TestRequestAtTheTimeOfTheLastAckIsUnsure(t *testing.T) {
	t.Parallel()
	s, conn := serveInside(t, Config{})
	c := askFor(t, conn.LocalAddr(), "f", nil)
	read := func(block byte) netip.AddrPort {
		t.Helper()
		for b := make([]byte, 600); ; {
			_, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				t.Fatal(err)
			}
			if b[3] == block {
				return from
			}
		}
	}
	send := func(to netip.AddrPort, packet string) {
		t.Helper()
		if _, err := c.WriteToUDPAddrPort([]byte(packet), to); err != nil {
			t.Fatal(err)
		}
	}
	running := func() (unsure bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sess := range s.sessions {
			unsure = sess.in.unsure
		}
		return unsure
	}
	request := "\x00\x01f\x00octet\x00"
	send(conn.LocalAddr(), request)
	lane := read(1) // once more: that is what it asked for
	send(lane, "\x00\x04\x00\x01")
	read(2)
	send(conn.LocalAddr(), request)
	read(2) // it was read
	if running() {
		t.Error("the first request is unsure")
	}
	send(lane, "\x00\x04\x00\x02")
	for read(1) == lane { // the first block again, that was still on its way
	}
	if !running() {
		t.Error("the last request is not unsure")
	}
}
