package phonesim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	dnsTries = 3
	dnsWait  = 3 * time.Second // not known of the real phones
)

// resolve returns the address of a name or of a dotted address.
func (b *boot) resolve(ctx context.Context, c cnf, name string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return a, nil
	}
	answers, err := b.query(ctx, c, b.qualified(name), dns.TypeA)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, rr := range answers {
		if a, ok := rr.(*dns.A); ok {
			return toAddr(a.A), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("looking up %q: it has no address", name)
}

// qualified adds the domain of the lease to a single label.
func (b *boot) qualified(name string) string {
	if !strings.Contains(name, ".") && b.lease.Domain != "" {
		name += "." + b.lease.Domain
	}
	return dns.Fqdn(name)
}

// proxyAddress finds the proxy: an address, else SRV _sip._udp (RFC 2782), else A (phones.md f.2).
func (b *boot) proxyAddress(ctx context.Context, c cnf, host string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	answers, err := b.query(ctx, c, "_sip._udp."+b.qualified(host), dns.TypeSRV)
	if err != nil && !errors.Is(err, errNoName) {
		return netip.AddrPort{}, err
	}
	var best *dns.SRV
	for _, rr := range answers {
		if s, ok := rr.(*dns.SRV); ok && (best == nil || s.Priority < best.Priority) {
			best = s
		}
	}
	if best != nil {
		host, port = strings.TrimSuffix(best.Target, "."), best.Port
	}
	a, err := b.resolve(ctx, c, host)
	return netip.AddrPortFrom(a, port), err
}

// errNoName is an answer that the name does not exist.
var errNoName = errors.New("the name does not exist")

// query asks each server in turn, a few times.
func (b *boot) query(ctx context.Context, c cnf, name string, kind uint16) ([]dns.RR, error) {
	servers := b.lease.DNS
	if a, err := netip.ParseAddr(c.get("dyn_dns_addr_1")); err == nil {
		servers = append([]netip.Addr{a}, servers...)
	}
	what := dns.TypeToString[kind] + " of " + strings.TrimSuffix(name, ".")
	if len(servers) == 0 {
		return nil, fmt.Errorf("asking for %s: the lease names no DNS server", what)
	}
	m := new(dns.Msg).SetQuestion(name, kind)
	m.Id = uint16(b.draw(1 << 16))
	lost := uint64(0)
	for i := range dnsTries {
		if i > 0 {
			b.sentAgain(lost, func(r *Retransmissions) { r.DNS++ })
		}
		lost = b.lostFrames()
		answer, err := b.queryOnce(ctx, m, servers[i%len(servers)])
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			continue
		}
		b.emit(EventName, "", "asked for %s: %s, %d answers", what, dns.RcodeToString[answer.Rcode], len(answer.Answer))
		switch answer.Rcode {
		case dns.RcodeSuccess:
			return answer.Answer, nil
		case dns.RcodeNameError:
			return nil, fmt.Errorf("asking for %s: %w", what, errNoName)
		}
		return nil, fmt.Errorf("asking for %s: the server answers %s", what, dns.RcodeToString[answer.Rcode])
	}
	b.emit(EventName, "", "asked for %s: no answer", what)
	return nil, fmt.Errorf("asking for %s: %w", what, errUnanswered)
}

// queryOnce sends a question and waits for its answer.
func (b *boot) queryOnce(ctx context.Context, m *dns.Msg, server netip.Addr) (*dns.Msg, error) {
	conn, err := b.nic.ListenUDP(0)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	packed, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("packing a question: %w", err)
	}
	to := netip.AddrPortFrom(server, b.cfg.Ports.DNS)
	if _, err := conn.WriteTo(packed, net.UDPAddrFromAddrPort(to)); err != nil {
		return nil, errors.Join(err, sleep(ctx, dnsWait))
	}
	buf, until := make([]byte, maxPacket), time.Now().Add(dnsWait)
	for {
		p, from, err := receive(ctx, conn, buf, until)
		if err != nil {
			return nil, errUnanswered
		}
		if from != to {
			b.fault("DNS: asked %s, the answer came from %s", to, from)
			continue
		}
		answer := new(dns.Msg)
		if err := answer.Unpack(p); err != nil {
			b.fault("DNS: an answer could not be read: %v", err)
			continue
		}
		if answer.Id == m.Id && answer.Response {
			return answer, nil
		}
	}
}
