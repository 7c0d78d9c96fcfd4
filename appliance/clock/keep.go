package clock

import (
	"context"
	"fmt"
	"time"
)

// keyLast is where the store keeps the last known time, as RFC 3339 text.
const keyLast = "clock/last"

// saveEvery is how often the last known time is written: a box without a real-time clock loses at most that much at a
// power cut, and the card wears little.
const saveEvery = 10 * time.Minute

// lastKnown reads the last known time; zero when there is none. What cannot be read counts as none: it is only a floor.
func (c *Clock) lastKnown() (time.Time, error) {
	v, err := c.deps.Store.Value(context.Background(), keyLast)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the last known time: %w", err)
	}
	if v == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, string(v))
	if err != nil || t.Year() > maxYear {
		c.deps.Log.Warn("last known time not readable", "found", string(v), "err", err)
		return time.Time{}, nil
	}
	return t, nil
}

// save writes the last known time, if it is later than the one before.
func (c *Clock) save(ctx context.Context) error {
	c.mu.Lock()
	now := c.now()
	if now.Before(c.floor) || now.Year() > maxYear {
		c.mu.Unlock()
		return nil
	}
	c.floor, c.lastSave = now.Round(0), now
	c.mu.Unlock()
	if err := c.deps.Store.SetValue(ctx, keyLast, []byte(now.UTC().Format(time.RFC3339))); err != nil {
		return fmt.Errorf("saving the time: %w", err)
	}
	return nil
}

// writeRTC brings the real-time clock in line when it is off by more than its resolution of a second.
func (c *Clock) writeRTC() {
	if !c.cfg.Manage {
		return
	}
	rtc, err := c.system.RTC()
	if err != nil {
		return // there is none; said at start
	}
	now := c.Now()
	if d := now.Sub(rtc); d.Abs() < 2*time.Second {
		return
	}
	if err := c.system.SetRTC(now); err != nil {
		c.deps.Log.Warn("real-time clock not written", "err", err)
		return
	}
	c.deps.Log.Info("real-time clock written", "time", now)
}
