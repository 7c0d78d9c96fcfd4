package web

import (
	"strings"
	"time"

	"phonebox/services/phone"
)

// dhcpView is the part of a phone's page that shows what it asked by DHCP, and what it got.
type dhcpView struct {
	Took      string
	Exchanges []exchangeView
}

// exchangeView is one packet and its answer.
type exchangeView struct {
	At, Time, Said, Mood string
	Via                  string // how it came, where there is a relay; "" = on the box's own wire
	Open                 bool
	Packets              []packetView
}

// packetView is one packet: its options in words, its bytes to unfold.
type packetView struct {
	Title   string
	Options []DHCPOption
	Bytes   string
}

func (s *Server) dhcpView(mac phone.MAC) dhcpView {
	d, _ := s.deps.Box.DHCP(mac)
	v, now := dhcpView{Took: d.Took}, s.deps.Now()
	for i, x := range d.Exchanges {
		e := exchangeView{
			At: x.Time.UTC().Format(time.RFC3339), Time: timeWords(x.Time, now), Mood: "good", Open: i == 0, Via: viaWords(x),
			Packets: []packetView{{"The phone asked: " + x.Type, x.Asked, byteLines(x.AskedHex)}},
		}
		switch {
		case x.SentHex == "":
			e.Said, e.Mood = x.Type+", not answered", "warn"
			if x.Why != "" {
				e.Said += ": " + x.Why
			}
		case x.SentType == "NAK":
			e.Said, e.Mood = x.Type+", refused with NAK", "bad"
		default:
			e.Said = x.Type + ", answered with " + x.SentType
			if x.Address != "" {
				e.Said += " of " + x.Address
			}
		}
		if x.SentHex != "" {
			e.Packets = append(e.Packets, packetView{"It got: " + x.SentType, x.Sent, byteLines(x.SentHex)})
		}
		v.Exchanges = append(v.Exchanges, e)
	}
	return v
}

// viaWords say through which relay, and by which of its ports, a packet came.
func viaWords(x Exchange) string {
	if x.Relay == "" && x.Circuit == "" && x.Remote == "" {
		return ""
	}
	var parts []string
	if x.Relay != "" {
		parts = append(parts, "through the relay "+x.Relay)
	}
	switch {
	case x.Circuit != "" && x.Relay == "":
		parts = append(parts, "from the switch port "+x.Circuit)
	case x.Circuit != "":
		parts = append(parts, "circuit "+x.Circuit)
	}
	if x.Remote != "" {
		parts = append(parts, "remote "+x.Remote)
	}
	return "It came " + strings.Join(parts, ", ") + "."
}

// byteLines sets hex digits in groups of four bytes, so that a browser can break the lines.
func byteLines(digits string) string {
	var b strings.Builder
	for i := 0; i < len(digits); i += 8 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(digits[i:min(i+8, len(digits))])
	}
	return b.String()
}

// notAnsweredView is a line of the table of what was not answered.
type notAnsweredView struct {
	Service, Reason, Who, Path, Time string
	Count                            int
}

func (s *Server) notAnsweredView() []notAnsweredView {
	var out []notAnsweredView
	now := s.deps.Now()
	for _, n := range s.status().NotAnswered {
		v := notAnsweredView{Service: n.Service, Reason: n.Reason, Count: n.Count, Time: timeWords(n.Last, now), Who: n.Address}
		if !n.MAC.IsZero() {
			v.Who = n.MAC.String()
			if _, known := s.deps.Box.Phone(n.MAC); known {
				v.Path = "/phones/" + n.MAC.Name()
			}
		}
		out = append(out, v)
	}
	return out
}
