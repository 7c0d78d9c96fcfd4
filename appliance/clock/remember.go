package clock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Names of the values in the store.
const (
	lastName  = "clock/last"
	driftName = "clock/drift"
)

// remembered is what lasts over a restart.
type remembered struct {
	Time   time.Time     `json:"time"` // the box's time when it was stored
	Offset time.Duration `json:"offset"`
	Ref    reference     `json:"ref"`
	Boot   string        `json:"boot"` // of the kernel; on the same one the system clock ran on meanwhile
}

// beginning is where the time starts.
type beginning struct {
	offset time.Duration // of the box's time to the system clock
	ref    reference
	text   string
}

const textResumed = "The program started again and the clock ran on meanwhile."

// maxRTC is how far an RTC may be ahead of all that is known; what is later is taken for garbage.
const maxRTC = 10 * 365 * 24 * time.Hour

// facts are what is known at the start.
type facts struct {
	system   time.Time
	synced   bool          // the kernel says so; counts where the box does not manage the clock
	bound    time.Duration // its error bound
	rtc      time.Time     // zero = none, or not to be used
	last     remembered    // zero = none
	floor    time.Time
	boot     string
	managing bool
}

// first decides from what is known which time it is and what that is worth.
func first(f facts) beginning {
	earliest, from := f.floor, sourceBuild
	if f.last.Time.After(earliest) {
		earliest, from = f.last.Time, sourceLast
	}
	now := f.system.Round(0)
	resumed := now.Add(f.last.Offset)
	switch {
	case f.boot != "" && f.boot == f.last.Boot && f.last.Ref.Stratum > 0 && !resumed.Before(f.last.Time.Add(-time.Second)):
		return beginning{f.last.Offset, f.last.Ref, textResumed}
	case !f.managing && f.synced && now.After(earliest):
		return beginning{
			0,
			reference{Source: sourceSystem, Stratum: stratumSystem, ID: localID, At: now, Dispersion: f.bound},
			"The clock of this computer is kept synchronised.",
		}
	case f.rtc.After(earliest) && f.rtc.Sub(earliest) < maxRTC:
		offset := f.rtc.Add(time.Second / 2).Sub(now)
		if offset.Abs() <= time.Second {
			offset = 0 // the kernel has set its clock from the RTC already, and more exactly
		}
		off := time.Duration(float64(f.rtc.Sub(earliest)) * rtcDrift)
		return beginning{
			offset,
			reference{Source: sourceRTC, Stratum: stratumRTC, ID: localID, At: now.Add(offset), Dispersion: time.Second + off},
			"The time is that of the real-time clock.",
		}
	case now.After(earliest):
		return beginning{0, reference{Source: sourceSystem}, "Nobody says whether the clock of this computer is right."}
	}
	return beginning{earliest.Sub(now), reference{Source: from}, "The time is a guess: it goes on from " + from + "."}
}

// begin sets the time to the best that is known without the network.
func (c *Clock) begin(ctx context.Context) {
	f := facts{floor: c.cfg.Floor, boot: c.cfg.BootID, managing: c.cfg.Manage}
	if err := c.recall(ctx, lastName, &f.last); err != nil {
		c.deps.Log.Warn("last known time lost", "err", err)
		f.last = remembered{}
	}
	if c.cfg.Manage {
		rtc, err := c.sys.ReadRTC()
		if err != nil && !errors.Is(err, errNoRTC) {
			c.deps.Log.Warn("real-time clock unusable", "err", err)
		}
		f.rtc = rtc
		var ppm float64
		if err := c.recall(ctx, driftName, &ppm); err == nil && ppm != 0 {
			err = c.sys.SetDrift(ppm)
			c.deps.Log.Debug("drift of the system clock", "ppm", ppm, "err", err)
		}
	}
	f.synced, f.bound = c.sys.Synchronised()

	c.mu.Lock()
	f.system = c.sys.Now()
	b := first(f)
	var events []Event
	if b.offset != 0 {
		events = c.correct(b.offset, false, 0)
	}
	c.last = 0 // it says nothing about how well the clock runs
	c.ref = b.ref
	if b.text != textResumed {
		c.ref.mono = c.sys.Now()
	}
	c.previous = c.instant()
	c.mu.Unlock()
	c.report(append(events, Event{Kind: EventStarted, Text: b.text})...)
}

// recall reads a value into v, which stays as it is when there is none.
func (c *Clock) recall(ctx context.Context, name string, v any) error {
	raw, err := c.deps.Store.Value(ctx, name)
	if err != nil || raw == nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("reading the value %q: %w", name, err)
	}
	return nil
}

// save stores the time, what it goes by and the drift.
func (c *Clock) save(ctx context.Context) error {
	c.mu.Lock()
	r := remembered{Time: c.now().Round(0).UTC(), Offset: c.offset, Ref: c.ref, Boot: c.cfg.BootID}
	r.Ref.At = r.Ref.At.Round(0).UTC()
	values := map[string]any{lastName: r}
	if c.drift != 0 {
		values[driftName] = c.drift
	}
	c.unsaved = false
	c.mu.Unlock()
	for name, v := range values {
		raw, err := json.Marshal(v)
		if err == nil {
			err = c.deps.Store.SetValue(ctx, name, raw)
		}
		if err != nil {
			return fmt.Errorf("saving the time: %w", err)
		}
	}
	return nil
}

// trySave saves, and leaves it at a log line when that fails: it is tried again in ten minutes.
func (c *Clock) trySave(ctx context.Context) {
	if err := c.save(ctx); err != nil {
		c.deps.Log.Warn("time not saved", "err", err)
	}
}
