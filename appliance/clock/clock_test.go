package clock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/clock"
	"phonebox/services/dhcp"
	"phonebox/services/sntp"
)

var (
	_ sntp.Clock = (*clock.Clock)(nil)
	_ dhcp.Clock = (*clock.Clock)(nil)
)

// memory is a store without a disk.
type memory struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (s *memory) Value(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[key], nil
}

func (s *memory) SetValue(_ context.Context, key string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string][]byte{}
	}
	s.m[key] = v
	return nil
}

func (s *memory) last(t *testing.T) time.Time {
	t.Helper()
	v, _ := s.Value(t.Context(), "clock/last")
	at, err := time.Parse(time.RFC3339, string(v))
	if err != nil {
		t.Fatalf("the last known time is %q", v)
	}
	return at
}

// machine is a system clock that only notes what it is told: the real one is never set by a test.
type machine struct {
	mu          sync.Mutex
	rtc         time.Time
	sets, slews []time.Duration // by how much
	written     []time.Time
}

func (m *machine) Set(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sets = append(m.sets, time.Until(t).Round(time.Second))
	return nil
}

func (m *machine) Slew(d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slews = append(m.slews, d)
	return nil
}

func (m *machine) RTC() (time.Time, error) {
	if m.rtc.IsZero() {
		return time.Time{}, errors.New("there is none")
	}
	return m.rtc, nil
}

func (m *machine) SetRTC(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written = append(m.written, t)
	return nil
}

func newClock(t *testing.T, cfg clock.Config, st *memory, m *machine) *clock.Clock {
	t.Helper()
	c, err := clock.New(cfg, clock.Deps{Store: st, Log: slog.New(slog.DiscardHandler), System: m})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func near(a, b time.Time) bool { return a.Sub(b).Abs() < 2*time.Second }

func TestWithoutAnySourceNothingIsTrusted(t *testing.T) {
	m := &machine{}
	c := newClock(t, clock.Config{}, &memory{}, m)
	if c.Trusted() || c.Quality().Leap != sntp.LeapUnsync || c.Quality().Stratum != 0 || c.Status().Stratum != 16 {
		t.Errorf("got %+v, %+v: it must say that it is not synchronised", c.Status(), c.Quality())
	}
	if !near(c.Now(), time.Now()) || len(m.sets) != 0 {
		t.Errorf("now %s, sets %v: nothing may move the clock", c.Now(), m.sets)
	}
}

func TestNeverBeforeTheLastKnownTime(t *testing.T) {
	last := time.Now().Add(48 * time.Hour).UTC()
	for _, manage := range []bool{false, true} {
		st, m := &memory{m: map[string][]byte{"clock/last": []byte(last.Format(time.RFC3339))}}, &machine{}
		c := newClock(t, clock.Config{Manage: manage}, st, m)
		if c.Trusted() {
			t.Error("the last known time is no source to trust")
		}
		if manage {
			if len(m.sets) != 1 || m.sets[0].Round(time.Minute) != 48*time.Hour {
				t.Errorf("the system clock was moved by %v, want 48h once", m.sets)
			}
		} else if !near(c.Now(), last) || len(m.sets) != 0 {
			t.Errorf("now %s, want %s; the system clock was moved by %v", c.Now(), last, m.sets)
		}
	}
}

func TestRealTimeClock(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name    string
		rtc     time.Time
		last    time.Time
		trusted bool
	}{
		{"later than the last known time", now.Add(time.Hour), now.Add(-time.Hour), true},
		{"earlier than it: its battery is empty", now.Add(-20 * 365 * 24 * time.Hour), now.Add(-time.Hour), false},
		{"there is none", time.Time{}, now.Add(-time.Hour), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := &memory{m: map[string][]byte{"clock/last": []byte(tt.last.Format(time.RFC3339))}}
			m := &machine{rtc: tt.rtc}
			c := newClock(t, clock.Config{Manage: true}, st, m)
			if c.Trusted() != tt.trusted {
				t.Fatalf("trusted %t, want %t", c.Trusted(), tt.trusted)
			}
			if tt.trusted && (len(m.sets) != 1 || m.sets[0].Round(time.Minute) != time.Hour || c.Quality().Stratum != 12) {
				t.Errorf("moved by %v, stratum %d; want 1h and 12", m.sets, c.Quality().Stratum)
			}
			if !tt.trusted && len(m.sets) != 0 {
				t.Errorf("moved by %v", m.sets)
			}
		})
	}
}

func TestWithoutManageNothingOfTheMachineIsTouched(t *testing.T) {
	m := &machine{rtc: time.Now().Add(time.Hour)}
	c := newClock(t, clock.Config{}, &memory{}, m)
	if err := c.Set(t.Context(), time.Now().Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if len(m.sets)+len(m.slews)+len(m.written) != 0 {
		t.Errorf("touched: %v %v %v", m.sets, m.slews, m.written)
	}
}

func TestBrowser(t *testing.T) {
	st, m := &memory{}, &machine{rtc: time.Now().Add(-time.Minute)}
	c := newClock(t, clock.Config{Floor: time.Now().Add(-24 * time.Hour)}, st, m)
	want := time.Now().Add(90 * time.Minute)
	if err := c.Set(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	q := c.Quality()
	if !near(c.Now(), want) || !c.Trusted() || q.Stratum != 10 || q.Leap != sntp.LeapNone || q.RootDispersion < time.Second {
		t.Errorf("now %s, quality %+v", c.Now(), q)
	}
	if got := c.Adjust(time.Now()); !near(got, want) {
		t.Errorf("a kernel time becomes %s, want %s", got, want)
	}
	if !near(st.last(t), want) {
		t.Errorf("saved %s, want %s", st.last(t), want)
	}
	for name, wrong := range map[string]time.Time{
		"after": time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
		"year":  time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if err := c.Set(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", wrong, err)
		}
	}
}

func TestNTP(t *testing.T) {
	for _, manage := range []bool{false, true} {
		port := ntpServer(t, "127.0.0.1", 0, 3*time.Hour)
		st, m := &memory{}, &machine{}
		c := newClock(t, clock.Config{Upstream: []string{"127.0.0.1"}, Port: port, Manage: manage}, st, m)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		waitFor(t, c.Trusted)
		q := c.Quality()
		if q.Stratum != 3 || q.ReferenceID != [4]byte{127, 0, 0, 1} {
			t.Errorf("quality %+v, want stratum 3 of 127.0.0.1", q)
		}
		if manage {
			waitFor(t, func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.sets) == 1 })
		} else if !near(c.Now(), time.Now().Add(3*time.Hour)) {
			t.Errorf("now %s", c.Now())
		}
		if err := c.Set(ctx, time.Now()); err == nil || !strings.Contains(err.Error(), "NTP server") {
			t.Errorf("a browser over NTP: got %v", err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		st.last(t)
	}
}

func TestALyingServerIsOutvoted(t *testing.T) {
	port := ntpServer(t, "127.0.0.1", 0, 0)
	ntpServer(t, "127.0.0.2", port, 0)
	ntpServer(t, "127.0.0.3", port, 72*time.Hour)
	c := newClock(t, clock.Config{Upstream: []string{"127.0.0.3", "127.0.0.2", "127.0.0.1"}, Port: port}, &memory{}, &machine{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = c.Run(ctx) }()
	waitFor(t, c.Trusted)
	if !near(c.Now(), time.Now()) {
		t.Errorf("now %s: it follows the one that lies", c.Now())
	}
}

func TestApplyAsksAtOnce(t *testing.T) {
	port := ntpServer(t, "127.0.0.1", 0, 0)
	c := newClock(t, clock.Config{Port: port}, &memory{}, &machine{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = c.Run(ctx) }()
	if err := c.Apply(clock.Config{Upstream: []string{"127.0.0.1"}}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, c.Trusted)
}

// waitFor polls until ok, for at most 10 s.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not happen within 10 s")
		case <-tick.C:
		}
	}
}

// ntpServer is a stratum 2 server whose clock is off by some time (RFC 5905 figure 8).
func ntpServer(t *testing.T, ip string, port uint16, off time.Duration) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip), Port: int(port)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			out := make([]byte, 48)
			out[0], out[1], out[2], out[3] = 4<<3|4, 2, 6, 0xec
			copy(out[24:32], buf[40:48])
			for _, at := range []int{16, 32, 40} {
				binary.BigEndian.PutUint64(out[at:], ntpTime(time.Now().Add(off)))
			}
			_, _ = conn.WriteToUDP(out, from)
		}
	}()
	return uint16(conn.LocalAddr().(*net.UDPAddr).Port)
}

func ntpTime(t time.Time) uint64 {
	const epoch = 2208988800 // 1900 to 1970
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}
