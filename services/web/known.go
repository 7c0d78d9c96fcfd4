package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
)

// A browser that somebody logged in with is known again by a cookie of its own. It lets nobody in: it says that wrong passwords which
// others try from the same address are not this browser's, so that they do not lock its owner out. A program with an old password on
// the same computer does, and whoever is behind the same router.
const (
	knownCookie = "_known" // behind the name of the session's cookie
	knownTime   = 180 * 24 * 60 * 60
	knownSize   = 16 // of the number
)

// guesser is who counts as one when passwords are wrong: an address, or a browser that is known.
type guesser struct {
	addr    netip.Addr
	browser [knownSize]byte // zero = it is not known
}

// fromAddress is whoever comes from an address. Of IPv6 a whole subnet belongs to one host.
func fromAddress(from netip.Addr) guesser {
	if from.Is6() && !from.Is4In6() {
		if p, err := from.Prefix(64); err == nil {
			from = p.Addr()
		}
	}
	return guesser{addr: from}
}

// guesserOf is who sends a request.
func (a *authority) guesserOf(r *http.Request) guesser {
	c, err := r.Cookie(sessionCookie(r.TLS != nil).Name + knownCookie)
	if err != nil {
		return fromAddress(remoteAddr(r))
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(raw) != knownSize+sha256.Size {
		return fromAddress(remoteAddr(r))
	}
	sum, err := a.signBrowser(raw[:knownSize])
	if err != nil || !hmac.Equal(sum, raw[knownSize:]) {
		return fromAddress(remoteAddr(r))
	}
	return guesser{browser: [knownSize]byte(raw)}
}

// know gives a browser its cookie, unless it has one that holds. It holds until the password is another, or everybody is logged out.
func (a *authority) know(w http.ResponseWriter, r *http.Request) error {
	if a.guesserOf(r).browser != [knownSize]byte{} {
		return nil
	}
	number := make([]byte, knownSize)
	if _, err := rand.Read(number); err != nil {
		return fmt.Errorf("making a cookie: %w", err)
	}
	sum, err := a.signBrowser(number)
	if err != nil {
		return err
	}
	c := sessionCookie(r.TLS != nil)
	c.Name += knownCookie
	c.Value, c.MaxAge = base64.RawURLEncoding.EncodeToString(append(number, sum...)), knownTime
	http.SetCookie(w, c)
	return nil
}

// signBrowser signs a number in another way than a session, of which it can so never be one.
func (a *authority) signBrowser(number []byte) ([]byte, error) {
	return a.sign(append([]byte("browser\x00"), number...))
}
