package assemble

import (
	"encoding/hex"

	"phonebox/appliance/journal"
	"phonebox/services/dhcp"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// exchangeOf returns what was asked and sent, byte for byte; nil for an event that ends no exchange.
func exchangeOf(e dhcp.Event) *journal.Exchange {
	if len(e.Asked) == 0 {
		return nil
	}
	x := &journal.Exchange{
		Search: messageType(e.Asked) == discover, Address: e.Address, Asked: e.Asked, Sent: e.Sent, Relay: e.Relay, Circuit: e.Circuit, Remote: e.Remote,
	}
	switch e.Kind {
	case dhcp.EventOffer, dhcp.EventAck, dhcp.EventNak, dhcp.EventInform:
	case dhcp.EventIgnored:
		x.Why = e.Reason
	case dhcp.EventNotStored:
		x.Why = "its address could not be written to the card"
	default:
		return nil
	}
	return x
}

// discover is the DHCPDISCOVER of option 53 (RFC 2132 section 9.6).
const discover = 1

// messageType finds option 53 in a packet; 0 when it has none. The options begin behind the header and the cookie (RFC
// 2131 section 3), and no client puts the type into sname or file.
func messageType(packet []byte) byte {
	const header = 240
	for at := header; at+2 < len(packet); {
		switch code := packet[at]; code {
		case 0:
			at++
		case 53:
			return packet[at+2]
		case 255:
			return 0
		default:
			at += 2 + int(packet[at+1])
		}
	}
	return 0
}

// DHCP implements [web.Box].
func (p page) DHCP(mac phone.MAC) (web.PhoneDHCP, bool) {
	_, known := p.Phone(mac) // after all that was reported is in the journal
	out := web.PhoneDHCP{Took: p.b.journal.Took(mac), Exchanges: []web.Exchange{}}
	for _, x := range p.b.journal.Exchanges(mac) {
		w := web.Exchange{
			Time: x.Time, Type: typeWords(x.Asked), Circuit: x.Circuit, Remote: x.Remote, Why: x.Why,
			Asked: options(x.Asked), AskedHex: hex.EncodeToString(x.Asked),
			Sent: options(x.Sent), SentHex: hex.EncodeToString(x.Sent), SentType: typeWords(x.Sent),
		}
		if x.Relay.IsValid() {
			w.Relay = x.Relay.String()
		}
		if x.Address.IsValid() && len(x.Sent) > 0 {
			w.Address = x.Address.String()
		}
		out.Exchanges = append(out.Exchanges, w)
	}
	return out, known
}

// typeNames are the values of option 53 that clients and servers send (RFC 2132 section 9.6).
var typeNames = map[byte]string{
	1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM",
}

func typeWords(packet []byte) string { return typeNames[messageType(packet)] }

// options are those of a packet in words. One that cannot be read has none; its bytes are shown all the same.
func options(packet []byte) []web.DHCPOption {
	out := []web.DHCPOption{}
	described, _ := dhcp.Describe(packet)
	for _, o := range described {
		out = append(out, web.DHCPOption(o))
	}
	return out
}
