package dhcp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// settings are a Config made ready for the loop; they are never changed, only replaced.
type settings struct {
	Config
	box     netip.Addr
	known   map[phone.MAC]bool // listed or with a reservation
	options []option           // sent when asked for
}

type option struct {
	code  dhcpv4.OptionCode
	value []byte
}

func newSettings(cfg Config) (*settings, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	st := &settings{Config: cfg, box: cfg.Server.Addr(), known: make(map[phone.MAC]bool)}
	for _, mac := range cfg.Known {
		st.known[mac] = true
	}
	for _, r := range cfg.Reservations {
		st.known[r.MAC] = true
	}
	add := func(code dhcpv4.OptionCode, value []byte) {
		if len(value) > 0 {
			st.options = append(st.options, option{code, value})
		}
	}
	mask := net.CIDRMask(cfg.Server.Bits(), 32)
	add(dhcpv4.OptionSubnetMask, mask)
	add(dhcpv4.OptionRouter, join(cfg.Gateway))
	add(dhcpv4.OptionDomainNameServer, join(cfg.DNS...))
	add(dhcpv4.OptionDomainName, []byte(cfg.Domain))
	add(dhcpv4.OptionBroadcastAddress, lastOf(cfg.Server).AsSlice())
	add(dhcpv4.OptionNTPServers, join(cfg.NTP...))
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
	return s
}

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
	if c.Lease < time.Minute || c.Lease > 1<<31*time.Second {
		fault("lease: found %s, allowed is 1m to 68 years", c.Lease)
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
		if r.MAC.IsZero() || !c.Server.Contains(r.Address) || r.Address == c.Server.Addr() {
			fault("reservations[%d]: found %s for %s, allowed is an address within %s other than the box's", i, r.Address, r.MAC, c.Server)
		}
	}
	for _, list := range [][]netip.Addr{c.DNS, c.NTP} {
		for _, a := range list {
			if !a.Is4() || len(list) > 8 {
				fault("dns, ntp: found %s, allowed are up to 8 IPv4 addresses", a)
			}
		}
	}
	return errors.Join(faults...)
}

// looksLikePhone reports whether a vendor class is that of a Cisco phone or analogue adapter (phones.md b).
func looksLikePhone(class string) bool {
	return len(class) >= 5 && strings.EqualFold(class[:5], "cisco")
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
