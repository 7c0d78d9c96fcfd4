package load

import (
	"encoding/binary"
	"net/netip"
)

// MAC is a hardware address.
type MAC [6]byte

// Plus counts n addresses on.
func (m MAC) Plus(n int) MAC {
	for i := len(m) - 1; i >= 0 && n > 0; i-- {
		n += int(m[i])
		m[i] = byte(n)
		n >>= 8
	}
	return m
}

const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	protoUDP  = 17

	etherLen = 14
	ipLen    = 20
	udpLen   = 8
	headers  = etherLen + ipLen + udpLen
	arpLen   = 28
)

var everybody = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// datagram is a UDP datagram within its frame.
type datagram struct {
	from, to         MAC
	src, dst         netip.Addr
	srcPort, dstPort uint16
	payload          []byte
}

// appendFrame appends the whole frame, with both checksums.
func (d datagram) appendFrame(b []byte) []byte {
	b = append(append(b, d.to[:]...), d.from[:]...)
	b = binary.BigEndian.AppendUint16(b, etherIPv4)
	src, dst := d.src.As4(), d.dst.As4()
	ip := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipLen+udpLen+len(d.payload)))
	b = append(b, 0, 0, 0x40, 0, 64, protoUDP, 0, 0)
	b = append(append(b, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(b[ip+10:], ^fold(sum(0, b[ip:])))
	udp := len(b)
	b = binary.BigEndian.AppendUint16(b, d.srcPort)
	b = binary.BigEndian.AppendUint16(b, d.dstPort)
	b = binary.BigEndian.AppendUint16(b, uint16(udpLen+len(d.payload)))
	b = append(b, 0, 0)
	b = append(b, d.payload...)
	pseudo := sum(uint32(protoUDP)+uint32(udpLen+len(d.payload)), b[ip+12:ip+20])
	check := ^fold(sum(pseudo, b[udp:]))
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(b[udp+6:], check)
	return b
}

// sum adds up 16-bit words (RFC 1071); an odd byte at the end counts as a high one.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// parseDatagram returns the UDP datagram in a frame; the payload is that of the frame. Fragments are none: nothing that is
// measured sends them.
func parseDatagram(f []byte) (datagram, bool) {
	if len(f) < headers || binary.BigEndian.Uint16(f[12:]) != etherIPv4 {
		return datagram{}, false
	}
	ip := f[etherLen:]
	ihl := int(ip[0]&0xf) * 4
	if ip[0]>>4 != 4 || ihl < ipLen || ip[9] != protoUDP || len(ip) < ihl+udpLen || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return datagram{}, false
	}
	udp := ip[ihl:]
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if n < udpLen || n > len(udp) {
		return datagram{}, false
	}
	return datagram{
		from: MAC(f[6:12]), to: MAC(f[:6]), src: netip.AddrFrom4([4]byte(ip[12:16])), dst: netip.AddrFrom4([4]byte(ip[16:20])),
		srcPort: binary.BigEndian.Uint16(udp), dstPort: binary.BigEndian.Uint16(udp[2:]), payload: udp[udpLen:n],
	}, true
}

// arpQuestion returns who asks by ARP, and for which address.
func arpQuestion(f []byte) (asker MAC, askerIP, wanted netip.Addr, ok bool) {
	if len(f) < etherLen+arpLen || binary.BigEndian.Uint16(f[12:]) != etherARP || binary.BigEndian.Uint16(f[etherLen+6:]) != 1 {
		return
	}
	a := f[etherLen:]
	return MAC(a[8:14]), netip.AddrFrom4([4]byte(a[14:18])), netip.AddrFrom4([4]byte(a[24:28])), true
}

// appendARPAnswer appends the frame that tells asker which hardware address an IP address has.
func appendARPAnswer(b []byte, mac MAC, ip netip.Addr, asker MAC, askerIP netip.Addr) []byte {
	b = append(append(b, asker[:]...), mac[:]...)
	b = append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2)
	own, other := ip.As4(), askerIP.As4()
	b = append(append(b, mac[:]...), own[:]...)
	return append(append(b, asker[:]...), other[:]...)
}
