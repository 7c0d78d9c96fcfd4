package lease

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// The times that are not part of the site's settings.
const (
	// OfferTime is how long an offered address waits for its REQUEST, and how long one that is being written to disk
	// waits for the disk. A phone sends its REQUEST within 10 s of the OFFER or starts over.
	OfferTime = time.Minute
	// DeclineTime is how long nobody gets an address that a client or a probe found in use.
	DeclineTime = 10 * time.Minute
	// UnstoredTime is the length of a new lease that could not be written to disk.
	UnstoredTime = 10 * time.Minute
	// DeclineLimit is how many addresses one client may put into quarantine at a time: a client that declines
	// everything must not empty the pool.
	DeclineLimit = 4
)

// Settings say which addresses may be given to whom, and for how long.
type Settings struct {
	Subnet       netip.Prefix // the network of [Home]
	Pools        []Range
	Duration     time.Duration
	Networks     []Network // further networks: [Place] 1 and on
	Reservations map[Key]netip.Addr
	Exclude      []netip.Addr // never given: the box itself, the gateways, servers
	Listed       []Key        // clients for whom free addresses are kept: see [Table.Offer]
}

// Network is a network behind a relay. Two of them may be the same subnet with different pools.
type Network struct {
	Subnet   netip.Prefix
	Pools    []Range
	Duration time.Duration
}

// Place is the network that a client is in: [Home], or one more than its index in [Settings.Networks].
type Place int

// Home is the place of the box's own network.
const Home Place = 0

// rules are Settings made ready for look-ups.
type rules struct {
	Settings
	networks    []Network // by Place
	reservedFor map[netip.Addr]Key
	excluded    map[netip.Addr]bool
	spans       []span   // every range of every pool, by its first address
	sizes       []uint32 // addresses in all pools of a place
}

// span is a range of a pool.
type span struct {
	first, last uint32
	place       Place
	base        uint32 // the index of first among the addresses of the place's pools
}

func newRules(s Settings) rules {
	r := rules{Settings: s, reservedFor: make(map[netip.Addr]Key), excluded: make(map[netip.Addr]bool)}
	for key, addr := range s.Reservations {
		r.reservedFor[addr] = key
	}
	for _, addr := range s.Exclude {
		r.excluded[addr] = true
	}
	r.networks = append([]Network{{s.Subnet, s.Pools, s.Duration}}, s.Networks...)
	for place, n := range r.networks {
		if n.Subnet.IsValid() && n.Subnet.Bits() < 31 {
			first := number(n.Subnet.Masked().Addr())
			last := first | (1<<(32-n.Subnet.Bits()) - 1)
			r.excluded[address(first)], r.excluded[address(last)] = true, true
		}
		size := uint32(0)
		for _, p := range n.Pools {
			if p.Size() > 0 {
				r.spans = append(r.spans, span{number(p.First), number(p.Last), Place(place), size})
				size += p.Size()
			}
		}
		r.sizes = append(r.sizes, size)
	}
	slices.SortFunc(r.spans, func(a, b span) int { return int(int64(a.first) - int64(b.first)) })
	return r
}

// fits reports whether the client may have the address at that place at all, whoever has it now.
func (r *rules) fits(p Place, key Key, addr netip.Addr) bool {
	if !r.contains(p, addr) || r.excluded[addr] {
		return false
	}
	if owner, ok := r.reservedFor[addr]; ok {
		return owner == key
	}
	in, _, ok := r.find(addr)
	return ok && in == p
}

// contains reports whether the address lies in the network of a place.
func (r *rules) contains(p Place, addr netip.Addr) bool {
	return p >= 0 && int(p) < len(r.networks) && r.networks[p].Subnet.Contains(addr)
}

// find returns whose pool holds the address, and which of the pool's addresses it is.
func (r *rules) find(addr netip.Addr) (Place, uint32, bool) {
	if !addr.Is4() {
		return 0, 0, false
	}
	n := number(addr)
	i, found := slices.BinarySearchFunc(r.spans, n, func(s span, n uint32) int { return int(int64(s.first) - int64(n)) })
	if !found {
		i--
	}
	if i < 0 || n > r.spans[i].last {
		return 0, 0, false
	}
	return r.spans[i].place, r.spans[i].base + n - r.spans[i].first, true
}

// placeOf returns the place of an address: that whose pool holds it, else the first whose network it lies in.
func (r *rules) placeOf(addr netip.Addr) (Place, bool) {
	if p, _, ok := r.find(addr); ok {
		return p, true
	}
	i := slices.IndexFunc(r.networks, func(n Network) bool { return n.Subnet.Contains(addr) })
	return Place(i), i >= 0
}

// at returns the i-th address of the pools of a place taken together; i is below its size.
func (r *rules) at(p Place, i uint32) netip.Addr {
	for _, pool := range r.networks[p].Pools {
		if n := pool.Size(); i >= n {
			i -= n
			continue
		}
		return address(number(pool.First) + i)
	}
	return netip.Addr{}
}

// Contains reports whether the address lies in the range.
func (r Range) Contains(addr netip.Addr) bool {
	return addr.Is4() && addr.Compare(r.First) >= 0 && addr.Compare(r.Last) <= 0
}

// Size returns how many addresses the range has; 0 for one that is not IPv4 or runs backwards.
func (r Range) Size() uint32 {
	if !r.First.Is4() || !r.Last.Is4() || r.Last.Less(r.First) {
		return 0
	}
	return number(r.Last) - number(r.First) + 1
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
