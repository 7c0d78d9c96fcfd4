package clock

import (
	"math"
	"net/netip"
	"time"

	"phonebox/services/sntp"
)

const (
	stages = 8                     // samples of a server that are kept (RFC 5905: NSTAGE)
	slack  = 50 * time.Millisecond // added to the error of each server when they are compared: paths are not symmetric
)

// sample is one good answer.
type sample struct {
	at     time.Time     // when it came, on the system clock
	offset time.Duration // of the server's time to the goal of ours
	delay  time.Duration // of the way there and back
	disp   time.Duration // of the measurement: how exactly both clocks are read
	told   told
}

// told is what a server says about itself.
type told struct {
	stratum     uint8
	leap        sntp.Leap
	delay, disp time.Duration // to and of its own source
}

// error is how wrong the offset may be by now, the server's own error left out; skew is how fast our clock may go wrong.
func (s sample) error(now time.Time, skew float64) time.Duration {
	return s.delay/2 + s.disp + time.Duration(float64(max(0, now.Sub(s.at)))*skew)
}

// verdict is what became of a server in the last choice.
type verdict string

// The verdicts.
const (
	verdictNone      verdict = ""          // not asked yet
	verdictFollowed  verdict = "followed"  // the box goes by it
	verdictAgrees    verdict = "agrees"    // its time is right, too
	verdictOutlier   verdict = "outlier"   // right within its error, but others are more exact
	verdictOutvoted  verdict = "not right" // most others tell another time
	verdictDisagrees verdict = "disagrees" // the servers tell different times, without a majority
	verdictSilent    verdict = "silent"    // it gives no usable answer
)

// right reports whether the server's time is right, as far as a majority can tell.
func (v verdict) right() bool {
	return v == verdictFollowed || v == verdictAgrees || v == verdictOutlier
}

// peer is a server that is asked, and what it has answered.
type peer struct {
	name    string // as configured
	addr    netip.AddrPort
	samples []sample // at most stages, the newest last
	reach   uint8    // a bit for each of the last eight rounds, 1 = a good answer (RFC 5905 section 9.2)
	heard   time.Time
	backed  bool  // it was one of those that agreed when it was last heard
	wrong   bool  // most others tell another time; it was said
	why     error // why the last answer was none
	verdict verdict
	held    time.Duration // how long it wants not to be asked (kiss of death); 0 = no limit
	until   time.Time     // it is not asked before then, on the system clock
}

// answered takes a good answer. A correct answer's error covers the true offset, and so the errors of all of them overlap:
// where the new one does not, the server's own clock was set, and what it said before is worth nothing.
func (p *peer) answered(s sample, skew float64) {
	if best, ok := p.best(s.at, skew); ok && (best.offset-s.offset).Abs() > best.error(s.at, skew)+s.error(s.at, skew)+best.told.error()+s.told.error() {
		p.samples = nil
	}
	if len(p.samples) == stages {
		p.samples = p.samples[1:]
	}
	p.samples = append(p.samples, s)
	p.reach, p.heard, p.why = p.reach<<1|1, s.at, nil
}

func (t told) error() time.Duration { return t.delay/2 + t.disp }

// missed notes that there was no good answer. One that denies its time outright is no candidate any more.
func (p *peer) missed(why error, unfit bool) {
	p.reach, p.why = p.reach<<1, why
	if p.verdict == verdictNone {
		p.verdict = verdictSilent
	}
	if unfit {
		p.reach, p.samples = 0, nil
	}
}

// best is the sample whose error is smallest now: mostly the one with the shortest way (RFC 5905 section 10).
func (p *peer) best(now time.Time, skew float64) (best sample, ok bool) {
	for _, s := range p.samples {
		if !ok || s.error(now, skew) <= best.error(now, skew) {
			best, ok = s, true
		}
	}
	return best, ok
}

// jitter is how far the samples are from the best one (RFC 5905 section 10: RMS of the differences).
func (p *peer) jitter(best sample) time.Duration {
	if len(p.samples) < 2 {
		return 0
	}
	var sum float64
	for _, s := range p.samples {
		d := (s.offset - best.offset).Seconds()
		sum += d * d
	}
	return time.Duration(math.Sqrt(sum/float64(len(p.samples)-1)) * float64(time.Second))
}

// candidate is what a server has to say in a choice.
type candidate struct {
	peer     *peer
	sample   sample
	offset   time.Duration
	distance time.Duration // how wrong the offset may be, all counted (RFC 5905: root synchronisation distance)
	jitter   time.Duration
	silent   bool // it fell silent, and our clock goes on for it: it has a voice, but can't be followed
}

// candidate returns the server's say, if it has one.
func (p *peer) candidate(now time.Time, skew float64) (candidate, bool) {
	best, ok := p.best(now, skew)
	if !ok || p.reach == 0 {
		return candidate{}, false
	}
	newest := p.samples[len(p.samples)-1].told
	jitter := p.jitter(best)
	return candidate{
		peer: p, sample: best, offset: best.offset, jitter: jitter,
		distance: newest.error() + best.error(now, skew) + jitter,
	}, true
}

// shift counts all that was measured from a goal that was moved. The caller holds mu.
func (c *Clock) shift(delta time.Duration) {
	for _, p := range c.peers {
		for i := range p.samples {
			p.samples[i].offset -= delta
		}
	}
	for i := range c.trend {
		c.trend[i].offset -= delta
	}
}

// bend counts all that was measured from a goal that runs faster, as if it always had. The caller holds mu.
func (c *Clock) bend(freq float64, now time.Time) {
	by := func(at time.Time) time.Duration { return time.Duration(freq * float64(now.Sub(at))) }
	for _, p := range c.peers {
		for i := range p.samples {
			p.samples[i].offset += by(p.samples[i].at)
		}
	}
	for i := range c.trend {
		c.trend[i].offset += by(c.trend[i].at)
	}
}

// rewound carries the moments that are noted over a jump of the system clock, where they have no monotonic reading to go
// by. The caller holds mu.
func (c *Clock) rewound(jump time.Duration) {
	moved := func(t *time.Time) {
		if !t.IsZero() && *t == t.Round(0) {
			*t = t.Add(jump)
		}
	}
	for _, t := range []*time.Time{&c.ref.mono, &c.scale.at, &c.synced, &c.used} {
		moved(t)
	}
	for _, p := range c.peers {
		moved(&p.heard)
		moved(&p.until)
		for i := range p.samples {
			moved(&p.samples[i].at)
		}
	}
	for i := range c.trend {
		moved(&c.trend[i].at)
	}
}
