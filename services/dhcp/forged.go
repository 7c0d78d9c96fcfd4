package dhcp

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

// A RELEASE or a DECLINE takes an address away from a client, and anybody can write another's hardware address into
// one. There is no proof in DHCP (RFC 3118 was never used), so only what fits is believed.

// implausible refuses a RELEASE or a DECLINE that its client would not send like this.
func (s *Server) implausible(r *request, m lease.Moment) *refusal {
	switch {
	case r.typ == dhcpv4.MessageTypeRelease && !r.relayed() && !s.st.Relayed && r.from.Addr() != r.ciaddr:
		// RFC 2131 section 4.4.4: it is sent from the address that is given back.
		return refuse("forged_release", "the RELEASE of %s came from %s; a client sends it from the address that it gives back", r.ciaddr, r.from.Addr())
	case r.relayed() && s.elsewhere(r):
		return refuse("forged_"+strings.ToLower(r.typ.String()), "the %s of %s came through the relay of another network, %s", r.typ, givenBack(r), r.giaddr)
	case r.typ == dhcpv4.MessageTypeDecline && !s.st.known[r.mac] && !s.strangers.port(r, m.Mono).declining.take(declineAllowance, m.Mono):
		return refuse("decline_limit", "too many addresses were declined by unlisted clients on that port")
	}
	return nil
}

// givenBack returns the address that a RELEASE or a DECLINE is about.
func givenBack(r *request) netip.Addr {
	switch r.typ {
	case dhcpv4.MessageTypeRelease:
		return r.ciaddr
	case dhcpv4.MessageTypeDecline:
		return r.wanted
	}
	return netip.Addr{}
}

// elsewhere reports whether a client gives back an address of another network than that which its packet is from.
func (s *Server) elsewhere(r *request) bool {
	addr := givenBack(r)
	return addr.IsValid() && s.st.locate(r) == nil && !s.st.network(r).prefix.Contains(addr)
}

const (
	// leaveTime is how long a client may take to give up an address after its RELEASE.
	leaveTime = time.Second
	// maxLeaving bounds the RELEASEs that are looked into at a time.
	maxLeaving = 64
)

// doubted asks the wire who has an address that its client declines or gives back while its lease runs: a client that does
// that does not use the address, so one that still answers for it did not send the packet. It reports whether the answer
// is waited for, or the packet was dropped.
func (s *Server) doubted(ctx context.Context, out sender, eff *effects, r *request, m lease.Moment) bool {
	addr := givenBack(r)
	if !addr.IsValid() {
		return false
	}
	live, runs := s.table.At(addr, m)
	if s.st.Relayed || !s.st.onWire(addr) || !runs || live.Record.Key != r.client.Key {
		return false
	}
	switch {
	case r.typ == dhcpv4.MessageTypeDecline && s.work(r, addr, func() { s.declineAfterProbe(ctx, out, r) }):
	case r.typ == dhcpv4.MessageTypeRelease && s.leaving[r.client.Key]:
		s.dropped(eff, r, refuse("in_progress", "the RELEASE before is being looked into"))
	case r.typ == dhcpv4.MessageTypeRelease && len(s.leaving) < maxLeaving && s.aside(r, func() { s.releaseAfterProbe(ctx, out, r, m.Mono.Add(live.Left)) }):
		s.leaving[r.client.Key] = true
	default:
		s.dropped(eff, r, probesBusy())
	}
	return true
}

// releaseAfterProbe gives an address back unless its client goes on with it. until is when the lease was to end.
func (s *Server) releaseAfterProbe(ctx context.Context, out sender, r *request, until time.Time) {
	t := time.NewTimer(leaveTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	by, used, err := s.deps.Wire.Probe(ctx, r.ciaddr, probeWait)
	if err != nil && ctx.Err() == nil {
		s.warn("address not probed", "ip", r.ciaddr, "err", err)
	}
	eff := &effects{}
	s.locked(func() {
		delete(s.leaving, r.client.Key)
		m := s.moment()
		live, runs := s.table.At(r.ciaddr, m)
		switch {
		case ctx.Err() != nil:
			s.dropped(eff, r, s.unserved())
		case used && by == r.mac:
			s.dropped(eff, r, refuse("forged_release", "the RELEASE of %s is not believed: the client still answers for the address", r.ciaddr))
		case runs && m.Mono.Add(live.Left).After(until):
			s.dropped(eff, r, refuse("asked_again", "the client gave %s back and then asked for it again", r.ciaddr))
		default:
			s.act(ctx, out, eff, r, s.st.decide(s.table, r, s.sole(m.Mono), m), m)
		}
	})
	s.send(out, eff)
}

// declineAfterProbe takes the DECLINE unless the client itself answers for the address.
func (s *Server) declineAfterProbe(ctx context.Context, out sender, r *request) {
	by, used, err := s.deps.Wire.Probe(ctx, r.wanted, probeWait)
	if err != nil {
		s.warn("address not probed", "ip", r.wanted, "err", err)
	}
	eff := &effects{}
	s.locked(func() {
		delete(s.busy, r.client.Key)
		m := s.moment()
		switch {
		case ctx.Err() != nil || (!s.phase.running() && !s.passes(r, m)):
			s.dropped(eff, r, s.unserved())
		case used && by == r.mac:
			s.dropped(eff, r, refuse("forged_decline", "the DECLINE of %s is not believed: the client answers for the address, so it uses it", r.wanted))
		default:
			s.act(ctx, out, eff, r, s.st.decide(s.table, r, s.sole(m.Mono), m), m)
		}
	})
	s.send(out, eff)
}
