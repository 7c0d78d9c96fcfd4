package clock

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"testing"
	"time"
)

// quiet is a system clock that notes what it is told.
type quiet struct {
	steps, slews []time.Duration
	drift        float64
}

func (q *quiet) Now() time.Time                      { return time.Now().Round(0) }
func (q *quiet) Uptime() time.Duration               { return 0 }
func (q *quiet) Synchronised() (bool, time.Duration) { return false, 0 }
func (q *quiet) Step(d time.Duration) error          { q.steps = append(q.steps, d); return nil }
func (q *quiet) SetDrift(ppm float64) error          { q.drift = ppm; return nil }
func (q *quiet) ReadRTC() (time.Time, error)         { return time.Time{}, errNoRTC }
func (q *quiet) WriteRTC(time.Time) error            { return errNoRTC }

func (q *quiet) Slew(d, _ time.Duration) (float64, error) {
	q.slews = append(q.slews, d)
	return 12.5, nil
}

type values map[string][]byte

func (v values) Value(_ context.Context, name string) ([]byte, error)      { return v[name], nil }
func (v values) SetValue(_ context.Context, name string, raw []byte) error { v[name] = raw; return nil }

func managed(t *testing.T, v values) (*Clock, *quiet) {
	t.Helper()
	q := &quiet{}
	c, err := New(Config{Manage: true, BootID: t.Name()}, Deps{Store: v, Log: slog.New(slog.DiscardHandler), System: q})
	if err != nil {
		t.Fatal(err)
	}
	return c, q
}

func TestSmallOffsetsAreSlewedAndTheDriftIsKept(t *testing.T) {
	v := values{}
	c, q := managed(t, v)
	follow := func(offset, waited time.Duration) time.Duration {
		return c.follow(sample{name: "x", stratum: 2, offset: offset}, c.steps, waited)
	}
	if next := follow(50*time.Millisecond, 0); next != minPoll || len(q.steps) != 1 || len(q.slews) != 0 {
		t.Errorf("the first time is set at once: next %s, steps %v, slews %v", next, q.steps, q.slews)
	}
	wait := minPoll
	for range 6 {
		wait = follow(10*time.Millisecond, wait)
	}
	if wait != maxPoll || len(q.slews) != 6 {
		t.Errorf("a steady clock is asked every %s, slews %v", wait, q.slews)
	}
	if wait = follow(100*time.Millisecond, wait); wait != minPoll || len(q.slews) != 7 {
		t.Errorf("one that runs badly every %s, slews %v", wait, q.slews)
	}
	for _, wild := range []time.Duration{time.Second, time.Hour, 10 * time.Millisecond, time.Second} {
		if follow(wild, wait); len(q.steps) != 1 {
			t.Errorf("one answer that is off by %s was believed: %v", wild, q.steps)
		}
	}
	if follow(time.Second, wait); len(q.steps) != 2 || c.Status().Problem != "" {
		t.Errorf("a second, told twice, is stepped: %v, %q", q.steps, c.Status().Problem)
	}
	if c.follow(sample{offset: time.Hour}, c.steps-1, wait); len(q.steps) != 2 {
		t.Error("a measurement of before a correction was used")
	}
	if err := c.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, again := managed(t, v); again.drift != 12.5 {
		t.Errorf("drift %v after a restart", again.drift)
	}
}

func TestRetries(t *testing.T) {
	c, _ := managed(t, values{})
	c.cfg.Upstream = []string{"127.0.0.1:notaport"}
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

// kiss answers every question with a kiss of death (RFC 5905 section 7.4).
func kiss(t *testing.T) string {
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
			copy(out[12:], "RATE")
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
	c, _ := managed(t, values{})
	c.cfg.Upstream = []string{kiss(t)}
	wait := time.Duration(0)
	for _, want := range []time.Duration{64, 128, 256, 512, 1024, 1024} {
		if wait = c.poll(t.Context(), wait); wait != want*time.Second {
			t.Fatalf("it is asked again after %s, want %d s (%s)", wait, want, c.Status().Problem)
		}
	}
}
