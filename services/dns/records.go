package dns

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Proxy is a telephone system that phones are told of: a name, with or without its domain, or an IPv4 address.
type Proxy struct {
	Host string
	Port uint16
}

// The ports of the box's services in SRV records.
const (
	tftpPort = 69
	ntpPort  = 123
)

// addServices writes where TFTP and the time are, for programs that look for services (RFC 2782).
func (z *zone) addServices(cfg Config) {
	z.add(z.srv("_tftp._udp."+z.domain, tftpPort, z.full("tftp")))
	if !cfg.NoTime {
		z.add(z.srv("_ntp._udp."+z.domain, ntpPort, z.full("ntp")))
	}
}

func (z *zone) srv(owner string, port uint16, target string) dns.RR {
	return &dns.SRV{Hdr: header(owner, dns.TypeSRV, siteTTL), Port: port, Target: target}
}

// addProxies writes the records by which a phone finds a telephone system: that of the site for the domain, and each that
// has a name of the zone for that name. A phone is told a proxy's name and asks for the records of that name, not of the
// domain (phones.md f.2).
func (z *zone) addProxies(cfg Config) {
	if cfg.Proxy != "" {
		if target, ok := z.target(cfg.Proxy); ok {
			z.addSIP(z.domain, cfg.ProxyPort, target)
		}
	}
	for _, p := range append([]Proxy{{Host: cfg.Proxy, Port: cfg.ProxyPort}}, cfg.Proxies...) {
		if _, err := netip.ParseAddr(p.Host); err == nil && p.Host != cfg.Proxy || p.Host == "" {
			continue // nobody asks for the records of an address
		}
		if target, ok := z.target(p.Host); ok && dns.IsSubDomain(z.domain, target) {
			z.addSIP(target, p.Port, target)
		}
	}
}

// target returns the name of a proxy with its final dot. SRV records point to names only, so the proxy of the site gets
// one when it is an address.
func (z *zone) target(host string) (string, bool) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		name := dns.CanonicalName(host)
		if dns.CountLabel(name) == 1 {
			name = z.full(strings.TrimSuffix(name, "."))
		}
		return name, true
	}
	if name := z.reverse[addr]; name != "" || !addr.Is4() {
		return name, name != ""
	}
	name := z.freeName("sip-proxy")
	z.add(address(name, siteTTL, addr))
	z.reverse[addr] = name
	return name, true
}

// addSIP writes NAPTR and SRV of a SIP domain, unless it has them (RFC 3263 sections 4.1 and 4.2, RFC 3403 section 4). The
// phones speak UDP; whether a telephone system listens on TCP the site does not say.
func (z *zone) addSIP(owner string, port uint16, target string) {
	service := "_sip._udp." + owner
	if len(z.fixed[service]) > 0 {
		return // of one name there is one port; sip.proxy comes first, then the lines in their order
	}
	z.add(
		&dns.NAPTR{Hdr: header(owner, dns.TypeNAPTR, siteTTL), Order: 10, Preference: 10, Flags: "s", Service: "SIP+D2U", Regexp: "", Replacement: service},
		z.srv(service, port, target),
	)
}

// freeName returns a name of the zone that no host has.
func (z *zone) freeName(name string) string {
	for i := 2; ; i++ {
		if full := z.full(name); len(z.fixed[full]) == 0 {
			return full
		}
		name = fmt.Sprintf("%s-%d", strings.TrimRight(name, "-0123456789"), i)
	}
}
