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

// userAgent is the SIP side of a phone: it answers OPTIONS and NOTIFY, and registers (phones.md f).
type userAgent struct {
	*boot
	conn      net.PacketConn
	local     netip.AddrPort
	checkSync chan struct{} // a NOTIFY check-sync came
	answers   chan sipMessage
}

// userAgent is what the phone calls itself: with its model from 8.x on (phones.md f.2), with its release alone before, as
// public traces of 4.x and 7.x show.
func (p *Phone) userAgent() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	const namesModel = 8
	major := loadMajor(p.runs.Application)
	if major < namesModel {
		return fmt.Sprintf("CSCO/%d", major)
	}
	return fmt.Sprintf("Cisco-CP%sG/%d.0", p.cfg.Model, major)
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
