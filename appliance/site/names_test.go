package site_test

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"phonebox/appliance/site"
)

// Names of the past lead to the box, to a host or to an address, follow both when they move, and survive being written.
func TestNamesOfThePastLeadSomewhere(t *testing.T) {
	t.Parallel()
	text := shortest + "[dns.hosts]\npbx='10.77.0.9'\n[dns.names]\n'tftp.old.example'='phonebox'\nsub='pbx'\n'sip.old.example'='192.0.2.7'\n"
	s, faults := parseWith(t, text, site.Options{})
	if s == nil {
		t.Fatal(faults)
	}
	check := func(what string, s *site.Site, box, pbx string) {
		t.Helper()
		want := map[string]netip.Addr{
			"tftp.old.example": netip.MustParseAddr(box), "sub": netip.MustParseAddr(pbx), "sip.old.example": netip.MustParseAddr("192.0.2.7"),
		}
		if got := s.Rescued(); !maps.Equal(got, want) {
			t.Errorf("%s: found %v, want %v", what, got, want)
		}
	}
	check("as it stands", s, "10.77.0.1", "10.77.0.9")
	again, faults := parseWith(t, string(s.TOML(true)), site.Options{})
	if again == nil {
		t.Fatal(faults)
	}
	check("written and read", again, "10.77.0.1", "10.77.0.9")
	moved, faults2 := s.SetFields(map[string]string{"network.address": "10.77.0.2/16", "dns.hosts": "pbx = 10.77.0.10"}, site.Options{})
	if moved == nil {
		t.Fatal(faults2)
	}
	check("moved", moved, "10.77.0.2", "10.77.0.10")
	if _, faults := s.SetFields(map[string]string{"dns.hosts": ""}, site.Options{}); len(faults) != 1 || faults[0].Key != "dns.names.sub" {
		t.Errorf("a host that a name leads to was removed: %v", faults)
	}
	clone := s.Clone()
	clone.DNS.Names["tftp.old.example"] = "192.0.2.1"
	check("after its copy was changed", s, "10.77.0.1", "10.77.0.9")
}

func TestNamesOfThePastAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(shortest + "[dns.names]\n")
	for i := range 1001 {
		fmt.Fprintf(&b, "'n%d.example' = 'phonebox'\n", i)
	}
	if s, faults := parseWith(t, b.String(), site.Options{}); s != nil || len(faults) != 1 || !strings.Contains(faults[0], "1001 entries") {
		t.Errorf("1001 names: %v %q", s != nil, faults)
	}
}

// With and without the domain a name is one name, which leads to one place.
func TestANameOfThePastLeadsToOnePlace(t *testing.T) {
	t.Parallel()
	for second, refused := range map[string]bool{"192.0.2.8": true, "192.0.2.7": false} {
		s, faults := parseWith(t, shortest+"[dns.names]\n'old'='192.0.2.7'\n'old.voice.home.arpa'='"+second+"'\n", site.Options{})
		if (s == nil) != refused || refused && (len(faults) != 1 || !strings.Contains(faults[0], "dns.names.old.voice.home.arpa") || !strings.Contains(faults[0], `"old"`)) {
			t.Errorf("the second leads to %s: %v, %q", second, s != nil, faults)
		}
	}
}
