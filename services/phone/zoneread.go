package phone

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TimeParameters are the names of the parameters that decide what a phone's clock shows.
var TimeParameters = []string{
	"time_zone", "dst_auto_adjust", "dst_offset",
	"dst_start_month", "dst_start_day", "dst_start_day_of_week", "dst_start_week_of_month", "dst_start_time",
	"dst_stop_month", "dst_stop_day", "dst_stop_day_of_week", "dst_stop_week_of_month", "dst_stop_time",
}

// ReadTimeZone reads parameters as a phone takes them (phones.md d.2, d.3): value returns "" for one that the phone is not
// told, which then has its factory value. doubts are sentences on what nobody knows how a phone takes; where a value makes
// no sense at all the factory's is taken, and a doubt says so.
func ReadTimeZone(value func(name string) string) (z TimeZone, doubts []string) {
	r := zoneReader{value: value}
	z.Name = strings.ToUpper(r.text("time_zone"))
	i := zoneIndex(z.Name)
	if i < 0 {
		r.doubt("time_zone is %q, whose offset from UTC nobody knows", z.Name)
		i = zoneIndex("GMT")
	}
	z.Offset = time.Duration(zoneNames[i].minutes) * time.Minute
	if z.DST = r.text("dst_auto_adjust") != "0"; !z.DST {
		return z, r.doubts
	}
	z.DSTOffset = r.clock("dst_offset", 12*time.Hour)
	z.Start, z.Stop = r.change("dst_start_"), r.change("dst_stop_")
	return z, r.doubts
}

func zoneIndex(name string) int {
	return slices.IndexFunc(zoneNames, func(n zoneName) bool { return n.name == name })
}

// zoneReader collects what is odd about the values that it reads.
type zoneReader struct {
	value  func(string) string
	doubts []string
}

func (r *zoneReader) doubt(format string, args ...any) {
	r.doubts = append(r.doubts, fmt.Sprintf(format, args...))
}

// text returns a value, the factory's where the phone is told none.
func (r *zoneReader) text(name string) string {
	if v := strings.TrimSpace(r.value(name)); v != "" && !strings.EqualFold(v, Unprovisioned) {
		return v
	}
	return factory(name)
}

func factory(name string) string {
	p, _ := LookUpParameter(name)
	return p.Default
}

// clock reads [+-]h, hh, hh:mm or hh/mm up to a limit.
func (r *zoneReader) clock(name string, most time.Duration) time.Duration {
	v := r.text(name)
	d, ok := readClock(v)
	if !ok || d.Abs() > most {
		r.doubt("%s is %q, which is no time; the factory's %q is taken", name, v, factory(name))
		d, _ = readClock(factory(name))
	}
	return d
}

func readClock(v string) (time.Duration, bool) {
	digits, negative := strings.CutPrefix(v, "-")
	hours, minutes, both := strings.Cut(strings.Replace(strings.TrimPrefix(digits, "+"), "/", ":", 1), ":")
	if !both {
		minutes = "0"
	}
	h, err := strconv.ParseUint(hours, 10, 6)
	m, err2 := strconv.ParseUint(minutes, 10, 6)
	if err != nil || err2 != nil || m > 59 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if negative {
		d = -d
	}
	return d, true
}

// change reads the rule of a start or a stop.
func (r *zoneReader) change(prefix string) DSTChange {
	c := DSTChange{
		Month:   time.Month(r.number(prefix+"month", 1, 12, func(n int) string { return time.Month(n).String() })),
		Weekday: time.Weekday(r.number(prefix+"day_of_week", 1, 7, func(n int) string { return time.Weekday(n - 1).String() }) - 1),
		Week:    r.number(prefix+"week_of_month", 1, lastWeek, nil),
		Day:     r.number(prefix+"day", 0, 31, nil),
		Clock:   r.clock(prefix+"time", 24*time.Hour-time.Minute),
	}
	if c.Day == 0 && c.Week > 4 && c.Week != lastWeek {
		r.doubt("%sweek_of_month is %d: nobody knows what a phone does in a month that is shorter", prefix, c.Week)
	}
	return c
}

// number reads a number, or a name of which the phone looks at the first three letters.
func (r *zoneReader) number(name string, least, most int, names func(int) string) int {
	v := r.text(name)
	if n, ok := readNumber(v, least, most, names); ok {
		return n
	}
	r.doubt("%s is %q, which is none; the factory's %q is taken", name, v, factory(name))
	n, _ := readNumber(factory(name), least, most, names)
	return n
}

func readNumber(v string, least, most int, names func(int) string) (int, bool) {
	if n, err := strconv.Atoi(v); err == nil {
		return n, n >= least && n <= most
	}
	for n := least; names != nil && n <= most; n++ {
		if full := names(n); len(v) >= 3 && len(v) <= len(full) && strings.EqualFold(v, full[:len(v)]) {
			return n, true
		}
	}
	return 0, false
}

// String is the setting in words: "CET (UTC+01:00), +1 h from the last Sunday of March, 02, to the last Sunday of October, 03".
func (z TimeZone) String() string {
	text := fmt.Sprintf("%s (UTC%s)", z.Name, signed(z.Offset))
	if !z.DST {
		return text + ", no summer time"
	}
	return fmt.Sprintf("%s, summer time UTC%s from %s to %s", text, signed(z.Offset+z.DSTOffset), z.Start, z.Stop)
}

// String is the rule in words: "the last Sunday of March, 02:00".
func (c DSTChange) String() string {
	at := fmt.Sprintf("%02d:%02d", int(c.Clock.Hours()), int(c.Clock.Minutes())%60)
	if c.Day > 0 {
		return fmt.Sprintf("%d %s, %s", c.Day, c.Month, at)
	}
	week := map[int]string{1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", lastWeek: "last"}[c.Week]
	return fmt.Sprintf("the %s %s of %s, %s", week, c.Weekday, c.Month, at)
}

// Shown is what a phone's clock shows at a moment, and what it should.
type Shown struct {
	At      time.Time     // UTC
	Offset  time.Duration // from UTC, of what the phone shows
	Right   time.Duration // of the time zone
	Changes bool          // the phone's clock or the right time is put forward or back then
}

// Wrong is by how much the phone is ahead.
func (s Shown) Wrong() time.Duration { return s.Offset - s.Right }

// Compare says what a phone with this setting shows now and after the next change, its own or the time zone's, in a place:
// one of them where both change at once. warning says how the two differ in the ten years from now on; "" where the phone
// is right throughout.
func (z TimeZone) Compare(place string, now time.Time) (shown []Shown, warning string, err error) {
	loc, err := time.LoadLocation(place)
	if err != nil || place == "" || place == "Local" {
		return nil, "", fmt.Errorf("found the time zone %q, allowed is an IANA name such as Europe/Brussels", place)
	}
	now = now.UTC()
	moments := []time.Time{now}
	if own, ok := z.NextChange(now); ok {
		moments = append(moments, own)
	}
	truth := zoneTruth{first: offsetOf(now.In(loc)), from: now, to: now.AddDate(zoneYears, 0, 0)}
	truth.changes = changesOf(loc, truth.from, truth.to)
	if len(truth.changes) > 0 {
		moments = append(moments, truth.changes[0].at.UTC())
	}
	slices.SortFunc(moments[1:], time.Time.Compare)
	for i, at := range slices.CompactFunc(moments, time.Time.Equal) {
		shown = append(shown, Shown{At: at, Offset: z.OffsetAt(at), Right: offsetOf(at.In(loc)), Changes: i > 0})
	}
	if m, _ := truth.misfit(z, -1); m.sum > 0 {
		warning = m.describe(place, z, truth.to.Sub(truth.from))
		best, _ := express(place, loc, now)
		if least, _ := truth.misfit(best, -1); least.sum < m.sum {
			warning = m.astray(place, z, truth.to.Sub(truth.from))
		}
	}
	return shown, warning, nil
}
