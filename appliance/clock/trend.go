package clock

import (
	"math"
	"time"
)

const (
	trendLength = 10              // measurements from which the drift is learnt
	trendLeast  = 4               // and at least so many
	trendSpan   = 4 * time.Minute // over at least so long
)

// measurement is how far the goal was off at a moment. What was corrected since is counted in.
type measurement struct {
	at       time.Time // on the system clock
	offset   time.Duration
	distance time.Duration // how wrong it may be
}

// line is a straight line through measurements.
type line struct {
	freq   float64       // seconds per second that the clock is too slow
	sure   float64       // the standard error of freq
	middle time.Duration // the mean of the offsets, and how long before the end it was
	ago    time.Duration
}

// fit draws the line by least squares; ok is false while there is too little to go by.
func fit(m []measurement) (l line, ok bool) {
	n := len(m)
	if n < trendLeast || m[n-1].at.Sub(m[0].at) < trendSpan {
		return line{}, false
	}
	end := m[n-1].at
	var mt, mo float64
	for _, p := range m {
		mt += p.at.Sub(end).Seconds() / float64(n)
		mo += p.offset.Seconds() / float64(n)
	}
	var tt, to float64
	for _, p := range m {
		dt := p.at.Sub(end).Seconds() - mt
		tt += dt * dt
		to += dt * (p.offset.Seconds() - mo)
	}
	l.freq, l.middle, l.ago = to/tt, seconds(mo), seconds(-mt)
	var rest float64
	for _, p := range m {
		d := p.offset.Seconds() - mo - l.freq*(p.at.Sub(end).Seconds()-mt)
		rest += d * d
	}
	l.sure = math.Sqrt(rest / float64(n-2) / tt)
	return l, true
}

// believed is how much of the frequency is taken: all of it where it is sure, little where it may be noise.
func (l line) believed() float64 {
	if l.freq == 0 {
		return 0
	}
	return l.freq * l.freq * l.freq / (l.freq*l.freq + 4*l.sure*l.sure)
}

// learn adds a measurement and returns the correction of the goal and of its frequency. The caller holds mu.
func (c *Clock) learn(m measurement) (offset time.Duration, freq float64) {
	if c.broken(m) {
		c.trend = nil
	}
	if len(c.trend) == trendLength {
		c.trend = c.trend[1:]
	}
	c.trend = append(c.trend, m)
	l, ok := fit(c.trend)
	if !ok {
		return m.offset, 0
	}
	c.skew = min(c.skew, max(drift, 3*l.sure))
	freq = l.believed()
	return l.middle + time.Duration(freq*float64(l.ago)), freq
}

// broken reports whether a measurement can't lie on one line with the last: a server's clock was set, or this computer's
// ran wrong by far more than it used to.
func (c *Clock) broken(m measurement) bool {
	if len(c.trend) == 0 {
		return false
	}
	last := c.trend[len(c.trend)-1]
	drifted := time.Duration(float64(m.at.Sub(last.at)) * 3 * c.skew)
	return (m.offset - last.offset).Abs() > m.distance+last.distance+drifted
}
