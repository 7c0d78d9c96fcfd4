package mdns

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// hear looks for somebody who has a name of ours in an answer (RFC 6762 sections 8.1 and 9). While we only look for a name,
// any record of it says that it is taken; one that we have is first looked for again, and so the host that comes second
// gives way.
func (r *responder) hear(now time.Time, from netip.AddrPort, m *dns.Msg) {
	if r.unasked() {
		return
	}
	for _, theirs := range slices.Concat(m.Answer, m.Extra) {
		h := theirs.Header()
		if h.Ttl == 0 || h.Class&^flush != dns.ClassINET || h.Rrtype == dns.TypeNSEC && r.phase != probing {
			continue // it says goodbye to the name, or nothing of it
		}
		for _, rec := range r.records {
			if !rec.probed || !sameName(rec.rr.Header().Name, h.Name) || r.agree(theirs) {
				continue
			}
			switch {
			case r.phase == probing:
				r.giveWay(now, from, rec)
				return
			case rec.rr.Header().Rrtype == h.Rrtype:
				r.begin(now)
				return
			}
		}
	}
}

// unasked reports that we have not yet asked who has the name that we look for next. What is said of it before that counts
// for nothing: whoever has the name says so again when we ask, and who claims all names unasked would have us change ours
// with each packet, and cut short the time that we wait after many conflicts.
func (r *responder) unasked() bool { return r.phase == probing && r.count == 0 }

// agree reports whether a record says what we say, too: another program of the box, or our own packet that came back.
func (r *responder) agree(theirs dns.RR) bool {
	if n, ok := theirs.(*dns.NSEC); ok {
		// Whoever says that the name has an IPv4 address and nothing else says what we say.
		return slices.Equal(n.TypeBitMap, []uint16{dns.TypeA})
	}
	return slices.ContainsFunc(r.records, func(rec *record) bool { return same(rec.rr, theirs) })
}

// giveWay looks for the next name, more slowly when that happens again and again.
func (r *responder) giveWay(now time.Time, from netip.AddrPort, lost *record) {
	r.report(Event{Kind: EventConflict, From: from, Label: r.label()})
	if lost.rr.Header().Rrtype == dns.TypeA {
		r.host = r.host%lastNumber + 1
	} else {
		r.instance = r.instance%lastNumber + 1
	}
	r.rename()
	r.begin(now)
	r.conflicts = append(slices.DeleteFunc(r.conflicts, func(t time.Time) bool { return now.Sub(t) > time.Hour }), now)
	recent := 0
	for _, t := range r.conflicts {
		if now.Sub(t) <= conflictWindow {
			recent++
		}
	}
	switch {
	case len(r.conflicts) >= conflictsAnHour:
		r.due = now.Add(conflictQuiet)
	case recent >= conflictsAtOnce:
		r.due = now.Add(conflictWait)
	}
}

// contest compares our wish for a name with that of another host which looks for it at the same time (section 8.2): the
// later in order has it. It reports whether somebody looks for a name that is ours already.
func (r *responder) contest(now time.Time, m *dns.Msg) (defending bool) {
	if len(m.Ns) == 0 || r.unasked() {
		return false
	}
	for _, name := range r.probedNames() {
		var theirs, ours []dns.RR
		for _, rr := range m.Ns {
			if sameName(rr.Header().Name, name) {
				theirs = append(theirs, rr)
			}
		}
		if len(theirs) == 0 {
			continue
		}
		if r.phase != probing {
			return true
		}
		for _, rec := range r.records {
			if rec.probed && rec.rr.Header().Name == name {
				ours = append(ours, rec.rr)
			}
		}
		if compareSets(ours, theirs) < 0 {
			r.begin(now)
			r.due = now.Add(probeLost)
			return false
		}
	}
	return false
}

func (r *responder) probedNames() (names []string) {
	for _, rec := range r.records {
		if name := rec.rr.Header().Name; rec.probed && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
