package phone

import (
	"encoding/binary"
	"testing"
	"time"
)

// ruleZone makes a zone that has no list of changes but a rule alone (RFC 9636 section 3.3), as those of time/tzdata have
// for the years to come. On a machine with zone files of its own the other tests never meet one; the box has no others.
func ruleZone(t *testing.T, rule string) *time.Location {
	t.Helper()
	block := append([]byte("TZif2"), make([]byte, 39)...)
	binary.BigEndian.PutUint32(block[36:], 1) // one kind of time
	binary.BigEndian.PutUint32(block[40:], 4) // four bytes of names
	block = append(block, 0, 0, 0x0E, 0x10, 0, 0, 'C', 'E', 'T', 0)
	data := append(append([]byte{}, block...), block...)
	loc, err := time.LoadLocationFromTZData("rule", append(data, "\n"+rule+"\n"...))
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestChangesByRule would not end where the walk over a zone stands still at the end of the leap year 2028.
func TestChangesByRule(t *testing.T) {
	loc := ruleZone(t, "CET-1CEST,M3.5.0,M10.5.0/3")
	from := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	got := changesOf(loc, from, from.AddDate(zoneYears, 0, 0))
	if len(got) != 2*zoneYears {
		t.Fatalf("found %d changes in %d years, wanted two a year", len(got), zoneYears)
	}
	for i, c := range got {
		want, after := time.March, 2*time.Hour
		if i%2 == 1 {
			want, after = time.October, time.Hour
		}
		if at := c.at.UTC(); c.after != after || at.Year() != 2026+i/2 || at.Month() != want || at.Weekday() != time.Sunday || at.Hour() != 1 {
			t.Errorf("change %d: found %s to %s, wanted a Sunday of %s %d at 01:00 UTC to %s", i, at, c.after, want, 2026+i/2, after)
		}
	}
}
