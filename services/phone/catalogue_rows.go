package phone

const (
	months   = "January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec|1|2|3|4|5|6|7|8|9|10|11|12"
	weekdays = "Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sun|Mon|Tue|Wed|Thu|Fri|Sat|1|2|3|4|5|6|7"
	weeks    = "1|2|3|4|5|6|8"
	zones    = "IDL|NT|AHST|IMT|YST|PST|MST|CST|EST|AST|NST|BST|AT|WAT|GMT|CET|EET|BT|IT|ZP4|AFG|ZP5|IST|ZP6|SUM|WAST|HST|JST|CAST|EAST|EADT|NZST"
	lockable = "0 off, 1 on, 2 off and locked, 3 on and locked"
	address  = `a dotted address or a name, or "" for none`
	dotted   = `a dotted address, or "" or UNPROVISIONED for none`
	port     = "a port, 1 to 65535"
	onOff    = "0 or 1"
	seconds  = "a number of seconds"
	httpURL  = `an http URL of up to 127 characters, or "" for none`
	number   = "a number or URI of up to 127 characters"
	hours    = "h, hh, hh:mm or hh/mm"
	dayOrNot = `1 to 31, or 0 or "" to use the week`
	most     = 1 << 30 // where only the lower end of a range is known
)

// sections is the catalogue: the parameters of the SIP images 2.0 to 8.12, with the ranges that the guides and working
// files give (phones.md h and its parameter table). The order is that of the files.
var sections = []section{
	{"Firmware and provisioning", []row{
		{
			"image_version", ScopeBoth, "2.0", TypeString, "the base name of an image, up to 60 characters", 0, 60, "", reserved | unmanaged,
			"The firmware that the phone should run, without an ending. phonebox sets it, one safe step at a time: choose the site's firmware instead.",
		},
		{
			"tftp_cfg_dir", ScopeDefault, "2.0", TypeString, "a folder below the TFTP root", 0, 127, "", reserved,
			"The folder in which the phone looks for its own file. phonebox keeps it empty and answers for every phone.",
		},
		{
			"sync", ScopeBoth, "2.0", TypeString, "1 to 32 characters", 1, 32, syncOfCnf, reserved,
			"A mark that the phone compares when it is asked to restart: it restarts when the mark has changed. phonebox looks after it.",
		},
		{
			"dyn_tftp_addr", ScopeDefault, "4.0", TypeIPv4, dotted, 0, 0, "", reserved,
			"Sends the phone to another TFTP server. phonebox clears it, so that no phone stays with a server of its past.",
		},
		{
			"dyn_dns_addr_1", ScopeDefault, "4.0", TypeIPv4, dotted, 0, 0, "", 0,
			"A name server that replaces the first one of DHCP. Leave it empty unless the phones must ask another server than the rest of the network.",
		},
		{
			"dyn_dns_addr_2", ScopeDefault, "4.0", TypeIPv4, dotted, 0, 0, "", 0,
			"A name server that replaces the second one of DHCP. Leave it empty as a rule.",
		},
		{
			"Domain_Name", ScopeDefault, "", TypeHost, "a domain name", 0, 127, "", unconfirmed,
			"The domain that completes short host names. DHCP tells the phones the domain already; set it only for phones with a fixed address.",
		},
		{
			"language", ScopeDefault, "2.0", TypeString, `english, or ""`, 0, 31, "", 0,
			"The language of the display. The SIP firmware has English only, so it stays empty.",
		},
	}},
	{"Proxies", []row{
		{
			"proxyN_address", ScopeBoth, "2.0", TypeHost, `a dotted address, a name with A or SRV records, USECALLMANAGER (8.x), or ""`, 0, 127, "", 0,
			"The telephone system of line N. The lines whose own proxy is empty use that of line 1. Change it for a line that belongs to another provider.",
		},
		{
			"proxyN_port", ScopeBoth, "2.0", TypePort, port, 1, 65535, "5060", 0,
			"The UDP port of that telephone system. Change it when the provider names another than 5060.",
		},
		{
			"proxy_register", ScopeBoth, "2.0", TypeBool, onOff, 0, 1, "0", 0,
			"1 makes the phone register its lines when it starts, which nearly every telephone system needs before it sends calls.",
		},
		{
			"proxy_backup", ScopeBoth, "2.1", TypeIPv4, "a dotted address (names are not confirmed), or \"\" for none", 0, 127, "", 0,
			"A second telephone system that takes calls and registrations when the first does not answer. Leave it empty where there is none; some releases need a dial plan for it to work.",
		},
		{
			"proxy_backup_port", ScopeBoth, "2.1", TypePort, port, 1, 65535, "5060", 0,
			"The UDP port of the backup system.",
		},
		{
			"proxy_emergency", ScopeBoth, "2.1", TypeIPv4, dotted, 0, 0, "", 0,
			"The system for numbers that the dial plan sends by its emergency route, such as a gateway with a telephone line of its own.",
		},
		{
			"proxy_emergency_port", ScopeBoth, "2.1", TypePort, port, 1, 65535, "5060", 0,
			"The UDP port of the emergency system.",
		},
		{
			"outbound_proxy", ScopeBoth, "2.2", TypeHost, address + " (no SRV)", 0, 127, "", 0,
			"A session border controller through which all SIP messages go. Set it when the provider names one besides the registrar.",
		},
		{
			"outbound_proxy_port", ScopeBoth, "2.2", TypePort, port, 1, 65535, "5060", 0,
			"The UDP port of the outbound proxy.",
		},
		{
			"call_managerN_addr", ScopeBoth, "8.0", TypeHost, address, 0, 127, "", unconfirmed,
			"A Cisco CallManager for phones whose proxy address is USECALLMANAGER. Not needed with any other telephone system.",
		},
		{
			"call_managerN_sip_port", ScopeBoth, "8.0", TypePort, port, 1, 65535, "5060", unconfirmed,
			"The SIP port of that CallManager.",
		},
	}},
	{"SIP timers and counts", []row{
		{
			"timer_register_expires", ScopeBoth, "2.0", TypeInt, seconds + ", 1 to 3932100", 1, 3932100, "3600", 0,
			"How long a registration holds. Shorten it to a minute or two where a router forgets the phone in between and calls stop coming in.",
		},
		{
			"timer_register_delta", ScopeBoth, "", TypeInt, seconds + ", 0 to 32767", 0, 32767, "5", 0,
			"How long before its end a registration is renewed. Raise it on slow or lossy links.",
		},
		{
			"timer_invite_expires", ScopeBoth, "2.0", TypeInt, seconds + " above 0", 1, most, "180", 0,
			"How long a call that nobody answers rings before the phone gives it up.",
		},
		{
			"timer_t1", ScopeBoth, "2.0", TypeInt, "milliseconds above 0", 1, most, "500", 0,
			"The first wait before a SIP message is sent again; each further wait is longer. Raise it only on very slow links.",
		},
		{
			"timer_t2", ScopeBoth, "2.0", TypeInt, "milliseconds, more than timer_t1", 1, most, "4000", 0,
			"The longest wait between two tries of a SIP message.",
		},
		{
			"sip_retx", ScopeBoth, "2.0", TypeInt, "a count of 0 or more", 0, most, "10", 0,
			"How often a SIP message other than a call is sent again before the phone gives up.",
		},
		{
			"sip_invite_retx", ScopeBoth, "2.0", TypeInt, "a count of 0 or more", 0, most, "6", 0,
			"How often a call is tried before the phone turns to the backup proxy or gives up. A smaller number switches over sooner.",
		},
		{
			"sip_max_forwards", ScopeBoth, "", TypeInt, "1 to 255", 1, 255, "70", unconfirmed,
			"Through how many proxies a SIP message may pass.",
		},
		{
			"max_redirects", ScopeBoth, "", TypeInt, "a count of 0 or more", 0, most, "70", unconfirmed,
			"How many times a call may be sent on to another address.",
		},
		{
			"rfc_2543_hold", ScopeBoth, "", TypeBool, onOff, 0, 1, "0", unconfirmed,
			"1 holds calls in the oldest way of SIP, for telephone systems that don't understand the present one.",
		},
	}},
	{"Sound", []row{
		{
			"preferred_codec", ScopeBoth, "2.0", TypeEnum, "g711ulaw|g711alaw|g729a|none", 0, 0, "g711ulaw", 0,
			"The way of coding speech that the phone offers first: g711alaw is usual in Europe, g711ulaw in America, g729a saves bandwidth.",
		},
		{
			"tos_media", ScopeBoth, "2.0", TypeInt, "0 to 5", 0, 5, "5", 0,
			"The priority that the phone marks its speech packets with; 5 is what networks expect of speech.",
		},
		{
			"dscpForAudio", ScopeBoth, "", TypeInt, "0 to 255", 0, 255, "184", unconfirmed,
			"The same priority as a whole byte (184 is expedited forwarding), seen in a few files in place of tos_media.",
		},
		{
			"enable_vad", ScopeBoth, "2.1", TypeBool, onOff, 0, 1, "0", 0,
			"1 sends nothing while nobody speaks. It saves bandwidth and may cut off the beginning of words.",
		},
		{
			"dtmf_inband", ScopeBoth, "2.0", TypeBool, onOff, 0, 1, "1", 0,
			"1 sends the tones of the keys in the speech itself, for voice menus behind systems that know no other way.",
		},
		{
			"dtmf_outofband", ScopeBoth, "2.0", TypeEnum, "none|avt|avt_always", 0, 0, "avt", 0,
			"How keys are sent as events (RFC 2833): avt when the other side offers it, avt_always in any case and then no tones, none never.",
		},
		{
			"dtmf_db_level", ScopeBoth, "2.0", TypeInt, "1 to 5 (1 -6 dB, 2 -3 dB, 3 nominal, 4 +3 dB, 5 +6 dB)", 1, 5, "3", 0,
			"The loudness of the key tones in the speech. Change it when a voice menu misses keys or hears them twice.",
		},
		{
			"dtmf_avt_payload", ScopeBoth, "2.0", TypeInt, "96 to 127", 96, 127, "101", 0,
			"The RTP payload type of key events; both sides must use the same, and 101 is usual.",
		},
		{
			"start_media_port", ScopeBoth, "2.2", TypePort, "16384 to 32766", 16384, 32766, "16384", 0,
			"The lowest UDP port for speech. Narrow the range where a firewall opens only some ports.",
		},
		{
			"end_media_port", ScopeBoth, "2.2", TypePort, "16384 to 32766", 16384, 32766, "32766", 0,
			"The highest UDP port for speech; it must be above start_media_port.",
		},
		{
			"voip_control_port", ScopeBoth, "2.2", TypePort, "1025 to 65535", 1025, 65535, "5060", 0,
			"The phone's own UDP port for SIP. Give each phone another one where several stand behind one NAT router.",
		},
	}},
	{"NAT", []row{
		{
			"nat_enable", ScopeBoth, "2.2", TypeBool, onOff, 0, 1, "0", 0,
			"1 makes the phone send from the port on which it listens. Needed behind NAT, and by some PBXs (Asterisk among them) without it.",
		},
		{
			"nat_address", ScopeBoth, "2.2", TypeHost, address, 0, 127, "", 0,
			"The public address of the router, which the phone names in its messages in place of its own. Only for phones behind NAT with a fixed public address.",
		},
		{
			"nat_received_processing", ScopeBoth, "2.2", TypeBool, onOff, 0, 1, "0", 0,
			"1 lets the phone learn its public address from the answers of the telephone system, in place of nat_address.",
		},
	}},
	{"Dialling", []row{
		{
			"dial_template", ScopeBoth, "2.0", TypeString, "the name of a dial plan in the TFTP root, without .xml", 0, 63, "dialplan", 0,
			"The dial plan that the phone loads: which numbers are complete at once and how they are rewritten. Change it for phones that need a plan of their own.",
		},
		{
			"messages_uri", ScopeBoth, "2.0", TypeString, number, 0, 127, "", 0,
			"What the Messages button dials: the number of the voice mail.",
		},
	}},
	{"Time", []row{
		{
			"sntp_server", ScopeBoth, "2.0", TypeHost, `a dotted address or a name, or "" or 0.0.0.0 for none`, 0, 127, "", 0,
			"The time server. phonebox names itself, and an address is safer than a name.",
		},
		{
			"sntp_mode", ScopeBoth, "2.0", TypeEnum, "unicast|multicast|anycast|directedbroadcast", 0, 0, "directedbroadcast", 0,
			"How the phone gets the time: unicast asks its server and nobody else, and suits nearly every network.",
		},
		{
			"time_zone", ScopeBoth, "2.0", TypeEnum, zones, 0, 0, "EST", 0,
			"The zone by its short name on these phones. phonebox derives it from the site's time zone.",
		},
		{
			"dst_auto_adjust", ScopeBoth, "2.0", TypeBool, onOff, 0, 1, "1", 0,
			"1 moves the clock for summer time by the rule below, 0 never moves it. phonebox derives it from the site's time zone.",
		},
		{
			"dst_offset", ScopeBoth, "2.0", TypeTime, "[+-]h or [+-]hh/mm", -23, 23, "1", 0,
			"What summer time adds to the clock, in hours.",
		},
		{
			"dst_start_month", ScopeBoth, "2.0", TypeEnum, months, 0, 0, "April", 0,
			"The month in which summer time begins.",
		},
		{
			"dst_start_day", ScopeBoth, "2.0", TypeInt, dayOrNot, 0, 31, "0", emptyToo,
			"The date on which summer time begins, where it is the same each year; 0 where it is a weekday of some week.",
		},
		{
			"dst_start_day_of_week", ScopeBoth, "2.0", TypeEnum, weekdays, 0, 0, "Sun", 0,
			"The weekday on which summer time begins; 1 is Sunday. Old releases want it spelt as here, large first letter included.",
		},
		{
			"dst_start_week_of_month", ScopeBoth, "2.0", TypeEnum, weeks, 0, 0, "1", 0,
			"In which week of the month that weekday counts; 8 is the last one.",
		},
		{
			"dst_start_time", ScopeBoth, "2.0", TypeTime, hours, 0, 0, "02", 0,
			"The local time at which summer time begins.",
		},
		{
			"dst_stop_month", ScopeBoth, "2.0", TypeEnum, months, 0, 0, "October", 0,
			"The month in which summer time ends.",
		},
		{
			"dst_stop_day", ScopeBoth, "2.0", TypeInt, dayOrNot, 0, 31, "0", emptyToo,
			"The date on which summer time ends, where it is the same each year; 0 where it is a weekday of some week.",
		},
		{
			"dst_stop_day_of_week", ScopeBoth, "2.0", TypeEnum, weekdays, 0, 0, "Sunday", 0,
			"The weekday on which summer time ends; 1 is Sunday. Old releases want it spelt as here, large first letter included.",
		},
		{
			"dst_stop_week_of_month", ScopeBoth, "2.0", TypeEnum, weeks, 0, 0, "8", 0,
			"In which week of the month that weekday counts; 8 is the last one.",
		},
		{
			"dst_stop_time", ScopeBoth, "2.0", TypeTime, hours, 0, 0, "2", 0,
			"The local time at which summer time ends.",
		},
		{
			"time_format_24hr", ScopeBoth, "2.0", TypeInt, "0 12 hours, 1 24 hours, 2 and 3 the same and locked (later releases)", 0, 3, "1", 0,
			"Whether the display counts to 12 or to 24, and whether the user may change that.",
		},
		{
			"date_format", ScopeBoth, "", TypeEnum, "M/D/Y|D/M/Y|Y/M/D|Y/D/M|Y-M-D|YY-M-D|D-M-YY", 0, 0, "M/D/Y", 0,
			"The order of day, month and year on the display: D/M/Y in most of Europe.",
		},
	}},
	{"Calls", []row{
		{
			"dnd_control", ScopeBoth, "2.0", TypeInt, lockable, 0, 3, "0", 0,
			"Do not disturb: whether the phone refuses calls when it starts, and whether the user may change that.",
		},
		{
			"callerid_blocking", ScopeBoth, "2.0", TypeInt, lockable, 0, 3, "0", 0,
			"Whether the phone hides its own number when it calls, and whether the user may change that.",
		},
		{
			"anonymous_call_block", ScopeBoth, "2.0", TypeInt, lockable, 0, 3, "0", phoneFile,
			"Whether calls without a number are refused, and whether the user may change that.",
		},
		{
			"call_waiting", ScopeBoth, "", TypeInt, lockable, 0, 3, "1", phoneFile,
			"Whether a second call knocks while one is on, and whether the user may change that. Switch it off for phones in a queue.",
		},
		{
			"call_hold_ringback", ScopeBoth, "4.4", TypeInt, lockable, 0, 3, "0", 0,
			"Whether the phone rings as a reminder when one hangs up while a call is on hold, and whether the user may change that.",
		},
		{
			"autocomplete", ScopeBoth, "", TypeBool, onOff, 0, 1, "1", phoneFile,
			"1 completes a number from those dialled before while one types. Switch it off where it dials the wrong number.",
		},
		{
			"cnf_join_enable", ScopeBoth, "3.0", TypeBool, onOff, 0, 1, "1", 0,
			"1 leaves the two others connected when the phone that made a conference of three hangs up.",
		},
		{
			"semi_attended_transfer", ScopeBoth, "3.1", TypeBool, onOff, 0, 1, "1", 0,
			"1 allows a call to be passed on while the next phone still rings.",
		},
		{
			"transfer_onhook_enabled", ScopeBoth, "", TypeBool, onOff, 0, 1, "1", 0,
			"1 completes a transfer when one hangs up, without a press of the key. That phones have 1 from the factory is not certain.",
		},
		{
			"stutter_msg_waiting", ScopeBoth, "6.0", TypeBool, onOff, 0, 1, "0", 0,
			"1 makes the dial tone stutter while there is a message in the voice mail.",
		},
		{
			"call_stats", ScopeBoth, "", TypeBool, onOff, 0, 1, "0", 0,
			"1 adds figures on lost packets and delay to the end of each call, for telephone systems that collect them.",
		},
		{
			"remote_party_id", ScopeBoth, "4.0", TypeBool, onOff, 0, 1, "0", 0,
			"1 puts the caller's name and number into the Remote-Party-ID header, which some systems show in place of From.",
		},
		{
			"local_cfwd_enable", ScopeBoth, "", TypeBool, onOff, 0, 1, "1", 0,
			"1 lets the phone forward calls by itself; 0 leaves that to the telephone system.",
		},
		{
			"cfwd_url", ScopePhone, "", TypeURL, number, 0, 127, "", unmanaged,
			"Where all calls of this phone are forwarded. It is written only when set, so that a user's own forwarding stays.",
		},
		{
			"auto_answer", ScopePhone, "", TypeMask, "0 to 63, a bit per line (0 to 3 on a 7940)", 0, 63, "0", unmanaged,
			"The lines that answer by themselves on the loudspeaker: 1 for line 1, 2 for line 2, 4 for line 3, added up. The guide knows it from the phone's menu alone.",
		},
		{
			"speed_lineN", ScopePhone, "", TypeString, "a number or URI of up to 128 characters", 0, 128, "", unmanaged,
			"The number of a speed dial key. Files number them by key or from 1, and users set them on the phone itself, so they are written only when set.",
		},
		{
			"speed_labelN", ScopePhone, "", TypeString, "a label of up to 31 characters", 0, 31, "", unmanaged,
			"What the display shows beside that speed dial key.",
		},
		{
			"user_info", ScopeBoth, "3.0", TypeEnum, "none|phone|ip", 0, 0, "none", 0,
			"Adds user=phone or user=ip to the address in registrations, for the few systems that ask for it.",
		},
	}},
	{"The phone itself", []row{
		{
			"network_media_type", ScopeBoth, "", TypeEnum, "Auto|Full100|Half100|Full10|Half10", 0, 0, "Auto", unmanaged,
			"Speed and duplex of the port to the switch. Leave it to Auto: a fixed setting on one side alone loses packets.",
		},
		{
			"network_port2_type", ScopeBoth, "", TypeEnum, "Hub/Switch|PC", 0, 0, "Hub/Switch", unmanaged,
			"What is plugged into the second port of the phone.",
		},
		{
			"telnet_level", ScopeBoth, "3.1", TypeInt, "0 off, 1 on, 2 privileged", 0, 2, "0", 0,
			"Whether one can log in to the phone over telnet, to see why a line does not register. Switch it on to look and off again: telnet is not encrypted.",
		},
		{
			"phone_prompt", ScopePhone, "3.0", TypeString, "up to 15 characters", 0, 15, "SIP Phone", 0,
			"The name that the phone shows to whoever logs in over telnet.",
		},
		{
			"phone_password", ScopePhone, "3.0", TypeString, "up to 31 characters", 0, 31, "cisco", secret,
			"The password for telnet and for unlocking the phone's settings. Everybody knows the one from the factory: change it.",
		},
		{
			"phone_label", ScopePhone, "2.0", TypeString, "up to 31 characters, of which 11 are visible", 0, 31, "", 0,
			"The text in the top right corner of the display, such as a name or a room.",
		},
	}},
	{"Buttons and web pages", []row{
		{
			"services_url", ScopeBoth, "4.0", TypeURL, httpURL, 0, 127, "", 0,
			"The page behind the Services button. phonebox names its own menu.",
		},
		{
			"directory_url", ScopeBoth, "4.0", TypeURL, httpURL, 0, 127, "", 0,
			"The directory behind the Directories button. phonebox names its own, with the phones of the site and its contacts.",
		},
		{
			"logo_url", ScopeBoth, "4.0", TypeURL, httpURL, 0, 127, "", 0,
			"The picture on the display: an 8-bit Windows BMP of 90 by 56 points. phonebox names its own.",
		},
		{
			"http_proxy_addr", ScopeBoth, "4.0", TypeHost, address, 0, 127, "", 0,
			"A web proxy through which the phone fetches those pages. Leave it empty where it can reach them itself.",
		},
		{
			"http_proxy_port", ScopeBoth, "4.0", TypePort, port, 1, 65535, "80", 0,
			"The port of that web proxy.",
		},
	}},
	{"Lines", []row{
		{
			"lineN_name", ScopePhone, "2.0", TypeString, `up to 127 characters, "" for an unused line`, 0, 127, "", 0,
			"The number or user name under which the line registers. Empty: the line is not used, and without line 1 the phone stays unprovisioned.",
		},
		{
			"lineN_shortname", ScopePhone, "2.0", TypeString, "up to 31 characters, of which about 12 are visible", 0, 31, "", 0,
			"What the display shows beside the line's key.",
		},
		{
			"lineN_displayname", ScopePhone, "2.0", TypeString, "up to 31 characters", 0, 31, "", 0,
			"The caller's name that others see on their phones.",
		},
		{
			"lineN_authname", ScopePhone, "2.0", TypeString, "up to 128 characters", 0, 128, Unprovisioned, 0,
			"The user name that goes with the password, where the telephone system wants another one than the line's name.",
		},
		{
			"lineN_password", ScopePhone, "2.0", TypeString, "up to 31 characters without a double quote", 0, 31, Unprovisioned, secret,
			"The password of the line at the telephone system.",
		},
		{
			"lineN_contact", ScopePhone, "", TypeURL, number, 0, 127, "", unconfirmed,
			"The address at which the line wants to be called, where it is not the line's name.",
		},
	}},
}
