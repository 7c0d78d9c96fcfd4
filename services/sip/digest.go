package sip

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// challenge is what a proxy asks a password with (RFC 3261 section 22, RFC 7616 section 3.3).
type challenge struct {
	realm, nonce, opaque string // as they stand between the quotes: they are repeated so, and hashed so
	algorithm            string // as the proxy wrote it; "" = MD5
	qop                  string // "auth", or "" where the proxy offers none
	stale                bool   // the password is not in doubt, the nonce is too old
}

var errNoDigest = errors.New("no digest challenge that this program can answer")

// digestAlgorithms are the algorithms that are answered, the most wanted first: MD5 is what the phones can (its
// successors were named for SIP in RFC 8760, ten years after the last load of these phones), and the check is to find what
// a phone would find.
var digestAlgorithms = []string{"MD5", "MD5-sess", "SHA-256", "SHA-256-sess"}

// readChallenges picks the challenge to answer out of the values of one header, WWW-Authenticate or Proxy-Authenticate.
// Other schemes, unknown algorithms and qop without "auth" are passed over; where nothing is left the error says what was
// asked for.
func readChallenges(values []string) (challenge, error) {
	best, rank := challenge{}, len(digestAlgorithms)
	asked := ""
	for _, v := range values {
		for _, params := range splitChallenges(v) {
			ch, r, why := readChallenge(params)
			if why != "" {
				asked = why
			} else if r < rank {
				best, rank = ch, r
			}
		}
	}
	if rank == len(digestAlgorithms) {
		if asked == "" {
			asked = "no Digest"
		}
		return challenge{}, fmt.Errorf("%w: %s", errNoDigest, clip(asked))
	}
	return best, nil
}

// readChallenge understands the parameters of one; why says what is wrong with it.
func readChallenge(params map[string]string) (ch challenge, rank int, why string) {
	ch = challenge{
		realm: params["realm"], nonce: params["nonce"], opaque: params["opaque"], algorithm: params["algorithm"],
		stale: strings.EqualFold(params["stale"], "true"),
	}
	name := ch.algorithm
	if name == "" {
		name = "MD5"
	}
	rank = len(digestAlgorithms)
	for i, known := range digestAlgorithms {
		if strings.EqualFold(name, known) {
			rank = i
		}
	}
	if rank == len(digestAlgorithms) {
		return ch, rank, fmt.Sprintf("the algorithm %q", name)
	}
	if offered, ok := params["qop"]; ok && strings.TrimSpace(offered) != "" {
		for option := range strings.SplitSeq(offered, ",") {
			if strings.EqualFold(strings.TrimSpace(option), "auth") {
				ch.qop = "auth"
			}
		}
		if ch.qop == "" {
			return ch, rank, fmt.Sprintf("the quality of protection %q", offered)
		}
	}
	switch {
	case ch.nonce == "":
		return ch, rank, "a challenge without a nonce"
	case !quotable(ch.realm) || !quotable(ch.nonce) || !quotable(ch.opaque):
		return ch, rank, "a challenge with broken quotes"
	}
	return ch, rank, ""
}

// quotable reports whether a text can be repeated between quotes as it is.
func quotable(s string) bool {
	_, rest := cutValue(`"` + s + `"x`)
	return rest == "x"
}

// maxChallenges bounds how many challenges of one header are read.
const maxChallenges = 8

// splitChallenges returns the parameters of each Digest challenge of a header, names in lower case. RFC 3261 has one to a
// header; as HTTP allows several, some proxies write several.
func splitChallenges(s string) []map[string]string {
	var out []map[string]string
	var params map[string]string // nil: of a scheme that is not Digest
	for s != "" && len(out) < maxChallenges {
		s = strings.TrimLeft(s, " \t,")
		name, rest := cutToken(s)
		if name == "" { // a character that has no place here
			s = s[min(1, len(s)):]
			continue
		}
		rest = strings.TrimLeft(rest, " \t")
		value, isParameter := strings.CutPrefix(rest, "=")
		if !isParameter { // a word of its own is the name of a scheme
			params = nil
			if strings.EqualFold(name, "Digest") {
				params = make(map[string]string)
				out = append(out, params)
			}
			s = rest
			continue
		}
		var text string
		text, s = cutValue(strings.TrimLeft(value, " \t"))
		if params != nil {
			params[strings.ToLower(name)] = text
		}
	}
	return out
}

// cutToken cuts a word off.
func cutToken(s string) (token, rest string) {
	end := strings.IndexAny(s, "=, \t\"")
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}

// cutValue cuts a parameter's value off. What stands between quotes is returned as it is, backslashes too: a proxy
// compares it with what it wrote.
func cutValue(s string) (value, rest string) {
	quoted, ok := strings.CutPrefix(s, `"`)
	if !ok {
		end := strings.IndexAny(s, ", \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:]
	}
	for i := 0; i < len(quoted); i++ {
		switch quoted[i] {
		case '\\':
			i++
		case '"':
			return quoted[:i], quoted[i+1:]
		}
	}
	return quoted, ""
}

// credentials answer one challenge, as often as the nonce holds.
type credentials struct {
	challenge
	user, password string
	cnonce         string
	uses           uint32 // how often the nonce was used: the nc of the next answer is one more
}

// answer writes the value of Authorization or Proxy-Authorization for a request (RFC 7616 section 3.4).
func (c *credentials) answer(method, uri string) string {
	c.uses++
	count := fmt.Sprintf("%08x", c.uses)
	sum := hashOf(c.algorithm)
	user := latin1(c.user)
	a1 := sum(user, latin1(c.realm), latin1(c.password))
	if strings.HasSuffix(strings.ToLower(c.algorithm), "-sess") {
		a1 = sum(a1, c.nonce, c.cnonce)
	}
	a2 := sum(method, uri)
	response := sum(a1, c.nonce, a2)
	if c.qop != "" {
		response = sum(a1, c.nonce, count, c.cnonce, c.qop, a2)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`, quote(user), c.realm, c.nonce, uri, response)
	if c.algorithm != "" {
		fmt.Fprintf(&b, ", algorithm=%s", c.algorithm)
	}
	if c.opaque != "" {
		fmt.Fprintf(&b, `, opaque="%s"`, c.opaque)
	}
	if c.qop != "" || strings.HasSuffix(strings.ToLower(c.algorithm), "-sess") {
		fmt.Fprintf(&b, `, cnonce="%s"`, c.cnonce)
	}
	if c.qop != "" {
		fmt.Fprintf(&b, ", qop=%s, nc=%s", c.qop, count)
	}
	return b.String()
}

// hashOf returns the hash of an algorithm over its parts, joined with colons, in hex.
func hashOf(algorithm string) func(parts ...string) string {
	newHash := md5.New
	if strings.HasPrefix(strings.ToUpper(algorithm), "SHA-256") {
		newHash = sha256.New
	}
	return func(parts ...string) string {
		h := newHash()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
}

// latin1 returns a text in the bytes that a phone has it in: its files are ISO-8859-1 (phones.md h, unconfirmed), and so
// the hash of a password with an accent is over one byte for it. Where that cannot be, it is left as it is.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// quote escapes what ends a quoted string.
func quote(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
