package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// ServerCheck is what asking a telephone system showed, without any account.
type ServerCheck struct {
	Kind   VerdictKind      // VerdictAnswers, VerdictSilent, VerdictNotFound, VerdictNotConfigured or VerdictFailed
	Text   string           // a sentence for people
	NAT    string           // a sentence where it sees another address than the box sent from; "" = none seen
	Asked  []netip.AddrPort // that were sent a request, in this order; the last one answered, or none did
	Code   int              // of the answer; 0 = none
	Server string           // what it calls itself; "" = it does not say
	Took   time.Duration
}

// VerdictAnswers says that a telephone system is there. Whether it takes a line only [Client.CheckLine] shows.
const VerdictAnswers VerdictKind = "answers"

// OK reports whether it answered.
func (v ServerCheck) OK() bool { return v.Kind == VerdictAnswers }

// CheckServer asks a proxy with OPTIONS, looked up as a phone does (port 0 = 5060), and says what came of it within 4.5 s. Any
// answer counts: many refuse OPTIONS of somebody whom they do not know, and are there all the same.
func (c *Client) CheckServer(ctx context.Context, host string, port uint16) (v ServerCheck) {
	defer func() {
		if p := recover(); p != nil {
			c.panics.Panicked(p, debug.Stack(), nil)
			v = ServerCheck{Kind: VerdictFailed, Text: "It could not be asked because of a fault in this program."}
		}
	}()
	// A line with a name, so that the checks of a line hold here as well.
	a := Account{Name: box, Proxy: host, Port: port}.normal()
	if a.Proxy == "" {
		return ServerCheck{Kind: VerdictNotConfigured, Text: "No telephone system is entered yet."}
	}
	if bad, ok := incomplete(a); !ok {
		return ServerCheck{Kind: bad.Kind, Text: fmt.Sprintf("%q cannot be asked: allowed is an IPv4 address such as 10.77.0.10, or a name.", clip(host))}
	}
	cfg, conn := c.settings()
	if conn == nil {
		return ServerCheck{Kind: VerdictFailed, Text: "It could not be asked, because SIP does not run on this box at the moment."}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime-takeBack)
	defer cancel()
	to, err := servers(ctx, c.deps.Resolver, a)
	if err != nil {
		bad := a.notFound(err)
		return ServerCheck{Kind: bad.Kind, Text: strings.Replace(bad.Text, " of the proxy", "", 1)}
	}
	k := &lineCheck{client: c, conn: conn, patience: cfg.Timeout, account: a}
	began := time.Now()
	v = k.options(ctx, to)
	v.Took, v.Asked, v.NAT, v.Server = time.Since(began), k.verdict.Asked, k.verdict.NAT, k.verdict.Server
	if v.OK() {
		v.Text = fmt.Sprintf("%s answers.", k.placeText())
		if v.Server != "" {
			v.Text = fmt.Sprintf("%s answers and calls itself %s.", k.placeText(), v.Server)
		}
	}
	return v
}

// options asks one server after the other until one answers.
func (k *lineCheck) options(ctx context.Context, to []netip.AddrPort) ServerCheck {
	for i, server := range to {
		k.peer = server
		k.verdict.Asked = append(k.verdict.Asked, server)
		deadline, _ := ctx.Deadline()
		patience := min(k.patience, time.Until(deadline)/time.Duration(len(to)-i))
		if patience <= 0 {
			break
		}
		a, err := k.client.transact(ctx, k.conn, patience, outgoing{
			method: sip.OPTIONS, to: server,
			write: func(from netip.AddrPort, branch string) *sip.Request { return k.optionsRequest(from, branch) },
		})
		switch {
		case err == nil: // a provisional one as well: it is there
			k.client.metrics.exchanges.WithLabelValues(string(sip.OPTIONS), "answered").Inc()
			k.saw(a.response)
			if k.verdict.Server == "" {
				k.verdict.Server = a.userAgent
			}
			return ServerCheck{Kind: VerdictAnswers, Code: a.code}
		case errors.Is(err, ErrSilent), errors.Is(err, context.DeadlineExceeded):
			k.client.metrics.exchanges.WithLabelValues(string(sip.OPTIONS), "silent").Inc()
		case errors.Is(err, context.Canceled):
			return ServerCheck{Kind: VerdictFailed, Text: "The check was stopped."}
		default:
			return ServerCheck{Kind: VerdictFailed, Text: fmt.Sprintf("%s could not be asked: %v.", k.placeText(), err)}
		}
	}
	return ServerCheck{
		Kind: VerdictSilent,
		Text: fmt.Sprintf("%s does not answer: it is off, the address or the port is wrong, or a firewall is in the way.", k.placeText()),
	}
}

// placeText names the servers that were asked: by name, with their addresses.
func (k *lineCheck) placeText() string {
	var asked []string
	for _, a := range k.verdict.Asked {
		asked = append(asked, fmt.Sprintf("%s port %d", a.Addr(), a.Port()))
	}
	places := strings.Join(asked, " and ")
	if _, err := netip.ParseAddr(k.account.Proxy); err == nil {
		return places
	}
	return fmt.Sprintf("%s (%s)", clip(k.account.Proxy), places)
}

// optionsRequest writes OPTIONS to the proxy's domain, whatever server it goes to.
func (k *lineCheck) optionsRequest(from netip.AddrPort, branch string) *sip.Request {
	req := request(sip.OPTIONS, from, Target{Address: k.peer}, branch)
	domain := sip.Uri{Scheme: "sip", Host: k.account.Proxy}
	if k.account.Port != defaultPort {
		domain.Port = int(k.account.Port)
	}
	req.Recipient = domain
	if to := req.To(); to != nil {
		to.Address = domain
	}
	if via := req.Via(); via != nil {
		via.Params = append(via.Params, sip.HeaderKV{K: "rport"}) // the port that it sees (RFC 3581)
	}
	return req
}
