package clock

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestANameThatIsNotFoundCostsTheOthersNothing has a name server that never answers, before a server with an address.
func TestANameThatIsNotFoundCostsTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		n.m["192.0.2.1"] = &source{delay: ms}
		l := start(t, Config{Upstream: []string{"pool.invalid", "other.invalid", "192.0.2.1"}}, &values{}, NewSim(-time.Hour, 0), n)
		defer l.stop()
		time.Sleep(10 * time.Second)
		if s := l.Status(); l.wrong().Abs() > ms || s.Problem != "" {
			t.Errorf("after ten seconds the time is wrong by %s, %q", l.wrong(), s.Problem)
		}
		time.Sleep(4 * time.Hour)
		if s := l.Status(); s.Problem != "" || s.Held > maxPoll+10*time.Second || s.Servers[0].Reach != 255 {
			t.Errorf("after four hours: %+v", s)
		}
	})
}

// TestOneServerWithTwoNamesHasOneVoice: a server that lies must not get a majority by its names.
func TestOneServerWithTwoNamesHasOneVoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		n.m["192.0.2.1"], n.m["192.0.2.2"] = &source{delay: ms, off: time.Hour}, &source{delay: ms}
		n.m["192.0.2.3"] = &source{delay: ms}
		n.names = map[string][]string{"a.example": {"192.0.2.1"}, "b.example": {"192.0.2.1"}, "c.example": {"192.0.2.1"}, "d.example": {"192.0.2.2"}}
		l := start(t, Config{Upstream: []string{"a.example", "b.example", "c.example", "d.example", "192.0.2.3"}}, &values{}, NewSim(0, 0), n)
		defer l.stop()
		time.Sleep(10 * time.Minute)
		servers := map[netip.Addr]int{}
		for _, s := range l.Status().Servers {
			servers[s.Address]++
		}
		if l.wrong().Abs() > ms || servers[netip.MustParseAddr("192.0.2.1")] != 1 {
			t.Errorf("wrong by %s, %+v", l.wrong(), servers)
		}
	})
}

// TestAServerThatWasTakenOutDoesNotHoldABrowserBack: who takes a wrong server out of the settings wants to set the time.
func TestAServerThatWasTakenOutDoesNotHoldABrowserBack(t *testing.T) {
	for _, upstream := range [][]string{nil, {"192.0.2.2"}} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(1)
			n.m["192.0.2.1"], n.m["192.0.2.2"] = &source{delay: ms, off: time.Hour}, &source{dead: true}
			l := start(t, Config{Upstream: []string{"192.0.2.1"}}, &values{}, NewSim(0, 0), n)
			defer l.stop()
			time.Sleep(time.Minute)
			if err := l.Set(t.Context(), time.Now()); err == nil {
				t.Error("a browser was believed beside a server")
			}
			if err := l.Apply(Config{Upstream: upstream}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if s := l.Status(); s.Held != 0 || s.Stratum != 2 {
				t.Errorf("with %v: the server that is not asked any more was last heard %s ago, stratum %d", upstream, s.Held, s.Stratum)
			}
			if err := l.Set(t.Context(), time.Now()); err != nil {
				t.Errorf("with %v: %v", upstream, err)
			}
			time.Sleep(time.Minute)
			if l.wrong().Abs() > time.Second {
				t.Errorf("with %v: wrong by %s", upstream, l.wrong())
			}
		})
	}
}

// TestWhatIsStillSlewedIsSaidAfterARestart restarts the program while a correction is under way.
func TestWhatIsStillSlewedIsSaidAfterARestart(t *testing.T) {
	for _, manage := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n, st, sim := newNetwork(1), &values{}, NewSim(0, 0)
			n.m["192.0.2.1"] = &source{delay: ms}
			cfg := Config{Manage: manage, BootID: "a", Upstream: []string{"192.0.2.1"}}
			l := start(t, cfg, st, sim, n)
			time.Sleep(time.Minute)
			n.set("192.0.2.1", func(s *source) { s.off = 100 * ms })
			time.Sleep(minPoll)
			left := l.Status().Slewing
			l.stop()
			if left < 50*ms {
				t.Fatalf("manage %t: %s is still to be slewed, the test wants more", manage, left)
			}
			n.set("192.0.2.1", func(s *source) { s.dead = true })
			l = start(t, cfg, st, sim, n)
			defer l.stop()
			if q := l.Quality(); q.Stratum == 0 || q.RootDispersion < left {
				t.Errorf("manage %t: %s was still to be slewed, and what is said is %+v", manage, left, q)
			}
		})
	}
}

// TestServersThatNeverAnsweredAreListed, and names that lead nowhere, with the reason in plain words.
func TestServersThatNeverAnsweredAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		n.m["192.0.2.1"], n.m["192.0.2.2"] = &source{delay: ms}, &source{dead: true}
		n.names = map[string][]string{"good.example": {"192.0.2.1"}, "again.example": {"192.0.2.1"}}
		cfg := Config{Upstream: []string{"misspelt.example", "192.0.2.2"}}
		l := start(t, cfg, &values{}, NewSim(0, 0), n)
		defer l.stop()
		want := func(when string, servers ...string) {
			t.Helper()
			time.Sleep(time.Minute)
			got := map[string]string{}
			for _, s := range l.Status().Servers {
				got[s.Name] = s.Verdict + ": " + s.Why
			}
			for _, s := range servers {
				name, text, _ := strings.Cut(s, " ")
				if got[name] != text {
					t.Errorf("%s, %s: found %q, wanted %q", when, name, got[name], text)
				}
			}
			if len(got) != len(servers) {
				t.Errorf("%s: %v", when, got)
			}
		}
		want("nobody answers", "misspelt.example silent: its name cannot be looked up: nobody answered", "192.0.2.2 silent: it does not answer")
		cfg.Upstream = append(cfg.Upstream, "good.example", "again.example")
		if err := l.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		want("one answers", "misspelt.example silent: its name cannot be looked up: nobody answered", "192.0.2.2 silent: it does not answer",
			"good.example followed: ", "again.example silent: it leads to a server that is asked already")
	})
}
