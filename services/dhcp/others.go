package dhcp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

const (
	maxOthers  = 16
	maxDecided = 64
	// goneAfter is how long another server is silent, to a look each minute as well, until it counts as gone. A router
	// that restarts, or gets new firmware, is back by then.
	goneAfter = 10 * time.Minute
	chosenFor = time.Hour // how long a server that a client chose counts as present
)

// ErrNothingToDecide is the answer of [Server.ServeAnyway] where no other server is known and the wire can be searched.
var ErrNothingToDecide = errors.New("no other DHCP server is known: there is nothing to decide")

// sighting is another server, and what speaks for it. The two times are of the monotonic clock; zero = never.
type sighting struct {
	OtherServer
	answered time.Time // it gave an address to somebody, or refused one
	chosen   time.Time // a client named it
}

// answers reports whether the server holds up serving.
func (o *sighting) answers(now time.Time) bool {
	return !o.answered.IsZero() && now.Sub(o.answered) < goneAfter
}

func (o *sighting) present(now time.Time) bool {
	return o.answers(now) || (!o.chosen.IsZero() && now.Sub(o.chosen) < chosenFor)
}

// meet notes that a server answered at a time of the monotonic clock, and reports whether it did not count as answering
// until then. The caller holds the lock.
func (s *Server) meet(o OtherServer, at time.Time) bool {
	if o.Address == s.st.box || !o.Address.IsValid() || time.Since(at) >= goneAfter {
		return false
	}
	m := s.met[o.Address]
	if m == nil {
		if len(s.met) >= maxOthers && !s.makeRoom() {
			return false
		}
		m = &sighting{OtherServer: OtherServer{Address: o.Address}}
		s.met[o.Address] = m
	}
	is := !m.answers(time.Now())
	if at.Before(m.answered) {
		return false
	}
	m.answered = at
	if !o.MAC.IsZero() {
		m.MAC = o.MAC
	}
	if o.Offered.IsValid() || len(m.Options) == 0 {
		m.Offered, m.Options = o.Offered, o.Options
	}
	s.saw(m, at)
	return is
}

// saw keeps the times that people are shown.
func (s *Server) saw(m *sighting, at time.Time) {
	m.Seen = s.deps.Clock.Now().Add(-time.Since(at)).Round(0)
	if m.First.IsZero() {
		m.First = m.Seen
	}
}

// makeRoom forgets a server that only a client spoke of: there is no limit to what clients may say.
func (s *Server) makeRoom() bool {
	for addr, m := range s.met {
		if m.answered.IsZero() {
			delete(s.met, addr)
			return true
		}
	}
	return false
}

// choseOther remembers a server that a client chose: there is one that the look did not find.
func (s *Server) choseOther(server netip.Addr, now time.Time) {
	m := s.met[server]
	if m == nil {
		if len(s.met) >= maxOthers {
			return
		}
		m = &sighting{OtherServer: OtherServer{Address: server}}
		s.met[server] = m
		s.log.Warn("a client chose another DHCP server", "server", server)
		s.nudge()
	}
	m.chosen = now
	s.saw(m, now)
}

// forgetAnswers drops what the wire said: it may be another, or a person asks anew. What clients say stays.
func (s *Server) forgetAnswers() {
	s.since = time.Now()
	for addr, m := range s.met {
		m.answered = time.Time{}
		if m.chosen.IsZero() {
			delete(s.met, addr)
		}
	}
}

// forgetOthers drops who is gone; the caller holds the lock.
func (s *Server) forgetOthers(now time.Time) {
	for addr, m := range s.met {
		if !m.present(now) {
			delete(s.met, addr)
		}
	}
	s.metrics.others.Set(float64(len(s.met)))
}

// overheard takes in what the wire heard without asking; the caller holds the lock.
func (s *Server) overheard(eff *effects) {
	if s.deps.Wire == nil {
		return
	}
	for _, o := range s.deps.Wire.Overheard() {
		if !o.Seen.Before(s.since) && s.meet(o, o.Seen) {
			s.found(eff, o.Address)
		}
	}
}

// found reports a server that began to answer.
func (s *Server) found(eff *effects, addr netip.Addr) {
	o := s.met[addr].OtherServer
	s.log.Warn("another DHCP server answers", "server", o.Address, "mac", o.MAC, "offered", o.Offered)
	eff.event(Event{Kind: EventOther, Time: s.deps.Clock.Now(), Other: []OtherServer{o}})
}

// others returns every other server that is known; the caller holds the lock.
func (s *Server) others(now time.Time) []OtherServer {
	return s.which(func(m *sighting) bool { return m.present(now) })
}

// undecided returns the servers that hold up serving; the caller holds the lock.
func (s *Server) undecided(now time.Time) []OtherServer {
	return s.which(func(m *sighting) bool { return m.answers(now) && !s.accepted(m.Address) })
}

// answering returns the servers that gave addresses, decided about or not; the caller holds the lock.
func (s *Server) answering(now time.Time) []OtherServer {
	return s.which(func(m *sighting) bool { return m.answers(now) })
}

func (s *Server) which(is func(*sighting) bool) []OtherServer {
	var out []OtherServer
	for _, m := range s.met {
		if is(m) {
			o := m.OtherServer
			o.Accepted = s.accepted(o.Address)
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b OtherServer) int { return a.Address.Compare(b.Address) })
	return out
}

// sole reports whether no other server is known.
func (s *Server) sole(now time.Time) bool {
	for _, m := range s.met {
		if m.present(now) {
			return false
		}
	}
	return true
}

// accepted reports whether somebody said that the server is no reason to hold back.
func (s *Server) accepted(server netip.Addr) bool {
	return s.st.Authoritative || s.decision.covers(server)
}

// all reports whether the decision is one of an older phonebox, which names no server: it was meant for every one.
func (d Decision) all() bool { return d.Serve && len(d.Servers) == 0 && !d.Blind }

func (d Decision) covers(server netip.Addr) bool {
	return d.Serve && (d.all() || slices.Contains(d.Servers, server))
}

// ServeAnyway is a person's word that the server shall serve beside these servers; none named = those that are known
// now. Where the wire cannot be searched it is the word to serve without. A server that turns up later is another
// matter. It holds at once, and over restarts when no error is returned. The error is [ErrNothingToDecide] where there
// is neither.
func (s *Server) ServeAnyway(ctx context.Context, servers ...netip.Addr) error {
	s.mu.Lock()
	d := s.decision
	if len(servers) == 0 {
		for _, o := range s.others(time.Now()) {
			servers = append(servers, o.Address)
		}
	}
	blind := s.phase.code == "cannot_look"
	if len(servers) == 0 && !blind {
		s.mu.Unlock()
		return ErrNothingToDecide
	}
	if all := d.all(); !all {
		d.Servers = append(slices.Clone(d.Servers), servers...)
		slices.SortFunc(d.Servers, netip.Addr.Compare)
		d.Servers = slices.Compact(d.Servers)
		d.Blind = d.Blind || blind
	}
	if len(d.Servers) > maxDecided {
		s.mu.Unlock()
		return fmt.Errorf("deciding about other DHCP servers: found %d, allowed are %d", len(d.Servers), maxDecided)
	}
	d.Serve, d.Time = true, s.deps.Clock.Now().Round(0)
	s.decision, s.decided = d, true
	s.mu.Unlock()
	s.rejudge()
	if err := s.deps.Store.SetDecision(ctx, d); err != nil {
		return fmt.Errorf("remembering to serve beside another DHCP server: %w", err)
	}
	return nil
}

// HoldBack takes the word of [Server.ServeAnyway] back, for all servers. It holds at once, and over restarts when no
// error is returned; Config.Authoritative stays what it is.
func (s *Server) HoldBack(ctx context.Context) error {
	s.mu.Lock()
	s.decision, s.decided = Decision{}, true
	s.mu.Unlock()
	s.rejudge()
	if err := s.deps.Store.SetDecision(ctx, Decision{}); err != nil {
		return fmt.Errorf("remembering to hold back beside another DHCP server: %w", err)
	}
	return nil
}

// LookAgain searches the wire now. While serving is held, what was found before is forgotten: a person says that the
// other server is gone, and the look, which takes 3 s, checks that.
func (s *Server) LookAgain() {
	s.mu.Lock()
	s.lookNow = true
	s.mu.Unlock()
	s.nudge()
}

// Decision returns what a person decided about other servers; the zero Decision = nothing.
func (s *Server) Decision() Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.decision
	d.Servers = slices.Clone(d.Servers)
	return d
}

// passes reports whether a packet is dealt with although another server holds up serving: a client that names the other
// server tells that it is there, and where the box served before the other one came, the clients that it gave addresses
// to keep them. To renew those does no harm, for nobody else may give them away; to let them run out would.
func (s *Server) passes(r *request, m lease.Moment) bool {
	if s.phase.code != "other_server" {
		return false
	}
	if r.typ == dhcpv4.MessageTypeRequest && r.server.IsValid() && r.server != s.st.box {
		return true
	}
	if !s.phase.renews {
		return false
	}
	switch r.typ {
	case dhcpv4.MessageTypeRelease, dhcpv4.MessageTypeDecline:
		return true
	case dhcpv4.MessageTypeRequest:
		addr := r.ciaddr
		if !addr.IsValid() {
			addr = r.wanted
		}
		live, ok := s.table.Of(r.client.Key, m)
		return ok && live.Record.Address == addr
	}
	return false
}

// heldBack reports whether the hold keeps a verdict from being carried out: of what passes, only a lease that goes on is
// answered.
func (s *Server) heldBack(v verdict) bool {
	return !s.phase.running() && (v.act == offer || v.act == deny || v.act == inform)
}
