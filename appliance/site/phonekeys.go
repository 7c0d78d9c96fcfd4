package site

import (
	"net/netip"
	"strconv"

	"phonebox/services/phone"
)

func formatPort(p uint16) string { return strconv.Itoa(int(p)) }

// phoneKeys describes the keys of a [[phones]] entry but its lines.
func phoneKeys() []key[Phone] {
	mac := scalar("mac", KindText, func(p *Phone) *phone.MAC { return &p.MAC }, parseMAC, phone.MAC.String)
	address := scalar("address", KindText, func(p *Phone) *netip.Addr { return &p.Address }, parseOptionalAddr, formatAddr)
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
		parameters("parameters", func(p *Phone) *map[string]string { return &p.Parameters }).
			about("Further parameters", allowedParameter, "Any other parameter of SIP<MAC>.cnf: name = value, one a line."),
	}
}

// lineKeys describes the keys of a [[phones.lines]] entry.
func lineKeys() []key[Line] {
	password := text("password", func(l *Line) *string { return &l.Password }, parsePhoneText(128))
	password.secret = true
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
	}
}

// Keys returns the path of every key in the order of the file, phones as phones.mac and phones.lines.name.
func Keys() []string {
	var out []string
	for _, k := range siteKeys() {
		out = append(out, k.name)
	}
	for _, k := range phoneKeys() {
		out = append(out, join("phones", k.name))
	}
	for _, k := range lineKeys() {
		out = append(out, join("phones.lines", k.name))
	}
	return out
}
