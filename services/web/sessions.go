package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	sessionTime = 12 * time.Hour  // a working day, after which everybody logs in again
	idleTime    = 2 * time.Hour   // without a click; a page that is only open is nobody who works
	renewAfter  = 5 * time.Minute // a cookie is written anew at most this often
	maxEnded    = 256             // sessions that were ended before their time
)

// The parts of a session's payload.
const (
	sessionWall     = 0  // its end by the box's time, Unix seconds
	sessionUptime   = 8  // its end by the uptime of the process that wrote it, nanoseconds
	sessionIdleWall = 16 // its end unless it is used before, likewise
	sessionIdleUp   = 24
	sessionProcess  = 32 // which process wrote it
	sessionNumber   = 40 // random, the same as long as it lasts
	sessionSize     = 56
)

// session is the signed content of a cookie: the box itself keeps nothing of it but what was ended before its time.
type session []byte

func (s session) number() [16]byte { return [16]byte(s[sessionNumber:sessionSize]) }

// session makes the cookie of somebody who just logged in. It ends with the password that it was made under.
func (a *authority) session(secure bool) (*http.Cookie, error) {
	s := make(session, sessionSize)
	if _, err := rand.Read(s[sessionNumber:]); err != nil {
		return nil, fmt.Errorf("making a session: %w", err)
	}
	return a.cookie(s, sessionTime, secure)
}

// cookie writes a session that lasts for a time yet, and for idleTime unless it is used.
func (a *authority) cookie(s session, lasts time.Duration, secure bool) (*http.Cookie, error) {
	idle := min(idleTime, lasts)
	for _, part := range []struct {
		wall, uptime int
		in           time.Duration
	}{{sessionWall, sessionUptime, lasts}, {sessionIdleWall, sessionIdleUp, idle}} {
		binary.BigEndian.PutUint64(s[part.wall:], uint64(a.now().Add(part.in).Unix()))
		binary.BigEndian.PutUint64(s[part.uptime:], uint64(a.uptime()+part.in))
	}
	copy(s[sessionProcess:], a.process())
	sum, err := a.sign(s)
	if err != nil {
		return nil, err
	}
	c := sessionCookie(secure)
	c.Value = base64.RawURLEncoding.EncodeToString(append(slices.Clone(s), sum...))
	c.MaxAge = int(lasts / time.Second)
	return c, nil
}

// process is what tells this process from those before, without telling its key.
func (a *authority) process() []byte {
	m := hmac.New(sha256.New, a.key)
	m.Write([]byte("process"))
	return m.Sum(nil)[:8]
}

// left is how long a session still runs at most, and how long unless it is used. One that this process wrote goes by the
// uptime: the box's time may be set meanwhile, which must not throw people out. One of a process before has the box's time alone.
func (a *authority) left(s session) (whole, idle time.Duration) {
	number := func(at int) int64 { return int64(binary.BigEndian.Uint64(s[at:])) }
	if hmac.Equal(s[sessionProcess:sessionProcess+8], a.process()) {
		up := a.uptime()
		return time.Duration(number(sessionUptime)) - up, time.Duration(number(sessionIdleUp)) - up
	}
	now := a.now().Unix()
	return time.Duration(number(sessionWall)-now) * time.Second, time.Duration(number(sessionIdleWall)-now) * time.Second
}

func (a *authority) sign(s session) ([]byte, error) {
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
	m.Write(s)
	m.Write([]byte(hash))
	return m.Sum(nil), nil
}

// loggedIn reports whether the request carries a session that still runs.
func (a *authority) loggedIn(r *http.Request) (bool, error) {
	s, err := a.sessionOf(r)
	return s != nil, err
}

// sessionOf returns the session that a request carries while it runs; nil = none. One that ends later than a new one would was
// made while the clock was ahead, and is void as well.
func (a *authority) sessionOf(r *http.Request) (session, error) {
	c, err := r.Cookie(sessionCookie(r.TLS != nil).Name)
	if err != nil {
		return nil, nil //nolint:nilerr // no cookie is no session
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(raw) != sessionSize+sha256.Size {
		return nil, nil //nolint:nilerr // nor is nonsense
	}
	s := session(raw[:sessionSize:sessionSize])
	sum, err := a.sign(s)
	if err != nil {
		return nil, err
	}
	whole, idle := a.left(s)
	if !hmac.Equal(sum, raw[sessionSize:]) || whole <= 0 || whole > sessionTime+time.Second || idle <= 0 || idle > idleTime+time.Second ||
		a.ended.has(s.number()) {
		return nil, nil
	}
	return s, nil
}

// renew writes the cookie of a session anew when it was used, so that it goes on. A live view asks by itself and is no use.
func (a *authority) renew(w http.ResponseWriter, r *http.Request, s session) error {
	whole, idle := a.left(s)
	if idle > idleTime-renewAfter || strings.HasSuffix(r.URL.Path, "/stream") || r.URL.Path == "/api/v1/events" {
		return nil
	}
	c, err := a.cookie(slices.Clone(s), whole, r.TLS != nil)
	if err != nil {
		return err
	}
	http.SetCookie(w, c)
	return nil
}

// end ends one session before its time: nobody who copied its cookie gets in with it.
func (a *authority) end(s session) error { return a.ended.add(a.secrets, s.number()) }

// endAll ends every session.
func (a *authority) endAll() error { return a.ended.clear(a.secrets) }

// endedSessions are the numbers of sessions that somebody logged out of. When there are too many, all sessions end instead: that
// costs everybody one more login, and never lets one in that was ended.
type endedSessions struct {
	storing sync.Mutex // held while the list is stored, so that what is stored last is the list of now; taken before mu
	mu      sync.Mutex
	list    [][16]byte
}

func (e *endedSessions) load(from SessionStore) error {
	raw, err := from.EndedSessions()
	if err != nil {
		return err
	}
	for ; len(raw) >= 16 && len(e.list) < maxEnded; raw = raw[16:] {
		e.list = append(e.list, [16]byte(raw))
	}
	return nil
}

func (e *endedSessions) has(number [16]byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.list, number)
}

// add ends a session in memory even where that cannot be stored.
func (e *endedSessions) add(to SessionStore, number [16]byte) error {
	e.mu.Lock()
	full := len(e.list) >= maxEnded
	if len(e.list) < 2*maxEnded && !slices.Contains(e.list, number) { // twice: where the key cannot be replaced
		e.list = append(e.list, number)
	}
	e.mu.Unlock()
	if full {
		return e.clear(to)
	}
	return e.store(to)
}

func (e *endedSessions) store(to SessionStore) error {
	e.storing.Lock()
	defer e.storing.Unlock()
	e.mu.Lock()
	raw := make([]byte, 0, 16*len(e.list))
	for _, one := range e.list {
		raw = append(raw, one[:]...)
	}
	e.mu.Unlock()
	return to.SetEndedSessions(raw)
}

// clear ends all sessions with their key, after which none has to be remembered.
func (e *endedSessions) clear(to SessionStore) error {
	e.storing.Lock()
	defer e.storing.Unlock()
	if err := to.NewSessionKey(); err != nil {
		return err
	}
	e.mu.Lock()
	e.list = nil
	e.mu.Unlock()
	return to.SetEndedSessions(nil)
}
