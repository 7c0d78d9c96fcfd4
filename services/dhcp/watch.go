package dhcp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

const (
	lookTime      = 3 * time.Second // for own address and other servers together
	lookPackets   = 3
	recheckOthers = 60 * time.Second
	recheckSoon   = 10 * time.Second // while the box's own address is in use elsewhere, or the wire cannot be looked at
	chosenFor     = time.Hour        // how long a server that a client chose counts as present
	maxOthers     = 16
)

// laterLook is how long after the nth look since the link came up another one follows, without a break in serving; 0 =
// none. A switch may take up to 50 s until it forwards the packets of a new port (spanning tree, IEEE 802.1D), and after
// a power cut a router takes minutes until it serves. Later on a hold would cost phones the addresses that they have.
func laterLook(n int) time.Duration {
	if n > 4 {
		return 0
	}
	return 15 * time.Second << (n - 1)
}

// view is what was seen on the wire since the link came up.
type view struct {
	looking   bool // the first look since the link came up is not over
	down      bool
	duplicate phone.MAC // who else has the box's own address
	others    []OtherServer
	err       error // the look was not possible
}

// phase is whether the server serves, and why not.
type phase struct{ state, code, detail string }

func (p phase) running() bool { return p.state == "running" }
func (p phase) why() *refusal { return &refusal{p.code, p.detail} }

func phaseOff() phase { return phase{"off", "off", "the server does not run"} }

func phaseLooking() phase {
	return phase{"held", "looking", "looking for other DHCP servers on the wire, which takes 3 s"}
}

// judge derives the phase from what was seen and what was decided; the caller holds the lock.
func (s *Server) judge() phase {
	v, allowed := s.view, s.st.Authoritative || s.serveAny
	held := func(code, format string, args ...any) phase { return phase{"held", code, fmt.Sprintf(format, args...)} }
	switch {
	case s.st.Relayed:
		return phase{state: "running", detail: s.storeTrouble()}
	case v.down:
		return held("link_down", "the cable of %s is out, or it has no address yet", s.st.Interface)
	case v.looking:
		return phaseLooking()
	case !v.duplicate.IsZero():
		return held("duplicate_address", "the box's own address %s is also used by %s; one of the two must change", s.st.box, v.duplicate)
	case len(v.others) > 0 && !allowed:
		return held("other_server", "another DHCP server answers on the wire (%s); no address is handed out until it is gone or somebody says so", list(v.others))
	case v.err != nil && !allowed:
		return held("cannot_look", "the wire cannot be searched for other DHCP servers: %v", v.err)
	case len(v.others) > 0:
		return phase{state: "running", detail: join2("serving although another DHCP server answers ("+list(v.others)+")", s.storeTrouble())}
	}
	return phase{state: "running", detail: s.storeTrouble()}
}

func join2(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}

func list(others []OtherServer) string {
	names := make([]string, len(others))
	for i, o := range others {
		names[i] = o.Address.String()
	}
	return strings.Join(names, ", ")
}

// watch looks at the wire at each start of the link and four times in the minutes after it, again while something is wrong
// there, and each minute where another server was met: it may have been restarting.
func (s *Server) watch(ctx context.Context) {
	s.looks = 0
	var changes <-chan bool
	if s.deps.Wire != nil {
		changes = s.deps.Wire.Changes()
		select {
		case <-changes: // a new subscription may begin with the state as it is, which survey asks for anyway
		default:
		}
	}
	for ctx.Err() == nil {
		if again, changed := s.survey(ctx, changes); !changed {
			s.idle(ctx, changes, again)
		}
	}
}

// survey looks once and returns when to look again, 0 = when the link changes; changed tells that it did while looking
// (or the settings did), so that what was seen may be of another wire and counts for nothing.
func (s *Server) survey(ctx context.Context, changes <-chan bool) (again time.Duration, changed bool) {
	st := s.settings()
	if st.Relayed {
		s.seeing(view{})
		return 0, false
	}
	if !s.deps.Wire.Up() {
		s.seeing(view{down: true})
		return recheckSoon, false
	}
	s.mu.Lock()
	first := s.view.looking || s.view.down
	s.mu.Unlock()
	if first {
		s.seeing(view{looking: true})
	}
	v, changed := s.lookOnOneWire(ctx, changes, st.box)
	if changed || ctx.Err() != nil {
		return 0, changed
	}
	v.down = !s.deps.Wire.Up()
	s.seeing(v)
	switch {
	case v.down || !v.duplicate.IsZero() || v.err != nil:
		return recheckSoon, false
	case s.notAlone():
		return recheckOthers, false
	}
	s.looks++
	return laterLook(s.looks), false
}

// lookOnOneWire looks, and gives up as soon as the link changes: the cable may be in another switch. Nothing is served
// from that moment on.
func (s *Server) lookOnOneWire(ctx context.Context, changes <-chan bool, box netip.Addr) (v view, changed bool) {
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	over, other := make(chan struct{}), make(chan bool, 1)
	go func() {
		select {
		case _, open := <-changes:
			if open {
				cancel()
			}
			other <- open
		case <-over:
			other <- false
		}
	}()
	func() {
		defer close(over)
		v = s.look(looking, box)
	}()
	if changed = <-other; !changed {
		select {
		case _, changed = <-changes: // it came at the very end
		default:
		}
	}
	s.mu.Lock()
	changed = changed || s.relook // Apply changed what is looked for
	s.relook = false
	s.mu.Unlock()
	if changed {
		s.lookAnew()
	}
	return v, changed
}

// lookAnew forgets what was seen; nothing is served until the next look is over.
func (s *Server) lookAnew() {
	s.looks = 0
	s.mu.Lock()
	s.metOthers = false
	s.mu.Unlock()
	s.seeing(view{looking: true})
}

// notAlone notes whether another server is known, and reports whether one ever was since the link came up: one that went
// away may be back at any time, and then serving ends again.
func (s *Server) notAlone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metOthers = s.metOthers || !s.sole(time.Now())
	return s.metOthers
}

// look asks the wire who else has the box's address and who else serves DHCP, both at the same time.
func (s *Server) look(ctx context.Context, box netip.Addr) view {
	var v view
	type answer struct {
		mac phone.MAC
		err error
	}
	probed := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				probed <- answer{err: fmt.Errorf("panicked: %v", p)}
			}
		}()
		mac, used, err := s.deps.Wire.Probe(ctx, box, lookTime)
		if !used {
			mac = phone.MAC{}
		}
		probed <- answer{mac, err}
	}()
	others, err := s.deps.Wire.Discover(ctx, lookPackets, lookTime)
	if err != nil {
		v.err = fmt.Errorf("looking for other DHCP servers: %w", err)
	}
	for _, o := range others {
		if o.Address != box && len(v.others) < maxOthers {
			v.others = append(v.others, o)
		}
	}
	a := <-probed
	v.duplicate = a.mac
	if a.err != nil && ctx.Err() == nil {
		s.log.Warn("own address not probed", "ip", box, "err", a.err)
	}
	return v
}

// idle waits until it is time to look again: the link changed, the time is over or the settings ask for it. A decision
// that changes nothing on the wire is judged at once.
func (s *Server) idle(ctx context.Context, changes <-chan bool, again time.Duration) {
	var timer <-chan time.Time
	if again > 0 {
		t := time.NewTimer(again)
		defer t.Stop()
		timer = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-changes:
			if !open {
				changes = nil
				continue
			}
			s.lookAnew()
			return
		case <-timer:
			return
		case <-s.kick:
			s.mu.Lock()
			relook, v, met := s.relook, s.view, s.metOthers
			s.relook = false
			s.mu.Unlock()
			if relook {
				s.lookAnew()
				return
			}
			s.seeing(v)
			if !met && s.notAlone() { // a client chose another server: the look missed it, or it is new
				return
			}
		}
	}
}

// seeing takes a view and tells everybody when it changes whether the server serves.
func (s *Server) seeing(v view) {
	eff := &effects{}
	s.locked(func() {
		before := s.phase
		s.view = v
		s.phase = s.judge()
		if s.phase.code != before.code || s.phase.state != before.state {
			s.entered(eff, s.phase)
		}
	})
	s.perform(eff, nil)
}

// entered reports a change of the phase. The kernel lost its neighbour entries with the link, so the live leases are
// entered again.
func (s *Server) entered(eff *effects, p phase) {
	ev := Event{Time: s.deps.Clock.Now(), Reason: p.detail, Other: slices.Clone(s.view.others)}
	switch {
	case p.running():
		ev.Kind = EventServing
		s.log.Info("serving", "iface", s.st.Interface, "detail", p.detail)
		for _, l := range s.table.Leases(s.moment()) {
			if mac := macOf(l.Record); !mac.IsZero() {
				eff.neighbours = append(eff.neighbours, neighbour{l.Record.Address, mac})
			}
		}
	case p.code == "duplicate_address":
		ev.Kind, ev.MAC, ev.Address = EventDuplicate, s.view.duplicate, s.st.box
		s.log.Warn("own address in use by another", "ip", s.st.box, "mac", s.view.duplicate)
	case p.code == "other_server" || p.code == "cannot_look":
		ev.Kind, ev.Err = EventHeld, s.view.err
		s.log.Warn("serving is held", "reason", p.detail)
	default:
		s.log.Info("not serving", "reason", p.detail)
		return
	}
	eff.event(ev)
}

// choseOther remembers a server that a client chose: there is one that the look did not find.
func (s *Server) choseOther(server netip.Addr, now time.Time) {
	_, known := s.chosen[server]
	if !known && len(s.chosen) >= maxOthers {
		return
	}
	s.chosen[server] = now
	if !known {
		s.log.Warn("a client chose another DHCP server", "server", server)
		s.nudge()
	}
}

// others returns every other server that is known; the caller holds the lock.
func (s *Server) others(now time.Time) []OtherServer {
	out := slices.Clone(s.view.others)
	for addr, at := range s.chosen {
		seen := slices.ContainsFunc(out, func(o OtherServer) bool { return o.Address == addr })
		if !seen && now.Sub(at) < chosenFor {
			out = append(out, OtherServer{Address: addr, Seen: s.deps.Clock.Now().Add(-now.Sub(at))})
		}
	}
	slices.SortFunc(out, func(a, b OtherServer) int { return a.Address.Compare(b.Address) })
	return out
}

// sole reports whether no other server is known.
func (s *Server) sole(now time.Time) bool { return len(s.others(now)) == 0 }
