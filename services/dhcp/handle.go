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
)

// hooks count what the loop meets.
func (s *Server) hooks() udp.Hooks {
	return udp.Hooks{
		Panicked: func(v any, stack, packet []byte) { s.panicked(v, stack, packet) },
		Foreign: func(p *udp.Packet) {
			s.metrics.dropped.WithLabelValues("other_interface").Inc()
			s.log.Debug("packet of another interface", "peer", p.From, "index", p.Index)
		},
		SendError: func(r udp.Reply, err error) { s.sendFailed(r.To, err) },
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
	r, err := parse(p)
	if err != nil {
		why := codeOf(err)
		s.metrics.dropped.WithLabelValues(why.code).Inc()
		s.log.Debug("packet refused", "peer", p.From, "reason", why.text)
		s.mu.Lock()
		quiet := s.repeated(lease.Key(""), why.code, time.Now())
		s.mu.Unlock()
		if !quiet {
			s.deps.Report(Event{Kind: EventIgnored, Time: s.deps.Clock.Now(), Reason: why.text})
		}
		return replies
	}
	if r.isProbe() {
		out := s.settings().inform(r, p.From.Addr())
		return append(replies, udp.Reply{Payload: out.msg.ToBytes(), To: p.From, From: p.To})
	}
	s.metrics.requests.WithLabelValues(r.typ.String()).Inc()
	eff := s.receive(ctx, out, r)
	return append(replies, s.perform(eff)...)
}

// receive judges a packet and does what the verdict says.
func (s *Server) receive(ctx context.Context, out sender, r *request) *effects {
	s.mu.Lock()
	defer s.mu.Unlock()
	eff := &effects{}
	s.note(eff, r)
	if !s.phase.running() && !s.passes(r, s.moment()) {
		s.dropped(eff, r, s.phase.why())
		return eff
	}
	if _, waits := s.busy[r.client.Key]; waits && (r.typ == dhcpv4.MessageTypeDiscover || r.typ == dhcpv4.MessageTypeRequest) {
		s.dropped(eff, r, refuse("in_progress", "the answer to the packet before is on its way"))
		return eff
	}
	m := s.moment()
	v := s.st.decide(s.table, r, s.sole(m.Mono), m)
	if s.heldBack(v) {
		s.dropped(eff, r, s.phase.why())
		return eff
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
		eff.event(s.eventOf(r, Event{Kind: EventRelease, Address: v.addr, Reason: v.why.text}))
	case declined:
		eff.unbind(v.addr)
		eff.event(s.eventOf(r, Event{Kind: EventDecline, Address: v.addr, Reason: v.why.text}))
	case withdrawn:
		s.choseOther(r.server, m.Mono)
		s.dropped(eff, r, v.why)
	default:
		s.dropped(eff, r, v.why)
	}
	return eff
}

// offer answers a DISCOVER, after a probe where one is due.
func (s *Server) offer(ctx context.Context, out sender, eff *effects, r *request, v verdict, m lease.Moment) {
	c, known := s.checked[v.addr]
	if !v.probe || (known && c.key == r.client.Key && m.Mono.Before(c.until)) {
		s.sendOffer(eff, r, v.addr, m)
		return
	}
	if !s.work(r, v.addr, func() { s.offerAfterProbe(ctx, out, r, v.addr) }) {
		s.dropped(eff, r, refuse("probes_busy", "too many addresses are being probed; the client will ask again"))
	}
}

func (s *Server) sendOffer(eff *effects, r *request, addr netip.Addr, m lease.Moment) {
	term := s.table.Term(r.client.Key, addr, m)
	s.reply(eff, r, Event{Kind: EventOffer, Address: addr, Duration: term}, s.st.lend(r, dhcpv4.MessageTypeOffer, addr, term))
}

// bind keeps the address for the client and sends the lease on its way to the disk, after a probe where one is due.
func (s *Server) bind(ctx context.Context, out sender, eff *effects, r *request, v verdict, m lease.Moment) {
	rec := s.table.Begin(r.client, v.addr, s.table.Duration(), m)
	j := job{records: []lease.Record{rec}, request: r, renewal: v.renewal, since: m.Mono}
	if v.probe {
		if !s.work(r, v.addr, func() { s.bindAfterProbe(ctx, out, j) }) {
			s.table.Abort(rec)
			s.dropped(eff, r, refuse("probes_busy", "too many addresses are being probed; the client will ask again"))
		}
		return
	}
	s.enqueue(eff, j)
}

// enqueue hands a lease to the committer.
func (s *Server) enqueue(eff *effects, j job) {
	rec := j.records[0]
	if s.queue == nil || !s.queue.add(j) {
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
	select {
	case s.workers <- struct{}{}:
	default:
		return false
	}
	s.busy[r.client.Key] = addr
	go func() {
		defer func() { <-s.workers }()
		defer func() {
			if v := recover(); v != nil {
				s.panicked(v, debug.Stack(), r.msg.ToBytes())
				s.mu.Lock()
				delete(s.busy, r.client.Key)
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

func (s *Server) settings() *settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st
}

// wantedOf returns the address that a REQUEST is about.
func wantedOf(r *request) netip.Addr {
	if r.wanted.IsValid() {
		return r.wanted
	}
	return r.ciaddr
}
