package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// natText says what the proxy sees, and what helps the phones, which are behind the same NAT (phones.md f.2).
func natText(seen string, ours netip.AddrPort) string {
	return fmt.Sprintf("The proxy sees the box at %s, not at %s: a router between them changes addresses (NAT). "+
		"Phones behind it usually need nat_enable 1, and nat_received_processing 1 or nat_address.", seen, ours)
}

// failed is the verdict where the box could not ask.
func (a Account) failed(err error) Verdict {
	return Verdict{Kind: VerdictFailed, Others: -1, Text: fmt.Sprintf("Line %s could not be checked: %v.", clip(a.Name), err)}
}

// notFound is the verdict where the proxy has no address.
func (a Account) notFound(err error) Verdict {
	v := Verdict{Kind: VerdictNotFound, Others: -1}
	name := clip(nameOf(a))
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		v.Text = fmt.Sprintf("The name %s of the proxy is not known: look for a typing mistake, or use the proxy's address.", name)
	case errors.Is(err, context.Canceled):
		return a.failed(errors.New("the check was stopped"))
	case errors.As(err, &dns), errors.Is(err, context.DeadlineExceeded):
		v.Text = fmt.Sprintf("The name %s of the proxy could not be looked up, because no name server answered: check dns.upstream and the way to the internet.", name)
	default:
		v.Text = fmt.Sprintf("The proxy %s cannot be looked up: %s.", name, clip(err.Error()))
	}
	return v
}

// decide writes the verdict down: of the last answer, or of why there was none.
func (k *lineCheck) decide(res *sip.Response, err error) Verdict {
	v := &k.verdict
	switch {
	case errors.Is(err, ErrSilent):
		v.Kind = VerdictSilent
		v.Text = k.silentText()
	case errors.Is(err, context.Canceled):
		v.Kind, v.Text = VerdictFailed, k.account.failed(errors.New("the check was stopped")).Text
	case err != nil:
		v.Kind, v.Text = VerdictFailed, k.account.failed(err).Text
	default:
		v.Code, v.Reason = res.StatusCode, clip(res.Reason)
		v.Kind, v.Text = k.judge(res)
	}
	if v.Left {
		v.Text += fmt.Sprintf(" The registration that the check itself made may still be there; it ends by itself within %s.", v.Expires)
	}
	return *v
}

// silentText says who was asked in vain.
func (k *lineCheck) silentText() string {
	var asked []string
	for _, a := range k.verdict.Asked {
		asked = append(asked, fmt.Sprintf("%s port %d", a.Addr(), a.Port()))
	}
	name := ""
	if _, err := netip.ParseAddr(nameOf(k.account)); err != nil {
		name = clip(nameOf(k.account)) + ", "
	}
	return fmt.Sprintf("The proxy (%s%s) does not answer: it is off, the address or the port is wrong, or a firewall is in the way.",
		name, strings.Join(asked, " and "))
}

// judge is the verdict of a final answer.
func (k *lineCheck) judge(res *sip.Response) (VerdictKind, string) {
	line, proxy, said := clip(k.account.Name), k.peer.String(), strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, clip(res.Reason)))
	switch code := res.StatusCode; {
	case code < 300:
		return VerdictRight, k.rightText(line, proxy)
	case code < 400:
		return VerdictRedirected, fmt.Sprintf("The proxy %s sends line %s elsewhere (%s)%s: enter that server as the proxy.", proxy, line, said, elsewhere(res))
	case k.rejected(res):
		return k.rejectedVerdict(res, line, proxy, said)
	case code == 405 || code == 501:
		return VerdictNotRegistrable, fmt.Sprintf("%s takes no registrations (%s): it is not the registrar of line %s.", proxy, said, line)
	case code == 404 || code == 604:
		return VerdictRefused, fmt.Sprintf("The proxy %s does not know line %s (%s): check the line's name.", proxy, line, said)
	case code == 423:
		return VerdictRefused, fmt.Sprintf("The proxy %s takes only registrations that last longer than a check may (%s).", proxy, said)
	case code >= 500 && code < 600:
		return VerdictRefused, fmt.Sprintf("The proxy %s has trouble of its own and did not register line %s (%s): try again later, or ask its owner.", proxy, line, said)
	}
	return VerdictRefused, fmt.Sprintf("The proxy %s refuses to register line %s: it answered %s.", proxy, line, said)
}

// rightText is the sentence of a line that works.
func (k *lineCheck) rightText(line, proxy string) string {
	text := fmt.Sprintf("The proxy %s accepts the password of line %s.", proxy, line)
	if !k.verdict.Challenged {
		text = fmt.Sprintf("The proxy %s accepts line %s without asking for a password.", proxy, line)
	}
	switch n := k.verdict.Others; {
	case n == 1:
		text += " One phone is registered there; it was left alone."
	case n > 1:
		text += fmt.Sprintf(" %d phones are registered there; they were left alone.", n)
	}
	for _, key := range k.keys {
		if strings.HasPrefix(strings.ToUpper(key.algorithm), "SHA") {
			text += fmt.Sprintf(" But it wants the digest algorithm %s, which is younger than these phones: let it offer MD5, too.", key.algorithm)
		}
	}
	return text
}

// rejectedVerdict tells a wrong password from a question that no password answers.
func (k *lineCheck) rejectedVerdict(res *sip.Response, line, proxy, said string) (VerdictKind, string) {
	from, _ := challengeHeaders(res.StatusCode)
	if from != "" {
		switch ch, err := readChallenges(values(res, from)); {
		case err != nil:
			return VerdictRefused, fmt.Sprintf("The proxy %s asks for a password in a way that neither the phones nor the box know (%v).", proxy, err)
		case ch.stale:
			return VerdictRefused, fmt.Sprintf("The proxy %s calls each answer of line %s too late (stale): something is wrong with its clock or its settings.", proxy, line)
		}
	}
	if k.account.Password == "" {
		return VerdictWrong, fmt.Sprintf("The proxy %s wants a password for line %s, and the line has none: enter it.", proxy, line)
	}
	return VerdictWrong, fmt.Sprintf("The proxy %s does not accept the password of line %s (authname %s; it answered %s): "+
		"the name, the authname or the password is wrong. Proxies do not say which.", proxy, line, clip(k.account.AuthName), said)
}

// elsewhere names where a redirection points.
func elsewhere(res *sip.Response) string {
	for _, b := range bindings(res) {
		return ", to " + clip(b.uri)
	}
	return ""
}
