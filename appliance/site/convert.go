package site

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"phonebox/services/phone"
)

// Conversions turn the text of a value into the value; false means that the key's "allowed" sentence applies. They are
// the same for the file and for the form.

// The bounds of a lease: the phones renew at half of it, and a year-long lease would never give an address back.
const (
	minLease = 10 * time.Second
	maxLease = 31 * 24 * time.Hour
)

// longestText bounds every free text, in bytes; the longest that a phone takes is 128 (sip-parameters.tsv).
const longestText = 255

// parseText takes any printable text.
func parseText(s string) (string, bool) {
	if len(s) > longestText || !utf8.ValidString(s) {
		return "", false
	}
	return s, strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// parseName takes the site's name: printable, not empty, not longer than a logo can show.
func parseName(s string) (string, bool) {
	v, ok := parseText(s)
	return v, ok && strings.TrimSpace(v) != "" && utf8.RuneCountInString(v) <= 64
}

func parseLabel(s string) (string, bool) {
	v, ok := parseText(s)
	return v, ok && utf8.RuneCountInString(v) <= 64 && !strings.Contains(v, `"`)
}

// parsePhoneText takes a value that is written into a .cnf file, where no escape for a quote is known (phones.md h).
func parsePhoneText(limit int) func(string) (string, bool) {
	return func(s string) (string, bool) {
		v, ok := parseText(s)
		return v, ok && len(v) <= limit && !strings.Contains(v, `"`)
	}
}

// parseAccount takes the number or the user part of an address (phones.md h: no blanks, 127 characters).
func parseAccount(s string) (string, bool) {
	v, ok := parsePhoneText(127)(s)
	return v, ok && v != "" && !strings.ContainsAny(v, " ;#")
}

func parseBool(s string) (bool, bool) {
	switch s {
	case "true", "on":
		return true, true
	case "false", "off", "":
		return false, true
	}
	return false, false
}

func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0
}

// parseOptionalPort takes 0 and "" as no port.
func parseOptionalPort(s string) (uint16, bool) {
	if s == "" || s == "0" {
		return 0, true
	}
	return parsePort(s)
}

// maxParallel is how many phones may be flashed at once at most: more would share the card's speed for longer than the
// phones wait for a block.
const maxParallel = 50

func parseParallel(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= maxParallel
}

// parseInterface takes a name that the kernel allows (dev_valid_name, IFNAMSIZ).
func parseInterface(s string) (string, bool) {
	ok := len(s) > 0 && len(s) < 16 && s != "." && s != ".." && strings.IndexFunc(s, func(r rune) bool {
		return r == '/' || r == ':' || r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' '
	}) < 0
	return s, ok
}

// parseBoxAddress takes the box's address with the length of its subnet: a host address in a subnet with room for phones.
func parseBoxAddress(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() || p.Bits() < 8 || p.Bits() > 30 {
		return netip.Prefix{}, false
	}
	a := p.Addr()
	if a.IsMulticast() || a.IsUnspecified() || a == p.Masked().Addr() || a == broadcastOf(p) {
		return netip.Prefix{}, false
	}
	return p, true
}

// parseAddr takes an IPv4 address of a host; the phones know no other kind.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a == broadcastOf(netip.PrefixFrom(a, 0)) {
		return netip.Addr{}, false
	}
	return a, true
}

// parseOptionalAddr takes "" as no address.
func parseOptionalAddr(s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, true
	}
	return parseAddr(s)
}

// formatAddr writes the invalid address as "".
func formatAddr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// parseRange takes "first-last" or one address.
func parseRange(s string) (Range, bool) {
	first, last, both := strings.Cut(s, "-")
	a, ok := parseAddr(strings.TrimSpace(first))
	if !both || !ok {
		return Range{First: a, Last: a}, ok
	}
	b, ok := parseAddr(strings.TrimSpace(last))
	return Range{First: a, Last: b}, ok && !b.Less(a)
}

func formatRange(r Range) string {
	if r.First == r.Last {
		return formatAddr(r.First)
	}
	return formatAddr(r.First) + "-" + formatAddr(r.Last)
}

// parseLease takes a duration of whole seconds as Go writes them: 8h, 30m, 1h30m.
func parseLease(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= minLease && d <= maxLease && d%time.Second == 0
}

// formatLease writes 8h where [time.Duration.String] writes 8h0m0s.
func formatLease(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

const (
	minBroadcast = time.Second
	maxBroadcast = time.Hour
)

// parseBroadcast takes a duration of whole seconds, or none.
func parseBroadcast(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && (d == 0 || d >= minBroadcast && d <= maxBroadcast && d%time.Second == 0)
}

// formatBroadcast writes 64s where [time.Duration.String] writes 1m4s.
func formatBroadcast(d time.Duration) string {
	if d%time.Minute != 0 || d == 0 {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return formatLease(d)
}

// parseZone takes an IANA name. The empty name and "Local" mean something to Go and nothing to a phone.
func parseZone(s string) (string, bool) {
	if s == "" || strings.EqualFold(s, "local") {
		return "", false
	}
	_, err := time.LoadLocation(s)
	return s, err == nil
}

// parseOptionalZone takes the empty text as well.
func parseOptionalZone(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	return parseZone(s)
}

// The ports of DNS, in clear and over TLS (RFC 7858 section 3.1).
const (
	portDNS = 53
	portDoT = 853
)

// parseUpstream takes a DNS server: an address with or without a port, or tls://ADDRESS[:PORT]#NAME, where NAME is that of
// its certificate.
func parseUpstream(s string) (Upstream, bool) {
	port, name := uint16(portDNS), ""
	if rest, ok := strings.CutPrefix(s, "tls://"); ok {
		if s, name, ok = strings.Cut(rest, "#"); !ok {
			return Upstream{}, false
		}
		if name, ok = parseDomain(name); !ok {
			return Upstream{}, false
		}
		port = portDoT
	}
	if a, ok := parseAddr(s); ok {
		return Upstream{netip.AddrPortFrom(a, port), name}, true
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return Upstream{}, false
	}
	_, ok := parseAddr(ap.Addr().String())
	return Upstream{ap, name}, ok
}

func formatUpstream(u Upstream) string {
	port, before, behind := uint16(portDNS), "", ""
	if u.TLSName != "" {
		port, before, behind = portDoT, "tls://", "#"+u.TLSName
	}
	if u.Addr.Port() == port {
		return before + u.Addr.Addr().String() + behind
	}
	return before + u.Addr.String() + behind
}

// hostName is a name of letters, digits and hyphens (RFC 1123 section 2.1); the underscore is let through because names
// of other people's servers have it.
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// parseDomain takes the name of the zone, with room left for the names in it.
func parseDomain(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	return s, len(s) <= 200 && hostName.MatchString(s) && !numericEnd(s)
}

// parseHost takes a name or an IPv4 address, "" too.
func parseHost(s string) (string, bool) {
	if _, ok := parseAddr(s); ok || s == "" {
		return s, true
	}
	return parseDomain(s)
}

func parseHostRequired(s string) (string, bool) {
	v, ok := parseHost(s)
	return v, ok && v != ""
}

// numericEnd reports whether the last part is a number: then a wrong address was meant, not a name.
func numericEnd(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	return strings.Trim(last, "0123456789") == ""
}

// validHostKey says whether a name may stand in dns.hosts; keys are lower case.
func validHostKey(s string) bool { return len(s) <= 200 && hostName.MatchString(s) }

var parameterName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

func validParameterKey(s string) bool { return parameterName.MatchString(s) }

var forcedName = regexp.MustCompile(`^[A-Za-z0-9_.]{1,64}$`)

func validForcedKey(s string) bool { return forcedName.MatchString(s) }

// parseForced takes what a .cnf file can carry as the value of any parameter.
func parseForced(s string) (string, bool) {
	v, ok := parsePhoneText(longestText)(s)
	_, err := phone.Parameter{Type: phone.TypeString, Max: longestText}.Check(v)
	return v, ok && err == nil
}

// parseRuleText takes an attribute of a dial plan's rule; dialplan knows the rest.
func parseRuleText(s string) (string, bool) {
	v, ok := parseText(s)
	return v, ok && utf8.RuneCountInString(v) <= 200
}

func parseTimeout(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return strconv.FormatUint(n, 10), err == nil && n <= 3600
}

// parseNumber takes what a phone can dial. People write numbers with blanks and hyphens, which phones don't dial.
func parseNumber(s string) (string, bool) {
	v, ok := parsePhoneText(127)(s)
	if strings.HasPrefix(v, "+") {
		v = strings.Replace(v, "(0)", "", 1) // the trunk prefix, which is not dialled behind the country's code
	}
	if plain := strings.NewReplacer(" ", "", "(", "", ")", "", "-", "", ".", "", "/", "").Replace(v); strings.Trim(plain, "0123456789+*#") == "" {
		v = plain
	}
	return v, ok && v != "" && !strings.ContainsAny(v, " ;")
}

// parseLoad takes a phone's own target.
func parseLoad(s string) (string, bool) {
	if s == Stay {
		return s, true
	}
	return parseTarget(s)
}

// parseTarget takes the base name of an application's image; the loader is no load that a phone could stay on.
func parseTarget(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	load, ok := phone.ParseLoad(s)
	return load.Name, ok && !load.Loader
}

func parseMAC(s string) (phone.MAC, bool) {
	m, err := phone.ParseMAC(s)
	return m, err == nil && !m.IsZero() && m[0]&1 == 0
}

// oneOf takes one of the choices.
func oneOf(choices ...string) func(string) (string, bool) {
	return func(s string) (string, bool) {
		for _, c := range choices {
			if s == c {
				return s, true
			}
		}
		return "", false
	}
}

func same(s string) string { return s }

// broadcastOf returns the last address of an IPv4 subnet.
func broadcastOf(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}
