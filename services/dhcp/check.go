package dhcp

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

const (
	// probeWait is how long an ARP answer is waited for: a phone on the wire answers in a few milliseconds, and the
	// client that waits for its OFFER repeats after 4 s.
	probeWait = 300 * time.Millisecond
	// maxTries is how many addresses are probed for one DISCOVER.
	maxTries = 4
)

// checkedFor is how long the answer to a probe is believed: a client that asks again, or another one that gets the
// address, does not wait for a probe.
const checkedFor = time.Minute

// check remembers a probe of an address.
type check struct {
	key   lease.Key // who answered for it, or could not be probed: it is free for that client alone; "" = nobody answered
	until time.Time
}

// inUse probes an address that a client claims; its own answer does not count. Behind a relay nobody can tell whose answer
// an echo is, so nothing is asked there.
func (s *Server) inUse(ctx context.Context, r *request, addr netip.Addr) (by phone.MAC, used bool, err error) {
	if !s.settings().onWire(addr) {
		return by, false, fmt.Errorf("%s lies behind a relay, where ARP does not reach", addr)
	}
	return s.answers(ctx, r, addr)
}

// answers probes an address for a client: by ARP on the wire, by ICMP echo behind a relay, where the MAC stays zero. The
// client's own answer does not count.
func (s *Server) answers(ctx context.Context, r *request, addr netip.Addr) (by phone.MAC, used bool, err error) {
	by, used, err = s.deps.Wire.Probe(ctx, addr, probeWait)
	if err != nil {
		s.warn("address not probed", "ip", addr, "err", err)
	}
	return by, used && by != r.mac, err
}

// offerAfterProbe offers the first address that nobody answers for. A probe that cannot be sent does not keep a phone
// from its address: the phone looks itself, too.
func (s *Server) offerAfterProbe(ctx context.Context, out sender, r *request, addr netip.Addr) {
	for range maxTries {
		by, used, err := s.answers(ctx, r, addr) // who searches has no address: an echo is not its own
		if err == nil && !used && by.IsZero() {
			s.foundFree(addr)
		}
		eff, next := s.offerProbed(ctx, r, addr, by, used)
		s.send(out, eff)
		if !next.IsValid() {
			return
		}
		addr = next
	}
	eff := &effects{}
	s.locked(func() {
		delete(s.busy, r.client.Key)
		s.dropped(eff, r, refuse("addresses_in_use", "the last %d addresses that were probed are all in use by hosts that did not get them here", maxTries))
	})
	s.send(out, eff)
}

// offerProbed offers a probed address or, when it is in use, returns another one to probe.
func (s *Server) offerProbed(ctx context.Context, r *request, addr netip.Addr, by phone.MAC, used bool) (*effects, netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	eff := &effects{}
	m := s.moment()
	switch {
	case ctx.Err() != nil || !s.phase.running():
		s.dropped(eff, r, s.unserved())
	case used:
		s.quarantine(eff, r, addr, by, m)
		next, err := s.table.Offer(s.st.placeFor(r), r.client.Key, r.wanted, m)
		if err == nil {
			s.busy[r.client.Key] = next
			return eff, next
		}
		s.dropped(eff, r, codeOf(err))
	case s.table.Standing(r.client.Key, addr, m) != lease.Own:
		s.dropped(eff, r, refuse("settings_changed", "%s can no longer be given to the client", addr))
	default:
		if _, free := s.checked.get(addr); !free {
			s.checked.put(addr, check{r.client.Key, m.Mono.Add(checkedFor)})
		}
		s.sendOffer(eff, r, addr, m)
	}
	delete(s.busy, r.client.Key)
	return eff, netip.Addr{}
}

// foundFree remembers that nobody answered a probe.
func (s *Server) foundFree(addr netip.Addr) {
	s.locked(func() { s.checked.put(addr, check{until: time.Now().Add(checkedFor)}) })
}

// quarantine keeps an address from everybody that somebody answered for.
func (s *Server) quarantine(eff *effects, r *request, addr netip.Addr, by phone.MAC, m lease.Moment) {
	s.table.Quarantine(addr, by[:], m)
	s.checked.remove(addr)
	who := by.String()
	if by.IsZero() {
		who = "a host behind the relay"
	}
	why := refuse("address_in_use", "%s is in use by %s, which did not get it here", addr, who)
	if !s.repeated("", why.code, m.Mono) { // a router that answers for all addresses must not fill the log
		s.log.Warn("address in use by a stranger", "ip", addr, "by", who)
	}
	eff.event(s.eventOf(r, Event{Kind: EventDecline, Address: addr, Reason: why.text}))
}

// bindAfterProbe sends the lease of an address that no OFFER of ours was probed for on its way to the disk.
func (s *Server) bindAfterProbe(ctx context.Context, out sender, j job) {
	by, used, _ := s.inUse(ctx, j.request, j.records[0].Address)
	eff := &effects{}
	s.locked(func() {
		if s.probed(ctx, eff, j, by, used) {
			s.enqueue(eff, j)
		}
	})
	s.send(out, eff)
}

// ackAfterProbe acknowledges a short lease that could not be stored. Without the probe there is no such lease.
func (s *Server) ackAfterProbe(ctx context.Context, out sender, j job) {
	by, used, err := s.inUse(ctx, j.request, j.records[0].Address)
	eff := &effects{}
	s.locked(func() {
		switch {
		case !s.probed(ctx, eff, j, by, used):
		case err != nil:
			s.table.Abort(j.records[0])
			delete(s.busy, j.records[0].Key)
			s.dropped(eff, j.request, refuse("not_stored", "the lease can neither be written to disk nor probed: %v", err))
		default:
			s.acknowledge(eff, j, false, s.moment())
		}
	})
	s.send(out, eff)
}

// probed judges the probe of an address that a client requested; false means that the request is dealt with.
func (s *Server) probed(ctx context.Context, eff *effects, j job, by phone.MAC, used bool) bool {
	rec, r, m := j.records[0], j.request, s.moment()
	standing := s.table.Standing(rec.Key, rec.Address, m)
	switch {
	case ctx.Err() != nil:
		s.table.Abort(rec)
		s.dropped(eff, r, s.unserved())
	case !s.phase.running() && (used || standing != lease.Own || !s.passes(r, m)):
		s.table.Abort(rec)
		s.dropped(eff, r, s.phase.why())
	case used:
		s.quarantine(eff, r, rec.Address, by, m)
		s.deny(eff, r, refuse("quarantined", "%s is in use by %s", rec.Address, by))
	case standing != lease.Own:
		s.table.Abort(rec)
		s.deny(eff, r, s.st.refuseAs(r, standing, rec.Address).why)
	default:
		return true
	}
	delete(s.busy, rec.Key)
	return false
}
