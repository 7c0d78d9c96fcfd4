package phone_test

import (
	"strings"
	"testing"

	"phonebox/services/phone"
)

// published is every name of the reference's parameter table with its scope: d default, p phone, b both.
const published = `
image_version b, tftp_cfg_dir d, sync b, dyn_tftp_addr d, dyn_dns_addr_1 d, dyn_dns_addr_2 d, Domain_Name d, language d,
proxyN_address b, proxyN_port b, proxy_register b, proxy_backup b, proxy_backup_port b, proxy_emergency b,
proxy_emergency_port b, outbound_proxy b, outbound_proxy_port b, call_managerN_addr b, call_managerN_sip_port b,
timer_register_expires b, timer_register_delta b, timer_invite_expires b, timer_t1 b, timer_t2 b, sip_retx b,
sip_invite_retx b, sip_max_forwards b, max_redirects b, rfc_2543_hold b, preferred_codec b, tos_media b,
dscpForAudio b, enable_vad b, dtmf_inband b, dtmf_outofband b, dtmf_db_level b, dtmf_avt_payload b,
start_media_port b, end_media_port b, voip_control_port b, nat_enable b, nat_address b, nat_received_processing b,
dial_template b, messages_uri b, sntp_server b, sntp_mode b, time_zone b, dst_auto_adjust b, dst_offset b,
dst_start_month b, dst_start_day b, dst_start_day_of_week b, dst_start_week_of_month b, dst_start_time b,
dst_stop_month b, dst_stop_day b, dst_stop_day_of_week b, dst_stop_week_of_month b, dst_stop_time b,
time_format_24hr b, date_format b, dnd_control b, callerid_blocking b, anonymous_call_block b, call_waiting b,
call_hold_ringback b, autocomplete b, cnf_join_enable b, semi_attended_transfer b, transfer_onhook_enabled b,
stutter_msg_waiting b, call_stats b, remote_party_id b, local_cfwd_enable b, cfwd_url p, auto_answer p, speed_lineN p,
speed_labelN p, user_info b, network_media_type b, network_port2_type b, telnet_level b, phone_prompt p,
phone_password p, phone_label p, services_url b, directory_url b, logo_url b, http_proxy_addr b, http_proxy_port b,
lineN_name p, lineN_shortname p, lineN_displayname p, lineN_authname p, lineN_password p, lineN_contact p`

func TestCatalogueHoldsEveryPublishedName(t *testing.T) {
	t.Parallel()
	scopes := map[string]phone.Scope{"d": phone.ScopeDefault, "p": phone.ScopePhone, "b": phone.ScopeBoth}
	count := 0
	for entry := range strings.SplitSeq(strings.ReplaceAll(published, "\n", " "), ",") {
		name, scope, _ := strings.Cut(strings.TrimSpace(entry), " ")
		for _, n := range []string{"1", "2", "3", "4", "5", "6"} {
			p, ok := phone.LookUpParameter(strings.Replace(name, "N", n, strings.Count(name, "N")-strings.Count(name, "Name")))
			if !ok {
				t.Fatalf("%s (N = %s) is not in the catalogue", name, n)
			}
			if p.Scope != scopes[scope] {
				t.Errorf("%s has scope %s, want %s", p.Name, p.Scope, scopes[scope])
			}
			count++
			if p.Line == 0 {
				break
			}
		}
	}
	if all := phone.Parameters(); len(all) != count {
		t.Errorf("the catalogue has %d entries, the published table %d", len(all), count)
	}
}

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
