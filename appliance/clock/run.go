package clock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	minPoll   = 64 * time.Second
	maxPoll   = 1024 * time.Second
	firstPoll = 2 * time.Second // between the questions of a burst; and the first retry, doubled each time
	burst     = 4               // questions at the start and when a server returns (RFC 5905: BCOUNT)
	saveEvery = time.Minute
	lookEvery = 10 * time.Second // for jumps of the system clock, and for time that is not trusted any more
	rtcEvery  = time.Hour
	maxJump   = 250 * time.Millisecond
	steady    = 20 * time.Millisecond // corrections below it let the poll interval grow
	slewLimit = 128 * time.Millisecond
)

// Run keeps the time until ctx ends: it asks the servers, stores the time now and then, and keeps the RTC right. It
// returns nil and may be called again.
func (c *Clock) Run(ctx context.Context) error {
	poll, save, look, rtc := time.NewTimer(0), time.NewTicker(saveEvery), time.NewTicker(lookEvery), time.NewTicker(rtcEvery)
	defer poll.Stop()
	defer save.Stop()
	defer look.Stop()
	defer rtc.Stop()
	// The program runs from now on, and may show a minute more than this when the power is cut.
	c.trySave(ctx)
	var wait time.Duration
	for {
		select {
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			return c.save(ending, true)
		case <-c.wake:
			wait = 0
			poll.Reset(0)
		case <-poll.C:
			wait = c.poll(ctx, wait)
			poll.Reset(wait)
		case <-look.C:
			if c.jumped() {
				c.poke()
			}
			c.lookAtTrust()
		case <-save.C:
			c.trySave(ctx)
			continue
		case <-rtc.C:
			c.writeRTC()
		}
		c.settle(ctx)
	}
}

// settle stores a change of what the clock goes by at once, and sets the RTC by it.
func (c *Clock) settle(ctx context.Context) {
	c.mu.Lock()
	unsaved := c.unsaved
	c.mu.Unlock()
	if unsaved && ctx.Err() == nil {
		c.trySave(ctx)
		c.writeRTC()
	}
}

// poll asks the servers once, follows the answers, and returns how long to wait for the next time.
func (c *Clock) poll(ctx context.Context, waited time.Duration) time.Duration {
	c.mu.Lock()
	servers := c.cfg.Upstream
	c.mu.Unlock()
	if len(servers) == 0 {
		return maxPoll
	}
	begun := c.sys.Now()
	good, why := c.round(ctx, servers)
	switch {
	case ctx.Err() != nil:
		return minPoll
	case errors.Is(why, errStepped):
		return firstPoll
	case good == 0:
		c.lost(why)
		return c.retry(waited)
	}
	c.mu.Lock()
	now := c.sys.Now()
	ch, err := choose(c.candidates(now), c.system)
	outvoted := c.tally(err == nil)
	if err == nil && !c.answered(begun) {
		err = errOutvoted
	}
	c.mu.Unlock()
	c.report(outvoted...)
	if err != nil {
		c.lost(err)
		return c.retry(waited)
	}
	return c.follow(ch, waited)
}

// answered reports whether one of the servers that are right has answered since a moment. The others have a say, too, but
// nothing new. The caller holds mu.
func (c *Clock) answered(since time.Time) bool {
	for _, p := range c.peers {
		if p.verdict.right() && !p.heard.Before(since) {
			return true
		}
	}
	return false
}

// candidates are the servers that have a say, those included that fell silent while the box went by their time: the clock
// goes on for them, so that a liar does not get a majority by the others' silence. The caller holds mu.
func (c *Clock) candidates(now time.Time) []candidate {
	var all []candidate
	for _, p := range c.peers {
		if one, ok := p.candidate(now, c.skew); ok {
			all = append(all, one)
			continue
		}
		p.verdict = verdictSilent
		if c.voice(p) {
			age := c.age()
			all = append(all, candidate{peer: p, silent: true, distance: c.ref.dispersion(age) + c.ref.Delay/2})
		}
	}
	return all
}

// voice reports whether a silent server still has a voice: it agreed when it was last heard, within a day, and the clock has
// gone on from there. The caller holds mu.
func (c *Clock) voice(p *peer) bool {
	return p.backed && c.system != nil && c.sys.Now().Sub(p.heard) < staleness
}

// tally notes who agreed, and returns events about those who now are found to be wrong. The caller holds mu.
func (c *Clock) tally(chosen bool) (events []Event) {
	for _, p := range c.peers {
		was := p.wrong
		switch {
		case p.verdict.right():
			p.backed, p.wrong = true, false
		case p.verdict == verdictOutvoted:
			p.wrong = chosen || p.wrong
			p.backed = p.backed && !chosen
		}
		if best, ok := p.best(c.sys.Now(), c.skew); ok && p.wrong && !was {
			events = append(events, Event{Kind: EventOutvoted, Text: fmt.Sprintf(
				"%s tells a time that is %s from what most servers tell, and is not believed.", p, aheadOrBehind(best.offset))})
		}
	}
	return events
}

func aheadOrBehind(d time.Duration) string {
	way := "ahead"
	if d < 0 {
		way = "behind"
	}
	return fmt.Sprintf("%s %s", d.Abs().Round(time.Millisecond), way)
}

// retry doubles the wait from two seconds to the shortest poll interval. Where each server wants to be left alone, it is as
// long as the first of them wants.
func (c *Clock) retry(waited time.Duration) time.Duration {
	wait := min(max(2*waited, firstPoll), minPoll)
	c.mu.Lock()
	defer c.mu.Unlock()
	now, held := c.sys.Now(), time.Duration(0)
	for i, p := range c.peers {
		if left := p.until.Sub(now); i == 0 || left < held {
			held = left
		}
	}
	return max(wait, held)
}

func (c *Clock) lost(err error) {
	c.mu.Lock()
	text := fmt.Sprintf("No time from upstream: %v.", firstLine(err))
	news := c.problem == ""
	c.problem, c.burst = text, burst
	c.mu.Unlock()
	if news {
		c.report(Event{Kind: EventLost, Text: text})
	}
	c.deps.Log.Debug("no time from upstream", "err", err)
}

// firstLine keeps joined errors short: the first of them is enough for a sentence.
func firstLine(err error) error {
	for {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) == 0 {
			break
		}
		err = joined.Unwrap()[0]
	}
	if err == nil {
		return errNobody
	}
	return err
}

// follow sets the time by the choice and returns the next wait.
func (c *Clock) follow(ch choice, waited time.Duration) time.Duration {
	c.mu.Lock()
	next := c.pace(ch, waited)
	if c.system != nil && ch.offset.Abs() >= slewLimit && !c.confirmed(ch) {
		c.problem = fmt.Sprintf("%s tells a time that is off by %s from what it was a moment ago; it is asked again before that is believed.",
			ch.system.peer, ch.offset.Round(time.Millisecond))
		c.mu.Unlock()
		return min(next, minPoll)
	}
	c.doubted = nil
	first, before := c.system == nil, c.ref.Source
	events := c.adopt(ch)
	changed := first || c.problem != "" || c.ref.Source != before
	c.problem = ""
	if changed {
		c.unsaved = true
		events = append(events, Event{
			Kind: EventSynced, Offset: c.last,
			Text: fmt.Sprintf("The time comes from %s now%s; it was off by %s.", c.ref.Source, others(ch.agree-1), c.last.Round(time.Millisecond)),
		})
	}
	c.mu.Unlock()
	c.report(events...)
	return next
}

func others(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", and another server agrees"
	}
	return fmt.Sprintf(", and %d other servers agree", n)
}

// pace is how long to wait for the next round: short while much is new, longer the steadier the clock runs. The caller
// holds mu.
func (c *Clock) pace(ch choice, waited time.Duration) time.Duration {
	if c.burst--; c.burst > 0 {
		return firstPoll
	}
	if waited >= minPoll && ch.offset.Abs() < steady && len(c.trend) >= trendLeast {
		return min(2*waited, maxPoll)
	}
	return minPoll
}

// adopt corrects the clock by the choice, unless the followed server has said nothing better since the last time: at once
// where the time is far off or not trusted, else gradually, and with it the frequency. The caller holds mu.
func (c *Clock) adopt(ch choice) (events []Event) {
	s := ch.system.sample
	c.synced = ch.system.peer.heard
	if c.system == ch.system.peer && !s.at.After(c.used) {
		return nil
	}
	trusted := c.ref.trusted(c.age())
	c.ref, c.system, c.used = ch.reference(c.sys.Now(), c.skew), ch.system.peer, s.at
	if ch.offset.Abs() >= slewLimit || !trusted {
		c.trend = []measurement{{s.at, ch.offset, ch.system.distance}}
		c.unsaved = true
		events = c.step(ch.offset)
		for _, p := range c.peers {
			p.backed = p.backed && p.verdict != verdictSilent // it was for another time
		}
	} else {
		offset, freq := ch.offset, 0.0
		if n := len(c.trend); n == 0 || s.at.After(c.trend[n-1].at) {
			offset, freq = c.learn(measurement{s.at, ch.offset, ch.system.distance})
		}
		c.ref.Dispersion += (ch.offset - offset).Abs()
		events = append(c.slew(offset), c.tune(freq)...)
	}
	c.stamp()
	return events
}

// doubt is a step that was not believed at once.
type doubt struct {
	offset   time.Duration // from the goal
	distance time.Duration
}

// confirmed reports whether an offset that would step a clock which follows upstream already was measured before: one
// answer may have waited in a full queue, or be that of a server which has gone wrong (RFC 5905 section 12 waits 5
// minutes). It notes the offset for the next time. The caller holds mu.
func (c *Clock) confirmed(ch choice) bool {
	before := c.doubted
	c.doubted = &doubt{ch.offset, ch.system.distance}
	return before != nil && (ch.offset-before.offset).Abs() <= ch.system.distance+before.distance+2*slack
}

// instant is a moment on two clocks; one that is set and one that isn't.
type instant struct {
	wall time.Time
	up   time.Duration
}

func (c *Clock) instant() instant { return instant{c.sys.Now().Round(0), c.sys.Uptime()} }

// jumped reports whether somebody else stepped the system clock since the last look. Where the time has a source of its
// own, it goes on undisturbed.
func (c *Clock) jumped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, now := c.previous, c.instant()
	c.previous = now
	jump := now.wall.Sub(before.wall) - (now.up - before.up)
	if before.wall.IsZero() || jump.Abs() < maxJump {
		return false
	}
	c.deps.Log.Warn("system clock was stepped by somebody else", "by", jump)
	c.steps++
	c.rewound(jump)
	system := c.sys.Now()
	if c.ref.Stratum > 0 && c.ref.Source != sourceSystem {
		left, offset := c.scale.pending(system), c.scale.goal(system)-jump
		c.own(offset, system)
		c.scale.left = left
	}
	for _, p := range c.peers {
		p.samples = nil // one may have been measured in between
	}
	c.trend = nil
	return true
}

// lookAtTrust reports when the time has grown too old to be trusted.
func (c *Clock) lookAtTrust() {
	c.mu.Lock()
	trusted := c.ref.trusted(c.age())
	was := c.trusted
	c.trusted = trusted
	c.mu.Unlock()
	if was && !trusted {
		c.report(Event{Kind: EventDoubted, Text: "The time is not trusted any more: nothing has confirmed it for so long that it may be wrong by more than five minutes."})
	}
}

// writeRTC sets the RTC where the time is better than the RTC's own.
func (c *Clock) writeRTC() {
	c.mu.Lock()
	write := c.cfg.Manage && c.ref.trusted(c.age()) && c.ref.Source != sourceRTC
	now := c.now()
	c.mu.Unlock()
	if !write {
		return
	}
	if err := c.sys.WriteRTC(now); err != nil && !errors.Is(err, errNoRTC) {
		c.mu.Lock()
		events := c.failed("The real-time clock cannot be set", err)
		c.mu.Unlock()
		c.report(events...)
	}
}
