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

	"phonebox/services/internal/udp"
)

const (
	// checkTime bounds a whole check, of which takeBack is kept for taking the registration back.
	checkTime = 6 * time.Second
	takeBack  = 1500 * time.Millisecond
	// checkExpires is how long the registration of a check would last if it could not be taken back.
	checkExpires = time.Minute
	// maxCheckExpires is what a proxy may ask for instead (423, Min-Expires): what a phone asks for by itself
	// (timer_register_expires).
	maxCheckExpires = time.Hour
	// maxRounds bounds how often a request is sent anew because of a challenge: a proxy and a registrar behind it may each
	// ask once, and each nonce may be too old once.
	maxRounds = 4
)

// userPrefix begins the user of the check's own Contact.
const userPrefix = "phonebox-check-"

// CheckLine registers a line at its proxy as a phone would and says what came of it, within 6 s.
//
// It touches no registration of a phone. First it asks for the line's registrations alone (REGISTER without Contact,
// RFC 3261 section 10.2.3): that tries the password and changes nothing. Where a phone is registered it ends there, for
// many registrars keep one registration for each line, and one of the box would push the phone's out. Else it registers a
// Contact of its own for a minute (the box's address, a user that nobody has) and takes exactly that one back.
func (c *Client) CheckLine(ctx context.Context, a Account) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			c.panics.Panicked(p, debug.Stack(), nil)
			v = Verdict{Kind: VerdictFailed, Others: -1, Text: "The line could not be checked because of a fault in this program."}
		}
	}()
	a = a.normal()
	if v, ok := incomplete(a); !ok {
		return v
	}
	cfg, conn := c.settings()
	if conn == nil {
		return a.failed(errNotServing)
	}
	whole, cancel := context.WithTimeout(ctx, checkTime-takeBack)
	defer cancel()
	to, err := servers(whole, c.deps.Resolver, a)
	if err != nil {
		return a.notFound(err)
	}
	k := &lineCheck{
		client: c, conn: conn, patience: cfg.Timeout, account: a,
		user: userPrefix + token()[:12], tag: token()[:16], callID: token() + "@" + conn.LocalAddr().Addr().String(),
	}
	k.verdict.Others = -1
	return k.run(whole, to)
}

// incomplete says what a line lacks to be registered at all.
func incomplete(a Account) (v Verdict, ok bool) {
	v = Verdict{Kind: VerdictNotConfigured, Others: -1}
	address, err := netip.ParseAddr(nameOf(a))
	switch {
	case a.Name == "":
		v.Text = "The line has no name: give it one (line1_name is the number that the proxy knows it by)."
	case a.Proxy == "":
		v.Text = fmt.Sprintf("Line %s has no proxy to register at: set sip.proxy, or proxy1_address for this phone.", clip(a.Name))
	case strings.EqualFold(a.Proxy, "USECALLMANAGER"):
		v.Kind = VerdictNotRegistrable
		v.Text = fmt.Sprintf("Line %s takes its proxy from a CallManager (USECALLMANAGER); the box cannot try that.", clip(a.Name))
	case err == nil && !address.Unmap().Is4():
		v.Text = fmt.Sprintf("Line %s has the proxy %s; these phones can only use IPv4.", clip(a.Name), address)
	case strings.ContainsFunc(a.Proxy+a.Outbound, notOfHost):
		v.Text = fmt.Sprintf("Line %s has the proxy %q; allowed is an address such as 10.77.0.10, or a name.", clip(a.Name), clip(nameOf(a)))
	case strings.ContainsFunc(a.AuthName+a.Password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		v.Text = fmt.Sprintf("The authname or the password of line %s has a character that no phone can send, such as a line end.", clip(a.Name))
	default:
		return Verdict{}, true
	}
	return v, false
}

// notOfHost reports a character that is in no address, name or port.
func notOfHost(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:", r))
}

// lineCheck is one check under way.
type lineCheck struct {
	client   *Client
	conn     *udp.Conn
	patience time.Duration // for each answer
	account  Account
	peer     netip.AddrPort // the server that is asked

	user, tag, callID string
	sequence          uint32
	keys              map[string]*credentials // by the header that carries them
	verdict           Verdict
}

// run asks one server after the other until one answers, and goes through the check there.
func (k *lineCheck) run(ctx context.Context, to []netip.AddrPort) Verdict {
	for i, server := range to {
		k.peer, k.keys = server, make(map[string]*credentials)
		k.verdict.Asked = append(k.verdict.Asked, server)
		// A silent server must leave time for those after it.
		deadline, _ := ctx.Deadline()
		share, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(to)-i))
		res, err := k.register(share, registration{list: true})
		cancel()
		if errors.Is(err, ErrSilent) && ctx.Err() == nil {
			continue
		}
		return k.proceed(ctx, res, err)
	}
	return k.decide(nil, ErrSilent)
}

// proceed goes on after the question for the line's registrations.
func (k *lineCheck) proceed(ctx context.Context, res *sip.Response, err error) Verdict {
	if err != nil || res.StatusCode >= 300 && res.StatusCode < 400 || k.rejected(res) {
		return k.decide(res, err)
	}
	if res.StatusCode < 300 {
		if k.verdict.Others = k.others(res); k.verdict.Others > 0 {
			return k.decide(res, nil)
		}
	}
	// Nobody is registered, or this registrar lists nothing (some answer 400 or 405 to a REGISTER without Contact).
	expires := checkExpires
	res, err = k.register(ctx, registration{expires: expires})
	if least, ok := leastExpires(res); err == nil && res.StatusCode == 423 && ok && least <= maxCheckExpires {
		expires = least
		res, err = k.register(ctx, registration{expires: expires})
	}
	switch {
	case err == nil && res.StatusCode < 300:
		k.verdict.Others = k.others(res)
		k.lookForNAT(res)
		k.remove(ctx)
	case errors.Is(err, ErrSilent) || errors.Is(err, context.Canceled):
		k.remove(ctx) // it may have come through all the same
	}
	if k.verdict.Left {
		k.verdict.Expires = expires
	}
	return k.decide(res, err)
}

// remove takes the check's own registration back, though the check was cancelled meanwhile.
func (k *lineCheck) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBack)
	defer cancel()
	res, err := k.register(ctx, registration{})
	k.verdict.Left = err != nil || res.StatusCode >= 300
	if k.verdict.Left {
		return
	}
	for _, b := range bindings(res) {
		k.verdict.Left = k.verdict.Left || userOf(b.uri) == k.user && b.expires != 0
	}
}

// others counts the registrations that are not the check's own.
func (k *lineCheck) others(res *sip.Response) int {
	n := 0
	for _, b := range bindings(res) {
		if userOf(b.uri) != k.user && b.expires != 0 {
			n++
		}
	}
	return n
}

// rejected reports whether an answer refuses the password: to a request that carried it, the proxy asks again (register
// has answered every challenge that is new) or forbids.
func (k *lineCheck) rejected(res *sip.Response) bool {
	switch res.StatusCode {
	case 401, 407:
		return true
	case 403:
		return len(k.keys) > 0
	}
	return false
}

// leastExpires reads the Min-Expires of a 423.
func leastExpires(res *sip.Response) (time.Duration, bool) {
	if res == nil {
		return 0, false
	}
	h := res.GetHeader("min-expires")
	if h == nil {
		return 0, false
	}
	return seconds(h.Value())
}
