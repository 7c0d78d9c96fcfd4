package lease_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
)

func TestRestart(t *testing.T) {
	m := start()
	record := func(end time.Duration, trusted bool) lease.Record {
		return lease.Record{
			Key: key(1), Address: ip("10.77.1.1"), State: lease.Bound, Duration: 8 * time.Hour,
			Start: m.Wall.Add(end - 8*time.Hour), End: m.Wall.Add(end), Trusted: trusted,
		}
	}
	tests := []struct {
		name    string
		rec     lease.Record
		trusted bool          // at the start
		left    time.Duration // after the start; 0 = the lease does not run
		later   time.Duration // when the clock becomes trusted
		then    time.Duration // what is left then
	}{
		{"both clocks trusted: what is left", record(3*time.Hour, true), true, 3 * time.Hour, 0, 3 * time.Hour},
		{"both clocks trusted, end passed: over", record(-time.Hour, true), true, 0, 0, 0},
		{"end further away than a lease is long: a whole one", record(99*time.Hour, true), true, 8 * time.Hour, 0, 8 * time.Hour},
		{"clock not trusted: whole again, shortened to the end once it is", record(3*time.Hour, true), false, 8 * time.Hour, time.Minute, 3*time.Hour - time.Minute},
		{"clock not trusted, end passed: whole again, over once it is", record(-3*time.Hour, true), false, 8 * time.Hour, time.Minute, 0},
		{"end from a clock that was not trusted: whole, and stays so", record(-9999*time.Hour, false), false, 8 * time.Hour, time.Minute, 8*time.Hour - time.Minute},
		{"end from a clock that was not trusted, now trusted: whole", record(-9999*time.Hour, false), true, 8 * time.Hour, 0, 8 * time.Hour},
		{"end after a whole lease from now: never longer", record(20*time.Hour, true), false, 8 * time.Hour, time.Minute, 8*time.Hour - time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tab := lease.New(settings())
			boot := m
			boot.Trusted = tt.trusted
			if !tt.trusted {
				boot.Wall = time.Unix(0, 0)
			}
			tab.Restore([]lease.Record{tt.rec}, boot)
			wantLeft(t, tab, boot, tt.left)
			now := after(m, tt.later)
			tab.Trust(now)
			wantLeft(t, tab, now, tt.then)
		})
	}
}

func wantLeft(t *testing.T, tab *lease.Table, m lease.Moment, want time.Duration) {
	t.Helper()
	l, ok := tab.At(ip("10.77.1.1"), m)
	if ok != (want > 0) || l.Left != want {
		t.Errorf("got %s left (runs %v), want %s", l.Left, ok, want)
	}
}

func TestTrustNeverShortensWhatWasTold(t *testing.T) {
	m := start()
	boot := m
	boot.Trusted, boot.Wall = false, time.Unix(0, 0)
	tab := lease.New(settings())
	tab.Restore([]lease.Record{{
		Key: key(1), Address: ip("10.77.1.1"), State: lease.Bound, Duration: 8 * time.Hour, End: m.Wall.Add(time.Hour), Trusted: true,
	}}, boot)
	bind(t, tab, 1, ip("10.77.1.1"), boot) // renewed for 8 h while the clock is not trusted
	now := after(m, 30*time.Minute)
	tab.Trust(now)
	wantLeft(t, tab, now, 7*time.Hour+30*time.Minute)
}

func TestClockThatStepsForwardShortensNothingThatWasTold(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	bind(t, tab, 1, ip("10.77.1.1"), m)
	stepped := m
	stepped.Wall = m.Wall.Add(7 * time.Hour)
	tab.Trust(stepped)
	wantLeft(t, tab, stepped, 8*time.Hour)
}

// A clock that was trusted and behind (a slow RTC, a laptop's browser) is set right while a lease runs. Without Restamp
// the record on disk ended hours ago, and the next restart gave the address away.
func TestClockThatIsSetForwardFreesNothingAfterARestart(t *testing.T) {
	m := start()
	tab, store := lease.New(settings()), disk{}
	store.commit(bind(t, tab, 1, ip("10.77.1.1"), m))
	if n := tab.Restamp(after(m, time.Minute)); n != 0 {
		t.Errorf("%d leases restamped while the clock ran on", n)
	}
	right := after(m, time.Hour)
	right.Wall = right.Wall.Add(10 * time.Hour)
	if n := tab.Restamp(right); n != 1 {
		t.Errorf("%d leases restamped, want 1", n)
	}
	for _, rec := range tab.Dirty(10, func(lease.Key, netip.Addr) bool { return false }) {
		store.commit(rec)
		tab.Stored(rec, right)
	}
	if n := tab.Restamp(right); n != 0 {
		t.Errorf("%d leases restamped again", n)
	}
	again := lease.New(settings())
	later := after(right, time.Hour)
	again.Restore(store.records(), later)
	wantLeft(t, again, later, 6*time.Hour)
	if addr, err := again.Offer(lease.Home, key(2), ip("10.77.1.1"), later); err != nil || addr == ip("10.77.1.1") {
		t.Errorf("client 2 was offered %s, %v", addr, err)
	}
}

func TestRestoreSurvivesOddRecords(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	tab.Restore([]lease.Record{
		{},
		{Key: key(1), Address: netip.MustParseAddr("fe80::1"), State: lease.Bound},
		{Key: key(2), Address: ip("10.77.1.1"), State: lease.Expired, End: m.Wall},
		{Key: key(3), Address: ip("10.77.1.1"), State: lease.Bound, End: m.Wall.Add(time.Hour), Trusted: true},
		{Key: key(3), Address: ip("10.77.1.2"), State: lease.Expired, End: m.Wall.Add(time.Minute)},
	}, m)
	l, ok := tab.Of(key(3), m)
	if !ok || l.Record.Address != ip("10.77.1.1") || l.Left != time.Hour {
		t.Errorf("got %+v, %v, want the running lease of client 3", l, ok)
	}
	if got := len(tab.Leases(m)); got != 1 {
		t.Errorf("got %d running leases, want 1", got)
	}
}

// disk is a store as the table's user sees it: a record replaces that of its address.
type disk map[netip.Addr]lease.Record

func (d disk) commit(rec lease.Record) {
	if rec.State == lease.Forgotten {
		delete(d, rec.Address)
		return
	}
	d[rec.Address] = rec
}

func (d disk) records() (out []lease.Record) {
	for _, rec := range d {
		out = append(out, rec)
	}
	return out
}

// TestNoAddressIsEverTwoPhones plays years of a busy site at random, with power cuts, clocks that are right or in 1970, and
// changes of the pool, and checks promise 1 after every ACK by a book of its own: what each phone was last told.
func TestNoAddressIsEverTwoPhones(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newPlay(seed).run(t)
		})
	}
}

type play struct {
	rnd   *rand.Rand
	tab   *lease.Table
	store disk
	now   lease.Moment           // Wall is the true time
	told  map[netip.Addr]promise // what phones believe
	truth time.Time
	acks  int
}

type promise struct {
	to    byte
	until time.Time // on the true clock
}

func newPlay(seed uint64) *play {
	m := start()
	return &play{
		rnd: rand.New(rand.NewPCG(seed, 1)), tab: lease.New(settings()), store: disk{}, now: m,
		truth: m.Wall, told: make(map[netip.Addr]promise),
	}
}

// moment is the time as the box sees it.
func (p *play) moment() lease.Moment {
	m := p.now
	m.Wall = p.truth
	if !m.Trusted {
		m.Wall = time.Unix(3600, 0)
	}
	return m
}

func (p *play) run(t *testing.T) {
	for step := range 4000 {
		n := byte(1 + p.rnd.IntN(7))
		switch op := p.rnd.IntN(20); {
		case op < 12:
			p.boot(t, step, n)
		case op < 15:
			p.pass(time.Duration(p.rnd.IntN(10)) * time.Hour)
		case op < 16:
			p.release(n)
		case op < 17:
			if l, ok := p.tab.Of(key(n), p.moment()); ok && p.tab.Decline(key(n), client(n).HWAddr, l.Record.Address, p.moment()) == nil {
				delete(p.told, l.Record.Address)
			}
		case op < 18:
			p.powerCut()
		case op < 19:
			p.flush()
		default:
			s := settings()
			if p.rnd.IntN(2) == 0 {
				s.Reservations[key(n)] = ip("10.77.1.2")
			}
			p.tab.Apply(s)
		}
	}
	if p.acks < 100 {
		t.Errorf("only %d ACKs: the play shows nothing", p.acks)
	}
}

func (p *play) boot(t *testing.T, step int, n byte) {
	t.Helper()
	m := p.moment()
	addr, err := p.tab.Offer(lease.Home, key(n), netip.Addr{}, m)
	if err != nil {
		return
	}
	rec := p.tab.Begin(client(n), addr, p.tab.Duration(addr), m)
	p.store.commit(rec)
	p.tab.Stored(rec, m)
	if err := p.tab.Finish(rec, true, m); err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
	p.acks++
	if was, ok := p.told[addr]; ok && was.to != n && p.truth.Before(was.until) {
		t.Fatalf("step %d: %s given to %d while %d has it until %s (now %s)", step, addr, n, was.to, was.until, p.truth)
	}
	p.told[addr] = promise{n, p.truth.Add(rec.Duration)}
}

func (p *play) pass(d time.Duration) {
	p.now.Mono, p.truth = p.now.Mono.Add(d), p.truth.Add(d)
	if !p.now.Trusted && p.rnd.IntN(3) == 0 {
		p.now.Trusted = true
		p.tab.Trust(p.moment())
	}
	p.tab.Expire(p.moment())
}

func (p *play) release(n byte) {
	l, ok := p.tab.Of(key(n), p.moment())
	if ok && p.tab.Release(key(n), l.Record.Address, p.moment()) {
		delete(p.told, l.Record.Address)
	}
}

// powerCut loses the table and starts again from the disk, with a clock that is right or not.
func (p *play) powerCut() {
	p.now.Trusted = p.rnd.IntN(2) == 0
	p.truth = p.truth.Add(time.Duration(p.rnd.IntN(600)) * time.Second)
	p.tab = lease.New(settings())
	p.tab.Restore(p.store.records(), p.moment())
}

func (p *play) flush() {
	for _, rec := range p.tab.Dirty(100, func(lease.Key, netip.Addr) bool { return false }) {
		p.store.commit(rec)
		p.tab.Stored(rec, p.moment())
	}
}
