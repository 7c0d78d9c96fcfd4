package phone

import (
	"strconv"
	"strings"
)

// row is a line of the catalogue before names with N are written out.
type row struct {
	name    string
	scope   Scope
	first   string // release
	typ     Type
	allowed string // words; for enums the values, with a bar between
	min     int
	max     int
	def     string
	flags   flag
}

// flag marks what a row is besides.
type flag uint8

const (
	unmanaged flag = 1 << iota // written only when set
	secret
	reserved
	phoneFile // scope both, yet written into SIP<MAC>.cnf
)

const (
	months   = "January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec|1|2|3|4|5|6|7|8|9|10|11|12"
	weekdays = "Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sun|Mon|Tue|Wed|Thu|Fri|Sat|1|2|3|4|5|6|7"
	weeks    = "1|2|3|4|5|6|8"
	lockable = "0 off, 1 on, 2 off and locked, 3 on and locked"
	address  = `a dotted address or a name, or "" for none`
	dotted   = `a dotted address, or "" or UNPROVISIONED for none`
	port     = "a port, 1 to 65535"
	seconds  = "a number of seconds"
	httpURL  = `an http URL of up to 127 characters, or "" for none`
	number   = "a number or URI of up to 127 characters"
	hours    = "h, hh, hh:mm or hh/mm"
)

// rows is the catalogue: the parameters of the SIP images 2.0 to 8.12, with the ranges that the guides and working
// files give (sip-parameters.tsv of the phone reference). The order is that of the files.
var rows = []row{
	// Firmware and provisioning.
	{"image_version", ScopeBoth, "2.0", TypeString, "the base name of an image, up to 60 characters", 0, 60, "", reserved | unmanaged},
	{"tftp_cfg_dir", ScopeDefault, "2.0", TypeString, "a folder below the TFTP root", 0, 127, "", reserved},
	{"sync", ScopeBoth, "2.0", TypeString, "1 to 32 characters", 1, 32, syncOfCnf, reserved},
	{"dyn_tftp_addr", ScopeDefault, "4.0", TypeIPv4, dotted, 0, 0, "", reserved},
	{"dyn_dns_addr_1", ScopeDefault, "4.0", TypeIPv4, dotted, 0, 0, "", 0},
	{"dyn_dns_addr_2", ScopeDefault, "4.0", TypeIPv4, dotted, 0, 0, "", 0},
	{"Domain_Name", ScopeDefault, "", TypeHost, "a domain name", 0, 127, "", unmanaged},
	{"language", ScopeDefault, "2.0", TypeString, `english, or ""`, 0, 31, "", 0},
	// Proxies.
	{"proxyN_address", ScopeBoth, "2.0", TypeHost, `a dotted address, a name with A or SRV records, USECALLMANAGER (8.x), or ""`, 0, 127, "", 0},
	{"proxyN_port", ScopeBoth, "2.0", TypePort, port, 1, 65535, "5060", 0},
	{"proxy_register", ScopeBoth, "2.0", TypeBool, "0 or 1", 0, 1, "0", 0},
	{"proxy_backup", ScopeBoth, "2.1", TypeHost, address, 0, 127, "", 0},
	{"proxy_backup_port", ScopeBoth, "2.1", TypePort, port, 1, 65535, "5060", 0},
	{"proxy_emergency", ScopeBoth, "2.1", TypeIPv4, dotted, 0, 0, "", 0},
	{"proxy_emergency_port", ScopeBoth, "2.1", TypePort, port, 1, 65535, "5060", 0},
	{"outbound_proxy", ScopeBoth, "2.2", TypeHost, address + " (no SRV)", 0, 127, "", 0},
	{"outbound_proxy_port", ScopeBoth, "2.2", TypePort, port, 1, 65535, "5060", 0},
	{"call_managerN_addr", ScopeBoth, "8.0", TypeHost, address, 0, 127, "", unmanaged},
	{"call_managerN_sip_port", ScopeBoth, "8.0", TypePort, port, 1, 65535, "5060", unmanaged},
	// SIP timers and counts.
	{"timer_register_expires", ScopeBoth, "2.0", TypeInt, seconds + ", 1 to 3932100", 1, 3932100, "3600", 0},
	{"timer_register_delta", ScopeBoth, "", TypeInt, seconds + ", 0 to 32767", 0, 32767, "5", 0},
	{"timer_invite_expires", ScopeBoth, "2.0", TypeInt, seconds + " above 0", 1, 1 << 30, "180", 0},
	{"timer_t1", ScopeBoth, "2.0", TypeInt, "milliseconds above 0", 1, 1 << 30, "500", 0},
	{"timer_t2", ScopeBoth, "2.0", TypeInt, "milliseconds, more than timer_t1", 1, 1 << 30, "4000", 0},
	{"sip_retx", ScopeBoth, "2.0", TypeInt, "a count of 0 or more", 0, 1000, "10", 0},
	{"sip_invite_retx", ScopeBoth, "2.0", TypeInt, "a count of 0 or more", 0, 1000, "6", 0},
	{"sip_max_forwards", ScopeBoth, "", TypeInt, "1 to 255", 1, 255, "70", unmanaged},
	{"max_redirects", ScopeBoth, "", TypeInt, "a count of 0 or more", 0, 1000, "70", unmanaged},
	{"rfc_2543_hold", ScopeBoth, "", TypeBool, "0 or 1", 0, 1, "0", unmanaged},
	// Media.
	{"preferred_codec", ScopeBoth, "2.0", TypeEnum, "g711ulaw|g711alaw|g729a|none", 0, 0, "g711ulaw", 0},
	{"tos_media", ScopeBoth, "2.0", TypeInt, "0 to 5", 0, 5, "5", 0},
	{"dscpForAudio", ScopeBoth, "", TypeInt, "0 to 255", 0, 255, "184", unmanaged},
	{"enable_vad", ScopeBoth, "2.1", TypeBool, "0 or 1", 0, 1, "0", 0},
	{"dtmf_inband", ScopeBoth, "2.0", TypeBool, "0 or 1", 0, 1, "1", 0},
	{"dtmf_outofband", ScopeBoth, "2.0", TypeEnum, "none|avt|avt_always", 0, 0, "avt", 0},
	{"dtmf_db_level", ScopeBoth, "2.0", TypeInt, "1 to 5 (3 is nominal)", 1, 5, "3", 0},
	{"dtmf_avt_payload", ScopeBoth, "2.0", TypeInt, "96 to 127", 96, 127, "101", 0},
	{"start_media_port", ScopeBoth, "2.2", TypePort, "16384 to 32766", 16384, 32766, "16384", 0},
	{"end_media_port", ScopeBoth, "2.2", TypePort, "16384 to 32766", 16384, 32766, "32766", 0},
	{"voip_control_port", ScopeBoth, "2.2", TypePort, "1025 to 65535", 1025, 65535, "5060", 0},
	// NAT.
	{"nat_enable", ScopeBoth, "2.2", TypeBool, "0 or 1", 0, 1, "0", 0},
	{"nat_address", ScopeBoth, "2.2", TypeHost, address, 0, 127, "", 0},
	{"nat_received_processing", ScopeBoth, "2.2", TypeBool, "0 or 1", 0, 1, "0", 0},
	// Dialling.
	{"dial_template", ScopeBoth, "2.0", TypeString, "the name of a dial plan in the TFTP root, without .xml", 0, 63, "dialplan", 0},
	{"messages_uri", ScopeBoth, "2.0", TypeString, number, 0, 127, "", 0},
	// Time.
	{"sntp_server", ScopeBoth, "2.0", TypeHost, address, 0, 127, "", 0},
	{"sntp_mode", ScopeBoth, "2.0", TypeEnum, "unicast|multicast|anycast|directedbroadcast", 0, 0, "directedbroadcast", 0},
	{"time_zone", ScopeBoth, "2.0", TypeEnum, "IDL|NT|AHST|IMT|YST|PST|MST|CST|EST|AST|NST|BST|AT|WAT|GMT|CET|EET|BT|IT|ZP4|AFG|ZP5|IST|ZP6|SUM|WAST|HST|JST|CAST|EAST|EADT|NZST", 0, 0, "EST", 0},
	{"dst_auto_adjust", ScopeBoth, "2.0", TypeBool, "0 or 1", 0, 1, "1", 0},
	{"dst_offset", ScopeBoth, "2.0", TypeTime, "[+-]h or [+-]hh/mm", 0, 0, "1", 0},
	{"dst_start_month", ScopeBoth, "2.0", TypeEnum, months, 0, 0, "April", 0},
	{"dst_start_day", ScopeBoth, "2.0", TypeInt, "1 to 31, or 0 to use the week", 0, 31, "0", 0},
	{"dst_start_day_of_week", ScopeBoth, "2.0", TypeEnum, weekdays, 0, 0, "Sun", 0},
	{"dst_start_week_of_month", ScopeBoth, "2.0", TypeEnum, weeks, 0, 0, "1", 0},
	{"dst_start_time", ScopeBoth, "2.0", TypeTime, hours, 0, 0, "02", 0},
	{"dst_stop_month", ScopeBoth, "2.0", TypeEnum, months, 0, 0, "October", 0},
	{"dst_stop_day", ScopeBoth, "2.0", TypeInt, "1 to 31, or 0 to use the week", 0, 31, "0", 0},
	{"dst_stop_day_of_week", ScopeBoth, "2.0", TypeEnum, weekdays, 0, 0, "Sunday", 0},
	{"dst_stop_week_of_month", ScopeBoth, "2.0", TypeEnum, weeks, 0, 0, "8", 0},
	{"dst_stop_time", ScopeBoth, "2.0", TypeTime, hours, 0, 0, "2", 0},
	{"time_format_24hr", ScopeBoth, "2.0", TypeInt, "0 12 hours, 1 24 hours, 2 and 3 the same and locked", 0, 3, "1", 0},
	{"date_format", ScopeBoth, "", TypeEnum, "M/D/Y|D/M/Y|Y/M/D|Y/D/M|Y-M-D|YY-M-D|D-M-YY", 0, 0, "M/D/Y", 0},
	// Features.
	{"dnd_control", ScopeBoth, "2.0", TypeInt, lockable, 0, 3, "0", 0},
	{"callerid_blocking", ScopeBoth, "2.0", TypeInt, lockable, 0, 3, "0", 0},
	{"anonymous_call_block", ScopeBoth, "2.0", TypeInt, lockable, 0, 3, "0", phoneFile},
	{"call_waiting", ScopeBoth, "", TypeInt, lockable, 0, 3, "1", phoneFile},
	{"call_hold_ringback", ScopeBoth, "4.4", TypeInt, lockable, 0, 3, "0", 0},
	{"autocomplete", ScopeBoth, "", TypeBool, "0 or 1", 0, 1, "1", phoneFile},
	{"cnf_join_enable", ScopeBoth, "3.0", TypeBool, "0 or 1", 0, 1, "1", 0},
	{"semi_attended_transfer", ScopeBoth, "3.1", TypeBool, "0 or 1", 0, 1, "1", 0},
	{"transfer_onhook_enabled", ScopeBoth, "", TypeBool, "0 or 1", 0, 1, "1", 0},
	{"stutter_msg_waiting", ScopeBoth, "6.0", TypeBool, "0 or 1", 0, 1, "0", 0},
	{"call_stats", ScopeBoth, "", TypeBool, "0 or 1", 0, 1, "0", 0},
	{"remote_party_id", ScopeBoth, "4.0", TypeBool, "0 or 1", 0, 1, "0", 0},
	{"local_cfwd_enable", ScopeBoth, "", TypeBool, "0 or 1", 0, 1, "1", 0},
	{"cfwd_url", ScopePhone, "", TypeURL, number, 0, 127, "", unmanaged},
	{"auto_answer", ScopePhone, "", TypeMask, "0 to 63, a bit per line (0 to 3 on a 7940)", 0, 63, "0", unmanaged},
	{"speed_lineN", ScopePhone, "", TypeString, "a number or URI of up to 128 characters", 0, 128, "", unmanaged},
	{"speed_labelN", ScopePhone, "", TypeString, "a label", 0, 31, "", unmanaged},
	{"user_info", ScopeBoth, "3.0", TypeEnum, "none|phone|ip", 0, 0, "none", 0},
	// The set itself.
	{"network_media_type", ScopeBoth, "", TypeEnum, "Auto|Full100|Half100|Full10|Half10", 0, 0, "Auto", unmanaged},
	{"network_port2_type", ScopeBoth, "", TypeEnum, "Hub/Switch|PC", 0, 0, "Hub/Switch", unmanaged},
	{"telnet_level", ScopeBoth, "3.1", TypeInt, "0 off, 1 on, 2 privileged", 0, 2, "0", 0},
	{"phone_prompt", ScopePhone, "3.0", TypeString, "up to 15 characters", 0, 15, "SIP Phone", 0},
	{"phone_password", ScopePhone, "3.0", TypeString, "up to 31 characters", 0, 31, "cisco", secret},
	{"phone_label", ScopePhone, "2.0", TypeString, "up to 31 characters, of which 11 are visible", 0, 31, "", 0},
	// Buttons and HTTP.
	{"services_url", ScopeBoth, "4.0", TypeURL, httpURL, 0, 127, "", 0},
	{"directory_url", ScopeBoth, "4.0", TypeURL, httpURL, 0, 127, "", 0},
	{"logo_url", ScopeBoth, "4.0", TypeURL, httpURL, 0, 127, "", 0},
	{"http_proxy_addr", ScopeBoth, "4.0", TypeHost, address, 0, 127, "", 0},
	{"http_proxy_port", ScopeBoth, "4.0", TypePort, port, 1, 65535, "80", 0},
	// Lines.
	{"lineN_name", ScopePhone, "2.0", TypeString, `up to 127 characters, "" for an unused line`, 0, 127, "", 0},
	{"lineN_shortname", ScopePhone, "2.0", TypeString, "up to 31 characters, of which about 12 are visible", 0, 31, "", 0},
	{"lineN_displayname", ScopePhone, "2.0", TypeString, "up to 31 characters", 0, 31, "", 0},
	{"lineN_authname", ScopePhone, "2.0", TypeString, "up to 128 characters", 0, 128, Unprovisioned, 0},
	{"lineN_password", ScopePhone, "2.0", TypeString, "up to 31 characters without a double quote", 0, 31, Unprovisioned, secret},
	{"lineN_contact", ScopePhone, "", TypeURL, number, 0, 127, "", unmanaged},
}

// catalogue and catalogueIndex (by name in lower case) are the rows with N written out; nothing changes them.
var catalogue, catalogueIndex = expand(rows)

// expand writes rows with N out, line by line where several stand together (line1_name, line1_shortname, ...).
func expand(rows []row) ([]Parameter, map[string]int) {
	var list []Parameter
	for i := 0; i < len(rows); {
		j := i
		for j < len(rows) && strings.Contains(rows[j].name, "N_") == strings.Contains(rows[i].name, "N_") &&
			strings.HasSuffix(rows[j].name, "N") == strings.HasSuffix(rows[i].name, "N") {
			j++
		}
		if !isNumbered(rows[i].name) {
			for _, r := range rows[i:j] {
				list = append(list, r.parameter(0))
			}
		} else {
			for n := 1; n <= Lines; n++ {
				for _, r := range rows[i:j] {
					list = append(list, r.parameter(n))
				}
			}
		}
		i = j
	}
	index := make(map[string]int, len(list))
	for i, p := range list {
		index[strings.ToLower(p.Name)] = i
	}
	return list, index
}

func isNumbered(name string) bool {
	return strings.Contains(name, "N_") || strings.HasSuffix(name, "N")
}

// parameter makes the entry of a row; n is its number, 0 for names without one.
func (r row) parameter(n int) Parameter {
	p := Parameter{
		Name: r.name, Line: n, Scope: r.scope, Type: r.typ, Allowed: r.allowed, Min: r.min, Max: r.max, Default: r.def,
		FirstRelease: r.first, Secret: r.flags&secret != 0, Managed: r.flags&unmanaged == 0,
		PhoneFile: r.scope == ScopePhone || r.flags&phoneFile != 0, Reserved: r.flags&reserved != 0,
	}
	if n > 0 {
		p.Name = strings.Replace(r.name, "N", strconv.Itoa(n), 1)
	}
	if r.typ == TypeEnum {
		p.Values = strings.Split(r.allowed, "|")
		p.Allowed = "one of " + strings.Join(p.Values, ", ")
	}
	if p.Name == "proxy1_address" {
		p.Default = Unprovisioned
	}
	return p
}
