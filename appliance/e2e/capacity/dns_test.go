package main

import (
	"strings"
	"testing"

	"phonebox/appliance/site"
)

func TestDnsperfIsRead(t *testing.T) {
	t.Parallel()
	const text = `Statistics:

  Queries sent:         1000
  Queries completed:    990 (99.00%)
  Queries lost:         10 (1.00%)

  Response codes:       NOERROR 980 (98.99%), SERVFAIL 10 (1.01%)
  Average packet size:  request 41, response 57
  Run time (s):         0.012345
  Queries per second:   80194.410693
`
	got, err := readDnsperf(text)
	if want := (asked{completed: 990, lost: 10, good: 980, rate: 80194.410693}); err != nil || got != want {
		t.Errorf("found %+v, %v, want %+v", got, err, want)
	}
	for _, broken := range []string{"", strings.Replace(text, "NOERROR", "NXDOMAIN", 1), strings.ReplaceAll(text, "990", "0")} {
		if got, err := readDnsperf(broken); err == nil {
			t.Errorf("found %+v in %q", got, broken)
		}
	}
}

// The site that is measured is one that phonebox takes, and every contender knows the same names.
func TestContendersKnowTheSameNames(t *testing.T) {
	t.Parallel()
	cfg := boxConfig{pool: 256, hosts: dnsNames, more: "[dns]\nupstream = [\"127.0.0.1:5300\"]\n"}
	s, faults := site.Parse([]byte(cfg.siteText()), site.Catalogue())
	if s == nil || len(s.DNS.Hosts) != dnsNames+1 || len(s.DNS.Upstream) != 1 {
		t.Fatalf("the site is not taken: %v", faults)
	}
	for name, text := range map[string]string{"dnsmasq": dnsmasqNames().files["hosts"], "unbound": unboundNames().files["unbound.conf"]} {
		for host, addr := range s.DNS.Hosts {
			full := host + "." + domain
			if host != "pbx" && (!strings.Contains(text, addr.String()) || !strings.Contains(text, full)) {
				t.Errorf("%s does not know %s at %s", name, full, addr)
			}
		}
	}
	if n := strings.Count(far().files["unbound.conf"], farZone+". 86400 A"); n != dnsNames {
		t.Errorf("the world has %d names, want %d", n, dnsNames)
	}
	if l := dnsLine(unboundNames()); len(l.Files["unbound.conf"]) > 2000 || !strings.Contains(l.Files["unbound.conf"], "forward-addr") {
		t.Errorf("the document would have\n%s", l.Files["unbound.conf"])
	}
}
