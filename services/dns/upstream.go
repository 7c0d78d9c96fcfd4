package dns

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Upstream is a name server that is asked for what the zone does not know.
type Upstream struct {
	Addr    netip.AddrPort
	TLSName string // "" = in clear; else DNS over TLS (RFC 7858), and the name that its certificate has to be for
}

// String writes the server as the settings do, with its port.
func (u Upstream) String() string {
	if u.TLSName == "" {
		return u.Addr.String()
	}
	return fmt.Sprintf("tls://%s#%s", u.Addr, u.TLSName)
}

const (
	firstWait    = 400 * time.Millisecond // for a server whose time is not known yet, until another is asked as well
	shortestWait = 50 * time.Millisecond
	longestWait  = time.Second
	downWait     = 20 * time.Millisecond // for a server that did not answer the last time
	deadAfter    = 2                     // exchanges in a row without an answer
	firstBackOff = time.Second           // until a silent server is tried beside the others; doubled up to lastBackOff
	lastBackOff  = time.Minute
	lookAfter    = 5 * time.Minute // for a server that is not the first, to know how fast it is
	demotedFor   = time.Minute     // for a server that did not know what another knew
)

// upstream is a server with what is known of its health. Its times are those of the server's clock that never jumps.
type upstream struct {
	Upstream
	dot *dot // nil in clear

	mu       sync.Mutex
	known    bool          // there was an answer
	rtt      time.Duration // smoothed, and how much it varies (RFC 6298 section 2)
	varies   time.Duration
	silent   int           // exchanges in a row without an answer
	demoted  time.Duration // it comes after the others until then
	look     time.Duration // when it is asked beside the first one
	plain    bool          // it does not give the letters of a question back as they were
	trouble  string        // why the last exchange failed
	inClear  bool          // its certificate does not fit the time, and names of time servers are asked in clear
	answered uint64
}

// answeredIn notes an answer.
func (u *upstream) answeredIn(took, now time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known {
		u.varies += ((u.rtt - took).Abs() - u.varies) / 4
		u.rtt += (took - u.rtt) / 8
	} else {
		u.known, u.rtt, u.varies = true, took, took/2
	}
	u.silent, u.trouble, u.look = 0, "", now+lookAfter
	u.answered++
}

// wasSilent notes that there was no answer, and why.
func (u *upstream) wasSilent(why error, now time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.silent++
	u.trouble = why.Error()
	u.look = now + min(firstBackOff<<min(u.silent, 10), lastBackOff)
}

// wasLate notes that another server was faster although it was asked later.
func (u *upstream) wasLate(by time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rtt < by {
		u.known, u.rtt = true, by
	}
}

// knewLess notes that another server answered what this one could not.
func (u *upstream) knewLess(now time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.demoted = now + demotedFor
}

// wait is how long the server may take until another one is asked as well.
func (u *upstream) wait() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.silent > 0:
		return downWait
	case !u.known:
		return firstWait
	}
	return min(max(u.rtt+4*u.varies, shortestWait), longestWait)
}

// health is a snapshot.
type health struct {
	rtt     time.Duration
	silent  int
	trouble string
	inClear bool
}

func (u *upstream) health() health {
	u.mu.Lock()
	defer u.mu.Unlock()
	return health{u.rtt, u.silent, u.trouble, u.inClear}
}

// rank says how late a server is asked: in clear after encrypted, dead after alive, slow after fast. Servers that are
// about equally fast stay in the order of the settings.
func (u *upstream) rank(now time.Duration) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	rank, rtt := 0, u.rtt
	if !u.known {
		rtt = firstWait / 2
	}
	rank = bits.Len64(uint64(rtt / (16 * time.Millisecond))) // doubles from class to class
	if now < u.demoted {
		rank += 100
	}
	if u.silent >= deadAfter {
		rank += 200
	}
	if u.dot == nil {
		rank += 1000
	}
	return rank
}

// lookDue reports whether a server that is not the first is to be asked beside it, and puts the next time off.
func (u *upstream) lookDue(now time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now < u.look {
		return false
	}
	u.look = now + max(lookAfter/time.Duration(1+u.silent), lastBackOff)
	return true
}

// inOrder returns the servers in the order in which they are asked now.
func inOrder(ups []*upstream, now time.Duration) []*upstream {
	type ranked struct {
		up   *upstream
		rank int
	}
	list := make([]ranked, len(ups))
	for i, u := range ups {
		list[i] = ranked{u, u.rank(now)}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]*upstream, len(ups))
	for i := range list {
		out[i] = list[i].up
	}
	return out
}

// allDead reports whether no server answers at present.
func allDead(ups []*upstream) bool {
	return !slices.ContainsFunc(ups, func(u *upstream) bool { return u.health().silent < deadAfter })
}

// connect makes the servers of the settings; those that were there before keep what is known of them.
func (s *Server) connect(cfg Config, old []*upstream) []*upstream {
	var out []*upstream
	for _, up := range cfg.Upstream {
		// An upstream that is this server would answer each question with the same question.
		if !up.Addr.IsValid() || up.Addr == cfg.Listen || up.Addr.Addr() == cfg.Server.Addr() && up.Addr.Port() == cfg.Listen.Port() {
			continue
		}
		same := func(u *upstream) bool { return u.Upstream == up }
		switch i := slices.IndexFunc(old, same); {
		case slices.ContainsFunc(out, same):
		case i >= 0:
			out = append(out, old[i])
		default:
			u := &upstream{Upstream: up, look: s.uptime() + lookAfter}
			if up.TLSName != "" {
				u.dot = newDoT(up, s)
			}
			out = append(out, u)
		}
	}
	return out
}

// disconnect forgets the servers that are not asked any more.
func (s *Server) disconnect(old, kept []*upstream) {
	for _, u := range old {
		if slices.Contains(kept, u) {
			continue
		}
		if u.dot != nil {
			u.dot.close()
		}
		s.metrics.rtt.DeleteLabelValues(u.String())
		s.metrics.alive.DeleteLabelValues(u.String())
	}
}
