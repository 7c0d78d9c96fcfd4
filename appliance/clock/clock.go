package clock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"phonebox/services/sntp"
)

// stepLimit is the largest error that is corrected slowly (STEPT of RFC 5905 section 12): above it, and while the time is
// not trusted, the clock is set.
const stepLimit = 128 * time.Millisecond

// reference is what the time was last corrected with.
type reference struct {
	source  Source
	name    string // of the NTP server
	id      [4]byte
	stratum uint8
	leap    sntp.Leap
	at      time.Time // box time of the correction, with its monotonic reading
	delay   time.Duration
	disp    time.Duration // at the moment of the correction
}

// Clock is the box's time. It is safe for concurrent use.
type Clock struct {
	deps   Deps
	system System
	kick   chan struct{} // ask upstream now

	mu       sync.Mutex
	cfg      Config
	offset   time.Duration // box time minus system time
	ref      reference
	moved    time.Duration // by the last correction
	floor    time.Time     // nothing before it is believed
	lastSave time.Time
}

// New makes the clock; it believes nothing until Run has looked at what there is.
func New(cfg Config, deps Deps) (*Clock, error) {
	if deps.Store == nil || deps.Log == nil {
		return nil, errors.New("making the clock: a store and a logger are required")
	}
	if cfg.RTC == "" {
		cfg.RTC = "/dev/rtc0"
	}
	c := &Clock{deps: deps, system: deps.System, cfg: cfg, kick: make(chan struct{}, 1), floor: cfg.Floor}
	if c.system == nil {
		c.system = machine{rtc: cfg.RTC}
	}
	c.ref.source = SourceNone
	return c, c.begin()
}

// begin takes the best time that is there without asking anybody: the real-time clock, else the last time that was known.
func (c *Clock) begin() error {
	last, err := c.lastKnown()
	if err != nil {
		return err
	}
	if last.After(c.floor) {
		c.floor = last
	}
	if c.cfg.Manage {
		rtc, err := c.system.RTC()
		switch {
		case err != nil:
			c.deps.Log.Info("no real-time clock", "err", err)
		case rtc.Before(c.floor):
			c.deps.Log.Warn("real-time clock not believed: it shows less than the last known time", "rtc", rtc, "last", c.floor)
		default:
			disp := errorRTC
			if !last.IsZero() {
				disp += time.Duration(float64(rtc.Sub(last)) * driftRTC)
			}
			return c.correct(time.Until(rtc), reference{source: SourceRTC, id: refID("RTC"), stratum: stratumRTC, disp: disp})
		}
	}
	if now := time.Now(); now.Before(c.floor) {
		return c.correct(c.floor.Sub(now), reference{source: SourceLastKnown})
	}
	return nil
}

func refID(s string) (id [4]byte) {
	copy(id[:], s)
	return id
}

// correct moves the box's time by d and notes with what.
func (c *Clock) correct(d time.Duration, ref reference) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.move(d); err != nil {
		return err
	}
	ref.at = c.now()
	c.ref, c.moved = ref, d
	return nil
}

// move changes the system clock, or the offset of our own where the system clock is not ours.
func (c *Clock) move(d time.Duration) error {
	if !c.cfg.Manage {
		c.offset += d
		return nil
	}
	if c.trusted() && d.Abs() <= stepLimit {
		if err := c.system.Slew(d); err != nil {
			return fmt.Errorf("slewing the clock: %w", err)
		}
		return nil
	}
	if err := c.system.Set(time.Now().Add(d)); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	return nil
}

func (c *Clock) now() time.Time { return time.Now().Add(c.offset) }

// Now returns the box's time, with Go's monotonic reading.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

// Adjust turns a time of the system clock, such as a kernel receive time, into the box's time.
func (c *Clock) Adjust(system time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return system.Add(c.offset)
}

// Trusted reports whether the time may be believed: it came from NTP, from a person, or from a real-time clock that shows
// no less than the last known time.
func (c *Clock) Trusted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trusted()
}

func (c *Clock) trusted() bool {
	return c.ref.source == SourceNTP || c.ref.source == SourceBrowser || c.ref.source == SourceRTC
}

// Quality returns what an NTP reply may say of the time (RFC 5905 section 7.3). The root dispersion grows while nothing
// corrects the clock, so that a client sees for itself what the time is worth.
func (c *Clock) Quality() sntp.Quality {
	c.mu.Lock()
	defer c.mu.Unlock()
	const precision = -20 // about a microsecond
	if !c.trusted() {
		return sntp.Quality{Leap: sntp.LeapUnsync, Precision: precision}
	}
	age := max(c.now().Sub(c.ref.at), 0)
	return sntp.Quality{
		Leap: c.ref.leap, Stratum: c.ref.stratum, ReferenceID: c.ref.id, ReferenceTime: c.ref.at, RootDelay: c.ref.delay,
		RootDispersion: c.ref.disp + time.Duration(float64(age)*driftClock), Precision: precision,
	}
}

// Status returns the clock in a few words.
func (c *Clock) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Trusted: c.trusted(), Source: string(c.ref.source), Stratum: unsynchronised, Offset: c.moved, Since: c.ref.at}
	if s.Trusted {
		s.Stratum = int(c.ref.stratum)
	}
	if c.ref.name != "" {
		s.Source += " " + c.ref.name
	}
	return s
}

// Set takes the time from a person's browser. It is refused while an NTP server answers, and when it is before the last
// time that was known.
func (c *Clock) Set(ctx context.Context, t time.Time) error {
	c.mu.Lock()
	floor, ref, now := c.floor, c.ref, c.now()
	c.mu.Unlock()
	if ref.source == SourceNTP && now.Sub(ref.at) < 3*pollMax {
		return fmt.Errorf("the time comes from the NTP server %s; it is not taken from a browser", ref.name)
	}
	if t.Before(floor) {
		return fmt.Errorf("found %s, allowed is a time after %s, which was known before", t.UTC().Format(time.RFC3339), floor.UTC().Format(time.RFC3339))
	}
	if t.Year() > maxYear {
		return fmt.Errorf("found %s, allowed is a year up to %d", t.UTC().Format(time.RFC3339), maxYear)
	}
	err := c.correct(t.Sub(now), reference{source: SourceBrowser, id: refID("LOCL"), stratum: stratumBrowser, disp: errorBrowser})
	if err != nil {
		return err
	}
	c.deps.Log.Info("clock set", "source", SourceBrowser, "time", t)
	c.writeRTC()
	return c.save(ctx)
}

// maxYear is the last year that is believed: a typing error must not become the last known time, which is never undone.
const maxYear = 2099

// Apply takes new settings; only Upstream may differ.
func (c *Clock) Apply(cfg Config) error {
	c.mu.Lock()
	changed := !slices.Equal(c.cfg.Upstream, cfg.Upstream)
	c.cfg.Upstream = slices.Clone(cfg.Upstream)
	c.mu.Unlock()
	if changed {
		c.wake()
	}
	return nil
}

func (c *Clock) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}
