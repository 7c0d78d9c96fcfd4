package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	batchSize  = 64
	packetSize = 4096 // a phone's datagram is under 1,500 bytes; EDNS0 clients may send up to 4,096
	oobSize    = 128  // IP_PKTINFO, SCM_TIMESTAMPING and SO_RXQ_OVFL take 120
)

// Packet is one received datagram. Payload belongs to the loop again once the handler returns.
type Packet struct {
	Payload   []byte
	From      netip.AddrPort
	To        netip.Addr // the destination in the IP header; not valid where the kernel did not tell
	Index     int        // the interface that it came in on; 0 where the kernel did not tell
	Received  time.Time  // the kernel's receive time, else the time of the read (wall clock)
	Truncated bool       // it was longer than 4,096 bytes; the rest is lost

	overflow uint32 // how many the kernel had dropped before it, when it tells
	counted  bool
}

// newBatch makes the messages that one read fills.
func newBatch() []ipv4.Message {
	payload, oob := make([]byte, batchSize*packetSize), make([]byte, batchSize*oobSize)
	msgs := make([]ipv4.Message, batchSize)
	for i := range msgs {
		msgs[i].Buffers = [][]byte{payload[i*packetSize : (i+1)*packetSize : (i+1)*packetSize]}
		msgs[i].OOB = oob[i*oobSize : (i+1)*oobSize : (i+1)*oobSize]
	}
	return msgs
}

func packetOf(m *ipv4.Message) (Packet, bool) {
	ua, ok := m.Addr.(*net.UDPAddr)
	if !ok {
		return Packet{}, false
	}
	ap := ua.AddrPort()
	p := Packet{
		Payload:   m.Buffers[0][:m.N],
		From:      netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()),
		Truncated: m.Flags&unix.MSG_TRUNC != 0,
	}
	p.readControl(m.OOB[:m.NN])
	if p.Received.IsZero() {
		p.Received = time.Now()
	}
	return p, true
}

// readControl takes what the kernel told beside the datagram: ip(7) IP_PKTINFO, socket(7) SO_TIMESTAMPNS and SO_RXQ_OVFL, and
// SO_TIMESTAMPING, whose first time of three is that of the software.
func (p *Packet) readControl(oob []byte) {
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return
		}
		switch {
		case h.Level == unix.SOL_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			p.Index = int(int32(binary.NativeEndian.Uint32(data)))
			p.To = netip.AddrFrom4([4]byte(data[8:12]))
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= 16:
			sec, nsec := binary.NativeEndian.Uint64(data), binary.NativeEndian.Uint64(data[8:])
			p.Received = time.Unix(int64(sec), int64(nsec))
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPING && len(data) >= 48: // three times of 64 bits
			p.Received = timespec(data)
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			p.overflow, p.counted = binary.NativeEndian.Uint32(data), true
		}
		oob = rest
	}
}
