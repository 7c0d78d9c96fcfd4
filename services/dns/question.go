package dns

import (
	"encoding/binary"
	"strings"

	"github.com/miekg/dns"
)

// question is what a client asked, as far as the answer depends on it.
type question struct {
	id         uint16
	rd, ad, cd bool
	edns, do   bool
	size       int    // the largest answer that the client takes over UDP, in bytes
	wire       []byte // the name as it was asked, as on the wire; it belongs to the packet
	labels     int    // of the name, without the root
	qtype      uint16
}

const (
	optSize   = 11        // an OPT record without options
	maxName   = 255       // bytes of a name on the wire (RFC 1035 section 2.3.4)
	headBits  = 0xfe      // of the third byte: QR, OPCODE, AA and TC are zero in a plain question
	headBits2 = 0x80 | 15 // of the fourth: so are RA and RCODE
	bitZ      = 0x40
	bitAD     = 0x20
	bitCD     = 0x10
)

// parseQuestion reads the questions that nearly all clients ask: one name of class IN, with at most an OPT record that
// has no options. false means that miekg/dns has to look, not that anything is wrong.
func parseQuestion(p []byte) (q question, ok bool) {
	if len(p) < headerSize || p[2]&headBits != 0 || p[3]&(headBits2|bitZ) != 0 {
		return q, false
	}
	counts := [4]uint16{}
	for i := range counts {
		counts[i] = binary.BigEndian.Uint16(p[4+2*i:])
	}
	if counts[0] != 1 || counts[1] != 0 || counts[2] != 0 || counts[3] > 1 {
		return q, false
	}
	q.id, q.rd, q.ad, q.cd = binary.BigEndian.Uint16(p), p[2]&1 != 0, p[3]&bitAD != 0, p[3]&bitCD != 0
	length, labels := nameLength(p[headerSize:])
	rest := p[headerSize+length:]
	if length == 0 || len(rest) < 4 || binary.BigEndian.Uint16(rest[2:]) != dns.ClassINET {
		return q, false
	}
	q.wire, q.labels, q.qtype, q.size = p[headerSize:headerSize+length], labels, binary.BigEndian.Uint16(rest), dns.MinMsgSize
	if rest = rest[4:]; counts[3] == 0 {
		return q, len(rest) == 0
	}
	return q, q.parseOPT(rest)
}

// parseOPT reads an OPT record of EDNS version 0 without options, which has to be all of rest (RFC 6891 section 6.1).
func (q *question) parseOPT(rest []byte) bool {
	if len(rest) != optSize || rest[0] != 0 || binary.BigEndian.Uint16(rest[1:]) != dns.TypeOPT {
		return false
	}
	// The extended RCODE and the version are zero, and so are all flags but DO, and the length of the options.
	if rest[5] != 0 || rest[6] != 0 || rest[7]&0x7f != 0 || rest[8] != 0 || rest[9] != 0 || rest[10] != 0 {
		return false
	}
	q.edns, q.do = true, rest[7]&0x80 != 0
	q.size = min(max(int(binary.BigEndian.Uint16(rest[3:])), dns.MinMsgSize), answerSize)
	return true
}

// nameLength returns the length of an uncompressed name on the wire and its labels; 0 when there is none.
func nameLength(p []byte) (length, labels int) {
	for length < len(p) && length < maxName {
		n := int(p[length])
		length += 1 + n
		switch {
		case n == 0:
			return length, labels
		case n > 63:
			return 0, 0
		}
		labels++
	}
	return 0, 0
}

// questionOf is parseQuestion for what miekg/dns has read. false means that the name cannot be written to the wire.
func questionOf(m *dns.Msg) (q question, ok bool) {
	wire := make([]byte, maxName+1)
	n, err := dns.PackDomainName(m.Question[0].Name, wire, 0, nil, false)
	if err != nil || n > maxName {
		return q, false
	}
	q = question{
		id: m.Id, rd: m.RecursionDesired, ad: m.AuthenticatedData, cd: m.CheckingDisabled, size: dns.MinMsgSize,
		wire: wire[:n], labels: dns.CountLabel(m.Question[0].Name), qtype: m.Question[0].Qtype,
	}
	if opt := m.IsEdns0(); opt != nil {
		q.edns, q.do = true, opt.Do()
		q.size = min(max(int(opt.UDPSize()), dns.MinMsgSize), answerSize)
	}
	return q, true
}

// keySize is the most that a key takes.
const keySize = maxName + 3

// appendKey writes what equal questions have in common: the name in lower case, the type, and whether signatures (DO) and
// answers that an upstream could not verify (CD) are wanted.
func (q *question) appendKey(b []byte) []byte {
	for _, c := range q.wire {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	flags := byte(0)
	if q.do {
		flags |= 1
	}
	if q.cd {
		flags |= 2
	}
	return append(b, byte(q.qtype>>8), byte(q.qtype), flags)
}

// name writes the name in lower case as people do, with the final dot.
func (q *question) name() string {
	name, _, err := dns.UnpackDomainName(q.wire, 0)
	if err != nil {
		return "."
	}
	return strings.ToLower(name)
}
