package site_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/site"
	"phonebox/services/phone/dialplan"
)

// docTables returns the texts of docs/site.md that are whole site files.
func docTables(t *testing.T) (doc string, files []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/site.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 1 && strings.HasPrefix(part, "toml\n") {
			files = append(files, strings.TrimPrefix(part, "toml\n"))
		}
	}
	if len(files) != 3 {
		t.Fatalf("docs/site.md has %d files, want the shortest, the whole office and the defaults", len(files))
	}
	return string(text), files
}

// The defaults of DESIGN.md, as docs/site.md states them. A new key is added here and there.
func TestDocStatesEveryKeyWithItsDefault(t *testing.T) {
	t.Parallel()
	defaults := map[string]string{
		"name":              "`\"phonebox\"`",
		"network.interface": "`\"eth0\"`", "network.address": "required", "network.gateway": "`\"\"`", "network.domain": "`\"voice.home.arpa\"`",
		"dhcp.enabled": "`true`", "dhcp.pool": "required while enabled", "dhcp.lease": "`\"8h\"`", "dhcp.phones_only": "`false`",
		"dhcp.ping_check": "`true`", "dhcp.authoritative": "`false`",
		"dhcp.subnet.name": "required", "dhcp.subnet.network": "required", "dhcp.subnet.gateway": "`\"\"`", "dhcp.subnet.pool": "`[]`",
		"dhcp.subnet.lease": "`\"\"`", "dhcp.subnet.circuit": "`[]`",
		"dhcp.class.name": "required", "dhcp.class.vendor_class": "`\"\"`", "dhcp.class.model": "`\"\"`", "dhcp.class.macs": "`[]`", "dhcp.class.options": "none",
		"time.enabled": "`true`", "time.zone": "`\"UTC\"`", "time.upstream": "`[\"pool.ntp.org\"]`", "time.sntp_mode": "`\"unicast\"`", "time.broadcast_interval": "`\"64s\"`",
		"dns.enabled": "`true`", "dns.upstream": "`[]`", "dns.inside": "`[]`", "dns.hosts": "none", "dns.names": "none",
		"sip.enabled": "`true`", "sip.proxy": "`\"\"`", "sip.port": "`5060`", "sip.register": "`true`", "sip.parameters": "none",
		"sip.forced": "none", "firmware.target": "`\"\"`", "firmware.convert_unlisted": "`false`", "firmware.parallel": "`8`", "web.plain_http": "`false`",
		"models.7940.parameters": "none", "models.7960.parameters": "none", "dial_plan.country": "`\"\"`",
		"dial_plan.rules.match": "required", "dial_plan.rules.timeout": "`\"\"`", "dial_plan.rules.user": "`\"\"`", "dial_plan.rules.rewrite": "`\"\"`",
		"dial_plan.rules.route": "`\"\"`", "dial_plan.rules.tone": "`\"\"`", "dial_plan.rules.comment": "`\"\"`",
		"contacts.name": "required", "contacts.number": "required",
		"lines.label": "`\"\"`", "lines.name": "required", "lines.authname": "`\"\"`", "lines.password": "`\"\"`", "lines.displayname": "`\"\"`",
		"lines.shortname": "`\"\"`", "lines.proxy": "`\"\"`", "lines.port": "`0`",
		"phones.load": "`\"\"`", "phones.runs": "`\"\"`", "phones.forced": "none", "phones.lines.proxy": "`\"\"`", "phones.lines.port": "`0`",
		"phones.mac": "required", "phones.model": "`\"\"`", "phones.label": "`\"\"`", "phones.address": "`\"\"`",
		"phones.open_config": "`false`", "phones.zone": "`\"\"`", "phones.own_files": "`false`", "phones.parameters": "none",
		"phones.lines.name": "required", "phones.lines.authname": "`\"\"`", "phones.lines.password": "`\"\"`",
		"phones.lines.displayname": "`\"\"`", "phones.lines.shortname": "`\"\"`",
	}
	doc, _ := docTables(t)
	for _, key := range site.Keys() {
		want, ok := defaults[key]
		if !ok {
			t.Errorf("%s has no default in this test", key)
		}
		delete(defaults, key)
		if row := "| `" + key + "` | " + want + " | "; !strings.Contains(doc, row) {
			t.Errorf("docs/site.md has no row %q", row)
		}
	}
	for key := range defaults {
		t.Errorf("%s is no key", key)
	}
	for _, c := range dialplan.Countries() {
		if !strings.Contains(doc, "`"+c.Code+"`") {
			t.Errorf("docs/site.md does not name the plan of %s", c.Name)
		}
	}
}

// The file of defaults says no more than the shortest one, and what the program believes.
func TestDocFilesParse(t *testing.T) {
	t.Parallel()
	_, files := docTables(t)
	var sites []*site.Site
	for i, text := range files {
		s, faults := parseWith(t, text, site.Catalogue())
		if s == nil {
			t.Fatalf("file %d is refused:\n%s", i, strings.Join(faults, "\n"))
		}
		sites = append(sites, s)
		if i == 1 && len(faults) > 0 {
			t.Errorf("the whole office draws warnings: %q", faults)
		}
	}
	if diff := cmp.Diff(sites[0], sites[2], compareAddresses); diff != "" {
		t.Errorf("the file of defaults means something else than the shortest:\n%s", diff)
	}
	want := site.Default()
	want.Network.Address, want.DHCP.Pool = sites[0].Network.Address, sites[0].DHCP.Pool
	if diff := cmp.Diff(want, sites[2], compareAddresses); diff != "" {
		t.Errorf("the file of defaults does not state them:\n%s", diff)
	}
	for _, key := range site.Keys() {
		name := key[strings.LastIndexByte(key, '.')+1:]
		if !strings.Contains(files[1], name) {
			t.Errorf("the whole office does not show %s", key)
		}
	}
}

// The examples of docs/addresses.md are taken as they stand: whole files, and classes to be added to one.
func TestDocOfAddressesParses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/addresses.md")
	if err != nil {
		t.Fatal(err)
	}
	quiet := "[time]\nupstream = []\n"
	all := "[network]\naddress = \"10.77.0.1/16\"\n[dhcp]\npool = [\"10.77.1.1-10.77.3.250\"]\n" + quiet
	files, classes := 0, 0
	for i, part := range strings.Split(string(text), "```") {
		example, ok := strings.CutPrefix(part, "toml\n")
		if i%2 == 0 || !ok {
			continue
		}
		if !strings.Contains(example, "[network]") {
			classes++
			all += example
			continue
		}
		files++
		if s, faults := parseWith(t, example+quiet, site.Catalogue()); s == nil || len(faults) > 0 {
			t.Errorf("refused or warned of:\n%s\n%s", example, strings.Join(faults, "\n"))
		}
	}
	s, faults := parseWith(t, all, site.Catalogue())
	if s == nil || len(faults) > 0 {
		t.Fatalf("the classes together: %s", strings.Join(faults, "\n"))
	}
	if files != 2 || classes != 6 || len(s.DHCP.Classes) != classes {
		t.Errorf("found %d files and %d classes, want 2 and 6", files, classes)
	}
	again, faults := parseWith(t, string(s.TOML(true)), site.Catalogue())
	if diff := cmp.Diff(s, again, compareAddresses); diff != "" || len(faults) > 0 {
		t.Errorf("written and read again: %v\n%s", faults, diff)
	}
	if got := s.Clone(); !cmp.Equal(s, got, compareAddresses) {
		t.Error("the clone differs")
	}
}
