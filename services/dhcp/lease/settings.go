package lease

import (
	"encoding/binary"
	"net/netip"
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
	Subnet       netip.Prefix
	Pools        []Range
	Reservations map[Key]netip.Addr
	Exclude      []netip.Addr // never given: the box itself, the gateway, servers
	Duration     time.Duration
}

// rules are Settings made ready for look-ups.
type rules struct {
	Settings
	reservedFor map[netip.Addr]Key
	excluded    map[netip.Addr]bool
	size        uint32 // addresses in all pools
}

func newRules(s Settings) rules {
	r := rules{Settings: s, reservedFor: make(map[netip.Addr]Key), excluded: make(map[netip.Addr]bool)}
	for key, addr := range s.Reservations {
		r.reservedFor[addr] = key
	}
	for _, addr := range s.Exclude {
		r.excluded[addr] = true
	}
	if s.Subnet.IsValid() && s.Subnet.Bits() < 31 {
		first := number(s.Subnet.Masked().Addr())
		last := first | (1<<(32-s.Subnet.Bits()) - 1)
		r.excluded[address(first)], r.excluded[address(last)] = true, true
	}
	for _, p := range s.Pools {
		r.size += p.Size()
	}
	return r
}

// fits reports whether the client may have the address at all, whoever has it now.
func (r *rules) fits(key Key, addr netip.Addr) bool {
	if !r.Subnet.Contains(addr) || r.excluded[addr] {
		return false
	}
	if owner, ok := r.reservedFor[addr]; ok {
		return owner == key
	}
	return r.inPool(addr)
}

func (r *rules) inPool(addr netip.Addr) bool {
	for _, p := range r.Pools {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// at returns the i-th address of the pools taken together; i is below size.
func (r *rules) at(i uint32) netip.Addr {
	for _, p := range r.Pools {
		if n := p.Size(); i >= n {
			i -= n
			continue
		}
		return address(number(p.First) + i)
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
