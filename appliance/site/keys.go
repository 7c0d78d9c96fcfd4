package site

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// group is one table of the site, in the order of the file; the first holds the keys above all tables.
type group struct {
	table string // "" or the table's name
	title string // as the form shows it
	keys  []key[Site]
	// sparse: only what is set is written, and a table without anything is not.
	sparse bool
}

// siteGroups describes every key of the site but those of lists of tables: rules, contacts and phones.
func siteGroups() []group {
	return []group{
		{table: "", title: "Office", keys: officeKeys()},
		{table: "network", title: "Network", keys: networkKeys()},
		{table: "dhcp", title: "Addresses (DHCP)", keys: dhcpKeys()},
		{table: "time", title: "Time", keys: timeKeys()},
		{table: "dns", title: "Names (DNS)", keys: dnsKeys()},
		{table: "sip", title: "Calls (SIP)", keys: sipKeys()},
		{table: "firmware", title: "Firmware", keys: firmwareKeys()},
		{table: "web", title: "This page", keys: webKeys()},
		{table: "models", title: "Models", keys: modelKeys(), sparse: true},
		{table: "dial_plan", title: "Dial plan", keys: dialPlanKeys(), sparse: true},
	}
}

// siteKeys returns the keys of all groups in the order of the file.
func siteKeys() []key[Site] {
	var keys []key[Site]
	for _, g := range siteGroups() {
		keys = append(keys, g.keys...)
	}
	return keys
}

const (
	allowedBool    = "true or false"
	allowedAddress = "an IPv4 address such as 10.77.0.50"
	unitDuration   = "s for seconds, m for minutes, h for hours"
)

func officeKeys() []key[Site] {
	return []key[Site]{
		text("name", func(s *Site) *string { return &s.Name }, parseName).
			about("Name of the office", "a text of 1 to 64 characters", "Shown on this page, on the phones' screens and in their directory.").such("Harbour Street office"),
	}
}

func networkKeys() []key[Site] {
	address := scalar("network.address", KindText, func(s *Site) *netip.Prefix { return &s.Network.Address }, parseBoxAddress, formatPrefix)
	gateway := scalar("network.gateway", KindText, func(s *Site) *netip.Addr { return &s.Network.Gateway }, parseOptionalAddr, formatAddr)
	return []key[Site]{
		text("network.interface", func(s *Site) *string { return &s.Network.Interface }, parseInterface).
			about("Network socket", "the name of a network interface such as eth0", "The socket of the box that is plugged into the phones' network.").such("eth0"),
		address.about("Address of the box", "an IPv4 address of a host with the length of its network (8 to 30), such as 10.77.0.1/16",
			"A fixed address that nothing else on the phones' network uses, and the size of that network behind the slash.").such("10.77.0.1/16"),
		gateway.about("Router", "an IPv4 address such as 10.77.0.254, or an empty text for none",
			"The router through which the phones and the box reach other networks. Empty: there is none.").such("10.77.0.254"),
		text("network.domain", func(s *Site) *string { return &s.Network.Domain }, parseDomain).
			about("Domain", "a domain name such as voice.home.arpa", "The names of the box, the phones and the hosts of this office end in it.").such("voice.home.arpa"),
	}
}

func formatPrefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func dhcpKeys() []key[Site] {
	pool := list("dhcp.pool", func(s *Site) *[]Range { return &s.DHCP.Pool }, parseRange, formatRange)
	lease := scalar("dhcp.lease", KindText, func(s *Site) *time.Duration { return &s.DHCP.Lease }, parseLease, formatLease)
	return []key[Site]{
		boolean("dhcp.enabled", func(s *Site) *bool { return &s.DHCP.Enabled }).
			about("Give addresses", allowedBool, "Hand out addresses. Switch it off where another server does that."),
		pool.about("Addresses to give", "a range of IPv4 addresses such as 10.77.1.1-10.77.3.250",
			"Ranges of addresses that the box may give to phones. Nothing else may use them.").such("10.77.1.1-10.77.3.250"),
		lease.about("Lease", "a duration from 10s to 744h, such as 8h or 30m", "How long a phone may keep an address without asking again.").such("8h").in(unitDuration),
		boolean("dhcp.phones_only", func(s *Site) *bool { return &s.DHCP.PhonesOnly }).
			about("Phones only", allowedBool, "Answer Cisco phones and listed phones, and nothing else."),
		boolean("dhcp.ping_check", func(s *Site) *bool { return &s.DHCP.PingCheck }).
			about("Look before giving", allowedBool, "Look whether somebody uses an address before it is given."),
		boolean("dhcp.authoritative", func(s *Site) *bool { return &s.DHCP.Authoritative }).
			about("Serve beside another server", allowedBool, "Give addresses although another DHCP server answers on this network. Two servers usually disturb each other."),
	}
}

func timeKeys() []key[Site] {
	zone := text("time.zone", func(s *Site) *string { return &s.Time.Zone }, parseZone)
	zone.hint = suggestZone
	broadcast := scalar("time.broadcast_interval", KindText, func(s *Site) *time.Duration { return &s.Time.Broadcast }, parseBroadcast, formatBroadcast)
	return []key[Site]{
		boolean("time.enabled", func(s *Site) *bool { return &s.Time.Enabled }).
			about("Tell the time", allowedBool, "Answer the phones' questions for the time."),
		zone.about("Time zone", "an IANA time zone such as Europe/Brussels", "Where the phones are: their clock and summer time follow from it.").such("Europe/Brussels"),
		list("time.upstream", func(s *Site) *[]string { return &s.Time.Upstream }, parseHostRequired, same).
			about("Time servers", "a host name or an IPv4 address", "Where the box itself gets the time. With three or more it sees which of them is wrong; none: it never asks the internet.").such("pool.ntp.org"),
		choice("time.sntp_mode", func(s *Site) *string { return &s.Time.SNTPMode }, "unicast", "multicast", "anycast", "directedbroadcast").
			about("How phones ask", "unicast, multicast, anycast or directedbroadcast", "What the phones are told about asking for the time. The first is right unless another server tells the time.").such("unicast").means("unicast: each phone asks this box", "multicast: the phones only listen to what is sent to 224.0.1.1",
			"anycast: the phones ask everybody, and stay with who answers first", "directedbroadcast: the phones ask everybody on their network, then listen"),
		broadcast.about("Broadcast the time", "0s for none, or a duration from 1s to 1h", "How often the time goes to everybody on the network, for phones that only listen. 0s: never.").such("64s").in(unitDuration),
	}
}

func dnsKeys() []key[Site] {
	hosts := dict("dns.hosts", func(s *Site) *map[string]netip.Addr { return &s.DNS.Hosts }, parseAddr, formatAddr)
	hosts.names = func(s string) bool { return validHostKey(s) && !slices.Contains(BoxNames(), s) }
	hosts.allowedNames = "a lower-case host name within network.domain, and none that the box itself has (" + strings.Join(BoxNames(), ", ") + ")"
	names := dict("dns.names", func(s *Site) *map[string]string { return &s.DNS.Names }, parseNameTarget, same)
	names.names, names.allowedNames = validRescuedKey, allowedRescued
	return []key[Site]{
		boolean("dns.enabled", func(s *Site) *bool { return &s.DNS.Enabled }).
			about("Answer names", allowedBool, "Answer the phones' questions for names."),
		list("dns.upstream", func(s *Site) *[]Upstream { return &s.DNS.Upstream }, parseUpstream, formatUpstream).
			about("Name servers", "an IPv4 address, with a port if it is not 53, or tls://ADDRESS#NAME", "Where names of the rest of the world are asked; none: only names of this office are answered. tls://9.9.9.9#dns.quad9.net asks encrypted (DNS over TLS): first the address, then the name that stands in the server's certificate.").such("tls://9.9.9.9#dns.quad9.net"),
		list("dns.inside", func(s *Site) *[]string { return &s.DNS.Inside }, parseDomain, same).
			about("Domains that may lead here", "a domain name", "Names of other domains are not told when their address lies in the phones' networks, for such a name may be a trick. List your company's domain if its name server names hosts in there; the telephone systems of these settings may always.").such("office.example.com"),
		hosts.about("Hosts", allowedAddress, "Names of other machines in this office, and their addresses.").such("pbx = 10.77.0.10"),
		names.about("Names of the past", allowedNameTarget,
			"Names that phones still ask for and that nobody else answers, and where they lead: phonebox (this box), a host from above, or an address.").such("tftp.old-site.example = phonebox"),
	}
}

// BoxNames returns the names within network.domain that are the box itself, lower case; dns.hosts cannot give them away.
func BoxNames() []string { return []string{"phonebox", "ciscocm1", "tftp", "ntp"} }

func sipKeys() []key[Site] {
	port := scalar("sip.port", KindNumber, func(s *Site) *uint16 { return &s.SIP.Port }, parsePort, formatPort)
	return []key[Site]{
		boolean("sip.enabled", func(s *Site) *bool { return &s.SIP.Enabled }).
			about("Watch the phones", allowedBool, "Ask the phones over SIP whether they run, and restart them when you say so."),
		text("sip.proxy", func(s *Site) *string { return &s.SIP.Proxy }, parseHost).
			about("Telephone system", "a host name or an IPv4 address, or an empty text for none yet", "The PBX or the provider where the phones register. Empty: the lines are shown and not registered.").such("pbx.voice.home.arpa"),
		port.about("Its port", "a number from 1 to 65535", "Nearly always 5060.").such("5060").in("a UDP port"),
		boolean("sip.register", func(s *Site) *bool { return &s.SIP.Register }).
			about("Register", allowedBool, "The phones register at the telephone system when they start."),
		parameters("sip.parameters", func(s *Site) *map[string]string { return &s.SIP.Parameters }).
			about("Further parameters", allowedParameter, "Any other parameter of SIPDefault.cnf, for all phones. What a model or a phone sets for itself wins.").such("preferred_codec = g711alaw"),
		forced("sip.forced", func(s *Site) *map[string]string { return &s.SIP.Forced }).
			about("Names that nobody knows", allowedParameter, "Parameters that the catalogue does not know, written into SIPDefault.cnf as they are. Use them for what an old configuration brought along.").such("vendor_setting = 1"),
	}
}

const allowedParameter = `a printable text without " of up to 255 characters, or a number`

// parameters is a map of parameters of a .cnf file.
func parameters[T any](name string, at func(*T) *map[string]string) key[T] {
	k := dict(name, at, parsePhoneText(longestText), same)
	k.names, k.allowedNames, k.catalogue = validParameterKey, "the name of a parameter: letters, digits and _", true
	return k
}

// forced is a map of names that the catalogue does not know. They have the grammar of parameters, and dots besides, which
// foreign files bring along (phones.md h).
func forced[T any](name string, at func(*T) *map[string]string) key[T] {
	k := dict(name, at, parseForced, same)
	k.names, k.allowedNames = validForcedKey, "the name of a parameter: letters, digits, dots and _"
	return k
}

// SecretParameter reports whether a parameter of a .cnf file holds a password, which is masked and never shown. A misspelt
// name of one (line1_pasword in an adopted file) counts too.
func SecretParameter(name string) bool { return phone.IsSecretParameter(name) }

func firmwareKeys() []key[Site] {
	parallel := scalar("firmware.parallel", KindNumber, func(s *Site) *int { return &s.Firmware.Parallel }, parseParallel, strconv.Itoa)
	return []key[Site]{
		text("firmware.target", func(s *Site) *string { return &s.Firmware.Target }, parseTarget).
			about("Firmware", "the name of a load of these phones without its ending, such as P0S3-8-12-00, or an empty text", "The load that the listed phones should run. Empty: each phone stays on what it runs.").such("P0S3-8-12-00"),
		boolean("firmware.convert_unlisted", func(s *Site) *bool { return &s.Firmware.ConvertUnlisted }).
			about("Convert phones that are not listed", allowedBool, "Give the firmware to every phone that asks, listed or not. For a pallet of phones on a network of its own."),
		parallel.about("Phones at once", "a number from 1 to 50", "How many phones may get firmware at the same time; the others wait for their turn.").such("8").in("phones"),
	}
}

func webKeys() []key[Site] {
	return []key[Site]{
		boolean("web.plain_http", func(s *Site) *bool { return &s.Web.PlainHTTP }).
			about("Without encryption", allowedBool, "Show this page on plain HTTP as well. Passwords then cross the network readable."),
	}
}

// models are the models that have parameters of their own.
var models = []string{"7940", "7960"}

func modelKeys() []key[Site] {
	var keys []key[Site]
	for _, model := range models {
		keys = append(keys, modelParameters(model).about("Parameters of the "+model, allowedParameter,
			"Parameters for every "+model+". They win over those of all phones; what a phone itself sets wins over them.").such("call_waiting = 0"))
	}
	return keys
}

// modelParameters is the map of one model within [Site.Models].
func modelParameters(model string) key[Site] {
	inner := parameters("models."+model+".parameters", func(m *map[string]string) *map[string]string { return m })
	return key[Site]{
		name: inner.name, kind: inner.kind, names: inner.names, allowedNames: inner.allowedNames, catalogue: inner.catalogue,
		get: func(s *Site) []entry {
			params := s.Models[model]
			return inner.get(&params)
		},
		set: func(s *Site, in []entry) []int {
			var params map[string]string
			bad := inner.set(&params, in)
			delete(s.Models, model)
			switch {
			case len(params) > 0 && s.Models == nil:
				s.Models = map[string]map[string]string{model: params}
			case len(params) > 0:
				s.Models[model] = params
			case len(s.Models) == 0:
				s.Models = nil
			}
			return bad
		},
	}
}

func dialPlanKeys() []key[Site] {
	country := scalar("dial_plan.country", KindChoice, func(s *Site) *string { return &s.DialPlan.Country }, parseCountry, same)
	country.choices = countries()
	return []key[Site]{
		country.about("Country", strings.Join(countries()[1:], ", ")+" or an empty text", "A ready-made dial plan. Rules of your own win over it. Empty: what is dialled is sent 5 s after the last digit.").such("BE"),
	}
}

// ruleKeys describes the keys of a [[dial_plan.rules]] entry.
func ruleKeys() []key[DialRule] {
	return []key[DialRule]{
		text("match", func(r *DialRule) *string { return &r.Match }, parseRuleText).
			about("Digits", allowedRule, "What is dialled: digits, . for any one, * for one or more, a comma for a new dial tone."),
		text("timeout", func(r *DialRule) *string { return &r.Timeout }, parseTimeout).
			about("Wait", "a number of seconds from 0 to 3600, or an empty text", "How long the phone waits after the last digit; 0 sends at once. Empty: 10 s."),
		text("user", func(r *DialRule) *string { return &r.User }, parseRuleText).
			about("User", allowedRule, "Phone or IP: added to the address that is called. Nearly always empty."),
		text("rewrite", func(r *DialRule) *string { return &r.Rewrite }, parseRuleText).
			about("Send", allowedRule, "What is sent instead; %s is all that was dialled, %1 to %5 are its wildcards. Empty: what was dialled."),
		text("route", func(r *DialRule) *string { return &r.Route }, parseRuleText).
			about("Route", allowedRule, "Default, Emergency or FQDN: through which proxy the call goes. Empty: Default."),
		text("tone", func(r *DialRule) *string { return &r.Tone }, parseRuleText).
			about("Tone", allowedRule, "What is heard at each comma of the digits: up to three names of tones, with commas."),
		text("comment", func(r *DialRule) *string { return &r.Comment }, parseRuleText).
			about("Comment", allowedRule, "What the rule is for."),
	}
}

const allowedRule = "a text of up to 200 characters"

// contactKeys describes the keys of a [[contacts]] entry.
func contactKeys() []key[Contact] {
	return []key[Contact]{
		text("name", func(c *Contact) *string { return &c.Name }, parseName).
			about("Name", "a text of 1 to 64 characters", "As the directory shows it, where 32 characters fit."),
		text("number", func(c *Contact) *string { return &c.Number }, parseNumber).
			about("Number", "a number or the user part of an address, of up to 127 characters, without blanks, quotes and ;", "What is dialled."),
	}
}
