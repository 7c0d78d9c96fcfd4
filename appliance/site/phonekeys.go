package site

import (
	"net/netip"
	"strconv"

	"phonebox/services/phone"
)

func formatPort(p uint16) string { return strconv.Itoa(int(p)) }

// formatOptionalPort writes "" for the port that is not set.
func formatOptionalPort(p uint16) string {
	if p == 0 {
		return ""
	}
	return formatPort(p)
}

// phoneKeys describes the keys of a [[phones]] entry but its lines.
func phoneKeys() []key[Phone] {
	mac := scalar("mac", KindText, func(p *Phone) *phone.MAC { return &p.MAC }, parseMAC, phone.MAC.String)
	address := scalar("address", KindText, func(p *Phone) *netip.Addr { return &p.Address }, parseOptionalAddr, formatAddr)
	zone := text("zone", func(p *Phone) *string { return &p.Zone }, parseOptionalZone)
	zone.hint = suggestZone
	return []key[Phone]{
		mac.about("MAC", "the Ethernet address on the phone's back, such as 00:06:D7:AA:2A:2E", "Which phone this is; it stands on its back."),
		choice("model", func(p *Phone) *string { return &p.Model }, "", "7940", "7960").
			about("Model", "7940, 7960 or an empty text", "Empty: the phone tells it."),
		text("label", func(p *Phone) *string { return &p.Label }, parseLabel).
			about("Label", `a text of up to 64 characters without "`, "Who or where: in the directory, on this page, and as a name on the network."),
		address.about("Fixed address", "an IPv4 address such as 10.77.0.50, or an empty text", "An address that this phone always gets. Empty: any of the addresses to give."),
		boolean("open_config", func(p *Phone) *bool { return &p.OpenConfig }).
			about("Open configuration", allowedBool, "Give this phone's configuration with its passwords to whoever asks."),
		boolean("own_files", func(p *Phone) *bool { return &p.OwnFiles }).
			about("Own files", allowedBool, "Files that you put into tftp/ win over those that the box makes."),
		text("load", func(p *Phone) *string { return &p.Load }, parseLoad).
			about("Firmware", "the name of a load of these phones without its ending, such as P0S3-8-12-00, stay, or an empty text",
				"The load that this phone should run. stay: what it runs. Empty: the one of all phones."),
		text("runs", func(p *Phone) *string { return &p.Runs }, parseTarget).
			about("Runs now", "the name of a load of these phones without its ending, such as P0S3-8-12-00, or an empty text",
				"The load that the phone itself shows under Settings, Status, Firmware Versions, where the box cannot find it out. Empty: the box finds out."),
		zone.about("Time zone", "an IANA time zone such as Europe/Brussels, or an empty text", "Where this phone is, if that is elsewhere: its clock and summer time follow from it. Empty: the time zone of all phones."),
		parameters("parameters", func(p *Phone) *map[string]string { return &p.Parameters }).
			about("Further parameters", allowedParameter, "Any other parameter of SIP<MAC>.cnf: name = value, one a line."),
		forced("forced", func(p *Phone) *map[string]string { return &p.Forced }).
			about("Names that nobody knows", allowedParameter, "Parameters that the catalogue does not know, written into SIP<MAC>.cnf as they are: name = value, one a line."),
	}
}

// lineKeys describes the keys of a [[phones.lines]] entry.
func lineKeys() []key[Line] {
	password := text("password", func(l *Line) *string { return &l.Password }, parsePhoneText(128))
	password.secret = true
	port := scalar("port", KindNumber, func(l *Line) *uint16 { return &l.Port }, parseOptionalPort, formatOptionalPort)
	return []key[Line]{
		text("name", func(l *Line) *string { return &l.Name }, parseAccount).
			about("Number", "a number or the user part of an address, of up to 127 characters, without blanks, quotes, ; and #", "The account's number or name at the telephone system."),
		text("authname", func(l *Line) *string { return &l.AuthName }, parsePhoneText(128)).
			about("Login name", `a text of up to 128 characters without "`, "The name that goes with the password, often the number."),
		password.about("Password", `a text of up to 128 characters without "`, "The account's password at the telephone system."),
		text("displayname", func(l *Line) *string { return &l.DisplayName }, parsePhoneText(128)).
			about("Name shown to others", `a text of up to 128 characters without "`, "What the other side sees; 31 characters are shown."),
		text("shortname", func(l *Line) *string { return &l.ShortName }, parsePhoneText(128)).
			about("Text beside the key", `a text of up to 128 characters without "`, "About 12 characters are visible; empty: the number."),
		text("proxy", func(l *Line) *string { return &l.Proxy }, parseHost).
			about("Telephone system", "a host name or an IPv4 address, or an empty text for the one of all phones", "The PBX or the provider of this line, where it is another than that of all phones."),
		port.about("Its port", "a number from 1 to 65535, or 0 for the one of all phones", "The port of this line's telephone system."),
	}
}

// waitingKeys describes the keys of a [[lines]] entry: those of a phone's line, and the label that the phone will get.
func waitingKeys() []key[WaitingLine] {
	keys := []key[WaitingLine]{
		text("label", func(w *WaitingLine) *string { return &w.Label }, parseLabel).
			about("Label", `a text of up to 64 characters without "`, "Who gets the phone, or where it will stand."),
	}
	for _, k := range lineKeys() {
		keys = append(keys, key[WaitingLine]{
			name: k.name, kind: k.kind, label: k.label, help: k.help, allowed: k.allowed, choices: k.choices, secret: k.secret, hint: k.hint,
			get: func(w *WaitingLine) []entry { return k.get(&w.Line) },
			set: func(w *WaitingLine, in []entry) []int { return k.set(&w.Line, in) },
		})
	}
	return keys
}

// Keys returns the path of every key in the order of the file, phones as phones.mac and phones.lines.name.
func Keys() []string {
	var out []string
	for _, k := range siteKeys() {
		out = append(out, k.name)
	}
	for _, k := range subnetKeys() {
		out = append(out, join("dhcp.subnet", k.name))
	}
	for _, k := range classKeys() {
		out = append(out, join("dhcp.class", k.name))
	}
	out = append(out, "dhcp.class.options")
	for _, k := range ruleKeys() {
		out = append(out, join("dial_plan.rules", k.name))
	}
	for _, k := range contactKeys() {
		out = append(out, join("contacts", k.name))
	}
	for _, k := range waitingKeys() {
		out = append(out, join("lines", k.name))
	}
	for _, k := range phoneKeys() {
		out = append(out, join("phones", k.name))
	}
	for _, k := range lineKeys() {
		out = append(out, join("phones.lines", k.name))
	}
	return out
}
