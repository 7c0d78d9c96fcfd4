package phonesim

import (
	"encoding/binary"
	"net/netip"

	"phonebox/services/phone"
)

// What a phone sends and understands before it has an address: ARP and DHCP in bare frames. What it does later stands in
// ipframe.go.

const (
	etherSize = 14
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	arpSize   = 28
	ipv4Size  = 20
	udpSize   = 8
	protoUDP  = 17

	dhcpServerPort = 67
	dhcpClientPort = 68

	arpRequest = 1
	arpReply   = 2
)

// everybody is the broadcast hardware address.
func everybody() phone.MAC { return phone.MAC{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF} }

// ether is the header of a frame.
type ether struct {
	dst, src phone.MAC
	kind     uint16
}

// parseEther splits a frame; false: it is too short.
func parseEther(b []byte) (ether, []byte, bool) {
	if len(b) < etherSize {
		return ether{}, nil, false
	}
	return ether{dst: phone.MAC(b[:6]), src: phone.MAC(b[6:12]), kind: binary.BigEndian.Uint16(b[12:])}, b[etherSize:], true
}

// appendEther begins a frame.
func appendEther(b []byte, e ether) []byte {
	b = append(append(b, e.dst[:]...), e.src[:]...)
	return binary.BigEndian.AppendUint16(b, e.kind)
}

// arpPacket is an ARP packet for IPv4 on Ethernet (RFC 826).
type arpPacket struct {
	op                 uint16
	senderMAC          phone.MAC
	senderIP, targetIP netip.Addr
	targetMAC          phone.MAC
}

// parseARP reads a packet; false: it is none for IPv4 on Ethernet.
func parseARP(b []byte) (arpPacket, bool) {
	if len(b) < arpSize || binary.BigEndian.Uint16(b) != 1 || binary.BigEndian.Uint16(b[2:]) != etherIPv4 || b[4] != 6 || b[5] != 4 {
		return arpPacket{}, false
	}
	return arpPacket{
		op: binary.BigEndian.Uint16(b[6:]), senderMAC: phone.MAC(b[8:14]), senderIP: netip.AddrFrom4([4]byte(b[14:18])),
		targetMAC: phone.MAC(b[18:24]), targetIP: netip.AddrFrom4([4]byte(b[24:28])),
	}, true
}

// arpFrame makes a request to everybody: a probe where the sender's address is 0.0.0.0 (RFC 5227), an announcement where it is
// the target's.
func arpFrame(from phone.MAC, sender, target netip.Addr) []byte {
	b := appendEther(nil, ether{dst: everybody(), src: from, kind: etherARP})
	b = append(b, 0, 1, etherIPv4>>8, etherIPv4&0xFF, 6, 4, 0, arpRequest)
	s, t := sender.As4(), target.As4()
	b = append(append(b, from[:]...), s[:]...)
	return append(append(b, make([]byte, 6)...), t[:]...)
}

// dhcpFrame makes a client's broadcast frame.
func dhcpFrame(from phone.MAC, src netip.Addr, payload []byte) []byte {
	b := appendEther(nil, ether{dst: everybody(), src: from, kind: etherIPv4})
	s, d := src.As4(), [4]byte{255, 255, 255, 255}
	h := make([]byte, ipv4Size+udpSize)
	h[0] = 0x45
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(payload)))
	h[8], h[9] = 64, protoUDP
	copy(h[12:], s[:])
	copy(h[16:], d[:])
	binary.BigEndian.PutUint16(h[10:], ^sum16(h[:ipv4Size], 0))
	u := h[ipv4Size:]
	binary.BigEndian.PutUint16(u, dhcpClientPort)
	binary.BigEndian.PutUint16(u[2:], dhcpServerPort)
	binary.BigEndian.PutUint16(u[4:], uint16(udpSize+len(payload)))
	check := ^sum16(payload, uint32(sum16(u, uint32(pseudoSum(h, udpSize+len(payload))))))
	if check == 0 {
		check = 0xFFFF
	}
	binary.BigEndian.PutUint16(u[6:], check)
	return append(append(b, h...), payload...)
}

// sum16 adds up 16-bit words as IP does, without the complement.
func sum16(b []byte, sum uint32) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return uint16(sum)
}

// pseudoSum adds up the pseudo header of UDP; h begins with the IPv4 header.
func pseudoSum(h []byte, length int) uint16 { return sum16(h[12:20], uint32(protoUDP)+uint32(length)) }

// udpPacket is a UDP datagram in an IPv4 packet.
type udpPacket struct {
	src, dst netip.AddrPort
	payload  []byte
	checksum bool // right, or left to the network card by the sender's kernel, or absent
}

// parseUDP reads an IPv4 packet; false: it holds no whole UDP datagram.
func parseUDP(b []byte) (udpPacket, bool) {
	p, ok := parseIPv4(b)
	if !ok || p.protocol != protoUDP {
		return udpPacket{}, false
	}
	u, ok := udpPayload(p)
	if !ok {
		return udpPacket{}, false
	}
	length := udpSize + len(u.payload)
	pseudo, check := pseudoSum(b, length), binary.BigEndian.Uint16(p.payload[6:])
	u.checksum = sum16(p.header, 0) == 0xFFFF && (check == 0 || check == pseudo || sum16(p.payload[:length], uint32(pseudo)) == 0xFFFF)
	return u, true
}

// udpPayload reads the datagram in a packet and leaves the checksums alone; false: there is no whole one.
func udpPayload(p ipv4Packet) (udpPacket, bool) {
	u := p.payload
	if len(u) < udpSize {
		return udpPacket{}, false
	}
	length := int(binary.BigEndian.Uint16(u[4:]))
	if length < udpSize || length > len(u) {
		return udpPacket{}, false
	}
	return udpPacket{
		src:     netip.AddrPortFrom(p.src, binary.BigEndian.Uint16(u)),
		dst:     netip.AddrPortFrom(p.dst, binary.BigEndian.Uint16(u[2:])),
		payload: u[udpSize:length],
	}, true
}

// Offsets in a BOOTP message.
const (
	bootpYiaddr = 16
	bootpChaddr = 28
	bootpMin    = 44
)

// bootpClient reads from a BOOTP message whom it is for; false: it is too short.
func bootpClient(b []byte) (mac phone.MAC, yiaddr netip.Addr, ok bool) {
	if len(b) < bootpMin {
		return phone.MAC{}, netip.Addr{}, false
	}
	return phone.MAC(b[bootpChaddr : bootpChaddr+6]), netip.AddrFrom4([4]byte(b[bootpYiaddr : bootpYiaddr+4])), true
}
