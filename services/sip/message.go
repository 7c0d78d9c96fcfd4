package sip

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// branchCookie begins every branch of RFC 3261 (section 8.1.1.7).
const branchCookie = "z9hG4bK"

// box is the user of our own URI.
const box = "phonebox"

// request makes a request to a phone, from our listening address.
func request(method sip.RequestMethod, from netip.AddrPort, to Target, branch string) *sip.Request {
	phone := sip.Uri{User: escapeUser(to.User), Host: to.Address.Addr().String(), Port: int(to.Address.Port())}
	us := sip.Uri{User: box, Host: from.Addr().String(), Port: int(from.Port())}
	req := sip.NewRequest(method, phone)
	callID := sip.CallIDHeader(token() + "@" + us.Host)
	maxForwards := sip.MaxForwardsHeader(70)
	length := sip.ContentLengthHeader(0)
	for _, h := range []sip.Header{
		&sip.ViaHeader{
			ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: us.Host, Port: us.Port,
			Params: sip.HeaderParams{{K: "branch", V: branch}},
		},
		&maxForwards,
		&sip.FromHeader{DisplayName: box, Address: us, Params: sip.HeaderParams{{K: "tag", V: token()}}},
		&sip.ToHeader{Address: phone},
		&callID,
		&sip.CSeqHeader{SeqNo: 1, MethodName: method},
		&sip.ContactHeader{Address: us},
		sip.NewHeader("User-Agent", box),
	} {
		req.AppendHeader(h)
	}
	switch method {
	case sip.NOTIFY:
		req.AppendHeader(sip.NewHeader("Event", "check-sync"))
	case sip.OPTIONS:
		req.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	}
	req.AppendHeader(&length)
	return req
}

// token makes 128 random bits: nobody who doesn't hear a request can answer it.
func token() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// escapeUser writes a line's name as the user of a URI (RFC 3261 section 25.1).
func escapeUser(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.!~*'()&=+$,;?/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// answer is a response to one of our requests.
type answer struct {
	branch    string
	method    sip.RequestMethod
	code      int
	userAgent string
	response  *sip.Response // Via and CSeq are understood, all other headers are as they came
}

var errNotAnswer = errors.New("no answer to a request")

// newReader makes the parser for what comes in. It looks into the headers that tie an answer to its question and takes
// all others as they are: a phone that writes an odd Contact runs all the same.
func newReader() *sip.Parser {
	all := sip.DefaultHeadersParser()
	few := make(map[string]sip.HeaderParser)
	for _, name := range []string{"via", "v", "cseq"} {
		few[name] = all[name]
	}
	return sip.NewParser(sip.WithHeadersParsers(few))
}

// readAnswer understands a response. The error says what it lacks.
func readAnswer(res *sip.Response) (answer, error) {
	if res.StatusCode < 100 || res.StatusCode > 699 {
		return answer{}, fmt.Errorf("%w: code %d", errNotAnswer, res.StatusCode)
	}
	via, cseq := res.Via(), res.CSeq()
	if via == nil || cseq == nil {
		return answer{}, fmt.Errorf("%w: Via or CSeq is missing", errNotAnswer)
	}
	branch, ok := via.Params.Get("branch")
	if !ok || !strings.HasPrefix(branch, branchCookie) {
		return answer{}, fmt.Errorf("%w: the branch is %q", errNotAnswer, branch)
	}
	a := answer{branch: branch, method: cseq.MethodName, code: res.StatusCode, response: res}
	for _, name := range []string{"User-Agent", "Server"} {
		if h := res.GetHeader(name); h != nil && a.userAgent == "" {
			a.userAgent = clip(h.Value())
		}
	}
	return a, nil
}

// clip bounds a text from outside to what a person reads, without control characters.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "")
	}
	return s
}

// keepAlive reports packets that only keep a path open: line ends, zero bytes or nothing at all.
func keepAlive(b []byte) bool { return len(bytes.Trim(b, "\r\n\x00")) == 0 }
