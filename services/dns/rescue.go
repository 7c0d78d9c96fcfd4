package dns

import (
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// rescueTTL is short: a person tries out what a name has to be.
const rescueTTL = 30

// addRescued takes the names that the site answers although nobody else does. A bare word becomes a name of the zone, and
// so is answered with and without the domain. What the zone has already stays as it is.
func (z *zone) addRescued(cfg Config) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Rescued)) {
		addr, full := cfg.Rescued[name], dns.CanonicalName(name)
		if !addr.Is4() || full == "." {
			continue
		}
		if dns.CountLabel(full) == 1 {
			full = z.full(strings.TrimSuffix(full, "."))
		}
		switch {
		case !dns.IsSubDomain(z.domain, full):
			z.rescued[full] = addr
		case len(z.fixed[full]) == 0:
			z.add(address(full, rescueTTL, addr))
		}
	}
}

// lookUpRescued answers for a name of somebody else's zone. Other types than A are not there, whatever that zone says: the
// answers have to be of one host.
func (z *zone) lookUpRescued(name string, q dns.Question) (found, bool) {
	addr, ok := z.rescued[name]
	if !ok {
		return found{}, false
	}
	f := found{exists: true, foreign: true}
	if q.Qtype == dns.TypeA || q.Qtype == dns.TypeANY {
		f.records = []dns.RR{address(q.Name, rescueTTL, addr)}
	}
	return f, true
}
