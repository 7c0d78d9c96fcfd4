package dns

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// How long an answer may be kept, in seconds.
const (
	siteTTL  = 300 // what stands in the site's settings
	leaseTTL = 60  // names of phones, and that a name does not exist: a phone may come at any moment
)

// boxNames are the names of the box within the zone. Phones without options 66 and 150 look for CiscoCM1 (phones.md b).
func boxNames() []string { return []string{"phonebox", "ciscocm1", "tftp", "ntp"} }

// secondCallManager is where phones look when CiscoCM1 does not answer. It is the box too, unless the site has a second
// one of that name.
const secondCallManager = "ciscocm2"

// zone is what the settings alone say: fixed records by lower-case name with the final dot, and where the zone ends.
type zone struct {
	domain  string // voice.home.arpa.
	box     netip.Addr
	subnet  netip.Prefix
	behind  []netip.Prefix // networks behind relays
	fixed   map[string][]dns.RR
	between map[string]bool       // names without records under which there are names (RFC 8020)
	reverse map[netip.Addr]string // host names of the settings by their address
	rescued map[string]netip.Addr // names outside of the zone that are answered all the same
	names   Names
	serial  serial
}

// newZone builds the records. It returns an error when the domain is none.
func newZone(cfg Config, names Names) (*zone, error) {
	domain := dns.CanonicalName(cfg.Domain)
	if _, ok := dns.IsDomainName(domain); !ok || domain == "." {
		return nil, fmt.Errorf("building the zone: found domain %q, allowed is a domain name", cfg.Domain)
	}
	if !cfg.Server.IsValid() || !cfg.Server.Addr().Is4() {
		return nil, fmt.Errorf("building the zone: found server address %q, allowed is an IPv4 address with its subnet", cfg.Server)
	}
	z := &zone{
		domain: domain, box: cfg.Server.Addr(), subnet: cfg.Server.Masked(), behind: cfg.Subnets, names: names,
		fixed: map[string][]dns.RR{}, between: map[string]bool{}, reverse: map[netip.Addr]string{}, rescued: map[string]netip.Addr{},
	}
	z.add(z.soa(domain), z.ns(domain), address(domain, siteTTL, z.box))
	for _, name := range boxNames() {
		z.add(address(z.full(name), siteTTL, z.box))
	}
	z.reverse[z.box] = z.full("phonebox")
	z.addHosts(cfg)
	z.addRescued(cfg)
	z.addSecondCallManager()
	z.addServices(cfg)
	z.addProxies(cfg)
	return z, nil
}

// addHosts writes the site's own names. The box's own cannot be given away.
func (z *zone) addHosts(cfg Config) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Hosts)) {
		addr, full := cfg.Hosts[name], z.full(name)
		if !addr.Is4() || len(z.fixed[full]) > 0 {
			continue
		}
		z.add(address(full, siteTTL, addr))
		if z.reverse[addr] == "" {
			z.reverse[addr] = full
		}
	}
}

// addSecondCallManager comes after what the settings name.
func (z *zone) addSecondCallManager() {
	if second := z.full(secondCallManager); len(z.fixed[second]) == 0 {
		z.add(address(second, siteTTL, z.box))
	}
}

// full writes a name of the zone with its domain; "" is the zone itself.
func (z *zone) full(name string) string {
	if name == "" {
		return z.domain
	}
	return strings.ToLower(name) + "." + z.domain
}

func (z *zone) add(rrs ...dns.RR) {
	for _, rr := range rrs {
		name := rr.Header().Name
		z.fixed[name] = append(z.fixed[name], rr)
		for name != z.domain && dns.IsSubDomain(z.domain, name) {
			i, end := dns.NextLabel(name, 0)
			if end {
				break
			}
			name = name[i:]
			z.between[name] = true
		}
	}
}

func header(name string, typ uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: ttl}
}

func address(name string, ttl uint32, addr netip.Addr) dns.RR {
	return &dns.A{Hdr: header(name, dns.TypeA, ttl), A: net.IP(addr.AsSlice())}
}

// soa is a zone's own record; its last number is how long "no such name" may be kept (RFC 2308 section 4).
func (z *zone) soa(apex string) dns.RR {
	return &dns.SOA{
		Hdr: header(apex, dns.TypeSOA, leaseTTL), Ns: z.full("phonebox"), Mbox: z.full("hostmaster"),
		Serial: z.serial.now(), Refresh: 3600, Retry: 600, Expire: 86400, Minttl: leaseTTL,
	}
}

func (z *zone) ns(apex string) dns.RR {
	return &dns.NS{Hdr: header(apex, dns.TypeNS, siteTTL), Ns: z.full("phonebox")}
}

// found is what the zone says to a question.
type found struct {
	exists  bool     // the name exists
	records []dns.RR // of the type that was asked
	extra   []dns.RR
	soa     dns.RR // for the answer that there is nothing; nil = it may not be kept
	foreign bool   // the name is of somebody else's zone, for which the box does not speak with authority
}

// lookUp answers a question of class IN; false means that the name lies outside of the zone.
func (z *zone) lookUp(q dns.Question) (found, bool) {
	name := dns.CanonicalName(q.Name)
	if dns.IsSubDomain(z.domain, name) {
		f := z.lookUpName(name, q)
		f.soa = z.soa(z.domain)
		return f, true
	}
	if f, ok := z.lookUpReverse(name, q); ok {
		return f, true
	}
	// A phone without a domain asks for the bare name (phones.md b). Only addresses are answered, for the same word may be
	// a top-level domain.
	if dns.CountLabel(name) == 1 && (q.Qtype == dns.TypeA || q.Qtype == dns.TypeAAAA) {
		if f := z.lookUpName(name+z.domain, q); f.exists {
			return f, true
		}
	}
	return z.lookUpRescued(name, q)
}

// mayAnswer reports whether a name, lower case, is one that is answered here, now or as soon as a device has it.
func (z *zone) mayAnswer(name string) bool {
	_, rescued := z.rescued[name]
	return rescued || dns.IsSubDomain(z.domain, name) || dns.CountLabel(name) == 1
}

// lookUpName finds a name of the zone: of the settings, else of a phone.
func (z *zone) lookUpName(name string, q dns.Question) found {
	records := z.fixed[name]
	if len(records) == 0 {
		records = z.phone(name)
	}
	f := found{exists: len(records) > 0 || z.between[name]}
	for _, rr := range records {
		if q.Qtype != rr.Header().Rrtype && q.Qtype != dns.TypeANY {
			continue
		}
		if rr.Header().Rrtype == dns.TypeSOA {
			rr = z.soa(name) // its serial is that of now
		} else {
			rr = dns.Copy(rr)
		}
		rr.Header().Name = q.Name // in the letters in which it was asked
		f.records = append(f.records, rr)
		f.extra = append(f.extra, z.glue(rr)...)
	}
	return f
}

// phone asks for the name of a phone or of another holder of a lease, which is one label.
func (z *zone) phone(name string) []dns.RR {
	label, ok := strings.CutSuffix(name, "."+z.domain)
	if !ok || strings.ContainsAny(label, `.\`) {
		return nil
	}
	addr, ok := z.names.Lookup(label)
	if !ok || !addr.Is4() {
		return nil
	}
	return []dns.RR{address(name, leaseTTL, addr)}
}

// glue returns the address of the host that a record names, so that nobody has to ask for it.
func (z *zone) glue(rr dns.RR) []dns.RR {
	target := ""
	switch rr := rr.(type) {
	case *dns.SRV:
		target = rr.Target
	case *dns.NS:
		target = rr.Ns
	case *dns.NAPTR:
		return z.fixed[rr.Replacement] // its SRV records (RFC 3403 section 4.2)
	default:
		return nil
	}
	var out []dns.RR
	for _, rr := range slices.Concat(z.fixed[target], z.phone(target)) {
		if rr.Header().Rrtype == dns.TypeA {
			out = append(out, rr)
		}
	}
	return out
}
