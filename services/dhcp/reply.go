package dhcp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

const (
	serverPort = 67
	clientPort = 68
	// roomyReply is what every client takes: 576 bytes with the IP and UDP headers (RFC 2131 section 2).
	roomyReply = 548
	// fullReply is what an Ethernet frame holds.
	fullReply = 1472
)

// outgoing is a reply and its way: raw to a hardware address, or as a datagram.
type outgoing struct {
	msg  message
	dest udp.Reply // Payload filled in when it is sent
	raw  bool      // to mac and dest.To; the client has no address yet

	mac      phone.MAC
	fallback udp.Reply // when the raw frame cannot be sent
}

// lend answers with an address: an OFFER or an ACK for so long.
func (st *settings) lend(r *request, typ dhcpv4.MessageType, addr netip.Addr, term time.Duration) outgoing {
	d := st.begin(r, typ)
	d.yiaddr = addr
	if typ == dhcpv4.MessageTypeAck {
		d.ciaddr = r.ciaddr
	}
	secs := uint32(min(term/time.Second, 1<<32-1))
	for i, n := range [...]uint32{secs, secs / 2, secs - secs/8} {
		value := d.scratch[4*i : 4*i+4 : 4*i+4]
		binary.BigEndian.PutUint32(value, n)
		d.put([...]uint8{51, 58, 59}[i], value)
	}
	st.describe(r, d)
	return st.route(r, d.finish(), addr)
}

// inform answers a client that has an address of its own: everything but a lease (RFC 2131 section 4.3.5).
func (st *settings) inform(r *request, ciaddr netip.Addr) outgoing {
	d := st.begin(r, dhcpv4.MessageTypeAck)
	d.ciaddr = ciaddr
	st.describe(r, d)
	out := st.route(r, d.finish(), netip.Addr{})
	if !r.relayed() && !st.Relayed {
		out.raw, out.dest = false, st.datagram(netip.AddrPortFrom(ciaddr, clientPort))
	}
	return out
}

// nak refuses an address. It goes to everybody on the link, as the client may not have the address that it thinks it
// has (RFC 2131 section 4.3.2).
func (st *settings) nak(r *request, why string) outgoing {
	d := st.begin(r, dhcpv4.MessageTypeNak)
	d.put(optMessage, []byte(why))
	if r.relayed() {
		d.flags |= flagBroadcast // tells the relay to broadcast it
		return st.route(r, d.finish(), netip.Addr{})
	}
	if st.Relayed {
		return st.route(r, d.finish(), netip.Addr{})
	}
	return outgoing{msg: d.finish(), dest: st.broadcast(r)}
}

const (
	optMessage    = 56
	flagBroadcast = 0x8000
)

// begin starts a reply with what all replies have.
func (st *settings) begin(r *request, typ dhcpv4.MessageType) *draft {
	d := drafts.Get().(*draft)
	d.r, d.kind, d.flags = r, typ, r.msg.Flags
	d.scratch[12] = byte(typ)
	d.put(53, d.scratch[12:13:13])
	d.put(54, st.boxBytes)
	// RFC 6842 section 3, RFC 3046 section 2.2 and RFC 3011: these come back as they came.
	for _, code := range [...]uint8{optClientID, optRelayInfo, optSubnetSelection} {
		if value, ok := r.msg.Options[code]; ok {
			d.put(code, value)
		}
	}
	return d
}

// describe adds what a phone needs of the network. Options 66 and 150 and siaddr are sent always and are the same:
// phones of different ages look at different ones (phones.md b). Those of other makes may get others in their class.
func (st *settings) describe(r *request, d *draft) {
	d.siaddr = st.box
	d.put(66, st.boxText)
	d.put(150, st.boxBytes)
	for _, o := range st.network(r).options {
		if r.asks(o.code) {
			d.put(o.code, o.value)
		}
	}
	if r.client.Hostname != "" && r.asks(12) {
		d.put(12, []byte(r.client.Hostname))
	}
	class := st.classOf(r)
	if class != nil {
		class.apply(r, st.isOurs(r), d)
	}
	st.trim(r, d, class)
}

// trim leaves out what a phone can do without until the reply is no longer than the client takes (option 57): the name,
// the time, the broadcast address and the domain, then what its class adds. Where it looks for its files it is told unless
// no frame would hold that.
func (st *settings) trim(r *request, d *draft, class *classRule) {
	limit := roomyReply
	if n := r.msg.Options[57]; len(n) == 2 {
		limit = min(max(limit, int(binary.BigEndian.Uint16(n))-28), fullReply)
	}
	for _, code := range [...]uint8{12, 42, 28, 15} {
		if d.size() <= limit {
			return
		}
		d.drop(code)
	}
	if class == nil {
		return
	}
	for _, last := range [...]bool{false, true} {
		for i := len(class.options) - 1; i >= 0 && d.size() > limit; i-- {
			if code := class.options[i].code; alwaysOfClass(code) == last && code != 1 && code != 3 && code != 6 {
				d.drop(code)
			}
		}
		limit = fullReply
	}
}

// route finds the way of a reply (RFC 2131 section 4.1): through the relay, to the address that the client has, by
// broadcast when it asks for that, else in a frame to its hardware address.
func (st *settings) route(r *request, msg message, yiaddr netip.Addr) outgoing {
	out := outgoing{msg: msg}
	switch {
	case r.relayed():
		out.dest = st.datagram(netip.AddrPortFrom(r.giaddr, r.relayPort()))
	case st.Relayed: // no wire to broadcast on: back to where it came from
		out.dest = st.datagram(r.from)
	case r.ciaddr.IsValid():
		out.dest = st.datagram(netip.AddrPortFrom(r.ciaddr, clientPort))
	case r.msg.IsBroadcast() || r.msg.HWType != iana.HWTypeEthernet || r.mac.IsZero():
		out.dest = st.broadcast(r)
	default:
		out.raw, out.mac, out.fallback = true, r.mac, st.broadcast(r)
		out.dest = st.datagram(netip.AddrPortFrom(yiaddr, clientPort))
	}
	return out
}

// datagram leaves from the box's address; the kernel finds the way.
func (st *settings) datagram(to netip.AddrPort) udp.Reply {
	return udp.Reply{To: to, From: st.box}
}

// broadcast leaves through the interface that the request came in on: the kernel would take that of its default route.
func (st *settings) broadcast(r *request) udp.Reply {
	return udp.Reply{To: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), clientPort), From: st.box, Index: r.index}
}
