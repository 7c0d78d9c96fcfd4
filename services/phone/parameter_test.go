package phone_test

import (
	"strings"
	"testing"

	"phonebox/services/phone"
)

func TestDefaultsAreValidValues(t *testing.T) {
	t.Parallel()
	for _, p := range phone.Parameters() {
		if _, err := p.Check(p.Default); err != nil {
			t.Errorf("default of %s: %v", p.Name, err)
		}
	}
}

func TestKnownParameter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		about, name, scope string
		known              bool
		suggestion         string
	}{
		{"a site parameter", "preferred_codec", "default", true, ""},
		{"case does not matter", "PREFERRED_Codec", "default", true, ""},
		{"mixed case in the catalogue", "domain_name", "default", true, ""},
		{"a phone's parameter", "phone_label", "phone", true, ""},
		{"a phone's parameter for the whole site", "phone_password", "default", true, ""},
		{"a line of six", "line6_shortname", "phone", true, ""},
		{"no seventh line", "line7_shortname", "phone", false, "line1_shortname"},
		{"a site parameter for one phone", "language", "phone", false, ""},
		{"either scope", "language", "", true, ""},
		{"a swap", "nat_enabel", "default", false, "nat_enable"},
		{"an extra letter", "proxxy1_address", "phone", false, "proxy1_address"},
		{"nothing near", "reg.1.label", "phone", false, ""},
		{"the old spelling", "timer_registry_delta", "default", false, "timer_register_delta"},
		{"firmware has a site key", "image_version", "default", false, "firmware.target"},
		{"check-sync depends on it", "sync", "default", false, ""},
		{"the empty name", "", "default", false, ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			known, suggestion := phone.KnownParameter(tt.name, tt.scope)
			if known != tt.known || suggestion != tt.suggestion {
				t.Errorf("KnownParameter(%q, %q) = %v, %q, want %v, %q", tt.name, tt.scope, known, suggestion, tt.known, tt.suggestion)
			}
		})
	}
}

func TestIsSecretParameter(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"line3_password": true, "PHONE_PASSWORD": true, "line1_pasword": true, "vendor.pwd": true, "my_secret": true,
		"line1_name": false, "pasture": false, "": false,
	} {
		if got := phone.IsSecretParameter(name); got != want {
			t.Errorf("IsSecretParameter(%q) = %v", name, got)
		}
	}
}

func TestParameterCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		about, name, value string
		ok, warns          bool
	}{
		{"a number in range", "tos_media", "5", true, false},
		{"a number out of range", "tos_media", "6", false, false},
		{"a word for a number", "tos_media", "high", false, false},
		{"no number at all", "tos_media", "", false, false},
		{"an enum in another case", "preferred_codec", "G711ALAW", true, false},
		{"no such enum", "preferred_codec", "opus", false, false},
		{"an address cleared", "outbound_proxy", "", true, false},
		{"an address unprovisioned", "dyn_dns_addr_1", "UNPROVISIONED", true, false},
		{"a blank in a host", "outbound_proxy", "a b", false, false},
		{"a time with a slash", "dst_stop_time", "03/00", true, false},
		{"a time that is none", "dst_stop_time", "25:00", false, false},
		{"half an hour", "dst_offset", "-00/30", true, false},
		{"two signs", "dst_offset", "+-1", false, false},
		{"a sign where none belongs", "dst_start_time", "-2", false, false},
		{"a number with a sign", "tos_media", "+5", false, false},
		{"no day of the month", "dst_stop_day", "", true, false},
		{"a name for an address warns", "proxy_backup", "pbx2.example.net", true, true},
		{"an address", "proxy_backup", "10.0.0.2", true, false},
		{"IPv6 warns", "proxy_emergency", "fe80::1", true, true},
		{"a very long password", "line1_password", strings.Repeat("x", 256), false, false},
		{"an accent", "line1_displayname", "Café", true, false},
		{"beyond Latin-1", "line1_displayname", "Łódź", false, false},
		{"a double quote", "line1_displayname", `The "Boss"`, false, false},
		{"a line feed", "line1_displayname", "a\nb", false, false},
		{"a carriage return", "line1_password", "a\rb", false, false},
		{"too long", "line1_displayname", strings.Repeat("x", 32), false, false},
		{"a long password only warns", "line1_password", strings.Repeat("x", 32), true, true},
		{"a semicolon in a password warns", "line1_password", "a;b", true, true},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			p, ok := phone.LookUpParameter(tt.name)
			if !ok {
				t.Fatalf("%s is not in the catalogue", tt.name)
			}
			warning, err := p.Check(tt.value)
			if (err == nil) != tt.ok || (warning != "") != tt.warns {
				t.Errorf("Check(%q) = %q, %v", tt.value, warning, err)
			}
			if p.Secret && tt.value != "" && (strings.Contains(warning, tt.value) || err != nil && strings.Contains(err.Error(), tt.value)) {
				t.Errorf("the message shows the secret: %q, %v", warning, err)
			}
		})
	}
}
