package dns_test

import (
	"net/netip"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dns"
)

// voice is a box whose phones are at 127.77/16, with a network behind a relay.
func voice(ups ...netip.AddrPort) dns.Config {
	cfg := withUpstream(ups...)
	cfg.Listen, cfg.Server = netip.MustParseAddrPort("127.77.0.1:0"), netip.MustParsePrefix("127.77.0.1/16")
	cfg.Subnets = []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")}
	cfg.Inside = []string{"Office.example"}
	cfg.Rescued = map[string]netip.Addr{"tftp.old-site.example": netip.MustParseAddr("127.77.0.40")}
	return cfg
}

// No name of the world leads into the phones' networks or to the one who asks, unless the settings allow it. Other private
// networks are usual: a PBX there, named by the company's server.
func TestNoNameOfTheWorldLeadsHere(t *testing.T) {
	t.Parallel()
	lists := map[string]string{}
	allowed := map[string]bool{}
	add := func(name, typ, text string, ok bool) {
		lists[name+" "+typ] = text
		allowed[name+" "+typ] = ok
	}
	add("phone.evil.example.", "A", "phone.evil.example. 60 IN A 127.77.3.4", false)
	add("relay.evil.example.", "A", "relay.evil.example. 60 IN A 192.0.2.200", false)
	add("second.evil.example.", "A", "second.evil.example. 60 IN A 192.0.2.1\nsecond.evil.example. 60 IN A 192.0.2.201", false)
	add("loop.evil.example.", "A", "loop.evil.example. 60 IN A 127.0.0.1", false)
	add("zero.evil.example.", "A", "zero.evil.example. 60 IN A 0.0.0.0", false)
	add("link.evil.example.", "A", "link.evil.example. 60 IN A 169.254.1.1", false)
	add("chain.evil.example.", "A", "chain.evil.example. 60 IN CNAME x.other.example.\nx.other.example. 60 IN A 127.77.3.4", false)
	add("loop6.evil.example.", "AAAA", "loop6.evil.example. 60 IN AAAA ::1", false)
	add("any6.evil.example.", "AAAA", "any6.evil.example. 60 IN AAAA ::", false)
	add("mapped.evil.example.", "AAAA", "mapped.evil.example. 60 IN AAAA ::ffff:127.77.3.4", false)
	add("mapped2.evil.example.", "AAAA", "mapped2.evil.example. 60 IN AAAA ::ffff:192.0.2.200", false)
	add("link6.evil.example.", "AAAA", "link6.evil.example. 60 IN AAAA fe80::1", false)
	add("hint.evil.example.", "HTTPS", "hint.evil.example. 60 IN HTTPS 1 . ipv4hint=127.77.3.4", false)
	add("alias.evil.example.", "A", "alias.evil.example. 60 IN CNAME x.other.example.\nx.other.example. 60 IN CNAME Reception.voice.home.arpa.", false)
	add("bare.evil.example.", "AAAA", "bare.evil.example. 60 IN CNAME phonebox.", false)
	add("rescued.evil.example.", "A", "rescued.evil.example. 60 IN CNAME tftp.old-site.example.", false)
	add("cname.evil.example.", "CNAME", "cname.evil.example. 60 IN CNAME voice.home.arpa.", false)
	add("https.evil.example.", "HTTPS", "https.evil.example. 60 IN HTTPS 0 phonebox.voice.home.arpa.", false)
	add("service.evil.example.", "SVCB", "service.evil.example. 60 IN SVCB 1 phonebox.voice.home.arpa. port=443", false)
	add("self.world.example.", "HTTPS", "self.world.example. 60 IN HTTPS 1 . alpn=h2", true)
	add("alias.office.example.", "A", "alias.office.example. 60 IN CNAME pbx.voice.home.arpa.", true)
	add("alias.world.example.", "A", "alias.world.example. 60 IN CNAME notvoice.home.arpa.", true)
	add("pbx.company.example.", "A", "pbx.company.example. 60 IN A 10.20.30.40", true)
	add("pbx2.company.example.", "A", "pbx2.company.example. 60 IN A 192.168.1.5", true)
	add("world.example.", "A", "world.example. 60 IN A 192.0.2.1", true)
	add("pbx.office.example.", "A", "pbx.office.example. 60 IN A 127.77.0.10", true)
	up := records(t, lists)
	reg := prometheus.NewRegistry()
	b := startTuned(t, voice(up.addr), dns.Deps{Metrics: reg}, func(*dns.Server) {})
	client := netip.MustParseAddr("127.77.9.9")
	refused := 0
	for key, ok := range allowed {
		name, typ, _ := strings.Cut(key, " ")
		for range 2 { // from the server, and from memory
			resp := b.askFrom(client, "udp", question(name, mdns.StringToType[typ]))
			if ok != (len(resp.Answer) > 0) || ok != (resp.Rcode == mdns.RcodeSuccess) || !ok && resp.Rcode != mdns.RcodeRefused {
				t.Errorf("%s: %v", key, resp)
			}
		}
		if !ok {
			refused++
			b.event(func(e dns.Event) bool {
				return e.Kind == dns.EventUpstream && strings.HasPrefix(e.Reason, strings.TrimSuffix(name, ".")+" is not told") && !strings.Contains(e.Reason, ".,") && strings.Contains(e.Reason, "dns.inside")
			})
		}
	}
	if n := figure(t, reg, "phonebox_dns_upstream_ignored_total", "rebinding"); int(n) != refused {
		t.Errorf("%v answers were counted, want %d", n, refused)
	}
}

// What does not belong to the answer is left out, whatever it is.
func TestOnlyWhatAnswersIsTold(t *testing.T) {
	t.Parallel()
	up := records(t, map[string]string{
		"a.example. A": "a.example. 60 IN A 192.0.2.1\nbank.example. 60 IN A 192.0.2.66\na.example. 60 IN TXT x\n" +
			"!example. 60 IN NS ns.evil.example.\n+ns.evil.example. 60 IN A 192.0.2.66\n+bank.example. 60 IN A 192.0.2.66",
		"_sip._udp.example. SRV": "_sip._udp.example. 60 IN SRV 0 0 5060 sip.example.\n+sip.example. 60 IN A 192.0.2.5\n+bank.example. 60 IN A 192.0.2.66\n+sip.example. 60 IN A 127.77.0.9",
		"loop.example. A":        "loop.example. 60 IN CNAME loop2.example.\nloop2.example. 60 IN CNAME loop.example.",
		"sub.example. A":         "NXDOMAIN\n!other.example. 900 IN SOA a. b. 1 1 1 1 900\n" + exampleSOA,
		"d.old.example. A":       "old.example. 60 IN DNAME new.example.\nd.old.example. 60 IN CNAME d.new.example.\nd.new.example. 60 IN A 192.0.2.9",
	})
	b := startTuned(t, voice(up.addr), dns.Deps{}, func(*dns.Server) {})
	for _, tt := range []struct{ name, typ, answer, ns, extra string }{
		{"a.example.", "A", "a.example. 60 IN A 192.0.2.1", "", ""},
		{"_sip._udp.example.", "SRV", "_sip._udp.example. 60 IN SRV 0 0 5060 sip.example.", "", "sip.example. 60 IN A 192.0.2.5"},
		{"sub.example.", "A", "", "example. 120 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 120", ""},
		{"d.old.example.", "A", "old.example. 60 IN DNAME new.example.; d.old.example. 60 IN CNAME d.new.example.; d.new.example. 60 IN A 192.0.2.9", "", ""},
	} {
		resp := b.askFrom(netip.MustParseAddr("127.77.9.9"), "udp", question(tt.name, mdns.StringToType[tt.typ]))
		if short(resp.Answer) != tt.answer || short(resp.Ns) != tt.ns || short(resp.Extra) != tt.extra {
			t.Errorf("%s %s: found %q, %q, %q", tt.name, tt.typ, short(resp.Answer), short(resp.Ns), short(resp.Extra))
		}
	}
	if resp := b.askFrom(netip.MustParseAddr("127.77.9.9"), "udp", question("loop.example.", mdns.TypeA)); len(resp.Answer) > 16 {
		t.Errorf("a loop of CNAMEs: %v", resp)
	}
}

// Some questions are never asked upstream.
func TestWhatStaysHere(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, outside)
	b := startTuned(t, voice(up.addr), dns.Deps{}, func(*dns.Server) {})
	for _, tt := range []struct {
		name  string
		typ   uint16
		rcode int
	}{
		{"nobody.voice.home.arpa.", mdns.TypeA, mdns.RcodeNameError},
		{"9.9.77.127.in-addr.arpa.", mdns.TypePTR, mdns.RcodeNameError},
		{"200.2.0.192.in-addr.arpa.", mdns.TypePTR, mdns.RcodeNameError},
		{"localhost.", mdns.TypeA, mdns.RcodeNameError},
		{"x.invalid.", mdns.TypeA, mdns.RcodeNameError},
		{"x.onion.", mdns.TypeA, mdns.RcodeNameError},
	} {
		if resp := b.askFrom(netip.MustParseAddr("127.77.9.9"), "udp", question(tt.name, tt.typ)); resp.Rcode != tt.rcode {
			t.Errorf("%s: %v", tt.name, resp)
		}
	}
	resp := b.askFrom(netip.MustParseAddr("127.77.9.9"), "udp", question("example.com.", mdns.TypeANY))
	if resp.Len() > 100 || len(resp.Answer) != 1 || !strings.Contains(resp.Answer[0].String(), "RFC8482") {
		t.Errorf("ANY: %v", resp)
	}
	if got := up.log(); len(got) > 0 {
		t.Errorf("upstream was asked %q", got)
	}
	b.askFrom(netip.MustParseAddr("127.77.9.9"), "udp", question("1.2.0.192.in-addr.arpa.", mdns.TypePTR))
	if got := up.log(); len(got) != 1 {
		t.Errorf("for an address of others upstream was asked %q", got)
	}
}
