package phone_test

import (
	"archive/zip"
	"fmt"
	"go/build"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

// everyZone reads the zones that Go embeds with time/tzdata, not those of the machine: the box has no others.
func everyZone(t *testing.T) map[string]*time.Location {
	t.Helper()
	archive, err := zip.OpenReader(filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	zones := map[string]*time.Location{}
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if zones[f.Name], err = time.LoadLocationFromTZData(f.Name, data); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	return zones
}

// moments are the times at which a phone is compared with a zone in ten years: noon of each day, and each half hour
// and the second before each hour for two days around each change.
func moments(loc *time.Location, from time.Time) []time.Time {
	var list []time.Time
	noon := from.Add(12 * time.Hour)
	_, before := noon.In(loc).Zone()
	for at := noon; at.Before(from.AddDate(10, 0, 0)); at = at.AddDate(0, 0, 1) {
		list = append(list, at)
		if _, now := at.In(loc).Zone(); now != before {
			before = now
			for half := -72; half <= 24; half++ {
				t := at.Add(time.Duration(half) * 30 * time.Minute)
				list = append(list, t, t.Add(-time.Second))
			}
		}
	}
	return list
}

// TestEveryZone tells a phone each zone and compares what it shows for ten years: by OffsetAt, and by the simulation that
// knows only the settings and the words of the guide.
func TestEveryZone(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	zones := everyZone(t)
	exact, near := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		loc := zones[name]
		zone, warning := phone.Express(name, loc, from)
		most := time.Duration(0) // that the phone may be wrong by
		if warning == "" {
			exact++
		} else {
			near = append(near, warning)
			minutes := 0
			if _, after, ok := strings.Cut(warning, "by up to "); ok && strings.Contains(warning, name) {
				_, _ = fmt.Sscanf(after, "%d minutes", &minutes)
			}
			if most = time.Duration(minutes) * time.Minute; most == 0 {
				t.Errorf("%s is warned of as %q", name, warning)
			}
		}
		said := simulate(t, zone.Settings())
		for _, at := range moments(loc, from) {
			_, seconds := at.In(loc).Zone()
			want := time.Duration(seconds) * time.Second
			if got, shown := zone.OffsetAt(at), said.shows(t, at); (got-want).Abs() > most || shown != got {
				t.Errorf("%s at %s: OffsetAt %s, a phone %s, the zone %s; told %v, warned %q", name, at, got, shown, want, zone.Settings(), warning)
				break
			}
		}
	}
	t.Logf("%d zones: %d exact, %d near, with a warning:\n%s", len(zones), exact, len(near), strings.Join(near, "\n"))
	if len(zones) < 590 || exact < 550 {
		t.Errorf("only %d zones, %d exact", len(zones), exact)
	}
}
