package dhcp

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

// longestOption bounds what is echoed or stored: a longer value was put together from several options (RFC 3396), and
// echoing it could make a reply that does not fit an Ethernet frame.
const longestOption = 255

// The options that are looked at by their numbers.
const (
	optParameters = 55
	optClientID   = 61
	optRelayInfo  = 82
)

// request is a client's packet, understood. It shares no bytes with the receive buffer: the loop reads the next packets into
// that while this one waits for a probe or the disk.
type request struct {
	msg    *dhcpv4.DHCPv4
	typ    dhcpv4.MessageType
	client lease.Client
	mac    phone.MAC  // zero when the client is not on Ethernet
	ciaddr netip.Addr // not valid where the packet says 0.0.0.0
	giaddr netip.Addr
	wanted netip.Addr // option 50
	server netip.Addr // option 54
	params []uint8    // option 55; nil = the client does not say

	selected netip.Addr  // option 118
	relay    relayInfo   // option 82
	place    lease.Place // where the client is: see settings.placeFor

	locatedBy *settings // whose networks place counts

	raw []byte // the packet as it came; the other slices are parts of it, or of what complete made of it

	from  netip.AddrPort
	to    netip.Addr
	index int
}

// parse reads a packet. The error is a *refusal.
func parse(p *udp.Packet) (*request, error) {
	own := bytes.Clone(p.Payload)
	whole, err := complete(own)
	if err != nil {
		return nil, err
	}
	msg := decode(whole)
	r := &request{
		msg: msg, typ: typeOf(msg), from: p.From, to: p.To, index: p.Index,
		ciaddr: addrOf(msg.ClientIPAddr), giaddr: addrOf(msg.GatewayIPAddr),
		wanted:   addrOf(msg.Options.Get(dhcpv4.OptionRequestedIPAddress)),
		server:   addrOf(msg.Options.Get(dhcpv4.OptionServerIdentifier)),
		params:   msg.Options[optParameters],
		selected: addrOf(msg.Options[optSubnetSelection]),
		raw:      own,
	}
	if info, ok := msg.Options[optRelayInfo]; ok {
		r.relay = parseRelayInfo(info)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, r.identify()
}

// typeOf returns the message type; none when it is missing or of a wrong length.
func typeOf(msg *dhcpv4.DHCPv4) dhcpv4.MessageType {
	if v := msg.Options[53]; len(v) == 1 {
		return dhcpv4.MessageType(v[0])
	}
	return dhcpv4.MessageTypeNone
}

// check refuses what no client sends.
func (r *request) check() error {
	switch {
	case r.msg.OpCode != dhcpv4.OpcodeBootRequest:
		return refuse("not_a_request", "the packet is a reply, not a request")
	case r.typ == dhcpv4.MessageTypeNone:
		return refuse("no_message_type", "the packet has no DHCP message type; it is plain BOOTP")
	}
	for _, code := range [...]uint8{optClientID, optRelayInfo, optSubnetSelection} {
		if n := len(r.msg.Options[code]); n > longestOption {
			return refuse("malformed", "option %d has %d bytes, more than %d", code, n, longestOption)
		}
	}
	return nil
}

// identify fills in who the client is.
func (r *request) identify() error {
	id := r.msg.Options.Get(dhcpv4.OptionClientIdentifier)
	key, ok := lease.KeyOf(uint8(r.msg.HWType), r.msg.ClientHWAddr, id)
	r.client = lease.Client{
		Key: key, HType: uint8(r.msg.HWType), HWAddr: r.msg.ClientHWAddr, ClientID: id,
		Hostname:    printable(r.msg.Options.Get(dhcpv4.OptionHostName), 63),
		VendorClass: printable(r.msg.Options.Get(dhcpv4.OptionClassIdentifier), 128),
	}
	if !ok && !r.isProbe() {
		return refuse("no_identity", "the packet has neither a usable hardware address (%s) nor another identity", r.msg.ClientHWAddr)
	}
	if uint8(r.msg.HWType) == lease.Ethernet && len(r.msg.ClientHWAddr) == 6 {
		r.mac = phone.MAC(r.msg.ClientHWAddr)
	}
	return nil
}

// isProbe reports whether the packet is the health probe: an INFORM of the box to itself, without a hardware address.
func (r *request) isProbe() bool {
	return r.typ == dhcpv4.MessageTypeInform && r.client.Key == "" && r.client.VendorClass == probeClass &&
		r.to.IsValid() && r.from.Addr() == r.to
}

// relayed reports whether a relay forwarded the packet.
func (r *request) relayed() bool { return r.giaddr.IsValid() }

// keep returns the packet as it came.
func (r *request) keep() []byte { return r.raw }

// asks reports whether the client wants the option: it is on its list, or there is no list.
func (r *request) asks(code uint8) bool {
	return r.params == nil || slices.Contains(r.params, code)
}

// relayPort returns the port that the relay listens on: its source port when it says so in option 82 (suboption 19,
// RFC 8357 section 5.4), else 67.
func (r *request) relayPort() uint16 {
	if r.relay.ownPort {
		return r.from.Port()
	}
	return serverPort
}

// addrOf converts four bytes; anything else, and 0.0.0.0, is no address.
func addrOf[T ~[]byte](ip T) netip.Addr {
	addr, ok := netip.AddrFromSlice(ip)
	if !ok || !addr.Is4() || addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr
}

// printable keeps the printable ASCII of a text option, at most limit bytes; phones end theirs with a NUL (phones.md b).
func printable(b []byte, limit int) string {
	b = bytes.TrimRight(b, "\x00")
	if len(b) <= limit && !bytes.ContainsFunc(b, func(c rune) bool { return c < ' ' || c > '~' }) {
		return string(b)
	}
	s := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, string(b))
	return s[:min(len(s), limit)]
}

// codeOf returns the code and the sentence of a refusal by this package or by lease.
func codeOf(err error) *refusal {
	var ours *refusal
	var theirs *lease.Refusal
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &theirs):
		return &refusal{theirs.Code, theirs.Text}
	}
	return &refusal{"error", err.Error()}
}
