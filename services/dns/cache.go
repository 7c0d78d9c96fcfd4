package dns

import (
	"sync"
	"time"
)

// What the cache holds at most, and for how long.
const (
	cacheBytes   = 4 << 20
	maxKept      = 16 << 10           // an answer that is longer is not kept, in bytes
	entryBytes   = 320                // what an entry takes beside its key and its answer
	staleFor     = 3 * 24 * time.Hour // beyond its TTL, for an outage (RFC 8767 section 5 says one to three days)
	recheckAfter = 30 * time.Second   // of a name that has an old answer: no question upstream before (RFC 8767 section 5)
	failureKept  = 5 * time.Second    // that a name without any answer failed (RFC 9520 section 3.2: one second to five minutes)
)

// cache keeps answers of the world, up to a number of bytes; those that were not asked for longest go first. That there is
// nothing has a quarter of the room for itself, so that a flood of made-up names drives no real one out. It is safe for
// concurrent use. Its times are those of a clock that never jumps.
type cache struct {
	mu       sync.Mutex
	entries  map[string]*entry
	positive ring
	negative ring // and failures
	evicted  uint64
}

// ring is entries in the order in which they were asked for.
type ring struct {
	head  entry // next is the last one
	bytes int
	limit int
}

type entry struct {
	key        string
	answer     *answer       // nil: nothing is known
	failure    *answer       // what is said while nothing is known; nil: it did not fail
	stored     time.Duration // when the answer came
	expires    time.Duration
	retry      time.Duration // no question upstream before that, for the last one failed
	why        string        // it failed
	failedIn   uint64        // the epoch in which it failed: other settings may name another server
	epoch      uint64        // of the settings under which the answer came
	size       int
	ring       *ring
	prev, next *entry
}

func newCache(limit int) *cache {
	c := &cache{entries: map[string]*entry{}}
	for _, r := range []*ring{&c.positive, &c.negative} {
		r.head.prev, r.head.next = &r.head, &r.head
	}
	c.setLimit(limit)
	return c
}

func (c *cache) setLimit(limit int) {
	c.negative.limit = limit / 4
	c.positive.limit = limit - c.negative.limit
}

// recalled is what the cache knows of a question.
type recalled struct {
	answer *answer // nil: nothing
	age    uint32  // seconds since it came
	fresh  bool    // its TTL has not run out
	failed bool    // it says that the last question upstream failed, or it is old and that question failed: not to be asked again now
	why    string  // it failed
}

// recall looks for an answer. The key is not kept.
func (c *cache) recall(key []byte, now time.Duration, epoch uint64) recalled {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[string(key)]
	if e == nil {
		return recalled{}
	}
	switch {
	case e.answer != nil && now < e.expires+staleFor && (e.answer.lasting || now < e.expires):
		e.touch()
		known := recalled{answer: e.answer, age: uint32((now - e.stored) / time.Second), fresh: now < e.expires && e.epoch == epoch}
		if now < e.retry && e.failedIn == epoch {
			known.failed, known.why = true, e.why
		}
		return known
	case e.failure != nil && now < e.retry && e.failedIn == epoch:
		e.touch()
		return recalled{answer: e.failure, fresh: true, failed: true, why: e.why}
	}
	c.remove(e)
	return recalled{}
}

// keep stores an answer in place of what was known, unless that is of later settings.
func (c *cache) keep(key string, a *answer, now time.Duration, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil && e.epoch > epoch {
		return
	}
	c.put(&entry{key: key, answer: a, stored: now, expires: now + time.Duration(a.ttl)*time.Second, epoch: epoch})
}

// fail stores that a question was not answered. An old answer stays, and is not asked for again at once.
func (c *cache) fail(key string, failure *answer, why string, now time.Duration, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	switch {
	case e != nil && max(e.epoch, e.failedIn) > epoch: // what is known is of later settings
	case e != nil && e.answer != nil:
		e.retry, e.why, e.failedIn = now+recheckAfter, why, epoch
	default:
		c.put(&entry{key: key, failure: failure, retry: now + failureKept, why: why, failedIn: epoch})
	}
}

// put is called with the lock held.
func (c *cache) put(e *entry) {
	if old := c.entries[e.key]; old != nil {
		c.remove(old)
	}
	e.size = entryBytes + 2*len(e.key) + len(e.why)
	for _, a := range []*answer{e.answer, e.failure} {
		if a != nil {
			e.size += len(a.msg) + 2*len(a.ttls) + len(a.name)
		}
	}
	if e.size > maxKept {
		return
	}
	e.ring = &c.negative
	if e.answer != nil && !e.answer.negative {
		e.ring = &c.positive
	}
	c.entries[e.key] = e
	e.ring.bytes += e.size
	e.link()
	for e.ring.bytes > e.ring.limit {
		c.evicted++
		c.remove(e.ring.head.prev)
	}
}

func (c *cache) remove(e *entry) {
	e.unlink()
	delete(c.entries, e.key)
	e.ring.bytes -= e.size
}

// touch puts an entry in front.
func (e *entry) touch() {
	if e.ring.head.next != e {
		e.unlink()
		e.link()
	}
}

func (e *entry) link() {
	e.prev, e.next = &e.ring.head, e.ring.head.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

// size returns how many entries there are, how many bytes they take, and how many had to go for others.
func (c *cache) size() (entries, bytes int, evicted uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries), c.positive.bytes + c.negative.bytes, c.evicted
}
