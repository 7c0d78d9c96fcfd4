package cdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

// etherTypeLLDP is the type of LLDP frames (IEEE 802.1AB).
const etherTypeLLDP = 0x88cc

// lldpGroups are where they go: to the nearest bridge, as a rule.
var lldpGroups = [...][6]byte{{0x01, 0x80, 0xc2, 0, 0, 0x0e}, {0x01, 0x80, 0xc2, 0, 0, 0x03}, {0x01, 0x80, 0xc2, 0, 0, 0x00}}

var errNotLLDP = errors.New("no LLDP announcement")

// onlyLLDP is a filter for untagged LLDP frames that are not for another host.
func onlyLLDP() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 5},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OTHERHOST, SkipTrue: 3},
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherTypeLLDP, SkipTrue: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	}
}

// The kinds of parts (TLVs) that tell something.
const (
	lldpEnd          = 0
	lldpChassis      = 1
	lldpPort         = 2
	lldpTTL          = 3
	lldpPortText     = 4
	lldpName         = 5
	lldpDescription  = 6
	lldpCapabilities = 7
	lldpAddress      = 8
	lldpOwn          = 127 // of an organisation

	ouiDot1 = 0x0080c2 // IEEE 802.1: subtype 1 is the port's VLAN
	ouiMED  = 0x0012bb // TIA LLDP-MED: subtype 2 is a network policy
)

// ParseLLDP reads a whole Ethernet frame. The error says what it lacks.
func ParseLLDP(frame []byte) (Neighbour, error) {
	if len(frame) > maxFrame || len(frame) < 14 || binary.BigEndian.Uint16(frame[12:]) != etherTypeLLDP {
		return Neighbour{}, fmt.Errorf("%w: %d bytes", errNotLLDP, len(frame))
	}
	r := lldpReader{n: Neighbour{Protocol: "LLDP", From: phone.MAC(frame[6:12])}}
	for rest := frame[14:]; len(rest) >= 2; {
		head := binary.BigEndian.Uint16(rest)
		kind, size := head>>9, int(head&0x1ff)
		if kind == lldpEnd {
			break
		}
		if len(rest) < 2+size {
			return Neighbour{}, fmt.Errorf("%w: it is cut off", errNotLLDP)
		}
		r.take(kind, rest[2:2+size])
		rest = rest[2+size:]
	}
	if !r.timed || r.chassis == "" {
		return Neighbour{}, fmt.Errorf("%w: it does not say who it is, or for how long", errNotLLDP)
	}
	if r.n.Name == "" {
		r.n.Name = r.chassis
	}
	if r.portText != "" && (r.n.Port == "" || r.portIsMAC) {
		r.n.Port = r.portText
	}
	return r.n, nil
}

// lldpReader collects the parts of one frame; the first of each kind counts.
type lldpReader struct {
	n         Neighbour
	chassis   string
	portText  string
	portIsMAC bool
	timed     bool
}

func (r *lldpReader) take(kind uint16, b []byte) {
	text := map[uint16]*string{lldpPortText: &r.portText, lldpName: &r.n.Name, lldpDescription: &r.n.Platform}[kind]
	switch {
	case text != nil && *text == "":
		*text = clean(b)
	case kind == lldpChassis && len(b) > 1 && r.chassis == "":
		r.chassis, _ = lldpID(b, 4)
	case kind == lldpPort && len(b) > 1 && r.n.Port == "":
		r.n.Port, r.portIsMAC = lldpID(b, 3)
	case kind == lldpTTL && len(b) >= 2 && !r.timed:
		r.n.Holds, r.timed = time.Duration(binary.BigEndian.Uint16(b))*time.Second, true
	case kind == lldpCapabilities && len(b) >= 4:
		const bridge, router = 0x04, 0x10
		r.n.Switch = binary.BigEndian.Uint16(b[2:])&(bridge|router) != 0 // what is switched on of what it can
	case kind == lldpAddress && len(b) >= 6 && b[0] == 5 && b[1] == 1 && !r.n.Address.IsValid(): // length, IPv4
		r.n.Address = netip.AddrFrom4([4]byte(b[2:6]))
	case kind == lldpOwn && len(b) >= 4:
		r.own(uint32(b[0])<<16|uint32(b[1])<<8|uint32(b[2]), b[3], b[4:])
	}
}

// own takes a part of an organisation.
func (r *lldpReader) own(oui uint32, kind byte, b []byte) {
	switch {
	case oui == ouiDot1 && kind == 1 && len(b) >= 2 && r.n.VLAN == 0:
		r.n.VLAN = binary.BigEndian.Uint16(b) & 0xfff
	case oui == ouiMED && kind == 2 && len(b) >= 4 && r.n.Voice == 0:
		// Application type, then: unknown, tagged, reserved, twelve bits of VLAN, priorities.
		const voice, unknown = 1, 0x800000
		if bits := uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]); b[0] == voice && bits&unknown == 0 {
			r.n.Voice = uint16(bits>>9) & 0xfff
		}
	}
}

// lldpID reads who or which port it is: a MAC where the first byte says so, else a text.
func lldpID(b []byte, kindMAC byte) (text string, isMAC bool) {
	if b[0] == kindMAC && len(b) == 7 {
		return phone.MAC(b[1:7]).String(), true
	}
	return clean(b[1:]), false
}

// hearLLDP takes one frame in. Phones of this kind do not speak LLDP.
func (l *Listener) hearLLDP(frame []byte, now time.Time) {
	defer l.caught()
	n, err := ParseLLDP(frame)
	if err != nil {
		l.deps.Log.Debug("frame dropped", "err", err)
		l.drop(dropMalformed, phone.MAC{})
		return
	}
	l.devices.keep(n, now)
}
