package dns

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

const reverseRoot = "in-addr.arpa."

// lookUpReverse answers for the addresses of the served networks (RFC 1035 section 3.5), and for the names between them
// and the zone; false means that others know better.
func (z *zone) lookUpReverse(name string, q dns.Question) (found, bool) {
	octets, below, ok := reverseOctets(name)
	if !ok {
		return found{}, false
	}
	depth, ok := z.reverseDepth(octets)
	if !ok {
		return found{}, false
	}
	apex := reverseName(octets[:depth])
	f := found{exists: len(octets) < 4 && !below, soa: z.soa(apex)}
	switch {
	case below, len(octets) < 4 && len(octets) != depth:
		return f, true
	case len(octets) == depth:
		z.atApex(&f, apex, q)
		return f, true
	}
	target, ttl := z.nameOf(octetPrefix(octets).Addr())
	if f.exists = target != ""; f.exists && (q.Qtype == dns.TypePTR || q.Qtype == dns.TypeANY) {
		f.records = []dns.RR{&dns.PTR{Hdr: header(q.Name, dns.TypePTR, ttl), Ptr: target}}
	}
	return f, true
}

// reverseDepth returns how many octets the reverse zone of a served network has in which a name lies. Such a zone begins at
// a whole octet: that of a /20 is one of its sixteen /24. Where two networks share octets the larger zone holds both.
func (z *zone) reverseDepth(octets []byte) (depth int, ok bool) {
	named := octetPrefix(octets)
	for i := -1; i < len(z.behind); i++ {
		network := z.subnet
		if i >= 0 {
			network = z.behind[i]
		}
		d := min((network.Bits()+7)/8, 3)
		if network.Addr().Is4() && len(octets) >= d && network.Overlaps(named) && (!ok || d < depth) {
			depth, ok = d, true
		}
	}
	return depth, ok
}

// atApex adds the records at the top of a reverse zone.
func (z *zone) atApex(f *found, apex string, q dns.Question) {
	for _, rr := range []dns.RR{z.soa(apex), z.ns(apex)} {
		if q.Qtype == rr.Header().Rrtype || q.Qtype == dns.TypeANY {
			rr.Header().Name = q.Name
			f.records = append(f.records, rr)
			f.extra = append(f.extra, z.glue(rr)...)
		}
	}
}

// nameOf returns the name of an address, that of the settings before that of a phone; "" when it has none.
func (z *zone) nameOf(addr netip.Addr) (string, uint32) {
	if name := z.reverse[addr]; name != "" {
		return name, siteTTL
	}
	if name, ok := z.names.Reverse(addr); ok {
		if full := z.full(name); validName(full) && len(z.fixed[full]) == 0 {
			return full, leaseTTL // and the name leads back to the address
		}
	}
	return "", 0
}

func validName(name string) bool {
	_, ok := dns.IsDomainName(name)
	return ok && dns.IsFqdn(name)
}

// reverseOctets reads the octets of 3.1.77.10.in-addr.arpa., in the order of the address; there may be fewer than four.
// below says that there is something else in front of them.
func reverseOctets(name string) (octets []byte, below, ok bool) {
	rest, ok := strings.CutSuffix(name, "."+reverseRoot)
	if !ok {
		return nil, false, false
	}
	labels := strings.Split(rest, ".")
	for i := len(labels) - 1; i >= 0; i-- {
		n, err := strconv.ParseUint(labels[i], 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != labels[i] || len(octets) == 4 {
			return octets, true, true
		}
		octets = append(octets, byte(n))
	}
	return octets, false, true
}

func reverseName(octets []byte) string {
	name := reverseRoot
	for _, o := range octets {
		name = strconv.Itoa(int(o)) + "." + name
	}
	return name
}

// octetPrefix returns the addresses that begin with these octets.
func octetPrefix(octets []byte) netip.Prefix {
	var a [4]byte
	copy(a[:], octets)
	return netip.PrefixFrom(netip.AddrFrom4(a), 8*len(octets))
}
