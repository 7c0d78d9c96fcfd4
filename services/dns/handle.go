package dns

import (
	"context"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"phonebox/services/internal/udp"
)

const (
	headerSize = 12
	// answerSize is the largest answer over UDP: it fits into a frame on any path (RFC 9715), so nothing is fragmented.
	answerSize = 1232
)

// handle answers one datagram: from memory or from the zone at once, else on a goroutine that asks upstream. Their number
// is bounded.
func (s *Server) handle(ctx context.Context, conn *udp.Conn, waiting *sync.WaitGroup, p *udp.Packet, replies []udp.Reply) []udp.Reply {
	began := time.Now()
	s.planted()
	st := s.state.Load()
	switch {
	case !st.serves(p.From.Addr()):
		s.drop(p.From, foreignClient)
		return replies
	case p.Truncated:
		s.drop(p.From, tooLong)
		return replies
	}
	reply := udp.Reply{To: p.From, From: p.To, Index: replyIndex(p)}
	if reply.Payload = s.fromMemory(st, p, began); reply.Payload != nil {
		return append(replies, reply)
	}
	q, drop := readQuestion(p.Payload)
	if q == nil {
		s.drop(p.From, drop)
		return replies
	}
	if resp, local := s.answerHere(st, q); resp != nil {
		if plain, ok := parseQuestion(p.Payload); ok && local {
			st.keepOwn(&plain)
		}
		s.tellMessage(p.From, q, resp, told{local: local, began: began})
		return s.appendReply(replies, reply, func() ([]byte, error) { return packAnswer(q, resp) })
	}
	asked, ok := questionOf(q)
	if !ok {
		return s.appendReply(replies, reply, func() ([]byte, error) { return failure(q, dns.RcodeFormatError).Pack() })
	}
	out, wait := s.recall(st, p.From.Addr(), &asked)
	if wait == nil {
		s.tellOutcome(p.From, out, began)
		return s.appendReply(replies, reply, func() ([]byte, error) { return out.write(&asked, asked.size) })
	}
	waiting.Go(func() {
		defer s.recover(q, reply.To)
		out := s.await(ctx, wait)
		s.tellOutcome(reply.To, out, began)
		for _, r := range s.appendReply(nil, reply, func() ([]byte, error) { return out.write(&asked, asked.size) }) {
			if conn.Send(r) != nil {
				s.drop(r.To, unwritable)
			}
		}
	})
	return replies
}

// appendReply adds the reply with what pack makes.
func (s *Server) appendReply(replies []udp.Reply, r udp.Reply, pack func() ([]byte, error)) []udp.Reply {
	payload, err := pack()
	if err != nil {
		s.log.Debug("answer not written", "to", r.To, "err", err)
		s.drop(r.To, unwritable)
		return replies
	}
	r.Payload = payload
	return append(replies, r)
}

// fromMemory answers a plain question for a name of the settings, or of the world, that was answered before; nil = it has
// to be looked at.
func (s *Server) fromMemory(st *state, p *udp.Packet, began time.Time) []byte {
	q, ok := parseQuestion(p.Payload)
	// A name of one label may be a phone's at any moment. What else the zone answers changes with the settings only, and
	// with them the epoch.
	if !ok || !q.rd || q.labels < 2 {
		return nil
	}
	var buf [keySize]byte
	key := q.appendKey(buf[:0])
	out := outcome{answer: st.recallOwn(&q, key), source: "zone"}
	if out.answer == nil {
		known := s.cache.recall(key, s.uptime(), st.epoch)
		if !known.fresh || known.failed {
			return nil
		}
		s.metrics.recalled(known)
		out = outcome{answer: known.answer, age: known.age, source: "cache"}
	}
	payload, err := out.write(&q, q.size)
	if err != nil {
		return nil
	}
	s.tellOutcome(p.From, out, began)
	return payload
}

// write makes what the client gets.
func (o outcome) write(q *question, limit int) ([]byte, error) {
	return o.answer.write(q, o.age, o.stale, limit)
}

// replyIndex is the interface of the answer: that of the question, unless the kernel did not tell.
func replyIndex(p *udp.Packet) int {
	if p.From.Addr() == p.To {
		return 0 // the box asks itself; whatever way the kernel takes is right
	}
	return p.Index
}

// recover ends a panic of a question that waits for upstream.
func (s *Server) recover(q *dns.Msg, from netip.AddrPort) {
	if v := recover(); v != nil {
		packet, _ := q.Pack()
		s.panics.Panicked(v, debug.Stack(), packet)
		s.reportDrop(from, panicked)
	}
}

// serves reports whether a client is of a served subnet or the box itself. The latter may come as 127.0.0.1, which the
// kernel takes from no wire.
func (st *state) serves(client netip.Addr) bool {
	return st.zone.subnet.Contains(client) || client == netip.AddrFrom4([4]byte{127, 0, 0, 1}) ||
		slices.ContainsFunc(st.zone.behind, func(p netip.Prefix) bool { return p.Contains(client) })
}

// readQuestion unpacks a packet. What has a header but cannot be read further is returned as a message without a
// question, which is answered with FORMERR.
func readQuestion(packet []byte) (*dns.Msg, reason) {
	if len(packet) < headerSize {
		return nil, tooShort
	}
	q := new(dns.Msg)
	if err := q.Unpack(packet); err != nil {
		id, bits := uint16(packet[0])<<8|uint16(packet[1]), packet[2]
		q = &dns.Msg{MsgHdr: dns.MsgHdr{Id: id, Response: bits&0x80 != 0, Opcode: int(bits>>3) & 0xf, RecursionDesired: bits&1 != 0}}
	}
	if q.Response {
		return nil, notQuestion
	}
	return q, reason{}
}

// answerHere answers what needs no other server: the zone, and what is refused. nil means that upstream is to be asked.
func (s *Server) answerHere(st *state, q *dns.Msg) (resp *dns.Msg, local bool) {
	if opt := q.IsEdns0(); opt != nil && opt.Version() != 0 {
		return failure(q, dns.RcodeBadVers), false
	}
	switch {
	case q.Opcode != dns.OpcodeQuery:
		return failure(q, dns.RcodeNotImplemented), false
	case len(q.Question) != 1:
		return failure(q, dns.RcodeFormatError), false
	}
	question := q.Question[0]
	if question.Qclass != dns.ClassINET || !askable(question.Qtype) {
		return failure(q, dns.RcodeRefused), false
	}
	if f, ok := st.zone.lookUp(question); ok {
		resp := f.message(q)
		resp.RecursionAvailable = len(st.upstream) > 0
		return resp, true
	}
	if len(st.upstream) == 0 || !q.RecursionDesired {
		return failure(q, dns.RcodeRefused), false
	}
	return st.keepHere(q), false
}

// askable says whether a type is one of records. Transfers and the meta types are not (RFC 6895 section 3.1), but ANY.
func askable(typ uint16) bool {
	return typ == dns.TypeANY || typ != 0 && typ != dns.TypeOPT && (typ < 128 || typ > 255)
}

// message writes what the zone says.
func (f found) message(q *dns.Msg) *dns.Msg {
	resp := new(dns.Msg)
	resp.SetReply(q)
	resp.Authoritative = !f.foreign
	resp.Answer, resp.Extra = f.records, f.extra
	if len(f.records) == 0 {
		if f.soa != nil {
			resp.Ns = []dns.RR{f.soa}
		}
		if !f.exists {
			resp.Rcode = dns.RcodeNameError
		}
	}
	withEDNS(resp, q)
	return resp
}

// failure writes an answer without records. The header of a question that could not be read is answered too.
func failure(q *dns.Msg, rcode int) *dns.Msg {
	resp := new(dns.Msg)
	resp.SetReply(q)
	resp.Rcode = rcode
	if q.Opcode != dns.OpcodeQuery {
		resp.RecursionDesired = q.RecursionDesired
	}
	withEDNS(resp, q)
	return resp
}

// withEDNS answers EDNS0 with EDNS0 (RFC 6891 section 7).
func withEDNS(resp, q *dns.Msg) {
	if opt := q.IsEdns0(); opt != nil {
		resp.SetEdns0(answerSize, opt.Do())
	}
}

// packAnswer packs an answer of the box for UDP: what is more than the client takes is cut, which TC says.
func packAnswer(q, resp *dns.Msg) ([]byte, error) {
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = min(max(int(opt.UDPSize()), dns.MinMsgSize), answerSize)
	}
	resp.Compress = true
	resp.Truncate(size)
	return resp.Pack()
}

// told is what an event says of an answer besides the answer itself.
type told struct {
	local bool
	began time.Time
}

// tellMessage counts and reports an answer of the box.
func (s *Server) tellMessage(from netip.AddrPort, q, resp *dns.Msg, t told) {
	source := "box"
	if t.local {
		source = "zone"
	}
	e := Event{Kind: EventAnswered, From: from, Result: resultOf(resp), Local: t.local}
	if len(q.Question) == 1 {
		e.Name = strings.TrimSuffix(strings.ToLower(q.Question[0].Name), ".")
		e.Type = dns.Type(q.Question[0].Qtype).String()
	}
	s.tell(e, source, t.began)
}

// tellOutcome counts and reports an answer of the world.
func (s *Server) tellOutcome(from netip.AddrPort, out outcome, began time.Time) {
	a := out.answer
	s.tell(Event{Kind: EventAnswered, From: from, Name: a.name, Type: a.qtype, Result: a.result, Local: a.local, Stale: out.stale, Reason: out.why}, out.source, began)
}

func (s *Server) tell(e Event, source string, began time.Time) {
	s.metrics.questions.WithLabelValues(e.Result, source).Inc()
	e.Time = time.Now()
	e.Took = e.Time.Sub(began)
	s.report(e)
}

// resultOf names an answer; NODATA is a name that exists without records of that type (RFC 2308 section 2.2).
func resultOf(resp *dns.Msg) string {
	switch {
	case resp.Rcode == dns.RcodeSuccess && len(resp.Answer) == 0 && !resp.Truncated:
		return "NODATA"
	case resp.Rcode == dns.RcodeBadVers:
		return "BADVERS"
	}
	return dns.RcodeToString[resp.Rcode]
}
