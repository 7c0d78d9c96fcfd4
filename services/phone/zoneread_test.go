package phone_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

func readZone(settings map[string]string) (phone.TimeZone, []string) {
	return phone.ReadTimeZone(func(name string) string { return settings[name] })
}

// TestWhatIsWrittenIsReadBack tells a phone each of some zones and reads what it was told.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Brussels", "Australia/Sydney", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana"} {
		zone, _, err := phone.ZoneFor(name, zoneStart)
		if err != nil {
			t.Fatal(err)
		}
		if got, doubts := readZone(zone.Settings()); got != zone || len(doubts) > 0 {
			t.Errorf("%s: read %+v, %q, wanted %+v", name, got, doubts, zone)
		}
	}
}

func TestReadTimeZone(t *testing.T) {
	t.Parallel()
	rule := map[string]string{
		"time_zone": "cet", "dst_auto_adjust": "1", "dst_offset": "+01/00",
		"dst_start_month": "Mar", "dst_start_day": "", "dst_start_day_of_week": "1", "dst_start_week_of_month": "8", "dst_start_time": "2:00",
		"dst_stop_month": "10", "dst_stop_day": "0", "dst_stop_day_of_week": "sunday", "dst_stop_week_of_month": "8", "dst_stop_time": "03/00",
	}
	with := func(pairs ...string) map[string]string {
		m := maps.Clone(rule)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	const brussels = "CET (UTC+01:00), summer time UTC+02:00 from the last Sunday of March, 02:00 to the last Sunday of October, 03:00"
	for name, tt := range map[string]struct {
		told          map[string]string
		words, doubts string
	}{
		"each way to write it":         {rule, brussels, ""},
		"nothing, so as the factory":   {nil, "EST (UTC-05:00), summer time UTC-04:00 from the first Sunday of April, 02:00 to the last Sunday of October, 02:00", ""},
		"no summer time":               {with("dst_auto_adjust", "0"), "CET (UTC+01:00), no summer time", ""},
		"a day of the month":           {with("dst_start_day", "15"), strings.Replace(brussels, "the last Sunday of March", "15 March", 1), ""},
		"a zone that nobody knows":     {with("time_zone", "MEST", "dst_auto_adjust", "0"), "MEST (UTC+00:00), no summer time", `time_zone is "MEST"`},
		"a fifth week":                 {with("dst_stop_week_of_month", "5"), strings.Replace(brussels, "last Sunday of October", "fifth Sunday of October", 1), "is 5: nobody knows"},
		"a month that is none":         {with("dst_start_month", "Mensis"), strings.Replace(brussels, "March", "April", 1), `dst_start_month is "Mensis"`},
		"a time that is none":          {with("dst_start_time", "25"), brussels, `dst_start_time is "25", which is no time; the factory's "02" is taken`},
		"an offset of half an hour":    {with("dst_offset", "0/30"), strings.Replace(brussels, "+02:00 from", "+01:30 from", 1), ""},
		"an offset the other way":      {with("dst_offset", "-1"), strings.Replace(brussels, "+02:00 from", "+00:00 from", 1), ""},
		"UNPROVISIONED is the factory": {with("time_zone", "UNPROVISIONED", "dst_auto_adjust", "0"), "EST (UTC-05:00), no summer time", ""},
	} {
		zone, doubts := readZone(tt.told)
		if said := strings.Join(doubts, "; "); zone.String() != tt.words || !strings.Contains(said, tt.doubts) || (tt.doubts == "") != (said == "") {
			t.Errorf("%s: read %q with doubts %q, wanted %q and %q", name, zone, said, tt.words, tt.doubts)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	brussels, _, _ := phone.ZoneFor("Europe/Brussels", zoneStart)
	kathmandu, _, _ := phone.ZoneFor("Asia/Kathmandu", zoneStart)
	us, _ := readZone(map[string]string{"time_zone": "EST"}) // with the rule of before 2007
	for _, tt := range []struct {
		zone       phone.TimeZone
		place, now string
		shown      []string // moment, what the phone shows, what is right
		warning    string
	}{
		{brussels, "Europe/Brussels", "2026-11-30T12:00:00Z", []string{"2026-11-30T12:00 1h0m0s 1h0m0s", "2027-03-28T01:00 2h0m0s 2h0m0s"}, ""},
		{brussels, "Europe/London", "2026-07-01T12:00:00Z", []string{"2026-07-01T12:00 2h0m0s 1h0m0s", "2026-10-25T01:00 1h0m0s 0s"}, "what is told, CET (UTC+01:00), is not the time of Europe/London: the clock is wrong by up to 60 minutes, always"},
		{kathmandu, "Asia/Kathmandu", "2026-07-01T12:00:00Z", []string{"2026-07-01T12:00 5h30m0s 5h45m0s"}, "wrong by up to 15 minutes, always"},
		{us, "America/New_York", "2026-03-01T12:00:00Z", []string{"2026-03-01T12:00 -5h0m0s -5h0m0s", "2026-03-08T07:00 -5h0m0s -4h0m0s", "2026-04-05T07:00 -4h0m0s -4h0m0s"}, "wrong by up to 60 minutes, for about"},
	} {
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		list, warning, err := tt.zone.Compare(tt.place, now)
		if err != nil {
			t.Fatal(err)
		}
		var shown []string
		for i, s := range list {
			shown = append(shown, s.At.Format("2006-01-02T15:04")+" "+s.Offset.String()+" "+s.Right.String())
			if s.Changes != (i > 0) {
				t.Errorf("%s: %+v", tt.place, s)
			}
		}
		if !slices.Equal(shown, tt.shown) || !strings.Contains(warning, tt.warning) || (warning == "") != (tt.warning == "") {
			t.Errorf("%s in %s: found %q, %q, wanted %q, %q", tt.zone, tt.place, shown, warning, tt.shown, tt.warning)
		}
	}
	if _, _, err := brussels.Compare("Europe/Atlantis", zoneStart); err == nil {
		t.Error("a zone that does not exist is compared with")
	}
}

// FuzzReadTimeZone reads any settings: what is read must be a rule that can be written and read again, and compared.
func FuzzReadTimeZone(f *testing.F) {
	f.Add("CET", "1", "1", "March", "0", "Sun", "8", "02")
	f.Add("", "", "+01/30", "3", "31", "7", "6", "23:59")
	f.Fuzz(func(t *testing.T, name, auto, offset, month, day, weekday, week, clock string) {
		zone, _ := readZone(map[string]string{
			"time_zone": name, "dst_auto_adjust": auto, "dst_offset": offset,
			"dst_start_month": month, "dst_start_day": day, "dst_start_day_of_week": weekday, "dst_start_week_of_month": week, "dst_start_time": clock,
			"dst_stop_month": "October", "dst_stop_day": day, "dst_stop_day_of_week": "Sunday", "dst_stop_week_of_month": "8", "dst_stop_time": "03",
		})
		if len(zone.Name) < 5 {
			if again, doubts := readZone(zone.Settings()); again.String() != zone.String() && len(doubts) == 0 {
				t.Errorf("read %s, written and read again %s", zone, again)
			}
		}
		if _, _, err := zone.Compare("Europe/Brussels", zoneStart); err != nil {
			t.Error(err)
		}
	})
}
