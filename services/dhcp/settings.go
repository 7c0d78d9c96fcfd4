package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// settings are a Config made ready for the loop; they are never changed, only replaced.
type settings struct {
	Config
	box      netip.Addr
	boxBytes []byte             // options 54 and 150
	boxText  []byte             // option 66
	known    map[phone.MAC]bool // listed or with a reservation
	networks []network          // by lease.Place
	classes  []classRule
}

type option struct {
	code  uint8
	value []byte
}

func newSettings(cfg Config) (*settings, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	st := &settings{Config: cfg, box: cfg.Server.Addr(), known: make(map[phone.MAC]bool)}
	st.boxBytes, st.boxText = st.box.AsSlice(), []byte(st.box.String())
	for _, mac := range cfg.Known {
		st.known[mac] = true
	}
	for _, r := range cfg.Reservations {
		st.known[r.MAC] = true
	}
	st.networks, st.classes = makeNetworks(cfg), makeClasses(cfg.Classes)
	return st, nil
}

// lease returns what the table needs.
func (st *settings) lease() lease.Settings {
	s := lease.Settings{
		Subnet: st.Server.Masked(), Pools: st.Pool, Duration: st.Lease.Truncate(time.Second),
		Reservations: make(map[lease.Key]netip.Addr),
		Exclude:      append([]netip.Addr{st.box, st.Gateway}, append(st.DNS[:len(st.DNS):len(st.DNS)], st.NTP...)...),
	}
	for _, r := range st.Reservations {
		s.Reservations[lease.MACKey(r.MAC)] = r.Address
	}
	for _, mac := range st.Known {
		s.Listed = append(s.Listed, lease.MACKey(mac))
	}
	for i, n := range st.networks[1:] {
		s.Networks = append(s.Networks, lease.Network{Subnet: n.prefix, Pools: n.pool, Duration: n.term})
		s.Exclude = append(s.Exclude, st.Subnets[i].Gateway)
	}
	return s
}

// shortestLease is long enough for T1 and T2 to be in order, and for a disk.
const shortestLease = 10 * time.Second

// Validate reports every setting that the server could not work with, each with its field.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !c.Server.IsValid() || !c.Server.Addr().Is4() {
		fault("server: found %q, allowed is an IPv4 address with its subnet's length", c.Server)
	}
	if !c.Listen.IsValid() {
		fault("listen: found %q, allowed is an IPv4 address and a port", c.Listen)
	}
	if c.Lease < shortestLease || c.Lease > 1<<31*time.Second {
		fault("lease: found %s, allowed is 10s to 68 years", c.Lease)
	}
	if len(c.Domain) > longestOption {
		fault("domain: found %d bytes, allowed are %d", len(c.Domain), longestOption)
	}
	for i, p := range c.Pool {
		if p.Size() == 0 || !c.Server.Contains(p.First) || !c.Server.Contains(p.Last) {
			fault("pool[%d]: found %s-%s, allowed is a range within %s", i, p.First, p.Last, c.Server)
		}
	}
	for i, r := range c.Reservations {
		if r.MAC.IsZero() || !c.serves(r.Address) || r.Address == c.Server.Addr() {
			fault("reservations[%d]: found %s for %s, allowed is an address within a network that is served, other than the box's", i, r.Address, r.MAC)
		}
	}
	c.validateSubnets(fault)
	c.validateClasses(fault)
	for _, list := range [][]netip.Addr{c.DNS, c.NTP} {
		for _, a := range list {
			if !a.Is4() || len(list) > 8 {
				fault("dns, ntp: found %s, allowed are up to 8 IPv4 addresses", a)
			}
		}
	}
	return errors.Join(faults...)
}

// serves reports whether an address lies in one of the networks.
func (c Config) serves(addr netip.Addr) bool {
	return c.Server.Contains(addr) || slices.ContainsFunc(c.Subnets, func(s Subnet) bool { return s.Network.Contains(addr) })
}

func (c Config) validateSubnets(fault func(format string, args ...any)) {
	for i, s := range c.Subnets {
		at := fmt.Sprintf("subnets[%d]", i)
		if !s.Network.IsValid() || !s.Network.Addr().Is4() || s.Network.Bits() < 8 || s.Network.Bits() > 30 {
			fault("%s: network: found %q, allowed is an IPv4 network with a length of 8 to 30", at, s.Network)
			continue
		}
		if s.Network.Overlaps(c.Server) {
			fault("%s: network: found %s, which overlaps the box's own network %s", at, s.Network, c.Server.Masked())
		}
		if s.Gateway.IsValid() && !s.Network.Contains(s.Gateway) {
			fault("%s: gateway: found %s, allowed is an address within %s", at, s.Gateway, s.Network)
		}
		if s.Lease != 0 && (s.Lease < shortestLease || s.Lease > 1<<31*time.Second) {
			fault("%s: lease: found %s, allowed is 10s to 68 years, or 0", at, s.Lease)
		}
		for _, p := range s.Pool {
			if p.Size() == 0 || !s.Network.Contains(p.First) || !s.Network.Contains(p.Last) {
				fault("%s: pool: found %s-%s, allowed is a range within %s", at, p.First, p.Last, s.Network)
			}
		}
		for _, id := range s.Circuit {
			if _, ok := idBytes(id); !ok {
				fault("%s: circuit: found %q, allowed is a text, or 0x and hex digits, of up to %d bytes", at, id, longestOption)
			}
		}
		for j, other := range c.Subnets[:i] {
			s.beside(other, func(what string) { fault("%s: %s subnets[%d]", at, what, j) })
		}
	}
}

// beside compares two subnets: they may be one network when each circuit and each address belongs to one of them.
func (s Subnet) beside(other Subnet, fault func(what string)) {
	switch {
	case !other.Network.IsValid() || !s.Network.Overlaps(other.Network):
		return
	case s.Network.Masked() != other.Network.Masked():
		fault("network: found one that overlaps that of")
		return
	case len(s.Circuit) == 0 && len(other.Circuit) == 0:
		fault("network: found the same one, without circuits to tell them apart, as in")
	case slices.ContainsFunc(s.Circuit, func(id string) bool { return slices.Contains(other.Circuit, id) }):
		fault("circuit: found one that is also in")
	}
	for _, p := range s.Pool {
		for _, q := range other.Pool {
			if !q.Last.Less(p.First) && !p.Last.Less(q.First) {
				fault("pool: found a range that overlaps one of")
			}
		}
	}
}

// looksLikePhone reports whether a vendor class is that of a Cisco phone or analogue adapter (phones.md b).
func looksLikePhone(class string) bool {
	return hasPrefixFold(class, "cisco")
}

func join(addrs ...netip.Addr) []byte {
	var out []byte
	for _, a := range addrs {
		if a.IsValid() {
			out = append(out, a.AsSlice()...)
		}
	}
	return out
}

// lastOf returns the broadcast address of a subnet.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
