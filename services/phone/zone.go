package phone

import (
	"fmt"
	"strconv"
	"time"
	_ "time/tzdata" // the box has no time-zone files of its own
)

// TimeZone is what the SIP image is told of a time zone: one of the fixed names that it knows, and one recurring rule
// for daylight saving time (phones.md d.2, d.3).
type TimeZone struct {
	Name      string        // time_zone: CET
	Offset    time.Duration // of Name, east of UTC
	DST       bool          // dst_auto_adjust
	DSTOffset time.Duration // added while DST is in force
	Start     DSTChange     // local standard time
	Stop      DSTChange     // local daylight saving time
}

// DSTChange is the day and time of a change that recurs each year.
type DSTChange struct {
	Month   time.Month
	Week    int // 1 to 4: that occurrence of Weekday in Month; 8: the last
	Weekday time.Weekday
	Clock   time.Duration // since midnight, below 24 h
}

// lastWeek is the week_of_month that means the last.
const lastWeek = 8

// zoneNames are the names that the image accepts with their offsets in minutes, west to east.
var zoneNames = []struct {
	name    string
	minutes int
}{
	{"IDL", -720},
	{"NT", -660},
	{"AHST", -600},
	{"IMT", -570},
	{"YST", -540},
	{"PST", -480},
	{"MST", -420},
	{"CST", -360},
	{"EST", -300},
	{"AST", -240},
	{"NST", -210},
	{"BST", -180},
	{"AT", -120},
	{"WAT", -60},
	{"GMT", 0},
	{"CET", 60},
	{"EET", 120},
	{"BT", 180},
	{"IT", 210},
	{"ZP4", 240},
	{"AFG", 270},
	{"ZP5", 300},
	{"IST", 330},
	{"ZP6", 360},
	{"SUM", 390},
	{"WAST", 420},
	{"HST", 480},
	{"JST", 540},
	{"CAST", 570},
	{"EAST", 600},
	{"EADT", 660},
	{"NZST", 720},
}

// zoneFloor stands in for a clock that was never set: the rules of 1970 are of no use to a phone.
var zoneFloor = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// zoneYears is how long a rule has to hold to be called exact.
const zoneYears = 10

// ZoneFor derives what a phone is told from the time-zone data of an IANA zone, as it holds in the ten years from at on
// (from 2026, where the clock says an earlier time). Where the phone can't express the zone it is told the nearest, and
// warning says how that differs; warning is "" where the rule is exact. The error names a zone that does not exist.
//
// That the rule of the southern hemisphere may start later in the year than it stops, and that the hour of the stop is
// one of daylight saving time, is how the guides read; no source confirms it for every release.
func ZoneFor(name string, at time.Time) (zone TimeZone, warning string, err error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return TimeZone{}, "", fmt.Errorf("found the time zone %q, allowed is an IANA name such as Europe/Brussels", name)
	}
	if at.Before(zoneFloor) {
		at = zoneFloor
	}
	changes := changesOf(loc, at, at.AddDate(zoneYears, 0, 0))
	samples := samplesOf(changes, at)
	zone, wrong := nearest(loc, rules(changes), samples)
	if wrong == 0 {
		return zone, "", nil
	}
	return zone, describe(name, loc, zone, samples, wrong), nil
}

// change is a moment at which the offset of a zone changes.
type change struct {
	at            time.Time
	before, after time.Duration
}

// changesOf lists the changes of the offset between two moments.
func changesOf(loc *time.Location, from, to time.Time) []change {
	var list []change
	for t := from.In(loc); ; {
		_, end := t.ZoneBounds()
		if end.IsZero() || end.After(to) {
			return list
		}
		if !end.After(t) {
			// Go counts 365 days in the last year of a zone that goes on by rule, and so stands still on the last day of a
			// leap year. The box has such zones: those of time/tzdata end where their rule begins.
			end = t.AddDate(0, 0, 1)
		}
		if before, after := offsetOf(end.Add(-time.Second)), offsetOf(end); before != after {
			list = append(list, change{end, before, after})
		}
		t = end
	}
}

func offsetOf(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// samplesOf are the moments at which a rule is compared with the zone: every week, and around each change.
func samplesOf(changes []change, from time.Time) []time.Time {
	var list []time.Time
	for week := range zoneYears * 52 {
		list = append(list, from.AddDate(0, 0, 7*week))
	}
	for _, c := range changes {
		list = append(list, c.at.Add(-time.Second), c.at, c.at.Add(36*time.Hour), c.at.Add(-36*time.Hour))
	}
	return list
}

// rules proposes rules for the daylight saving time of a zone, from the changes that it will have: none, and for each
// way to read the day of the first start and the first stop (nth weekday, last weekday) one.
func rules(changes []change) []TimeZone {
	list := []TimeZone{{}}
	var start, stop *change
	for i := range changes {
		switch c := &changes[i]; {
		case c.after > c.before && start == nil:
			start = c
		case c.after < c.before && stop == nil:
			stop = c
		}
	}
	if start == nil || stop == nil {
		return list
	}
	for _, first := range dayRules(*start) {
		for _, last := range dayRules(*stop) {
			list = append(list, TimeZone{DST: true, DSTOffset: start.after - start.before, Start: first, Stop: last})
		}
	}
	return list
}

// dayRules reads the day of a change as the nth weekday of its month, where n can be written, and as the last.
func dayRules(c change) []DSTChange {
	wall := c.at.UTC().Add(c.before) // local time just before the change
	rule := DSTChange{
		Month: wall.Month(), Weekday: wall.Weekday(),
		Clock: time.Duration(wall.Hour())*time.Hour + time.Duration(wall.Minute())*time.Minute,
	}
	var list []DSTChange
	if n := (wall.Day()-1)/7 + 1; n <= 4 {
		rule.Week = n
		list = append(list, rule)
	}
	if wall.AddDate(0, 0, 7).Month() != wall.Month() || wall.Day() > 21 {
		rule.Week = lastWeek
		list = append(list, rule)
	}
	return list
}

// nearest combines each name with each rule and returns the pair that is wrong for the fewest samples, and by the
// least; wrong is the number of samples.
func nearest(loc *time.Location, rules []TimeZone, samples []time.Time) (best TimeZone, wrong int) {
	truth := make([]time.Duration, len(samples))
	for i, t := range samples {
		truth[i] = offsetOf(t.In(loc))
	}
	bestError := time.Duration(-1)
	for _, rule := range rules {
		if bestError == 0 {
			break
		}
		for _, z := range zoneNames {
			rule.Name, rule.Offset = z.name, time.Duration(z.minutes)*time.Minute
			var sum time.Duration
			count := 0
			for i, t := range samples {
				if diff := (rule.OffsetAt(t) - truth[i]).Abs(); diff != 0 {
					sum += diff
					count++
				}
				if bestError >= 0 && sum > bestError {
					break
				}
			}
			if bestError < 0 || sum < bestError {
				best, wrong, bestError = rule, count, sum
			}
		}
	}
	return best, wrong
}

// OffsetAt returns the offset from UTC that a phone with this setting shows at t, DST included.
func (z TimeZone) OffsetAt(t time.Time) time.Duration {
	if !z.DST {
		return z.Offset
	}
	t = t.UTC()
	year := t.Add(z.Offset).Year()
	start := z.Start.in(year).Add(-z.Offset)
	stop := z.Stop.in(year).Add(-z.Offset - z.DSTOffset)
	inForce := !t.Before(start) && t.Before(stop)
	if stop.Before(start) { // southern hemisphere: DST at both ends of the year
		inForce = !t.Before(start) || t.Before(stop)
	}
	if inForce {
		return z.Offset + z.DSTOffset
	}
	return z.Offset
}

// in returns the change in a year, as local time that is written down as UTC.
func (c DSTChange) in(year int) time.Time {
	var day time.Time
	if c.Week == lastWeek {
		day = time.Date(year, c.Month+1, 0, 0, 0, 0, 0, time.UTC)
		day = day.AddDate(0, 0, -int((day.Weekday()-c.Weekday+7)%7))
	} else {
		day = time.Date(year, c.Month, 1+7*(c.Week-1), 0, 0, 0, 0, time.UTC)
		day = day.AddDate(0, 0, int((c.Weekday-day.Weekday()+7)%7))
	}
	return day.Add(c.Clock)
}

// describe says how what the phones are told differs from the zone.
func describe(name string, loc *time.Location, zone TimeZone, samples []time.Time, wrong int) string {
	var most time.Duration
	for _, t := range samples {
		most = max(most, (zone.OffsetAt(t) - offsetOf(t.In(loc))).Abs())
	}
	how := "at times"
	if wrong == len(samples) {
		how = "always"
	}
	return fmt.Sprintf("the phones can't express the time zone %s: they are told %s (UTC%s), and show a time that is %s wrong by up to %d minutes",
		name, zone.Name, signed(zone.Offset), how, int(most.Minutes()))
}

// signed writes an offset as +05:30.
func signed(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	return fmt.Sprintf("%s%02d:%02d", sign, int(d.Hours()), int(d.Minutes())%60)
}

// Settings returns the parameters of the .cnf files that say this. All of them, because an absent one keeps what the
// phone's flash holds, and that is the rule of the USA before 2007.
func (z TimeZone) Settings() map[string]string {
	s := map[string]string{"time_zone": z.Name, "dst_auto_adjust": "0"}
	if !z.DST {
		return s
	}
	s["dst_auto_adjust"] = "1"
	s["dst_offset"] = clock(z.DSTOffset, false)
	for prefix, c := range map[string]DSTChange{"dst_start_": z.Start, "dst_stop_": z.Stop} {
		s[prefix+"month"] = c.Month.String()
		s[prefix+"day"] = "0"
		s[prefix+"day_of_week"] = c.Weekday.String()[:3]
		s[prefix+"week_of_month"] = strconv.Itoa(c.Week)
		s[prefix+"time"] = clock(c.Clock, true)
	}
	return s
}

// clock writes a time or an offset as h or hh, and as hh/mm where there are minutes.
func clock(d time.Duration, padded bool) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	hours, minutes := int(d.Hours()), int(d.Minutes())%60
	switch {
	case minutes != 0:
		return fmt.Sprintf("%s%02d/%02d", sign, hours, minutes)
	case padded:
		return fmt.Sprintf("%s%02d", sign, hours)
	}
	return fmt.Sprintf("%s%d", sign, hours)
}
