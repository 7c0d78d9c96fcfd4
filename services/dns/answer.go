package dns

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// answer is what the world says to a question: packed once, and written to each client with its own id, letters, TTLs and
// OPT record. It is not changed after it was made.
type answer struct {
	msg       []byte   // with the question in lower case, the id 0, and no OPT record
	ttls      []uint16 // where the TTLs stand in msg
	name      string   // lower case, without the final dot
	qtype     string
	result    string // NOERROR, NODATA, NXDOMAIN, ...
	ttl       uint32 // how long it may be kept, in seconds; 0 = only for an outage
	lasting   bool   // it may be kept for an outage
	negative  bool
	authentic bool // the upstream server verified it (AD)
	local     bool // it is the zone's: its TTLs do not count down
}

// newAnswer packs what [cleaner.clean] left of an upstream's answer. The error says what cannot be packed.
func newAnswer(m *dns.Msg) (*answer, error) {
	m.Compress = true
	msg, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("packing the answer: %w", err)
	}
	// An upstream may send a record without data, which is written again as one that nobody can read.
	if err := new(dns.Msg).Unpack(msg); err != nil {
		return nil, fmt.Errorf("reading the answer again: %w", err)
	}
	ttls, ok := ttlOffsets(msg)
	if !ok {
		return nil, fmt.Errorf("packing the answer: found %d bytes without an end", len(msg))
	}
	return &answer{
		msg: msg, ttls: ttls, name: strings.TrimSuffix(m.Question[0].Name, "."), qtype: dns.Type(m.Question[0].Qtype).String(),
		result: resultOf(m), authentic: m.AuthenticatedData,
	}, nil
}

// failed is an answer without records to a question.
func failed(q *question, rcode int) *answer {
	m := &dns.Msg{
		MsgHdr:   dns.MsgHdr{Response: true, RecursionDesired: true, RecursionAvailable: true, Rcode: rcode},
		Question: []dns.Question{{Name: q.name(), Qtype: q.qtype, Qclass: dns.ClassINET}},
	}
	a, err := newAnswer(m)
	if err != nil {
		// The name came off the wire and goes back there.
		panic(fmt.Sprintf("writing that %s failed: %v", q.name(), err))
	}
	a.negative = true
	return a
}

// ttlOffsets finds the TTLs of all records of a packed message (RFC 1035 section 4.1.3).
func ttlOffsets(msg []byte) (at []uint16, ok bool) {
	if len(msg) < headerSize {
		return nil, false
	}
	offset := headerSize
	for range binary.BigEndian.Uint16(msg[4:]) {
		if offset = skipName(msg, offset); offset < 0 {
			return nil, false
		}
		offset += 4
	}
	records := 0
	for i := 6; i < headerSize; i += 2 {
		records += int(binary.BigEndian.Uint16(msg[i:]))
	}
	for range records {
		if offset = skipName(msg, offset); offset < 0 || offset+10 > len(msg) {
			return nil, false
		}
		at = append(at, uint16(offset+4))
		offset += 10 + int(binary.BigEndian.Uint16(msg[offset+8:]))
	}
	return at, offset == len(msg)
}

// skipName returns what follows a name that may be compressed; -1 when it does not end.
func skipName(msg []byte, offset int) int {
	for offset < len(msg) {
		switch n := int(msg[offset]); {
		case n == 0:
			return offset + 1
		case n >= 0xc0:
			return offset + 2
		default:
			offset += 1 + n
		}
	}
	return -1
}

// staleTTL is what the TTL of an answer is that has outlived its own (RFC 8767 section 4), in seconds.
const staleTTL = 30

// write makes the answer to one client, of at most limit bytes. Age is how many seconds ago it was fetched.
func (a *answer) write(q *question, age uint32, stale bool, limit int) ([]byte, error) {
	size := len(a.msg)
	if q.edns {
		size += optSize
	}
	if size > limit {
		return a.cut(q, age, stale, limit)
	}
	out := make([]byte, size)
	copy(out, a.msg)
	copy(out[headerSize:], q.wire)
	binary.BigEndian.PutUint16(out, q.id)
	out[3] &^= bitAD | bitCD
	if !q.rd {
		out[2] &^= 1
	}
	if a.authentic && (q.ad || q.do) { // RFC 6840 section 5.8
		out[3] |= bitAD
	}
	if q.cd {
		out[3] |= bitCD
	}
	for _, at := range a.ttls {
		ttl := binary.BigEndian.Uint32(out[at:])
		switch {
		case stale:
			ttl = min(ttl, staleTTL)
			if ttl == 0 {
				ttl = staleTTL
			}
		case a.local:
		case ttl > age:
			ttl -= age
		default:
			ttl = 0
		}
		binary.BigEndian.PutUint32(out[at:], ttl)
	}
	if q.edns {
		binary.BigEndian.PutUint16(out[10:], binary.BigEndian.Uint16(out[10:])+1)
		putOPT(out[len(a.msg):], q.do)
	}
	return out, nil
}

// putOPT writes an OPT record that says how large a datagram the box takes (RFC 6891 section 6.1.2).
func putOPT(b []byte, do bool) {
	copy(b, make([]byte, optSize))
	binary.BigEndian.PutUint16(b[1:], dns.TypeOPT)
	binary.BigEndian.PutUint16(b[3:], answerSize)
	if do {
		b[7] = 0x80
	}
}

// cut leaves records out until the answer fits, which TC says.
func (a *answer) cut(q *question, age uint32, stale bool, limit int) ([]byte, error) {
	whole, err := a.write(q, age, stale, dns.MaxMsgSize+optSize)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	if err := m.Unpack(whole); err != nil {
		return nil, fmt.Errorf("cutting an answer: %w", err)
	}
	m.Compress = true
	m.Truncate(limit)
	return m.Pack()
}
