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
	msg  *dhcpv4.DHCPv4
	dest udp.Reply // Payload filled in when it is sent
	raw  bool      // to mac and dest.To; the client has no address yet

	mac      phone.MAC
	fallback udp.Reply // when the raw frame cannot be sent
}

// lend answers with an address: an OFFER or an ACK for so long.
func (st *settings) lend(r *request, typ dhcpv4.MessageType, addr netip.Addr, term time.Duration) outgoing {
	msg := st.begin(r, typ)
	msg.YourIPAddr = ipOf(addr)
	if typ == dhcpv4.MessageTypeAck {
		msg.ClientIPAddr = ipOf(r.ciaddr)
	}
	secs := uint32(min(term/time.Second, 1<<32-1))
	put := func(code dhcpv4.OptionCode, n uint32) {
		msg.UpdateOption(dhcpv4.OptGeneric(code, binary.BigEndian.AppendUint32(nil, n)))
	}
	put(dhcpv4.OptionIPAddressLeaseTime, secs)
	put(dhcpv4.OptionRenewTimeValue, secs/2)
	put(dhcpv4.OptionRebindingTimeValue, secs-secs/8)
	st.describe(r, msg)
	return st.route(r, msg, addr)
}

// inform answers a client that has an address of its own: everything but a lease (RFC 2131 section 4.3.5).
func (st *settings) inform(r *request, ciaddr netip.Addr) outgoing {
	msg := st.begin(r, dhcpv4.MessageTypeAck)
	msg.ClientIPAddr = ipOf(ciaddr)
	st.describe(r, msg)
	out := st.route(r, msg, netip.Addr{})
	if !r.relayed() && !st.Relayed {
		out.raw, out.dest = false, st.datagram(netip.AddrPortFrom(ciaddr, clientPort))
	}
	return out
}

// nak refuses an address. It goes to everybody on the link, as the client may not have the address that it thinks it
// has (RFC 2131 section 4.3.2).
func (st *settings) nak(r *request, why string) outgoing {
	msg := st.begin(r, dhcpv4.MessageTypeNak)
	msg.UpdateOption(dhcpv4.OptMessage(why))
	if r.relayed() {
		msg.SetBroadcast() // tells the relay to broadcast it
		return st.route(r, msg, netip.Addr{})
	}
	if st.Relayed {
		return st.route(r, msg, netip.Addr{})
	}
	return outgoing{msg: msg, dest: st.broadcast(r)}
}

// begin makes a reply with what all replies have. The codec writes options in order and option 82 last.
func (st *settings) begin(r *request, typ dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	msg := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: r.msg.HWType, TransactionID: r.msg.TransactionID, Flags: r.msg.Flags,
		ClientIPAddr: ipOf(netip.Addr{}), YourIPAddr: ipOf(netip.Addr{}), ServerIPAddr: ipOf(netip.Addr{}),
		GatewayIPAddr: ipOf(r.giaddr), ClientHWAddr: r.msg.ClientHWAddr, Options: make(dhcpv4.Options),
	}
	msg.UpdateOption(dhcpv4.OptMessageType(typ))
	msg.UpdateOption(dhcpv4.OptServerIdentifier(ipOf(st.box)))
	// RFC 6842 section 3 and RFC 3046 section 2.2: both come back as they came.
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionClientIdentifier, dhcpv4.OptionRelayAgentInformation} {
		if r.msg.Options.Has(code) {
			msg.UpdateOption(dhcpv4.OptGeneric(code, r.msg.Options.Get(code)))
		}
	}
	return msg
}

// describe adds what a phone needs of the network. Options 66 and 150 and siaddr are sent always and are the same:
// phones of different ages look at different ones (phones.md b).
func (st *settings) describe(r *request, msg *dhcpv4.DHCPv4) {
	msg.ServerIPAddr = ipOf(st.box)
	msg.UpdateOption(dhcpv4.OptTFTPServerName(st.box.String()))
	msg.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionTFTPServerAddress, st.box.AsSlice()))
	for _, o := range st.options {
		if r.asked(o.code) {
			msg.UpdateOption(dhcpv4.OptGeneric(o.code, o.value))
		}
	}
	if r.client.Hostname != "" && r.asked(dhcpv4.OptionHostName) {
		msg.UpdateOption(dhcpv4.OptHostName(r.client.Hostname))
	}
	st.trim(r, msg)
}

// trim leaves out what a phone can do without until the reply is no longer than the client takes (option 57).
func (st *settings) trim(r *request, msg *dhcpv4.DHCPv4) {
	limit := roomyReply
	if n, err := r.msg.MaxMessageSize(); err == nil {
		limit = min(max(limit, int(n)-28), fullReply)
	}
	for _, code := range []dhcpv4.OptionCode{
		dhcpv4.OptionHostName, dhcpv4.OptionNTPServers, dhcpv4.OptionBroadcastAddress, dhcpv4.OptionDomainName,
	} {
		if len(msg.ToBytes()) <= limit {
			return
		}
		msg.DeleteOption(code)
	}
}

// route finds the way of a reply (RFC 2131 section 4.1): through the relay, to the address that the client has, by
// broadcast when it asks for that, else in a frame to its hardware address.
func (st *settings) route(r *request, msg *dhcpv4.DHCPv4, yiaddr netip.Addr) outgoing {
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
