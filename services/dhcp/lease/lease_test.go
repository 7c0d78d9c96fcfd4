package lease_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/dhcp/lease"
)

const day = 24 * time.Hour

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func client(n byte) lease.Client {
	hw := []byte{0, 6, 0xd7, 0, 0, n}
	key, _ := lease.KeyOf(lease.Ethernet, hw, nil)
	return lease.Client{Key: key, HType: lease.Ethernet, HWAddr: hw}
}

func key(n byte) lease.Key { return client(n).Key }

// settings is a subnet with a pool of three addresses and one reservation outside of it for client 9.
func settings() lease.Settings {
	return lease.Settings{
		Subnet: netip.MustParsePrefix("10.77.0.0/16"), Duration: 8 * time.Hour,
		Pools:        []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.3")}},
		Reservations: map[lease.Key]netip.Addr{key(9): ip("10.77.0.50")},
		Exclude:      []netip.Addr{ip("10.77.0.1")},
	}
}

// start is the first moment of every test: the wall clock may be believed.
func start() lease.Moment {
	return lease.Moment{Mono: time.Now(), Wall: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), Trusted: true}
}

func after(m lease.Moment, d time.Duration) lease.Moment {
	m.Mono, m.Wall = m.Mono.Add(d), m.Wall.Add(d)
	return m
}

// give offers, writes and acknowledges.
func give(t *testing.T, tab *lease.Table, n byte, m lease.Moment) netip.Addr {
	t.Helper()
	addr, err := tab.Offer(lease.Home, key(n), netip.Addr{}, m)
	if err != nil {
		t.Fatalf("offering to client %d: %v", n, err)
	}
	bind(t, tab, n, addr, m)
	return addr
}

func bind(t *testing.T, tab *lease.Table, n byte, addr netip.Addr, m lease.Moment) lease.Record {
	t.Helper()
	rec := tab.Begin(client(n), addr, tab.Duration(addr), m)
	tab.Stored(rec, m)
	if err := tab.Finish(rec, true, m); err != nil {
		t.Fatalf("binding %s to client %d: %v", addr, n, err)
	}
	return rec
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var r *lease.Refusal
	if !errors.As(err, &r) || r.Code != code {
		t.Fatalf("got %v, want a refusal %s", err, code)
	}
}

func TestKeyIsTheHardwareAddressOnEthernetOnly(t *testing.T) {
	mac := []byte{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}
	tests := []struct {
		name   string
		htype  uint8
		hw, id []byte
		want   lease.Key
		ok     bool
	}{
		{"ethernet", 1, mac, nil, "mac:0006d7aa2a2e", true},
		{"ethernet with a client id", 1, mac, []byte{1, 2}, "mac:0006d7aa2a2e", true},
		{"ethernet without an address", 1, make([]byte, 6), []byte{1, 2}, "", false},
		{"ethernet with a group address", 1, []byte{1, 0, 0x5e, 0, 0, 1}, nil, "", false},
		{"ethernet with a short address", 1, mac[:4], []byte{1, 2}, "", false},
		{"another link with a client id", 32, make([]byte, 16), []byte{255, 7}, "id:ff07", true},
		{"another link without a client id", 32, make([]byte, 16), nil, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := lease.KeyOf(tt.htype, tt.hw, tt.id)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %q, %v, want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestSamePhoneGetsTheSameAddress(t *testing.T) {
	m := start()
	steps := []struct {
		name string
		then func(tab *lease.Table, addr netip.Addr) lease.Moment
	}{
		{"while its lease runs", func(*lease.Table, netip.Addr) lease.Moment { return after(m, time.Hour) }},
		{"after it ran out", func(tab *lease.Table, _ netip.Addr) lease.Moment {
			later := after(m, day)
			tab.Expire(later)
			return later
		}},
		{"after it ran out and nobody noticed yet", func(*lease.Table, netip.Addr) lease.Moment { return after(m, day) }},
		{"after it gave it back", func(tab *lease.Table, addr netip.Addr) lease.Moment {
			if !tab.Release(key(2), addr, m) {
				panic("not released")
			}
			return after(m, time.Minute)
		}},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			tab := lease.New(settings())
			give(t, tab, 1, m)
			addr := give(t, tab, 2, m)
			now := tt.then(tab, addr)
			if got := give(t, tab, 2, now); got != addr {
				t.Errorf("got %s, want %s again", got, addr)
			}
		})
	}
}

func TestReservationWinsAndStaysItsOwners(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	if got := give(t, tab, 9, m); got != ip("10.77.0.50") {
		t.Fatalf("got %s, want the reservation", got)
	}
	if s := tab.Standing(key(1), ip("10.77.0.50"), m); s != lease.Taken {
		t.Errorf("leased reservation: got %v, want Taken", s)
	}
	later := after(m, day)
	if s := tab.Standing(key(1), ip("10.77.0.50"), later); s != lease.Reserved {
		t.Errorf("expired reservation: got %v, want Reserved", s)
	}
	// A reservation that comes while the phone has an address of the pool is taken at its next DISCOVER.
	s := settings()
	s.Reservations[key(4)] = ip("10.77.1.2")
	had := give(t, tab, 4, m)
	if had == ip("10.77.1.2") {
		t.Fatal("the test wants another address first")
	}
	tab.Apply(s)
	if got := give(t, tab, 4, m); got != ip("10.77.1.2") {
		t.Errorf("got %s, want the new reservation", got)
	}
	// It may go on with the one before until it notices; anybody can ask in its name.
	if s := tab.Standing(key(1), had, after(m, 7*time.Hour)); s != lease.Taken {
		t.Errorf("%s, which it was told it has: got %v for another, want Taken", had, s)
	}
	over := after(m, 9*time.Hour)
	tab.Expire(over)
	if s := tab.Standing(key(1), had, over); s != lease.Free {
		t.Errorf("%s after its end: got %v, want Free", had, s)
	}
}

func TestReservedAddressInUseByAnotherIsNotGivenTwice(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	taken := give(t, tab, 1, m)
	s := settings()
	s.Reservations[key(2)] = taken
	tab.Apply(s)
	if got := give(t, tab, 2, m); got == taken {
		t.Errorf("%s was given to a second phone", got)
	}
	if got := tab.Standing(key(1), taken, m); got != lease.Reserved {
		t.Errorf("renewal of the old owner: got %v, want Reserved", got)
	}
}

func TestOffersAreKeptForAMinute(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	first, _ := tab.Offer(lease.Home, key(1), netip.Addr{}, m)
	again, _ := tab.Offer(lease.Home, key(1), netip.Addr{}, after(m, 4*time.Second))
	if again != first {
		t.Errorf("second DISCOVER: got %s, want %s", again, first)
	}
	if s := tab.Standing(key(2), first, after(m, 5*time.Second)); s != lease.Taken {
		t.Errorf("another client: got %v, want Taken", s)
	}
	if s := tab.Standing(key(2), first, after(m, 2*lease.OfferTime)); s != lease.Free {
		t.Errorf("after the offer lapsed: got %v, want Free", s)
	}
	tab.Offer(lease.Home, key(1), first, m)
	if !tab.Drop(key(1)) || tab.Standing(key(2), first, m) != lease.Free {
		t.Error("a dropped offer still keeps its address")
	}
}

func TestWantedAddressIsGivenWhenNobodyHadIt(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	if got, _ := tab.Offer(lease.Home, key(1), ip("10.77.1.3"), m); got != ip("10.77.1.3") {
		t.Errorf("got %s, want the one asked for", got)
	}
	for _, bad := range []string{"10.77.0.1", "10.77.9.9", "10.78.1.1", "10.77.0.50", "10.77.255.255", "255.255.255.255"} {
		if got, err := tab.Offer(lease.Home, key(2), ip(bad), m); err != nil || got == ip(bad) {
			t.Errorf("asked for %s: got %s, %v", bad, got, err)
		}
	}
}

func TestExhaustionHasAReasonAndEndsWithTheFirstFreeAddress(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	var addrs []netip.Addr
	for n := range byte(3) {
		addrs = append(addrs, give(t, tab, n+1, m))
	}
	_, err := tab.Offer(lease.Home, key(4), netip.Addr{}, m)
	wantCode(t, err, "pool_empty")
	if err.Error() != "all 3 addresses of the pool are in use" {
		t.Errorf("got %q", err)
	}
	give(t, tab, 9, m) // a reservation needs no pool
	tab.Release(key(2), addrs[1], m)
	if got := give(t, tab, 4, m); got != addrs[1] {
		t.Errorf("got %s, want the released %s", got, addrs[1])
	}
	_, err = tab.Offer(lease.Home, key(5), netip.Addr{}, m)
	wantCode(t, err, "pool_empty")
	if _, err := tab.Offer(lease.Home, key(5), netip.Addr{}, after(m, 9*time.Hour)); err != nil {
		t.Errorf("after the leases ran out: %v", err)
	}
}

func TestOldestEndedLeaseIsReusedFirst(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	var addrs []netip.Addr
	for n := range byte(3) {
		addrs = append(addrs, give(t, tab, n+1, after(m, time.Duration(n)*time.Minute)))
	}
	bind(t, tab, 1, addrs[0], after(m, time.Hour)) // renewed: now the youngest
	later := after(m, day)
	tab.Expire(later)
	for i, want := range []netip.Addr{addrs[1], addrs[2], addrs[0]} {
		if got := give(t, tab, byte(10+i), later); got != want {
			t.Errorf("reuse %d: got %s, want %s", i, got, want)
		}
	}
}

func TestDeclinedAddressIsQuarantined(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	addr := give(t, tab, 1, m)
	wantCode(t, tab.Decline(key(2), client(2).HWAddr, addr, m), "not_its_own")
	if err := tab.Decline(key(1), client(1).HWAddr, addr, m); err != nil {
		t.Fatal(err)
	}
	for n := range byte(3) {
		if s := tab.Standing(key(n), addr, m); s != lease.Quarantined {
			t.Errorf("client %d: got %v, want Quarantined", n, s)
		}
	}
	next := give(t, tab, 1, m)
	if next == addr {
		t.Error("the declined address was given again")
	}
	// The new lease of the same client must not end the quarantine, on disk neither.
	var declined []lease.Record
	for _, rec := range tab.Dirty(10, func(lease.Key, netip.Addr) bool { return false }) {
		if rec.State == lease.Declined {
			declined = append(declined, rec)
		}
	}
	if len(declined) != 1 || declined[0].Key == key(1) || declined[0].Address != addr {
		t.Errorf("got %+v, want one record with a key of its own", declined)
	}
	if s := tab.Standing(key(2), addr, after(m, lease.DeclineTime+time.Second)); s != lease.Free {
		t.Errorf("after the quarantine: got %v, want Free", s)
	}
}

func TestOneClientCannotDeclineThePoolEmpty(t *testing.T) {
	s := settings()
	s.Pools = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.200")}}
	tab, m := lease.New(s), start()
	for range lease.DeclineLimit {
		if err := tab.Decline(key(1), client(1).HWAddr, give(t, tab, 1, m), m); err != nil {
			t.Fatal(err)
		}
	}
	addr := give(t, tab, 1, m)
	wantCode(t, tab.Decline(key(1), client(1).HWAddr, addr, m), "decline_limit")
	if s := tab.Standing(key(2), addr, m); s != lease.Free {
		t.Errorf("got %v, want Free", s)
	}
}

func TestApplyKeepsLeasesAndRefusesThoseThatNoLongerFit(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	keeps, loses := give(t, tab, 1, m), give(t, tab, 2, m)
	s := settings()
	s.Pools = []lease.Range{{First: keeps, Last: keeps}}
	tab.Apply(s)
	if got := tab.Standing(key(1), keeps, m); got != lease.Own {
		t.Errorf("fits: got %v, want Own", got)
	}
	if got := tab.Standing(key(2), loses, m); got != lease.Unusable {
		t.Errorf("no longer in the pool: got %v, want Unusable", got)
	}
	if _, ok := tab.At(loses, m); !ok {
		t.Error("the lease that no longer fits was cut short")
	}
	s.Subnet = netip.MustParsePrefix("10.99.0.0/16")
	tab.Apply(s)
	if got := tab.Standing(key(1), keeps, m); got != lease.Foreign {
		t.Errorf("another subnet: got %v, want Foreign", got)
	}
}

func TestSlowDiskDoesNotGiveAnAddressTwice(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	rec := tab.Begin(client(1), ip("10.77.1.1"), time.Hour, m)
	if s := tab.Standing(key(2), rec.Address, after(m, time.Second)); s != lease.Taken {
		t.Fatalf("while it is written: got %v, want Taken", s)
	}
	late := after(m, 2*lease.OfferTime)
	bind(t, tab, 2, rec.Address, late)
	err := tab.Finish(rec, true, late)
	wantCode(t, err, "taken")
}

func TestCarefulNeverTakesAnAddressThatARecordNames(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	tab.Restore([]lease.Record{
		{Key: key(1), Address: ip("10.77.1.1"), State: lease.Expired, End: m.Wall.Add(-day)},
		{Key: key(2), Address: ip("10.77.1.2"), State: lease.Bound, Duration: 8 * time.Hour, End: m.Wall.Add(time.Hour), Trusted: true},
		{Key: "declined:10.77.1.3", Address: ip("10.77.1.3"), State: lease.Declined, Duration: time.Minute, End: m.Wall.Add(-day), Trusted: true},
	}, m)
	tab.Careful(true)
	_, err := tab.Offer(lease.Home, key(5), netip.Addr{}, m)
	wantCode(t, err, "pool_empty")
	_, err = tab.Offer(lease.Home, key(5), ip("10.77.1.1"), m)
	wantCode(t, err, "pool_empty")
	tests := []struct {
		name  string
		n     byte
		addr  string
		term  time.Duration
		probe bool
	}{
		{"a reservation is whole", 9, "10.77.0.50", 8 * time.Hour, false},
		{"a lease on disk lasts as long as on disk", 2, "10.77.1.2", time.Hour, false},
		{"a former lease is like a new one", 1, "10.77.1.1", lease.UnstoredTime, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr, err := tab.Offer(lease.Home, key(tt.n), netip.Addr{}, m)
			if err != nil || addr != ip(tt.addr) {
				t.Fatalf("got %s, %v, want %s", addr, err, tt.addr)
			}
			if term, probe := tab.Unstored(key(tt.n), addr, m); term != tt.term || probe != tt.probe {
				t.Errorf("got %s, %v, want %s, %v", term, probe, tt.term, tt.probe)
			}
			if got := tab.Term(key(tt.n), addr, m); got != tt.term {
				t.Errorf("term: got %s, want %s", got, tt.term)
			}
		})
	}
	tab.Careful(false)
	if _, err := tab.Offer(lease.Home, key(5), netip.Addr{}, m); err != nil {
		t.Errorf("once the store works: %v", err)
	}
}

func TestUnstoredLeasesAreDirtyUntilTheyAreWritten(t *testing.T) {
	m := start()
	tab := lease.New(settings())
	rec := tab.Begin(client(1), ip("10.77.1.1"), time.Hour, m).Shorten(lease.UnstoredTime)
	if err := tab.Finish(rec, false, m); err != nil {
		t.Fatal(err)
	}
	none := func(lease.Key, netip.Addr) bool { return false }
	dirty := tab.Dirty(10, none)
	if len(dirty) != 1 || dirty[0].Duration != lease.UnstoredTime || !dirty[0].End.Equal(m.Wall.Add(lease.UnstoredTime)) {
		t.Fatalf("got %+v, want the short lease", dirty)
	}
	if got := tab.Dirty(10, func(k lease.Key, _ netip.Addr) bool { return k == key(1) }); len(got) != 0 {
		t.Errorf("skipped: got %v", got)
	}
	tab.Stored(dirty[0], m)
	if got := tab.Dirty(10, none); len(got) != 0 {
		t.Errorf("after it was written: got %v", got)
	}
}

func TestRangeSize(t *testing.T) {
	tests := []struct {
		first, last string
		want        uint32
	}{
		{"10.0.0.1", "10.0.0.1", 1}, {"10.0.0.1", "10.0.1.0", 256}, {"10.0.0.2", "10.0.0.1", 0}, {"::1", "::2", 0},
	}
	for _, tt := range tests {
		if got := (lease.Range{First: ip(tt.first), Last: ip(tt.last)}).Size(); got != tt.want {
			t.Errorf("%s-%s: got %d, want %d", tt.first, tt.last, got, tt.want)
		}
	}
}

func ExampleTable() {
	tab := lease.New(lease.Settings{
		Subnet: netip.MustParsePrefix("10.77.0.0/16"), Duration: 8 * time.Hour,
		Pools: []lease.Range{{First: netip.MustParseAddr("10.77.1.1"), Last: netip.MustParseAddr("10.77.3.250")}},
	})
	now := lease.Moment{Mono: time.Now(), Wall: time.Now(), Trusted: true}
	phone := lease.Client{Key: lease.MACKey([6]byte{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}), HType: lease.Ethernet}
	addr, _ := tab.Offer(lease.Home, phone.Key, netip.Addr{}, now)
	rec := tab.Begin(phone, addr, tab.Duration(addr), now)
	// ... the record is written to disk ...
	tab.Stored(rec, now)
	tab.Finish(rec, true, now)
	live, _ := tab.Of(phone.Key, now)
	fmt.Println(live.Record.Address, live.Left)
	// Output: 10.77.1.1 8h0m0s
}
