package sntp

import (
	"encoding/binary"
	"net/netip"

	"phonebox/services/internal/udp"
)

var (
	limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	// ntpGroup is the multicast address of NTP (RFC 5905 section 3.1 and IANA's registry).
	ntpGroup = netip.AddrFrom4([4]byte{224, 0, 1, 1})
)

// The places of destinations.
const (
	toBox = iota
	toSubnet
	toEverybody
	toMulticast
)

// destination tells where a packet was sent, or why it is not for us.
func (c *Config) destination(p *udp.Packet) (int, dropCode) {
	switch {
	case p.From.Port() == 0:
		return 0, dropPort
	case p.From.Addr() == c.Server.Addr() && p.From.Port() == port:
		return 0, dropOwn
	case !p.To.IsValid(), p.To == c.Server.Addr():
		return toBox, answered
	case p.To == limitedBroadcast:
		return toEverybody, answered
	case p.To == ntpGroup:
		return toMulticast, answered
	case p.To == broadcast(c.Server):
		return toSubnet, answered
	}
	for _, n := range c.Networks {
		if p.To == broadcast(n) {
			return toSubnet, answered
		}
	}
	return 0, dropDestination
}

// broadcast returns the last address of a subnet.
func broadcast(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	host := uint32(1)<<(32-p.Bits()) - 1
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(a[:])|host)))
}
