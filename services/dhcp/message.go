package dhcp

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// message is a reply as it leaves.
type message struct {
	kind  dhcpv4.MessageType
	bytes []byte
}

// ToBytes returns the packet, which is nobody's to change.
func (m message) ToBytes() []byte { return m.bytes }

// MessageType returns its type.
func (m message) MessageType() dhcpv4.MessageType { return m.kind }

// draft is a reply while it is put together. Drafts are used again: the bytes are all that is allocated for a reply.
type draft struct {
	r                      *request
	kind                   dhcpv4.MessageType
	flags                  uint16
	ciaddr, yiaddr, siaddr netip.Addr
	options                []option // by code, option 82 last (RFC 3046 section 2.1)
	scratch                [13]byte // the values of options 51, 58, 59 and 53
}

var drafts = sync.Pool{New: func() any { return &draft{options: make([]option, 0, 48)} }}

// finish returns the reply and gives the draft back.
func (d *draft) finish() message {
	m := d.message()
	clear(d.options)
	*d = draft{options: d.options[:0]}
	drafts.Put(d)
	return m
}

// rank is the place of an option among the others.
func rank(code uint8) uint16 {
	if code == optRelayInfo {
		return 256
	}
	return uint16(code)
}

// find returns where an option stands, or would.
func (d *draft) find(code uint8) (int, bool) {
	i := len(d.options)
	for i > 0 && rank(d.options[i-1].code) >= rank(code) {
		i--
	}
	return i, i < len(d.options) && d.options[i].code == code
}

// put sets an option; the value is not copied.
func (d *draft) put(code uint8, value []byte) {
	i, there := d.find(code)
	if !there {
		d.options = append(d.options, option{})
		copy(d.options[i+1:], d.options[i:])
	}
	d.options[i] = option{code, value}
}

func (d *draft) drop(code uint8) {
	if i, there := d.find(code); there {
		d.options = append(d.options[:i], d.options[i+1:]...)
	}
}

// size is how many bytes the reply has without padding.
func (d *draft) size() int {
	n := headerSize + len(magic) + 1
	for _, o := range d.options {
		n += len(o.value) + 2*pieces(o.value)
	}
	return n
}

// pieces is how many options a value needs: one has room for 255 bytes (RFC 3396).
func pieces(value []byte) int { return max(1, (len(value)+254)/255) }

// message writes the reply (RFC 2131 section 2).
func (d *draft) message() message {
	out := make([]byte, max(d.size(), minimumSize))
	msg := d.r.msg
	out[0], out[1], out[2] = byte(dhcpv4.OpcodeBootReply), byte(msg.HWType), byte(min(len(msg.ClientHWAddr), 16))
	copy(out[4:8], msg.TransactionID[:])
	binary.BigEndian.PutUint16(out[10:], d.flags)
	for i, a := range [...]netip.Addr{d.ciaddr, d.yiaddr, d.siaddr, d.r.giaddr} {
		if a.IsValid() {
			four := a.As4()
			copy(out[12+4*i:], four[:])
		}
	}
	copy(out[28:44], msg.ClientHWAddr)
	at := headerSize + copy(out[headerSize:], magic)
	for _, o := range d.options {
		rest := o.value
		for range pieces(o.value) {
			n := min(len(rest), 255)
			out[at], out[at+1] = o.code, byte(n)
			at += 2 + copy(out[at+2:], rest[:n])
			rest = rest[n:]
		}
	}
	out[at] = optEnd
	return message{d.kind, out}
}
