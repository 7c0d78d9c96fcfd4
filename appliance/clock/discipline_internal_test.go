package clock

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/services/sntp"
)

var quietLog = slog.New(slog.DiscardHandler)

// values is a store without a disk.
type values struct{ m sync.Map }

func (v *values) Value(_ context.Context, name string) ([]byte, error) {
	raw, _ := v.m.Load(name)
	content, _ := raw.([]byte)
	return content, nil
}

func (v *values) SetValue(_ context.Context, name string, raw []byte) error {
	v.m.Store(name, raw)
	return nil
}

const ms = time.Millisecond

// TestDriftIsLearntAndKept runs a crystal that is wrong by 40 ppm for some hours, cuts the network for a day, and starts
// the computer again: the drift is known from the first second on.
func TestDriftIsLearntAndKept(t *testing.T) {
	for _, manage := range []bool{false, true} {
		t.Run(fmt.Sprintf("manage=%t", manage), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, st := newNetwork(1), &values{}
				n.m["192.0.2.1"] = &source{delay: 10 * ms, jitter: 4 * ms}
				n.m["192.0.2.2"] = &source{delay: 15 * ms, jitter: 4 * ms}
				upstream := []string{"192.0.2.1", "192.0.2.2"}
				l := start(t, Config{Manage: manage, Upstream: upstream}, st, NewSim(-time.Hour, 40), n)
				time.Sleep(10 * time.Second)
				l.watch(4*time.Hour, "while the drift is learnt")
				most := l.watch(2*time.Hour, "once it is known")
				t.Logf("within 2 hours wrong by %s at most; drift %.2f ppm, polled %d times in 6 hours", most, l.Status().Drift, n.asked("192.0.2.1"))
				if most > 3*ms || l.Status().Drift < -41 || l.Status().Drift > -39 {
					t.Errorf("wrong by %s, drift %.2f ppm; wanted under 3 ms and about -40", most, l.Status().Drift)
				}
				if asked := n.asked("192.0.2.1"); asked > 200 {
					t.Errorf("a server was asked %d times in 6 hours", asked)
				}
				for addr := range n.m {
					n.set(addr, func(s *source) { s.dead = true })
				}
				before := l.Quality()
				l.skip(23*time.Hour, "in holdover")
				q := l.Quality()
				if q.Stratum != before.Stratum || q.ReferenceID != before.ReferenceID || q.RootDispersion < before.RootDispersion+time.Second {
					t.Errorf("after 23 hours without upstream %+v, it was %+v", q, before)
				}
				if l.wrong().Abs() > 200*ms { // a crystal that nobody knows would be 3.3 s off
					t.Errorf("after 23 hours without upstream wrong by %s", l.wrong())
				}
				l.skip(2*time.Hour, "in long holdover")
				if q := l.Quality(); q.Stratum != 10 || q.ReferenceID != localID || q.Leap != sntp.LeapNone {
					t.Errorf("after a day without upstream %+v, wanted stratum 10 by its own clock", q)
				}
				l.stop()

				again := NewSim(0, 40)
				c, err := New(Config{Manage: manage, BootID: "another"}, Deps{Store: st, Log: quietLog, System: again})
				if err != nil {
					t.Fatal(err)
				}
				begun := c.Now().Round(0).Sub(time.Now().Round(0))
				time.Sleep(10 * time.Hour)
				if off := c.Now().Round(0).Sub(time.Now().Round(0)) - begun; off.Abs() > 100*ms {
					t.Errorf("after a start with a known drift the time went wrong by %s in 10 hours", off)
				}
				if !manage && again.Touched() > 0 {
					t.Error("the machine was touched without -manage-clock")
				}
			})
		})
	}
}

// TestTheFirstTimeIsRightQuickly measures how long it takes until the time is trusted, and how right it is then and soon after.
func TestTheFirstTimeIsRightQuickly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(2)
		for i := range 4 {
			n.m[fmt.Sprintf("192.0.2.%d", i+1)] = &source{delay: 5 * ms, jitter: 30 * ms}
		}
		n.m["192.0.2.4"].off = time.Hour // and one lies
		began := time.Now()
		l := start(t, Config{Upstream: []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}}, &values{}, NewSim(-time.Hour, 20), n)
		for !l.Trusted() && time.Since(began) < time.Minute {
			time.Sleep(ms)
		}
		t.Logf("trusted after %s, wrong by %s", time.Since(began), l.wrong())
		if time.Since(began) > 200*ms || l.wrong().Abs() > 40*ms {
			t.Error("too late or too wrong")
		}
		time.Sleep(8 * time.Second)
		for addr := range n.m {
			if asked := n.asked(addr); asked != burst {
				t.Errorf("%s was asked %d times in the first seconds, wanted %d", addr, asked, burst)
			}
		}
		l.watch(10*time.Minute, "in the first minutes")
		if l.wrong().Abs() > 10*ms {
			t.Errorf("after ten minutes wrong by %s", l.wrong())
		}
		l.stop()
	})
}

// TestFalsetickersAndVanishedServers takes servers away and gives them back, and looks at what is told at each moment.
func TestFalsetickersAndVanishedServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(3)
		good := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
		for _, a := range good {
			n.m[a] = &source{delay: 5 * ms, jitter: 2 * ms, stratum: 2}
		}
		const liar = "192.0.2.4"
		n.m[liar] = &source{delay: ms, off: 10 * time.Second, stratum: 1} // near, and very sure of itself
		l := start(t, Config{Upstream: append([]string{liar}, good...)}, &values{}, NewSim(-time.Hour, 30), n)
		defer l.stop()
		verdict := func(addr string) string {
			for _, s := range l.Status().Servers {
				if s.Address.String() == addr {
					return s.Verdict
				}
			}
			return "gone"
		}
		kill := func(dead bool, addrs ...string) {
			for _, a := range addrs {
				n.set(a, func(s *source) { s.dead = dead })
			}
		}
		time.Sleep(5 * time.Second)
		l.skip(time.Hour, "with three that are right")
		if v := verdict(liar); v != "not right" || l.Quality().Stratum != 3 {
			t.Errorf("the liar is %q, stratum %d", v, l.Quality().Stratum)
		}
		kill(true, good[:2]...)
		l.skip(5*time.Hour, "with one that is right and one that lies")
		if v := verdict(good[2]); v != "followed" || l.Status().Problem != "" {
			t.Errorf("the one that is right is %q, problem %q", v, l.Status().Problem)
		}
		kill(true, good[2])
		time.Sleep(maxPoll + 10*time.Second)
		if s := l.Status(); s.Problem == "" || s.Held < 10*time.Second || verdict(good[2]) != "silent" || verdict(liar) != "not right" {
			t.Errorf("soon after the last one that is right fell silent: %+v", s)
		}
		l.skip(12*time.Hour, "with the liar alone")
		if p := l.Status().Problem; !strings.Contains(p, "fell silent") || l.wrong().Abs() > time.Second {
			t.Errorf("with the liar alone: wrong by %s, problem %q", l.wrong(), p)
		}
		kill(true, liar)
		l.skip(5*time.Hour, "with none")
		kill(false, good[0], liar)
		l.skip(10*time.Minute, "with one that came back, and the liar")
		if v := verdict(good[0]); v != "followed" || l.wrong().Abs() > 50*ms {
			t.Errorf("the one that came back is %q, wrong by %s", v, l.wrong())
		}
		kill(false, good...)
		l.skip(time.Hour, "with all")
		if l.Status().Problem != "" || l.Quality().Stratum != 3 || l.Quality().Leap != sntp.LeapNone {
			t.Errorf("with all again: %+v", l.Status())
		}
		outvoted := 0
		for _, e := range l.tale() {
			if e.Kind == EventOutvoted {
				outvoted++
			}
		}
		if outvoted < 1 || outvoted > 3 {
			t.Errorf("the liar was told of %d times: %+v", outvoted, l.tale())
		}
	})
}

// TestALoneServerThatChangesItsTimeIsFollowed: nobody else is there to ask, and a person has put its clock right.
func TestALoneServerThatChangesItsTimeIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(4)
		n.m["192.0.2.1"] = &source{delay: ms, off: -time.Hour}
		l := start(t, Config{Upstream: []string{"192.0.2.1"}}, &values{}, NewSim(0, 0), n)
		defer l.stop()
		time.Sleep(10 * time.Minute)
		if l.wrong().Round(time.Second) != -time.Hour {
			t.Errorf("wrong by %s", l.wrong())
		}
		n.set("192.0.2.1", func(s *source) { s.off = 0 })
		time.Sleep(3 * maxPoll)
		if l.wrong().Abs() > 10*ms {
			t.Errorf("after it was put right still wrong by %s, %s", l.wrong(), l.Status().Problem)
		}
		n.set("192.0.2.1", func(s *source) { s.unsync = true })
		time.Sleep(maxPoll + minPoll)
		if s := l.Status(); !s.Trusted || s.Problem == "" || s.Held < time.Minute {
			t.Errorf("once it says that it does not know: %+v", s)
		}
	})
}

// TestServersThatWantToBeLeftAlone: RATE makes the questions rarer for good, DENY ends them (RFC 5905 section 7.4).
func TestServersThatWantToBeLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(5)
		n.m["192.0.2.1"] = &source{delay: ms, kiss: "RATE"}
		n.m["192.0.2.2"] = &source{delay: ms, kiss: "DENY"}
		l := start(t, Config{Upstream: []string{"192.0.2.1", "192.0.2.2"}}, &values{}, NewSim(0, 0), n)
		defer l.stop()
		time.Sleep(10 * time.Hour)
		if a := n.asked("192.0.2.1"); a < 30 || a > 40 {
			t.Errorf("within ten hours a server with RATE was asked %d times, wanted about 38", a)
		}
		if a := n.asked("192.0.2.2"); a != 1 {
			t.Errorf("a server with DENY was asked %d times", a)
		}
		n.set("192.0.2.2", func(s *source) { s.kiss = "" })
		time.Sleep(24 * time.Hour)
		if s, a := l.Status(), n.asked("192.0.2.2"); s.Problem != "" || a < 20 {
			t.Errorf("a server that does not deny the time any more was asked %d times: %+v", a, s)
		}
	})
}

// TestHonestWhateverHappens lets servers come, go, lie and step at random, fewer than half of them at a time; what is told
// must be true at each moment.
func TestHonestWhateverHappens(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd, n := rand.New(rand.NewPCG(seed, 2)), newNetwork(seed)
				var upstream []string
				for i := range 5 {
					addr := fmt.Sprintf("192.0.2.%d", i+1)
					n.m[addr] = &source{delay: time.Duration(1+rnd.IntN(40)) * ms, jitter: time.Duration(rnd.IntN(20)) * ms, asymmetry: time.Duration(rnd.IntN(10)) * ms}
					upstream = append(upstream, addr)
				}
				st, sim := &values{}, NewSim(time.Duration(rnd.IntN(7200)-3600)*time.Second, float64(rnd.IntN(200)-100))
				cfg := Config{Upstream: upstream, Manage: seed%2 == 0}
				l := start(t, cfg, st, sim, n)
				for hour := range 48 {
					for i, addr := range upstream {
						lies := i < 2 && rnd.IntN(3) == 0
						n.set(addr, func(s *source) {
							s.dead, s.off = rnd.IntN(4) == 0, 0
							if lies {
								s.off = time.Duration(rnd.IntN(40)-20) * time.Second
							}
						})
					}
					if rnd.IntN(10) == 0 { // the program starts again
						l.stop()
						l = start(t, cfg, st, sim, n)
					}
					l.skip(time.Hour, fmt.Sprintf("in hour %d", hour))
				}
				l.stop()
			})
		})
	}
}

// TestBrowserAgesAndUpstreamTakesOver is a time from a browser whose laptop is 3 s wrong, on a crystal that is wrong, and
// then an upstream server.
func TestBrowserAgesAndUpstreamTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(6)
		n.m["192.0.2.1"] = &source{delay: ms, dead: true}
		l := start(t, Config{Upstream: []string{"192.0.2.1"}}, &values{}, NewSim(-100*24*time.Hour, 10), n)
		defer l.stop()
		time.Sleep(time.Minute)
		if err := l.Set(t.Context(), time.Now().Add(800*ms)); err != nil {
			t.Fatal(err)
		}
		l.watch(time.Hour, "by the browser")
		if q := l.Quality(); q.Stratum != 10 || q.ReferenceID != localID || q.RootDispersion < time.Second+50*ms {
			t.Errorf("by the browser: %+v", q)
		}
		n.set("192.0.2.1", func(s *source) { s.dead = false })
		time.Sleep(2 * minPoll)
		if q := l.Quality(); q.Stratum != 2 || l.wrong().Abs() > ms {
			t.Errorf("upstream takes over: %+v, wrong by %s", q, l.wrong())
		}
		if err := l.Set(t.Context(), time.Now().Add(time.Hour)); err == nil {
			t.Error("a browser overruled a server that was just heard")
		}
		n.set("192.0.2.1", func(s *source) { s.dead = true })
		time.Sleep(59 * time.Minute)
		if err := l.Set(t.Context(), time.Now().Add(time.Hour)); err == nil {
			t.Error("a browser overruled a server that was heard within the hour")
		}
		time.Sleep(20 * time.Minute)
		if err := l.Set(t.Context(), time.Now()); err != nil {
			t.Errorf("once upstream is gone for an hour: %v", err)
		}
	})
}

// TestTimeThatNobodyConfirmsIsDoubtedAtLast starts with an RTC after half a year without power, and waits until the
// dispersion exceeds five minutes.
func TestTimeThatNobodyConfirmsIsDoubtedAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &values{}
		start(t, Config{BootID: "before"}, st, NewSim(-170*24*time.Hour, 0), newNetwork(7)).stop()
		l := start(t, Config{Manage: true}, st, NewSim(-50*365*24*time.Hour, 0).RTC(time.Now()), newNetwork(7))
		defer l.stop()
		if q := l.Quality(); !l.Trusted() || q.Stratum != 12 {
			t.Errorf("by the RTC: %+v", q)
		}
		l.skip(5*24*time.Hour, "by the RTC")
		if q := l.Quality(); q.Leap != sntp.LeapUnsync || l.Trusted() || l.tale()[len(l.tale())-1].Kind != EventDoubted {
			t.Errorf("five days later: %+v, %+v", q, l.tale())
		}
	})
}

// TestUnknownCrystalIsDoubtedMore loses the server seconds after it was first heard, while nothing is known of the crystal.
func TestUnknownCrystalIsDoubtedMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(8)
		n.m["192.0.2.1"] = &source{delay: ms}
		l := start(t, Config{Upstream: []string{"192.0.2.1"}}, &values{}, NewSim(0, 90), n)
		defer l.stop()
		time.Sleep(10 * time.Second)
		n.set("192.0.2.1", func(s *source) { s.dead = true })
		l.skip(48*time.Hour, "without a server")
	})
}

// TestCorrectionsAreCountedInWhatWasMeasured: an old sample must not be corrected for twice.
func TestCorrectionsAreCountedInWhatWasMeasured(t *testing.T) {
	c, err := New(Config{BootID: "a"}, Deps{Store: &values{}, Log: quietLog, System: NewSim(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	now := c.sys.Now()
	p := &peer{samples: []sample{{at: now.Add(-1000 * time.Second), offset: 10 * ms}, {at: now, offset: 30 * ms}}}
	c.peers, c.trend = []*peer{p}, []measurement{{at: now.Add(-1000 * time.Second), offset: 10 * ms}, {at: now, offset: 30 * ms}}
	c.slew(30 * ms) // it was 20 ms slow 1000 s ago and is right now ...
	c.tune(20e-6)   // ... because it lost 20 ms in that time, which it would not have
	for i := range 2 {
		if a, b := p.samples[i].offset.Round(ms), c.trend[i].offset.Round(ms); a != 0 || b != 0 {
			t.Errorf("%d: a sample is off by %s, a measurement by %s, wanted 0", i, a, b)
		}
	}
}
