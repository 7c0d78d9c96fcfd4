package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of a password's hash: argon2id with 19 MiB, two passes and one lane, OWASP's recommendation for small
// memory. A Raspberry Pi needs a fraction of a second for it.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16
	keyBytes     = 32
	maxWaiting   = 4 // hashes that wait for the one that is computed
)

// The lengths of a password in bytes.
const (
	minPassword = 8
	maxPassword = 256
)

// errBusy says that too many passwords wait to be checked.
var errBusy = errors.New("too many passwords wait to be checked")

// hasher computes one hash at a time, so that guessing costs the guesser time and the box neither memory nor its phones.
type hasher struct {
	queue chan struct{} // a token for the one that is computed and for each that waits
	turn  chan struct{}
}

func newHasher() *hasher {
	return &hasher{queue: make(chan struct{}, 1+maxWaiting), turn: make(chan struct{}, 1)}
}

// do runs f when it is its turn; errBusy when too many wait, ctx's error when it ended first.
func (h *hasher) do(ctx context.Context, f func()) error {
	select {
	case h.queue <- struct{}{}:
	default:
		return errBusy
	}
	defer func() { <-h.queue }()
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.turn }()
	f()
	// Give the 19 MiB back at once: the box has little memory and logins are rare.
	debug.FreeOSMemory()
	return nil
}

// hashPassword makes the text that is stored: the PHC string format of argon2id.
func (h *hasher) hashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("making a salt: %w", err)
	}
	var key []byte
	err := h.do(ctx, func() {
		key = argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, keyBytes)
	})
	if err != nil {
		return "", err
	}
	return storedHash{memory: argonMemory, time: argonTime, threads: argonThreads, salt: salt, key: key}.String(), nil
}

// verify reports whether password has that stored hash.
func (h *hasher) verify(ctx context.Context, stored, password string) (bool, error) {
	want, err := parseHash(stored)
	if err != nil {
		return false, fmt.Errorf("reading the stored password: %w", err)
	}
	if len(password) > maxPassword {
		return false, nil
	}
	var key []byte
	err = h.do(ctx, func() {
		key = argon2.IDKey([]byte(password), want.salt, want.time, want.memory, want.threads, uint32(len(want.key)))
	})
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, want.key) == 1, nil
}

// storedHash is a hash with what it takes to compute it again.
type storedHash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// String writes $argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>.
func (h storedHash) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads, b64(h.salt), b64(h.key))
}

// ValidHash reports whether a text can be the stored hash of a password: one that was restored must not lock people out.
func ValidHash(s string) bool {
	_, err := parseHash(s)
	return err == nil
}

// parseHash reads what String wrote. Costs beyond 64 MiB or 16 passes are refused: a damaged store must not stop the box.
func parseHash(s string) (storedHash, error) {
	bad := errors.New("found something else than an argon2id hash")
	parts := strings.Split(s, "$")
	// The decoder of base64 passes over line ends.
	if strings.ContainsAny(s, "\r\n") || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return storedHash{}, bad
	}
	var h storedHash
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return storedHash{}, bad
	}
	for i, c := range []struct {
		name string
		max  uint64
	}{{"m=", 64 << 10}, {"t=", 16}, {"p=", 4}} {
		digits, ok := strings.CutPrefix(costs[i], c.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n < 1 || n > c.max || digits != strconv.FormatUint(n, 10) {
			return storedHash{}, bad
		}
		switch i {
		case 0:
			h.memory = uint32(n)
		case 1:
			h.time = uint32(n)
		case 2:
			h.threads = uint8(n)
		}
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.key, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > 64 {
		return storedHash{}, bad
	}
	return h, nil
}
