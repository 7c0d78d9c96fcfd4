package phonesim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	registerTries = 4                      // then the phone goes on without; the real one goes on trying
	timerT1       = 500 * time.Millisecond // RFC 3261, 17.1.1.1: doubles with each repetition
)

// userAgent is the SIP side of a phone: it answers OPTIONS and NOTIFY, and registers (phones.md f).
type userAgent struct {
	*boot
	conn      net.PacketConn
	local     netip.AddrPort
	checkSync chan struct{} // a NOTIFY check-sync came
	answers   chan sipMessage
}

// userAgent is what the phone calls itself (phones.md f.2).
func (p *Phone) userAgent() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("Cisco-CP%sG/%d.0", p.cfg.Model, loadMajor(p.runs.app))
}

// listenSIP opens voip_control_port on the phone's address.
func (b *boot) listenSIP(c cnf) (*userAgent, error) {
	port := b.cfg.Ports.SIP
	if v := c.get("voip_control_port"); v != "" {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil || n == 0 {
			b.fault("TFTP: voip_control_port is %q, allowed is a port", v)
		} else if n != 5060 { // the usual port stands for the configured one of the simulation
			port = uint16(n)
		}
	}
	conn, err := b.nic.ListenUDP(port)
	if err != nil {
		return nil, fmt.Errorf("opening the SIP port: %w", err)
	}
	return &userAgent{
		boot: b, conn: conn, local: netip.AddrPortFrom(b.lease.Address.Addr(), port),
		checkSync: make(chan struct{}, 1), answers: make(chan sipMessage, 4),
	}, nil
}

// run answers until ctx ends.
func (a *userAgent) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _ = a.conn.Close() })
	defer stop()
	defer a.conn.Close()
	buf := make([]byte, 1<<16)
	for {
		p, from, err := receive(ctx, a.conn, buf, time.Time{})
		if err != nil {
			return
		}
		m, err := parseSIP(p)
		if err != nil {
			a.fault("SIP: %s sent what is no SIP: %v", from, err)
			continue
		}
		if m.method == "" {
			select {
			case a.answers <- m:
			default:
			}
			continue
		}
		a.handle(m, from)
	}
}

// handle answers one request.
func (a *userAgent) handle(m sipMessage, from netip.AddrPort) {
	a.emit(EventSIP, "", "%s from %s", m.method, from)
	switch m.method {
	case "ACK":
	case "OPTIONS":
		a.reply(m, from, "200 OK", "Allow: ACK,BYE,CANCEL,INVITE,NOTIFY,OPTIONS,REFER,REGISTER", "Accept: application/sdp")
		a.optionsAnswered()
	case "NOTIFY":
		if m.get("event") != "check-sync" {
			a.reply(m, from, "489 Bad Event")
			return
		}
		a.reply(m, from, "200 OK")
		select {
		case a.checkSync <- struct{}{}:
		default:
		}
	case "INVITE":
		a.reply(m, from, "486 Busy Here")
	default:
		a.reply(m, from, "501 Not Implemented")
	}
}

// reply answers to where the topmost Via says: its rport when asked for (RFC 3581), else its port (RFC 3261, 18.2.2).
func (a *userAgent) reply(m sipMessage, from netip.AddrPort, status string, extra ...string) {
	lines := []string{"SIP/2.0 " + status}
	to := from
	for i, via := range m.all("via") {
		if i == 0 {
			to, via = viaTarget(via, from)
		}
		lines = append(lines, "Via: "+via)
	}
	tag := ""
	if !strings.Contains(m.get("to"), ";tag=") {
		tag = ";tag=" + a.token()
	}
	lines = append(lines, "From: "+m.get("from"), "To: "+m.get("to")+tag, "Call-ID: "+m.get("call-id"), "CSeq: "+m.get("cseq"),
		"Server: "+a.userAgent(), "User-Agent: "+a.userAgent(), "Contact: <sip:"+a.local.String()+">")
	lines = append(append(lines, extra...), "Content-Length: 0")
	_, _ = a.conn.WriteTo([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), net.UDPAddrFromAddrPort(to))
}

// token returns a word that is not used twice.
func (p *Phone) token() string { return fmt.Sprintf("%08x%08x", p.draw(1<<31), p.draw(1<<31)) }

// register tries to register the first line, where the configuration wants it, and notes what the proxy answers. It does
// not answer a challenge: that the proxy asks for a password shows that it is there.
func (a *userAgent) register(ctx context.Context, c cnf) {
	host, line := c.get("proxy1_address"), c.get("line1_name")
	if host == "" || host == "USECALLMANAGER" {
		return
	}
	port := uint64(5060)
	if v := c.get("proxy1_port"); v != "" {
		var err error
		if port, err = strconv.ParseUint(v, 10, 16); err != nil {
			a.fault("TFTP: proxy1_port is %q, allowed is a port", v)
			return
		}
	}
	proxy, err := a.proxyAddress(ctx, c, host, uint16(port))
	if err != nil {
		a.emit(EventSIP, "", "no proxy: %v", err)
		return
	}
	a.mu.Lock()
	a.res.Proxy = proxy.String()
	a.mu.Unlock()
	if c.get("proxy_register") != "1" || line == "" {
		return
	}
	code := a.sendRegister(ctx, host, line, proxy, c.get("timer_register_expires"))
	a.mu.Lock()
	a.res.RegisterCode = code
	a.mu.Unlock()
	if code == 0 {
		a.emit(EventSIP, "", "REGISTER of %s at %s: no answer", line, proxy)
		return
	}
	a.emit(EventSIP, "", "REGISTER of %s at %s: %d", line, proxy, code)
}

// sendRegister returns the final code of the answer, 0 where there was none.
func (a *userAgent) sendRegister(ctx context.Context, host, line string, proxy netip.AddrPort, expires string) int {
	if expires == "" {
		expires = "3600"
	}
	id := a.token() + "@" + a.local.Addr().String()
	aor := "<sip:" + line + "@" + host + ">"
	request := strings.Join([]string{
		"REGISTER sip:" + host + " SIP/2.0", "Via: SIP/2.0/UDP " + a.local.String() + ";branch=z9hG4bK" + a.token(),
		"From: " + aor + ";tag=" + a.token(), "To: " + aor, "Call-ID: " + id, "CSeq: 101 REGISTER", "Max-Forwards: 70",
		"User-Agent: " + a.userAgent(), "Contact: <sip:" + line + "@" + a.local.String() + ">", "Expires: " + expires,
		"Content-Length: 0", "", "",
	}, "\r\n")
	wait := timerT1
	for i := range registerTries {
		if i > 0 {
			a.count(func(r *Retransmissions) { r.SIP++ })
		}
		_, _ = a.conn.WriteTo([]byte(request), net.UDPAddrFromAddrPort(proxy))
		if code := a.finalAnswer(ctx, id, wait); code != 0 || ctx.Err() != nil {
			return code
		}
		wait *= 2
	}
	return 0
}

// finalAnswer waits for an answer of the call that is not provisional; 0 when none came.
func (a *userAgent) finalAnswer(ctx context.Context, id string, wait time.Duration) int {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0
		case <-timer.C:
			return 0
		case m := <-a.answers:
			if m.get("call-id") == id && m.code >= 200 {
				return m.code
			}
		}
	}
}
