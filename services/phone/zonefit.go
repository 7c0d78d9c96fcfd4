package phone

import (
	"fmt"
	"slices"
	"time"
)

// express is ZoneFor for a zone that was found.
func express(name string, loc *time.Location, at time.Time) (zone TimeZone, warning string) {
	if at.Before(zoneFloor) {
		at = zoneFloor
	}
	truth := zoneTruth{first: offsetOf(at.In(loc)), from: at, to: at.AddDate(zoneYears, 0, 0)}
	truth.changes = changesOf(loc, truth.from, truth.to)
	zone, wrong := truth.nearest()
	if wrong.sum == 0 {
		return zone, ""
	}
	return zone, wrong.describe(name, zone, truth.to.Sub(truth.from))
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

// zoneTruth is what a zone does over the years that count.
type zoneTruth struct {
	first    time.Duration // the offset at from
	changes  []change
	from, to time.Time
}

// misfit is how far a setting is from a zone.
type misfit struct {
	sum  int64         // seconds of time, each times the seconds that it is wrong by
	time time.Duration // for how long it is wrong
	most time.Duration // by how much at most
}

// nearest combines each name with each rule and returns the pair that is wrong by the least; sum is 0 where it is exact.
func (t *zoneTruth) nearest() (best TimeZone, wrong misfit) {
	wrong.sum = -1
	for _, rule := range t.rules() {
		for _, z := range zoneNames {
			rule.Name, rule.Offset = z.name, time.Duration(z.minutes)*time.Minute
			if m, ok := t.misfit(rule, wrong.sum); ok {
				best, wrong = rule, m
			}
			if wrong.sum == 0 {
				return best, wrong
			}
		}
	}
	return best, wrong
}

// misfit measures a setting, from one change of either clock to the next. ok is false once it is not below a bound
// (none below 0).
func (t *zoneTruth) misfit(z TimeZone, below int64) (m misfit, ok bool) {
	next := t.changes
	offset := t.first
	for at := t.from; at.Before(t.to); {
		end := t.to
		if len(next) > 0 {
			end = next[0].at
		}
		// A year of standard time begins: the rules of another year hold from then on.
		year := time.Date(at.Add(z.Offset).Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).Add(-z.Offset)
		if c, changes := z.NextChange(at); changes && c.Before(end) {
			end = c
		}
		if z.DST && year.Before(end) {
			end = year
		}
		if diff := (z.OffsetAt(at) - offset).Abs(); diff != 0 {
			m.sum += int64(diff/time.Second) * int64(end.Sub(at)/time.Second)
			m.time += end.Sub(at)
			m.most = max(m.most, diff)
			if below >= 0 && m.sum >= below {
				return m, false
			}
		}
		if len(next) > 0 && !end.Before(next[0].at) {
			offset, next = next[0].after, next[1:]
		}
		at = end
	}
	return m, true
}

// rules proposes rules for the daylight saving time of a zone: none, and each pair of a way to read its starts and a way
// to read its stops, those of the first year first.
func (t *zoneTruth) rules() []TimeZone {
	var up, down []change
	for _, c := range t.changes {
		if c.after > c.before {
			up = append(up, c)
		} else {
			down = append(down, c)
		}
	}
	list := []TimeZone{{}}
	stops := readAll(down)
	for _, start := range readAll(up) {
		for _, stop := range stops {
			list = append(list, TimeZone{DST: true, DSTOffset: up[0].after - up[0].before, Start: start, Stop: stop})
		}
	}
	return list
}

// readAll reads the changes of the month in which most of them are. Where that is less than half of them there is no
// rule: some zones go by the moon.
func readAll(changes []change) (list []DSTChange) {
	byMonth := map[time.Month][]change{}
	for _, c := range changes {
		month := c.at.UTC().Add(c.before).Month()
		byMonth[month] = append(byMonth[month], c)
	}
	for _, same := range byMonth {
		if 2*len(same) <= len(changes) {
			continue
		}
		for _, c := range same {
			list = readings(list, c)
		}
	}
	return list
}

// readings adds the ways to read the day of a change: as the nth weekday of its month, where n can be written, and as
// the last. For zones that change on a day that has no such name (the Sunday after the first Saturday), also the minute
// before, where that is another day, and the next midnight.
func readings(list []DSTChange, c change) []DSTChange {
	wall := c.at.UTC().Add(c.before) // local time just before the change
	for _, w := range []time.Time{wall, wall.Add(-time.Minute), wall.Add(24*time.Hour - time.Nanosecond).Truncate(24 * time.Hour)} {
		if !w.Equal(wall) && w.Day() == wall.Day() {
			continue
		}
		for _, r := range dayRules(w) {
			if !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}

// dayRules reads a day as the nth weekday of its month and as the last, as far as it is.
func dayRules(wall time.Time) []DSTChange {
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

// describe says how what the phones are told differs from the zone, over a span of years.
func (m misfit) describe(name string, zone TimeZone, span time.Duration) string {
	return fmt.Sprintf("the phones can't express the time zone %s: they are told %s (UTC%s), and show a time that is wrong by up to %d minutes, %s",
		name, zone.Name, signed(zone.Offset), int(m.most.Minutes()), m.often(span))
}

// astray says the same where a phone is told something else than what suits the zone best.
func (m misfit) astray(name string, zone TimeZone, span time.Duration) string {
	return fmt.Sprintf("what is told, %s (UTC%s), is not the time of %s: the clock is wrong by up to %d minutes, %s",
		zone.Name, signed(zone.Offset), name, int(m.most.Minutes()), m.often(span))
}

// often says how much of a span of years the phones are wrong.
func (m misfit) often(span time.Duration) string {
	if m.time < span {
		return "for " + perYear(m.time/zoneYears) + " a year"
	}
	return "always"
}

// perYear writes a time in the unit that suits it.
func perYear(d time.Duration) string {
	count := func(n time.Duration, unit string) string {
		if n == 1 {
			return "about one " + unit
		}
		return fmt.Sprintf("about %d %ss", n, unit)
	}
	switch {
	case d < time.Hour:
		return count(max(1, d.Round(time.Minute)/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(d.Round(time.Hour)/time.Hour, "hour")
	}
	return count(d.Round(24*time.Hour)/(24*time.Hour), "day")
}

// signed writes an offset as +05:30.
func signed(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	return fmt.Sprintf("%s%02d:%02d", sign, int(d.Hours()), int(d.Minutes())%60)
}
