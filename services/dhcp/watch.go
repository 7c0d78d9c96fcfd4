package dhcp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

const (
	lookTime      = 3 * time.Second // for own address and other servers together
	lookPackets   = 3
	recheckOthers = 60 * time.Second
	recheckSoon   = 10 * time.Second // while the box's own address is in use elsewhere, or the wire cannot be looked at

	// The wire tells of a server that it did not know; one that it knows may be back after a long time. To ask the wire what
	// it heard costs nobody anything.
	rejudgeEvery = 5 * time.Second

	// On a quiet wire a single packet looks every 10 to 15 minutes; boxes that started together do not look together.
	quietPackets = 1
	quietLook    = 10 * time.Minute
	quietJitter  = 5 * time.Minute
	eagerLooks   = 5 // after the link came up, with all packets
)

// laterLook is how long after the nth look since the link came up another one follows, without a break in serving. A
// switch may take up to 50 s until it forwards the packets of a new port (spanning tree, IEEE 802.1D), and after a power
// cut a router takes minutes until it serves. Somebody may plug one in at any time.
func laterLook(n int) time.Duration {
	if n >= eagerLooks {
		return quietLook + rand.N(quietJitter)
	}
	return 15 * time.Second << (n - 1)
}

// view is what was seen on the wire since the link came up.
type view struct {
	looking   bool // the first look since the link came up is not over
	down      bool
	duplicate phone.MAC // who else has the box's own address
	err       error     // the look was not possible
}

// phase is whether the server serves, and why not.
type phase struct {
	state, code, detail string
	renews              bool // clients that have an address of the box keep it all the same
}

func (p phase) running() bool { return p.state == "running" }
func (p phase) why() *refusal { return &refusal{p.code, p.detail} }

func phaseOff() phase { return phase{state: "off", code: "off", detail: "the server does not run"} }

func phaseLooking() phase {
	return phase{state: "held", code: "looking", detail: "looking for other DHCP servers on the wire, which takes 3 s"}
}

// judge derives the phase from what was seen and what was decided; the caller holds the lock.
func (s *Server) judge() phase {
	v, now := s.view, time.Now()
	blind := s.st.Authoritative || s.decision.Blind || s.decision.all()
	held := func(code, format string, args ...any) phase {
		return phase{state: "held", code: code, detail: fmt.Sprintf(format, args...)}
	}
	undecided, answering := s.undecided(now), s.answering(now)
	switch {
	case s.st.Relayed:
		return phase{state: "running", detail: s.storeTrouble()}
	case v.down:
		return held("link_down", "the cable of %s is out, or it has no address yet", s.st.Interface)
	case v.looking:
		return phaseLooking()
	case !v.duplicate.IsZero():
		return held("duplicate_address", "the box's own address %s is also used by %s; one of the two must change", s.st.box, v.duplicate)
	case len(undecided) > 0:
		p := held("other_server", "another DHCP server answers on the wire (%s); no address is handed out until it is gone or somebody says so", list(undecided))
		if p.renews = s.served; p.renews {
			p.detail += "; phones that have an address from the box keep it"
		}
		return p
	case v.err != nil && !blind:
		return held("cannot_look", "the wire cannot be searched for other DHCP servers: %v", v.err)
	case len(answering) > 0:
		return phase{state: "running", detail: join2("serving although another DHCP server answers ("+list(answering)+")", s.storeTrouble())}
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

// watch looks at the wire at each start of the link and four times in the minutes after it, now and then for as long as it
// serves, at once when the wire has news, again while something is wrong there, and each minute where another server was
// met: it may have been restarting.
func (s *Server) watch(ctx context.Context) {
	s.looks = 0
	var changes <-chan bool
	var news <-chan struct{}
	if s.deps.Wire != nil {
		changes, news = s.deps.Wire.Changes(), s.deps.Wire.News()
		select {
		case <-changes: // a new subscription may begin with the state as it is, which survey asks for anyway
		default:
		}
	}
	for ctx.Err() == nil {
		if again, changed := s.survey(ctx, changes, news); !changed {
			s.idle(ctx, changes, news, again)
		}
	}
}

// survey looks once and returns when to look again, 0 = when the link changes; changed tells that it did while looking
// (or the settings did), so that what was seen may be of another wire and counts for nothing.
func (s *Server) survey(ctx context.Context, changes <-chan bool, news <-chan struct{}) (again time.Duration, changed bool) {
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
	v, found, changed := s.lookOnOneWire(ctx, changes, news, st.box)
	if changed || ctx.Err() != nil {
		return 0, changed
	}
	v.down = !s.deps.Wire.Up()
	s.looked = time.Now()
	s.seeing(v, found...)
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
// from that moment on. What is overheard meanwhile counts at once.
func (s *Server) lookOnOneWire(ctx context.Context, changes <-chan bool, news <-chan struct{}, box netip.Addr) (v view, found []OtherServer, changed bool) {
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	over, other := make(chan struct{}), make(chan bool, 1)
	go func() {
		for {
			select {
			case <-news:
				s.rejudge()
				continue
			case _, open := <-changes:
				if open {
					cancel()
				}
				other <- open
			case <-over:
				other <- false
			}
			return
		}
	}()
	func() {
		defer close(over)
		v, found = s.look(looking, box)
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
		s.lookAnew(true)
	}
	return v, found, changed
}

// lookAnew forgets what was seen; nothing is served until the next look is over. On another wire it is as if the box had
// never served.
func (s *Server) lookAnew(otherWire bool) {
	s.looks = 0
	s.mu.Lock()
	s.metOthers, s.served = false, s.served && !otherWire
	s.forgetAnswers()
	s.mu.Unlock()
	s.seeing(view{looking: true})
}

// packets is how many a look takes: few once the wire is known, for each costs the other servers work as well.
func (s *Server) packets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view.looking || (s.looks < eagerLooks && !s.metOthers) {
		return lookPackets
	}
	return quietPackets
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
func (s *Server) look(ctx context.Context, box netip.Addr) (v view, found []OtherServer) {
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
	found, err := s.deps.Wire.Discover(ctx, s.packets(), lookTime)
	if err != nil {
		v.err = fmt.Errorf("looking for other DHCP servers: %w", err)
	}
	a := <-probed
	v.duplicate = a.mac
	if a.err != nil && ctx.Err() == nil {
		s.log.Warn("own address not probed", "ip", box, "err", a.err)
	}
	return v, found
}

// idle waits until it is time to look again: the link changed, the time is over, the wire has news, or the settings or a
// person ask for it. A decision that changes nothing on the wire is judged at once.
func (s *Server) idle(ctx context.Context, changes <-chan bool, news <-chan struct{}, again time.Duration) {
	var timer <-chan time.Time
	if again > 0 {
		t := time.NewTimer(again)
		defer t.Stop()
		timer = t.C
	}
	var heard <-chan time.Time
	if s.deps.Wire != nil {
		t := time.NewTicker(rejudgeEvery)
		defer t.Stop()
		heard = t.C
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
			s.lookAnew(true)
			return
		case <-timer:
			return
		case <-heard:
			if s.hearsOther() {
				return // a look each minute tells when it is gone
			}
		case <-news:
			s.rejudge() // what was heard counts at once; the look that follows may find more
			wait := recheckSoon - time.Since(s.looked)
			if wait <= 0 {
				return
			}
			timer = time.After(wait) // whoever makes news all the time does not make the box look all the time
		case <-s.kick:
			if s.kicked() {
				return
			}
		}
	}
}

// hearsOther judges what the wire overheard, and reports whether the box is no longer alone there.
func (s *Server) hearsOther() bool {
	s.mu.Lock()
	met := s.metOthers
	s.mu.Unlock()
	s.rejudge()
	return !met && s.notAlone()
}

// kicked deals with what a person or the settings want, and reports whether the wire is to be looked at.
func (s *Server) kicked() bool {
	s.mu.Lock()
	relook, lookNow, met := s.relook, s.lookNow, s.metOthers
	held := s.phase.state == "held" && !s.view.down
	s.relook, s.lookNow = false, false
	s.mu.Unlock()
	if relook || (lookNow && held) {
		s.lookAnew(relook)
		return true
	}
	s.rejudge()
	return lookNow || (!met && s.notAlone()) // a client chose another server: the look missed it, or it is new
}

// seeing takes a view, with the servers that a look found, and tells everybody when it changes whether the server serves.
func (s *Server) seeing(v view, found ...OtherServer) { s.update(&v, found) }

// rejudge is for what changed but the view: a person's decision, or what was overheard.
func (s *Server) rejudge() { s.update(nil, nil) }

func (s *Server) update(v *view, found []OtherServer) {
	eff := &effects{}
	s.locked(func() {
		if v != nil {
			s.view = *v
		}
		if s.queue == nil { // Serve does not run
			return
		}
		before := s.phase
		s.takeIn(eff, found)
		s.phase = s.judge()
		s.served = s.served || s.phase.running()
		if s.phase.code != before.code || s.phase.state != before.state {
			s.entered(eff, s.phase)
		}
	})
	s.perform(eff, nil)
}

// takeIn notes the servers that a look found and those that were overheard; the caller holds the lock.
func (s *Server) takeIn(eff *effects, found []OtherServer) {
	switch {
	case s.view.down:
		s.forgetAnswers()
		s.served = false
	case !s.view.looking && !s.st.Relayed:
		now := time.Now()
		for _, o := range found {
			if s.meet(o, now) {
				s.found(eff, o.Address)
			}
		}
		s.overheard(eff)
	}
	s.metrics.others.Set(float64(len(s.met)))
}

// entered reports a change of the phase. The kernel lost its neighbour entries with the link, so the live leases are
// entered again.
func (s *Server) entered(eff *effects, p phase) {
	ev := Event{Time: s.deps.Clock.Now(), Reason: p.detail, Other: s.answering(time.Now())}
	switch {
	case p.running():
		ev.Kind = EventServing
		s.log.Info("serving", "iface", s.st.Interface, "detail", p.detail)
		s.table.Each(s.moment(), func(rec *lease.Record, _ time.Duration) {
			if mac := macOf(rec); !mac.IsZero() {
				eff.neighbours = append(eff.neighbours, neighbour{rec.Address, mac})
			}
		})
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
