package phone_test

import (
	"testing"

	"phonebox/services/phone"
)

func TestVendorClasses(t *testing.T) {
	t.Parallel()
	for class, want := range map[string]bool{
		"Cisco Systems, Inc. IP Phone": true, "Cisco Systems, Inc. IP Phone\x00": true, "Cisco Systems, Inc. IP Phone CP-7940\x00": true,
		"Cisco Systems, Inc. IP Phone CP-7960G": true, "cisco systems, inc. ip phone cp-7960g": true,
		"Cisco Systems, Inc. IP Phone CP-7941G": false, "Cisco Systems, Inc. IP Phone 7912": false, "CISCO ATA190": false, "yealink": false, "": false,
	} {
		if got := phone.IsVendorClass(class); got != want {
			t.Errorf("%q: got %v, want %v", class, got, want)
		}
	}
	for prefix, want := range map[string]bool{
		"": true, "cisco": true, "Cisco Systems, Inc. IP Phone CP-79": true, "Cisco Systems, Inc. IP Phone CP-7960G": true,
		"Cisco Systems, Inc. IP Phone CP-7941": false, "CISCO ATA": false, "Polycom": false, "Cisco Systems, Inc. IP Phone CP-7960G-GE": true,
	} {
		if got := phone.MayBeVendorClass(prefix); got != want {
			t.Errorf("prefix %q: got %v, want %v", prefix, got, want)
		}
	}
}

func TestForbiddenOptions(t *testing.T) {
	t.Parallel()
	forbidden := map[int]bool{-1: true, 0: true, 255: true, 50: true, 51: true, 52: true, 53: true, 54: true, 55: true, 57: true, 58: true, 59: true, 61: true, 80: true, 82: true, 118: true}
	for code := -1; code <= 255; code++ {
		if got := phone.ForbiddenOption(code) != ""; got != forbidden[code] {
			t.Errorf("option %d: forbidden %v, want %v", code, got, forbidden[code])
		}
	}
}
