package load

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// DHCP message types (RFC 2132, 9.6).
const (
	discover = 1
	offer    = 2
	request  = 3
	decline  = 4
	ack      = 5
	nak      = 6
	release  = 7
)

const (
	serverPort = 67
	clientPort = 68

	bootpLen   = 236
	magic      = 0x63825363
	optAddress = 50
	optLease   = 51
	optType    = 53
	optServer  = 54
	optWants   = 55
	optClass   = 60
	optEnd     = 255
)

// vendorClass is option 60 of a phone with the universal loader (phones.md b).
const vendorClass = "Cisco Systems, Inc. IP Phone CP-7960G"

// message is what matters of a DHCP message.
type message struct {
	kind      byte
	xid       uint32
	broadcast bool
	mac       MAC
	ciaddr    netip.Addr // not valid = 0.0.0.0
	yiaddr    netip.Addr // of an answer
	wanted    netip.Addr // option 50
	server    netip.Addr // option 54
	lease     time.Duration
}

// append appends a request of a client, in at least the 300 bytes of BOOTP.
func (m message) append(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, bootpLen)...)
	h := b[start:]
	h[0], h[1], h[2] = 1, 1, 6
	binary.BigEndian.PutUint32(h[4:], m.xid)
	if m.broadcast {
		h[10] = 0x80
	}
	if m.ciaddr.IsValid() {
		a := m.ciaddr.As4()
		copy(h[12:], a[:])
	}
	copy(h[28:], m.mac[:])
	b = binary.BigEndian.AppendUint32(b, magic)
	b = append(b, optType, 1, m.kind)
	for _, o := range []struct {
		code byte
		addr netip.Addr
	}{{optAddress, m.wanted}, {optServer, m.server}} {
		if o.addr.IsValid() {
			a := o.addr.As4()
			b = append(append(b, o.code, 4), a[:]...)
		}
	}
	b = append(b, optWants, 8, 1, 66, 6, 3, 15, 150, 35, 42)
	b = append(append(b, optClass, byte(len(vendorClass))), vendorClass...)
	b = append(b, optEnd)
	for len(b)-start < 300 {
		b = append(b, 0)
	}
	return b
}

// parseAnswer reads an answer of a server; false where it is none.
func parseAnswer(b []byte) (message, bool) {
	if len(b) < bootpLen+4 || b[0] != 2 || binary.BigEndian.Uint32(b[bootpLen:]) != magic {
		return message{}, false
	}
	m := message{xid: binary.BigEndian.Uint32(b[4:]), yiaddr: netip.AddrFrom4([4]byte(b[16:20])), mac: MAC(b[28:34])}
	for o := b[bootpLen+4:]; len(o) > 0 && o[0] != optEnd; {
		if o[0] == 0 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || len(o) < 2+int(o[1]) {
			return message{}, false
		}
		v := o[2 : 2+int(o[1])]
		switch {
		case o[0] == optType && len(v) == 1:
			m.kind = v[0]
		case o[0] == optServer && len(v) == 4:
			m.server = netip.AddrFrom4([4]byte(v))
		case o[0] == optLease && len(v) == 4:
			m.lease = time.Duration(binary.BigEndian.Uint32(v)) * time.Second
		}
		o = o[2+len(v):]
	}
	return m, m.kind != 0
}
