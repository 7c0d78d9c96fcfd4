package dns_test

import (
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"phonebox/services/dns"
)

// A failure that is remembered has the reason that it had: the page says why a name has no address, and people ask again
// and again.
func TestARememberedFailureKeepsItsReason(t *testing.T) {
	t.Parallel()
	up := startCable(t, outside)
	c := &clock{}
	b := startTuned(t, withUpstream(up.addr), dns.Deps{}, func(s *dns.Server) { s.SetClock(c.now) })
	b.ask("udp", question("known.example.", mdns.TypeA))
	broken := failing
	up.answer.Store(&broken)
	c.pass(2 * time.Minute)
	for name, want := range map[string]string{
		"new.example":   "the servers upstream say SERVFAIL",
		"known.example": "an older answer: the servers upstream say SERVFAIL",
	} {
		for range 3 {
			b.ask("udp", question(name+".", mdns.TypeA))
		}
		if err := reasonsOf(b, name, want, 3); err != "" {
			t.Error(err)
		}
	}
}

// reasonsOf counts the events of a name with a reason; "" when there are so many.
func reasonsOf(b *box, name, want string, n int) (fault string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[string]int{}
	for _, e := range b.events {
		if e.Name == name && e.Reason != "" {
			found[e.Reason]++
		}
	}
	if found[want] != n {
		return name + ": not always \"" + want + "\""
	}
	return ""
}

// What could not even be asked is no failure of the name: it is asked as soon as there is room.
func TestACrowdIsNotRemembered(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, outside)
	c := &clock{}
	b := startTuned(t, withUpstream(up.addr), dns.Deps{}, func(s *dns.Server) { s.SetClock(c.now) })
	ask := func(name string) string { return short(b.ask("udp", question(name, mdns.TypeA)).Answer) }
	ask("known.example.")
	c.pass(2 * time.Minute)
	release := b.Crowd()
	if got := ask("known.example."); got != "known.example. 30 IN A 192.0.2.80" {
		t.Errorf("in the crowd a known name is %q", got)
	}
	if got := ask("new.example."); got != "" {
		t.Errorf("in the crowd a new name is %q", got)
	}
	release()
	for _, name := range []string{"known.example.", "new.example."} {
		if got := ask(name); got != name+" 77 IN A 192.0.2.80" {
			t.Errorf("afterwards %s is %q", name, got)
		}
	}
}
