package site_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

func office(t *testing.T) *site.Site {
	t.Helper()
	_, files := docTables(t)
	s, faults := parse(t, files[1]+"phone_password = \"secret-4711\"\n")
	if s == nil {
		t.Fatal(faults)
	}
	return s
}

func faultLines(faults []site.Fault) string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func TestFieldsTellAPersonWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := office(t)
	s.SIP.Parameters["phone_password"] = "secret-0815"
	values := map[string]string{}
	for _, f := range s.Fields() {
		values[f.Key] = f.Value
		if f.Group == "" || f.Label == "" || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%+v lacks a group, a label or a sentence", f)
		}
		if (f.Kind == site.KindChoice) != (len(f.Choices) > 0) {
			t.Errorf("%s is a %s with %d choices", f.Key, f.Kind, len(f.Choices))
		}
	}
	for key, want := range map[string]string{
		"name": "Harbour Street office", "network.address": "10.77.0.1/16", "dhcp.enabled": "true", "dhcp.lease": "8h",
		"dns.hosts": "pbx = 10.77.0.10", "sip.port": "5060", "sip.parameters": "phone_password = ********\npreferred_codec = g711alaw",
	} {
		if values[key] != want {
			t.Errorf("%s is %q, want %q", key, values[key], want)
		}
	}
	// Sent back as it is, the form changes nothing, the masked password included.
	again, faults := s.SetFields(values, site.Options{})
	if again == nil || len(faults) > 0 {
		t.Fatalf("the form is refused: %s", faultLines(faults))
	}
	if diff := cmp.Diff(s, again, compareAddresses); diff != "" {
		t.Error(diff)
	}
}

func TestSetFields(t *testing.T) {
	t.Parallel()
	s := office(t)
	before := string(s.TOML(true))
	got, faults := s.SetFields(map[string]string{
		"name": " New name ", "dhcp.phones_only": "on", "dns.upstream": "192.0.2.1\r\n\r\n 192.0.2.2:5353 \r\n", "dns.hosts": "pbx = 10.77.0.11\ndoor=10.77.0.12",
		"network.gateway": "",
	}, site.Options{})
	if got == nil {
		t.Fatal(faultLines(faults))
	}
	text := string(got.TOML(true))
	for _, want := range []string{
		`name = "New name"`, `phones_only = true`, `upstream = ["192.0.2.1", "192.0.2.2:5353"]`, "door = \"10.77.0.12\"\npbx = \"10.77.0.11\"",
		`gateway = ""`, `zone = "Europe/Brussels"`, `password = "sip"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if before != string(s.TOML(true)) {
		t.Error("the form changed the site that it was made from")
	}
	got, faults = s.SetFields(map[string]string{
		"sip.port": "0", "dhcp.pool": "10.77.0.0-10.77.0.9\n10.99", "dns.hosts": "pbx 10.77.0.11\na=10.78.0.1\na=10.78.0.2", "colour": "red",
	}, site.Options{})
	want := `dhcp.pool[1]: found "10.99", allowed is a range of IPv4 addresses such as 10.77.1.1-10.77.3.250
dns.hosts: found a line without = ("pbx 10.77.0.11"), allowed is name = value on each line
dns.hosts.a: found the name twice, allowed is each name once
sip.port: found "0", allowed is a number from 1 to 65535
colour: found an unknown key, allowed is a key of the site
dhcp.pool[0]: found 10.77.0.0-10.77.0.9, allowed is a range without the first and the last address of the network 10.77.0.0/16
warning: sip.proxy: found "pbx.voice.home.arpa", which nobody can resolve, allowed is an address, or a name of dns.hosts in voice.home.arpa`
	if diff := cmp.Diff(want, faultLines(faults)); got != nil || diff != "" {
		t.Errorf("site %v, faults differ: %s", got, diff)
	}
}

func TestPutPhone(t *testing.T) {
	t.Parallel()
	s := office(t)
	reception := s.Phones[0].MAC
	text, ok := s.PhoneText(reception)
	if !ok || text.Lines[0].Password != site.Mask || text.Parameters["phone_password"] != site.Mask {
		t.Fatalf("the form shows %+v", text)
	}
	// A corrected MAC and a renamed line keep the passwords.
	text.MAC, text.Label, text.Lines[0].Name = "0006.d7aa.2a2f", "Lobby", "209"
	got, faults := s.PutPhone(reception, text, site.Options{})
	if got == nil {
		t.Fatal(faultLines(faults))
	}
	p := got.Phones[0]
	if len(got.Phones) != 1 || p.MAC.String() != "00:06:D7:AA:2A:2F" || p.Label != "Lobby" || p.Lines[0].Password != "sip" || p.Parameters["phone_password"] != "secret-4711" {
		t.Errorf("the phone is %+v", p)
	}
	// A phone is added, and one that is there cannot be added again.
	if got, faults = s.PutPhone(phone.MAC{}, site.PhoneText{MAC: "00-06-D7-AA-2A-30", Model: "7940"}, site.Options{}); got == nil || len(got.Phones) != 2 {
		t.Fatalf("adding: %s", faultLines(faults))
	}
	got, faults = s.PutPhone(phone.MAC{}, site.PhoneText{
		MAC: reception.String(), Model: "7945", Address: "10.77.0.50", Lines: []site.LineText{{Name: "1", Password: site.Mask}, {Name: "a b"}},
		Parameters: map[string]string{"phone label": "x"},
	}, site.Options{})
	want := `phones[1].model: found "7945", allowed is 7940, 7960 or an empty text
phones[1].parameters.phone label: found the name "phone label", allowed is the name of a parameter: letters, digits and _
phones[1].lines[1].name: found "a b", allowed is a number or the user part of an address, of up to 127 characters, without blanks, quotes, ; and #
phones[1].mac: found 00:06:D7:AA:2A:2E, also in phones[0], allowed is each phone once
phones[1].address: found 10.77.0.50, also in phones[0], allowed is each address once
phones[1].lines[0].password: found a masked password, allowed is the password itself`
	if diff := cmp.Diff(want, faultLines(faults)); got != nil || diff != "" {
		t.Error(diff)
	}
	if without, ok := s.RemovePhone(reception); !ok || len(without.Phones) != 0 || len(s.Phones) != 1 {
		t.Error("the phone was not removed")
	}
	if _, ok := s.RemovePhone(phone.MAC{1}); ok {
		t.Error("a phone that is not listed was removed")
	}
}

// An adopted file may misspell the name of a password: the password stays one.
func TestMisspeltPasswordsAreMasked(t *testing.T) {
	t.Parallel()
	s, _ := parse(t, shortest+`
[sip.forced]
fone_password = "pw-site"
[[phones]]
mac = "00:06:D7:AA:2A:2E"
[phones.forced]
line1_pasword = "pw-line"
line1_shortnam = "Front"
`)
	masked := string(s.TOML(false))
	if strings.Contains(masked, "pw-") || !strings.Contains(masked, "Front") {
		t.Errorf("the masked text is\n%s", masked)
	}
}

func TestUnmask(t *testing.T) {
	t.Parallel()
	const head = shortest + "[sip.parameters]\nphone_password='%site'\n"
	old, _ := parse(t, head+`
[[phones]]
mac = "00:06:D7:AA:2A:2E"
[[phones.lines]]
name = "1"
password = "pw-one"
[[phones.lines]]
name = "2"
password = "pw-two"
[[phones]]
mac = "00:06:D7:AA:2A:2F"
[[phones.lines]]
name = "3"
password = "pw-three"
`)
	masked := string(old.TOML(false))
	for _, secret := range []string{"pw-one", "pw-two", "pw-three", "%site"} {
		if strings.Contains(masked, secret) {
			t.Errorf("the masked text shows %s", secret)
		}
	}
	for _, tt := range []struct {
		name   string
		change *strings.Replacer
		want   map[string]string // line name to password; nil = refused
	}{
		{"nothing changed", strings.NewReplacer(), map[string]string{"1": "pw-one", "2": "pw-two", "3": "pw-three"}},
		{"lines swapped", strings.NewReplacer(`name = "1"`, `name = "2"`, `name = "2"`, `name = "1"`), map[string]string{"1": "pw-one", "2": "pw-two", "3": "pw-three"}},
		{"a line renamed", strings.NewReplacer(`name = "1"`, `name = "9"`), map[string]string{"9": "pw-one", "2": "pw-two", "3": "pw-three"}},
		{"a line moved to another phone", strings.NewReplacer(`name = "3"`, `name = "1"`, `name = "1"`, `name = "3"`), map[string]string{"3": "pw-one", "2": "pw-two", "1": "pw-three"}},
		{"a phone that was not there", strings.NewReplacer("2A:2F", "2A:30"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, faults := parseWith(t, tt.change.Replace(masked), site.Options{Old: old})
			if tt.want == nil {
				if s != nil || !strings.Contains(strings.Join(faults, "\n"), "phones[1].lines[0].password: found a masked password") {
					t.Errorf("not refused as it should be: %q", faults)
				}
				return
			}
			if s == nil {
				t.Fatal(faults)
			}
			got := map[string]string{}
			for _, p := range s.Phones {
				for _, l := range p.Lines {
					got[l.Name] = l.Password
				}
			}
			if !maps.Equal(got, tt.want) || s.SIP.Parameters["phone_password"] != "%site" {
				t.Errorf("passwords %v, want %v", got, tt.want)
			}
		})
	}
	s := old.Masked()
	if faults := site.Unmask(s, old); len(faults) > 0 || !cmp.Equal(s, old, compareAddresses) {
		t.Errorf("unmasking did not give the old site: %s", faultLines(faults))
	}
	if faults := site.Unmask(old.Masked(), site.Default()); len(faults) != 4 {
		t.Errorf("masks without anything behind them: %s", faultLines(faults))
	}
}
