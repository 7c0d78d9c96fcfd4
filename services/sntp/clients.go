package sntp

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// The table of clients: rows of a few places, where an address has its row. It is of fixed size, about half a megabyte; when a
// row is full, who asked least lately is forgotten, and begins with a full bucket when it comes again.
const (
	tableBits = 12
	tableWays = 4
)

const second = int64(1e9)

// kissEvery is how often a client that asks too often is told so, and told of.
const kissEvery = second

// A client that asks often is reported a few times at once, and then every reportEvery: each boot of a phone is seen, and
// a client that asks in a loop costs nothing.
const (
	reportBurst = 4
	reportEvery = 10 * second
)

// client is what is kept of an address. Times are nanoseconds since the server was made.
type client struct {
	addr    uint32
	tokens  float32 // requests that it may make
	reports float32 // events that it may cause
	untold  uint32  // requests since its last event
	seen    int64   // 0 = the place is free
	kissed  int64   // when it was told RATE last; 0 = never
}

// clients is the table. It is not safe for concurrent use.
type clients struct {
	seed uint64
	rows [1 << tableBits][tableWays]client
}

func newClients() *clients { return &clients{seed: rand.Uint64() | 1} }

// find returns the place of an address, which is a new one where it is not known.
func (t *clients) find(addr netip.Addr, now int64, limit Limit) *client {
	a := addr.As4()
	key := binary.BigEndian.Uint32(a[:])
	row := &t.rows[uint64(key)*t.seed>>(64-tableBits)]
	oldest := &row[0]
	for i := range row {
		c := &row[i]
		if c.seen != 0 && c.addr == key {
			c.refill(now, limit)
			return c
		}
		if c.seen < oldest.seen {
			oldest = c
		}
	}
	*oldest = client{addr: key, tokens: float32(limit.Burst), reports: reportBurst, seen: max(now, 1)}
	return oldest
}

// refill gives the client what the time since its last request is worth.
func (c *client) refill(now int64, limit Limit) {
	passed := float32(max(now-c.seen, 0)) / float32(second)
	c.tokens = min(c.tokens+passed*float32(limit.PerSecond), float32(limit.Burst))
	c.reports = min(c.reports+passed*(float32(second)/float32(reportEvery)), reportBurst)
	c.seen = max(now, 1)
}

// take reports whether the client may be answered.
func (c *client) take() bool {
	if c.tokens < 1 {
		return false
	}
	c.tokens--
	return true
}

// kiss reports whether a client that may not be answered is to be told so.
func (c *client) kiss(now int64) bool {
	if c.kissed != 0 && now-c.kissed < kissEvery {
		return false
	}
	c.kissed = max(now, 1)
	return true
}

// report returns how many requests an event of the client stands for; 0 = there is to be none now.
func (c *client) report() int {
	c.untold++
	if c.reports < 1 {
		return 0
	}
	c.reports--
	n := int(c.untold)
	c.untold = 0
	return n
}
