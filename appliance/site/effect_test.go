package site_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/site"
)

// effectsOf says what it does to give the whole office of the docs other values.
func effectsOf(t *testing.T, values map[string]string) (changes, effects []string) {
	t.Helper()
	s := office(t)
	next, faults := s.SetFields(values, site.Catalogue())
	if next == nil {
		t.Fatal(faultLines(faults))
	}
	for _, c := range site.DiffSettings(s, next) {
		changes = append(changes, fmt.Sprintf("%s: %q to %q", c.Key, c.Old, c.New))
	}
	for _, e := range site.Effects(s, next) {
		text := e.Text
		if len(e.Phones) > 0 {
			text += fmt.Sprintf(" (%d)", len(e.Phones))
		}
		if e.Grave {
			text += " !"
		}
		effects = append(effects, text)
	}
	return changes, effects
}

func TestChangesAndEffects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values           map[string]string
		changes, effects []string
	}{
		{nil, nil, nil},
		{map[string]string{"name": " Harbour Street office "}, nil, nil},
		{
			map[string]string{"sip.proxy": "192.0.2.9"},
			[]string{`sip.proxy: "pbx.voice.home.arpa" to "192.0.2.9"`},
			nil, // its one line has a telephone system of its own
		},
		{
			map[string]string{"sip.register": "false"},
			[]string{`sip.register: "true" to "false"`},
			[]string{"Phones must restart to learn whether they register. (1)", "Phones that do not register can call out at most; nobody reaches them unless the telephone system knows their addresses. !"},
		},
		{
			map[string]string{"sip.parameters": "preferred_codec = g711ulaw"},
			[]string{`sip.parameters.preferred_codec: "g711alaw" to "g711ulaw"`},
			[]string{"Phones must restart to take over the new parameters. (1)"},
		},
		{
			map[string]string{"models.7960.parameters": "preferred_codec = g711ulaw"},
			[]string{`models.7960.parameters.preferred_codec: "" to "g711ulaw"`},
			[]string{"Phones must restart to take over the new parameters. (1)"},
		},
		{map[string]string{"models.7940.parameters": ""}, []string{`models.7940.parameters.call_waiting: "0" to ""`}, nil},
		{
			map[string]string{"dns.hosts": "pbx = 10.77.0.11\ndoor = 10.77.0.12"},
			[]string{`dns.hosts.door: "" to "10.77.0.12"`, `dns.hosts.pbx: "10.77.0.10" to "10.77.0.11"`},
			[]string{"The new names are answered at once. A phone that asked before keeps the old answer for a minute, or until it restarts."},
		},
		{
			map[string]string{"dhcp.subnet": "0"},
			[]string{`dhcp.subnet[0]: "Warehouse, 10.78.0.0/24, 10.78.0.1, 10.78.0.50-10.78.0.250, 2h, Gi1/0/1, 0x000401020304" to ""`},
			[]string{"Clients behind relays get the new settings of their networks when they renew their address."},
		},
		{
			map[string]string{"network.address": "10.77.0.2/16"},
			[]string{`network.address: "10.77.0.1/16" to "10.77.0.2/16"`},
			[]string{"The box gets another address at once, and every connection to the old one ends. !", "Phones still look for the box at its old address: they find it when they get an address anew, and at the latest when they restart. (1)"},
		},
		{
			map[string]string{"firmware.target": "P0S3-8-9-00"},
			[]string{`firmware.target: "P0S3-8-12-00" to "P0S3-8-9-00"`},
			[]string{"No listed phone goes by the firmware of all phones, so nothing happens now. Phones that are added later do."}, // it stays on what it runs
		},
		{
			map[string]string{"web.plain_http": "true"},
			[]string{`web.plain_http: "false" to "true"`},
			[]string{"This page answers without encryption too. Whoever can listen on this network reads the password. !"},
		},
	} {
		changes, effects := effectsOf(t, tt.values)
		if diff := cmp.Diff(tt.changes, changes) + cmp.Diff(tt.effects, effects); diff != "" {
			t.Errorf("%v: %s", tt.values, diff)
		}
	}
}

// Each key of the forms has an effect when its value changes: nobody is left to guess.
func TestEveryKeyHasAnEffect(t *testing.T) {
	t.Parallel()
	other := map[string]string{
		"name": "Other", "network.interface": "eth1", "network.address": "10.77.0.2/16", "network.gateway": "", "network.domain": "other.home.arpa",
		"dhcp.pool": "10.77.1.1-10.77.1.9", "dhcp.lease": "1h", "time.zone": "Europe/Lisbon", "time.upstream": "", "time.sntp_mode": "anycast",
		"time.broadcast_interval": "0s", "dns.upstream": "", "dns.inside": "", "dns.hosts": "pbx = 10.77.0.12", "dns.names": "", "sip.proxy": "", "sip.port": "5070",
		"sip.parameters": "", "sip.forced": "vendor_setting = 3\nother = 1", "firmware.target": "", "firmware.parallel": "3", "models.7960.parameters": "call_waiting = 0",
		"models.7940.parameters": "call_waiting = 1", "dial_plan.country": "NL", "dhcp.subnet": "0", "dhcp.class": "0",
	}
	s := office(t)
	s.Phones[0].Model, s.Phones[0].Lines[0].Proxy, s.Phones[0].Lines[0].Port = "", "", 0 // it may be of either model, and has the telephone system of all
	for _, f := range s.Fields() {
		value, ok := other[f.Key]
		if !ok && f.Kind == site.KindBool {
			value = fmt.Sprint(f.Value != "true")
		} else if !ok {
			t.Errorf("%s: this test has no other value", f.Key)
			continue
		}
		delete(other, f.Key)
		checkEffect(t, s, f.Key, value)
	}
	for key, value := range other {
		checkEffect(t, s, key, value)
	}
}

func checkEffect(t *testing.T, s *site.Site, key, value string) {
	t.Helper()
	next, faults := s.SetFields(map[string]string{key: value}, site.Catalogue())
	if next == nil {
		t.Errorf("%s: %s", key, faultLines(faults))
		return
	}
	for way, pair := range map[string][2]*site.Site{"to": {s, next}, "back from": {next, s}} {
		if len(site.DiffSettings(pair[0], pair[1])) == 0 {
			t.Errorf("%s: no change is seen %s %q", key, way, value)
		}
		if len(site.Effects(pair[0], pair[1])) == 0 {
			t.Errorf("%s: nothing is said of a change %s %q", key, way, value)
		}
	}
}

// Options of a class come back from a form as they were, whatever kind they are.
func TestOptionsInAForm(t *testing.T) {
	t.Parallel()
	s, faults := parse(t, shortest+`
[[dhcp.class]]
name = "x"
vendor_class = "other"
[dhcp.class.options]
"66" = "[10.77.0.1]"
"42" = ["10.77.0.10", "10.77.0.11"]
"43" = ["10.77.0.10"]
"15" = ""
"67" = " blanks "
"160" = "0x00ff"
"2" = "-3600"
`)
	if s == nil {
		t.Fatal(faults)
	}
	values := map[string]string{"dhcp.class": "1"}
	for _, f := range s.Tables()[1].Entries[0] {
		values[f.Key] = f.Value
	}
	for _, want := range []string{"42 = 10.77.0.10, 10.77.0.11", "43 = [10.77.0.10]", "15 = ", "160 = 0x00ff"} {
		if !slices.Contains(strings.Split(values["dhcp.class[0].options"], "\n"), want) {
			t.Errorf("no %q in\n%s", want, values["dhcp.class[0].options"])
		}
	}
	again, bad := s.SetFields(values, site.Options{})
	if again == nil {
		t.Fatal(faultLines(bad))
	}
	was, is := s.DHCP.Classes[0].Options, again.DHCP.Classes[0].Options
	for code, o := range was {
		// A text that would be read as something else comes back as the same bytes.
		if text := o.Text + string(o.Bytes); text != is[code].Text+string(is[code].Bytes) || !slices.Equal(o.Addresses, is[code].Addresses) {
			t.Errorf("option %d was %+v, and is %+v", code, o, is[code])
		}
	}
	values["dhcp.class[0].options"] = "82 = x\nten = 1\n42 = door\n43 = [1.2.3]\n66"
	if again, bad = s.SetFields(values, site.Options{}); again != nil || len(bad) != 5 {
		t.Errorf("wrong options: %s", faultLines(bad))
	}
}
