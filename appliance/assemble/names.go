package assemble

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"phonebox/appliance/site"
	"phonebox/services/dhcp"
	"phonebox/services/dns"
	"phonebox/services/phone"
)

// Who has a name of the zone, the first that fits:
//   - the box and what the settings name (dns.hosts, dns.names): no device can have these;
//   - a listed phone by its label, of several with one label the first in the settings, whether it is there or not;
//   - sep<mac> and sip<mac>: the device with that MAC alone;
//   - what a device calls itself in DHCP (option 12), of several the first that had a lease, for as long as it has one.
//
// A name leads to the address while the lease runs; of a device with an address of its own, to where it was last seen.

// unfitNames may not come from a device. What asks for wpad takes its proxy from there (CERT VU#598349), and isatap a
// router; localhost is the machine that asks.
func unfitNames() []string { return []string{"wpad", "isatap", "localhost", "_tcp", "_udp"} }

// takenNames are the names within the zone that no device can have, label or not.
func takenNames(s *site.Site) map[string]bool {
	taken := map[string]bool{}
	for _, name := range slices.Concat(site.BoxNames(), []string{"ciscocm2"}, unfitNames(), slices.Collect(maps.Keys(s.DNS.Hosts))) {
		taken[name] = true
	}
	for name := range s.DNS.Names {
		if local, ok := s.Local(name); ok {
			taken[local] = true
		}
	}
	return taken
}

// servers are names within the zone that the settings say to ask: a device that calls itself so would be told the phones'
// registrations or would tell the time.
func servers(s *site.Site) map[string]bool {
	out := map[string]bool{}
	hosts := append([]string{s.SIP.Proxy}, s.Time.Upstream...)
	for i := range s.Phones {
		for _, l := range s.Phones[i].Lines {
			hosts = append(hosts, l.Proxy)
		}
	}
	for _, host := range hosts {
		if name, local := s.Local(host); local {
			out[name] = true
		}
	}
	return out
}

// nameByLabel gives a listed phone the name that its label makes.
func (ix *index) nameByLabel(p *site.Phone) {
	host := site.HostName(p.Label)
	if host == "" || ix.taken[host] {
		return
	}
	if mac, ok := macName(host); ok && mac != p.MAC {
		return
	}
	if _, taken := ix.byName[host]; !taken {
		ix.byName[host], ix.hostOf[p.MAC] = p.MAC, host
	}
}

// macName reads sep<mac> and sip<mac>, as the phones call themselves (phones.md b).
func macName(name string) (phone.MAC, bool) {
	for _, prefix := range []string{"sep", "sip"} {
		if digits, ok := strings.CutPrefix(name, prefix); ok && len(digits) == 12 {
			mac, err := phone.ParseMAC(digits)
			return mac, err == nil
		}
	}
	return phone.MAC{}, false
}

// ownName is the name that a device may have of what it calls itself; "" = none.
func (ix *index) ownName(mac phone.MAC, hostname string) string {
	hostname, _, _ = strings.Cut(hostname, ".")
	name := site.HostName(hostname)
	if ix.taken[name] || ix.servers[name] || mac.IsZero() {
		return ""
	}
	if of, ok := macName(name); ok && of != mac {
		return ""
	}
	if of, ok := ix.byName[name]; ok && of != mac {
		return ""
	}
	return name
}

// sameNames reports whether two sites give the phones the same names.
func (ix *index) sameNames(old *index) bool {
	return old != nil && maps.Equal(ix.byName, old.byName) && maps.Equal(ix.taken, old.taken) && maps.Equal(ix.servers, old.servers)
}

// setIndex puts a site in force for all that looks something up in it.
func (b *Box) setIndex(s *site.Site) {
	next := makeIndex(s)
	if old := b.index.Swap(next); !next.sameNames(old) {
		b.nameChanges.Add(1)
	}
}

// names are the devices in the DNS zone.
type names struct{ b *Box }

// Lookup implements [dns.Names].
func (n names) Lookup(name string) (netip.Addr, bool) {
	ix := n.b.index.Load()
	if mac, ok := ix.byName[name]; ok {
		return n.b.namedAt(mac)
	}
	if ix.taken[name] {
		return netip.Addr{}, false
	}
	if mac, ok := macName(name); ok {
		return n.b.namedAt(mac)
	}
	mac, ok := n.b.calls.of(n.b, name)
	if !ok {
		return netip.Addr{}, false
	}
	l, ok := n.b.dhcp.LeaseFor(mac)
	if !ok || ix.ownName(mac, l.Hostname) != name {
		return netip.Addr{}, false
	}
	return l.Address, true
}

// Reverse implements [dns.Names]. The name leads back to the address.
func (n names) Reverse(addr netip.Addr) (string, bool) {
	ix := n.b.index.Load()
	l, leased := n.b.dhcp.LeaseOf(addr)
	mac := l.MAC
	if !leased {
		mac = n.b.whose(addr)
	}
	if mac.IsZero() {
		return "", false
	}
	if at, ok := n.b.namedAt(mac); !ok || at != addr {
		return "", false
	}
	if host, ok := ix.hostOf[mac]; ok {
		return host, true
	}
	if own := ix.ownName(mac, l.Hostname); own != "" {
		if holder, ok := n.b.calls.of(n.b, own); ok && holder == mac {
			return own, true
		}
	}
	return "sep" + strings.ToLower(mac.Name()), true
}

// namedAt returns where the name of a device leads: to its lease, else to where it was last seen since it had one, unless
// that is another's by now.
func (b *Box) namedAt(mac phone.MAC) (netip.Addr, bool) {
	if l, ok := b.dhcp.LeaseFor(mac); ok {
		return l.Address, true
	}
	p, ok := b.journal.Phone(mac)
	if !ok || !p.Address.IsValid() || b.whose(p.Address) != mac {
		return netip.Addr{}, false
	}
	return p.Address, true
}

// maxCalls bounds the names of leases; there are no more leases in a pool.
const maxCalls = 1 << 16

// maxContested bounds the names that are remembered because several wanted them. Beyond it all are forgotten: then one
// that gets free goes to a device that wants it when that renews its lease.
const maxContested = 1 << 12

// calls are the names that devices with a lease give themselves. Whether a lease still runs the DHCP server knows.
type calls struct {
	mu        sync.Mutex
	holder    map[string]phone.MAC
	name      map[phone.MAC]string
	contested map[string]bool // somebody else calls itself so, too
	filled    bool
}

// heard follows an event of the DHCP server, and reports whether names may lead elsewhere since.
func (c *calls) heard(ix *index, e *dhcp.Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Kind {
	case dhcp.EventAck:
		return c.take(e.MAC, ix.ownName(e.MAC, e.Hostname)) || !e.Renewal
	case dhcp.EventRelease, dhcp.EventExpire, dhcp.EventDecline:
		c.drop(e.MAC)
		return true
	default:
		return false
	}
}

// take gives a device a name, unless another has it.
func (c *calls) take(mac phone.MAC, name string) (changed bool) {
	if c.name[mac] == name || mac.IsZero() {
		return false
	}
	changed = c.drop(mac)
	if name == "" || len(c.name) >= maxCalls {
		return changed
	}
	if c.holder == nil {
		c.holder, c.name, c.contested = map[string]phone.MAC{}, map[phone.MAC]string{}, map[string]bool{}
	}
	if _, taken := c.holder[name]; taken {
		if len(c.contested) >= maxContested {
			clear(c.contested)
		}
		c.contested[name] = true
		return changed
	}
	c.holder[name], c.name[mac] = mac, name
	return true
}

func (c *calls) drop(mac phone.MAC) (had bool) {
	name, had := c.name[mac]
	if had {
		delete(c.name, mac)
		delete(c.holder, name)
	}
	return had
}

// of returns who has a name. The leases that were there at the start are looked through once, and so they are when a
// name that several wanted has become free.
func (c *calls) of(b *Box, name string) (phone.MAC, bool) {
	c.mu.Lock()
	holder, ok := c.holder[name]
	look := !ok && c.contested[name]
	if !c.filled {
		select {
		case <-b.dhcp.Ready(): // its leases are loaded
			c.filled, look = true, true
		default:
		}
	}
	if !look {
		c.mu.Unlock()
		return holder, ok
	}
	delete(c.contested, name)
	c.mu.Unlock()
	ix, leases := b.index.Load(), b.dhcp.Leases()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range leases {
		c.take(l.MAC, ix.ownName(l.MAC, l.Hostname))
	}
	holder, ok = c.holder[name]
	return holder, ok
}

var _ dns.Names = names{}
