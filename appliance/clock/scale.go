package clock

import "time"

// maxSlew is how fast a correction is spread over time, and by how much a crystal may run wrong: seconds per second.
// It is what the kernel's adjtime takes, and what RFC 5905 allows a clock.
const maxSlew = 500e-6

// scale is the box's time as a function of the system clock. What a person or a phone sees moves by small corrections at
// maxSlew, never backwards; the goal is where it will be when all of them are through.
type scale struct {
	kernel bool          // the kernel slews and runs at the right frequency by itself: the system clock is the box's time
	base   time.Duration // the goal's offset to the system clock at that moment
	freq   float64       // what is added to the offset since then, in seconds per second
	left   time.Duration // of the corrections up to then, what was still to be slewed
	at     time.Time     // that moment, on the system clock
}

// elapsed is the time since the moment that the scale was written down. Where the system clock has no monotonic reading it
// may have been set back meanwhile.
func (s scale) elapsed(system time.Time) time.Duration { return max(0, system.Sub(s.at)) }

// pending is what is still to be slewed.
func (s scale) pending(system time.Time) time.Duration {
	done := time.Duration(float64(s.elapsed(system)) * maxSlew)
	if s.left < 0 {
		return min(0, s.left+done)
	}
	return max(0, s.left-done)
}

// offset is what is added to the system clock.
func (s scale) offset(system time.Time) time.Duration {
	if s.kernel {
		return s.base
	}
	return s.goal(system) - s.pending(system)
}

// goal is what is added to the system clock once all is slewed.
func (s scale) goal(system time.Time) time.Duration {
	if s.kernel {
		return s.base + s.pending(system)
	}
	return s.base + time.Duration(float64(s.elapsed(system))*s.freq)
}

// rebased is the same scale, written down at another moment.
func (s scale) rebased(system time.Time) scale {
	r := scale{kernel: s.kernel, base: s.base, freq: s.freq, left: s.pending(system), at: system}
	if !s.kernel {
		r.base = s.goal(system)
	}
	return r
}

// step moves the goal, and what is shown with it, at once. All that was still to be slewed is part of the goal.
func (c *Clock) step(delta time.Duration) []Event {
	c.begun(delta)
	now := c.sys.Now()
	total := c.scale.goal(now) + delta
	if c.cfg.Manage {
		err := c.sys.Slew(0) // what the kernel still slews is part of the step
		if err == nil {
			err = c.sys.Step(total)
		}
		if err == nil {
			if !c.scale.kernel {
				err = c.sys.SetDrift(c.drift) // it was added to an offset of our own so far
			}
			c.previous, c.failure = c.instant(), ""
			c.rewound(total)
			c.scale = scale{kernel: true, at: c.sys.Now()}
			if err != nil {
				return c.failed("The drift of the system clock cannot be set", err)
			}
			return nil
		}
		c.own(total, now) // the services' time is right all the same
		return c.failed("The system clock cannot be set", err)
	}
	c.own(total, now)
	return nil
}

// slew moves the goal; what is shown follows at maxSlew.
func (c *Clock) slew(delta time.Duration) []Event {
	c.begun(delta)
	now := c.sys.Now()
	c.scale = c.scale.rebased(now)
	c.absorb(now)
	c.scale.left += delta
	if !c.scale.kernel {
		c.scale.base += delta
		return nil
	}
	if err := c.sys.Slew(c.scale.left); err != nil {
		c.own(c.scale.left, now)
		return c.failed("The system clock cannot be set", err)
	}
	c.failure = ""
	return nil
}

// absorb sets the system clock to the box's time, where that is managed and could not be set before, or somebody else set
// it. The caller holds mu and has just rebased the scale.
func (c *Clock) absorb(now time.Time) {
	if c.scale.kernel || !c.cfg.Manage {
		return
	}
	if c.sys.SetDrift(c.drift) != nil || c.sys.Step(c.scale.offset(now)) != nil {
		return
	}
	c.previous = c.instant()
	c.rewound(c.scale.offset(now))
	c.scale = scale{kernel: true, left: c.scale.left, at: c.sys.Now()}
}

// own makes the box's time an offset of its own to the system clock. The caller holds mu.
func (c *Clock) own(total time.Duration, now time.Time) {
	// While the kernel ran at the right frequency, none is added.
	c.scale = scale{base: total, freq: c.scale.freq, at: now}
}

// begun notes a correction: what was measured before it is counted from the new goal. The caller holds mu.
func (c *Clock) begun(delta time.Duration) {
	c.last = delta
	c.steps++
	c.shift(delta)
}

// tune lets the clock run faster by so many seconds per second from now on. The caller holds mu.
func (c *Clock) tune(freq float64) []Event {
	before := c.drift
	c.drift = min(max(c.drift+freq*1e6, -maxSlew*1e6), maxSlew*1e6)
	freq = (c.drift - before) * 1e-6
	if freq == 0 {
		return nil
	}
	now := c.sys.Now()
	c.bend(freq, now)
	c.scale = c.scale.rebased(now)
	if !c.scale.kernel {
		c.scale.freq += freq
		return nil
	}
	if err := c.sys.SetDrift(c.drift); err != nil {
		c.drift = before
		return c.failed("The drift of the system clock cannot be set", err)
	}
	return nil
}
