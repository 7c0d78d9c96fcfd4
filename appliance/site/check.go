package site

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// maxPool bounds the addresses of all ranges together: dhcp keeps a record for each that is in use.
const maxPool = 1 << 16

// checker compares keys with each other. Keys that could not be converted have their fault already and are left out.
type checker struct {
	site   *Site
	opts   Options
	line   func(path string) int
	faulty map[string]bool
	faults []Fault
}

func (c *checker) fault(key, found, allowed string) {
	c.faults = append(c.faults, Fault{Line: c.line(key), Key: key, Found: found, Allowed: allowed})
}

func (c *checker) warn(key, found, allowed string) {
	c.faults = append(c.faults, Fault{Line: c.line(key), Key: key, Found: found, Allowed: allowed, Warning: true})
}

func (c *checker) check() {
	c.network()
	c.pool()
	c.subnets()
	c.classes()
	c.hosts()
	c.rescued()
	c.zone("time.zone", c.site.Time.Zone)
	c.names()
	c.parameters("sip.parameters", ScopeSite, c.site.SIP.Parameters)
	c.forced("sip.forced", c.site.SIP.Forced)
	for _, model := range slices.Sorted(maps.Keys(c.site.Models)) {
		// What belongs into SIPDefault.cnf is written into the files of that model's phones.
		c.parameters("models."+model+".parameters", ScopeSite, c.site.Models[model])
	}
	c.dialPlan()
	c.contacts()
	c.phones()
}

// subnet returns the box's subnet, and false when the address that makes it is missing or wrong.
func (c *checker) subnet() (netip.Prefix, bool) {
	return c.site.Network.Address, c.site.Network.Address.IsValid()
}

// place says why an address cannot be that of another host in the box's subnet; "" when it can.
func (c *checker) place(a netip.Addr) string {
	net, ok := c.subnet()
	switch {
	case !ok:
		return ""
	case !net.Contains(a):
		return "outside of the network " + net.Masked().String()
	case a == net.Addr():
		return "the box itself"
	case a == net.Masked().Addr() || a == broadcastOf(net):
		return "the first or last address of the network " + net.Masked().String()
	}
	return ""
}

func (c *checker) network() {
	if !c.site.Network.Address.IsValid() && !c.faulty["network.address"] {
		c.fault("network.address", "nothing", "the address of the box with the length of its network, such as 10.77.0.1/16")
	}
	if gw := c.site.Network.Gateway; gw.IsValid() {
		if why := c.place(gw); why != "" {
			c.fault("network.gateway", gw.String()+", "+why, "another address of the box's network, or an empty text")
		}
	}
}

func (c *checker) pool() {
	s := c.site
	if s.DHCP.Enabled && len(s.DHCP.Pool) == 0 && !c.faulty["dhcp.pool"] {
		c.fault("dhcp.pool", "nothing", `a list of ranges such as ["10.77.1.1-10.77.3.250"] while dhcp.enabled is true`)
	}
	total := 0
	for i, r := range s.DHCP.Pool {
		if !r.First.IsValid() {
			continue
		}
		key := fmt.Sprintf("dhcp.pool[%d]", i)
		found := formatRange(r)
		total += r.size()
		c.poolPlace(key, r)
		for j, other := range s.DHCP.Pool[:i] {
			if other.First.IsValid() && !other.Last.Less(r.First) && !r.Last.Less(other.First) {
				c.fault(key, fmt.Sprintf("%s, which overlaps dhcp.pool[%d]", found, j), "ranges that do not overlap")
			}
		}
	}
	for _, sub := range s.DHCP.Subnets {
		for _, r := range sub.Pool {
			if r.First.IsValid() {
				total += r.size()
			}
		}
	}
	if total > maxPool {
		c.fault("dhcp.pool", fmt.Sprintf("%d addresses", total), fmt.Sprintf("up to %d addresses in all ranges", maxPool))
	}
}

// poolPlace compares a range with the subnet, the box and the gateway.
func (c *checker) poolPlace(key string, r Range) {
	net, ok := c.subnet()
	if !ok {
		return
	}
	found := formatRange(r)
	switch {
	case !net.Contains(r.First) || !net.Contains(r.Last):
		c.fault(key, found, "a range within the network "+net.Masked().String())
	case r.Contains(net.Masked().Addr()) || r.Contains(broadcastOf(net)):
		c.fault(key, found, "a range without the first and the last address of the network "+net.Masked().String())
	case r.Contains(net.Addr()):
		c.fault(key, found+", which holds the box "+net.Addr().String(), "a range without the box")
	}
	if gw := c.site.Network.Gateway; gw.IsValid() && r.Contains(gw) {
		c.fault(key, found+", which holds network.gateway "+gw.String(), "a range without the gateway")
	}
}

// size returns how many addresses a range has.
func (r Range) size() int {
	a, b := r.First.As4(), r.Last.As4()
	n := func(x [4]byte) int { return int(x[0])<<24 | int(x[1])<<16 | int(x[2])<<8 | int(x[3]) }
	return n(b) - n(a) + 1
}

// Contains reports whether the address lies in the range.
func (r Range) Contains(a netip.Addr) bool {
	return r.First.IsValid() && !a.Less(r.First) && !r.Last.Less(a)
}

// poolOf returns the index of the pool's range that holds an address, and false when none does.
func (c *checker) poolOf(a netip.Addr) (int, bool) {
	i := slices.IndexFunc(c.site.DHCP.Pool, func(r Range) bool { return r.Contains(a) })
	return i, i >= 0
}

// hosts warns of hosts whose address could be given to a phone.
func (c *checker) hosts() {
	for _, name := range slices.Sorted(maps.Keys(c.site.DNS.Hosts)) {
		a := c.site.DNS.Hosts[name]
		if i, in := c.poolOf(a); in && !c.reserved(a) {
			c.warn("dns.hosts."+name, fmt.Sprintf("%s, which dhcp.pool[%d] may give to a phone", a, i), "an address outside of dhcp.pool")
		}
	}
	for i, up := range c.site.DNS.Upstream {
		if net, ok := c.subnet(); ok && up.Addr.IsValid() && up.Addr.Addr() == net.Addr() {
			c.fault(fmt.Sprintf("dns.upstream[%d]", i), up.Addr.Addr().String()+", the box itself", "another name server")
		}
	}
}

func (c *checker) reserved(a netip.Addr) bool {
	return slices.ContainsFunc(c.site.Phones, func(p Phone) bool { return p.Address == a })
}

// names warns of names that nothing could resolve.
func (c *checker) names() {
	if c.site.Time.Enabled {
		for i, host := range c.site.Time.Upstream {
			c.resolvable(fmt.Sprintf("time.upstream[%d]", i), host)
		}
	}
	c.resolvable("sip.proxy", c.site.SIP.Proxy)
}

func (c *checker) resolvable(key, host string) {
	if _, isAddr := parseAddr(host); isAddr || host == "" {
		return
	}
	s := c.site
	name, local := s.Local(host)
	switch {
	case local && s.DNS.Enabled && !s.knows(name):
		c.warn(key, quote(host)+", which nobody can resolve", "an address, or a name of dns.hosts in "+s.Network.Domain)
	case local && s.DNS.Enabled:
	case s.DNS.Names[strings.ToLower(strings.TrimSuffix(host, "."))] != "" && s.DNS.Enabled:
	case len(s.DNS.Upstream) == 0:
		c.warn(key, quote(host)+", which nobody can resolve while dns.upstream is empty", "an address, a name of dns.hosts, or a name server in dns.upstream")
	}
}

// Local returns a host name relative to network.domain, and whether it lies in that zone. A name without a dot does: the
// phones append the domain.
func (s *Site) Local(host string) (name string, local bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case host == s.Network.Domain:
		return "", true
	case !strings.Contains(host, "."):
		return host, true
	}
	return strings.CutSuffix(host, "."+s.Network.Domain)
}

// knows reports whether the local zone has a name: the box ("" too), a host or a phone.
func (s *Site) knows(name string) bool {
	if _, ok := s.DNS.Hosts[name]; ok || name == "" || slices.Contains(BoxNames(), name) {
		return true
	}
	for rescued := range s.DNS.Names {
		if local, ok := s.Local(rescued); ok && local == name {
			return true
		}
	}
	return slices.ContainsFunc(s.Phones, func(p Phone) bool {
		return name == HostName(p.Label) || name == "sep"+strings.ToLower(p.MAC.Name())
	})
}

// HostName turns a label into a name of the zone: lower case, every run of other characters a hyphen. It returns "" when
// nothing is left.
func HostName(label string) string {
	parts := strings.FieldsFunc(strings.ToLower(label), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
	name := strings.Join(parts, "-")
	return strings.TrimRight(name[:min(len(name), 63)], "-")
}

// zone warns of a time zone that the phones cannot follow.
func (c *checker) zone(key, name string) {
	if c.opts.CheckZone == nil || name == "" || c.faulty[key] {
		return
	}
	if warning := c.opts.CheckZone(name); warning != "" {
		c.warn(key, quote(name)+" ("+warning+")", "a zone that the phones can follow, or a clock that is wrong at times")
	}
}

// parameters asks the catalogue about the names and values of .cnf parameters.
func (c *checker) parameters(path, scope string, params map[string]string) {
	c.eachOnce(path, params, func(key, name string) {
		if known := c.opts.KnownParameter; known != nil {
			if ok, meant := known(name, scope); !ok {
				c.fault(key, "an unknown parameter", allowedInstead(path, name, meant))
				return
			}
		}
		c.parameter(key, name, params[name])
	})
}

// eachOnce calls check for each name; one that stands there twice, in other letters, is a fault.
func (c *checker) eachOnce(path string, params map[string]string, check func(key, name string)) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		key := join(path, name)
		if first, twice := seen[strings.ToLower(name)]; twice {
			c.fault(key, "the parameter twice, also as "+first, "each parameter once; capital letters make no difference")
			continue
		}
		seen[strings.ToLower(name)] = name
		check(key, name)
	}
}

// allowedInstead says what may stand where a parameter is not allowed. A name that the catalogue knows can't be forced.
func allowedInstead(path, name, meant string) string {
	allowed := "a parameter of the phones that no other key sets"
	if meant != "" {
		allowed = meant + " (did you mean that?)"
	}
	if _, known := phone.LookUpParameter(name); known {
		return allowed
	}
	forced := "phones.forced"
	if strings.HasPrefix(path, "sip.") {
		forced = "sip.forced"
	}
	return allowed + "; " + forced + " takes names that nobody knows"
}

// forced checks names that the catalogue must not know: one that it knows would go round its checks there.
func (c *checker) forced(path string, params map[string]string) {
	c.eachOnce(path, params, func(key, name string) {
		p, known := phone.LookUpParameter(name)
		switch {
		case known && strings.EqualFold(name, "image_version"):
			c.fault(key, "a known parameter", "firmware.target, or load of a phone")
		case known && p.Reserved:
			c.fault(key, "a known parameter", "names that are not known; phonebox itself decides "+p.Name)
		case known:
			c.fault(key, "a known parameter", p.Name+" is known: put it under parameters")
		case SecretParameter(name) && params[name] == Mask:
			c.fault(key, "a masked password", "the password itself")
		}
	})
}

func (c *checker) parameter(key, name, value string) {
	secret := SecretParameter(name)
	if secret && value == Mask {
		c.fault(key, "a masked password", "the password itself")
		return
	}
	if c.opts.CheckParameter == nil {
		return
	}
	allowed, warning := c.opts.CheckParameter(name, value)
	switch {
	case allowed != "":
		c.fault(key, shown(value, secret), allowed)
	case warning != "":
		c.warn(key, shown(value, secret)+" ("+warning+")", "a value within the phones' guide")
	}
}
