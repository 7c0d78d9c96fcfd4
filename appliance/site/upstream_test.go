package site_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"phonebox/appliance/site"
)

// Name servers are read in each of their forms, and written in the shortest.
func TestUpstreamForms(t *testing.T) {
	t.Parallel()
	at := func(addr, name string) site.Upstream {
		return site.Upstream{Addr: netip.MustParseAddrPort(addr), TLSName: name}
	}
	for text, want := range map[string]struct {
		up      site.Upstream
		written string
	}{
		"192.0.2.1":                        {at("192.0.2.1:53", ""), "192.0.2.1"},
		"192.0.2.1:53":                     {at("192.0.2.1:53", ""), "192.0.2.1"},
		"192.0.2.1:853":                    {at("192.0.2.1:853", ""), "192.0.2.1:853"},
		"tls://192.0.2.1#dns.example.net":  {at("192.0.2.1:853", "dns.example.net"), "tls://192.0.2.1#dns.example.net"},
		"tls://192.0.2.1:853#DNS.Example.": {at("192.0.2.1:853", "dns.example"), "tls://192.0.2.1#dns.example"},
		"tls://192.0.2.1:53#dns.example":   {at("192.0.2.1:53", "dns.example"), "tls://192.0.2.1:53#dns.example"},
	} {
		s, faults := parse(t, shortest+"[dns]\nupstream=['"+text+"']\ninside=['Office.Example.com.']")
		if len(faults) > 0 || len(s.DNS.Upstream) != 1 || s.DNS.Upstream[0] != want.up || !slices.Equal(s.DNS.Inside, []string{"office.example.com"}) {
			t.Errorf("%s is %+v, %q, want %+v", text, s.DNS, faults, want.up)
			continue
		}
		if out := string(s.TOML(true)); !strings.Contains(out, `upstream = ["`+want.written+`"]`) || !strings.Contains(out, `inside = ["office.example.com"]`) {
			t.Errorf("%s is written\n%s", text, out)
		}
	}
}

func TestUpstreamsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "dns.example.net", "tls://192.0.2.1", "tls://192.0.2.1#", "tls://dns.example.net", "tls://192.0.2.1#192.0.2.1", "tls://#dns.example",
		"tls://192.0.2.1:0#dns.example", "tls://192.0.2.1:70000#dns.example", "tls://192.0.2.1#a b", "https://192.0.2.1#dns.example",
		"192.0.2.1#dns.example", "tls://[2001:db8::1]#dns.example", "tls://192.0.2.1#dns.example#x",
	} {
		_, faults := parse(t, shortest+"[dns]\nupstream=['"+text+"']")
		if len(faults) != 1 || !strings.Contains(faults[0], "line 9: dns.upstream[0]: found") || !strings.Contains(faults[0], "tls://ADDRESS#NAME") {
			t.Errorf("%q: found %q", text, faults)
		}
	}
	_, faults := parse(t, shortest+"[dns]\nupstream=['tls://10.77.0.1#box.example']\ninside=['a b']")
	want := []string{
		`line 10: dns.inside[0]: found "a b", allowed is a domain name`,
		"line 9: dns.upstream[0]: found 10.77.0.1, the box itself, allowed is another name server",
	}
	for _, w := range want {
		if !slices.Contains(faults, w) {
			t.Errorf("found %q, want %q", faults, w)
		}
	}
}
