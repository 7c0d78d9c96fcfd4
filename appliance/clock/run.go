package clock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/ntp"
)

const (
	minPoll   = 64 * time.Second
	maxPoll   = 1024 * time.Second
	firstPoll = 2 * time.Second // the first retry while there was no answer yet, doubled each time
	saveEvery = 10 * time.Minute
	lookEvery = 10 * time.Second // for jumps of the system clock
	rtcEvery  = time.Hour
	maxJump   = 250 * time.Millisecond
	steady    = 20 * time.Millisecond // corrections below it let the poll interval grow
)

// Run keeps the time until ctx ends: it asks the servers, stores the time now and then, and keeps the RTC right. It
// returns nil and may be called again.
func (c *Clock) Run(ctx context.Context) error {
	poll, save, look, rtc := time.NewTimer(0), time.NewTicker(saveEvery), time.NewTicker(lookEvery), time.NewTicker(rtcEvery)
	defer poll.Stop()
	defer save.Stop()
	defer look.Stop()
	defer rtc.Stop()
	var wait time.Duration
	for {
		select {
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			return c.save(ending)
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

// poll asks the servers once, follows the answer, and returns how long to wait for the next time.
func (c *Clock) poll(ctx context.Context, waited time.Duration) time.Duration {
	c.mu.Lock()
	servers, steps := c.cfg.Upstream, c.steps
	c.mu.Unlock()
	if len(servers) == 0 {
		return maxPoll
	}
	samples, why := c.ask(ctx, servers)
	if ctx.Err() != nil {
		return minPoll
	}
	best, err := choose(samples)
	if err != nil {
		if why != nil && !errors.Is(err, errDisagree) {
			err = why
		}
		c.lost(err)
		return retry(waited, why)
	}
	return c.follow(best, steps, waited)
}

// retry doubles the wait from two seconds to the shortest poll interval. A server that says that it is asked too often,
// or not to be asked at all, is asked more seldom than before (RFC 5905 section 7.4).
func retry(waited time.Duration, why error) time.Duration {
	if errors.Is(why, ntp.ErrKissOfDeath) {
		return min(max(2*waited, minPoll), maxPoll)
	}
	return min(max(2*waited, firstPoll), minPoll)
}

func (c *Clock) lost(err error) {
	c.mu.Lock()
	text := fmt.Sprintf("No time from upstream: %v.", firstLine(err))
	news := c.problem == ""
	c.problem = text
	c.mu.Unlock()
	if news {
		c.report(Event{Kind: EventLost, Text: text})
	}
	c.deps.Log.Debug("no time from upstream", "err", err)
}

// firstLine keeps joined errors short: the first of them is enough for a sentence.
func firstLine(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		return joined.Unwrap()[0]
	}
	return err
}

// follow sets the time by the sample, unless it was measured before another correction, and returns the next wait.
func (c *Clock) follow(s sample, steps int, waited time.Duration) time.Duration {
	c.mu.Lock()
	if c.steps != steps {
		c.mu.Unlock()
		return firstPoll
	}
	first := c.synced.IsZero()
	next := minPoll
	delta := s.offset - c.offset
	if !first && waited >= minPoll && delta.Abs() < steady {
		next = min(2*waited, maxPoll)
	}
	if c.ref.mono.Equal(c.synced) && delta.Abs() >= slewLimit && !c.confirmed(s) {
		c.problem = fmt.Sprintf("%s tells a time that is off by %s from what it was a moment ago; it is asked again before that is believed.",
			s.name, delta.Round(time.Millisecond))
		c.mu.Unlock()
		return minPoll
	}
	c.doubted = nil
	events := c.correct(s.offset, !first, next)
	before := c.ref.Source
	c.ref = s.reference()
	c.stamp()
	c.synced = c.ref.mono
	changed := first || c.problem != "" || c.ref.Source != before
	c.problem = ""
	if changed {
		c.unsaved = true
		events = append(events, Event{
			Kind: EventSynced, Offset: c.last,
			Text: fmt.Sprintf("The time comes from %s now; it was off by %s.", c.ref.Source, c.last.Round(time.Millisecond)),
		})
	}
	if c.last.Abs() >= slewLimit {
		c.unsaved = true
	}
	c.mu.Unlock()
	c.report(events...)
	return next
}

// confirmed reports whether an offset that would step a clock which follows upstream already was measured before: one
// answer may have waited in a full queue, or be that of a server which has gone wrong (RFC 5905 section 12 waits 5
// minutes). It notes the offset for the next time. The caller holds mu.
func (c *Clock) confirmed(s sample) bool {
	before := c.doubted
	c.doubted = &s
	return before != nil && (s.offset-before.offset).Abs() <= s.distance()+before.distance()+slack
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
	if c.ref.Stratum > 0 && c.ref.Source != sourceSystem {
		c.offset -= jump
		c.steps++
	}
	return true
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
