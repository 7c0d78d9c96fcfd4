package dhcp

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

// hooks count what the loop meets.
func (s *Server) hooks() udp.Hooks {
	return udp.Hooks{
		Panicked: func(v any, stack, packet []byte) { s.panicked(v, stack, packet) },
		Foreign: func(p *udp.Packet) {
			s.notAnswered("other_interface", "the packet came in on another interface", phone.MAC{}, 1)
			s.log.Debug("packet of another interface", "peer", p.From, "index", p.Index)
		},
		SendError: func(r udp.Reply, err error) { s.sendFailed(r.To, err) },
		Lost: func(n int) {
			s.notAnswered("receive_buffer", "more came at once than could be read", phone.MAC{}, n)
			s.locked(func() { s.strangers.lost += float64(n) })
			s.warn("packets lost before they were read: the receive buffer was full", "packets", n)
		},
	}
}

// panicked counts a panic and logs it once a minute, with the packet for the fuzz corpus.
func (s *Server) panicked(v any, stack, packet []byte) {
	s.metrics.panics.Inc()
	s.mu.Lock()
	quiet := !s.lastPanic.IsZero() && time.Since(s.lastPanic) < time.Minute
	if !quiet {
		s.lastPanic = time.Now()
	}
	s.mu.Unlock()
	if !quiet {
		s.log.Error("handler panicked", "panic", fmt.Sprint(v), "stack", string(stack), "packet", hex.EncodeToString(packet))
	}
}

func (s *Server) sendFailed(to netip.AddrPort, err error) {
	s.metrics.sendErrors.Inc()
	s.warn("reply not sent", "peer", to, "err", err)
}

// handle is the loop's handler: it answers what can be answered now and hands on what must wait for a probe or the disk.
func (s *Server) handle(ctx context.Context, out sender, p *udp.Packet, replies []udp.Reply) []udp.Reply {
	if s.panicNext.CompareAndSwap(true, false) {
		panic("planted by PanicNext")
	}
	if p.Truncated {
		s.refused(p, refuse("truncated", "the packet is longer than %d bytes", len(p.Payload)))
		return replies
	}
	r, err := parse(p)
	if err != nil {
		s.refused(p, codeOf(err))
		return replies
	}
	if r.isProbe() {
		out := s.settings().inform(r, p.From.Addr())
		return append(replies, udp.Reply{Payload: out.msg.ToBytes(), To: p.From, From: p.To})
	}
	s.metrics.requests.with(r.typ).Inc()
	eff := takeEffects()
	s.locked(func() { s.receive(ctx, out, eff, r, ageOf(p.Received)) })
	replies = s.perform(eff, replies)
	eff.giveBack()
	return replies
}

// refused counts and reports a packet that is not a client's.
func (s *Server) refused(p *udp.Packet, why *refusal) {
	s.notAnswered(why.code, why.text, phone.MAC{}, 1)
	s.mu.Lock()
	quiet := s.repeated(lease.Key(""), why.code, time.Now())
	s.mu.Unlock()
	if !quiet {
		s.log.Info("packet refused", "peer", p.From, "reason", why.text)
		s.deps.Report(Event{Kind: EventIgnored, Time: s.deps.Clock.Now(), Reason: why.text})
	}
}

// receive judges a packet that has waited for so long and does what the verdict says; the caller holds the lock.
func (s *Server) receive(ctx context.Context, out sender, eff *effects, r *request, age time.Duration) {
	m := s.moment()
	if s.phase.running() && s.limited(eff, r, m) {
		return
	}
	s.note(eff, r)
	if why := s.unready(r, age, m); why != nil {
		s.dropped(eff, r, why)
		return
	}
	s.pardon(r, m)
	if s.doubted(ctx, out, eff, r, m) {
		return
	}
	s.act(ctx, out, eff, r, s.st.decide(s.table, r, s.sole(m.Mono), m), m)
}

// unready returns why a packet is not even judged, or nil.
func (s *Server) unready(r *request, age time.Duration, m lease.Moment) *refusal {
	if !s.phase.running() && !s.passes(r, m) {
		return s.phase.why()
	}
	if _, waits := s.busy[r.client.Key]; waits && (r.typ == dhcpv4.MessageTypeDiscover || r.typ == dhcpv4.MessageTypeRequest) {
		return refuse("in_progress", "the answer to the packet before is on its way")
	}
	if why := s.overloaded(r, age); why != nil {
		return why
	}
	return s.implausible(r, m)
}

// act does what a verdict says; the caller holds the lock.
func (s *Server) act(ctx context.Context, out sender, eff *effects, r *request, v verdict, m lease.Moment) {
	if s.heldBack(v) {
		s.dropped(eff, r, s.phase.why())
		return
	}
	switch v.act {
	case offer:
		s.offer(ctx, out, eff, r, v, m)
	case bind:
		s.bind(ctx, out, eff, r, v, m)
	case deny:
		s.deny(eff, r, v.why)
	case inform:
		s.reply(eff, r, Event{Kind: EventInform, Address: v.addr}, s.st.inform(r, v.addr))
	case released:
		eff.unbind(v.addr)
		still, _ := s.table.Other(r.client.Key, v.addr, m)
		eff.event(s.eventOf(r, Event{Kind: EventRelease, Address: v.addr, Still: still, Reason: v.why.text}))
	case declined:
		eff.unbind(v.addr)
		eff.event(s.eventOf(r, Event{Kind: EventDecline, Address: v.addr, Reason: v.why.text}))
	case withdrawn:
		s.choseOther(r.server, m.Mono)
		s.dropped(eff, r, v.why)
	default:
		s.dropped(eff, r, v.why)
	}
}

func probesBusy() *refusal {
	return refuse("probes_busy", "too many addresses are being probed; the client will ask again")
}

// mustProbe reports whether the address is to be probed now: the verdict or lost records ask for it, and it was not
// found free a moment ago.
func (s *Server) mustProbe(r *request, v verdict, m lease.Moment) bool {
	if !v.probe && !s.suspects(r, v.addr, m) {
		return false
	}
	c, known := s.checked.get(v.addr)
	return !known || (c.key != "" && c.key != r.client.Key) || !m.Mono.Before(c.until)
}

// offer answers a DISCOVER, after a probe where one is due.
func (s *Server) offer(ctx context.Context, out sender, eff *effects, r *request, v verdict, m lease.Moment) {
	s.offeredTo(r, m)
	if !s.mustProbe(r, v, m) {
		s.sendOffer(eff, r, v.addr, m)
		return
	}
	if !s.work(r, v.addr, func() { s.offerAfterProbe(ctx, out, r, v.addr) }) {
		s.dropped(eff, r, probesBusy())
	}
}

func (s *Server) sendOffer(eff *effects, r *request, addr netip.Addr, m lease.Moment) {
	term := s.table.Term(r.client.Key, addr, m)
	s.reply(eff, r, Event{Kind: EventOffer, Address: addr, Duration: term}, s.st.lend(r, dhcpv4.MessageTypeOffer, addr, term))
}

// bind keeps the address for the client and sends the lease on its way to the disk, after a probe where one is due. A
// lease that the disk protects for long enough already needs no way there.
func (s *Server) bind(ctx context.Context, out sender, eff *effects, r *request, v verdict, m lease.Moment) {
	term := s.table.Duration(v.addr)
	if !v.probe && !s.suspects(r, v.addr, m) && s.table.Extend(r.client, v.addr, term, m) {
		s.extended(eff, r, v, term)
		return
	}
	probe := s.mustProbe(r, v, m)
	rec := s.table.Begin(r.client, v.addr, term, m)
	j := job{records: []lease.Record{rec}, request: r, renewal: v.renewal}
	if probe {
		if !s.work(r, v.addr, func() { s.bindAfterProbe(ctx, out, j) }) {
			s.table.Abort(rec)
			s.dropped(eff, r, probesBusy())
		}
		return
	}
	s.enqueue(eff, j)
}

// extended acknowledges a lease for which nothing had to be written.
func (s *Server) extended(eff *effects, r *request, v verdict, term time.Duration) {
	s.metrics.extended.Inc()
	ev := Event{Kind: EventAck, Address: v.addr, Duration: term, Renewal: v.renewal}
	s.reply(eff, r, ev, s.st.lend(r, dhcpv4.MessageTypeAck, v.addr, term))
}

// enqueue hands a lease to the committer.
func (s *Server) enqueue(eff *effects, j job) {
	rec := j.records[0]
	first := s.familiar(j.request)
	if s.queue == nil || !s.queue.add(j, first) {
		s.table.Abort(rec)
		delete(s.busy, rec.Key)
		s.dropped(eff, j.request, refuse("store_busy", "too many leases wait for the disk; the client will ask again"))
		return
	}
	s.busy[rec.Key] = rec.Address
}

func (s *Server) deny(eff *effects, r *request, why *refusal) {
	s.reply(eff, r, Event{Kind: EventNak, Address: wantedOf(r), Reason: why.text}, s.st.nak(r, why.text))
}

// work runs fn on a goroutine of its own, unless too many run. The client is busy until then.
func (s *Server) work(r *request, addr netip.Addr, fn func()) bool {
	if !s.aside(r, fn) {
		return false
	}
	s.busy[r.client.Key] = addr
	return true
}

// aside is work for a client that is not busy with it. The caller holds the lock.
func (s *Server) aside(r *request, fn func()) bool {
	select {
	case s.workers <- struct{}{}:
	default:
		return false
	}
	go func() {
		defer func() { <-s.workers }()
		defer func() {
			if v := recover(); v != nil {
				s.panicked(v, debug.Stack(), r.msg.ToBytes())
				s.mu.Lock()
				delete(s.busy, r.client.Key)
				delete(s.leaving, r.client.Key)
				s.mu.Unlock()
			}
		}()
		fn()
	}()
	return true
}

// waitWorkers returns when no worker runs.
func (s *Server) waitWorkers() {
	for range maxWorkers {
		s.workers <- struct{}{}
	}
	for range maxWorkers {
		<-s.workers
	}
}

func (s *Server) settings() *settings { return s.current.Load() }

// wantedOf returns the address that a REQUEST is about.
func wantedOf(r *request) netip.Addr {
	if r.wanted.IsValid() {
		return r.wanted
	}
	return r.ciaddr
}
