package dns_test

import (
	"net/netip"
	"testing"

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
		{"pbx" + here, mdns.TypeANY, 0, "pbx.voice.home.arpa. 300 IN A 127.0.0.10", ""},
		{"door.cellar" + here, mdns.TypeA, 0, "door.cellar.voice.home.arpa. 300 IN A 127.0.0.11", ""},
		{"reception" + here, mdns.TypeA, 0, "reception.voice.home.arpa. 60 IN A 127.1.1.5", ""},
		{"SEP0006D7AA2A2E" + here, mdns.TypeA, 0, "SEP0006D7AA2A2E.voice.home.arpa. 60 IN A 127.1.1.5", ""},
		{"_sip._udp" + here, mdns.TypeSRV, 0, "_sip._udp.voice.home.arpa. 300 IN SRV 0 0 5062 pbx.voice.home.arpa.", "pbx.voice.home.arpa. 300 IN A 127.0.0.10"},
		// What is not there.
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
