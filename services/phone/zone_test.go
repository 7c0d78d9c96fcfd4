package phone_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

var zoneStart = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)

// simulated is what a phone shows at t when it is told settings: written from the words of the guide (phones.md d.2,
// d.3) and from nothing of the package, hour by hour, so that a mistake of the package can't hide.
type simulated struct {
	offset, extra time.Duration
	auto          bool
	changes       map[int][2]time.Time // year: start in standard time, stop in daylight saving time
	settings      map[string]string
}

func (s *simulated) shows(t *testing.T, at time.Time) time.Duration {
	if !s.auto {
		return s.offset
	}
	year := at.Add(s.offset).Year()
	c, ok := s.changes[year]
	if !ok {
		c = [2]time.Time{s.day(t, "dst_start_", year).Add(-s.offset), s.day(t, "dst_stop_", year).Add(-s.offset - s.extra)}
		s.changes[year] = c
	}
	summer := at.Compare(c[0]) >= 0
	winter := at.Compare(c[1]) >= 0
	if c[0].Before(c[1]) && summer && !winter || c[1].Before(c[0]) && (summer || !winter) {
		return s.offset + s.extra
	}
	return s.offset
}

func (s *simulated) day(t *testing.T, prefix string, year int) time.Time {
	t.Helper()
	var hits []time.Time
	for d := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
		if d.Month().String() == s.settings[prefix+"month"] && strings.HasPrefix(d.Weekday().String(), s.settings[prefix+"day_of_week"]) {
			hits = append(hits, d)
		}
	}
	var hour, minute int
	if _, err := fmt.Sscanf(s.settings[prefix+"time"]+"/0", "%d/%d", &hour, &minute); err != nil {
		t.Fatalf("%stime: %v", prefix, err)
	}
	week := s.settings[prefix+"week_of_month"]
	i := len(hits) - 1
	if week != "8" {
		i = int(week[0]-'0') - 1
	}
	return hits[i].Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// guideOffsets are the rows of phones.md d.2, typed again.
var guideOffsets = map[string]string{
	"IDL": "-12h", "NT": "-11h", "AHST": "-10h", "IMT": "-9h30m", "YST": "-9h", "PST": "-8h", "MST": "-7h", "CST": "-6h", "EST": "-5h",
	"AST": "-4h", "NST": "-3h30m", "BST": "-3h", "AT": "-2h", "WAT": "-1h", "GMT": "0h", "CET": "1h", "EET": "2h", "BT": "3h", "IT": "3h30m",
	"ZP4": "4h", "AFG": "4h30m", "ZP5": "5h", "IST": "5h30m", "ZP6": "6h", "SUM": "6h30m", "WAST": "7h", "HST": "8h", "JST": "9h",
	"CAST": "9h30m", "EAST": "10h", "EADT": "11h", "NZST": "12h",
}

func simulate(t *testing.T, settings map[string]string) *simulated {
	t.Helper()
	offset, err := time.ParseDuration(guideOffsets[settings["time_zone"]])
	if err != nil {
		t.Fatalf("time_zone %q: %v", settings["time_zone"], err)
	}
	s := &simulated{offset: offset, auto: settings["dst_auto_adjust"] == "1", settings: settings, changes: map[int][2]time.Time{}}
	if s.auto {
		var hour, minute int
		if _, err := fmt.Sscanf(settings["dst_offset"]+"/0", "%d/%d", &hour, &minute); err != nil {
			t.Fatalf("dst_offset: %v", err)
		}
		s.extra = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	}
	return s
}

func TestZonesThatPhonesCanExpress(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"UTC", "Europe/Brussels", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Athens", "Europe/Moscow", "Atlantic/Azores",
		"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage", "America/St_Johns", "America/Halifax",
		"America/Phoenix", "America/Sao_Paulo", "America/Havana", "Pacific/Honolulu", "Asia/Tokyo", "Asia/Kolkata", "Asia/Dubai", "Asia/Singapore",
		"Australia/Sydney", "Australia/Adelaide", "Australia/Darwin", "Australia/Perth", "Pacific/Auckland", "Africa/Johannesburg",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, warning, err := phone.ZoneFor(name, zoneStart)
			if err != nil || warning != "" {
				t.Fatalf("ZoneFor: %+v, %q, %v", zone, warning, err)
			}
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			said := simulate(t, zone.Settings())
			for at := zoneStart; at.Before(zoneStart.AddDate(8, 0, 0)); at = at.Add(30 * time.Minute) {
				_, seconds := at.In(loc).Zone()
				if got, want := said.shows(t, at), time.Duration(seconds)*time.Second; got != want {
					t.Fatalf("at %s the phone is %s from UTC, the zone %s; told %v", at, got, want, zone.Settings())
				}
			}
		})
	}
}

func TestZonesThatPhonesCannotExpress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ zone, told string }{
		{"Asia/Kathmandu", "IST"},      // +5:45
		{"Pacific/Chatham", "NZST"},    // +12:45 with DST
		{"Pacific/Kiritimati", "NZST"}, // +14
		{"Africa/Casablanca", "CET"},   // back to +0 in Ramadan only
		{"Australia/Lord_Howe", ""},    // +10:30 with half an hour of DST
		{"America/Santiago", "AST"},    // first Sunday after the 1st
		{"Africa/Cairo", "EET"},        // the day after the last Thursday
		{"Asia/Jerusalem", "EET"},      // Friday before the last Sunday
		{"America/Nuuk", "AT"},         // Saturday before the last Sunday
	} {
		t.Run(tt.zone, func(t *testing.T) {
			t.Parallel()
			zone, warning, err := phone.ZoneFor(tt.zone, zoneStart)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v: %s", zone, warning)
			if !strings.Contains(warning, tt.zone) {
				t.Errorf("no warning for %s: %+v", tt.zone, zone)
			}
			if tt.told != "" && zone.Name != tt.told {
				t.Errorf("told %s, want %s", zone.Name, tt.told)
			}
		})
	}
}

func TestZoneRules(t *testing.T) {
	t.Parallel()
	got, _, err := phone.ZoneFor("Europe/Brussels", time.Unix(0, 0)) // a clock that was never set
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"time_zone": "CET", "dst_auto_adjust": "1", "dst_offset": "1",
		"dst_start_month": "March", "dst_start_day": "0", "dst_start_day_of_week": "Sun", "dst_start_week_of_month": "8", "dst_start_time": "02",
		"dst_stop_month": "October", "dst_stop_day": "0", "dst_stop_day_of_week": "Sun", "dst_stop_week_of_month": "8", "dst_stop_time": "03",
	}
	settings := got.Settings()
	for k, v := range want {
		if settings[k] != v {
			t.Errorf("%s is %q, want %q", k, settings[k], v)
		}
	}
	for k, v := range settings {
		p, ok := phone.LookUpParameter(k)
		if !ok {
			t.Errorf("%s is not in the catalogue", k)
		} else if _, err := p.Check(v); err != nil {
			t.Error(err)
		}
	}
}

func TestUnknownZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Local", "Europe/Atlantis", "../etc/passwd"} {
		if zone, _, err := phone.ZoneFor(name, zoneStart); err == nil {
			t.Errorf("ZoneFor(%q) = %+v, want an error", name, zone)
		}
	}
}

func TestNextChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ zone, after, at, text string }{
		{"Europe/Brussels", "2026-11-01T00:00:00Z", "2027-03-28T01:00:00Z", "28 March 2027, 02:00"},
		{"Europe/Brussels", "2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z", "28 March 2027, 02:00"},
		{"Europe/Brussels", "2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z", "31 October 2027, 02:00"},
		{"America/New_York", "2026-07-01T00:00:00Z", "2026-11-01T06:00:00Z", "1 November 2026, 01:00"},
		{"Australia/Sydney", "2026-01-01T00:00:00Z", "2026-04-04T16:00:00Z", "5 April 2026, 02:00"},
		{"Australia/Sydney", "2026-12-31T23:30:00Z", "2027-04-03T16:00:00Z", "4 April 2027, 02:00"},
		{"Pacific/Auckland", "2026-05-01T00:00:00Z", "2026-09-26T14:00:00Z", "27 September 2026, 02:00"},
		{"Asia/Tokyo", "2026-05-01T00:00:00Z", "", ""},
	} {
		zone, _, err := phone.ZoneFor(tt.zone, zoneStart)
		if err != nil {
			t.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		at, ok := zone.NextChange(after)
		if text := zone.NextChangeText(after); text != tt.text || ok != (tt.at != "") || ok && at.Format(time.RFC3339) != tt.at {
			t.Errorf("%s after %s: found %s, %v, %q, wanted %s, %q", tt.zone, tt.after, at, ok, text, tt.at, tt.text)
		}
		loc, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		if _, end := after.In(loc).ZoneBounds(); ok && !end.Equal(at) {
			t.Errorf("%s after %s: found %s, Go says %s", tt.zone, tt.after, at, end)
		}
	}
}
