package clock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/appliance/clock"
	"phonebox/services/sntp"
)

// memory is a store without a disk.
type memory struct {
	mu    sync.Mutex
	m     map[string][]byte
	count int
}

func (s *memory) Value(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name], nil
}

func (s *memory) SetValue(_ context.Context, name string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string][]byte{}
	}
	s.m[name] = v
	s.count++
	return nil
}

var floor = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newClock(t *testing.T, cfg clock.Config, st *memory, m *clock.Sim) *clock.Clock {
	t.Helper()
	if cfg.Floor.IsZero() {
		cfg.Floor = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if cfg.BootID == "" {
		cfg.BootID = t.Name()
	}
	c, err := clock.New(cfg, clock.Deps{Store: st, Log: slog.New(slog.DiscardHandler), System: m})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, c *clock.Clock) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func near(a, b time.Time) bool { return a.Sub(b).Abs() < 2*time.Second }

func wantTime(t *testing.T, c *clock.Clock, want time.Time) {
	t.Helper()
	if got := c.Now(); !near(got, want) {
		t.Errorf("now is %s, want %s", got, want)
	}
}

// ntpServer is a server whose clock is off by some time (RFC 5905 figure 8).
type ntpServer struct {
	addr          string
	off           atomic.Int64
	stratum, leap atomic.Int32
	asked         atomic.Int32
}

func serve(t *testing.T, off time.Duration) *ntpServer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &ntpServer{addr: conn.LocalAddr().String()}
	s.off.Store(int64(off))
	s.stratum.Store(2)
	go s.answer(conn)
	return s
}

func (s *ntpServer) answer(conn *net.UDPConn) {
	buf := make([]byte, 512)
	for {
		n, from, err := conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		if n < 48 {
			continue
		}
		s.asked.Add(1)
		out := make([]byte, 48)
		out[0], out[1], out[2], out[3] = byte(s.leap.Load())<<6|4<<3|4, byte(s.stratum.Load()), 6, 0xec
		binary.BigEndian.PutUint32(out[4:], 0x0000_1000)  // root delay: 1/16 s
		binary.BigEndian.PutUint32(out[8:], 0x0000_0800)  // root dispersion: 1/32 s
		binary.BigEndian.PutUint32(out[12:], 0xC000_0201) // its own reference
		copy(out[24:32], buf[40:48])
		for _, at := range []int{16, 32, 40} {
			binary.BigEndian.PutUint64(out[at:], ntpTime(time.Now().Add(time.Duration(s.off.Load()))))
		}
		_, _ = conn.WriteToUDP(out, from)
	}
}

func ntpTime(t time.Time) uint64 {
	const epoch = 2208988800 // 1900 to 1970
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// waitFor polls until ok, for at most 20 s.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not happen within 20 s")
		case <-tick.C:
		}
	}
}

func TestUpstream(t *testing.T) {
	for _, manage := range []bool{false, true} {
		t.Run(fmt.Sprintf("manage=%t", manage), func(t *testing.T) {
			srv := serve(t, 0)
			st, m := &memory{}, clock.NewSim(-3*time.Hour, 0)
			c := newClock(t, clock.Config{Upstream: []string{srv.addr}, Manage: manage}, st, m)
			if c.Trusted() || c.Quality().Leap != sntp.LeapUnsync || c.Status().Stratum != 16 {
				t.Errorf("before any answer: %+v", c.Quality())
			}
			stop := run(t, c)
			waitFor(t, c.Trusted)
			wantTime(t, c, time.Now())
			q := c.Quality()
			if q.Stratum != 3 || q.ReferenceID != [4]byte{127, 0, 0, 1} || q.Leap != sntp.LeapNone || !near(q.ReferenceTime, time.Now()) ||
				q.RootDelay < 62*time.Millisecond || q.RootDispersion < 31*time.Millisecond || q.RootDispersion > time.Second {
				t.Errorf("quality %+v", q)
			}
			if got := c.Adjust(m.Now()); !near(got, time.Now()) {
				t.Errorf("a time of the system becomes %s", got)
			}
			if s := c.Status(); !strings.Contains(s.Source, "127.0.0.1") || s.Offset.Round(time.Minute) != 3*time.Hour || s.Problem != "" {
				t.Errorf("status %+v", s)
			}
			if err := c.Set(t.Context(), time.Now()); !errors.Is(err, clock.ErrNotBelieved) || !strings.Contains(err.Error(), "NTP server") {
				t.Errorf("a browser over NTP: %v", err)
			}
			if !manage && m.Touched() != 0 {
				t.Error("the machine was touched without -manage-clock")
			}
			if manage {
				waitFor(t, func() bool { _, _, written := m.Taken(); return len(written) > 0 })
				steps, _, written := m.Taken()
				if len(steps) != 1 || steps[0].Round(time.Minute) != 3*time.Hour || !near(written[0], time.Now()) {
					t.Errorf("steps %v, RTC %v", steps, written)
				}
			}
			stop()
		})
	}
}

func TestRestartOfTheProgramKeepsTheTime(t *testing.T) {
	for _, manage := range []bool{false, true} {
		srv := serve(t, 0)
		st, m := &memory{}, clock.NewSim(-3*time.Hour, 0)
		c := newClock(t, clock.Config{Upstream: []string{srv.addr}, Manage: manage}, st, m)
		stop := run(t, c)
		waitFor(t, c.Trusted)
		stop()
		again := newClock(t, clock.Config{Manage: manage}, st, m)
		wantTime(t, again, time.Now())
		if !again.Trusted() || again.Quality().Stratum != 3 {
			t.Errorf("manage %t: after a restart of the program: %+v", manage, again.Status())
		}
		// After a power cut nothing of that holds; the time goes on from the last that was known.
		cut := clock.NewSim(-20*365*24*time.Hour, 0)
		c = newClock(t, clock.Config{Manage: manage, BootID: "another"}, st, cut)
		wantTime(t, c, time.Now())
		if c.Trusted() {
			t.Errorf("manage %t: trusted after a power cut without RTC", manage)
		}
	}
}

func TestServersThatCannotBeBelieved(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil   func(*ntpServer)
		servers int
	}{
		"not synchronised":          {func(s *ntpServer) { s.leap.Store(3) }, 1},
		"kiss of death":             {func(s *ntpServer) { s.stratum.Store(0) }, 1},
		"stratum 16":                {func(s *ntpServer) { s.stratum.Store(16) }, 1},
		"before the build":          {func(s *ntpServer) { s.off.Store(-int64(40 * 365 * 24 * time.Hour)) }, 1},
		"two, and they don't agree": {func(s *ntpServer) { s.off.Store(int64(72 * time.Hour)) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var upstream []string
			for range tt.servers {
				upstream = append(upstream, serve(t, 0).addr)
			}
			bad := serve(t, 0)
			tt.spoil(bad)
			upstream[0] = bad.addr
			c := newClock(t, clock.Config{Upstream: upstream}, &memory{}, clock.NewSim(0, 0))
			stop := run(t, c)
			defer stop()
			waitFor(t, func() bool { return c.Status().Problem != "" })
			if c.Trusted() {
				t.Errorf("believed: %+v", c.Status())
			}
		})
	}
}

func TestALyingServerIsOutvoted(t *testing.T) {
	c := newClock(t, clock.Config{Upstream: []string{serve(t, 72*time.Hour).addr, serve(t, 0).addr, serve(t, 0).addr}}, &memory{}, clock.NewSim(0, 0))
	stop := run(t, c)
	defer stop()
	waitFor(t, c.Trusted)
	wantTime(t, c, time.Now())
}

func TestNamesAreLookedUpWithTheResolver(t *testing.T) {
	srv := serve(t, 0)
	_, port, _ := net.SplitHostPort(srv.addr)
	var used atomic.Bool
	c, err := clock.New(clock.Config{Upstream: []string{"localhost:" + port}}, clock.Deps{
		Store: &memory{}, Log: slog.New(slog.DiscardHandler), System: clock.NewSim(time.Hour, 0),
		Resolver: func() *net.Resolver { used.Store(true); return net.DefaultResolver },
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, c)
	defer stop()
	waitFor(t, c.Trusted)
	if !used.Load() || c.Status().Source != "localhost:"+port+" (127.0.0.1)" {
		t.Errorf("status %+v", c.Status())
	}
}

func TestApplyAsksAtOnce(t *testing.T) {
	srv := serve(t, 0)
	c := newClock(t, clock.Config{}, &memory{}, clock.NewSim(0, 0))
	stop := run(t, c)
	defer stop()
	if err := c.Apply(clock.Config{Upstream: []string{srv.addr}}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, c.Trusted)
}

func TestBrowser(t *testing.T) {
	for _, manage := range []bool{false, true} {
		st, m := &memory{}, clock.NewSim(0, 0)
		c := newClock(t, clock.Config{Floor: floor, Manage: manage}, st, m)
		wrong := time.Now().Add(20 * 365 * 24 * time.Hour)
		if err := c.Set(t.Context(), wrong); err != nil {
			t.Fatal(err)
		}
		wantTime(t, c, wrong)
		// A wrong clock in a laptop must not stay for ever: without network nothing else could set it right.
		right := time.Now().Add(90 * time.Minute)
		if err := c.Set(t.Context(), right); err != nil {
			t.Fatal(err)
		}
		wantTime(t, c, right)
		q := c.Quality()
		if !c.Trusted() || q.Stratum != 10 || q.Leap != sntp.LeapNone || q.RootDispersion < time.Second {
			t.Errorf("quality %+v", q)
		}
		steps, _, written := m.Taken()
		if manage != (len(written) == 2) || !manage && m.Touched() != 0 {
			t.Errorf("manage %t: RTC written %v, steps %v", manage, written, steps)
		}
		for _, bad := range []time.Time{time.Unix(0, 0), floor.Add(-time.Second), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)} {
			if err := c.Set(t.Context(), bad); !errors.Is(err, clock.ErrNotBelieved) || !strings.Contains(err.Error(), bad.UTC().Format(time.RFC3339)) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		wantTime(t, c, right)
		if again := newClock(t, clock.Config{Floor: floor, Manage: manage, BootID: "another"}, st, clock.NewSim(-1000*time.Hour, 0)); again.Now().Before(right.Add(-2 * time.Second)) {
			t.Errorf("the last known time is %s, want %s", again.Now(), right)
		}
	}
}

func TestUpstreamCorrectsABrowser(t *testing.T) {
	srv := serve(t, 0)
	c := newClock(t, clock.Config{}, &memory{}, clock.NewSim(0, 0))
	if err := c.Set(t.Context(), time.Now().Add(10*365*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	stop := run(t, c)
	defer stop()
	if err := c.Apply(clock.Config{Upstream: []string{srv.addr}}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return c.Quality().Stratum == 3 })
	wantTime(t, c, time.Now())
}

func TestWhenTheSystemClockCannotBeSetTheServicesAreRightAllTheSame(t *testing.T) {
	srv := serve(t, 0)
	m := clock.NewSim(-3*time.Hour, 0)
	m.Break(errors.New("operation not permitted"))
	c := newClock(t, clock.Config{Upstream: []string{srv.addr}, Manage: true}, &memory{}, m)
	stop := run(t, c)
	defer stop()
	waitFor(t, c.Trusted)
	wantTime(t, c, time.Now())
	if s := c.Status(); !strings.Contains(s.Problem, "not permitted") {
		t.Errorf("status %+v", s)
	}
}

func TestRealTimeClock(t *testing.T) {
	now := time.Now()
	m := clock.NewSim(-30*365*24*time.Hour, 0)
	m.RTC(now.Truncate(time.Second))
	c := newClock(t, clock.Config{Manage: true, Floor: now.Add(-48 * time.Hour)}, &memory{}, m)
	wantTime(t, c, now)
	if q := c.Quality(); !c.Trusted() || q.Stratum != 12 || q.RootDispersion < time.Second {
		t.Errorf("quality %+v", q)
	}
	if steps, _, _ := m.Taken(); len(steps) != 1 {
		t.Errorf("the system clock was set %d times", len(steps))
	}
	// Without -manage-clock the RTC is not even read.
	m = clock.NewSim(0, 0)
	m.RTC(now.Add(time.Hour))
	wantTime(t, newClock(t, clock.Config{}, &memory{}, m), now)
}

func TestClockOfThisComputer(t *testing.T) {
	m := clock.NewSim(0, 0)
	m.Sync()
	c := newClock(t, clock.Config{}, &memory{}, m)
	if !c.Trusted() || c.Quality().Stratum != 11 {
		t.Errorf("status %+v", c.Status())
	}
	// The real one: it is only read.
	c, err := clock.New(clock.Config{}, clock.Deps{Store: &memory{}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	wantTime(t, c, time.Now())
	if !strings.Contains(c.Now().String(), " m=") {
		t.Errorf("%s has no monotonic reading", c.Now())
	}
}

func TestTimeIsStoredNowAndThenAndAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, m := &memory{}, clock.NewSim(0, 0)
		c := newClock(t, clock.Config{Manage: true}, st, m)
		stop := run(t, c)
		restored := func() time.Time {
			return newClock(t, clock.Config{Manage: true, BootID: "another"}, st, clock.NewSim(-1e5*time.Hour, 0)).Now()
		}
		time.Sleep(601 * time.Second) // of the bubble's clock
		synctest.Wait()
		if got := restored(); got.Before(time.Now()) || time.Until(got) > 62*time.Second { // after a power cut a minute is added
			t.Errorf("after ten minutes %s is stored, it is %s", got, time.Now())
		}
		time.Sleep(300 * time.Second)
		stop()
		if got := restored(); time.Since(got).Abs() > 2*time.Second {
			t.Errorf("at the stop %s is stored, it is %s", got, time.Now())
		}
	})
}

// TestAPowerCutSoonAfterACleanRestart: what was stored at the clean end is no bound for what was shown since.
func TestAPowerCutSoonAfterACleanRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &memory{}
		run(t, newClock(t, clock.Config{Manage: true}, st, clock.NewSim(0, 0)))()
		time.Sleep(20 * time.Second)
		c := newClock(t, clock.Config{Manage: true, BootID: "after a reboot"}, st, clock.NewSim(-1e5*time.Hour, 0).RTC(time.Now()))
		stop := run(t, c)
		time.Sleep(50 * time.Second)
		shown := c.Now()
		cut := &memory{m: maps.Clone(st.m)}
		stop()
		after := newClock(t, clock.Config{Manage: true, BootID: "after a power cut"}, cut, clock.NewSim(-1e5*time.Hour, 0)).Now()
		if after.Before(shown) || after.Sub(shown) > time.Minute {
			t.Errorf("before the power cut it showed %s, after it %s", shown, after)
		}
	})
}

// TestGuessesDoNotDiscreditAnRTC cuts the power again and again: the guess gets ahead, and then a clock is plugged in.
func TestGuessesDoNotDiscreditAnRTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &memory{}
		first := newClock(t, clock.Config{Manage: true, BootID: "0"}, st, clock.NewSim(0, 0))
		if err := first.Set(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			c := newClock(t, clock.Config{Manage: true, BootID: fmt.Sprint(i + 1)}, st, clock.NewSim(-1e5*time.Hour, 0))
			stop := run(t, c)
			time.Sleep(10 * time.Second)
			cut := &memory{m: maps.Clone(st.m)}
			stop()
			st = cut
		}
		c := newClock(t, clock.Config{Manage: true, BootID: "rtc"}, st, clock.NewSim(-1e5*time.Hour, 0).RTC(time.Now().Truncate(time.Second)))
		if wantTime(t, c, time.Now()); !c.Trusted() || c.Quality().Stratum != 12 {
			t.Errorf("status %+v", c.Status())
		}
		old := newClock(t, clock.Config{Manage: true, BootID: "old"}, st, clock.NewSim(-1e5*time.Hour, 0).RTC(time.Now().Add(-2*time.Minute)))
		if old.Trusted() {
			t.Errorf("an RTC that is behind was believed: %+v", old.Status())
		}
	})
}

func TestRTCIsKeptRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clock.NewSim(0, 0)
		c := newClock(t, clock.Config{Manage: true}, &memory{}, m)
		stop := run(t, c)
		defer stop()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if _, _, written := m.Taken(); len(written) != 0 {
			t.Error("a guess was written into the RTC")
		}
		if err := c.Set(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*time.Hour + time.Second)
		synctest.Wait()
		if _, _, written := m.Taken(); len(written) != 3 || written[2].Sub(written[1]).Round(time.Second) != time.Hour {
			t.Errorf("the RTC was written at %v", written)
		}
	})
}

func TestSomebodyElseStepsTheSystemClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clock.NewSim(0, 0)
		c := newClock(t, clock.Config{}, &memory{}, m)
		stop := run(t, c)
		defer stop()
		if err := c.Set(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		want := time.Now().Add(time.Hour + 30*time.Second)
		time.Sleep(15 * time.Second)
		m.Jump(-100 * 24 * time.Hour)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		wantTime(t, c, want)
	})
}
