package cdp

import (
	"time"

	"phonebox/services/phone"
)

const (
	// repeatAfter is how long the same announcement of a phone is not reported again. Phones send one a minute, some at
	// once after they start.
	repeatAfter = 30 * time.Second
	// perSecond and burst bound how many announcements are reported whatever they say: a site of a thousand phones sends
	// 17 a second.
	perSecond = 50
	burst     = 200
	// maxPhones bounds how many phones are remembered.
	maxPhones = 4096
)

// gate lets each phone's news through, and of all phones together not more than the box can take.
type gate struct {
	tokens float64
	filled time.Time
	last   map[phone.MAC]passed
}

// passed is what was reported of a phone last.
type passed struct {
	at   time.Time
	said Announcement
}

func newGate() *gate { return &gate{tokens: burst, last: make(map[phone.MAC]passed)} }

// pass reports "" where an announcement may go on, else why not.
func (g *gate) pass(a Announcement, now time.Time) (reason string) {
	if p, ok := g.last[a.MAC]; ok && p.said == a && now.Sub(p.at) < repeatAfter {
		return dropRepeated
	}
	if since := now.Sub(g.filled); since > 0 {
		g.tokens = min(burst, g.tokens+since.Seconds()*perSecond)
		g.filled = now
	}
	if g.tokens < 1 {
		return dropTooMany
	}
	g.tokens--
	if _, known := g.last[a.MAC]; !known && len(g.last) >= maxPhones {
		clear(g.last) // costs each phone one announcement more
	}
	g.last[a.MAC] = passed{now, a}
	return ""
}
