package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	user          = "admin"        // of programs
	sessionTime   = 12 * time.Hour // a working day
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
		hasher: newHasher(), key: key, verified: map[[32]byte]time.Time{},
	}, nil
}

// check verifies a password: nil, errWrong, errBusy or a failure of the store.
func (a *authority) check(ctx context.Context, password string) error {
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
	if name != user || hash == "" {
		return false, errWrong
	}
	mark := a.mark(hash, password)
	if a.remembered(mark) {
		return true, nil
	}
	if err := a.check(r.Context(), password); err != nil {
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

// The parts of a session's payload.
const (
	sessionWall    = 0  // its end by the box's time, Unix seconds
	sessionUptime  = 8  // its end by the uptime of the process that made it, nanoseconds
	sessionProcess = 16 // which process that was
	sessionSize    = 32 // the rest is random
)

// session makes the cookie of somebody who just logged in. It ends with the password that it was made under.
func (a *authority) session(secure bool) (*http.Cookie, error) {
	payload := make([]byte, sessionSize)
	if _, err := rand.Read(payload); err != nil {
		return nil, fmt.Errorf("making a session: %w", err)
	}
	binary.BigEndian.PutUint64(payload[sessionWall:], uint64(a.now().Add(sessionTime).Unix()))
	binary.BigEndian.PutUint64(payload[sessionUptime:], uint64(a.uptime()+sessionTime))
	copy(payload[sessionProcess:], a.process())
	sum, err := a.sign(payload)
	if err != nil {
		return nil, err
	}
	c := sessionCookie(secure)
	c.Value = base64.RawURLEncoding.EncodeToString(append(payload, sum...))
	c.MaxAge = int(sessionTime / time.Second)
	return c, nil
}

// process is what tells this process from those before, without telling its key.
func (a *authority) process() []byte {
	m := hmac.New(sha256.New, a.key)
	m.Write([]byte("process"))
	return m.Sum(nil)[:8]
}

// left is how long a session still runs. One of this process goes by the uptime: the box's time may be set meanwhile, which
// must not throw people out. One of a process before has the box's time alone.
func (a *authority) left(payload []byte) time.Duration {
	if hmac.Equal(payload[sessionProcess:sessionProcess+8], a.process()) {
		return time.Duration(binary.BigEndian.Uint64(payload[sessionUptime:])) - a.uptime()
	}
	return time.Duration(int64(binary.BigEndian.Uint64(payload[sessionWall:]))-a.now().Unix()) * time.Second
}

func (a *authority) sign(payload []byte) ([]byte, error) {
	key, err := a.secrets.SessionKey()
	if err != nil {
		return nil, fmt.Errorf("reading the session key: %w", err)
	}
	if len(key) < 32 {
		return nil, fmt.Errorf("reading the session key: found %d bytes, allowed are 32 or more", len(key))
	}
	hash, err := a.secrets.Password()
	if err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	m := hmac.New(sha256.New, key)
	m.Write(payload)
	m.Write([]byte(hash))
	return m.Sum(nil), nil
}

// loggedIn reports whether the request carries a session that still runs. One that ends later than a new one would was
// made while the clock was ahead, and is void as well.
func (a *authority) loggedIn(r *http.Request) (bool, error) {
	c, err := r.Cookie(sessionCookie(r.TLS != nil).Name)
	if err != nil {
		return false, nil //nolint:nilerr // no cookie is no session
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(raw) != sessionSize+sha256.Size {
		return false, nil //nolint:nilerr // nor is nonsense
	}
	sum, err := a.sign(raw[:sessionSize])
	if err != nil {
		return false, err
	}
	left := a.left(raw[:sessionSize])
	return hmac.Equal(sum, raw[sessionSize:]) && left > 0 && left <= sessionTime+time.Second, nil
}

// sessionCookie is the cookie without its value.
func sessionCookie(secure bool) *http.Cookie {
	name := cookiePlain
	if secure {
		name = cookieSecure
	}
	return &http.Cookie{Name: name, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}
