package assemble

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"phonebox/appliance/clock"
	"phonebox/appliance/netdev"
	"phonebox/appliance/site"
	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
	"phonebox/services/dns"
	"phonebox/services/mdns"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/sip"
	"phonebox/services/sntp"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

// The ports of the services on a real interface.
const (
	portDHCP  = 67
	portTFTP  = 69
	portNTP   = 123
	portDNS   = 53
	portHTTP  = 80
	portHTTPS = 443
	// portTry is where the page of -try is looked for first.
	portTry = 8067
)

// plan is the site, translated: one Config for each part of the box.
type plan struct {
	netdev    netdev.Config
	clock     clock.Config
	dhcp      dhcp.Config
	tftp      tftp.Config
	sntp      sntp.Config
	dns       dns.Config
	mdns      mdns.Config
	web       web.Config
	sip       sip.Config
	provision provision.Config
	enabled   map[string]bool
}

// makePlan translates the site. It is the one way from the settings to the services.
func makePlan(s *site.Site, o Options, http netip.AddrPort) plan {
	box := s.Network.Address.Addr()
	at := func(addr netip.Addr, port uint16) netip.AddrPort {
		if o.Try {
			return netip.AddrPortFrom(box, 0)
		}
		return netip.AddrPortFrom(addr, port)
	}
	any4 := netip.IPv4Unspecified()
	iface := s.Network.Interface
	if o.Interface != "" {
		iface = o.Interface
	}
	if o.Try {
		iface = ""
	}
	p := plan{
		netdev: netdev.Config{
			Interface: iface, Address: s.Network.Address, Gateway: s.Network.Gateway, Manage: o.ManageAddress,
			// A password leaves on what the wire says now. What it said a moment ago would let a request pass that a
			// spoofer sends right after the phone's own, for the two may overtake the ARP packet that tells them apart.
			Freshness: time.Nanosecond,
		},
		clock: clockConfig(s, o),
		tftp:  tftp.Config{Listen: at(box, portTFTP), Interface: iface},
		sntp:  sntpConfig(s, o, at(any4, portNTP), iface),
		dns: dns.Config{
			Listen: at(box, portDNS), Interface: iface, Server: s.Network.Address, Domain: s.Network.Domain,
			Hosts: s.DNS.Hosts, Proxy: s.SIP.Proxy, ProxyPort: s.SIP.Port, Upstream: upstreams(s), TimeNames: s.Time.Upstream, Inside: inside(s),
			Proxies: lineProxies(s), NoTime: !s.Time.Enabled, Rescued: s.Rescued(),
		},
		mdns: mdnsConfig(s, iface, ""),
		sip:  sip.Config{Listen: netip.AddrPortFrom(box, 0)},
		enabled: map[string]bool{
			"dhcp": s.DHCP.Enabled, "tftp": true, "sntp": s.Time.Enabled, "dns": s.DNS.Enabled, "sip": s.SIP.Enabled, "web": true,
		},
	}
	for _, sub := range s.DHCP.Subnets {
		p.dns.Subnets = append(p.dns.Subnets, sub.Network)
	}
	p.dhcp = dhcpConfig(s, o, at(any4, portDHCP), iface)
	p.web = webConfig(s, o)
	p.provision = provisionConfig(s, http)
	return p
}

// lineProxies are the telephone systems of single lines.
func lineProxies(s *site.Site) []dns.Proxy {
	var out []dns.Proxy
	for i := range s.Phones {
		for _, l := range s.Phones[i].Lines {
			p := dns.Proxy{Host: l.Proxy, Port: l.Port}
			if p.Port == 0 {
				p.Port = s.SIP.Port
			}
			if p.Host != "" && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

func upstreams(s *site.Site) []dns.Upstream {
	var out []dns.Upstream
	for _, up := range s.DNS.Upstream {
		out = append(out, dns.Upstream(up))
	}
	return out
}

// inside are the names of the world that may lead into the phones' networks: what the settings say, and the telephone
// systems that they name.
func inside(s *site.Site) []string {
	out := slices.Clone(s.DNS.Inside)
	add := func(host string) {
		if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ".") && !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	add(s.SIP.Proxy)
	for _, p := range s.Phones {
		for _, l := range p.Lines {
			add(l.Proxy)
		}
	}
	return out
}

func clockConfig(s *site.Site, o Options) clock.Config {
	return clock.Config{Upstream: s.Time.Upstream, Manage: o.ManageClock, Floor: o.Built}
}

// sntpConfig broadcasts nothing with -try: on loopback nobody listens.
func sntpConfig(s *site.Site, o Options, listen netip.AddrPort, iface string) sntp.Config {
	c := sntp.Config{Listen: listen, Interface: iface, Server: s.Network.Address, Broadcast: s.Time.Broadcast}
	if o.Try {
		c.Broadcast = 0
	}
	for _, sub := range s.DHCP.Subnets {
		c.Networks = append(c.Networks, sub.Network)
	}
	return c
}

func dhcpConfig(s *site.Site, o Options, listen netip.AddrPort, iface string) dhcp.Config {
	box := s.Network.Address.Addr()
	c := dhcp.Config{
		Listen: listen, Interface: iface, Server: s.Network.Address, Gateway: s.Network.Gateway,
		Domain: s.Network.Domain, Lease: s.DHCP.Lease, PhonesOnly: s.DHCP.PhonesOnly, PingCheck: s.DHCP.PingCheck,
		Authoritative: s.DHCP.Authoritative, Relayed: o.Try,
	}
	if s.DNS.Enabled {
		c.DNS = []netip.Addr{box}
	}
	if s.Time.Enabled {
		c.NTP = []netip.Addr{box}
	}
	for _, r := range s.DHCP.Pool {
		c.Pool = append(c.Pool, lease.Range{First: r.First, Last: r.Last})
	}
	c.Subnets, c.Classes = dhcpSubnets(s), dhcpClasses(s)
	c.Models = make(map[phone.MAC]string)
	for _, p := range s.Phones {
		c.Known = append(c.Known, p.MAC)
		if p.Model != "" {
			c.Models[p.MAC] = p.Model
		}
		if p.Address.IsValid() {
			c.Reservations = append(c.Reservations, dhcp.Reservation{MAC: p.MAC, Address: p.Address})
		}
	}
	return c
}

func dhcpSubnets(s *site.Site) []dhcp.Subnet {
	var out []dhcp.Subnet
	for _, sub := range s.DHCP.Subnets {
		d := dhcp.Subnet{Name: sub.Name, Network: sub.Network, Gateway: sub.Gateway, Lease: sub.Lease, Circuit: sub.Circuit}
		for _, r := range sub.Pool {
			d.Pool = append(d.Pool, lease.Range{First: r.First, Last: r.Last})
		}
		out = append(out, d)
	}
	return out
}

func dhcpClasses(s *site.Site) []dhcp.Class {
	var out []dhcp.Class
	for _, class := range s.DHCP.Classes {
		d := dhcp.Class{Name: class.Name, VendorClass: class.VendorClass, Model: class.Model, MACs: class.MACs, Options: make(map[uint8]dhcp.Value)}
		for code, o := range class.Options {
			d.Options[code] = dhcp.Value(o)
		}
		out = append(out, d)
	}
	return out
}

func webConfig(s *site.Site, o Options) web.Config {
	box := s.Network.Address.Addr()
	c := web.Config{
		HTTP: netip.AddrPortFrom(box, portHTTP), HTTPS: netip.AddrPortFrom(box, portHTTPS),
		Server: s.Network.Address, Domain: s.Network.Domain, PlainHTTP: s.Web.PlainHTTP,
		CertDir: filepath.Join(o.Data, "certs"), Version: o.Version,
	}
	if o.Try {
		c.HTTP, c.HTTPS = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), portTry), netip.AddrPort{}
		c.Single = true
	}
	return c
}

func provisionConfig(s *site.Site, http netip.AddrPort) provision.Config {
	c := provision.Config{
		SiteName: s.Name, Box: s.Network.Address.Addr(), HTTP: http, Domain: s.Network.Domain,
		Zone: s.Time.Zone, SNTPMode: s.Time.SNTPMode, TimeEnabled: s.Time.Enabled,
		Proxy: s.SIP.Proxy, ProxyPort: s.SIP.Port, Register: s.SIP.Register,
		Parameters: s.SIP.Parameters, Target: s.Firmware.Target, ConvertUnlisted: s.Firmware.ConvertUnlisted,
		Models: s.Models, Forced: s.SIP.Forced, DialPlan: dialPlanFile(s),
	}
	for _, one := range s.Contacts {
		c.Contacts = append(c.Contacts, phone.Entry(one))
	}
	for _, p := range s.Phones {
		c.Phones = append(c.Phones, provision.Phone{
			MAC: p.MAC, Model: p.Model, Label: p.Label, Address: p.Address, OpenConfig: p.OpenConfig, OwnFiles: p.OwnFiles,
			Lines: lines(p.Lines), Zone: p.Zone, Parameters: p.Parameters, Forced: p.Forced,
		})
	}
	return c
}

func lines(in []site.Line) []provision.Line {
	out := make([]provision.Line, len(in))
	for i, l := range in {
		out[i] = provision.Line(l)
	}
	return out
}

// listed returns the MACs of the site's phones.
func listed(s *site.Site) []phone.MAC {
	out := make([]phone.MAC, len(s.Phones))
	for i, p := range s.Phones {
		out[i] = p.MAC
	}
	return out
}
