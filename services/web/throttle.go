package web

import (
	"fmt"
	"sync"
	"time"
)

// Wrong passwords of one address. People mistype; programs that guess do nothing else.
const (
	freeTries    = 5                // wrong passwords that cost nothing
	firstWait    = 5 * time.Second  // after the fifth, and twice as long after each that follows
	longestWait  = 15 * time.Minute // so that a person who forgot it is not told to come back tomorrow
	forgetTries  = time.Hour        // without a try, after which an address is a new one
	maxThrottled = 1024             // addresses and browsers that are remembered
)

// slowedError says that an address has to wait before it may try a password again.
type slowedError struct {
	wait  time.Duration
	fresh bool // it is the first refusal since the wrong password that caused it
}

func (e *slowedError) Error() string {
	return fmt.Sprintf("too many wrong passwords: wait %s", e.wait.Round(time.Second))
}

// throttle slows down whoever guesses passwords, by address: an honest person at another address notices nothing, nor does one at the
// same address whose browser is known. Its times are those of the process, which nobody sets. What it remembers is bounded; an attacker
// with more addresses than that has each guess wait in the queue of the hasher, which computes a few a second.
type throttle struct {
	mu  sync.Mutex
	all map[guesser]*tries
}

// tries is what one address did.
type tries struct {
	wrong  int           // in a row
	open   int           // passwords that are looked at now
	until  time.Duration // it has to wait until then
	last   time.Duration // its last try
	warned bool          // the wait was told
}

// outcome is what came of a try.
type outcome int

const (
	tryFailed outcome = iota // the password was not looked at, or the box itself failed
	tryWrong
	tryRight
)

func newThrottle() *throttle { return &throttle{all: map[guesser]*tries{}} }

// waits returns a *slowedError while an address has to wait.
func (t *throttle) waits(who guesser, now time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.all[who]; one != nil {
		return one.refusal(now)
	}
	return nil
}

func (o *tries) refusal(now time.Duration) error {
	if now >= o.until {
		return nil
	}
	e := &slowedError{wait: o.until - now, fresh: !o.warned}
	o.warned = true
	return e
}

// begin lets an address try a password, or returns a *slowedError. Who may try five times may not try fifty at once: what is
// under way counts as if it were wrong. end must follow.
func (t *throttle) begin(who guesser, now time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.all[who]
	if one == nil {
		t.makeRoom(now)
		one = &tries{}
		t.all[who] = one
	}
	if one.open == 0 && now-one.last > forgetTries {
		one.wrong, one.until = 0, 0
	}
	if err := one.refusal(now); err != nil {
		return err
	}
	if one.open > 0 && one.open+one.wrong >= freeTries {
		return &slowedError{wait: time.Second}
	}
	one.open++
	one.last = now
	return nil
}

// end notes what came of a try.
func (t *throttle) end(who guesser, now time.Duration, what outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.all[who]
	if one == nil {
		return
	}
	one.open--
	one.last = now
	switch what {
	case tryRight:
		one.wrong, one.until, one.warned = 0, 0, false
	case tryWrong:
		one.wrong++
		if over := one.wrong - freeTries; over >= 0 {
			one.until, one.warned = now+min(firstWait<<min(over, 16), longestWait), false
		}
	case tryFailed:
	}
	if one.wrong == 0 && one.open == 0 {
		delete(t.all, who)
	}
}

// makeRoom forgets an address where there are too many: one that need not wait before one that has to, and of those the one that was
// quiet longest. One with a try under way stays.
func (t *throttle) makeRoom(now time.Duration) {
	if len(t.all) < maxThrottled {
		return
	}
	var least guesser
	var found *tries
	for who, one := range t.all {
		if one.open == 0 && (found == nil || one.lessThan(found, now)) {
			least, found = who, one
		}
	}
	delete(t.all, least)
}

// lessThan reports whether there is less to remember of an address than of another.
func (o *tries) lessThan(other *tries, now time.Duration) bool {
	if waits := now < o.until; waits != (now < other.until) {
		return !waits
	}
	return o.last < other.last
}
