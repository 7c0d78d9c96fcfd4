package tftp

import "time"

// repeated is why a request is not answered that came before its answer did, and was read after it.
const repeated = "it repeats a request whose answer was on its way"

// mostLate is the longest time for which a request waits to be read. What seems to have waited longer came before the
// box's clock was set.
const mostLate = time.Minute

// arrival returns when a packet came in that was read at now, by the monotonic clock. Its stamp is of the clock of the wall,
// which may have been set since: what cannot be is taken for a packet that came as it was read. When the clock is set forward
// by less than a minute in the moment between the two, a new request may be taken for a late one; the client asks again.
func arrival(stamp, now time.Time) time.Time {
	if age := now.Sub(stamp); age > 0 && age <= mostLate {
		return now.Add(-age)
	}
	return now
}

// recently is how many requests are remembered whose answer is over. A request is read late by a fraction of a second.
const recently = 512

// recent remembers the last requests whose answer is over: one that came before its answer, and is read after that is over,
// is no new one.
type recent struct {
	of   map[tid]answer
	keys [recently]tid // in their order; zero = none
	next int
}

// answer is a request that was answered.
type answer struct {
	raw string
	at  time.Time // see session.answered
}

// put remembers how the last request of a client's port was answered.
func (r *recent) put(key tid, a answer) {
	if r.of == nil {
		r.of = make(map[tid]answer)
	}
	if _, ok := r.of[key]; !ok {
		delete(r.of, r.keys[r.next])
		r.keys[r.next] = key
		r.next = (r.next + 1) % recently
	}
	r.of[key] = a
}

// answered reports whether a request is one that was answered, read late. Of one that came so soon after that it may be
// one, unsure is set.
func (r *recent) answered(key tid, in *incoming, soon time.Duration) bool {
	a, ok := r.of[key]
	if !ok || a.raw != in.raw {
		return false
	}
	in.unsure = in.arrived.Sub(a.at) < soon
	return in.arrived.Before(a.at)
}
