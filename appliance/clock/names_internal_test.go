package clock

import (
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
		if s := l.Status(); l.wrong().Abs() > ms || len(s.Servers) != 3 {
			t.Errorf("wrong by %s, %+v", l.wrong(), s)
		}
	})
}
