package dns_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"phonebox/services/dns"
)

const soa = "voice.home.arpa. 60 IN SOA phonebox.voice.home.arpa. hostmaster.voice.home.arpa. 1 3600 600 86400 60"

// Every name of the zone, over UDP and over TCP.
func TestZone(t *testing.T) {
	t.Parallel()
	b := start(t, office())
	const here = ".voice.home.arpa."
	for _, tt := range []struct {
		name  string
		typ   uint16
		rcode int
		want  string // answer; "" with the SOA in the authority section
		extra string
	}{
		{"voice.home.arpa.", mdns.TypeA, 0, "voice.home.arpa. 300 IN A 127.0.0.1", ""},
		{"voice.home.arpa.", mdns.TypeSOA, 0, soa, ""},
		{"voice.home.arpa.", mdns.TypeNS, 0, "voice.home.arpa. 300 IN NS phonebox.voice.home.arpa.", "phonebox.voice.home.arpa. 300 IN A 127.0.0.1"},
		{"phonebox" + here, mdns.TypeA, 0, "phonebox.voice.home.arpa. 300 IN A 127.0.0.1", ""},
		{"CiscoCM1" + here, mdns.TypeA, 0, "CiscoCM1.voice.home.arpa. 300 IN A 127.0.0.1", ""},
		{"CiscoCM1.", mdns.TypeA, 0, "CiscoCM1. 300 IN A 127.0.0.1", ""},
		{"tftp" + here, mdns.TypeA, 0, "tftp.voice.home.arpa. 300 IN A 127.0.0.1", ""},
		{"ntp" + here, mdns.TypeA, 0, "ntp.voice.home.arpa. 300 IN A 127.0.0.1", ""},
		{"pbx" + here, mdns.TypeA, 0, "pbx.voice.home.arpa. 300 IN A 127.0.0.10", ""},
		{"pBx.VOICE.home.arpa.", mdns.TypeA, 0, "pBx.VOICE.home.arpa. 300 IN A 127.0.0.10", ""},
		{"pbx.", mdns.TypeA, 0, "pbx. 300 IN A 127.0.0.10", ""},
		{"pbx" + here, mdns.TypeANY, 0, "pbx.voice.home.arpa. 300 IN A 127.0.0.10; pbx.voice.home.arpa. 300 IN NAPTR 10 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.pbx.voice.home.arpa.", "_sip._udp.pbx.voice.home.arpa. 300 IN SRV 0 0 5062 pbx.voice.home.arpa."},
		{"CiscoCM2" + here, mdns.TypeA, 0, "CiscoCM2.voice.home.arpa. 300 IN A 127.0.0.1", ""},
		{"CiscoCM2.", mdns.TypeA, 0, "CiscoCM2. 300 IN A 127.0.0.1", ""},
		{"door.cellar" + here, mdns.TypeA, 0, "door.cellar.voice.home.arpa. 300 IN A 127.0.0.11", ""},
		{"reception" + here, mdns.TypeA, 0, "reception.voice.home.arpa. 60 IN A 127.1.1.5", ""},
		{"SEP0006D7AA2A2E" + here, mdns.TypeA, 0, "SEP0006D7AA2A2E.voice.home.arpa. 60 IN A 127.1.1.5", ""},
		{"_sip._udp" + here, mdns.TypeSRV, 0, "_sip._udp.voice.home.arpa. 300 IN SRV 0 0 5062 pbx.voice.home.arpa.", "pbx.voice.home.arpa. 300 IN A 127.0.0.10"},
		{"voice.home.arpa.", mdns.TypeNAPTR, 0, "voice.home.arpa. 300 IN NAPTR 10 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.voice.home.arpa.", "_sip._udp.voice.home.arpa. 300 IN SRV 0 0 5062 pbx.voice.home.arpa."},
		{"_tftp._udp" + here, mdns.TypeSRV, 0, "_tftp._udp.voice.home.arpa. 300 IN SRV 0 0 69 tftp.voice.home.arpa.", "tftp.voice.home.arpa. 300 IN A 127.0.0.1"},
		{"_ntp._udp" + here, mdns.TypeSRV, 0, "_ntp._udp.voice.home.arpa. 300 IN SRV 0 0 123 ntp.voice.home.arpa.", "ntp.voice.home.arpa. 300 IN A 127.0.0.1"},
		// What is not there.
		{"*" + here, mdns.TypeA, mdns.RcodeNameError, "", ""}, // a star is a name like any other to who asks
		{"reception" + here, mdns.TypeNAPTR, 0, "", ""},
		{"phonebox" + here, mdns.TypeHTTPS, 0, "", ""},
		{"voice.home.arpa.", mdns.TypeDS, 0, "", ""},
		{"voice.home.arpa.", mdns.TypeDNSKEY, 0, "", ""},
		{"pbx" + here, 65280, 0, "", ""}, // a type that nobody knows
		{"nobody" + here, mdns.TypeA, mdns.RcodeNameError, "", ""},
		{"a.reception" + here, mdns.TypeA, mdns.RcodeNameError, "", ""},
		{"_sip._udp.pbx" + here, mdns.TypeSRV, 0, "_sip._udp.pbx.voice.home.arpa. 300 IN SRV 0 0 5062 pbx.voice.home.arpa.", "pbx.voice.home.arpa. 300 IN A 127.0.0.10"},
		{"_sip._tcp" + here, mdns.TypeSRV, mdns.RcodeNameError, "", ""},
		{"phonebox" + here, mdns.TypeAAAA, 0, "", ""},
		{"reception" + here, mdns.TypeMX, 0, "", ""},
		{"_udp" + here, mdns.TypeA, 0, "", ""},
		{"cellar" + here, mdns.TypeA, 0, "", ""},
		// Backwards.
		{"1.0.0.127.in-addr.arpa.", mdns.TypePTR, 0, "1.0.0.127.in-addr.arpa. 300 IN PTR phonebox.voice.home.arpa.", ""},
		{"10.0.0.127.in-addr.arpa.", mdns.TypePTR, 0, "10.0.0.127.in-addr.arpa. 300 IN PTR alias.voice.home.arpa.", ""},
		{"5.1.1.127.in-addr.arpa.", mdns.TypePTR, 0, "5.1.1.127.in-addr.arpa. 60 IN PTR reception.voice.home.arpa.", ""},
		{"127.in-addr.arpa.", mdns.TypeNS, 0, "127.in-addr.arpa. 300 IN NS phonebox.voice.home.arpa.", "phonebox.voice.home.arpa. 300 IN A 127.0.0.1"},
		{"6.1.1.127.in-addr.arpa.", mdns.TypePTR, mdns.RcodeNameError, "", ""},
		{"lb._dns-sd._udp.0.0.0.127.in-addr.arpa.", mdns.TypePTR, mdns.RcodeNameError, "", ""},
		{"5.1.1.127.in-addr.arpa.", mdns.TypeA, 0, "", ""},
		{"1.127.in-addr.arpa.", mdns.TypePTR, 0, "", ""},
		// Others know better, and nobody is asked here.
		{"example.com.", mdns.TypeA, mdns.RcodeRefused, "", ""},
		{"nobody.", mdns.TypeA, mdns.RcodeRefused, "", ""},
		{"pbx.", mdns.TypeNS, mdns.RcodeRefused, "", ""},
		{"9.2.0.192.in-addr.arpa.", mdns.TypePTR, mdns.RcodeRefused, "", ""},
		{"arpa.", mdns.TypeSOA, mdns.RcodeRefused, "", ""},
	} {
		for _, network := range []string{"udp", "tcp"} {
			resp := b.ask(network, question(tt.name, tt.typ))
			if resp.Rcode != tt.rcode || short(resp.Answer) != tt.want || short(resp.Extra) != tt.extra {
				t.Errorf("%s %s: %s %q %q, want %s %q %q", tt.name, mdns.TypeToString[tt.typ], mdns.RcodeToString[resp.Rcode], short(resp.Answer), short(resp.Extra),
					mdns.RcodeToString[tt.rcode], tt.want, tt.extra)
			}
			local := tt.rcode != mdns.RcodeRefused
			if resp.Authoritative != local || resp.RecursionAvailable {
				t.Errorf("%s: AA %v, RA %v", tt.name, resp.Authoritative, resp.RecursionAvailable)
			}
			if negative := local && tt.want == ""; negative != (len(resp.Ns) == 1) {
				t.Errorf("%s: authority %q", tt.name, short(resp.Ns))
			} else if negative && resp.Ns[0].(*mdns.SOA).Minttl != 60 {
				t.Errorf("%s: %q may be kept for long", tt.name, short(resp.Ns))
			}
		}
	}
	e := b.event(func(e dns.Event) bool { return e.Name == "reception.voice.home.arpa" && e.Type == "MX" })
	if e.Kind != dns.EventAnswered || e.Result != "NODATA" || !e.Local || !e.From.IsValid() || e.Time.IsZero() {
		t.Errorf("the event is %+v", e)
	}
}

// The SRV record has to name a name whatever the proxy is.
func TestProxyRecord(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, proxy, want, extra string }{
		{"a name elsewhere", "sip.example.com", "0 0 5062 sip.example.com.", ""},
		{"the name of a phone", "reception", "0 0 5062 reception.voice.home.arpa.", "reception.voice.home.arpa. 60 IN A 127.1.1.5"},
		{"a name without its domain", "pbx", "0 0 5062 pbx.voice.home.arpa.", "pbx.voice.home.arpa. 300 IN A 127.0.0.10"},
		{"the address of a host", "127.0.0.10", "0 0 5062 alias.voice.home.arpa.", "alias.voice.home.arpa. 300 IN A 127.0.0.10"},
		{"an address without a name", "192.0.2.7", "0 0 5062 sip-proxy.voice.home.arpa.", "sip-proxy.voice.home.arpa. 300 IN A 192.0.2.7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := office()
			cfg.Proxy = tt.proxy
			resp := start(t, cfg).ask("udp", question("_sip._udp.voice.home.arpa.", mdns.TypeSRV))
			if got := short(resp.Answer); got != "_sip._udp.voice.home.arpa. 300 IN SRV "+tt.want || short(resp.Extra) != tt.extra {
				t.Errorf("found %q and %q", got, short(resp.Extra))
			}
		})
	}
	cfg := office()
	cfg.Proxy = ""
	if resp := start(t, cfg).ask("udp", question("_sip._udp.voice.home.arpa.", mdns.TypeSRV)); resp.Rcode != mdns.RcodeNameError {
		t.Errorf("without a proxy: %s", mdns.RcodeToString[resp.Rcode])
	}
}

// The zone of a subnet that does not end at a whole octet: inside is ours, beside it is not.
func TestReverseOfOddSubnets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		subnet, name string
		local        bool
		apex         string
	}{
		{"127.77.16.1/20", "5.31.77.127.in-addr.arpa.", true, "31.77.127.in-addr.arpa."},
		{"127.77.16.1/20", "5.32.77.127.in-addr.arpa.", false, ""},
		{"127.77.16.1/20", "77.127.in-addr.arpa.", false, ""},
		{"127.77.16.1/26", "9.16.77.127.in-addr.arpa.", true, "16.77.127.in-addr.arpa."},
		{"127.77.16.1/26", "99.16.77.127.in-addr.arpa.", false, ""},
	} {
		cfg := office()
		cfg.Server = netip.MustParsePrefix(tt.subnet)
		cfg.Listen = netip.AddrPortFrom(cfg.Server.Addr(), 0)
		b := start(t, cfg)
		resp := b.askFrom(cfg.Server.Addr().Next(), "udp", question(tt.name, mdns.TypePTR))
		if local := resp.Rcode == mdns.RcodeNameError; local != tt.local {
			t.Errorf("%s of %s: %s", tt.name, tt.subnet, mdns.RcodeToString[resp.Rcode])
		} else if local && resp.Ns[0].Header().Name != tt.apex {
			t.Errorf("%s of %s: zone %s, want %s", tt.name, tt.subnet, resp.Ns[0].Header().Name, tt.apex)
		}
	}
}

// Each line may have a telephone system of its own. What a phone asks for is the name that it was told.
func TestRecordsOfTheLinesProxies(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Proxies = []dns.Proxy{
		{Host: "far", Port: 5070},
		{Host: "FAR.voice.home.arpa", Port: 5080},
		{Host: "192.0.2.77", Port: 5060},
		{Host: "sip.example.com", Port: 5060},
		{Host: "", Port: 5060},
		{Host: "pbx", Port: 5099}, // the port of sip.proxy is there first
	}
	b := start(t, cfg)
	for name, want := range map[string]string{
		"_sip._udp.far.voice.home.arpa.": "_sip._udp.far.voice.home.arpa. 300 IN SRV 0 0 5070 far.voice.home.arpa.",
		"_sip._udp.pbx.voice.home.arpa.": "_sip._udp.pbx.voice.home.arpa. 300 IN SRV 0 0 5062 pbx.voice.home.arpa.",
		"_sip._udp.voice.home.arpa.":     "_sip._udp.voice.home.arpa. 300 IN SRV 0 0 5062 pbx.voice.home.arpa.",
	} {
		if got := short(b.ask("udp", question(name, mdns.TypeSRV)).Answer); got != want {
			t.Errorf("%s: found %q, want %q", name, got, want)
		}
	}
	want := `far.voice.home.arpa. 300 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.far.voice.home.arpa.`
	if got := short(b.ask("udp", question("far.voice.home.arpa.", mdns.TypeNAPTR)).Answer); got != want {
		t.Errorf("NAPTR of a line's proxy: found %q, want %q", got, want)
	}
	if resp := b.ask("udp", question("_sip._udp.sip.example.com.", mdns.TypeSRV)); resp.Rcode != mdns.RcodeRefused {
		t.Errorf("the box speaks for somebody else's zone: %s", resp)
	}
}

// A site that has a second CallManager keeps its name; where another server tells the time, the box does not say that it does.
func TestNamesThatDependOnTheSite(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Hosts = map[string]netip.Addr{"ciscocm2": netip.MustParseAddr("127.0.0.66")}
	cfg.NoTime = true
	b := start(t, cfg)
	if got := short(b.ask("udp", question("ciscocm2.", mdns.TypeA)).Answer); got != "ciscocm2. 300 IN A 127.0.0.66" {
		t.Errorf("the site's CiscoCM2 is %q", got)
	}
	if resp := b.ask("udp", question("_ntp._udp.voice.home.arpa.", mdns.TypeSRV)); resp.Rcode != mdns.RcodeNameError {
		t.Errorf("_ntp._udp without the time: %s", resp)
	}
}

// impostor is a phone that calls itself what the box or a host is called.
type impostor struct{}

func (impostor) Lookup(string) (netip.Addr, bool) { return netip.MustParseAddr("127.66.6.6"), true }

func (impostor) Reverse(addr netip.Addr) (string, bool) {
	return map[netip.Addr]string{netip.MustParseAddr("127.66.6.6"): "tftp", netip.MustParseAddr("127.66.6.7"): "pbx", netip.MustParseAddr("127.66.6.8"): "desk"}[addr], true
}

// No device takes a name of the box or of a host, not even backwards.
func TestADeviceTakesNoNameOfTheBox(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Rescued = map[string]netip.Addr{"old.voice.home.arpa": netip.MustParseAddr("127.0.0.12")}
	b := startAs(t, cfg, impostor{}, time.Second)
	for _, name := range []string{"phonebox", "ciscocm1", "ciscocm2", "tftp", "ntp", "pbx", "far", "old"} {
		for _, full := range []string{name + ".voice.home.arpa.", name + "."} {
			if got := short(b.ask("udp", question(full, mdns.TypeA)).Answer); got == "" || strings.Contains(got, "127.66.6.6") {
				t.Errorf("%s is %q", full, got)
			}
		}
	}
	if got := short(b.ask("udp", question("voice.home.arpa.", mdns.TypeA)).Answer); strings.Contains(got, "127.66.6.6") {
		t.Errorf("the domain is %q", got)
	}
	for name, want := range map[string]string{"6.6.66.127": "", "7.6.66.127": "", "8.6.66.127": "8.6.66.127.in-addr.arpa. 60 IN PTR desk.voice.home.arpa."} {
		if got := short(b.ask("udp", question(name+".in-addr.arpa.", mdns.TypePTR)).Answer); got != want {
			t.Errorf("%s backwards: found %q, want %q", name, got, want)
		}
	}
}

// The serial grows with each change of what the zone says, and with nothing else.
func TestSerial(t *testing.T) {
	t.Parallel()
	b := start(t, office())
	serial := func(name string) uint32 {
		t.Helper()
		resp := b.ask("udp", question(name, mdns.TypeSOA))
		if len(resp.Answer) != 1 {
			t.Fatalf("SOA of %s: %s", name, resp)
		}
		return resp.Answer[0].(*mdns.SOA).Serial
	}
	if got := serial("voice.home.arpa."); got != 1 {
		t.Fatalf("the first serial is %d, want that of the time", got)
	}
	apply := func(change func(*dns.Config)) {
		t.Helper()
		cfg := office()
		change(&cfg)
		if err := b.Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	apply(func(cfg *dns.Config) {
		cfg.Upstream = append(cfg.Upstream, dns.Upstream{Addr: upstreamOf("192.0.2.53:53")})
	})
	if got := serial("voice.home.arpa."); got != 1 {
		t.Errorf("another upstream server: serial %d, want 1", got)
	}
	apply(func(cfg *dns.Config) { cfg.Hosts["door"] = netip.MustParseAddr("127.0.0.13") })
	if got := serial("voice.home.arpa."); got != 2 {
		t.Errorf("another host: serial %d, want 2", got)
	}
	apply(func(cfg *dns.Config) {
		cfg.Rescued = map[string]netip.Addr{"old.example": netip.MustParseAddr("127.0.0.13")}
	})
	if got := serial("127.in-addr.arpa."); got != 3 {
		t.Errorf("a host less and a rescued name: serial %d, want 3", got)
	}
	b.changes.Add(4)
	if got := serial("voice.home.arpa."); got != 7 {
		t.Errorf("after four changes of leases: serial %d, want 7", got)
	}
	if got := b.ask("udp", question("nobody.voice.home.arpa.", mdns.TypeA)).Ns[0].(*mdns.SOA).Serial; got != 7 {
		t.Errorf("the serial of an answer without records is %d, want 7", got)
	}
}

// Names that nobody knows are answered as the site says: with and without the domain, short-lived, and never instead of a
// name of the zone.
func TestRescuedNames(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, outside)
	cfg := office()
	cfg.Upstream = append(cfg.Upstream, dns.Upstream{Addr: up.addr})
	there := netip.MustParseAddr("127.0.0.40")
	cfg.Rescued = map[string]netip.Addr{
		"tftp.old-site.example": there, "cucm-sub": there, "stale.voice.home.arpa": there,
		"pbx.voice.home.arpa": there, "phonebox": there, "voice.home.arpa": there, // of the zone already
	}
	b := start(t, cfg)
	for _, tt := range []struct {
		name string
		typ  uint16
		want string
		aa   bool
	}{
		{"TFTP.old-site.example.", mdns.TypeA, "TFTP.old-site.example. 30 IN A 127.0.0.40", false},
		{"tftp.old-site.example.", mdns.TypeANY, "tftp.old-site.example. 30 IN A 127.0.0.40", false},
		{"tftp.old-site.example.", mdns.TypeAAAA, "", false},
		{"tftp.old-site.example.", mdns.TypeMX, "", false},
		{"cucm-sub.", mdns.TypeA, "cucm-sub. 30 IN A 127.0.0.40", true},
		{"cucm-sub.voice.home.arpa.", mdns.TypeA, "cucm-sub.voice.home.arpa. 30 IN A 127.0.0.40", true},
		{"stale.voice.home.arpa.", mdns.TypeA, "stale.voice.home.arpa. 30 IN A 127.0.0.40", true},
		{"stale.", mdns.TypeA, "stale. 30 IN A 127.0.0.40", true},
		{"pbx.voice.home.arpa.", mdns.TypeA, "pbx.voice.home.arpa. 300 IN A 127.0.0.10", true},
		{"phonebox.", mdns.TypeA, "phonebox. 300 IN A 127.0.0.1", true},
		{"voice.home.arpa.", mdns.TypeA, "voice.home.arpa. 300 IN A 127.0.0.1", true},
	} {
		resp := b.ask("udp", question(tt.name, tt.typ))
		if resp.Rcode != mdns.RcodeSuccess || short(resp.Answer) != tt.want || resp.Authoritative != tt.aa || !resp.RecursionAvailable {
			t.Errorf("%s %s: %s, want %q", tt.name, mdns.TypeToString[tt.typ], resp, tt.want)
		}
	}
	if asked := up.log(); len(asked) > 0 {
		t.Errorf("upstream was asked for %v", asked)
	}
	if got := short(b.ask("udp", question("www.old-site.example.", mdns.TypeA)).Answer); got != "www.old-site.example. 77 IN A 192.0.2.80" {
		t.Errorf("a neighbour of a rescued name is %q, want what upstream says", got)
	}
}

// What the box answers for only because nobody else has the name is led elsewhere by the settings, as the page says.
func TestRescuedNamesComeBeforeWhatTheBoxMakesUp(t *testing.T) {
	t.Parallel()
	there := netip.MustParseAddr("127.0.0.40")
	for _, names := range [][2]string{{"ciscocm2", "sip-proxy"}, {"ciscocm2.voice.home.arpa", "sip-proxy.voice.home.arpa"}} {
		cfg := office()
		cfg.Proxy = "192.0.2.44"
		cfg.Rescued = map[string]netip.Addr{names[0]: there, names[1]: there}
		b := start(t, cfg)
		for _, name := range []string{"ciscocm2.", "CiscoCM2.voice.home.arpa.", "sip-proxy.", "sip-proxy.voice.home.arpa."} {
			if got := short(b.ask("udp", question(name, mdns.TypeA)).Answer); got != name+" 30 IN A 127.0.0.40" {
				t.Errorf("with %q: %s is %q", names, name, got)
			}
		}
		if got := short(b.ask("udp", question("_sip._udp.voice.home.arpa.", mdns.TypeSRV)).Answer); !strings.HasSuffix(got, " sip-proxy-2.voice.home.arpa.") {
			t.Errorf("with %q the telephone system is %q", names, got)
		}
		if got := short(b.ask("udp", question("sip-proxy-2.voice.home.arpa.", mdns.TypeA)).Answer); !strings.HasSuffix(got, " 192.0.2.44") {
			t.Errorf("with %q its address is %q", names, got)
		}
	}
}

// The networks behind relays have reverse zones too, and those that share an octet share one.
func TestReverseOfTheNetworksBehindRelays(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Server = netip.MustParsePrefix("127.77.0.1/16")
	cfg.Listen = netip.AddrPortFrom(cfg.Server.Addr(), 0)
	for _, network := range []string{"127.1.1.0/24", "127.78.0.0/25", "127.78.0.128/25", "127.80.0.0/14"} {
		cfg.Subnets = append(cfg.Subnets, netip.MustParsePrefix(network))
	}
	b := start(t, cfg)
	for _, tt := range []struct{ name, want, apex string }{
		{"5.1.1.127", "5.1.1.127.in-addr.arpa. 60 IN PTR reception.voice.home.arpa.", ""},
		{"6.1.1.127", "", "1.1.127.in-addr.arpa."},
		{"1.0.77.127", "1.0.77.127.in-addr.arpa. 300 IN PTR phonebox.voice.home.arpa.", ""},
		{"9.0.78.127", "", "0.78.127.in-addr.arpa."},
		{"200.0.78.127", "", "0.78.127.in-addr.arpa."},
		{"3.2.83.127", "", "83.127.in-addr.arpa."},
		{"3.2.84.127", "refused", ""},
		{"78.127", "refused", ""},
		{"9.1.78.127", "refused", ""},
	} {
		resp := b.askFrom(cfg.Server.Addr().Next(), "udp", question(tt.name+".in-addr.arpa.", mdns.TypePTR))
		switch {
		case tt.want == "refused":
			if resp.Rcode != mdns.RcodeRefused {
				t.Errorf("%s: %s, want REFUSED", tt.name, resp)
			}
		case tt.want != "":
			if short(resp.Answer) != tt.want {
				t.Errorf("%s: %s, want %q", tt.name, resp, tt.want)
			}
		case resp.Rcode != mdns.RcodeNameError || len(resp.Ns) != 1 || resp.Ns[0].Header().Name != tt.apex:
			t.Errorf("%s: %s, want NXDOMAIN of %s", tt.name, resp, tt.apex)
		}
	}
	if got := short(b.askFrom(cfg.Server.Addr().Next(), "udp", question("1.1.127.in-addr.arpa.", mdns.TypeNS)).Answer); got != "1.1.127.in-addr.arpa. 300 IN NS phonebox.voice.home.arpa." {
		t.Errorf("the top of a reverse zone behind a relay: %q", got)
	}
}
