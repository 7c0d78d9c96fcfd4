package dhcp

import (
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

// effects are what a decision does to the world; they are collected under the lock and performed after it.
type effects struct {
	out        []outgoing
	events     []Event
	neighbours []neighbour
	replies    []udp.Reply // room for what is sent
}

// neighbour is an entry for the kernel's table; a zero MAC removes it.
type neighbour struct {
	addr netip.Addr
	mac  phone.MAC
}

// effectsPool keeps them for the next packet.
var effectsPool = sync.Pool{New: func() any { return new(effects) }}

func takeEffects() *effects { return effectsPool.Get().(*effects) }

// giveBack ends the use of effects that were performed.
func (e *effects) giveBack() {
	clear(e.out)
	clear(e.events)
	clear(e.replies)
	e.out, e.events, e.neighbours, e.replies = e.out[:0], e.events[:0], e.neighbours[:0], e.replies[:0]
	effectsPool.Put(e)
}

func (e *effects) event(ev Event)         { e.events = append(e.events, ev) }
func (e *effects) unbind(addr netip.Addr) { e.neighbours = append(e.neighbours, neighbour{addr: addr}) }

// perform does it all, except the datagrams, which it appends to replies to be sent together. The neighbour entry comes
// before the ACK: a phone's first packet may follow at once.
func (s *Server) perform(eff *effects, replies []udp.Reply) []udp.Reply {
	st := s.settings()
	if !st.Relayed && s.deps.Wire != nil {
		for _, n := range eff.neighbours {
			if err := s.deps.Wire.Neighbour(n.addr, n.mac); err != nil {
				s.warn("neighbour entry not changed", "ip", n.addr, "mac", n.mac, "err", err)
			}
		}
	}
	for i := range eff.out {
		if reply, left := s.transmit(st, &eff.out[i]); left {
			replies = append(replies, reply)
		}
	}
	for _, ev := range eff.events {
		s.deps.Report(ev)
	}
	return replies
}

// transmit sends a raw frame; what is to go as a datagram, or has to because the frame failed, it returns.
func (s *Server) transmit(st *settings, o *outgoing) (udp.Reply, bool) {
	o.dest.Payload = o.msg.ToBytes()
	if !o.raw {
		return o.dest, true
	}
	src := netip.AddrPortFrom(st.box, serverPort)
	err := s.deps.Wire.SendUDP(o.mac, src, o.dest.To, o.dest.Payload)
	if err == nil {
		return udp.Reply{}, false
	}
	s.metrics.rawFailed.Inc()
	s.warn("raw frame not sent, broadcasting instead", "mac", o.mac, "err", err)
	reply := o.fallback
	reply.Payload = o.dest.Payload
	return reply, true
}

// send performs effects outside of the loop's handler.
func (s *Server) send(out sender, eff *effects) {
	replies := s.perform(eff, eff.replies[:0])
	eff.replies = replies
	if len(replies) == 0 {
		return
	}
	if err := out.Send(replies...); err != nil {
		s.sendFailed(replies[0].To, err)
	}
}

// reply adds a reply and its event.
func (s *Server) reply(eff *effects, r *request, ev Event, out outgoing) {
	s.metrics.replies.with(out.msg.MessageType()).Inc()
	eff.out = append(eff.out, out)
	ev.Sent = out.msg.ToBytes()
	eff.event(s.eventOf(r, ev))
}

// dropped counts a packet that is not answered and reports it, the same of the same client once in ten seconds. The log
// has each reason once in ten seconds.
func (s *Server) dropped(eff *effects, r *request, why *refusal) {
	s.notAnswered(why.code, why.text, r.mac, 1)
	now := time.Now()
	if !s.repeated(lease.Key(""), why.code, now) {
		s.log.Info("packet not answered", "mac", r.mac, "type", r.typ.String(), "reason", why.text)
	}
	if !s.repeated(r.client.Key, why.code, now) {
		eff.event(s.eventOf(r, Event{Kind: EventIgnored, Address: wantedOf(r), Reason: why.text}))
	}
}

// notAnswered counts packets that are not answered.
func (s *Server) notAnswered(code, reason string, mac phone.MAC, packets int) {
	s.metrics.dropped.WithLabelValues(code).Add(float64(packets))
	if s.deps.NotAnswered != nil {
		s.deps.NotAnswered(reason, mac, packets)
	}
}

// saying is something that was reported, so that it is not reported again at once.
type saying struct {
	key  lease.Key
	code string
}

// sayAgain is how long the same is not reported again; a counter has every case.
const sayAgain = 10 * time.Second

// remembered bounds each generation of what is only kept to keep the reports short, or saves a probe.
const remembered = 4096

// repeated reports whether the same was said a moment ago, and remembers that it is said now.
func (s *Server) repeated(key lease.Key, code string, now time.Time) bool {
	at, ok := s.said.get(saying{key, code})
	if ok && now.Sub(at) < sayAgain {
		return true
	}
	s.said.put(saying{key, code}, now)
	return false
}

// warn logs the same message once in ten seconds: a fault of the wire or the disk meets every phone. The caller does not
// hold the lock.
func (s *Server) warn(msg string, args ...any) {
	s.mu.Lock()
	quiet := s.repeated(lease.Key(""), msg, time.Now())
	s.mu.Unlock()
	if !quiet {
		s.log.Warn(msg, args...)
	}
}

// transaction tells the packets of a client's transactions apart. A client may use one xid all its life (some phones
// derive it from the MAC), so a transaction also ends by time.
type transaction struct {
	xid  dhcpv4.TransactionID
	last time.Time
}

// transactionTime ends a transaction that had no packet for so long; clients repeat theirs after 64 s at the latest
// (RFC 2131 section 4.1).
const transactionTime = 90 * time.Second

// note reports the first packet of each transaction.
func (s *Server) note(eff *effects, r *request) {
	now := time.Now()
	t, ok := s.seen.get(r.client.Key)
	s.seen.put(r.client.Key, transaction{r.msg.TransactionID, now})
	if !ok || t.xid != r.msg.TransactionID || now.Sub(t.last) > transactionTime {
		eff.event(s.eventOf(r, Event{Kind: EventSeen, Address: r.ciaddr, Renewal: r.ciaddr.IsValid()}))
	}
}

// eventOf fills in what the packet says of its client.
func (s *Server) eventOf(r *request, ev Event) Event {
	ev.Time, ev.MAC = s.deps.Clock.Now(), r.mac
	ev.VendorClass, ev.Hostname, ev.Requested = r.client.VendorClass, r.client.Hostname, r.params
	ev.Asked, ev.Relay, ev.Circuit, ev.Remote = r.keep(), r.giaddr, idText(r.relay.circuit), idText(r.relay.remote)
	ev.Boot = r.typ == dhcpv4.MessageTypeDiscover || (r.typ == dhcpv4.MessageTypeRequest && !r.ciaddr.IsValid())
	return ev
}
