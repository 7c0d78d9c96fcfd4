package phonesim

import (
	"crypto/md5" // RFC 3261, 22.4: SIP's digest is this one
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// challenge is what a proxy wants a password for (RFC 2617, 3.2.1).
type challenge struct {
	realm, nonce, opaque string
	qop                  bool // it takes qop=auth
}

// parseChallenge reads WWW-Authenticate or Proxy-Authenticate. Only what the phones know is taken: Digest with MD5.
func parseChallenge(s string) (challenge, error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return challenge{}, fmt.Errorf("found the scheme %.20q, allowed is Digest", scheme)
	}
	var c challenge
	for rest != "" {
		var name, value string
		var ok bool
		if name, value, rest, ok = cutParameter(rest); !ok {
			return challenge{}, fmt.Errorf("found the parameter %.20q without a value or its closing quote", name)
		}
		switch strings.ToLower(name) {
		case "realm":
			c.realm = value
		case "nonce":
			c.nonce = value
		case "opaque":
			c.opaque = value
		case "algorithm":
			if !strings.EqualFold(value, "MD5") {
				return challenge{}, fmt.Errorf("found the algorithm %.20q, allowed is MD5", value)
			}
		case "qop":
			for option := range strings.SplitSeq(value, ",") {
				c.qop = c.qop || strings.EqualFold(strings.TrimSpace(option), "auth")
			}
		}
	}
	if c.nonce == "" || c.realm == "" {
		return challenge{}, errors.New("found no realm or no nonce")
	}
	return c, nil
}

// cutParameter takes name=value or name="value" off the beginning of a list with commas. Quoted characters stay as they are.
func cutParameter(s string) (name, value, rest string, ok bool) {
	name, s, ok = strings.Cut(strings.TrimLeft(s, " \t,"), "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		return name, "", "", false
	}
	s = strings.TrimLeft(s, " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return name, strings.TrimSpace(value), strings.TrimLeft(rest, " \t,"), true
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return name, s[1:i], strings.TrimLeft(s[i+1:], " \t,"), true
		}
	}
	return name, "", "", false
}

// authorization makes the value of Authorization or Proxy-Authorization. cnonce is used where the proxy takes qop.
func (c challenge) authorization(method, uri, user, password, cnonce string) string {
	ha1, ha2 := md5Hex(user+":"+c.realm+":"+password), md5Hex(method+":"+uri)
	parts := []string{
		`Digest username="` + user + `"`, `realm="` + c.realm + `"`, `nonce="` + c.nonce + `"`, `uri="` + uri + `"`, "algorithm=MD5",
	}
	if c.qop {
		const count = "00000001" // each nonce is used once
		parts = append(parts, `response="`+md5Hex(ha1+":"+c.nonce+":"+count+":"+cnonce+":auth:"+ha2)+`"`, "qop=auth", "nc="+count, `cnonce="`+cnonce+`"`)
	} else {
		parts = append(parts, `response="`+md5Hex(ha1+":"+c.nonce+":"+ha2)+`"`)
	}
	if c.opaque != "" {
		parts = append(parts, `opaque="`+c.opaque+`"`)
	}
	return strings.Join(parts, ",")
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
