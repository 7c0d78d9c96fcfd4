package sntp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// limited asks n times every step, from a client that asked nothing before, and counts what came of it.
func limited(n int, step time.Duration, limit Limit) (taken, kissed int) {
	t := newClients()
	addr := netip.MustParseAddr("10.77.1.5")
	for i := range n {
		now := int64(step) * int64(i+1)
		switch c := t.find(addr, now, limit); {
		case c.take():
			taken++
		case c.kiss(now):
			kissed++
		}
	}
	return taken, kissed
}

func TestTheLimitOfAClient(t *testing.T) {
	for name, tt := range map[string]struct {
		n             int
		step          time.Duration
		limit         Limit
		taken, kissed int
	}{
		"a phone that boots every second, three questions each": {3 * 3600, time.Second / 3, DefaultLimit, 3 * 3600, 0},
		"iburst":                 {8, 2 * time.Second, DefaultLimit, 8, 0},
		"a whole burst at once":  {256, 0, DefaultLimit, 256, 0},
		"one more":               {257, 0, DefaultLimit, 256, 1},
		"at the rate, for ever":  {100_000, time.Second / 128, DefaultLimit, 100_000, 0},
		"in a loop, for 10 s":    {10_000, time.Millisecond, DefaultLimit, 256 + 1279, 9},
		"a narrow limit for 3 s": {31, 100 * time.Millisecond, Limit{PerSecond: 1, Burst: 2}, 5, 3},
	} {
		taken, kissed := limited(tt.n, tt.step, tt.limit)
		if d := taken - tt.taken; d < -2 || d > 2 || (kissed < tt.kissed-1 || kissed > tt.kissed+1) {
			t.Errorf("%s: %d of %d answered, %d kissed, want %d and %d", name, taken, tt.n, kissed, tt.taken, tt.kissed)
		}
	}
}

// TestTheTableIsOfFixedSize: a flood from more addresses than there are places neither grows the table nor keeps a client
// that goes on asking from its own bucket.
func TestTheTableIsOfFixedSize(t *testing.T) {
	table := newClients()
	limit := Limit{PerSecond: 1, Burst: 2}
	steady := netip.MustParseAddr("10.77.0.50")
	answered, now := 0, int64(1)
	for i := range 100_000 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0xc0000000+uint32(i))
		now += int64(time.Microsecond)
		table.find(netip.AddrFrom4(a), now, limit)
		if i%8 == 0 && table.find(steady, now, limit).take() {
			answered++
		}
	}
	if answered < 2 || answered > 4 {
		t.Errorf("the client that goes on asking was answered %d times in 0.1 s, want its two", answered)
	}
}

func TestWhatIsReportedOfAClient(t *testing.T) {
	table := newClients()
	addr := netip.MustParseAddr("10.77.1.5")
	var told []int
	for i := range 3600 * 10 {
		if n := table.find(addr, int64(i+1)*int64(100*time.Millisecond), DefaultLimit).report(); n > 0 {
			told = append(told, n)
		}
	}
	sum := 0
	for i, n := range told {
		sum += n
		if i < reportBurst && n != 1 {
			t.Errorf("event %d stands for %d questions, want one", i, n)
		}
	}
	if len(told) < 360 || len(told) > 365 || sum < 36_000-110 || sum > 36_000 {
		t.Errorf("%d events in an hour that stand for %d questions, want one in ten seconds, and 36000", len(told), sum)
	}
}

func TestDropsAreToldOnceASecond(t *testing.T) {
	var d drops
	total, events := 0, 0
	for i := range 5000 {
		d.waiting++
		if e, due := d.due(int64(i+1) * int64(time.Millisecond)); due {
			events++
			total += e.Count
		}
	}
	if e, due := d.due(int64(time.Minute)); due {
		total += e.Count
	}
	if _, due := d.due(int64(2 * time.Minute)); due || events != 5 || total != 5000 {
		t.Errorf("%d events in 5 s that stand for %d drops (more: %v), want 5 and 5000", events, total, due)
	}
}
