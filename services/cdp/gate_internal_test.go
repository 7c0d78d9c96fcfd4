package cdp

import (
	"encoding/binary"
	"testing"
	"time"

	"phonebox/services/phone"
)

func TestTheGateLetsNewsThroughAndBoundsTheRest(t *testing.T) {
	t.Parallel()
	g, now := newGate(), time.Unix(1000, 0)
	a := Announcement{MAC: phone.MAC{1}, Version: "P00308010200"}
	pass := func(a Announcement, want string) {
		t.Helper()
		if got := g.pass(a, now); got != want {
			t.Errorf("found %q, wanted %q", got, want)
		}
	}
	pass(a, "")
	pass(a, dropRepeated)
	a.Version = "P0S3-8-12-00"
	pass(a, "")
	now = now.Add(repeatAfter)
	pass(a, "")
	others := func(n, from int) (through int) {
		for i := range n {
			var mac phone.MAC
			binary.BigEndian.PutUint32(mac[2:], uint32(from+i))
			if g.pass(Announcement{MAC: mac}, now) == "" {
				through++
			}
		}
		return through
	}
	if n := others(2*burst, 1); n != burst-1 {
		t.Errorf("%d of a flood are let through, wanted %d", n, burst-1)
	}
	now = now.Add(time.Second)
	if n := others(2*burst, 5000); n != perSecond {
		t.Errorf("%d are let through a second later, wanted %d", n, perSecond)
	}
	for i := range 3 * maxPhones / burst {
		now = now.Add(time.Hour)
		others(burst, 10_000+i*burst)
	}
	if len(g.last) > maxPhones {
		t.Errorf("%d phones are remembered", len(g.last))
	}
}
