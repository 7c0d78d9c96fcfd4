package lease_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
)

func TestExtend(t *testing.T) {
	untrusted := func(m lease.Moment) lease.Moment { m.Trusted = false; return m }
	named := client(1)
	named.Hostname = "SEP0006D7000001"
	tests := []struct {
		name string
		at   time.Duration // after the ACK whose record is on disk
		who  lease.Client
		d    time.Duration
		mod  func(lease.Moment) lease.Moment
		want bool
	}{
		{"at once", 0, client(1), 8 * time.Hour, nil, true},
		{"at half of the lease, when clients renew", 4 * time.Hour, client(1), 8 * time.Hour, nil, true},
		{"to the very end that is on disk", 5 * time.Hour, client(1), 8 * time.Hour, nil, true},
		{"a second beyond it", 5*time.Hour + time.Second, client(1), 8 * time.Hour, nil, false},
		{"a lease that ended", 8 * time.Hour, client(1), time.Hour, nil, false},
		{"longer than was ever told", 0, client(1), 8*time.Hour + time.Second, nil, false},
		{"with another name", time.Hour, named, 8 * time.Hour, nil, false},
		{"of another client", time.Hour, client(2), 8 * time.Hour, nil, false},
		{"by a clock that is no longer trusted", time.Hour, client(1), 8 * time.Hour, untrusted, false},
		{"by a clock that was set forward", time.Hour, client(1), 8 * time.Hour, func(m lease.Moment) lease.Moment {
			m.Wall = m.Wall.Add(4*time.Hour + time.Second)
			return m
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tab, m := lease.New(settings()), start()
			addr := give(t, tab, 1, m)
			now := after(m, tt.at)
			if tt.mod != nil {
				now = tt.mod(now)
			}
			before, _ := tab.At(addr, now)
			if got := tab.Extend(tt.who, addr, tt.d, now); got != tt.want {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			want := before.Left
			if tt.want {
				want = max(before.Left, tt.d)
			}
			if l, _ := tab.At(addr, now); l.Left != want {
				t.Errorf("got %s left, want %s", l.Left, want)
			}
		})
	}
}

func TestExtendNeedsTheRecordThatIsOnDisk(t *testing.T) {
	tab, m := lease.New(settings()), start()
	rec := tab.Begin(client(1), ip("10.77.1.1"), 8*time.Hour, m)
	if err := tab.Finish(rec, false, m); err != nil {
		t.Fatal(err)
	}
	if tab.Extend(client(1), ip("10.77.1.1"), 8*time.Hour, m) {
		t.Error("a lease that was never written was renewed without a write")
	}
	tab.Stored(rec, m)
	if !tab.Extend(client(1), ip("10.77.1.1"), 8*time.Hour, m) {
		t.Error("written since, and still not renewed without a write")
	}
	set := m
	set.Wall = set.Wall.Add(10 * time.Hour)
	if tab.Restamp(set); tab.Extend(client(1), ip("10.77.1.1"), 8*time.Hour, set) {
		t.Error("renewed by an end that is not on disk yet")
	}
	tab.Release(key(1), ip("10.77.1.1"), m)
	if tab.Extend(client(1), ip("10.77.1.1"), 8*time.Hour, m) {
		t.Error("a lease that its client gave back was renewed without a write")
	}
}

// TestNoToldEndIsLaterThanTheDiskProtects plays renewals at any time, restarts, and a wall clock that is unknown, behind,
// ahead and set. After every step it cuts the power in its mind, with a clock that is trusted and with one that is not:
// the table that comes back must keep every address for whoever was told it, as long as was told.
func TestNoToldEndIsLaterThanTheDiskProtects(t *testing.T) {
	saved, written := 0, 0
	for seed := range uint64(12) {
		p := &slackPlay{play: newPlay(seed)}
		for step := range 600 {
			p.step()
			p.check(t, fmt.Sprintf("seed %d step %d", seed, step))
			if t.Failed() {
				return
			}
		}
		saved, written = saved+p.saved, written+p.written
	}
	if saved < 1000 || written < 1000 {
		t.Errorf("%d renewals without and %d with a write: the play shows nothing", saved, written)
	}
}

type slackPlay struct {
	*play
	skew           time.Duration // of a wall clock that counts as trusted
	saved, written int
}

func (p *slackPlay) moment() lease.Moment {
	m := p.play.moment()
	if m.Trusted {
		m.Wall = m.Wall.Add(p.skew)
	}
	return m
}

func (p *slackPlay) step() {
	n := byte(1 + p.rnd.IntN(4))
	switch op := p.rnd.IntN(20); {
	case op < 13:
		p.ask(n)
	case op < 16:
		p.pass(time.Duration(p.rnd.IntN(300)) * time.Minute)
	case op < 17:
		p.release(n)
	case op < 18:
		p.powerCut()
	case op < 19 && p.now.Trusted: // the clock is set, and what that does to records is written within a second
		p.skew = time.Duration(p.rnd.IntN(40)-20) * time.Hour
		p.tab.Restamp(p.moment())
		p.flush()
	default:
		p.flush()
	}
}

// ask is a boot or, for who has a lease, a renewal.
func (p *slackPlay) ask(n byte) {
	m := p.moment()
	addr, err := p.tab.Offer(lease.Home, key(n), netip.Addr{}, m)
	if err != nil {
		return
	}
	d := p.tab.Duration(addr) / time.Duration(1+p.rnd.IntN(2))
	if p.tab.Extend(client(n), addr, d, m) {
		p.saved++
	} else {
		rec := p.tab.Begin(client(n), addr, d, m)
		p.store.commit(rec)
		p.tab.Stored(rec, m)
		if err := p.tab.Finish(rec, true, m); err != nil {
			return
		}
		p.written++
	}
	p.told[addr] = promise{n, p.truth.Add(d)}
}

func (p *slackPlay) pass(d time.Duration) {
	p.now.Mono, p.truth = p.now.Mono.Add(d), p.truth.Add(d)
	if !p.now.Trusted && p.rnd.IntN(3) == 0 {
		p.now.Trusted = true
		p.tab.Trust(p.moment())
	}
	p.tab.Restamp(p.moment())
	p.tab.Expire(p.moment())
	p.flush()
}

func (p *slackPlay) release(n byte) {
	if l, ok := p.tab.Of(key(n), p.moment()); ok && p.tab.Release(key(n), l.Record.Address, p.moment()) {
		delete(p.told, l.Record.Address)
	}
}

func (p *slackPlay) flush() {
	for _, rec := range p.tab.Dirty(100, func(lease.Key, netip.Addr) bool { return false }) {
		p.store.commit(rec)
		p.tab.Stored(rec, p.moment())
	}
}

func (p *slackPlay) powerCut() {
	p.now.Trusted = p.rnd.IntN(2) == 0
	p.tab = lease.New(settings())
	p.tab.Restore(p.store.records(), p.moment())
}

// check restarts from the disk as it is. A move of the clock under a second is not looked at.
func (p *slackPlay) check(t *testing.T, where string) {
	t.Helper()
	right := p.moment()
	right.Wall, right.Trusted = p.truth.Add(p.skew), true
	blind := right
	blind.Wall, blind.Trusted = time.Unix(0, 0), false
	for _, boot := range []lease.Moment{right, blind} {
		tab := lease.New(settings())
		tab.Restore(p.store.records(), boot)
		tab.Trust(right)
		for addr, told := range p.told {
			if !p.truth.Before(told.until) {
				continue
			}
			left := told.until.Sub(p.truth)
			l, ok := tab.At(addr, right)
			if !ok || l.Record.Key != key(told.to) || l.Left < left-time.Second {
				t.Errorf("%s: %s was told to %d for %s more; after a restart (clock trusted: %v) it has %s (%v, %s)",
					where, addr, told.to, left, boot.Trusted, l.Left, ok, l.Record.Key)
			}
		}
	}
}
