package phonesim

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	registerTries = 4                      // requests without an answer, before a phone rests
	registerRest  = 32 * time.Second       // before it tries again; not known of the real phones
	maxRest       = 24 * time.Hour         // between two of them, whatever the proxy grants
	timerT1       = 500 * time.Millisecond // RFC 3261, 17.1.1.1: doubles with each repetition
	sipPort       = 5060
)

// Answers to REGISTER (RFC 3261, 21).
const (
	codeOK           = 200
	codeUnauthorized = 401
	codeProxyAuth    = 407
	codeTooBrief     = 423
)

// register finds the proxy of each line and, where proxy_register says so, registers it there; renewals go on in the
// background.
func (a *userAgent) register(ctx context.Context, c cnf) {
	lines, faults := readLines(c, a.cfg.Model)
	for _, f := range faults {
		a.fault("TFTP: %s", f)
	}
	wanted := c.get("proxy_register") == "1"
	a.mu.Lock()
	a.res.Proxy, a.res.RegisterCode, a.res.Registrations = "", 0, nil
	for _, l := range lines {
		if wanted {
			a.res.Registrations = append(a.res.Registrations, Registration{Line: l.number, Name: l.name})
		}
	}
	a.mu.Unlock()
	for i := range lines {
		if !a.find(ctx, c, &lines[i]) || !wanted {
			continue
		}
		a.renew(ctx, c, i, &lines[i])
	}
	if wanted && len(lines) > 0 && ctx.Err() == nil {
		a.wg.Go(func() { a.keepRegistered(ctx, c, lines) })
	}
}

// find looks a line's proxy up and reports whether it was found.
func (a *userAgent) find(ctx context.Context, c cnf, l *line) bool {
	proxy, err := a.proxyAddress(ctx, c, l.host, l.port)
	if err != nil {
		l.due = time.Now().Add(registerRest)
		a.emit(EventSIP, "", "line %d: no proxy: %v", l.number, err)
		return false
	}
	l.proxy = proxy
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.res.Proxy == "" {
		a.res.Proxy = proxy.String()
	}
	return true
}

// keepRegistered renews each line in time until ctx ends.
func (a *userAgent) keepRegistered(ctx context.Context, c cnf, lines []line) {
	for {
		next := 0
		for i := range lines {
			if lines[i].due.Before(lines[next].due) {
				next = i
			}
		}
		if sleep(ctx, time.Until(lines[next].due)) != nil {
			return
		}
		if l := &lines[next]; l.proxy.IsValid() || a.find(ctx, c, l) {
			a.renew(ctx, c, next, l)
		}
	}
}

// renew registers one line and notes what came of it.
func (a *userAgent) renew(ctx context.Context, c cnf, index int, l *line) {
	code, granted := a.registerLine(ctx, c, l)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	l.due = now.Add(registerRest)
	a.mu.Lock()
	r := &a.res.Registrations[index]
	r.Proxy, r.Code = l.proxy.String(), code
	if code == codeOK {
		r.Expires, r.Until = granted, now.Add(time.Duration(granted)*time.Second)
		r.Granted++
		l.due = now.Add(renewAfter(granted, c.get("timer_register_delta")))
	}
	if index == 0 {
		a.res.RegisterCode = code
	}
	a.mu.Unlock()
	if code == 0 {
		a.emit(EventSIP, "", "REGISTER of %s at %s: no answer", l.name, l.proxy)
		return
	}
	a.emit(EventSIP, "", "REGISTER of %s at %s: %d", l.name, l.proxy, code)
}

// renewAfter says when a registration is renewed: timer_register_delta seconds (5) before its end, but not before half of it.
func renewAfter(granted int, delta string) time.Duration {
	early, err := strconv.Atoi(delta)
	if err != nil || early < 0 {
		early = 5
	}
	half := time.Duration(granted) * time.Second / 2
	return min(maxRest, max(half, time.Duration(granted-early)*time.Second, time.Second))
}

// registerLine sends REGISTER, answers a challenge once (and once more when the proxy calls its nonce stale), and returns the
// final code (0: no answer) with the seconds that were granted.
func (a *userAgent) registerLine(ctx context.Context, c cnf, l *line) (code, granted int) {
	r := registerRequest{
		id: a.token() + "@" + a.local.Addr().String(), tag: a.token(), sequence: 101, expires: c.get("timer_register_expires"), user: c.get("user_info"),
	}
	if n, err := strconv.Atoi(r.expires); err != nil || n < 1 {
		r.expires = "3600"
	}
	const challenges = 2
	for try := 0; ; try++ {
		answer, ok := a.transact(ctx, r, l)
		if !ok {
			return 0, 0
		}
		r.sequence++
		header, reply := "www-authenticate", "Authorization"
		switch {
		case answer.code == codeOK:
			return answer.code, grantedTo(answer, l.name, a.local.String(), r.expires)
		case answer.code == codeTooBrief && answer.get("min-expires") != "" && try < challenges:
			r.expires = answer.get("min-expires")
			continue
		case answer.code == codeProxyAuth:
			header, reply = "proxy-authenticate", "Proxy-Authorization"
		case answer.code != codeUnauthorized:
			return answer.code, 0
		}
		value := answer.get(header)
		if value == "" || try == challenges || r.authorization != "" && !strings.Contains(strings.ToLower(value), "stale=true") {
			return answer.code, 0
		}
		ch, err := parseChallenge(value)
		if err != nil {
			a.fault("SIP: a phone cannot answer the challenge of %s: %v", l.proxy, err)
			return answer.code, 0
		}
		r.authorization = reply + ": " + ch.authorization("REGISTER", "sip:"+l.host, l.authName, l.password, a.token())
	}
}

// registerRequest is what changes from one REGISTER to the next.
type registerRequest struct {
	id, tag       string
	sequence      int
	expires, user string
	authorization string // the whole header, or ""
}

// transact sends a request, again while no answer comes, and returns the final answer.
func (a *userAgent) transact(ctx context.Context, r registerRequest, l *line) (sipMessage, bool) {
	user := ""
	if r.user == "phone" || r.user == "ip" {
		user = ";user=" + r.user
	}
	aor := "<sip:" + l.name + "@" + l.host + user + ">"
	lines := []string{
		"REGISTER sip:" + l.host + " SIP/2.0", "Via: SIP/2.0/UDP " + a.local.String() + ";branch=z9hG4bK" + a.token(),
		"From: " + aor + ";tag=" + r.tag, "To: " + aor, "Call-ID: " + r.id, "CSeq: " + strconv.Itoa(r.sequence) + " REGISTER", "Max-Forwards: 70",
		"User-Agent: " + a.userAgent(), "Contact: <sip:" + l.name + "@" + a.local.String() + user + ">", "Expires: " + r.expires,
	}
	if r.authorization != "" {
		lines = append(lines, r.authorization)
	}
	request := []byte(strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n"))
	wait, lost := timerT1, uint64(0)
	for i := range registerTries {
		if i > 0 {
			a.sentAgain(lost, func(r *Retransmissions) { r.SIP++ })
		}
		lost = a.lostFrames()
		_, _ = a.conn.WriteTo(request, net.UDPAddrFromAddrPort(l.proxy))
		answer, err := a.finalAnswer(ctx, r, wait)
		if err == nil {
			return answer, true
		}
		if ctx.Err() != nil {
			break
		}
		wait *= 2
	}
	return sipMessage{}, false
}

// finalAnswer waits for an answer to the request that is not provisional.
func (a *userAgent) finalAnswer(ctx context.Context, r registerRequest, wait time.Duration) (sipMessage, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return sipMessage{}, context.Cause(ctx)
		case <-timer.C:
			return sipMessage{}, errUnanswered
		case m := <-a.answers:
			sequence, _, _ := strings.Cut(m.get("cseq"), " ")
			if m.get("call-id") == r.id && sequence == strconv.Itoa(r.sequence) && m.code >= codeOK {
				return m, nil
			}
		}
	}
}

// grantedTo returns the seconds that the proxy granted: expires= of our Contact, else the Expires header, else what was asked for.
func grantedTo(m sipMessage, name, local, asked string) int {
	texts := []string{asked, m.get("expires")}
	for _, contact := range m.all("contact") {
		for one := range strings.SplitSeq(contact, ",") {
			if _, parameter, ok := strings.Cut(one, "expires="); ok && strings.Contains(one, "sip:"+name+"@"+local) {
				parameter, _, _ = strings.Cut(parameter, ";")
				texts = append(texts, strings.Trim(parameter, "\" "))
			}
		}
	}
	granted := 0
	for _, text := range texts {
		if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32); err == nil {
			granted = int(n)
		}
	}
	return granted
}
