package sip

import (
	"net/netip"
	"strings"
	"time"

	"phonebox/services/phone"
)

// Account is a line as a phone registers it; nothing of it is kept after the check.
type Account struct {
	Name     string // lineN_name
	AuthName string // lineN_authname; "" or UNPROVISIONED = Name
	Password string // lineN_password; "" or UNPROVISIONED = none
	Proxy    string // proxyN_address: a dotted IPv4 address or a name
	Port     uint16 // proxyN_port; 0 = 5060
	Outbound string // outbound_proxy, with ":port" behind it where that is not 5060; "" or UNPROVISIONED = none
}

// normal returns the account with what its parameters mean.
func (a Account) normal() Account {
	for _, s := range []*string{&a.Name, &a.AuthName, &a.Password, &a.Proxy, &a.Outbound} {
		if strings.EqualFold(*s, phone.Unprovisioned) {
			*s = ""
		}
	}
	a.Proxy, a.Outbound = strings.TrimSpace(a.Proxy), strings.TrimSpace(a.Outbound)
	if a.AuthName == "" {
		a.AuthName = a.Name
	}
	if a.Port == 0 {
		a.Port = defaultPort
	}
	return a
}

// VerdictKind says what a check of a line found.
type VerdictKind string

// The kinds of verdicts.
const (
	VerdictRight          VerdictKind = "right_password"  // or the proxy asks for none: Challenged says which
	VerdictWrong          VerdictKind = "wrong_password"  // 401, 407 or 403 to a request that carried the password
	VerdictSilent         VerdictKind = "no_answer"       // from none of Asked
	VerdictNotFound       VerdictKind = "name_not_found"  // the proxy's name has no address, or nobody tells it
	VerdictRefused        VerdictKind = "refused"         // with Code and Reason
	VerdictRedirected     VerdictKind = "redirected"      // 3xx: the line belongs to another server
	VerdictNotRegistrable VerdictKind = "not_registrable" // who answers is no registrar, or the line has none
	VerdictNotConfigured  VerdictKind = "not_configured"  // the line lacks a name or a proxy, or they cannot be sent
	VerdictFailed         VerdictKind = "failed"          // the box itself could not ask
)

// Verdict is what a check of a line found. It never holds a password.
type Verdict struct {
	Kind       VerdictKind
	Text       string           // a sentence for people
	NAT        string           // a sentence where the proxy sees another address than the box sent from; "" = none seen
	Asked      []netip.AddrPort // that were sent a request, in this order; the last one answered, or none did
	Code       int              // of the answer that decided; 0 = none
	Reason     string           // beside Code, as the proxy wrote it
	Challenged bool             // the proxy asked for the password
	// Others is how many registrations the line has besides that of the check: the phones'. They were left as they are.
	// -1 = not known.
	Others int
	// Left says that the registration of the check itself could not be taken back; it ends by itself after Expires.
	Left    bool
	Expires time.Duration
	Server  string // what the proxy calls itself
}

// OK reports whether a phone with these settings can register.
func (v Verdict) OK() bool { return v.Kind == VerdictRight }
