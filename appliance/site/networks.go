package site

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// subnetKeys describes the keys of a [[dhcp.subnet]] entry.
func subnetKeys() []key[Subnet] {
	network := scalar("network", KindText, func(s *Subnet) *netip.Prefix { return &s.Network }, parseNetwork, formatPrefix)
	gateway := scalar("gateway", KindText, func(s *Subnet) *netip.Addr { return &s.Gateway }, parseOptionalAddr, formatAddr)
	pool := list("pool", func(s *Subnet) *[]Range { return &s.Pool }, parseRange, formatRange)
	lease := scalar("lease", KindText, func(s *Subnet) *time.Duration { return &s.Lease }, parseOptionalLease, formatOptionalLease)
	circuit := list("circuit", func(s *Subnet) *[]string { return &s.Circuit }, parseCircuit, same)
	return []key[Subnet]{
		text("name", func(s *Subnet) *string { return &s.Name }, parseName).
			about("Name", "a text of 1 to 64 characters", "Where the network is.").such("Warehouse"),
		network.about("Network", "an IPv4 network with its length (8 to 30), such as 10.78.0.0/24", "The network behind the relay.").such("10.78.0.0/24"),
		gateway.about("Router", "an IPv4 address of that network, or an empty text for none", "The router that its phones are told of, usually the relay.").such("10.78.0.1"),
		pool.about("Addresses to give", "a range of IPv4 addresses such as 10.78.0.50-10.78.0.250", "Ranges of addresses for clients in that network.").such("10.78.0.50-10.78.0.250"),
		lease.about("Lease", "a duration from 10s to 744h such as 8h, or an empty text for dhcp.lease", "How long a client there may keep its address.").such("2h").in(unitDuration),
		circuit.about("Circuits", "a text of 1 to 255 printable characters, or 0x and hex digits", "The pool is for clients behind these ports of the relay alone (option 82). Empty: for all.").such("Gi1/0/1"),
	}
}

// classKeys describes the keys of a [[dhcp.class]] entry but its options.
func classKeys() []key[Class] {
	macs := list("macs", func(c *Class) *[]phone.MAC { return &c.MACs }, parseMAC, phone.MAC.String)
	return []key[Class]{
		text("name", func(c *Class) *string { return &c.Name }, parseName).
			about("Name", "a text of 1 to 64 characters", "What these clients are.").such("Yealink"),
		text("vendor_class", func(c *Class) *string { return &c.VendorClass }, parseText).
			about("Vendor class", "a printable text of up to 255 characters", "What option 60 of the clients begins with. Empty: anything.").such("yealink"),
		choice("model", func(c *Class) *string { return &c.Model }, "", "7940", "7960").
			about("Model", "7940, 7960 or an empty text", "Listed phones of this model. Empty: anything.").such("7960").means("any model", "7940", "7960"),
		macs.about("MACs", "an Ethernet address such as 00:06:D7:AA:2A:2E", "Only these clients. Empty: any.").such("00:15:65:00:00:01"),
	}
}

// parseNetwork takes a network; host bits are an error of writing that would hide which network was meant.
func parseNetwork(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() || p.Bits() < 8 || p.Bits() > 30 || p != p.Masked() || p.Addr().IsMulticast() || p.Addr().IsUnspecified() {
		return netip.Prefix{}, false
	}
	return p, true
}

// parseOptionalLease takes "" as no duration of its own.
func parseOptionalLease(s string) (time.Duration, bool) {
	if s == "" {
		return 0, true
	}
	return parseLease(s)
}

func formatOptionalLease(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return formatLease(d)
}

// parseCircuit takes a circuit id in the notation in which the page shows it.
func parseCircuit(s string) (string, bool) {
	if digits, isHex := strings.CutPrefix(s, "0x"); isHex {
		b, err := hex.DecodeString(digits)
		plain := strings.IndexFunc(string(b), func(r rune) bool { return r < ' ' || r > '~' }) < 0
		if plain && !strings.HasPrefix(string(b), "0x") {
			return string(b), err == nil && len(b) > 0 && len(b) <= longestText // one notation for one circuit
		}
		return "0x" + strings.ToLower(digits), err == nil && len(b) <= longestText
	}
	v, ok := parseText(s)
	return v, ok && v != ""
}

func (d *decoder) subnets(n *node) {
	d.site.DHCP.Subnets = decodeList(d, n, "dhcp.subnet", subnetKeys())
}

// classes decodes the [[dhcp.class]] entries.
func (d *decoder) classes(n *node) {
	for i, entry := range d.entries(n, "dhcp.class", "[[dhcp.class]]") {
		path := fmt.Sprintf("dhcp.class[%d]", i)
		d.site.DHCP.Classes = append(d.site.DHCP.Classes, Class{})
		if entry == nil {
			continue
		}
		d.lines[path] = entry.line
		c := &d.site.DHCP.Classes[i]
		options := func(n *node) { c.Options = d.options(n, path+".options") }
		decodeTable(d, entry, path, "", classKeys(), c, map[string]func(*node){"options": options})
	}
}

func cloneSubnets(in []Subnet) []Subnet {
	out := slices.Clone(in)
	for i := range out {
		out[i].Pool, out[i].Circuit = slices.Clone(out[i].Pool), slices.Clone(out[i].Circuit)
	}
	return out
}

func cloneClasses(in []Class) []Class {
	out := slices.Clone(in)
	for i := range out {
		out[i].MACs, out[i].Options = slices.Clone(out[i].MACs), maps.Clone(out[i].Options)
		for code, o := range out[i].Options {
			out[i].Options[code] = Option{o.Text, slices.Clone(o.Addresses), slices.Clone(o.Bytes)}
		}
	}
	return out
}
