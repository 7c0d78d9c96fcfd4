package lease_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
)

// branch is settings with two more places, which are one network with a pool each.
func branch() lease.Settings {
	s := settings()
	subnet := netip.MustParsePrefix("10.78.0.0/24")
	s.Networks = []lease.Network{
		{Subnet: subnet, Duration: time.Hour, Pools: []lease.Range{{First: ip("10.78.0.10"), Last: ip("10.78.0.11")}}},
		{Subnet: subnet, Duration: 2 * time.Hour, Pools: []lease.Range{{First: ip("10.78.0.20"), Last: ip("10.78.0.21")}}},
	}
	s.Reservations[key(8)] = ip("10.78.0.99")
	return s
}

func TestAddressesAreOfTheClientsPlace(t *testing.T) {
	m := start()
	tab := lease.New(branch())
	home := give(t, tab, 1, m)
	moved, err := tab.Offer(1, key(1), home, m)
	if err != nil || moved != ip("10.78.0.10") {
		t.Fatalf("got %s, %v, want an address of the other network", moved, err)
	}
	if s := tab.StandingAt(1, key(1), home, m); s != lease.Foreign {
		t.Errorf("the address of home: got %v, want Foreign", s)
	}
	if s := tab.StandingAt(2, key(1), moved, m); s != lease.Unusable {
		t.Errorf("the other pool of the same network: got %v, want Unusable", s)
	}
	bind(t, tab, 1, moved, m)
	if l, ok := tab.At(home, m); !ok || l.Record.Key != key(1) {
		t.Errorf("%s is no longer leased, and its end has not come", home)
	}
	if l, _ := tab.Of(key(1), m); l.Record.Address != moved {
		t.Errorf("the client is at %s, want the latest", l.Record.Address)
	}
	if got, _ := tab.Offer(2, key(2), netip.Addr{}, m); got != ip("10.78.0.20") {
		t.Errorf("got %s, want one of the third place", got)
	}
	if a, b := tab.Duration(ip("10.78.0.10")), tab.Duration(ip("10.78.0.20")); a != time.Hour || b != 2*time.Hour {
		t.Errorf("durations: got %s and %s", a, b)
	}
	// A reservation counts in its network, whatever the pool there, and nowhere else.
	for place, want := range map[lease.Place]string{0: "10.77.1.2", 1: "10.78.0.99", 2: "10.78.0.99"} {
		if got, _ := tab.Offer(place, key(8), netip.Addr{}, m); got != ip(want) {
			t.Errorf("place %d: got %s, want %s", place, got, want)
		}
		tab.Drop(key(8))
	}
	if _, err := tab.Offer(7, key(3), netip.Addr{}, m); err == nil {
		t.Error("a place that is gone is served")
	}
}

func TestFreeAddressesAreKeptForTheListed(t *testing.T) {
	m := start()
	s := branch()
	s.Listed = []lease.Key{key(50), key(51), key(9)} // 9 has a reservation
	tab := lease.New(s)
	stranger := func(place lease.Place, n byte, want bool) {
		t.Helper()
		_, err := tab.Offer(place, key(n), netip.Addr{}, m)
		if want && err != nil {
			t.Errorf("stranger %d: %v", n, err)
		} else if !want {
			wantCode(t, err, "kept_for_listed")
		}
	}
	stranger(0, 1, true)  // three are free, two are kept
	stranger(0, 1, true)  // the same client again
	stranger(0, 2, false) // the last two
	stranger(1, 2, false) // who was never seen may turn up anywhere: two of two
	if s := tab.StandingAt(0, key(2), ip("10.77.1.3"), m); s != lease.Kept {
		t.Errorf("got %v, want Kept", s)
	}
	addr := give(t, tab, 50, m)
	stranger(0, 2, false) // one is free, one is kept
	stranger(1, 2, true)
	tab.Drop(key(2))
	// A listed phone whose lease is over counts where it was.
	m = after(m, 9*time.Hour)
	tab.Expire(m)
	give(t, tab, 51, m)
	stranger(1, 2, true)
	stranger(0, 3, true) // the offer of 1 lapsed: two are free, one of them is kept for 50
	stranger(0, 4, false)
	if got := give(t, tab, 50, m); got != addr {
		t.Errorf("the listed phone got %s, want %s again", got, addr)
	}
	// New settings count anew.
	s.Listed = nil
	tab.Apply(s)
	tab.Release(key(50), addr, m)
	stranger(0, 4, true)
}

func TestStrangersWithARecordAreNoBetter(t *testing.T) {
	m := start()
	s := settings()
	tab := lease.New(s)
	addr := give(t, tab, 1, m)
	tab.Release(key(1), addr, m)
	s.Listed = []lease.Key{key(50), key(51), key(52)}
	tab.Apply(s)
	_, err := tab.Offer(lease.Home, key(1), netip.Addr{}, m)
	wantCode(t, err, "kept_for_listed")
	if s := tab.StandingAt(lease.Home, key(1), addr, m); s != lease.Kept {
		t.Errorf("got %v, want Kept", s)
	}
}

// Whatever happens, the sorted pools know what a look at everything would find: as many clients as there are free
// addresses get one, and not one more.
func TestSortedPoolsAgreeWithTheTable(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		m := start()
		s := settings()
		s.Pools = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.9")}, {First: ip("10.77.2.1"), Last: ip("10.77.2.3")}}
		s.Reservations[key(40)] = ip("10.77.1.4")
		s.Exclude = append(s.Exclude, ip("10.77.2.2"))
		tab := lease.New(s)
		for range 400 {
			n := byte(1 + rnd.IntN(30))
			switch rnd.IntN(9) {
			case 0, 1, 2, 3:
				if addr, err := tab.Offer(lease.Home, key(n), netip.Addr{}, m); err == nil && rnd.IntN(3) > 0 {
					bind(t, tab, n, addr, m)
				}
			case 4:
				for _, l := range tab.Leases(m) {
					if l.Record.Key == key(n) {
						tab.Release(key(n), l.Record.Address, m)
					}
				}
			case 5:
				for _, l := range tab.Leases(m) {
					if l.Record.Key == key(n) {
						_ = tab.Decline(key(n), l.Record.HWAddr, l.Record.Address, m)
					}
				}
			case 6:
				m = after(m, time.Duration(rnd.IntN(90))*time.Minute)
			case 7:
				tab.Expire(m)
			case 8:
				tab.Apply(s)
			}
			if got, want := tab.Running(m), len(tab.Leases(m)); got != want {
				t.Fatalf("seed %d: %d leases run, counted are %d", seed, want, got)
			}
		}
		wantFree(t, tab, m, seed)
	}
}

// wantFree empties the pool and compares with what nobody had before.
func wantFree(t *testing.T, tab *lease.Table, m lease.Moment, seed uint64) {
	t.Helper()
	stranger := key(200)
	free := map[netip.Addr]bool{}
	for i := range byte(13) {
		for _, addr := range []netip.Addr{netip.AddrFrom4([4]byte{10, 77, 1, i}), netip.AddrFrom4([4]byte{10, 77, 2, i})} {
			if tab.StandingAt(lease.Home, stranger, addr, m) == lease.Free {
				free[addr] = true
			}
		}
	}
	for n := byte(100); ; n++ {
		addr, err := tab.Offer(lease.Home, key(n), netip.Addr{}, m)
		if err != nil {
			break
		}
		if !free[addr] {
			t.Fatalf("seed %d: %s was given and was not free", seed, addr)
		}
		delete(free, addr)
	}
	if len(free) > 0 {
		t.Fatalf("seed %d: free and not found: %v", seed, free)
	}
}

// BenchmarkOffer is a DISCOVER of a client that was never seen, followed by a withdrawal, in a pool of 60,000 addresses:
// the time must not depend on how many of them are in use or were.
func BenchmarkOffer(b *testing.B) {
	const size = 60_000
	for _, used := range []int{0, size / 2, size - 1, size} {
		for _, over := range []bool{false, true} {
			if over && used == 0 {
				continue
			}
			name := fmt.Sprintf("leased=%d", used)
			if over {
				name = fmt.Sprintf("ended=%d", used)
			}
			b.Run(name, func(b *testing.B) {
				tab, m := filled(size, used)
				if over {
					m = after(m, day)
					tab.Expire(m)
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					k := lease.Key(fmt.Sprintf("new:%d", i&1023))
					_, _ = tab.Offer(lease.Home, k, netip.Addr{}, m)
					tab.Drop(k)
				}
			})
		}
	}
}

// BenchmarkChurn is the life of a lease in a full pool: one ends, another client gets its address.
func BenchmarkChurn(b *testing.B) {
	const size = 60_000
	tab, m := filled(size, size)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m = after(m, time.Second)
		old := number(i % size)
		if l, ok := tab.Of(old.Key, m); ok {
			tab.Release(old.Key, l.Record.Address, m)
		}
		c := number(size + i)
		addr, err := tab.Offer(lease.Home, c.Key, netip.Addr{}, m)
		if err != nil {
			continue
		}
		rec := tab.Begin(c, addr, 8*time.Hour, m)
		_ = tab.Finish(rec, true, m)
	}
}

func number(i int) lease.Client {
	hw := []byte{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
	return lease.Client{Key: lease.MACKey([6]byte(hw)), HType: 1, HWAddr: hw}
}

// filled is a table with a pool of that size, of which so many addresses are leased.
func filled(size, used int) (*lease.Table, lease.Moment) {
	s := settings()
	last := netip.AddrFrom4([4]byte{10, 77, byte(1 + (size-1)>>8), byte((size - 1) & 255)})
	s.Pools = []lease.Range{{First: ip("10.77.1.0"), Last: last}}
	tab, m := lease.New(s), start()
	for i := range used {
		c := number(i)
		addr, err := tab.Offer(lease.Home, c.Key, netip.Addr{}, m)
		if err != nil {
			panic(err)
		}
		_ = tab.Finish(tab.Begin(c, addr, 8*time.Hour, m), true, m)
	}
	return tab, m
}

// A listed phone that is being given its address needs no second one.
func TestAnOfferToAListedPhoneIsItsAddress(t *testing.T) {
	m := start()
	s := settings()
	s.Listed = []lease.Key{key(50)}
	tab := lease.New(s)
	if _, err := tab.Offer(lease.Home, key(50), netip.Addr{}, m); err != nil {
		t.Fatal(err)
	}
	for n := range byte(2) {
		if _, err := tab.Offer(lease.Home, key(n+1), netip.Addr{}, m); err != nil {
			t.Errorf("stranger %d: %v", n+1, err)
		}
	}
	_, err := tab.Offer(lease.Home, key(3), netip.Addr{}, m)
	wantCode(t, err, "pool_empty")
}
