package netdev

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

const (
	// foreignHosts is how many hosts of another network within foreignWindow make it one; foreignAskers is how many that
	// ask for the same address make that the gateway. One stray host is a laptop with a fixed address.
	foreignHosts  = 3
	foreignAskers = 2
	foreignWindow = 10 * time.Minute
	// foreignMemory is how long a network that is silent is remembered.
	foreignMemory = 30 * time.Minute
	// The bounds of the memory.
	maxForeignNets  = 32
	maxForeignHosts = 16
)

// foreign collects signs of an IPv4 network on the wire that is not the box's: what its hosts ask by ARP, and what DHCP
// servers offer. They say that the box is on the wrong VLAN, or that two networks share one.
type foreign struct {
	mu   sync.Mutex
	now  func() time.Time
	nets map[netip.Prefix]*foreignNet // by /24, for ARP does not tell how long the prefix is
	own  time.Time                    // when a host of the box's own network was heard last
}

// foreignNet is what was heard of one /24.
type foreignNet struct {
	last    time.Time
	sure    bool // enough was heard to name it
	hosts   map[phone.MAC]time.Time
	asked   map[netip.Addr]map[phone.MAC]time.Time // who asked for an address
	prefix  netip.Prefix                           // as a DHCP server told it
	gateway netip.Addr                             // likewise
}

// otherNetwork is a network that is not the box's; not valid = none is known.
type otherNetwork struct {
	prefix  netip.Prefix
	gateway netip.Addr // not valid = not known
	shared  bool       // hosts of the box's own network are on the same wire
}

func newForeign() *foreign {
	return &foreign{now: time.Now, nets: make(map[netip.Prefix]*foreignNet)}
}

// hear takes an ARP packet of another host in and reports whether what is known changed with it.
func (f *foreign) hear(own netip.Prefix, p arpPacket) bool {
	if !p.SenderIP.IsGlobalUnicast() || p.SenderIP.As4()[0] == 0 { // nor 169.254/16: such a host has found no network
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if own.Contains(p.SenderIP) {
		f.own = now
		return false
	}
	n := f.of(p.SenderIP, now)
	if n == nil {
		return false
	}
	note(n.hosts, p.SenderMAC, now)
	if p.Op == arpRequest && p.TargetIP != p.SenderIP && !own.Contains(p.TargetIP) {
		if n.asked[p.TargetIP] == nil && len(n.asked) < maxForeignHosts {
			n.asked[p.TargetIP] = make(map[phone.MAC]time.Time)
		}
		if askers := n.asked[p.TargetIP]; askers != nil {
			note(askers, p.SenderMAC, now)
		}
	}
	before := n.sure
	n.sure = n.sure || recent(n.hosts, now) >= foreignHosts
	for _, askers := range n.asked {
		n.sure = n.sure || recent(askers, now) >= foreignAskers
	}
	return n.sure != before
}

// offered takes what a DHCP server tells a client of the network in.
func (f *foreign) offered(own, prefix netip.Prefix, gateway netip.Addr) bool {
	if !prefix.IsValid() || own.Overlaps(prefix) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.of(prefix.Addr(), f.now())
	if n == nil {
		return false
	}
	changed := !n.sure || n.prefix != prefix.Masked() || n.gateway != gateway
	n.sure, n.prefix, n.gateway = true, prefix.Masked(), gateway
	return changed
}

// of returns the entry of an address, nil where there is no room; the caller holds the lock.
func (f *foreign) of(addr netip.Addr, now time.Time) *foreignNet {
	key := netip.PrefixFrom(addr, 24).Masked()
	n := f.nets[key]
	if n == nil {
		f.tidy(now)
		if len(f.nets) >= maxForeignNets {
			return nil
		}
		n = &foreignNet{hosts: make(map[phone.MAC]time.Time), asked: make(map[netip.Addr]map[phone.MAC]time.Time)}
		f.nets[key] = n
	}
	n.last = now
	return n
}

// tidy forgets; the caller holds the lock.
func (f *foreign) tidy(now time.Time) {
	for key, n := range f.nets {
		if now.Sub(n.last) >= foreignMemory {
			delete(f.nets, key)
		}
	}
}

// note remembers a host, in place of the one that was silent longest where there is no room.
func note(hosts map[phone.MAC]time.Time, mac phone.MAC, now time.Time) {
	if _, known := hosts[mac]; !known && len(hosts) >= maxForeignHosts {
		oldest := mac
		for m, at := range hosts {
			if oldest == mac || at.Before(hosts[oldest]) {
				oldest = m
			}
		}
		delete(hosts, oldest)
	}
	hosts[mac] = now
}

func recent(hosts map[phone.MAC]time.Time, now time.Time) (n int) {
	for _, at := range hosts {
		if now.Sub(at) < foreignWindow {
			n++
		}
	}
	return n
}

// network returns the network that most hosts are of.
func (f *foreign) network() otherNetwork {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	f.tidy(now)
	var best *foreignNet
	var key netip.Prefix
	for k, n := range f.nets {
		if !n.sure {
			continue
		}
		if best == nil || len(n.hosts) > len(best.hosts) || (len(n.hosts) == len(best.hosts) && k.Addr().Less(key.Addr())) {
			best, key = n, k
		}
	}
	if best == nil {
		return otherNetwork{}
	}
	o := otherNetwork{prefix: key, gateway: best.gateway, shared: !f.own.IsZero() && now.Sub(f.own) < foreignMemory}
	if best.prefix.IsValid() {
		o.prefix = best.prefix
	}
	most := foreignAskers - 1
	for addr, askers := range best.asked {
		if best.gateway.IsValid() {
			break
		}
		if len(askers) > most || (len(askers) == most && o.gateway.IsValid() && addr.Less(o.gateway)) {
			most, o.gateway = len(askers), addr
		}
	}
	return o
}

// reset forgets all: the wire, or the box's own network, may be another.
func (f *foreign) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.nets)
	f.own = time.Time{}
}

// text says it to a person.
func (o otherNetwork) text(own netip.Prefix) string {
	name := o.prefix.String()
	if o.gateway.IsValid() {
		name += " (gateway " + o.gateway.String() + ")"
	}
	if o.shared {
		return fmt.Sprintf("hosts of another network, %s, are on this wire beside those of %s", name, own.Masked())
	}
	return fmt.Sprintf("this wire looks like the network %s, not %s: is the box on the right VLAN?", name, own.Masked())
}

// offered notes the network that a DHCP server tells its clients, where it is not the box's.
func (d *Device) offered(cfg Config, f udpFrame) bool {
	prefix, gateway := networkIn(f.Payload)
	return d.foreign.offered(cfg.Address, prefix, gateway)
}

// networkIn reads the network and its gateway from a DHCP server's packet to a client; not valid where it names none.
func networkIn(payload []byte) (prefix netip.Prefix, gateway netip.Addr) {
	p, err := dhcpv4.FromBytes(payload)
	if err != nil {
		return netip.Prefix{}, netip.Addr{}
	}
	addr, ok := netip.AddrFromSlice(p.YourIPAddr)
	ones, bits := net.IPMask(p.SubnetMask()).Size()
	if !ok || !addr.Unmap().IsGlobalUnicast() || bits != 32 || ones == 0 {
		return netip.Prefix{}, netip.Addr{}
	}
	if routers := p.Router(); len(routers) > 0 {
		if a, ok := netip.AddrFromSlice(routers[0]); ok {
			gateway = a.Unmap()
		}
	}
	return netip.PrefixFrom(addr.Unmap(), ones).Masked(), gateway
}
