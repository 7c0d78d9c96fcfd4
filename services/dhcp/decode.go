package dhcp

import (
	"bytes"
	"encoding/binary"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// decode reads a packet that complete made, which it keeps: the message's slices are parts of it. It means what the codec's
// FromBytes means (FuzzDecode compares them), which copies each field and option by itself.
func decode(raw []byte) *dhcpv4.DHCPv4 {
	part := func(from, to int) []byte { return raw[from:to:to] }
	msg := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeType(raw[0]), HWType: iana.HWType(raw[1]), HopCount: raw[3],
		TransactionID: dhcpv4.TransactionID(raw[4:8]),
		NumSeconds:    binary.BigEndian.Uint16(raw[8:]), Flags: binary.BigEndian.Uint16(raw[10:]),
		ClientIPAddr: part(12, 16), YourIPAddr: part(16, 20), ServerIPAddr: part(20, 24), GatewayIPAddr: part(24, 28),
		ClientHWAddr:   part(28, 28+min(int(raw[2]), 16)),
		ServerHostName: untilNUL(raw[snameAt:fileAt]), BootFileName: untilNUL(raw[fileAt:headerSize]),
		Options: make(dhcpv4.Options, 12),
	}
	for i := headerSize + len(magic); raw[i] != optEnd; {
		if raw[i] == optPad {
			i++
			continue
		}
		code, next := raw[i], i+2+int(raw[i+1])
		switch value, again := msg.Options[code]; {
		case again: // in pieces (RFC 3396)
			msg.Options[code] = append(value, raw[i+2:next]...)
		case next == i+2:
			msg.Options[code] = nil
		default:
			msg.Options[code] = part(i+2, next)
		}
		i = next
	}
	return msg
}

func untilNUL(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}
