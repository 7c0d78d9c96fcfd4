package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// maxServers bounds how many servers of one name are tried.
const maxServers = 3

var errNoResolver = errors.New("the box was given nothing that looks names up")

// servers returns where a phone sends the requests of a line, the first choice first: to the outbound proxy where there
// is one (a dotted address or a name with an A record; the phones ask no SRV for it, sip-parameters.tsv), else to the
// proxy (a dotted address, else SRV _sip._udp.<name>, else A: phones.md f.2). SRV is asked for with the default port
// only: a port that was set says all (RFC 3263 section 4.2; what a phone does with both is unconfirmed).
func servers(ctx context.Context, r Resolver, a Account) ([]netip.AddrPort, error) {
	host, port, srv := a.Proxy, a.Port, a.Port == defaultPort
	if a.Outbound != "" {
		var err error
		if host, port, err = splitOutbound(a.Outbound); err != nil {
			return nil, err
		}
		srv = false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(addr.Unmap(), port)}, nil
	}
	if r == nil {
		return nil, errNoResolver
	}
	if !srv {
		return lookUp(ctx, r, host, port)
	}
	_, records, err := r.LookupSRV(ctx, "sip", "udp", rooted(host))
	if err != nil || len(records) == 0 {
		return lookUp(ctx, r, host, port)
	}
	var out []netip.AddrPort
	var faults []error
	for _, record := range records[:min(maxServers, len(records))] {
		if record.Target == "." { // RFC 2782: the service is decidedly not there
			faults = append(faults, &net.DNSError{Err: "its SRV record says that there is no SIP", Name: host, IsNotFound: true})
			continue
		}
		addrs, err := lookUp(ctx, r, record.Target, record.Port)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		out = append(out, addrs[0])
	}
	if len(out) == 0 {
		return nil, errors.Join(faults...)
	}
	return out, nil
}

// lookUp asks for the A records of a name.
func lookUp(ctx context.Context, r Resolver, host string, port uint16) ([]netip.AddrPort, error) {
	addrs, err := r.LookupNetIP(ctx, "ip4", rooted(host))
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() && len(out) < maxServers {
			out = append(out, netip.AddrPortFrom(a, port))
		}
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no A record", Name: host, IsNotFound: true}
	}
	return out, nil
}

// rooted keeps a name with a dot from being completed with the box's search list, which no phone has. A single word may
// be completed: it is a name of the site.
func rooted(host string) string {
	if strings.Contains(host, ".") && !strings.HasSuffix(host, ".") {
		return host + "."
	}
	return host
}

// splitOutbound reads outbound_proxy, with or without a port behind it.
func splitOutbound(s string) (host string, port uint16, err error) {
	host, text, has := strings.Cut(s, ":")
	if !has {
		return host, defaultPort, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", 0, fmt.Errorf("outbound proxy: found %q, allowed is an address or a name, and a port behind a colon", s)
	}
	return host, uint16(n), nil
}

// nameOf is the name that servers looks up.
func nameOf(a Account) string {
	if a.Outbound != "" {
		host, _, _ := strings.Cut(a.Outbound, ":")
		return host
	}
	return a.Proxy
}
