package sip

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// binding is one registration of a line, as the answer to REGISTER lists it (RFC 3261 section 10.3, step 8).
type binding struct {
	uri     string
	expires time.Duration // that it still lasts; negative = the proxy does not say
}

// maxBindings bounds how many registrations of an answer are read.
const maxBindings = 64

// bindings reads the registrations that an answer lists. It is tolerant: what is no address is passed over.
func bindings(res *sip.Response) []binding {
	rest := time.Duration(-1)
	if h := res.GetHeader("expires"); h != nil {
		if d, ok := seconds(h.Value()); ok {
			rest = d
		}
	}
	var out []binding
	for _, v := range values(res, "contact", "m") {
		for v != "" && len(out) < maxBindings {
			var b binding
			b, v = cutBinding(v, rest)
			if b.uri != "" && b.uri != "*" {
				out = append(out, b)
			}
		}
	}
	return out
}

// values returns what all headers of these names say, in their order.
func values(res *sip.Response, names ...string) []string {
	var out []string
	for _, n := range names {
		for _, h := range res.GetHeaders(n) {
			out = append(out, h.Value())
		}
	}
	return out
}

// cutBinding cuts one address with its parameters off a Contact header: a display name may be before <...>, and without
// the brackets everything from the first semicolon on is parameters (RFC 3261 section 20.10).
func cutBinding(s string, expires time.Duration) (b binding, rest string) {
	one, rest := cutOutside(s, ',')
	one = strings.TrimSpace(one)
	b.expires = expires
	address, params := cutOutside(one, ';')
	if open := strings.LastIndexByte(address, '<'); open >= 0 {
		address = address[open+1:]
		if end := strings.IndexByte(address, '>'); end >= 0 {
			address = address[:end]
		}
	}
	b.uri = strings.TrimSpace(address)
	for params != "" {
		var p string
		p, params = cutOutside(params, ';')
		name, value, _ := strings.Cut(p, "=")
		if d, ok := seconds(value); ok && strings.EqualFold(strings.TrimSpace(name), "expires") {
			b.expires = d
		}
	}
	return b, rest
}

// cutOutside cuts at the first sep that is not between quotes or in <...>.
func cutOutside(s string, sep byte) (before, after string) {
	quoted, bracket := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracket:
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case c == sep && !bracket:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// seconds reads delta-seconds.
func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(strings.Trim(s, " \t\""), 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(min(n, math.MaxUint32)) * time.Second, true
}

// userOf returns the user of a SIP URI, "" where it has none.
func userOf(uri string) string {
	_, rest, ok := strings.Cut(uri, ":")
	user, _, has := strings.Cut(rest, "@")
	if !ok || !has {
		return ""
	}
	user, _, _ = strings.Cut(user, ":")
	return user
}

// hostOf returns what follows the user of a SIP URI, up to its parameters: the host and the port.
func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	if _, host, has := strings.Cut(rest, "@"); has {
		rest = host
	}
	if end := strings.IndexAny(rest, ";?>"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}
