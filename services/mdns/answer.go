package mdns

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// incoming is a packet as it came.
type incoming struct {
	payload []byte
	from    netip.AddrPort
	to      netip.Addr // in the IP header
}

// receive hears a packet. kind says what it was, or why tells why it was not heard.
func (r *responder) receive(now time.Time, p incoming) (out []outgoing, kind string, why reason) {
	switch own := r.cfg.Address; {
	case p.from == netip.AddrPortFrom(own.Addr(), port):
		return nil, heardOwn, reason{}
	case !own.Contains(p.from.Addr()):
		return nil, "", foreignClient // section 11: only hosts of the wire are heard
	}
	m := new(dns.Msg)
	if err := m.Unpack(p.payload); err != nil || len(m.Question) > maxQuestions {
		return nil, "", unreadable
	}
	switch {
	case m.Opcode != dns.OpcodeQuery || m.Rcode != dns.RcodeSuccess:
		return nil, "", wrongCode // section 18.3 and 18.11
	case m.Response && p.from.Port() != port:
		return nil, "", wrongPort // section 6
	case r.phase == silent:
		return nil, heardOther, reason{}
	case m.Response:
		r.hear(now, p.from, m)
		return nil, heardAnswer, reason{}
	}
	r.known(p.from.Addr(), m.Answer)
	defending := r.contest(now, m)
	if r.phase == probing {
		return nil, heardOther, reason{} // the names are not ours yet
	}
	return r.reply(now, p, m, defending)
}

// reply answers a question.
func (r *responder) reply(now time.Time, p incoming, m *dns.Msg, defending bool) (out []outgoing, kind string, why reason) {
	legacy := p.from.Port() != port
	single := legacy || p.to == r.cfg.Address.Addr()
	var alone, all []*record
	for _, q := range m.Question {
		for _, rec := range r.match(q) {
			switch {
			case knownTo(rec, m.Answer):
			case single, q.Qclass&flush != 0 && now.Sub(rec.sent) < time.Duration(rec.rr.Header().Ttl)*time.Second/4:
				alone = append(alone, rec)
			default:
				all = append(all, rec)
			}
		}
	}
	if len(alone)+len(all) == 0 {
		return nil, heardOther, reason{}
	}
	if len(alone) > 0 {
		if !r.mayAnswer(now) {
			return nil, "", tooMany
		}
		out = append(out, outgoing{r.single(m, alone, legacy), p.from})
	}
	return append(out, r.toAll(now, p, m, all, defending)...), heardQuestion, reason{}
}

// match returns the records that answer a question; where a name of ours has none of that type, the one that says so.
func (r *responder) match(q dns.Question) (records []*record) {
	if class := q.Qclass &^ flush; class != dns.ClassINET && class != dns.ClassANY {
		return nil
	}
	var negative *record
	for _, rec := range r.records {
		h := rec.rr.Header()
		switch {
		case !sameName(h.Name, q.Name):
		case rec.negative:
			negative = rec
		case q.Qtype == h.Rrtype || q.Qtype == dns.TypeANY:
			records = append(records, rec)
		}
	}
	if len(records) == 0 && negative != nil {
		return []*record{negative}
	}
	return records
}

// knownTo reports whether who asks has a record already, for at least half of its time (section 7.1).
func knownTo(rec *record, answers []dns.RR) bool {
	return slices.ContainsFunc(answers, func(rr dns.RR) bool {
		return rr.Header().Ttl >= rec.rr.Header().Ttl/2 && same(rr, rec.rr)
	})
}

// known takes what a host says it has out of an answer that waits for it (section 7.2).
func (r *responder) known(from netip.Addr, answers []dns.RR) {
	for _, p := range r.waiting {
		if p.from == from && len(answers) > 0 {
			p.records = slices.DeleteFunc(p.records, func(rec *record) bool { return knownTo(rec, answers) })
		}
	}
}

// single makes the answer to one host. One that knows DNS only gets it as DNS gives it (section 6.7), without records where
// there are none.
func (r *responder) single(m *dns.Msg, records []*record, legacy bool) *dns.Msg {
	a := answer()
	for _, rec := range records {
		rr := rec.wire()
		if rec.negative && legacy || slices.ContainsFunc(a.Answer, func(have dns.RR) bool { return same(have, rr) }) {
			continue
		}
		a.Answer = append(a.Answer, rr)
	}
	a.Extra = r.additional(a.Answer, m.Answer)
	if !legacy {
		return a
	}
	a.Extra = slices.DeleteFunc(a.Extra, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeNSEC })
	a.Id, a.Question, a.RecursionDesired = m.Id, m.Question, m.RecursionDesired
	for _, rr := range slices.Concat(a.Answer, a.Extra) {
		rr.Header().Class &^= flush
		rr.Header().Ttl = min(rr.Header().Ttl, legacyTTL)
	}
	return a
}

// additional are the records that who asked would ask for next (RFC 6763 section 12), without those it has.
func (r *responder) additional(answers, known []dns.RR) (out []dns.RR) {
	add := func(name string, types ...uint16) {
		for _, rec := range r.records {
			h := rec.rr.Header()
			has := func(rr dns.RR) bool { return same(rr, rec.rr) }
			if sameName(h.Name, name) && slices.Contains(types, h.Rrtype) && !slices.ContainsFunc(answers, has) &&
				!slices.ContainsFunc(out, has) && !knownTo(rec, known) {
				out = append(out, rec.wire())
			}
		}
	}
	for _, rr := range answers {
		if ptr, ok := rr.(*dns.PTR); ok {
			add(ptr.Ptr, dns.TypeSRV, dns.TypeTXT)
		}
	}
	for _, rr := range slices.Concat(answers, out) {
		switch rr := rr.(type) {
		case *dns.SRV:
			add(rr.Target, dns.TypeA, dns.TypeNSEC)
		case *dns.A:
			add(rr.Hdr.Name, dns.TypeNSEC)
		}
	}
	return out
}

// toAll answers all hosts: at once when nobody else could give the answer, else after a moment that is different for each,
// and later still when who asks has not yet said all that it knows.
func (r *responder) toAll(now time.Time, p incoming, m *dns.Msg, records []*record, defending bool) []outgoing {
	once := oncePer
	if defending {
		once = oncePerDefence
	}
	shared := false
	due := records[:0:0]
	for _, rec := range records {
		if !slices.Contains(due, rec) && now.Sub(rec.sent) >= once {
			due = append(due, rec)
			shared = shared || !rec.unique
		}
	}
	switch {
	case len(due) == 0:
		return nil
	case !m.Truncated && (!shared || defending):
		return []outgoing{{r.tell(now, due), group}}
	case len(r.waiting) >= maxPending:
		return nil // it asks again
	}
	w := &pending{due: now.Add(sharedFrom + r.random(sharedRange)), records: due}
	if m.Truncated {
		w.due, w.from = now.Add(truncatedFrom+r.random(truncatedRange)), p.from.Addr()
	}
	r.waiting = append(r.waiting, w)
	return nil
}

// mayAnswer counts the answers to single hosts.
func (r *responder) mayAnswer(now time.Time) bool {
	if now.Sub(r.second) >= time.Second || now.Before(r.second) {
		r.second, r.answers = now, 0
	}
	r.answers++
	return r.answers <= maxUnicast
}
