package site

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"phonebox/services/phone"
)

// Site is the whole of site.toml with the defaults filled in. docs/site.md explains each key.
type Site struct {
	Name     string
	Network  Network
	DHCP     DHCP
	Time     Time
	DNS      DNS
	SIP      SIP
	Firmware Firmware
	Web      Web
	Models   map[string]map[string]string // parameters by model: "7940", "7960"
	DialPlan DialPlan
	Contacts []Contact
	Lines    []WaitingLine
	Phones   []Phone
}

// Network is the box on the voice VLAN.
type Network struct {
	Interface string
	Address   netip.Prefix // the box's address with the subnet's length
	Gateway   netip.Addr   // not valid = none
	Domain    string
}

// Range is an inclusive range of the pool.
type Range struct{ First, Last netip.Addr }

// DHCP is the [dhcp] table.
type DHCP struct {
	Enabled       bool
	Pool          []Range
	Lease         time.Duration
	PhonesOnly    bool
	PingCheck     bool
	Authoritative bool
	Subnets       []Subnet
	Classes       []Class
}

// Subnet is one [[dhcp.subnet]] entry: a network behind a relay.
type Subnet struct {
	Name    string
	Network netip.Prefix // masked
	Gateway netip.Addr   // not valid = none
	Pool    []Range
	Lease   time.Duration // 0 = dhcp.lease
	Circuit []string      // circuits of option 82 that the pool is kept for, as text or as 0x and hex digits; empty = any
}

// Class is one [[dhcp.class]] entry: options for kinds of clients.
type Class struct {
	Name        string
	VendorClass string // option 60 begins with it; "" = any
	Model       string // of a listed phone; "" = any
	MACs        []phone.MAC
	Options     map[uint8]Option
}

// Option is the value of a DHCP option; without any of the fields the option is left out.
type Option struct {
	Text      string
	Addresses []netip.Addr
	Bytes     []byte
}

// Time is the [time] table.
type Time struct {
	Enabled  bool
	Zone     string // IANA name
	Upstream []string
	SNTPMode string
	// Broadcast is the time between two broadcasts of the time; 0 = none.
	Broadcast time.Duration
}

// DNS is the [dns] table.
type DNS struct {
	Enabled  bool
	Upstream []Upstream
	Inside   []string // domains of the world whose names may have addresses in the phones' networks
	Hosts    map[string]netip.Addr
	// Names are names that phones ask for and that nobody else answers: "phonebox" (the box), a name of Hosts, or an IPv4
	// address. See [Site.Rescued].
	Names map[string]string
}

// Upstream is a name server of dns.upstream.
type Upstream struct {
	Addr    netip.AddrPort // port 53 where none is written, with TLS 853
	TLSName string         // the name of its certificate, lower case; "" = asked in clear
}

// SIP is the [sip] table.
type SIP struct {
	Enabled    bool
	Proxy      string
	Port       uint16
	Register   bool
	Parameters map[string]string
	Forced     map[string]string // names that the catalogue does not know, written into SIPDefault.cnf as they are
}

// Firmware is the [firmware] table.
type Firmware struct {
	Target          string
	ConvertUnlisted bool
	Parallel        int // phones that may be flashed at once
}

// DialPlan is the [dial_plan] table. Rules win over Country; with neither the plan that works everywhere holds.
type DialPlan struct {
	Country string // a ready-made plan: BE, NL, DE, FR, UK, US, ...
	Rules   []DialRule
}

// DialRule is one [[dial_plan.rules]] entry: a TEMPLATE of dialplan.xml (phones.md g.3).
type DialRule struct {
	Match   string
	Timeout string // seconds; "" = the phone's default
	User    string
	Rewrite string
	Route   string
	Tone    string // up to three names, with commas
	Comment string
}

// Contact is one [[contacts]] entry: somebody besides the site's phones, for their directory.
type Contact struct{ Name, Number string }

// WaitingLine is one [[lines]] entry: a line of a phone that nobody has plugged in yet.
type WaitingLine struct {
	Label string // of the phone that will get it
	Line
}

// Web is the [web] table.
type Web struct{ PlainHTTP bool }

// Phone is one [[phones]] entry.
type Phone struct {
	MAC        phone.MAC
	Model      string // "7940", "7960" or ""
	Label      string
	Address    netip.Addr // not valid = from the pool
	OpenConfig bool
	OwnFiles   bool
	Zone       string // IANA name; "" = time.zone
	Lines      []Line
	Parameters map[string]string
	Forced     map[string]string // names that the catalogue does not know, written as they are
	Load       string            // "" = firmware.target, "stay" = what it runs, else the load of this phone
	Runs       string            // the load that a person says it runs; "" = the box finds out
}

// Stay as [Phone.Load] leaves the phone on what it runs.
const Stay = "stay"

// Line is one [[phones.lines]] entry.
type Line struct {
	Name, AuthName, Password, DisplayName, ShortName string
	Proxy                                            string // "" = sip.proxy
	Port                                             uint16 // of Proxy; 0 = sip.port
}

// Fault is one thing wrong with a site file. Warnings do not refuse the file.
type Fault struct {
	Line    int    // 1-based; 0 where there is no text (a form)
	Key     string // dhcp.pool[1]
	Found   string // never a password
	Allowed string
	Warning bool
}

// String writes the fault as one line.
func (f Fault) String() string {
	out := "found " + f.Found + ", allowed is " + f.Allowed
	if f.Key != "" {
		out = f.Key + ": " + out
	}
	if f.Line > 0 {
		out = fmt.Sprintf("line %d: %s", f.Line, out)
	}
	if f.Warning {
		out = "warning: " + out
	}
	return out
}

// Clone returns a copy that shares nothing with the site.
func (s *Site) Clone() *Site {
	out := *s
	out.DHCP.Pool = slices.Clone(s.DHCP.Pool)
	out.DHCP.Subnets, out.DHCP.Classes = cloneSubnets(s.DHCP.Subnets), cloneClasses(s.DHCP.Classes)
	out.Time.Upstream = slices.Clone(s.Time.Upstream)
	out.DNS.Upstream = slices.Clone(s.DNS.Upstream)
	out.DNS.Inside = slices.Clone(s.DNS.Inside)
	out.DNS.Hosts, out.DNS.Names = maps.Clone(s.DNS.Hosts), maps.Clone(s.DNS.Names)
	out.SIP.Parameters, out.SIP.Forced = maps.Clone(s.SIP.Parameters), maps.Clone(s.SIP.Forced)
	out.Models = maps.Clone(s.Models)
	for model, params := range out.Models {
		out.Models[model] = maps.Clone(params)
	}
	out.DialPlan.Rules = slices.Clone(s.DialPlan.Rules)
	out.Contacts = slices.Clone(s.Contacts)
	out.Lines = slices.Clone(s.Lines)
	out.Phones = slices.Clone(s.Phones)
	for i := range out.Phones {
		p := &out.Phones[i]
		p.Lines = slices.Clone(p.Lines)
		p.Parameters, p.Forced = maps.Clone(p.Parameters), maps.Clone(p.Forced)
	}
	return &out
}
