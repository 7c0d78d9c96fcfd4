package web

import (
	"testing"
	"time"
	_ "time/tzdata" // as the daemon has it
)

// Every place of the list must be one that the box knows.
func TestEveryZoneOfTheListIsThere(t *testing.T) {
	n := 0
	for _, a := range zoneNames {
		for _, place := range a.Places {
			n++
			if _, err := time.LoadLocation(a.Area + "/" + place); err != nil {
				t.Errorf("%s/%s: %v", a.Area, place, err)
			}
		}
	}
	if n < 400 {
		t.Errorf("found %d places", n)
	}
}
