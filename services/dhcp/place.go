package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

// optSubnetSelection is the option by which a client or a relay names the network (RFC 3011).
const optSubnetSelection = 118

// network is one network with what its clients are told; by lease.Place.
type network struct {
	name     string // for people
	prefix   netip.Prefix
	pool     []lease.Range
	term     time.Duration
	circuits map[string]bool // nil = any
	options  []option        // sent when asked for, by code
}

// makeNetworks builds the networks: the box's own, and those behind relays.
func makeNetworks(cfg Config) []network {
	out := []network{makeNetwork(cfg, Subnet{Network: cfg.Server.Masked(), Gateway: cfg.Gateway, Pool: cfg.Pool})}
	for _, s := range cfg.Subnets {
		out = append(out, makeNetwork(cfg, s))
	}
	return out
}

func makeNetwork(cfg Config, s Subnet) network {
	n := network{name: s.Name, prefix: s.Network.Masked(), pool: s.Pool, term: s.Lease.Truncate(time.Second)}
	if n.term == 0 {
		n.term = cfg.Lease.Truncate(time.Second)
	}
	for _, text := range s.Circuit {
		if n.circuits == nil {
			n.circuits = make(map[string]bool)
		}
		id, _ := idBytes(text)
		n.circuits[string(id)] = true
	}
	n.options = optionsFor(cfg, n.prefix, s.Gateway)
	return n
}

// locate finds the client's place, and keeps it in the request. A network that is not served is a refusal. The order: the
// link that the relay names (RFC 3527), the subnet that the client or the relay names (RFC 3011), the relay's own
// address (RFC 2131 section 4.3.1), the address that the client has where it reached the box through a router, as
// renewals do, and else the box's own network.
func (st *settings) locate(r *request) *refusal {
	r.place, r.locatedBy = nowhere, st
	by, what := r.giaddr, "the relay"
	switch {
	case r.relay.link.IsValid():
		by, what = r.relay.link, "the link that the relay names,"
	case r.selected.IsValid():
		by, what = r.selected, "the subnet that option 118 names,"
	case !by.IsValid() && r.ciaddr.IsValid() && r.to == st.box:
		r.place = st.placeOf(r.ciaddr)
		return nil
	case !by.IsValid():
		r.place = lease.Home
		return nil
	}
	place, known := st.placeBehind(by, r.relay.circuit)
	switch {
	case place >= 0:
		r.place = place
		return nil
	case known:
		return refuse("foreign_circuit", "no pool of the network of %s is for the circuit %s", by, circuitText(r.relay.circuit))
	}
	return refuse("foreign_relay", "%s %s is outside of the networks that are served (%s)", what, by, st.served())
}

func circuitText(id []byte) string {
	if len(id) == 0 {
		return "(none was named)"
	}
	return idText(id)
}

// placeBehind finds the network that an address lies in: the entry for the circuit, else that for any. known tells that
// there is the network, whatever the circuit.
func (st *settings) placeBehind(by netip.Addr, circuit []byte) (place lease.Place, known bool) {
	place = -1
	for i := range st.networks {
		n := &st.networks[i]
		switch {
		case !n.prefix.Contains(by):
			continue
		case n.circuits == nil && place < 0:
			place = lease.Place(i)
		case n.circuits != nil && n.circuits[string(circuit)]:
			return lease.Place(i), true
		}
		known = true
	}
	return place, known
}

// placeOf finds the network of an address that a client has: the entry whose pool holds it, else the first. An address of
// no network is left to the judgement at home, which is that it is foreign.
func (st *settings) placeOf(addr netip.Addr) lease.Place {
	place := lease.Home
	for i := range st.networks {
		n := &st.networks[i]
		if !n.prefix.Contains(addr) {
			continue
		}
		if slices.ContainsFunc(n.pool, func(r lease.Range) bool { return r.Contains(addr) }) {
			return lease.Place(i)
		}
		if place == lease.Home {
			place = lease.Place(i)
		}
	}
	return place
}

// nowhere is the place of a client whose network is not served.
const nowhere lease.Place = -1

// placeFor returns the client's place. The settings may be others than those that it was located by: while a probe or the
// disk was waited for, networks may have come and gone.
func (st *settings) placeFor(r *request) lease.Place {
	if r.locatedBy != st {
		_ = st.locate(r) // then it is nowhere
	}
	return r.place
}

// network returns the client's network; the box's own when it is served no longer.
func (st *settings) network(r *request) *network {
	return &st.networks[max(st.placeFor(r), lease.Home)]
}

// onWire reports whether an address is one of the box's own wire, where ARP reaches it.
func (st *settings) onWire(addr netip.Addr) bool { return st.Server.Contains(addr) }

// served lists the networks for a sentence.
func (st *settings) served() string {
	const most = 8
	var out []string
	for _, n := range st.networks {
		if s := n.prefix.String(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if more := len(out) - most; more > 0 {
		return strings.Join(out[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(out, ", ")
}

// optionsFor builds what every client of a network may ask for, by code.
func optionsFor(cfg Config, prefix netip.Prefix, gateway netip.Addr) []option {
	var out []option
	add := func(code dhcpv4.OptionCode, value []byte) {
		if len(value) > 0 {
			out = append(out, option{code.Code(), value})
		}
	}
	mask := uint32(0xffffffff) << (32 - prefix.Bits())
	add(dhcpv4.OptionSubnetMask, []byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)})
	add(dhcpv4.OptionRouter, join(gateway))
	add(dhcpv4.OptionDomainNameServer, join(cfg.DNS...))
	add(dhcpv4.OptionDomainName, []byte(cfg.Domain))
	add(dhcpv4.OptionBroadcastAddress, lastOf(prefix).AsSlice())
	add(dhcpv4.OptionNTPServers, join(cfg.NTP...))
	return out
}
