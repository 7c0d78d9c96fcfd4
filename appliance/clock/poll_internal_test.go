package clock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSmallOffsetsAreSlewedAndBigOnesBelievedTheSecondTime drives the system clock of a box that manages it, and the offset
// of one that does not.
func TestSmallOffsetsAreSlewedAndBigOnesBelievedTheSecondTime(t *testing.T) {
	for _, manage := range []bool{false, true} {
		t.Run(fmt.Sprintf("manage=%t", manage), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { smallAndBig(t, manage) })
		})
	}
}

func smallAndBig(t *testing.T, manage bool) {
	n := newNetwork(1)
	n.m["192.0.2.1"] = &source{delay: ms, off: 50 * ms}
	sim := NewSim(0, 0)
	l := start(t, Config{Manage: manage, Upstream: []string{"192.0.2.1"}}, &values{}, sim, n)
	defer l.stop()
	stepped := func(times int, what string) {
		t.Helper()
		if steps, slews, _ := sim.Taken(); manage && len(steps) != times || !manage && sim.Touched() > 0 || l.Status().Problem != "" {
			t.Errorf("%s: steps %v, slews %v, %q", what, steps, slews, l.Status().Problem)
		}
	}
	tell := func(off time.Duration) { n.set("192.0.2.1", func(s *source) { s.off = off }) }
	time.Sleep(time.Second)
	stepped(1, "the first time is set at once")
	if l.wrong().Round(ms) != 50*ms {
		t.Errorf("the first time is wrong by %s", l.wrong())
	}
	tell(60 * ms)
	l.slack = time.Second // the server is not honest
	l.watch(3*maxPoll, "by 10 ms")
	tell(-40 * ms) // 100 ms back, and the time must not go back
	l.watch(3*maxPoll, "by -100 ms")
	stepped(1, "small offsets are slewed")
	if l.wrong().Round(ms) != -40*ms {
		t.Errorf("small offsets are slewed: wrong by %s", l.wrong())
	}
	asked := n.asked("192.0.2.1")
	time.Sleep(4 * maxPoll)
	if now := n.asked("192.0.2.1") - asked; now > 6 {
		t.Errorf("a steady clock was asked %d times in %s", now, 4*maxPoll)
	}
	tell(time.Hour)
	for asked = n.asked("192.0.2.1"); n.asked("192.0.2.1") == asked; { // one answer
		time.Sleep(time.Second)
	}
	tell(-40 * ms)
	time.Sleep(2 * maxPoll)
	stepped(1, "one answer that is off by an hour is not believed")
	tell(time.Second)
	time.Sleep(2 * maxPoll)
	stepped(2, "a second, told twice, is stepped")
	if l.wrong().Round(ms) != time.Second {
		t.Errorf("a second, told twice, is stepped: wrong by %s", l.wrong())
	}
}

// TestMeasurementsOfBeforeACorrectionAreNotUsed sets the clock while a server is being asked.
func TestMeasurementsOfBeforeACorrectionAreNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		n.m["192.0.2.1"] = &source{delay: time.Second}
		l := start(t, Config{Upstream: []string{"192.0.2.1"}}, &values{}, NewSim(-time.Hour, 0), n)
		defer l.stop()
		time.Sleep(time.Second)
		if err := l.Set(t.Context(), time.Now().Add(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if l.wrong().Round(time.Second) != 10*time.Minute {
			t.Errorf("wrong by %s", l.wrong())
		}
		time.Sleep(10 * time.Second)
		if l.wrong().Abs() > ms {
			t.Errorf("wrong by %s", l.wrong())
		}
	})
}

// TestTheSystemClockIsSetOnceItCanBe: until then the services have an offset of their own.
func TestTheSystemClockIsSetOnceItCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		n.m["192.0.2.1"] = &source{delay: ms}
		sim := NewSim(-time.Hour, 25).Break(errors.New("operation not permitted"))
		l := start(t, Config{Manage: true, Upstream: []string{"192.0.2.1"}}, &values{}, sim, n)
		defer l.stop()
		time.Sleep(time.Second)
		l.watch(time.Hour, "while it can't be set")
		if l.wrong().Abs() > ms || l.Status().Problem == "" {
			t.Errorf("wrong by %s, %q", l.wrong(), l.Status().Problem)
		}
		sim.Break(nil)
		l.watch(2*time.Hour, "once it can be set")
		if off := sim.Now().Sub(time.Now().Round(0)); off.Abs() > ms || l.wrong().Abs() > ms || l.Status().Problem != "" {
			t.Errorf("the system clock is off by %s, the box by %s, %q", off, l.wrong(), l.Status().Problem)
		}
	})
}

func TestRetries(t *testing.T) {
	c, err := New(Config{Upstream: []string{"127.0.0.1:notaport"}, BootID: "a"}, Deps{Store: &values{}, Log: quietLog, System: NewSim(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	var got []time.Duration
	wait := time.Duration(0)
	for range 7 {
		wait = c.poll(t.Context(), wait)
		got = append(got, wait/time.Second)
	}
	for i, want := range []time.Duration{2, 4, 8, 16, 32, 64, 64} {
		if got[i] != want {
			t.Fatalf("waits %v", got)
		}
	}
	if c.Status().Problem == "" {
		t.Error("the problem is not said")
	}
	c.cfg.Upstream = nil
	if c.poll(t.Context(), 0) != maxPoll {
		t.Error("without servers it asks often")
	}
}

// kiss answers every question with a kiss code (RFC 5905 section 7.4).
func kiss(t *testing.T, code string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			out := make([]byte, 48)
			out[0] = 3<<6 | 4<<3 | 4
			copy(out[12:], code)
			copy(out[24:32], buf[40:48])
			for _, at := range []int{32, 40} {
				binary.BigEndian.PutUint32(out[at:], uint32(time.Now().Unix()+2208988800))
			}
			_, _ = conn.WriteTo(out, from)
		}
	}()
	return conn.LocalAddr().String()
}

func TestServerThatIsAskedTooOftenIsAskedMoreSeldom(t *testing.T) {
	c, err := New(Config{Upstream: []string{kiss(t, "RATE")}, BootID: "a"}, Deps{Store: &values{}, Log: quietLog, System: NewSim(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	wait := time.Duration(0)
	for _, want := range []time.Duration{64, 128, 256, 512, 1024, 1024} {
		if wait = c.poll(t.Context(), wait).Round(time.Second); wait != want*time.Second {
			t.Fatalf("it is asked again after %s, want %d s (%s)", wait, want, c.Status().Problem)
		}
		for _, p := range c.peers {
			p.until = time.Time{} // the time has come
		}
	}
}

// TestWhatAServerWithoutTheTimeSays tells one that does not know the time (as chronyd, ntpd and another phonebox say it) from
// one that wants to be left alone.
func TestWhatAServerWithoutTheTimeSays(t *testing.T) {
	for code, want := range map[string]struct {
		why  string
		wait time.Duration
	}{
		"INIT": {"it does not know the time itself", firstPoll},
		"":     {"it does not know the time itself", firstPoll},
		"RATE": {"it does not want to be asked so often (RATE)", minPoll},
		"DENY": {"it does not want to be asked (DENY)", denied},
		"RSTR": {"it does not want to be asked (RSTR)", denied},
	} {
		c, err := New(Config{Upstream: []string{kiss(t, code)}, BootID: "a"}, Deps{Store: &values{}, Log: quietLog, System: NewSim(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		wait := c.poll(t.Context(), 0).Round(time.Second)
		if s := c.Status(); wait != want.wait || !strings.HasSuffix(s.Servers[0].Why, want.why) || !strings.HasSuffix(s.Problem, want.why+".") {
			t.Errorf("%q: asked again after %s, %q, %q", code, wait, s.Servers[0].Why, s.Problem)
		}
	}
}
