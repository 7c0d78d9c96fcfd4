package clock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Names of the values in the store.
const (
	lastName  = "clock/last"
	driftName = "clock/drift"
)

// driftStep is the change of the drift, in ppm, from which on it is stored again: the card is not written for less.
const driftStep = 0.05

// remembered is what lasts over a restart.
type remembered struct {
	Time   time.Time     `json:"time"`          // the box's time when it was stored
	Sure   time.Time     `json:"sure,omitzero"` // a time that has certainly passed: guesses may be ahead; zero = Time
	Offset time.Duration `json:"offset"`
	Ref    reference     `json:"ref"`
	Boot   string        `json:"boot"`            // of the kernel; on the same one the system clock ran on meanwhile
	Ended  bool          `json:"ended,omitempty"` // the program ended then, and showed no later time
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
	up       time.Duration // since the kernel started
	rtc      []time.Time   // of each real-time clock that could be read
	last     remembered    // zero = none
	floor    time.Time
	boot     string
	managing bool
}

// earliest is the latest of what the time can't be before, and what it is.
func (f facts) earliest() (time.Time, string) {
	if f.last.Time.After(f.floor) {
		return f.last.Time, sourceLast
	}
	return f.floor, sourceBuild
}

// passed is the latest time that has certainly passed: an RTC that is behind it is wrong.
func (f facts) passed() time.Time {
	sure := f.last.Sure
	if sure.IsZero() {
		sure = f.last.Time
	}
	if sure.After(f.floor) {
		return sure
	}
	return f.floor
}

// first decides from what is known which time it is and what that is worth.
func first(f facts) beginning {
	earliest, from := f.earliest()
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
	}
	if b, ok := f.fromRTC(f.passed()); ok {
		return b
	}
	if now.After(earliest) && !f.garbage(now) {
		return beginning{0, reference{Source: sourceSystem}, "Nobody says whether the clock of this computer is right."}
	}
	guess := earliest.Add(f.up)
	if from == sourceLast && !f.last.Ended {
		guess = guess.Add(saveEvery) // it may have shown that before the power was cut, and must not go back
	}
	return beginning{guess.Sub(now), reference{Source: from}, "The time is a guess: it goes on from " + from + "."}
}

// fromRTC takes the time of a real-time clock that is later than all that is known, and not absurdly so. Of several the
// latest counts, for one that lost its battery is behind; by how much they differ counts as an error.
func (f facts) fromRTC(earliest time.Time) (beginning, bool) {
	var best time.Time
	var spread time.Duration
	for _, t := range f.rtc {
		if !believable(t, earliest) {
			continue
		}
		if !best.IsZero() {
			spread = max(spread, t.Sub(best).Abs())
		}
		if t.After(best) {
			best = t
		}
	}
	if best.IsZero() {
		return beginning{}, false
	}
	now := f.system.Round(0)
	offset := best.Add(time.Second / 2).Sub(now)
	if offset.Abs() <= time.Second {
		offset = 0 // the kernel has set its clock from the RTC already, and more exactly
	}
	off := time.Duration(float64(best.Sub(earliest)) * rtcDrift)
	return beginning{
		offset,
		reference{Source: sourceRTC, Stratum: stratumRTC, ID: localID, At: now.Add(offset), Dispersion: time.Second + off + spread},
		"The time is that of the real-time clock.",
	}, true
}

// believable reports whether an RTC may be right.
func believable(t, earliest time.Time) bool { return t.After(earliest) && t.Sub(earliest) < maxRTC }

// garbage reports whether the system clock says what a real-time clock says that is too far ahead to be true: the kernel has
// it from there.
func (f facts) garbage(now time.Time) bool {
	return slices.ContainsFunc(f.rtc, func(t time.Time) bool {
		return t.Sub(f.passed()) >= maxRTC && now.Sub(t).Abs() < time.Minute
	})
}

// aboutRTC says what was found of real-time clocks.
func (f facts) aboutRTC(earliest time.Time, err error) string {
	var said []string
	for _, t := range f.rtc {
		text := "The real-time clock says " + t.UTC().Format("2006-01-02 15:04") + " UTC"
		switch {
		case believable(t, earliest):
			text += "."
		case t.Before(earliest):
			text += ", which is before the last time that was known: its battery may be empty."
		default:
			text += ", which is too far ahead to be true."
		}
		said = append(said, text)
	}
	if len(said) > 0 {
		return strings.Join(said, " ")
	}
	if err == nil || errors.Is(err, errNoRTC) {
		return "There is no real-time clock."
	}
	return fmt.Sprintf("The real-time clock cannot be read (%v).", err)
}

// begin sets the time to the best that is known without the network.
func (c *Clock) begin(ctx context.Context) {
	f := facts{floor: c.cfg.Floor, boot: c.cfg.BootID, managing: c.cfg.Manage}
	if err := c.recall(ctx, lastName, &f.last); err != nil {
		c.deps.Log.Warn("last known time lost", "err", err)
		f.last = remembered{}
	}
	if c.cfg.Manage {
		var err error
		if f.rtc, err = c.sys.ReadRTC(); err != nil && !errors.Is(err, errNoRTC) {
			c.deps.Log.Warn("real-time clock unusable", "err", err)
		}
		c.rtc = f.aboutRTC(f.passed(), err)
	}
	f.synced, f.bound = c.sys.Synchronised()

	c.mu.Lock()
	events := c.driftOn(ctx)
	f.system, f.up = c.sys.Now(), c.sys.Uptime()
	b := first(f)
	if b.offset != 0 {
		if b.text == textResumed && !c.scale.kernel {
			// What the clock was found to drift went on while the program did not run.
			b.offset += time.Duration(c.scale.freq * float64(max(0, f.system.Round(0).Add(b.offset).Sub(f.last.Time))))
		}
		events = append(events, c.step(b.offset)...)
	}
	c.last = 0 // it says nothing about how well the clock runs
	c.ref = b.ref
	if b.text != textResumed {
		c.ref.mono = c.sys.Now()
	}
	c.trusted = c.ref.trusted(c.age())
	c.sure, c.sureUp = f.passed(), 0
	if f.boot == f.last.Boot {
		c.sureUp = f.up // what ran before on this start of the kernel is counted in
	}
	c.previous = c.instant()
	text := b.text
	if b.ref.Stratum == 0 && c.rtc != "" {
		text += " " + c.rtc
	}
	c.mu.Unlock()
	c.report(append(events, Event{Kind: EventStarted, Text: text})...)
}

// driftOn goes on with the drift that was learnt before. The caller holds mu.
func (c *Clock) driftOn(ctx context.Context) []Event {
	c.scale, c.skew = scale{kernel: c.cfg.Manage, at: c.sys.Now()}, unknown
	var ppm float64
	if err := c.recall(ctx, driftName, &ppm); err != nil {
		c.deps.Log.Warn("drift of the clock lost", "err", err)
		return nil
	}
	if c.stored = ppm; ppm != 0 {
		c.skew = drift
	}
	return c.tune(ppm * 1e-6)
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

// save stores the time, what it goes by and the drift. ended tells that the program shows no later time.
func (c *Clock) save(ctx context.Context, ended bool) error {
	c.saving.Lock() // what is stored last must be what was known last
	defer c.saving.Unlock()
	c.mu.Lock()
	system := c.sys.Now()
	r := remembered{Time: c.now().Round(0).UTC(), Offset: c.scale.offset(system), Ref: c.ref, Boot: c.cfg.BootID, Ended: ended}
	r.Ref.At = r.Ref.At.Round(0).UTC()
	r.Ref.Dispersion += c.scale.pending(system).Abs() // after a restart nobody knows of it
	up := c.sys.Uptime()
	if c.ref.trusted(c.age()) {
		c.sure, c.sureUp = r.Time, up
	}
	r.Sure = c.sure.Add(up - c.sureUp).UTC()
	values := map[string]any{lastName: r}
	if math.Abs(c.drift-c.stored) >= driftStep {
		values[driftName], c.stored = c.drift, c.drift
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

// trySave saves, and leaves it at a log line when that fails: it is tried again in a minute.
func (c *Clock) trySave(ctx context.Context) {
	if err := c.save(ctx, false); err != nil {
		c.deps.Log.Warn("time not saved", "err", err)
	}
}
