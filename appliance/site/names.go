package site

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// BoxTarget is the value in dns.names that means the box, whatever address it has.
const BoxTarget = "phonebox"

const allowedRescued = "a lower-case name of letters, digits, hyphens and dots, such as tftp.old-site.example"

const allowedNameTarget = "phonebox for this box, a name of dns.hosts, or an IPv4 address"

// maxRescued bounds dns.names: each is a line that a person made.
const maxRescued = 1000

// parseNameTarget takes what a name of dns.names may lead to; which hosts there are is checked later.
func parseNameTarget(s string) (string, bool) {
	if _, ok := parseAddr(s); ok {
		return s, true
	}
	return s, validHostKey(s) && !numericEnd(s)
}

// validRescuedKey says whether a name may stand in dns.names. Names that stand for addresses lead to no host.
func validRescuedKey(s string) bool {
	return validHostKey(s) && !numericEnd(s) && !strings.HasSuffix(s, ".in-addr.arpa") && !strings.HasSuffix(s, ".ip6.arpa")
}

// Rescued returns where the names of dns.names lead. Those whose host is gone lead nowhere and are left out.
func (s *Site) Rescued() map[string]netip.Addr {
	out := map[string]netip.Addr{}
	for name, target := range s.DNS.Names {
		if addr, ok := s.resolveTarget(target); ok {
			out[name] = addr
		}
	}
	return out
}

func (s *Site) resolveTarget(target string) (netip.Addr, bool) {
	if target == BoxTarget {
		return s.Network.Address.Addr(), s.Network.Address.IsValid()
	}
	if addr, ok := parseAddr(target); ok {
		return addr, true
	}
	addr, ok := s.DNS.Hosts[target]
	return addr, ok
}

// rescued checks that each name of dns.names leads somewhere, and takes none of the zone.
func (c *checker) rescued() {
	s := c.site
	if c.tooMany("dns.names", len(s.DNS.Names), maxRescued) {
		return
	}
	leads := map[string]string{} // a name of the zone -> its entry
	for _, name := range slices.Sorted(maps.Keys(s.DNS.Names)) {
		key := "dns.names." + name
		local, within := s.Local(name)
		_, host := s.DNS.Hosts[local]
		first, twice := leads[local]
		if within && !twice {
			leads[local] = name
		}
		switch {
		case within && twice && s.DNS.Names[first] != s.DNS.Names[name]:
			c.fault(key, fmt.Sprintf("%s, while %q, which is the same name, leads to %s", quote(s.DNS.Names[name]), first, quote(s.DNS.Names[first])), "one of the two")
		case within && (local == "" || slices.Contains(BoxNames(), local)):
			c.fault(key, "a name of the box itself", "a name that nobody else has; the box answers for this one already")
		case within && host:
			c.fault(key, fmt.Sprintf("%q, which dns.hosts has", local), "a name that nobody else has")
		}
		if _, ok := s.resolveTarget(s.DNS.Names[name]); !ok && s.Network.Address.IsValid() && !c.faulty["dns.hosts."+s.DNS.Names[name]] {
			c.fault(key, fmt.Sprintf("%s, which is no name of dns.hosts", quote(s.DNS.Names[name])), allowedNameTarget)
		}
	}
}

// RescuedKey writes a name as it stands in dns.names.
func RescuedKey(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}

// IsRescuable reports whether a name can stand in dns.names, apart from whether it is taken.
func IsRescuable(name string) bool { return validRescuedKey(name) }

// AnswersFor reports whether dns.names or dns.hosts has a name, with or without the domain.
func (s *Site) AnswersFor(name string) bool {
	if _, ok := s.DNS.Names[name]; ok {
		return true
	}
	local, within := s.Local(name)
	if !within {
		return false
	}
	_, host := s.DNS.Hosts[local]
	_, bare := s.DNS.Names[local]
	_, full := s.DNS.Names[local+"."+s.Network.Domain]
	return host || bare || full
}

// MapName returns a copy of the site in which dns.names leads a name to a target; "" takes the name out. The site is nil
// when a fault is not a warning.
func (s *Site) MapName(name, target string, opts Options) (*Site, []Fault) {
	names := maps.Clone(s.DNS.Names)
	if names == nil {
		names = map[string]string{}
	}
	name = RescuedKey(name)
	target = strings.ToLower(strings.TrimSpace(target))
	if !validRescuedKey(name) {
		return nil, []Fault{{Key: "dns.names", Found: "the name " + quote(name), Allowed: allowedRescued}}
	}
	if _, ok := parseNameTarget(target); target != "" && !ok {
		return nil, []Fault{{Key: "dns.names." + name, Found: quote(target), Allowed: allowedNameTarget}}
	}
	names[name] = target
	if target == "" {
		delete(names, name)
	}
	var in []entry
	for _, n := range slices.Sorted(maps.Keys(names)) {
		in = append(in, entry{name: n, text: names[n]})
	}
	return s.SetFields(map[string]string{"dns.names": formText(KindMap, in)}, opts)
}
