package phone_test

import (
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
)

// Every zone that is offered exists, and every zone of Go that is named after a place is offered.
func TestZoneNamesAreThoseOfGo(t *testing.T) {
	all := everyZone(t)
	names := phone.ZoneNames()
	if !slices.IsSorted(names) {
		t.Error("the names are not in the order of the alphabet")
	}
	for _, name := range names {
		if all[name] == nil {
			t.Errorf("%s is no time zone", name)
		}
	}
	for name := range all {
		area, _, ok := strings.Cut(name, "/")
		if legacy := []string{"Etc", "US", "Canada", "Brazil", "Chile", "Mexico"}; ok && !slices.Contains(legacy, area) && !slices.Contains(names, name) {
			t.Errorf("%s is not offered", name)
		}
	}
}

func TestFindZone(t *testing.T) {
	for text, want := range map[string]string{
		"brussels": "Europe/Brussels", " New York ": "America/New_York", "europe/lisbon": "Europe/Lisbon", "Europe/Lisbon": "Europe/Lisbon", "utc": "UTC",
		"argentina/ushuaia": "America/Argentina/Ushuaia",
		"Istanbul":          "Istanbul", // two zones are called so
		"CET":               "CET", "lis": "lis", "": "", "/": "/", "Etc/GMT+3": "Etc/GMT+3",
	} {
		if got := phone.FindZone(text); got != want {
			t.Errorf("%q is understood as %q, want %q", text, got, want)
		}
	}
}
