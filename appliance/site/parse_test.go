package site_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/phone/dialplan"
)

// shortest is a site without faults and warnings; further lines of a table follow in the cases.
const shortest = `
[network]
address = "10.77.0.1/16"
[dhcp]
pool = ["10.77.1.1-10.77.3.250"]
[time]
upstream = []
`

func parse(t *testing.T, text string) (*site.Site, []string) {
	t.Helper()
	return parseWith(t, text, site.Options{})
}

func parseWith(t *testing.T, text string, opts site.Options) (*site.Site, []string) {
	t.Helper()
	s, faults := site.Parse([]byte(text), opts)
	var lines []string
	refused := false
	for _, f := range faults {
		lines = append(lines, f.String())
		refused = refused || !f.Warning
	}
	if refused != (s == nil) {
		t.Errorf("site is nil: %v, with faults %q", s == nil, lines)
	}
	return s, lines
}

// One run names every fault, of whatever kind, on the line where it stands (issue 2, point 2).
func TestEveryFaultAtOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/faults.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, got := parse(t, string(text))
	want := []string{
		`line 4: network.gateway: found 10.78.0.254, outside of the network 10.77.0.0/16, allowed is another address of the box's network, or an empty text`,
		`line 5: network.adress: found an unknown key, allowed is address (did you mean that?)`,
		`line 7: dhcp.enabled: found the text "yes", allowed is true or false`,
		`line 10: dhcp.pool[1]: found "10.77.9.9-10.77.9.1", allowed is a range of IPv4 addresses such as 10.77.1.1-10.77.3.250`,
		`line 13: time.zone: found "europe/brussels", allowed is an IANA time zone such as Europe/Brussels (did you mean "Europe/Brussels"?)`,
		`line 14: time.upstream: found the text "192.0.2.1", allowed is a list in brackets; each entry a host name or an IPv4 address`,
		`line 17: dns.upstream: found written again (first on line 16), allowed is each key and table once`,
		`line 19: found a line that is not TOML (unexpected character U+0070 'p' at start of value), allowed is TOML: a [table], or a key = value with texts in quotes`,
		`line 20: sip.port: found "65536", allowed is a number from 1 to 65535`,
		`line 26: phones[0].lines[0].password: found a password of 17 characters, allowed is a text of up to 128 characters without "`,
		`line 29: phones[1].mac: found 00:06:D7:AA:2A:2E, also in phones[0] (line 21), allowed is each phone once`,
		`line 30: phones[1].address: found 10.77.2.7, which dhcp.pool[0] gives to any phone, allowed is an address outside of dhcp.pool, or an empty text`,
	}
	if len(want) != 12 {
		t.Errorf("%d kinds of faults, want 12", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFaults(t *testing.T) {
	known := site.Catalogue()
	const (
		oneSubnet = "[[dhcp.subnet]]\nname='a'\nnetwork='10.78.0.0/24'\ngateway='10.78.0.1'\npool=['10.78.0.50-10.78.0.99']\n" // from line 8
		oneClass  = "[[dhcp.class]]\nname='a'\nvendor_class='snom'\n[dhcp.class.options]\n"
	)
	const onePhone = shortest + "[[phones]]\nmac = '00:06:D7:AA:2A:2E'\n" // lines 8 and 9
	for _, tt := range []struct{ name, text, want string }{
		{"address missing", "[dhcp]\nenabled=false\n[time]\nenabled=false", `line 1: network.address: found nothing, allowed is the address of the box with the length of its network, such as 10.77.0.1/16`},
		{"pool missing", "[network]\naddress='10.77.0.1/16'\n[dhcp]\n[time]\nenabled=false", `line 3: dhcp.pool: found nothing, allowed is a list of ranges such as ["10.77.1.1-10.77.3.250"] while dhcp.enabled is true`},
		{"unknown key far from any", "colour = 1" + shortest, `line 1: colour: found an unknown key, allowed is contacts, dhcp, dial_plan, dns, firmware, lines, models, name, network, phones, sip, time, web`},
		{"unknown key of another table", shortest + "zone = 'UTC'\n[web]\nproxy = 'a'", `line 10: web.proxy: found an unknown key, allowed is sip.proxy (did you mean that?)`},
		{"upper case", "Name = 'a'" + shortest, `line 1: Name: found an unknown key, allowed is name (did you mean that?)`},
		{"swapped letters in a phone", onePhone + "lable = 'x'", `line 10: phones[0].lable: found an unknown key, allowed is label (did you mean that?)`},
		{"unknown table", shortest + "[dchp]\nlease='1h'", `line 8: dchp: found an unknown key, allowed is dhcp (did you mean that?)`},
		{"nothing wrong", shortest, ``},
		{"value for a table", "web = true" + shortest, `line 1: web: found true, allowed is a table: [web]`},
		{"table for a value", shortest + "[web.plain_http]", `line 8: web.plain_http: found a table, allowed is true or false`},
		{"list for a value", "name = ['a']" + shortest, `line 1: name: found a list, allowed is a text of 1 to 64 characters`},
		{"number with a fraction", "name = 1.5" + shortest, `line 1: name: found 1.5, allowed is a text of 1 to 64 characters`},
		{"negative port", shortest + "[sip]\nport = -1", `line 9: sip.port: found -1, allowed is a number from 1 to 65535`},
		{"hexadecimal port", shortest + "[sip]\nport = 0x13c4", `line 9: sip.port: found 0x13c4, allowed is a number from 1 to 65535`},
		{"list item of a wrong type", shortest + "[dns]\nupstream = [\n'192.0.2.1',\ntrue]", `line 11: dns.upstream[1]: found true, allowed is an IPv4 address, with a port if it is not 53, or tls://ADDRESS#NAME`},
		{"phones as a table", shortest + "[phones]\nmac='00:06:D7:AA:2A:2E'", `line 8: phones: found a table, allowed is a list: [[phones]] before each entry`},
		{"lines before phones", shortest + "[[phones.lines]]\nname='1'", `line 8: phones: found a table, allowed is a list: [[phones]] before each entry`},
		{"phone that is no table", "phones = ['a']" + shortest, `line 1: phones[0]: found the text "a", allowed is a table: [[phones]]`},
		{"table twice", shortest + "[time]\nzone='UTC'", `line 8: time: found written again (first on line 6), allowed is each key and table once`},
		{"key twice, once dotted", "web.plain_http = true\nweb = {}" + shortest, `line 2: web: found written again (first on line 1), allowed is each key and table once`},
		{"table under a value", shortest + "[time.upstream.more]", `line 8: time.upstream.more: found a table under time.upstream of line 7, allowed is a value written once, in one way`},
		{"text without quotes", "name = Harbour" + shortest, `line 1: found a line that is not TOML (unexpected character U+0048 'H' at start of value), allowed is TOML: a [table], or a key = value with texts in quotes`},
		{"address without length", "[network]\naddress='10.77.0.1'\n[dhcp]\npool=['10.77.1.1']\n[time]\nenabled=false", `line 2: network.address: found "10.77.0.1", allowed is an IPv4 address of a host with the length of its network (8 to 30), such as 10.77.0.1/16`},
		{"address of the network itself", "[network]\naddress='10.77.0.0/16'\n[dhcp]\npool=['10.77.1.1']\n[time]\nenabled=false", `line 2: network.address: found "10.77.0.0/16", allowed is an IPv4 address of a host with the length of its network (8 to 30), such as 10.77.0.1/16`},
		{"IPv6", "[network]\naddress='fd00::1/64'\n[dhcp]\nenabled=false\n[time]\nenabled=false", `line 2: network.address: found "fd00::1/64", allowed is an IPv4 address of a host with the length of its network (8 to 30), such as 10.77.0.1/16`},
		{"gateway is the box", gatewaySite("10.77.0.1"), `line 3: network.gateway: found 10.77.0.1, the box itself, allowed is another address of the box's network, or an empty text`},
		{"gateway is the broadcast address", gatewaySite("10.77.255.255"), `line 3: network.gateway: found 10.77.255.255, the first or last address of the network 10.77.0.0/16, allowed is another address of the box's network, or an empty text`},
		{"gateway in the pool", gatewaySite("10.77.1.9"), `line 5: dhcp.pool[0]: found 10.77.1.1-10.77.3.250, which holds network.gateway 10.77.1.9, allowed is a range without the gateway`},
		{"pool outside", poolSite("10.78.1.1-10.78.1.9"), `line 4: dhcp.pool[0]: found 10.78.1.1-10.78.1.9, allowed is a range within the network 10.77.0.0/16`},
		{"pool with the box", poolSite("10.77.0.1-10.77.0.9"), `line 4: dhcp.pool[0]: found 10.77.0.1-10.77.0.9, which holds the box 10.77.0.1, allowed is a range without the box`},
		{"pool with the broadcast address", poolSite("10.77.255.1-10.77.255.255"), `line 4: dhcp.pool[0]: found 10.77.255.1-10.77.255.255, allowed is a range without the first and the last address of the network 10.77.0.0/16`},
		{"pools overlap", poolSite("10.77.1.1-10.77.1.9', '10.77.1.9-10.77.1.20"), `line 4: dhcp.pool[1]: found 10.77.1.9-10.77.1.20, which overlaps dhcp.pool[0], allowed is ranges that do not overlap`},
		{"pool too large", "[network]\naddress='10.0.0.1/8'\n[dhcp]\npool=['10.1.0.0-10.2.0.0']\n[time]\nenabled=false", `line 4: dhcp.pool: found 65537 addresses, allowed is up to 65536 addresses in all ranges`},
		{"upstream is the box", shortest + "[dns]\nupstream=['10.77.0.1']", `line 9: dns.upstream[0]: found 10.77.0.1, the box itself, allowed is another name server`},
		{"host of the box", shortest + "[dns.hosts]\ntftp='10.77.0.9'", `line 9: dns.hosts.tftp: found the name "tftp", allowed is a lower-case host name within network.domain, and none that the box itself has (phonebox, ciscocm1, tftp, ntp)`},
		{"host in upper case", shortest + "[dns.hosts]\nPBX='10.77.0.9'", `line 9: dns.hosts.PBX: found the name "PBX", allowed is a lower-case host name within network.domain, and none that the box itself has (phonebox, ciscocm1, tftp, ntp)`},
		{"name of the past that is the box", shortest + "[dns.names]\n'tftp.voice.home.arpa'='10.77.0.9'", `line 9: dns.names.tftp.voice.home.arpa: found a name of the box itself, allowed is a name that nobody else has; the box answers for this one already`},
		{"name of the past that is the domain", shortest + "[dns.names]\n'voice.home.arpa'='10.77.0.9'", `line 9: dns.names.voice.home.arpa: found a name of the box itself, allowed is a name that nobody else has; the box answers for this one already`},
		{"name of the past that is a host", shortest + "[dns.hosts]\npbx='10.77.0.9'\n[dns.names]\npbx='phonebox'", `line 11: dns.names.pbx: found "pbx", which dns.hosts has, allowed is a name that nobody else has`},
		{"name of the past that leads nowhere", shortest + "[dns.names]\n'old.example'='pbx'", `line 9: dns.names.old.example: found "pbx", which is no name of dns.hosts, allowed is phonebox for this box, a name of dns.hosts, or an IPv4 address`},
		{"name of the past that leads to half an address", shortest + "[dns.names]\n'old.example'='10.77.0'", `line 9: dns.names.old.example: found "10.77.0", allowed is phonebox for this box, a name of dns.hosts, or an IPv4 address`},
		{"name of the past that is an address", shortest + "[dns.names]\n'9.0.77.10.in-addr.arpa'='phonebox'", `line 9: dns.names.9.0.77.10.in-addr.arpa: found the name "9.0.77.10.in-addr.arpa", allowed is a lower-case name of letters, digits, hyphens and dots, such as tftp.old-site.example`},
		{"host address", shortest + "[dns.hosts]\npbx='10.77.0'", `line 9: dns.hosts.pbx: found "10.77.0", allowed is an IPv4 address such as 10.77.0.50`},
		{"proxy with a wrong address", shortest + "[sip]\nproxy='10.77.0.300'", `line 9: sip.proxy: found "10.77.0.300", allowed is a host name or an IPv4 address, or an empty text for none yet`},
		{"zone Local", shortest + "zone='Local'", `line 8: time.zone: found "Local", allowed is an IANA time zone such as Europe/Brussels`},
		{"zone without its area", shortest + "zone='New York'", `line 8: time.zone: found "New York", allowed is an IANA time zone such as Europe/Brussels (did you mean "America/New_York"?)`},
		{"broadcasts too often", shortest + "broadcast_interval='0.5s'", `line 8: time.broadcast_interval: found "0.5s", allowed is 0s for none, or a duration from 1s to 1h`},
		{"broadcasts too seldom", shortest + "broadcast_interval='61m'", `line 8: time.broadcast_interval: found "61m", allowed is 0s for none, or a duration from 1s to 1h`},
		{"broadcasts in no unit", shortest + "broadcast_interval='64'", `line 8: time.broadcast_interval: found "64", allowed is 0s for none, or a duration from 1s to 1h`},
		{"choice", shortest + "sntp_mode='broadcast'", `line 8: time.sntp_mode: found "broadcast", allowed is unicast, multicast, anycast or directedbroadcast`},
		{"firmware with its ending", shortest + "[firmware]\ntarget='P0S3-8-12-00.sb2'", `line 9: firmware.target: found "P0S3-8-12-00.sb2", allowed is the name of a load of these phones without its ending, such as P0S3-8-12-00, or an empty text`},
		{"unknown parameter", shortest + "[sip.parameters]\nprefered_codec='none'", `line 9: sip.parameters.prefered_codec: found an unknown parameter, allowed is preferred_codec (did you mean that?); sip.forced takes names that nobody knows`},
		{"parameter of the other file", onePhone + "[phones.parameters]\ntftp_cfg_dir='./'", `line 11: phones[0].parameters.tftp_cfg_dir: found an unknown parameter, allowed is a parameter of the phones that no other key sets`},
		{"value of a parameter", onePhone + "[phones.parameters]\npreferred_codec='mp3'", `line 11: phones[0].parameters.preferred_codec: found "mp3", allowed is one of g711ulaw, g711alaw, g729a, none`},
		{"quote in a parameter", onePhone + "[phones.parameters]\nphone_label='a\"b'", `line 11: phones[0].parameters.phone_label: found "a\"b", allowed is a printable text without " of up to 255 characters, or a number`},
		{"loader as firmware", shortest + "[firmware]\ntarget='P003-8-12-00'", `line 9: firmware.target: found "P003-8-12-00", allowed is the name of a load of these phones without its ending, such as P0S3-8-12-00, or an empty text`},
		{"parameter that a key of the site decides", shortest + "[sip.parameters]\nimage_version='P0S3-8-12-00'", `line 9: sip.parameters.image_version: found an unknown parameter, allowed is firmware.target (did you mean that?)`},
		{"parameter twice", shortest + "[sip.parameters]\npreferred_codec='none'\nPreferred_Codec='none'", `line 9: sip.parameters.preferred_codec: found the parameter twice, also as Preferred_Codec, allowed is each parameter once; capital letters make no difference`},
		{"value of a secret parameter", onePhone + "[phones.parameters]\nphone_password='0123456789012345678901234567890123456789'", `warning: line 11: phones[0].parameters.phone_password: found a password of 40 characters (phone_password has 40 characters; the guide allows 31, though longer ones are known to work), allowed is a value within the phones' guide`},
		{"unknown parameter of a phone", onePhone + "[phones.parameters]\nzz='1'", `line 11: phones[0].parameters.zz: found an unknown parameter, allowed is a parameter of the phones that no other key sets; phones.forced takes names that nobody knows`},
		{"known parameter forced", shortest + "[sip.forced]\nPreferred_Codec='mp3'", `line 9: sip.forced.Preferred_Codec: found a known parameter, allowed is preferred_codec is known: put it under parameters`},
		{"load forced", onePhone + "[phones.forced]\nimage_version='P0S3-8-12-00'", `line 11: phones[0].forced.image_version: found a known parameter, allowed is firmware.target, or load of a phone`},
		{"reserved parameter forced", onePhone + "[phones.forced]\nsync='2'", `line 11: phones[0].forced.sync: found a known parameter, allowed is names that are not known; phonebox itself decides sync`},
		{"forced twice", onePhone + "[phones.forced]\nZz='2'\nzz='1'", `line 12: phones[0].forced.zz: found the parameter twice, also as Zz, allowed is each parameter once; capital letters make no difference`},
		{"forced value that no file carries", shortest + "[sip.forced]\nzz='€'", `line 9: sip.forced.zz: found "€", allowed is a printable text without " of up to 255 characters, or a number`},
		{"forced name with a blank", shortest + "[sip.forced]\n'z z'='1'", `line 9: sip.forced.z z: found the name "z z", allowed is the name of a parameter: letters, digits, dots and _`},
		{"forced name with dots and no quotes", shortest + "[sip.forced]\nreg.1='1'", `line 9: sip.forced.reg: found a table, allowed is a printable text without " of up to 255 characters, or a number`},
		{"unknown model", shortest + "[models.7970.parameters]\ncall_waiting=0", `line 8: models.7970: found an unknown model, allowed is 7940 or 7960`},
		{"model without its table", shortest + "[models.7940]\ncall_waiting=0", `line 9: models.7940.call_waiting: found an unknown key, allowed is parameters`},
		{"model that is no table", shortest + "[models]\n7940=0", `line 9: models.7940: found 0, allowed is a table: [models.7940]`},
		{"value of a model's parameter", shortest + "[models.7960.parameters]\ncall_waiting=9", `line 9: models.7960.parameters.call_waiting: found "9", allowed is 0 off, 1 on, 2 off and locked, 3 on and locked`},
		{"too many phones at once", shortest + "[firmware]\nparallel=51", `line 9: firmware.parallel: found "51", allowed is a number from 1 to 50`},
		{"no phones at once", shortest + "[firmware]\nparallel=0", `line 9: firmware.parallel: found "0", allowed is a number from 1 to 50`},
		{"load of a phone", onePhone + "load='latest'", `line 10: phones[0].load: found "latest", allowed is the name of a load of these phones without its ending, such as P0S3-8-12-00, stay, or an empty text`},
		{"stay is no load that runs", onePhone + "runs='stay'", `line 10: phones[0].runs: found "stay", allowed is the name of a load of these phones without its ending, such as P0S3-8-12-00, or an empty text`},
		{"proxy of a line", onePhone + "[[phones.lines]]\nname=1\nproxy='a b'", `line 12: phones[0].lines[0].proxy: found "a b", allowed is a host name or an IPv4 address, or an empty text for the one of all phones`},
		{"proxy of a line that nobody knows", onePhone + "[[phones.lines]]\nname=1\nproxy='pbx.example.com'", `warning: line 12: phones[0].lines[0].proxy: found "pbx.example.com", which nobody can resolve while dns.upstream is empty, allowed is an address, a name of dns.hosts, or a name server in dns.upstream`},
		{"port of a line without proxy", onePhone + "[[phones.lines]]\nname=1\nport=5062", `warning: line 12: phones[0].lines[0].port: found 5062 without a proxy, allowed is the proxy that it belongs to, or no port; it is not used`},
		{"port of a line", onePhone + "[[phones.lines]]\nname=1\nport=65536", `line 12: phones[0].lines[0].port: found "65536", allowed is a number from 1 to 65535, or 0 for the one of all phones`},
		{"rule without digits", shortest + "[[dial_plan.rules]]\ntimeout=0", `line 8: dial_plan.rules[0]: found MATCH is empty, allowed is digits and . * , # + \*`},
		{"rule that waits too long", shortest + "[[dial_plan.rules]]\nmatch='*'\ntimeout=3601", `line 10: dial_plan.rules[0].timeout: found "3601", allowed is a number of seconds from 0 to 3600, or an empty text`},
		{"rule with letters", shortest + "[[dial_plan.rules]]\nmatch='1'\n[[dial_plan.rules]]\nmatch='call'", `line 10: dial_plan.rules[1]: found MATCH is "call", allowed is digits and . * , # + \*`},
		{"rule with an unknown tone", shortest + "[[dial_plan.rules]]\nmatch='9,.'\nroute='Bank'", `line 8: dial_plan.rules[0]: found Route is "Bank", allowed is Default, Emergency, FQDN or nothing`},
		{"rules as a table", shortest + "[dial_plan.rules]\nmatch='*'", `line 8: dial_plan.rules: found a table, allowed is a list: [[dial_plan.rules]] before each entry`},
		{"country", shortest + "[dial_plan]\ncountry='Belgium'", `line 9: dial_plan.country: found "Belgium", allowed is ` + codes() + ` or an empty text`},
		{"contact without number", shortest + "[[contacts]]\nname='Jo'", `line 8: contacts[0].number: found nothing, allowed is the number that is dialled`},
		{"contact without name", shortest + "[[contacts]]\nnumber=1", `line 8: contacts[0].name: found nothing, allowed is the name that the directory shows`},
		{"contact with a number that nobody can dial", shortest + "[[contacts]]\nname='Jo'\nnumber='call me'", `line 10: contacts[0].number: found "call me", allowed is a number or the user part of an address, of up to 127 characters, without blanks, quotes and ;`},
		{"too many contacts", shortest + strings.Repeat("[[contacts]]\nname='Jo'\nnumber=1\n", 2001), `line 6008: contacts[2000]: found 2001 entries, allowed is up to 2000`},
		{"phone without MAC", shortest + "[[phones]]\nlabel='x'", `line 8: phones[0].mac: found nothing, allowed is the Ethernet address on the phone's back, such as 00:06:D7:AA:2A:2E`},
		{"multicast MAC", shortest + "[[phones]]\nmac='01:06:D7:AA:2A:2E'", `line 9: phones[0].mac: found "01:06:D7:AA:2A:2E", allowed is the Ethernet address on the phone's back, such as 00:06:D7:AA:2A:2E`},
		{"MAC twice", onePhone + "[[phones]]\nmac='0006D7aa2A2E'", `line 11: phones[1].mac: found 00:06:D7:AA:2A:2E, also in phones[0] (line 8), allowed is each phone once`},
		{"reservation twice", onePhone + "address='10.77.0.5'\n[[phones]]\nmac='0006D7aa2A2F'\naddress='10.77.0.5'", `line 13: phones[1].address: found 10.77.0.5, also in phones[0] (line 8), allowed is each address once`},
		{"reservation outside", onePhone + "address='10.78.0.5'", `line 10: phones[0].address: found 10.78.0.5, outside of the network 10.77.0.0/16, allowed is another address of the box's network, or an empty text`},
		{"reservation of the box", onePhone + "address='10.77.0.1'", `line 10: phones[0].address: found 10.77.0.1, the box itself, allowed is another address of the box's network, or an empty text`},
		{"reservation in the pool", onePhone + "address='10.77.3.250'", `line 10: phones[0].address: found 10.77.3.250, which dhcp.pool[0] gives to any phone, allowed is an address outside of dhcp.pool, or an empty text`},
		{"reservation outside of all networks", onePhone + "address='10.79.0.5'\n" + oneSubnet, `line 10: phones[0].address: found 10.79.0.5, outside of the network 10.77.0.0/16 and of every dhcp.subnet, allowed is another address of the box's network, or an empty text`},
		{"reservation in the pool of a subnet", onePhone + "address='10.78.0.51'\n" + oneSubnet, `line 10: phones[0].address: found 10.78.0.51, which dhcp.subnet[0].pool[0] gives to any phone, allowed is an address outside of the pools, or an empty text`},
		{"reservation of a subnet's gateway", onePhone + "address='10.78.0.1'\n" + oneSubnet, `line 10: phones[0].address: found 10.78.0.1, which is dhcp.subnet[0].gateway, allowed is another address of that network, or an empty text`},
		{"reservation in a subnet", onePhone + "address='10.78.0.9'\n" + oneSubnet, ``},
		{"subnet without name and network", shortest + "[[dhcp.subnet]]\nlease='1h'", "line 8: dhcp.subnet[0].name: found nothing, allowed is where the network is\nline 8: dhcp.subnet[0].network: found nothing, allowed is the network behind the relay, such as 10.78.0.0/24"},
		{"subnet with host bits", shortest + "[[dhcp.subnet]]\nname='a'\nnetwork='10.78.0.1/24'", `line 10: dhcp.subnet[0].network: found "10.78.0.1/24", allowed is an IPv4 network with its length (8 to 30), such as 10.78.0.0/24`},
		{"subnet of the box", shortest + "[[dhcp.subnet]]\nname='a'\nnetwork='10.77.4.0/24'", `line 10: dhcp.subnet[0].network: found 10.77.4.0/24, which overlaps the box's own network 10.77.0.0/16, allowed is a network behind a relay`},
		{"subnets overlap", shortest + oneSubnet + "[[dhcp.subnet]]\nname='b'\nnetwork='10.78.0.0/16'", `line 15: dhcp.subnet[1].network: found 10.78.0.0/16, which overlaps 10.78.0.0/24 of dhcp.subnet[0], allowed is networks that do not overlap`},
		{"subnet twice", shortest + oneSubnet + "[[dhcp.subnet]]\nname='b'\nnetwork='10.78.0.0/24'", `line 15: dhcp.subnet[1].network: found 10.78.0.0/24, also in dhcp.subnet[0], and neither has a circuit, allowed is each network once, or with circuits that tell the entries apart`},
		{"subnet twice with a circuit", shortest + oneSubnet + "[[dhcp.subnet]]\nname='b'\nnetwork='10.78.0.0/24'\ncircuit=['p1']\npool=['10.78.0.60-10.78.0.70']", `line 17: dhcp.subnet[1].pool[0]: found 10.78.0.60-10.78.0.70, which overlaps dhcp.subnet[0].pool[0], allowed is ranges that do not overlap`},
		{"circuit twice", shortest + oneSubnet + "circuit=['p1']\n[[dhcp.subnet]]\nname='b'\nnetwork='10.78.0.0/24'\ncircuit=['p2', '0x7031']", `line 17: dhcp.subnet[1].circuit[1]: found "p1", also in dhcp.subnet[0], allowed is each circuit of a network once`},
		{"circuit that is no hex", shortest + oneSubnet + "circuit=['0xgg']", `line 13: dhcp.subnet[0].circuit[0]: found "0xgg", allowed is a text of 1 to 255 printable characters, or 0x and hex digits`},
		{"gateway outside of its subnet", shortest + "[[dhcp.subnet]]\nname='a'\nnetwork='10.78.0.0/24'\ngateway='10.77.0.9'", `line 11: dhcp.subnet[0].gateway: found 10.77.0.9, outside of the network 10.78.0.0/24, allowed is an address of that network, or an empty text`},
		{"gateway in the pool of its subnet", shortest + strings.Replace(oneSubnet, "10.78.0.1'", "10.78.0.60'", 1), "line 12: dhcp.subnet[0].pool[0]: found 10.78.0.50-10.78.0.99, which holds the gateway 10.78.0.60, allowed is a range without the gateway"},
		{"pool outside of its subnet", shortest + "[[dhcp.subnet]]\nname='a'\nnetwork='10.78.0.0/24'\npool=['10.78.1.1']", `line 11: dhcp.subnet[0].pool[0]: found 10.78.1.1, allowed is a range within the network 10.78.0.0/24`},
		{"lease of a subnet", shortest + oneSubnet + "lease='1s'", `line 13: dhcp.subnet[0].lease: found "1s", allowed is a duration from 10s to 744h such as 8h, or an empty text for dhcp.lease`},
		{"unknown key of a subnet", shortest + oneSubnet + "getaway=''", `line 13: dhcp.subnet[0].getaway: found an unknown key, allowed is gateway (did you mean that?)`},
		{"subnet as a table", shortest + "[dhcp.subnet]\nname='a'", `line 8: dhcp.subnet: found a table, allowed is a list: [[dhcp.subnet]] before each entry`},
		{"class without name", shortest + "[[dhcp.class]]\n[dhcp.class.options]\n'100'='x'", `line 8: dhcp.class[0].name: found nothing, allowed is what these clients are`},
		{"class twice", shortest + oneClass + "'100'='x'\n" + oneClass + "'100'='x'", `line 14: dhcp.class[1].name: found "a", also in dhcp.class[0], allowed is each name once`},
		{"option that is the server's", shortest + oneClass + "'51'='60'", `line 12: dhcp.class[0].options.51: found the option "51", allowed is 1 to 254 without 50 to 55, 57 to 59, 61, 80, 82 and 118: the server itself decides about it`},
		{"rapid commit", shortest + oneClass + "'80'='0x00'", `line 12: dhcp.class[0].options.80: found the option "80", allowed is 1 to 254 without 50 to 55, 57 to 59, 61, 80, 82 and 118: rapid commit (RFC 4039) is not offered`},
		{"option by name", shortest + oneClass + "tftp='x'", `line 12: dhcp.class[0].options.tftp: found the option "tftp", allowed is the number of a DHCP option in quotes, such as "66"`},
		{"option with an odd digit", shortest + oneClass + "'43'='0x012'", `line 12: dhcp.class[0].options.43: found "0x012", allowed is 0x and 1 to 512 pairs of hex digits`},
		{"name where an address belongs", shortest + oneClass + "'42'='pool.ntp.org'", `line 12: dhcp.class[0].options.42: found "pool.ntp.org", allowed is option 42 holds addresses: ["10.77.0.1"], or 0x and hex digits`},
		{"number that does not fit", shortest + oneClass + "'26'=70000", `line 12: dhcp.class[0].options.26: found "70000", allowed is option 26 holds a number from 0 to 65535`},
		{"list of no addresses", shortest + oneClass + "'150'=['pbx']", `line 12: dhcp.class[0].options.150: found the text "pbx", allowed is a list of IPv4 addresses in quotes`},
		{"TFTP server for every client", shortest + "[[dhcp.class]]\nname='a'\n[dhcp.class.options]\n'66'='x'", `line 11: dhcp.class[0].options.66: found option 66 for every client, allowed is 66 and 150 for other makes only, with a vendor_class or macs: a 7940 or 7960 gets the box in 66, 150 and siaddr, always`},
		{"TFTP server for Cisco", shortest + "[[dhcp.class]]\nname='a'\nvendor_class='Cisco Systems'\n[dhcp.class.options]\n'150'=''", `line 12: dhcp.class[0].options.150: found option 150 for the vendor class "Cisco Systems", with which that of a 7940 or 7960 begins, allowed is 66 and 150 for other makes only, with a vendor_class or macs: a 7940 or 7960 gets the box in 66, 150 and siaddr, always`},
		{"TFTP server for a listed phone", onePhone + "[[dhcp.class]]\nname='a'\nmacs=['0006D7AA2A2E']\n[dhcp.class.options]\n'66'='x'", `line 14: dhcp.class[0].options.66: found option 66 for 00:06:D7:AA:2A:2E, which is a listed phone, allowed is 66 and 150 for other makes only, with a vendor_class or macs: a 7940 or 7960 gets the box in 66, 150 and siaddr, always`},
		{"class with too much", shortest + oneClass + "'43'='0x" + strings.Repeat("00", 500) + "'\n'125'='0x" + strings.Repeat("00", 500) + "'", `line 11: dhcp.class[0].options: found 1008 bytes, allowed is up to 900 bytes of options in one class`},
		{"warning: a class that changes nothing", shortest + "[[dhcp.class]]\nname='a'", `warning: line 8: dhcp.class[0]: found a class without options, allowed is options under [dhcp.class.options]; without them it changes nothing`},
		{"line without name", onePhone + "[[phones.lines]]\nauthname='x'", `line 10: phones[0].lines[0].name: found nothing, allowed is the number or name of the account`},
		{"line twice", onePhone + "[[phones.lines]]\nname='1'\n[[phones.lines]]\nname=1", `line 13: phones[0].lines[1].name: found "1", also in phones[0].lines[0], allowed is each line of a phone once`},
		{"three lines on a 7940", onePhone + "model=7940\n" + linesOf(3), `line 15: phones[0].lines[2]: found 3 lines, allowed is up to 2 lines, which a 7940 has`},
		{"seven lines on a 7960", onePhone + "model='7960'\n" + linesOf(7), `line 23: phones[0].lines[6]: found 7 lines, allowed is up to 6 lines, which a 7960 has`},
		{"seven lines on any phone", onePhone + linesOf(7), `line 22: phones[0].lines[6]: found 7 lines, allowed is up to 6 lines, which a 7960 has`},
		{"mask instead of a password", onePhone + "[[phones.lines]]\nname='1'\npassword='********'", `line 12: phones[0].lines[0].password: found a masked password, allowed is the password itself`},
		{"mask instead of a secret parameter", onePhone + "[phones.parameters]\nphone_password='********'", `line 11: phones[0].parameters.phone_password: found a masked password, allowed is the password itself`},
		{"number as password is a text", onePhone + "[[phones.lines]]\nname='1'\npassword=-4711", `line 12: phones[0].lines[0].password: found a value that is no text (not shown), allowed is a text of up to 128 characters without "`},

		{"warning: a name and no name server", shortest + "[sip]\nproxy='sip.example.com'", `warning: line 9: sip.proxy: found "sip.example.com", which nobody can resolve while dns.upstream is empty, allowed is an address, a name of dns.hosts, or a name server in dns.upstream`},
		{"warning: an unknown host of the zone", shortest + "[dns]\nupstream=['192.0.2.1']\n[sip]\nproxy='pbx.voice.home.arpa'", `warning: line 11: sip.proxy: found "pbx.voice.home.arpa", which nobody can resolve, allowed is an address, or a name of dns.hosts in voice.home.arpa`},
		{"warning: an unknown short name", shortest + "[dns]\nupstream=['192.0.2.1']\n[sip]\nproxy='pbx'", `warning: line 11: sip.proxy: found "pbx", which nobody can resolve, allowed is an address, or a name of dns.hosts in voice.home.arpa`},
		{"warning: the default time server", strings.Replace(shortest, "upstream = []", "", 1), `warning: line 6: time.upstream[0]: found "pool.ntp.org", which nobody can resolve while dns.upstream is empty, allowed is an address, a name of dns.hosts, or a name server in dns.upstream`},
		{"warning: a zone of forty-five minutes", shortest + "zone='Asia/Kathmandu'", zoneWarning(t)},
		{"warning: a host in the pool", shortest + "[dns.hosts]\npbx='10.77.1.9'", `warning: line 9: dns.hosts.pbx: found 10.77.1.9, which dhcp.pool[0] may give to a phone, allowed is an address outside of dhcp.pool`},
		{"warning: an account on two phones", onePhone + "[[phones.lines]]\nname='1'\n[[phones]]\nmac='0006D7AA2A2F'\n[[phones.lines]]\nname='1'", `warning: line 15: phones[1].lines[0].name: found "1", also in phones[0] (line 8), allowed is the same account on two phones if both shall ring`},
		{"warning: more lines than a 7940 has", onePhone + linesOf(3), `warning: line 14: phones[0].lines[2]: found 3 lines and no model, allowed is 2 lines if it is a 7940: the others then stay unused`},
		{"warning: a long password", onePhone + "[[phones.lines]]\nname='1'\npassword='01234567890123456789012345678901'", `warning: line 12: phones[0].lines[0].password: found a password of 32 characters, allowed is up to 31 characters by the phones' guide`},
		{"warning: a comment in a password", onePhone + "[[phones.lines]]\nname='1'\npassword='a;b'", `warning: line 12: phones[0].lines[0].password: found a password with ; or #, allowed is a password without ; and #, which begin a comment for some firmware`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := parseWith(t, tt.text, known)
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

// zoneWarning is the line about a zone that no phone knows; its words are the catalogue's.
func zoneWarning(t *testing.T) string {
	t.Helper()
	_, warning, err := phone.ZoneFor("Asia/Kathmandu", time.Time{})
	if err != nil || warning == "" {
		t.Fatalf("no warning: %v", err)
	}
	return `warning: line 8: time.zone: found "Asia/Kathmandu" (` + warning + `), allowed is a zone that the phones can follow, or a clock that is wrong at times`
}

func gatewaySite(gw string) string {
	return "[network]\naddress='10.77.0.1/16'\ngateway='" + gw + "'\n[dhcp]\npool=['10.77.1.1-10.77.3.250']\n[time]\nupstream=[]"
}

func poolSite(pool string) string {
	return "[network]\naddress='10.77.0.1/16'\n[dhcp]\npool=['" + pool + "']\n[time]\nupstream=[]"
}

func linesOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[phones.lines]]\nname = '%d'\n", 200+i)
	}
	return b.String()
}

// What people write in other ways means the same.
func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text string }{
		{"byte order mark and CR LF", "\ufeff" + strings.ReplaceAll(shortest, "\n", "\r\n")},
		{"dotted keys", "network.address='10.77.0.1/16'\ndhcp.pool=['10.77.1.1-10.77.3.250']\ntime.upstream=[]"},
		{"inline tables", "network={address='10.77.0.1/16'}\ndhcp={pool=['10.77.1.1-10.77.3.250']}\ntime={upstream=[]}"},
		{"proxy known by a name of the past", shortest + "[dns.names]\n'sip.old.example'='10.77.0.9'\n[sip]\nproxy='sip.old.example'"},
		{"names of the past", shortest + "[dns.hosts]\npbx='10.77.0.9'\n[dns.names]\n'old.example'='phonebox'\nbare='pbx'\n'gone.voice.home.arpa'='10.77.0.8'"},
		{"proxy known by a host", shortest + "[dns.hosts]\npbx='10.77.0.9'\n[sip]\nproxy='PBX.voice.home.arpa'"},
		{"proxy is a phone's label", shortest + "[sip]\nproxy='front-desk'\n[[phones]]\nmac='0006D7AA2A2E'\nlabel='Front desk!'"},
		{"pool of one address", poolSite("10.77.1.1")},
		{"no pool without dhcp", "[network]\naddress='10.77.0.1/16'\n[dhcp]\nenabled=false\n[time]\nupstream=[]"},
		{"no proxy of its own", shortest + "[[phones]]\nmac='0006D7AA2A2E'\nload='stay'\n[[phones.lines]]\nname=1\nproxy=''\nport=0"},
		{"parameters of a model that belong into SIPDefault.cnf", shortest + "[models.7940.parameters]\nlanguage='english'\nphone_label='x'"},
		{"forced names", shortest + "[sip.forced]\n'reg.1.displayName'='Jo'\n1st=''\n[[phones]]\nmac='0006D7AA2A2E'\n[phones.forced]\nzz=1"},
		{"numbers as texts", shortest + "[sip]\nport='5060'\n[[phones]]\nmac='0006D7AA2A2E'\nmodel=7960\nlabel=12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, got := parse(t, tt.text); len(got) > 0 {
				t.Errorf("faults:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestDefaultsAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	got, _ := parse(t, "[network]\naddress='10.77.0.1/16'\n[dhcp]\npool=['10.77.1.1-10.77.3.250']")
	want := &site.Site{
		Name:    "phonebox",
		Network: site.Network{Interface: "eth0", Address: netip.MustParsePrefix("10.77.0.1/16"), Domain: "voice.home.arpa"},
		DHCP: site.DHCP{
			Enabled: true, Lease: 8 * time.Hour, PingCheck: true,
			Pool: []site.Range{{First: netip.MustParseAddr("10.77.1.1"), Last: netip.MustParseAddr("10.77.3.250")}},
		},
		Time: site.Time{Enabled: true, Zone: "UTC", Upstream: []string{"pool.ntp.org"}, SNTPMode: "unicast", Broadcast: 64 * time.Second},
		DNS:  site.DNS{Enabled: true},
		SIP:  site.SIP{Enabled: true, Port: 5060, Register: true},

		Firmware: site.Firmware{Parallel: 8},
	}
	if diff := cmp.Diff(want, got, compareAddresses); diff != "" {
		t.Error(diff)
	}
}

var compareAddresses = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func TestTooManyFaultsAreBounded(t *testing.T) {
	t.Parallel()
	_, got := parse(t, strings.Repeat("[[phones]]\n", 1000))
	if len(got) != site.MaxFaults+1 || !strings.Contains(got[len(got)-1], "803 more faults") {
		t.Errorf("%d faults, the last %q", len(got), got[len(got)-1])
	}
	if _, got := parse(t, strings.Repeat("#", site.MaxSize+1)); len(got) != 1 {
		t.Errorf("too large a file: %q", got)
	}
}

// Keys of lists and of models are read, and written in one order; what is not set is not written, and secrets are masked.
func TestListsAndModels(t *testing.T) {
	t.Parallel()
	s, faults := parseWith(t, `
sip = {forced = {"reg.1.displayName" = "Jo", vendor_password = "forced-1"}}
models = {7960 = {parameters = {phone_password = "model-1"}}, 7940 = {parameters = {}}}
`+shortest+`
[[contacts]]
name = "Jo"
number = "+32 (0)2-555.01/23"
[[contacts]]
name = "Ann"
number = "ann.peeters"
[[dial_plan.rules]]
match = "9,.*"
timeout = 3
[[phones]]
mac = "0006D7AA2A2E"
runs = "p0s30203"
load = "stay"
forced = {vendor_password = "forced-2"}
[[phones.lines]]
name = "1"
proxy = "PBX.voice.home.arpa"
port = 5062
[dns.hosts]
pbx = "10.77.0.9"
`, site.Catalogue())
	if s == nil || len(faults) > 0 {
		t.Fatalf("faults:\n%s", strings.Join(faults, "\n"))
	}
	text := string(s.TOML(false))
	_, got, _ := strings.Cut(text, "plain_http = false\n")
	want := `
[models.7960.parameters]
phone_password = "********"

[[dial_plan.rules]]
match = "9,.*"
timeout = "3"

[[contacts]]
name = "Jo"
number = "+3225550123"

[[contacts]]
name = "Ann"
number = "ann.peeters"

[[phones]]
mac = "00:06:D7:AA:2A:2E"
load = "stay"
runs = "P0S30203"
[[phones.lines]]
name = "1"
proxy = "pbx.voice.home.arpa"
port = 5062
[phones.forced]
vendor_password = "********"
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(text, "[sip.forced]\n\"reg.1.displayName\" = \"Jo\"\nvendor_password = \"********\"\n") {
		t.Errorf("forced names of all phones are not in\n%s", text)
	}
	again, faults := parseWith(t, text, site.Options{Old: s})
	if diff := cmp.Diff(s, again, compareAddresses); diff != "" {
		t.Errorf("sent back with masks it means something else: %q\n%s", faults, diff)
	}
	if _, faults := parse(t, text); len(faults) != 3 {
		t.Errorf("masks without anything behind them: %q", faults)
	}
	if kept := s.Clone(); !cmp.Equal(s, kept, compareAddresses) {
		t.Error("the copy differs")
	} else {
		kept.Models["7960"]["phone_password"], kept.Contacts[0].Name, kept.DialPlan.Rules[0].Match = "x", "x", "x"
		kept.SIP.Forced["vendor_password"], kept.Phones[0].Forced["vendor_password"] = "x", "x"
		if !cmp.Equal(s, again, compareAddresses) {
			t.Error("the copy shares something with the site")
		}
	}
}

// A file from before these keys means what it meant, and comes back without their tables.
func TestOlderFileMeansWhatItMeant(t *testing.T) {
	t.Parallel()
	s, faults := parse(t, shortest+"[firmware]\ntarget='P0S3-8-12-00'\n[[phones]]\nmac='0006D7AA2A2E'\n[[phones.lines]]\nname='1'\n")
	if s == nil {
		t.Fatal(faults)
	}
	if s.Firmware.Parallel != 8 || s.Models != nil || s.Contacts != nil || s.DialPlan.Rules != nil || s.DialPlan.Country != "" || s.SIP.Forced != nil {
		t.Errorf("new keys have other values: %+v", s)
	}
	text := string(s.TOML(true))
	for _, word := range []string{"models", "dial_plan", "contacts", "forced", "load =", "runs", "\nport = 0"} {
		if strings.Contains(text, word) {
			t.Errorf("%q is written though nobody set it:\n%s", word, text)
		}
	}
}

func codes() string {
	var codes []string
	for _, c := range dialplan.Countries() {
		codes = append(codes, c.Code)
	}
	return strings.Join(codes, ", ")
}

// Rules win over the country, and with neither there is no file.
func TestDialPlanFile(t *testing.T) {
	t.Parallel()
	belgium, _ := dialplan.Country("BE")
	country, err := dialplan.Write(belgium)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ about, text, want string }{
		{"neither", "", ""},
		{"a country", "[dial_plan]\ncountry='be'", string(country)},
		{"rules", "[dial_plan]\ncountry='GB'\n[[dial_plan.rules]]\nmatch='9,*'\ntimeout=3\ntone='Cisco-Zip'", "<DIALTEMPLATE>\n<TEMPLATE MATCH=\"9,*\" Timeout=\"3\" Tone=\"Cisco-Zip\"/>\n</DIALTEMPLATE>\n"},
	} {
		s, faults := parse(t, shortest+tt.text)
		if s == nil {
			t.Fatalf("%s: %q", tt.about, faults)
		}
		if got, err := s.DialPlan.File(); err != nil || string(got) != tt.want || (got == nil) != (tt.want == "") {
			t.Errorf("%s: %q, %v, want %q", tt.about, got, err, tt.want)
		}
	}
	_, faults := parse(t, shortest+strings.Repeat("[[dial_plan.rules]]\nmatch='1'\nrewrite='"+strings.Repeat("1", 60)+"'\n", 100))
	if len(faults) != 1 || !strings.Contains(faults[0], "allowed are 8191") {
		t.Errorf("a plan that is too long: %q", faults)
	}
}
