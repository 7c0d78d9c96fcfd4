package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	user          = "admin" // of programs
	rememberTime  = 5 * time.Minute
	maxRemembered = 64
	// A __Host- cookie is bound to this very host and to TLS, which a plain port cannot have.
	cookieSecure = "__Host-phonebox"
	cookiePlain  = "phonebox"
)

// errWrong says that a password did not match.
var errWrong = errors.New("wrong password")

// authority knows the password and who is logged in.
type authority struct {
	secrets Secrets
	now     func() time.Time
	uptime  func() time.Duration // never set back or forth, as now may be
	hasher  *hasher
	setup   sync.Mutex // held while a password is set
	slow    *throttle
	ended   endedSessions

	mu       sync.Mutex
	key      []byte                 // of this process
	verified map[[32]byte]time.Time // HMACs of Basic credentials and when they were verified
}

func newAuthority(secrets Secrets, now func() time.Time) (*authority, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	began := time.Now()
	return &authority{
		secrets: secrets, now: now, uptime: func() time.Duration { return time.Since(began) },
		hasher: newHasher(), key: key, verified: map[[32]byte]time.Time{}, slow: newThrottle(),
	}, nil
}

// check verifies a password that somebody typed: nil, errWrong, errBusy, a *slowedError or a failure of the store.
func (a *authority) check(r *http.Request, password string) error {
	return a.attempt(a.guesserOf(r), func() error { return a.verify(r.Context(), password) })
}

// attempt lets somebody try a password, unless he has to wait because of wrong ones.
func (a *authority) attempt(who guesser, try func() error) error {
	if err := a.slow.begin(who, a.uptime()); err != nil {
		return err
	}
	outcome := tryFailed
	defer func() { a.slow.end(who, a.uptime(), outcome) }()
	err := try()
	switch {
	case err == nil:
		outcome = tryRight
	case errors.Is(err, errWrong):
		outcome = tryWrong
	}
	return err
}

// verify is check without the patience.
func (a *authority) verify(ctx context.Context, password string) error {
	hash, err := a.secrets.Password()
	if err != nil {
		return fmt.Errorf("reading the password: %w", err)
	}
	if hash == "" {
		return errWrong
	}
	ok, err := a.hasher.verify(ctx, hash, password)
	if err != nil {
		return err
	}
	if !ok {
		return errWrong
	}
	return nil
}

// basic reports whether the request carries valid HTTP Basic credentials. Without any it is (false, nil); with wrong
// ones errWrong. A verified one is remembered for five minutes as an HMAC, so that a program that asks every second
// costs one hash and not three hundred.
func (a *authority) basic(r *http.Request) (bool, error) {
	name, password, given := r.BasicAuth()
	if !given {
		return false, nil
	}
	hash, err := a.secrets.Password()
	if err != nil {
		return false, fmt.Errorf("reading the password: %w", err)
	}
	from, mark := fromAddress(remoteAddr(r)), a.mark(hash, password)
	// What is remembered is not looked at while an address has to wait: it would tell a right guess from a wrong one at once.
	if err := a.slow.waits(from, a.uptime()); err != nil {
		return false, err
	}
	if name == user && hash != "" && a.remembered(mark) {
		return true, nil
	}
	err = a.attempt(from, func() error {
		if name != user || hash == "" {
			return errWrong
		}
		return a.verify(r.Context(), password)
	})
	if err != nil {
		return false, err
	}
	a.remember(mark)
	return true, nil
}

// mark ties a password to the hash that it was verified against: with a new password the old marks are void.
func (a *authority) mark(hash, password string) [32]byte {
	m := hmac.New(sha256.New, a.key)
	m.Write([]byte(hash))
	m.Write([]byte{0})
	m.Write([]byte(password))
	return [32]byte(m.Sum(nil))
}

func (a *authority) remembered(mark [32]byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.verified[mark]
	if !ok {
		return false
	}
	// The clock may be set in between, in either direction.
	if age := a.now().Sub(at); age < 0 || age >= rememberTime {
		delete(a.verified, mark)
		return false
	}
	return true
}

func (a *authority) remember(mark [32]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.verified) >= maxRemembered {
		clear(a.verified)
	}
	a.verified[mark] = a.now()
}

// sessionCookie is the cookie without its value.
func sessionCookie(secure bool) *http.Cookie {
	name := cookiePlain
	if secure {
		name = cookieSecure
	}
	return &http.Cookie{Name: name, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}
