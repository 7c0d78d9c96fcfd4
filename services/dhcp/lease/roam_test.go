package lease_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
)

// take plays DISCOVER and REQUEST of a client at a place; whoever sends them, the box sees the same.
func take(t *testing.T, tab *lease.Table, p lease.Place, n byte, m lease.Moment) lease.Record {
	t.Helper()
	addr, err := tab.Offer(p, key(n), netip.Addr{}, m)
	if err != nil {
		t.Fatalf("offering to client %d at place %d: %v", n, p, err)
	}
	return bind(t, tab, n, addr, m)
}

// A packet with another's hardware address and a relay's address in it takes an address of the relay's network in that
// client's name. The client at home knows nothing of it: its address must stay its own.
func TestForgedRoamingFreesNothing(t *testing.T) {
	tab, m, store := lease.New(branch()), start(), disk{}
	home := take(t, tab, lease.Home, 1, m)
	away := take(t, tab, 1, 1, m)
	store.commit(home)
	store.commit(away)
	kept := func(what string, tab *lease.Table, m lease.Moment) {
		t.Helper()
		if s := tab.Standing(key(2), home.Address, m); s != lease.Taken {
			t.Errorf("%s: %s is %v for another client, want Taken", what, home.Address, s)
		}
		if got, err := tab.Offer(lease.Home, key(2), home.Address, m); err != nil || got == home.Address {
			t.Errorf("%s: another client was offered %s, %v", what, got, err)
		}
		tab.Drop(key(2))
		if got, err := tab.Offer(lease.Home, key(1), netip.Addr{}, m); err != nil || got != home.Address {
			t.Errorf("%s: the client at home is offered %s, %v, want %s", what, got, err, home.Address)
		}
		tab.Drop(key(1))
	}
	kept("at once", tab, m)
	late := after(m, 8*time.Hour-time.Second)
	tab.Expire(late)
	kept("before the end that was told", tab, late)
	for _, trusted := range []bool{true, false} {
		boot := late
		boot.Trusted = trusted
		again := lease.New(branch())
		again.Restore(store.records(), boot)
		kept(fmt.Sprintf("after a restart (clock trusted: %v)", trusted), again, boot)
	}
}

// A client is where it was acknowledged last, with a write or without.
func TestClientIsWhereItWasAcknowledgedLast(t *testing.T) {
	tab, m := lease.New(branch()), start()
	home, away := take(t, tab, lease.Home, 1, m), take(t, tab, 1, 1, m)
	far := take(t, tab, 2, 1, m)
	m = after(m, time.Minute)
	for _, rec := range []lease.Record{home, far, away, home, away} {
		if !tab.Extend(client(1), rec.Address, rec.Duration, m) {
			t.Fatalf("%s is not renewed without a write", rec.Address)
		}
		l, ok := tab.Of(key(1), m)
		other, _ := tab.Other(key(1), rec.Address, m)
		if !ok || l.Record.Address != rec.Address || !other.IsValid() || other == rec.Address {
			t.Errorf("it renewed %s, and its address is said to be %s, another one %s", rec.Address, l.Record.Address, other)
		}
	}
}

// Asking in one network and the other by turns costs one address in each, however long it goes on.
func TestRoamingBackAndForthCostsOneAddressPerNetwork(t *testing.T) {
	tab, m := lease.New(branch()), start()
	first := map[lease.Place]netip.Addr{}
	for round := range 60 {
		p := lease.Place(round % 3)
		rec := take(t, tab, p, 1, m)
		if first[p].IsValid() && first[p] != rec.Address {
			t.Fatalf("round %d: got %s at place %d, and had %s there", round, rec.Address, p, first[p])
		}
		first[p] = rec.Address
		m = after(m, 20*time.Minute)
		tab.Expire(m)
		if got, _ := tab.Other(key(1), rec.Address, m); got == rec.Address {
			t.Errorf("another address than %s is %s", rec.Address, got)
		}
	}
	for p, all := range map[lease.Place]int{0: 3, 1: 2, 2: 2} {
		if free, open := tab.Room(p); open != all || free < all-1 {
			t.Errorf("place %d: %d of %d addresses are free", p, free, open)
		}
	}
	// It gives one back and asks for another: again and again, that is the same address, or one of its free ones.
	for i := range 20 {
		l, _ := tab.Of(key(1), m)
		tab.Release(key(1), l.Record.Address, m)
		want := ip([]string{"10.77.1.1", "10.77.1.2", "10.77.1.3"}[i%3])
		if s := tab.StandingAt(lease.Home, key(1), want, m); s == lease.Free || s == lease.Own {
			bind(t, tab, 1, want, m)
		}
		if records := len(tab.Leases(m)); records > 3 {
			t.Fatalf("%d leases run for one client in three networks", records)
		}
	}
	if free, open := tab.Room(lease.Home); free < open-1 {
		t.Errorf("one client has %d addresses at home", open-free)
	}
}

// What a client can do without is removed from disk by name, and is nobody's in the table at once.
func TestFormerAddressOfTheSameNetworkIsErased(t *testing.T) {
	tab, m := lease.New(settings()), start()
	rec := bind(t, tab, 1, ip("10.77.1.1"), m)
	tab.Release(key(1), rec.Address, m)
	next := bind(t, tab, 1, ip("10.77.1.2"), m)
	got := dirty(tab)
	if len(got) != 1 || got[rec.Address].State != lease.Forgotten || got[rec.Address].Key != "" {
		t.Fatalf("to be written: got %+v, want that %s is removed", got, rec.Address)
	}
	if len(tab.Dirty(100, func(_ lease.Key, a netip.Addr) bool { return a == rec.Address })) > 0 {
		t.Error("a record that is on its way would be followed by its removal")
	}
	if addr, _ := tab.Offer(lease.Home, key(2), rec.Address, m); addr != rec.Address {
		t.Errorf("another client asked for %s and was offered %s", rec.Address, addr)
	}
	tab.Drop(key(2))
	tab.Stored(got[rec.Address], m)
	if got := dirty(tab); len(got) > 0 {
		t.Errorf("written, and still to be written: %+v", got)
	}
	tab.Careful(true)
	if s := tab.Standing(key(2), rec.Address, m); s != lease.Free {
		t.Errorf("%s is %v by the disk, want Free", rec.Address, s)
	}
	tab.Careful(false)
	bind(t, tab, 2, rec.Address, m) // and the removal must not follow
	tab.Release(key(2), rec.Address, m)
	if got := dirty(tab)[rec.Address]; got.State != lease.Released || next.Address == rec.Address {
		t.Errorf("to be written: got %+v, want the release", got)
	}
}

// So is what it gives back while another of its leases runs in that network.
func TestReleasedAddressIsErasedWhileAnotherRuns(t *testing.T) {
	tab, m := lease.New(settings()), start()
	first := bind(t, tab, 1, ip("10.77.1.1"), m)
	s := settings()
	s.Reservations[key(1)] = ip("10.77.1.2")
	tab.Apply(s)
	second := take(t, tab, lease.Home, 1, m)
	tab.Release(key(1), second.Address, m)
	if got := dirty(tab); len(got) != 1 || got[second.Address].State != lease.Forgotten {
		t.Errorf("to be written: got %+v, want that %s is removed", got, second.Address)
	}
	if l, ok := tab.At(first.Address, m); !ok || l.Record.Key != key(1) {
		t.Errorf("%s is no longer leased", first.Address)
	}
}

// And what ends by itself meanwhile: nothing else would remove it while the client stays.
func TestEndedAddressIsErasedWhileAnotherRuns(t *testing.T) {
	tab, m := lease.New(settings()), start()
	first := bind(t, tab, 1, ip("10.77.1.1"), m)
	s := settings()
	s.Reservations[key(1)] = ip("10.77.1.2")
	tab.Apply(s)
	m = after(m, time.Hour)
	take(t, tab, lease.Home, 1, m)
	m = after(m, s.Duration-time.Minute) // the first is over
	tab.Expire(m)
	if got := dirty(tab); len(got) != 1 || got[first.Address].State != lease.Forgotten {
		t.Errorf("to be written: got %+v, want that %s is removed", got, first.Address)
	}
}

// A store of before, or a damaged one, may name several addresses for one client in one network.
func TestRestoreKeepsWhatRunsAndTheLatestOfTheRest(t *testing.T) {
	m := start()
	record := func(addr string, state lease.State, start, end time.Duration) lease.Record {
		return lease.Record{
			Key: key(1), Address: ip(addr), State: state, Duration: 8 * time.Hour, Trusted: true,
			Start: m.Wall.Add(start), End: m.Wall.Add(end),
		}
	}
	ended := record("10.77.1.1", lease.Expired, -30*time.Hour, -22*time.Hour)
	older := record("10.77.1.2", lease.Bound, -2*time.Hour, 6*time.Hour)
	newer := record("10.77.1.3", lease.Bound, -time.Hour, 7*time.Hour)
	away := record("10.78.0.10", lease.Bound, -99*time.Hour, -91*time.Hour)
	away2 := record("10.78.0.11", lease.Released, -98*time.Hour, -97*time.Hour)
	all := []lease.Record{ended, older, newer, away, away2}
	for shift := range all {
		tab := lease.New(branch())
		tab.Restore(append(append([]lease.Record(nil), all[shift:]...), all[:shift]...), m)
		for _, rec := range []lease.Record{older, newer} {
			if s := tab.Standing(key(2), rec.Address, m); s != lease.Taken {
				t.Errorf("%s runs and is %v for another, want Taken", rec.Address, s)
			}
		}
		got := dirty(tab)
		if got[ended.Address].State != lease.Forgotten || got[away.Address].State != lease.Forgotten || len(got) != 2 {
			t.Errorf("to be written: got %+v, want that %s and %s are removed", got, ended.Address, away.Address)
		}
		if l, _ := tab.Of(key(1), m); l.Record.Address != newer.Address {
			t.Errorf("the client is at %s, want %s", l.Record.Address, newer.Address)
		}
		if addr, err := tab.Offer(1, key(1), netip.Addr{}, m); err != nil || addr != away2.Address {
			t.Errorf("back in the other network it is offered %s, %v, want %s", addr, err, away2.Address)
		}
	}
}

// A network that is taken off the site and comes back finds its leases running.
func TestLeasesOfANetworkOutliveItsAbsence(t *testing.T) {
	tab, m := lease.New(branch()), start()
	away := take(t, tab, 1, 1, m)
	tab.Apply(settings())
	home := take(t, tab, lease.Home, 1, m)
	tab.Apply(branch())
	for _, rec := range []lease.Record{away, home} {
		if l, ok := tab.At(rec.Address, m); !ok || l.Record.Key != key(1) {
			t.Errorf("%s is no longer leased", rec.Address)
		}
	}
	if got := take(t, tab, 1, 1, m); got.Address != away.Address {
		t.Errorf("got %s, want %s again", got.Address, away.Address)
	}
}

// TestNoAddressIsEverTwoPhonesAcrossNetworks plays clients that show up anywhere, or seem to, with restarts, clocks and
// settings that change. What a client was told in one network it keeps, whatever it is told in another.
func TestNoAddressIsEverTwoPhonesAcrossNetworks(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			p := &roamPlay{play: newPlay(seed), changes: seed%2 == 0}
			p.tab = lease.New(branch())
			for step := range 3000 {
				p.step(t, step)
			}
			if p.acks < 100 || p.moves < 20 {
				t.Errorf("%d ACKs and %d moves: the play shows nothing", p.acks, p.moves)
			}
		})
	}
}

type roamPlay struct {
	*play
	changes bool // of the settings
	moves   int  // that left a lease behind
}

func (p *roamPlay) step(t *testing.T, step int) {
	n := byte(1 + p.rnd.IntN(6))
	switch op := p.rnd.IntN(20); {
	case op < 9:
		p.appear(t, step, n, lease.Place(p.rnd.IntN(3)), netip.Addr{})
	case op < 11: // it asks for any address by name
		addr := ip([]string{"10.77.1.1", "10.77.1.2", "10.77.1.3", "10.78.0.10", "10.78.0.11", "10.78.0.20", "10.78.0.21"}[p.rnd.IntN(7)])
		p.appear(t, step, n, lease.Place(p.rnd.IntN(3)), addr)
	case op < 14:
		p.pass(time.Duration(p.rnd.IntN(200)) * time.Minute)
	case op < 15:
		p.release(n)
	case op < 16:
		if l, ok := p.tab.Of(key(n), p.moment()); ok && p.tab.Decline(key(n), client(n).HWAddr, l.Record.Address, p.moment()) == nil {
			delete(p.told, l.Record.Address)
		}
	case op < 17:
		if !p.changes { // else a client may have, after the power cut, the address again that it had given up just before
			p.flush()
		}
		p.now.Trusted = p.rnd.IntN(2) == 0
		p.tab = lease.New(branch())
		p.tab.Restore(p.store.records(), p.moment())
	case op < 19 || !p.changes:
		p.flush()
	default:
		p.tab.Apply(p.anySettings(n))
	}
	if !p.changes {
		p.checkBound(t, step)
	}
}

func (p *roamPlay) anySettings(n byte) lease.Settings {
	s := branch()
	switch p.rnd.IntN(4) {
	case 0:
		s.Reservations[key(n)] = ip("10.77.1.2")
	case 1:
		s.Networks = nil
	case 2:
		s.Networks[0].Pools, s.Networks[1].Pools = s.Networks[1].Pools, s.Networks[0].Pools
	}
	return s
}

// appear plays a client at a place that takes what it is offered, or asks for an address as who is selecting does.
func (p *roamPlay) appear(t *testing.T, step int, n byte, place lease.Place, addr netip.Addr) {
	t.Helper()
	m := p.moment()
	if !addr.IsValid() {
		var err error
		if addr, err = p.tab.Offer(place, key(n), netip.Addr{}, m); err != nil {
			return
		}
	} else {
		home, has := p.tab.Home(place, key(n), m)
		s := p.tab.StandingAt(place, key(n), addr, m)
		if s != lease.Own && (s != lease.Free || has) || has && home != addr {
			return
		}
	}
	d := p.tab.Duration(addr)
	if !p.tab.Extend(client(n), addr, d, m) {
		rec := p.tab.Begin(client(n), addr, d, m)
		p.store.commit(rec)
		p.tab.Stored(rec, m)
		if err := p.tab.Finish(rec, true, m); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
	}
	p.acks++
	if was, ok := p.told[addr]; ok && was.to != n && p.truth.Before(was.until) {
		t.Fatalf("step %d: %s given to %d while %d has it until %s (now %s)", step, addr, n, was.to, was.until, p.truth)
	}
	if _, other := p.tab.Other(key(n), addr, m); other {
		p.moves++
	}
	p.told[addr] = promise{n, p.truth.Add(d)}
}

// checkBound looks for a client with two addresses in one network. Places 1 and 2 have a pool each.
func (p *roamPlay) checkBound(t *testing.T, step int) {
	t.Helper()
	m := p.moment()
	seen := map[string]netip.Addr{}
	for _, l := range p.tab.Leases(m) {
		where := fmt.Sprint(l.Record.Key, l.Record.Address.As4()[2], l.Record.Address.As4()[3]/10)
		if l.Record.Address.As4()[1] == 77 {
			where = fmt.Sprint(l.Record.Key, "home")
		}
		if was, twice := seen[where]; twice {
			t.Fatalf("step %d: %s has %s and %s in one network", step, l.Record.Key, was, l.Record.Address)
		}
		seen[where] = l.Record.Address
	}
}
