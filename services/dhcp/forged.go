package dhcp

import (
	"context"

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
	case r.typ == dhcpv4.MessageTypeDecline && !s.st.known[r.mac] && !s.strangers.port(r, m.Mono).declining.take(declineAllowance, m.Mono):
		return refuse("decline_limit", "too many addresses were declined by unlisted clients on that port")
	}
	return nil
}

// defended asks the wire who has an address that its client declines although its lease runs: a client that declines
// does not use the address, so one that answers for it did not send the DECLINE. It reports whether the answer is
// waited for.
func (s *Server) defended(ctx context.Context, out sender, eff *effects, r *request, m lease.Moment) bool {
	live, runs := s.table.At(r.wanted, m)
	if r.relayed() || s.st.Relayed || !s.st.onWire(r.wanted) || !runs || live.Record.Key != r.client.Key {
		return false
	}
	if !s.work(r, r.wanted, func() { s.declineAfterProbe(ctx, out, r) }) {
		s.dropped(eff, r, probesBusy())
	}
	return true
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
			s.dropped(eff, r, s.phase.why())
		case used && by == r.mac:
			s.dropped(eff, r, refuse("forged_decline", "the DECLINE of %s is not believed: the client answers for the address, so it uses it", r.wanted))
		default:
			s.act(ctx, out, eff, r, s.st.decide(s.table, r, s.sole(m.Mono), m), m)
		}
	})
	s.send(out, eff)
}
