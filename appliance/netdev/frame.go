package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"phonebox/services/phone"
)

const (
	ipv4Header = 20
	udpHeader  = 8
	protoUDP   = 17
	// maxDatagram is the longest UDP payload that an IPv4 packet holds.
	maxDatagram = 65535 - ipv4Header - udpHeader
)

// udpFrame is a UDP datagram with the IPv4 packet and the Ethernet frame that carry it.
type udpFrame struct {
	From, To phone.MAC
	Src, Dst netip.AddrPort
	Payload  []byte
}

// marshal writes the frame with both checksums (RFC 791, RFC 768). An address that is not IPv4 and a payload that no
// packet holds are errors.
func (f udpFrame) marshal() ([]byte, error) {
	if !f.Src.Addr().Is4() || !f.Dst.Addr().Is4() {
		return nil, fmt.Errorf("found %s and %s, allowed are IPv4 addresses", f.Src.Addr(), f.Dst.Addr())
	}
	if len(f.Payload) > maxDatagram {
		return nil, fmt.Errorf("found a payload of %d bytes, allowed are %d", len(f.Payload), maxDatagram)
	}
	b := make([]byte, 0, ethernetHeader+ipv4Header+udpHeader+len(f.Payload))
	b = append(b, f.To[:]...)
	b = append(b, f.From[:]...)
	b = binary.BigEndian.AppendUint16(b, typeIPv4)
	udpLength := udpHeader + len(f.Payload)
	b = append(b, 0x45, 0) // version 4, no options
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+udpLength))
	b = append(b, 0, 0, 0x40, 0, 64, protoUDP, 0, 0) // an atomic datagram (RFC 6864): no identification, don't fragment
	b = append(b, f.Src.Addr().AsSlice()...)
	b = append(b, f.Dst.Addr().AsSlice()...)
	ip := b[ethernetHeader:]
	binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip))

	b = binary.BigEndian.AppendUint16(b, f.Src.Port())
	b = binary.BigEndian.AppendUint16(b, f.Dst.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpLength))
	b = append(b, 0, 0)
	b = append(b, f.Payload...)
	udp := b[ethernetHeader+ipv4Header:]
	check := ^sum(pseudoHeader(b[ethernetHeader:]), udp)
	if check == 0 {
		check = 0xffff // zero says that there is none
	}
	binary.BigEndian.PutUint16(udp[6:], check)
	return b, nil
}

// pseudoHeader sums what the UDP checksum covers of the IPv4 header.
func pseudoHeader(ip []byte) uint16 {
	length := binary.BigEndian.Uint16(ip[2:]) - ipv4Header
	return sum(sum(protoUDP, ip[12:20]), binary.BigEndian.AppendUint16(nil, length))
}

// sum adds b to a ones' complement sum (RFC 1071); an odd last byte counts as the upper half of a word.
func sum(start uint16, b []byte) uint16 {
	s := uint32(start)
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

var errNotUDP = errors.New("no UDP frame")

// parseUDP reads a whole, unfragmented datagram; bytes behind the IPv4 packet are padding. Payload is part of frame.
// The UDP checksum is not looked at: between virtual machines and namespaces the sender's kernel leaves it to hardware
// that does not exist, and the frame is good all the same.
func parseUDP(frame []byte) (udpFrame, error) {
	if len(frame) < ethernetHeader+ipv4Header+udpHeader {
		return udpFrame{}, fmt.Errorf("%w: %d bytes", errNotUDP, len(frame))
	}
	if t := binary.BigEndian.Uint16(frame[12:]); t != typeIPv4 {
		return udpFrame{}, fmt.Errorf("%w: type %#04x", errNotUDP, t)
	}
	ip := frame[ethernetHeader:]
	header, length := int(ip[0]&0x0f)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || header < ipv4Header || length < header+udpHeader || length > len(ip) {
		return udpFrame{}, fmt.Errorf("%w: an IPv4 header of %d in a packet of %d in %d bytes", errNotUDP, header, length, len(ip))
	}
	if ip[9] != protoUDP || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return udpFrame{}, fmt.Errorf("%w: protocol %d, or a fragment", errNotUDP, ip[9])
	}
	udp := ip[header:length]
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if n < udpHeader || n > len(udp) {
		return udpFrame{}, fmt.Errorf("%w: a length of %d in %d bytes", errNotUDP, n, len(udp))
	}
	return udpFrame{
		To:      phone.MAC(frame[:6]),
		From:    phone.MAC(frame[6:12]),
		Src:     netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(udp)),
		Dst:     netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(udp[2:])),
		Payload: udp[udpHeader:n],
	}, nil
}
