package pbx

import (
	"fmt"
	"slices"
	"strings"
)

// Office is what a text for a telephone system is made of.
type Office struct {
	Name  string // of the site
	Codec string // that the phones offer first: g711ulaw, g711alaw, g729a or none
	Lines []Line
}

// Line is one line of a phone that registers at the telephone system.
type Line struct {
	Phone       string // whose it is, in words
	Number      string
	AuthName    string // "" = Number
	Password    string // or a mask
	DisplayName string // "" = none
}

func (l Line) login() string {
	if l.AuthName == "" {
		return l.Number
	}
	return l.AuthName
}

// codecs returns the names by which Asterisk knows the codecs of these phones, the preferred one first.
func (o Office) codecs() []string {
	names := map[string]string{"g711ulaw": "ulaw", "g711alaw": "alaw", "g729a": "g729"}
	list := []string{"ulaw", "alaw"}
	first := names[o.Codec]
	if first == "" {
		return list
	}
	return append([]string{first}, slices.DeleteFunc(list, func(c string) bool { return c == first })...)
}

// each returns every number once: one that stands on two phones is one account. kept says how many were left out.
func (o Office) each() (lines []Line, again map[string][]string) {
	again = map[string][]string{}
	for _, l := range o.Lines {
		if l.Number == "" {
			continue
		}
		if slices.ContainsFunc(lines, func(k Line) bool { return k.Number == l.Number }) {
			again[l.Number] = append(again[l.Number], l.Phone)
			continue
		}
		lines = append(lines, l)
	}
	return lines, again
}

// plain makes a text that can stand in a line of Asterisk's files: no line ends, and no ; which begins a comment.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ReplaceAll(s, ";", `\;`))
}

// comment makes a text for a comment.
func comment(s string) string { return strings.ReplaceAll(plain(s), `\;`, ",") }

// section makes a name that can stand between brackets.
func section(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune("[](),;", r) {
			return '_'
		}
		return r
	}, s)
}

// caller writes the caller's name and number.
func (l Line) caller() string {
	if l.DisplayName == "" {
		return "<" + plain(l.Number) + ">"
	}
	return `"` + strings.ReplaceAll(plain(l.DisplayName), `"`, "'") + `" <` + plain(l.Number) + ">"
}

// head begins a file for Asterisk.
func (o Office) head(lines int, file string) string {
	return fmt.Sprintf("; %s for the phones of %s (%d accounts), made by phonebox\n", file, comment(o.Name), lines)
}

// phones says whose a line is.
func phones(l Line, again map[string][]string) string {
	return comment(strings.Join(append([]string{l.Phone}, again[l.Number]...), ", "))
}

// writePJSIP writes endpoints, their accounts and their registrations.
func writePJSIP(o Office) string {
	var b strings.Builder
	lines, again := o.each()
	b.WriteString(o.head(len(lines), "pjsip.conf"))
	b.WriteString("\n[transport-udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:5060\n")
	for _, l := range lines {
		name := section(l.Number)
		fmt.Fprintf(&b, "\n; %s\n[%s]\ntype=endpoint\ncontext=from-internal\ndisallow=all\nallow=%s\nauth=%[2]s\naors=%[2]s\n", phones(l, again), name, strings.Join(o.codecs(), ","))
		fmt.Fprintf(&b, "callerid=%s\ndtmf_mode=rfc4733\nforce_rport=yes\nrewrite_contact=no\ndirect_media=no\n", l.caller())
		fmt.Fprintf(&b, "\n[%s]\ntype=auth\nauth_type=userpass\nusername=%s\npassword=%s\n", name, plain(l.login()), plain(l.Password))
		fmt.Fprintf(&b, "\n[%s]\ntype=aor\nmax_contacts=%d\nremove_existing=%s\nqualify_frequency=60\n", name, 1+len(again[l.Number]), yes(len(again[l.Number]) == 0))
	}
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// writeSIP writes peers.
func writeSIP(o Office) string {
	var b strings.Builder
	lines, again := o.each()
	b.WriteString(o.head(len(lines), "sip.conf"))
	for _, l := range lines {
		fmt.Fprintf(&b, "\n; %s\n", phones(l, again))
		if l.login() != l.Number {
			fmt.Fprintf(&b, "; chan_sip takes the number as the login name: enter %s as login name of this line, too\n", comment(l.Number))
		}
		if len(again[l.Number]) > 0 {
			b.WriteString("; chan_sip keeps one phone for each number: the one that registered last rings\n")
		}
		fmt.Fprintf(&b, "[%s]\ntype=friend\nhost=dynamic\nsecret=%s\ncontext=from-internal\ncallerid=%s\n", section(l.Number), plain(l.Password), l.caller())
		fmt.Fprintf(&b, "nat=no\nqualify=yes\ndtmfmode=rfc2833\ndirectmedia=no\ndisallow=all\nallow=%s\n", strings.Join(o.codecs(), ","))
	}
	return b.String()
}

// writeFreePBX writes the fields of FreePBX's page.
func writeFreePBX(o Office) string {
	var b strings.Builder
	lines, again := o.each()
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\n")
		}
		name := l.DisplayName
		if name == "" {
			name = l.Phone
		}
		fmt.Fprintf(&b, "Add SIP [chan_pjsip] Extension\n  General:  User Extension = %s\n            Display Name   = %s\n            Secret         = %s\n", comment(l.Number), comment(name), oneLine(l.Password))
		if l.login() != l.Number {
			fmt.Fprintf(&b, "            (FreePBX takes the extension as login name: enter %s as login name of this line here)\n", comment(l.Number))
		}
		fmt.Fprintf(&b, "  Advanced: DTMF Signaling = RFC 4733\n            Max Contacts   = %d\n            Disallowed Codecs = all\n            Allowed Codecs = %s\n            Direct Media   = No\n",
			1+len(again[l.Number]), strings.Join(o.codecs(), "&"))
	}
	return b.String()
}

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

// writeAccounts writes what any telephone system needs to know of the lines.
func writeAccounts(o Office) string {
	var b strings.Builder
	lines, again := o.each()
	for _, l := range lines {
		fmt.Fprintf(&b, "number %s, login name %s, password %s, name %s (%s)\n", oneLine(l.Number), oneLine(l.login()), oneLine(l.Password), oneLine(l.DisplayName), phones(l, again))
	}
	return b.String()
}
