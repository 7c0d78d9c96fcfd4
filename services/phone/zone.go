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
	Day     int // 1 to 31: that day of the month, whatever weekday it is; 0 = by Week and Weekday
	Week    int // 1 to 4: that occurrence of Weekday in Month; 8: the last
	Weekday time.Weekday
	Clock   time.Duration // since midnight, below 24 h
}

// lastWeek is the week_of_month that means the last.
const lastWeek = 8

// zoneName is a name of a time zone that the image accepts.
type zoneName struct {
	name    string
	minutes int // east of UTC
}

// zoneNames are the names that the image accepts, west to east.
var zoneNames = []zoneName{
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
	zone, warning = express(name, loc, at)
	return zone, warning, nil
}

// OffsetAt returns the offset from UTC that a phone with this setting shows at t, DST included.
func (z TimeZone) OffsetAt(t time.Time) time.Duration {
	if !z.DST {
		return z.Offset
	}
	t = t.UTC()
	changes := z.changesIn(t.Add(z.Offset).Year())
	start, stop := changes[0], changes[1]
	inForce := !t.Before(start) && t.Before(stop)
	if stop.Before(start) { // southern hemisphere: DST at both ends of the year
		inForce = !t.Before(start) || t.Before(stop)
	}
	if inForce {
		return z.Offset + z.DSTOffset
	}
	return z.Offset
}

// NextChange returns when the clock of a phone with this setting changes next after a moment: the start or the stop of
// daylight saving time, in UTC. ok is false where it never does.
func (z TimeZone) NextChange(after time.Time) (at time.Time, ok bool) {
	if !z.DST {
		return time.Time{}, false
	}
	year := after.Add(z.Offset).UTC().Year()
	for y := year - 1; y <= year+1; y++ {
		for _, c := range z.changesIn(y) {
			if c.After(after) && (!ok || c.Before(at)) {
				at, ok = c, true
			}
		}
	}
	return at, ok
}

// NextChangeText is the next change in the zone's standard time, "28 March 2027, 02:00"; "" where there is none.
func (z TimeZone) NextChangeText(after time.Time) string {
	at, ok := z.NextChange(after)
	if !ok {
		return ""
	}
	return at.Add(z.Offset).Format("2 January 2006, 15:04")
}

// changesIn are the start and the stop in a year of standard time, in UTC.
func (z TimeZone) changesIn(year int) [2]time.Time {
	return [2]time.Time{z.Start.in(year).Add(-z.Offset), z.Stop.in(year).Add(-z.Offset - z.DSTOffset)}
}

// in returns the change in a year, as local time that is written down as UTC.
func (c DSTChange) in(year int) time.Time {
	var day time.Time
	if c.Day > 0 {
		return time.Date(year, c.Month, c.Day, 0, 0, 0, 0, time.UTC).Add(c.Clock)
	}
	if c.Week == lastWeek {
		day = time.Date(year, c.Month+1, 0, 0, 0, 0, 0, time.UTC)
		day = day.AddDate(0, 0, -int((day.Weekday()-c.Weekday+7)%7))
	} else {
		day = time.Date(year, c.Month, 1+7*(c.Week-1), 0, 0, 0, 0, time.UTC)
		day = day.AddDate(0, 0, int((c.Weekday-day.Weekday()+7)%7))
	}
	return day.Add(c.Clock)
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
		s[prefix+"day"] = strconv.Itoa(c.Day)
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
