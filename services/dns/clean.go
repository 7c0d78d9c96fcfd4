package dns

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// How long an answer of the world may be kept, in seconds.
const (
	maxTTL         = 86400 // what is longer tends to be a mistake (RFC 8767 section 4 allows a cap of days)
	maxNegativeTTL = 3600  // RFC 2308 section 5 recommends one to three hours
	maxChain       = 16    // CNAMEs from one name to the next
)

// cleaner keeps of an upstream's answer what answers the question, and nothing that could harm the phones' network.
type cleaner struct {
	served []netip.Prefix // where phones and the box are: no name of the world leads there
	zone   *zone          // nor to a name that is answered here
	inside []string       // domains, lower case with the final dot, whose names may
}

// clean returns a new message for a question whose name is in lower case. rebound is an address or a name in it to which no
// name of the world may lead: then the message must not be used. "" = there is none.
func (c *cleaner) clean(q dns.Question, resp *dns.Msg, do bool) (out *dns.Msg, rebound string) {
	out = &dns.Msg{
		MsgHdr: dns.MsgHdr{
			Response: true, RecursionDesired: true, RecursionAvailable: true, AuthenticatedData: resp.AuthenticatedData,
			Truncated: resp.Truncated, Rcode: resp.Rcode,
		},
		Question: []dns.Question{q},
	}
	if out.Rcode > 0xf {
		out.Rcode = dns.RcodeServerFailure // extended codes belong to the OPT record between the two servers
	}
	end, found := followChain(q, resp.Answer, do, out)
	keepAuthority(end, found, resp.Ns, do, out)
	if !c.mayPoint(q.Name) {
		for _, rr := range out.Answer {
			if rebound := c.harmful(rr); rebound != "" {
				return out, rebound
			}
		}
	}
	for _, rr := range resp.Extra {
		if isAddress(rr) && namedBy(rr.Header().Name, out.Answer) && (c.mayPoint(q.Name) || c.harmful(rr) == "") {
			out.Extra = append(out.Extra, rr)
		}
	}
	return out, ""
}

// followChain takes the records of the name that was asked, and of the names that its CNAMEs lead to. It returns where the
// chain ends, and whether there are records of the type that was asked.
func followChain(q dns.Question, answer []dns.RR, do bool, out *dns.Msg) (end string, found bool) {
	name := q.Name
	for range maxChain {
		next := ""
		for _, rr := range answer {
			h := rr.Header()
			if h.Class != dns.ClassINET {
				continue
			}
			switch owned := strings.EqualFold(h.Name, name); {
			case owned && h.Rrtype == q.Qtype, owned && do && signs(rr, q.Qtype):
				found = found || h.Rrtype == q.Qtype
			case owned && h.Rrtype == dns.TypeCNAME && next == "":
				next = rr.(*dns.CNAME).Target
			case owned && do && signs(rr, dns.TypeCNAME):
			case h.Rrtype == dns.TypeDNAME && !owned && dns.IsSubDomain(h.Name, name), do && signs(rr, dns.TypeDNAME) && !owned && dns.IsSubDomain(h.Name, name):
				out.Answer = append(out.Answer, rr)
				continue
			default:
				continue
			}
			rr = dns.Copy(rr)
			rr.Header().Name = name // in the letters of the question or of the CNAME, so that it packs as a pointer there
			out.Answer = append(out.Answer, rr)
		}
		if found || next == "" {
			return name, found
		}
		name = next
	}
	return name, found
}

// signs reports whether a record is the signature of those of a type (RFC 4034 section 3).
func signs(rr dns.RR, typ uint16) bool {
	sig, ok := rr.(*dns.RRSIG)
	return ok && sig.TypeCovered == typ
}

// keepAuthority takes the SOA that says how long it may be kept that there is nothing, and the proofs where the client
// wants signatures.
func keepAuthority(end string, found bool, ns []dns.RR, do bool, out *dns.Msg) {
	for _, rr := range ns {
		h := rr.Header()
		if h.Class != dns.ClassINET {
			continue
		}
		switch rr := rr.(type) {
		case *dns.SOA:
			if !found && len(out.Ns) == 0 && dns.IsSubDomain(h.Name, end) {
				out.Ns = append(out.Ns, dns.Copy(rr))
			}
		case *dns.NSEC, *dns.NSEC3, *dns.RRSIG:
			if do && dns.CompareDomainName(h.Name, end) > 0 {
				out.Ns = append(out.Ns, rr)
			}
		}
	}
}

func isAddress(rr dns.RR) bool {
	return rr.Header().Class == dns.ClassINET && (rr.Header().Rrtype == dns.TypeA || rr.Header().Rrtype == dns.TypeAAAA)
}

// namedBy reports whether one of the records leads to that name: its address spares the phone a question.
func namedBy(name string, records []dns.RR) bool {
	return slices.ContainsFunc(records, func(rr dns.RR) bool {
		switch rr := rr.(type) {
		case *dns.SRV:
			return strings.EqualFold(rr.Target, name)
		case *dns.NAPTR:
			return strings.EqualFold(rr.Replacement, name)
		case *dns.MX:
			return strings.EqualFold(rr.Mx, name)
		}
		return false
	})
}

// mayPoint reports whether the settings allow a name to lead into the phones' network.
func (c *cleaner) mayPoint(name string) bool {
	return slices.ContainsFunc(c.inside, func(domain string) bool { return dns.IsSubDomain(domain, name) })
}

// harmful returns the address or the name of a record to which no name of the world may lead; "" when there is none. A page
// out there that gets a browser to take its own name for an address here could speak to the box and the phones as if it
// were theirs (DNS rebinding). A name that is answered here is as good as its address: many resolvers of clients ask for
// the end of a chain by themselves. Other private networks are let through: a PBX there, named by the company's own server,
// is usual.
func (c *cleaner) harmful(rr dns.RR) string {
	for _, ip := range addressesOf(rr) {
		addr, ok := netip.AddrFromSlice(ip)
		if addr = addr.Unmap(); ok && c.guarded(addr) {
			return addr.String()
		}
	}
	if target := targetOf(rr); target != "." && c.zone.mayAnswer(dns.CanonicalName(target)) {
		return strings.TrimSuffix(target, ".")
	}
	return ""
}

// targetOf returns the name that a client asks for in place of the record's own; "." when there is none. That of an SRV
// record is not one: no browser follows it, and providers may name the site's own telephone system there.
func targetOf(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.CNAME:
		return rr.Target
	case *dns.HTTPS:
		return rr.Target
	case *dns.SVCB:
		return rr.Target
	}
	return "."
}

func addressesOf(rr dns.RR) []net.IP {
	switch rr := rr.(type) {
	case *dns.A:
		return []net.IP{rr.A}
	case *dns.AAAA:
		return []net.IP{rr.AAAA}
	case *dns.HTTPS:
		return hintsOf(rr.Value)
	case *dns.SVCB:
		return hintsOf(rr.Value)
	}
	return nil
}

// hintsOf returns the addresses that a SVCB record has (RFC 9460 section 7.3).
func hintsOf(params []dns.SVCBKeyValue) (ips []net.IP) {
	for _, p := range params {
		switch p := p.(type) {
		case *dns.SVCBIPv4Hint:
			ips = append(ips, p.Hint...)
		case *dns.SVCBIPv6Hint:
			ips = append(ips, p.Hint...)
		}
	}
	return ips
}

var thisHost = netip.MustParsePrefix("0.0.0.0/8")

func (c *cleaner) guarded(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() || thisHost.Contains(addr) ||
		slices.ContainsFunc(c.served, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// keepFor says how long a cleaned message may be kept, in seconds, and lowers its TTLs to what is believed: its shortest
// TTL, or what the SOA says where there is nothing (RFC 2308 section 5). lasting is false for what must not be kept at all.
func keepFor(m *dns.Msg, negative bool) (ttl uint32, lasting bool) {
	longest := uint32(maxTTL)
	if negative {
		if len(m.Ns) == 0 || m.Ns[0].Header().Rrtype != dns.TypeSOA {
			return 0, false
		}
		soa := m.Ns[0].(*dns.SOA)
		longest = min(maxNegativeTTL, believed(soa.Minttl))
	}
	ttl = longest
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			h := rr.Header()
			h.Ttl = min(believed(h.Ttl), longest)
			ttl = min(ttl, h.Ttl)
		}
	}
	return ttl, true
}

// believed reads a TTL; one with the highest bit is zero (RFC 2181 section 8).
func believed(ttl uint32) uint32 {
	if ttl > 1<<31-1 {
		return 0
	}
	return ttl
}
