package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// registration is what a REGISTER asks for: the list of what is registered, or the check's own Contact for a time, 0 to
// take it back.
type registration struct {
	list    bool
	expires time.Duration
}

// register sends a REGISTER and answers what challenges it meets. The response may be any final one; a challenge among
// them is one that the password did not satisfy, or that no phone could answer.
func (k *lineCheck) register(ctx context.Context, what registration) (*sip.Response, error) {
	fresh := make(map[string]bool) // the header was answered with a nonce that this request met
	for round := 1; ; round++ {
		a, err := k.send(ctx, what)
		if err != nil {
			return nil, err
		}
		k.saw(a.response)
		from, to := challengeHeaders(a.code)
		if from == "" || round == maxRounds {
			return a.response, nil
		}
		k.verdict.Challenged = true
		ch, err := readChallenges(values(a.response, from))
		if err != nil || fresh[to] && !ch.stale {
			return a.response, nil
		}
		fresh[to] = true
		k.keys[to] = &credentials{challenge: ch, user: k.account.AuthName, password: k.account.Password, cnonce: token()[:16]}
	}
}

// challengeHeaders names the header of an answer that asks for a password and the one that answers it.
func challengeHeaders(code int) (from, to string) {
	switch code {
	case 401:
		return "WWW-Authenticate", "Authorization"
	case 407:
		return "Proxy-Authenticate", "Proxy-Authorization"
	}
	return "", ""
}

// send does one exchange.
func (k *lineCheck) send(ctx context.Context, what registration) (answer, error) {
	patience := k.patience
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline))
	}
	if patience <= 0 {
		return answer{}, ErrSilent
	}
	k.sequence++
	sequence := k.sequence
	a, err := k.client.transact(ctx, k.conn, patience, outgoing{
		method: sip.REGISTER, to: k.peer,
		write: func(from netip.AddrPort, branch string) *sip.Request { return k.request(what, from, branch, sequence) },
	})
	result := "answered"
	switch {
	case err == nil && a.code < 200:
		err, result = ErrSilent, "silent" // it only said that it works on it
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrSilent):
		err, result = ErrSilent, "silent"
	case err != nil:
		result = "failed"
	}
	k.client.metrics.exchanges.WithLabelValues(string(sip.REGISTER), result).Inc()
	return a, err
}

// request writes a REGISTER of the line (RFC 3261 section 10.2). Its Request-URI is the proxy's domain, whatever server
// it goes to.
func (k *lineCheck) request(what registration, from netip.AddrPort, branch string, sequence uint32) *sip.Request {
	domain := sip.Uri{Scheme: "sip", Host: k.account.Proxy}
	if k.account.Port != defaultPort {
		domain.Port = int(k.account.Port)
	}
	line := domain
	line.User = escapeUser(k.account.Name)
	req := sip.NewRequest(sip.REGISTER, domain)
	callID := sip.CallIDHeader(k.callID)
	maxForwards := sip.MaxForwardsHeader(70)
	length := sip.ContentLengthHeader(0)
	for _, h := range []sip.Header{
		&sip.ViaHeader{
			ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: from.Addr().String(), Port: int(from.Port()),
			// rport asks for the port that the proxy sees (RFC 3581).
			Params: sip.HeaderParams{{K: "branch", V: branch}, {K: "rport"}},
		},
		&maxForwards,
		&sip.FromHeader{Address: line, Params: sip.HeaderParams{{K: "tag", V: k.tag}}},
		&sip.ToHeader{Address: line},
		&callID,
		&sip.CSeqHeader{SeqNo: sequence, MethodName: sip.REGISTER},
		sip.NewHeader("User-Agent", box),
	} {
		req.AppendHeader(h)
	}
	if !what.list {
		text := strconv.Itoa(int(what.expires / time.Second))
		req.AppendHeader(sip.NewHeader("Contact", fmt.Sprintf("<sip:%s@%s>;expires=%s", k.user, from, text)))
		req.AppendHeader(sip.NewHeader("Expires", text))
	}
	for header, key := range k.keys {
		req.AppendHeader(sip.NewHeader(header, key.answer(string(sip.REGISTER), domain.String())))
	}
	req.AppendHeader(&length)
	return req
}

// saw notes what every answer tells beside its code.
func (k *lineCheck) saw(res *sip.Response) {
	if h := res.GetHeader("server"); h != nil {
		k.verdict.Server = clip(h.Value())
	}
	k.lookForNAT(res)
}

// lookForNAT compares what the proxy saw with what was sent: received and rport in Via (RFC 3261 section 18.2.1,
// RFC 3581), and the check's own Contact where the proxy rewrote it.
func (k *lineCheck) lookForNAT(res *sip.Response) {
	ours := k.conn.LocalAddr()
	if via := res.Via(); via != nil {
		seen := ours
		if text, ok := via.Params.Get("received"); ok {
			if addr, err := netip.ParseAddr(text); err == nil {
				seen = netip.AddrPortFrom(addr.Unmap(), seen.Port())
			}
		}
		if text, ok := via.Params.Get("rport"); ok {
			if port, err := strconv.ParseUint(text, 10, 16); err == nil && port != 0 {
				seen = netip.AddrPortFrom(seen.Addr(), uint16(port))
			}
		}
		if seen != ours {
			k.verdict.NAT = natText(seen.String(), ours)
			return
		}
	}
	for _, b := range bindings(res) {
		if userOf(b.uri) != k.user || k.verdict.NAT != "" {
			continue
		}
		if host := hostOf(b.uri); host != ours.String() && host != ours.Addr().String() {
			k.verdict.NAT = natText(clip(host), ours)
		}
	}
}
