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

// handle answers one datagram: from the zone at once, else on a goroutine that asks upstream. Their number is bounded.
func (s *Server) handle(ctx context.Context, conn *udp.Conn, waiting *sync.WaitGroup, p *udp.Packet, replies []udp.Reply) []udp.Reply {
	began := time.Now()
	s.planted()
	st := s.state.Load()
	q, drop := s.read(st, p)
	if q == nil {
		s.drop(p.From, drop)
		return replies
	}
	reply := func(resp *dns.Msg) (udp.Reply, bool) {
		payload, ok := packAnswer(q, resp)
		return udp.Reply{Payload: payload, To: p.From, From: p.To, Index: replyIndex(p)}, ok
	}
	resp, local := s.answerHere(st, q)
	why := ""
	if resp == nil && !s.flights.begin(p.From.Addr()) {
		resp, why = failure(q, dns.RcodeServerFailure), tooManyWait
	}
	if resp != nil {
		s.tell(p.From, q, resp, told{local: local, why: why, began: began})
		if r, ok := reply(resp); ok {
			return append(replies, r)
		}
		s.drop(p.From, unwritable)
		return replies
	}
	from := p.From
	waiting.Go(func() {
		defer s.flights.end(from.Addr())
		defer s.recover(q, from)
		resp, why := s.forward(ctx, st, q)
		s.tell(from, q, resp, told{why: why, began: began})
		if r, ok := reply(resp); !ok || conn.Send(r) != nil {
			s.drop(from, unwritable)
		}
	})
	return replies
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

// read unpacks a question; nil means that the packet gets no answer, for the reason given.
func (s *Server) read(st *state, p *udp.Packet) (*dns.Msg, reason) {
	switch {
	case !st.serves(p.From.Addr()):
		return nil, foreignClient
	case p.Truncated:
		return nil, tooLong
	}
	return readQuestion(p.Payload)
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
	return nil, false
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

// packAnswer packs an answer for UDP: what is more than the client takes is cut, which TC says.
func packAnswer(q, resp *dns.Msg) ([]byte, bool) {
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = min(max(int(opt.UDPSize()), dns.MinMsgSize), answerSize)
	}
	resp.Compress = true
	resp.Truncate(size)
	payload, err := resp.Pack()
	if err == nil && !resp.Authoritative {
		// An upstream may send a record without data, which is written again as one that nobody can read.
		err = new(dns.Msg).Unpack(payload)
	}
	if err != nil {
		// An upstream's record that cannot be packed again; the client hears that it failed.
		payload, err = failure(q, dns.RcodeServerFailure).Pack()
	}
	return payload, err == nil
}

// told is what an event says of an answer besides the answer itself.
type told struct {
	local bool
	why   string // why it failed
	began time.Time
}

// tell counts and reports an answer.
func (s *Server) tell(from netip.AddrPort, q, resp *dns.Msg, t told) {
	result := resultOf(resp)
	source := "upstream"
	if t.local {
		source = "zone"
	} else if !resp.RecursionAvailable {
		source = "box"
	}
	s.metrics.questions.WithLabelValues(result, source).Inc()
	e := Event{Kind: EventAnswered, Time: time.Now(), From: from, Result: result, Local: t.local, Took: time.Since(t.began), Reason: t.why}
	if len(q.Question) == 1 {
		e.Name = strings.TrimSuffix(strings.ToLower(q.Question[0].Name), ".")
		e.Type = dns.Type(q.Question[0].Qtype).String()
	}
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
