package lease_test

import (
	"net/netip"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
)

// strangers returns how many clients that are not listed get an address, one after the other.
func strangers(t *testing.T, tab *lease.Table, p lease.Place, from byte, m lease.Moment) (n int) {
	t.Helper()
	for ; n < 100; n++ {
		addr, err := tab.Offer(p, key(from+byte(n)), netip.Addr{}, m)
		if err != nil {
			wantCode(t, err, "kept_for_listed")
			return n
		}
		bind(t, tab, from+byte(n), addr, m)
	}
	return n
}

// A site may list far more phones than a pool has addresses: the laptop beside them gets one all the same.
func TestPhonesThatWereNeverSeenKeepThreeQuartersOfAPool(t *testing.T) {
	for _, tt := range []struct{ pool, listed, want int }{
		{20, 4, 16}, {20, 15, 5}, {20, 16, 5}, {20, 60, 5}, {7, 60, 1}, {4, 60, 1}, {3, 60, 0}, {1, 60, 0},
	} {
		m := start()
		s := settings()
		s.Reservations, s.Exclude = nil, nil
		s.Pools = []lease.Range{{First: ip("10.77.1.1"), Last: netip.AddrFrom4([4]byte{10, 77, 1, byte(tt.pool)})}}
		for i := range tt.listed {
			s.Listed = append(s.Listed, key(byte(100+i)))
		}
		tab := lease.New(s)
		if got := strangers(t, tab, lease.Home, 0, m); got != tt.want {
			t.Errorf("a pool of %d, %d listed: %d strangers get an address, want %d", tt.pool, tt.listed, got, tt.want)
		}
		// The phones get all of the rest.
		for i := range min(tt.pool-tt.want, tt.listed) {
			give(t, tab, byte(100+i), m)
		}
	}
}

// Those that were here before keep what they had, be it all of the pool.
func TestPhonesThatWereHereKeepWhatTheyHad(t *testing.T) {
	m := start()
	s := settings()
	s.Pools = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.8")}}
	for i := range byte(8) {
		s.Listed = append(s.Listed, key(100+i))
	}
	tab := lease.New(s)
	for i := range byte(8) {
		give(t, tab, 100+i, m)
	}
	m = after(m, day)
	tab.Expire(m)
	if got := strangers(t, tab, lease.Home, 0, m); got != 0 {
		t.Errorf("%d strangers got the address of a listed phone that is off", got)
	}
}

// A listed phone that shows up in another network, or seems to, does not lose what is kept for it in the first.
func TestListedPhoneCountsInEachNetworkThatItWasIn(t *testing.T) {
	s := branch()
	s.Pools = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.1")}}
	s.Reservations = nil
	s.Listed = []lease.Key{key(50)}
	tab, m := lease.New(s), start()
	home := take(t, tab, lease.Home, 50, m)
	m = after(m, 9*time.Hour)
	tab.Expire(m)
	take(t, tab, 1, 50, m)
	if got := strangers(t, tab, lease.Home, 0, m); got != 0 {
		t.Errorf("a stranger got the address of the listed phone that seems to be elsewhere")
	}
	m = after(m, 2*time.Hour)
	tab.Expire(m)
	if got := strangers(t, tab, 1, 0, m); got != 1 {
		t.Errorf("%d strangers got an address of the other network, want one of two", got)
	}
	if got := take(t, tab, lease.Home, 50, m); got.Address != home.Address {
		t.Errorf("back at home the phone got %s, want %s", got.Address, home.Address)
	}
	// New settings count anew.
	s.Listed = nil
	tab.Apply(s)
	if got, err := tab.Offer(1, key(30), netip.Addr{}, m); err != nil {
		t.Errorf("no longer listed, and an address is kept: %s, %v", got, err)
	}
}
