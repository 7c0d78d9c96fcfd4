package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"phonebox/services/phone"
)

// The operations of ARP (RFC 826).
const (
	arpRequest = 1
	arpReply   = 2
)

const (
	ethernetHeader = 14
	arpLength      = 28 // for Ethernet and IPv4
	typeIPv4       = 0x0800
	typeARP        = 0x0806
)

// broadcastMAC is the address of all stations of a wire.
func broadcastMAC() phone.MAC { return phone.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// arpPacket is an ARP packet for Ethernet and IPv4, with the frame that carries it.
type arpPacket struct {
	From, To  phone.MAC // of the Ethernet frame
	Op        uint16
	SenderMAC phone.MAC
	SenderIP  netip.Addr
	TargetMAC phone.MAC
	TargetIP  netip.Addr
}

// probeFor asks who has addr without claiming an address of our own (RFC 5227 section 2.1.1): no host changes its
// table for it.
func probeFor(own phone.MAC, addr netip.Addr) arpPacket {
	return arpPacket{
		From: own, To: broadcastMAC(), Op: arpRequest,
		SenderMAC: own, SenderIP: netip.IPv4Unspecified(), TargetIP: addr,
	}
}

// requestFor asks who has addr as a host of the subnet does. It goes to everybody, for a second host with that
// address is to answer as well.
func requestFor(own phone.MAC, ownIP, addr netip.Addr) arpPacket {
	p := probeFor(own, addr)
	p.SenderIP = ownIP
	return p
}

// announcement tells the wire that own has ip (RFC 5227 section 2.3).
func announcement(own phone.MAC, ip netip.Addr) arpPacket { return requestFor(own, ip, ip) }

// marshal writes the frame. Both addresses must be IPv4.
func (p arpPacket) marshal() []byte {
	b := make([]byte, 0, ethernetHeader+arpLength)
	b = append(b, p.To[:]...)
	b = append(b, p.From[:]...)
	b = binary.BigEndian.AppendUint16(b, typeARP)
	b = append(b, 0, 1, 0x08, 0x00, 6, 4) // Ethernet, IPv4, their lengths
	b = binary.BigEndian.AppendUint16(b, p.Op)
	b = append(b, p.SenderMAC[:]...)
	b = append(b, p.SenderIP.AsSlice()...)
	b = append(b, p.TargetMAC[:]...)
	return append(b, p.TargetIP.AsSlice()...)
}

var errNotARP = errors.New("no ARP frame")

// parseARP reads a frame; bytes behind the packet are padding (a frame has 60 bytes at least). The error says what was
// found.
func parseARP(frame []byte) (arpPacket, error) {
	if len(frame) < ethernetHeader+arpLength {
		return arpPacket{}, fmt.Errorf("%w: %d bytes", errNotARP, len(frame))
	}
	if t := binary.BigEndian.Uint16(frame[12:]); t != typeARP {
		return arpPacket{}, fmt.Errorf("%w: type %#04x", errNotARP, t)
	}
	a := frame[ethernetHeader:]
	if [6]byte(a[:6]) != [6]byte{0, 1, 0x08, 0x00, 6, 4} {
		return arpPacket{}, fmt.Errorf("%w: not for Ethernet and IPv4: % x", errNotARP, a[:6])
	}
	return arpPacket{
		To:        phone.MAC(frame[:6]),
		From:      phone.MAC(frame[6:12]),
		Op:        binary.BigEndian.Uint16(a[6:]),
		SenderMAC: phone.MAC(a[8:14]),
		SenderIP:  netip.AddrFrom4([4]byte(a[14:18])),
		TargetMAC: phone.MAC(a[18:24]),
		TargetIP:  netip.AddrFrom4([4]byte(a[24:28])),
	}, nil
}
