package site

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// The most entries of the lists of networks and classes: each is looked at for every packet.
const (
	maxSubnets = 250
	maxClasses = 100
)

// maxClassOptions bounds the options of one class, in bytes of a packet.
const maxClassOptions = 900

// subnets checks the networks behind relays.
func (c *checker) subnets() {
	const list = "dhcp.subnet"
	if c.tooMany(list, len(c.site.DHCP.Subnets), maxSubnets) {
		return
	}
	for i := range c.site.DHCP.Subnets {
		s, path := &c.site.DHCP.Subnets[i], fmt.Sprintf("%s[%d]", list, i)
		if c.faulty[path] {
			continue
		}
		c.required(list, path, "name", s.Name, "where the network is")
		c.required(list, path, "network", formatPrefix(s.Network), "the network behind the relay, such as 10.78.0.0/24")
		if !s.Network.IsValid() {
			continue
		}
		c.subnetPlace(path, s)
		c.subnetPool(path, s)
		for j := range i {
			c.subnetPair(path, s, &c.site.DHCP.Subnets[j], fmt.Sprintf("%s[%d]", list, j))
		}
	}
}

// subnetPlace checks the network itself and its router.
func (c *checker) subnetPlace(path string, s *Subnet) {
	if net, ok := c.subnet(); ok && net.Overlaps(s.Network) {
		c.fault(path+".network", fmt.Sprintf("%s, which overlaps the box's own network %s", s.Network, net.Masked()), "a network behind a relay")
	}
	switch gw := s.Gateway; {
	case !gw.IsValid():
	case !s.Network.Contains(gw):
		c.fault(path+".gateway", fmt.Sprintf("%s, outside of the network %s", gw, s.Network), "an address of that network, or an empty text")
	case gw == s.Network.Addr() || gw == broadcastOf(s.Network):
		c.fault(path+".gateway", fmt.Sprintf("%s, the first or last address of the network %s", gw, s.Network), "another address of that network, or an empty text")
	}
	seen := map[string]bool{}
	for n, id := range s.Circuit {
		if seen[id] {
			c.fault(fmt.Sprintf("%s.circuit[%d]", path, n), quote(id)+" twice", "each circuit once")
		}
		seen[id] = true
	}
}

// subnetPool checks the ranges of one network.
func (c *checker) subnetPool(path string, s *Subnet) {
	for i, r := range s.Pool {
		if !r.First.IsValid() {
			continue
		}
		key, found := fmt.Sprintf("%s.pool[%d]", path, i), formatRange(r)
		switch {
		case !s.Network.Contains(r.First) || !s.Network.Contains(r.Last):
			c.fault(key, found, "a range within the network "+s.Network.String())
		case r.Contains(s.Network.Addr()) || r.Contains(broadcastOf(s.Network)):
			c.fault(key, found, "a range without the first and the last address of the network "+s.Network.String())
		case s.Gateway.IsValid() && r.Contains(s.Gateway):
			c.fault(key, found+", which holds the gateway "+s.Gateway.String(), "a range without the gateway")
		}
		for j, other := range s.Pool[:i] {
			if overlap(r, other) {
				c.fault(key, fmt.Sprintf("%s, which overlaps %s.pool[%d]", found, path, j), "ranges that do not overlap")
			}
		}
	}
}

// subnetPair compares two entries: they may be one network when each circuit and each address belongs to one of them.
func (c *checker) subnetPair(path string, s, other *Subnet, otherPath string) {
	switch {
	case !other.Network.IsValid() || !s.Network.Overlaps(other.Network):
		return
	case s.Network != other.Network:
		c.fault(path+".network", fmt.Sprintf("%s, which overlaps %s of %s", s.Network, other.Network, otherPath), "networks that do not overlap")
		return
	case len(s.Circuit) == 0 && len(other.Circuit) == 0:
		c.fault(path+".network", fmt.Sprintf("%s, also in %s, and neither has a circuit", s.Network, otherPath), "each network once, or with circuits that tell the entries apart")
		return
	}
	for n, id := range s.Circuit {
		if slices.Contains(other.Circuit, id) {
			c.fault(fmt.Sprintf("%s.circuit[%d]", path, n), quote(id)+", also in "+otherPath, "each circuit of a network once")
		}
	}
	for n, r := range s.Pool {
		for m, q := range other.Pool {
			if overlap(r, q) {
				c.fault(fmt.Sprintf("%s.pool[%d]", path, n), fmt.Sprintf("%s, which overlaps %s.pool[%d]", formatRange(r), otherPath, m), "ranges that do not overlap")
			}
		}
	}
}

func overlap(a, b Range) bool {
	return a.First.IsValid() && b.First.IsValid() && !b.Last.Less(a.First) && !a.Last.Less(b.First)
}

// subnetOf returns the entry whose network an address lies in.
func (c *checker) subnetOf(a netip.Addr) (int, bool) {
	i := slices.IndexFunc(c.site.DHCP.Subnets, func(s Subnet) bool { return s.Network.IsValid() && s.Network.Contains(a) })
	return i, i >= 0
}

// reservedInSubnet checks a phone's own address that lies in the network of the i-th entry.
func (c *checker) reservedInSubnet(key string, a netip.Addr, i int) {
	s := &c.site.DHCP.Subnets[i]
	const allowed = "another address of that network, or an empty text"
	switch {
	case a == s.Network.Addr() || a == broadcastOf(s.Network):
		c.fault(key, fmt.Sprintf("%s, the first or last address of the network %s", a, s.Network), allowed)
	case a == s.Gateway:
		c.fault(key, fmt.Sprintf("%s, which is dhcp.subnet[%d].gateway", a, i), allowed)
	}
	for n, other := range c.site.DHCP.Subnets {
		for m, r := range other.Pool {
			if r.Contains(a) {
				c.fault(key, fmt.Sprintf("%s, which dhcp.subnet[%d].pool[%d] gives to any phone", a, n, m), "an address outside of the pools, or an empty text")
			}
		}
	}
}

// classes checks the options for kinds of clients.
func (c *checker) classes() {
	const list = "dhcp.class"
	if c.tooMany(list, len(c.site.DHCP.Classes), maxClasses) {
		return
	}
	names := map[string]int{}
	for i := range c.site.DHCP.Classes {
		class, path := &c.site.DHCP.Classes[i], fmt.Sprintf("%s[%d]", list, i)
		if c.faulty[path] {
			continue
		}
		c.required(list, path, "name", class.Name, "what these clients are")
		if first, twice := names[strings.ToLower(class.Name)]; twice && class.Name != "" {
			c.fault(path+".name", fmt.Sprintf("%s, also in %s[%d]", quote(class.Name), list, first), "each name once")
		}
		names[strings.ToLower(class.Name)] = i
		if len(class.Options) == 0 && !c.faultyBelow(path+".options") {
			c.warn(path, "a class without options", "options under [dhcp.class.options]; without them it changes nothing")
		}
		c.classOptions(path, class)
	}
}

// classOptions checks what only shows with the class's conditions, and the size.
func (c *checker) classOptions(path string, class *Class) {
	size := 0
	for code, o := range class.Options {
		size += o.size()
		if code != 66 && code != 150 {
			continue
		}
		if why := c.mayMeetOurs(class); why != "" {
			c.fault(fmt.Sprintf("%s.options.%d", path, code), fmt.Sprintf("option %d for %s", code, why),
				"66 and 150 for other makes only, with a vendor_class or macs: a 7940 or 7960 gets the box in 66, 150 and siaddr, always")
		}
	}
	if size > maxClassOptions {
		c.fault(path+".options", fmt.Sprintf("%d bytes", size), fmt.Sprintf("up to %d bytes of options in one class", maxClassOptions))
	}
}

// mayMeetOurs says how a 7940 or 7960 could be of the class; "" when it cannot.
func (c *checker) mayMeetOurs(class *Class) string {
	switch {
	case class.Model != "":
		return "the " + class.Model
	case class.VendorClass != "" && phone.MayBeVendorClass(class.VendorClass):
		return "the vendor class " + quote(class.VendorClass) + ", with which that of a 7940 or 7960 begins"
	case class.VendorClass != "":
		return ""
	case len(class.MACs) == 0:
		return "every client"
	}
	for _, mac := range class.MACs {
		if c.site.phoneIndex(mac) >= 0 {
			return mac.String() + ", which is a listed phone"
		}
	}
	return ""
}

func (c *checker) faultyBelow(path string) bool {
	for key := range c.faulty {
		if key == path || strings.HasPrefix(key, path+".") {
			return true
		}
	}
	return c.faulty["dhcp.class.options"]
}
