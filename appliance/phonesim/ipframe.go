package phonesim

import (
	"encoding/binary"
	"net/netip"

	"phonebox/services/phone"
)

// IPv4, ICMP and ARP as a phone with an address writes them.

const (
	protoICMP = 1
	protoTCP  = 6

	icmpEchoReply       = 0
	icmpUnreachable     = 3
	icmpPortUnreachable = 3 // code
	icmpEcho            = 8
	icmpHeader          = 8

	ethernetMTU = 1500
	phoneTTL    = 64
)

// ipv4Packet is what the fixed part of an IPv4 header says.
type ipv4Packet struct {
	src, dst netip.Addr
	protocol byte
	header   []byte // with its options
	payload  []byte
}

// parseIPv4 reads a packet; false: it is none, or a fragment, which a phone does not put together.
func parseIPv4(b []byte) (ipv4Packet, bool) {
	if len(b) < ipv4Size || b[0]>>4 != 4 {
		return ipv4Packet{}, false
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < ipv4Size || total < head || total > len(b) || binary.BigEndian.Uint16(b[6:])&0x3FFF != 0 {
		return ipv4Packet{}, false
	}
	return ipv4Packet{
		src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])), protocol: b[9],
		header: b[:head], payload: b[head:total],
	}, true
}

// putIPv4 writes a header without options in front of length bytes.
func putIPv4(h []byte, protocol byte, id uint16, src, dst netip.Addr, length int) {
	s, d := src.As4(), dst.As4()
	h[0], h[1] = 0x45, 0
	binary.BigEndian.PutUint16(h[2:], uint16(ipv4Size+length))
	binary.BigEndian.PutUint16(h[4:], id)
	h[6], h[7], h[8], h[9], h[10], h[11] = 0, 0, phoneTTL, protocol, 0, 0
	copy(h[12:], s[:])
	copy(h[16:], d[:])
	binary.BigEndian.PutUint16(h[10:], ^sum16(h[:ipv4Size], 0))
}

// udpFrame makes a frame around a datagram; the destination's hardware address is filled in when it is known.
func udpFrame(from phone.MAC, id uint16, src, dst netip.AddrPort, payload []byte) []byte {
	b := make([]byte, etherSize+ipv4Size+udpSize+len(payload))
	copy(b[6:], from[:])
	binary.BigEndian.PutUint16(b[12:], etherIPv4)
	h, u := b[etherSize:], b[etherSize+ipv4Size:]
	putIPv4(h, protoUDP, id, src.Addr(), dst.Addr(), udpSize+len(payload))
	binary.BigEndian.PutUint16(u, src.Port())
	binary.BigEndian.PutUint16(u[2:], dst.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	copy(u[udpSize:], payload)
	check := ^sum16(u, uint32(pseudoSum(h, len(u))))
	if check == 0 {
		check = 0xFFFF
	}
	binary.BigEndian.PutUint16(u[6:], check)
	return b
}

// icmpFrame makes a frame around an ICMP message of that type and code: four bytes behind the checksum, then data.
func icmpFrame(from phone.MAC, id uint16, src, dst netip.Addr, kind, code byte, rest [4]byte, data []byte) []byte {
	b := make([]byte, etherSize+ipv4Size+icmpHeader+len(data))
	copy(b[6:], from[:])
	binary.BigEndian.PutUint16(b[12:], etherIPv4)
	putIPv4(b[etherSize:], protoICMP, id, src, dst, icmpHeader+len(data))
	m := b[etherSize+ipv4Size:]
	m[0], m[1] = kind, code
	copy(m[4:], rest[:])
	copy(m[icmpHeader:], data)
	binary.BigEndian.PutUint16(m[2:], ^sum16(m, 0))
	return b
}

// arpAnswer tells who has an address.
func arpAnswer(from phone.MAC, own netip.Addr, to phone.MAC, asker netip.Addr) []byte {
	b := appendEther(make([]byte, 0, etherSize+arpSize), ether{dst: to, src: from, kind: etherARP})
	b = append(b, 0, 1, etherIPv4>>8, etherIPv4&0xFF, 6, 4, 0, arpReply)
	s, t := own.As4(), asker.As4()
	b = append(append(b, from[:]...), s[:]...)
	return append(append(b, to[:]...), t[:]...)
}
