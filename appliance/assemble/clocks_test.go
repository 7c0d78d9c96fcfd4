package assemble

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

// TestWhatTheClocksShow asks a box what its phones show: one for all, one that is elsewhere, and one that a parameter leads
// astray.
func TestWhatTheClocksShow(t *testing.T) {
	text := strings.Replace(goodSite, "upstream = []", "upstream = []\nzone = \"Europe/Brussels\"", 1) + `
[[phones]]
mac = "00:06:D7:AA:2A:2F"
label = "Annexe"
zone = "Asia/Kathmandu"
[[phones]]
mac = "00:06:D7:AA:2A:30"
[phones.parameters]
time_zone = "EST"
`
	b := open(t, t.TempDir(), map[string]string{"site.toml": text})
	defer b.store.Close()
	if err := b.clock.Set(t.Context(), time.Date(2030, time.March, 1, 12, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	s := b.shop
	all := s.PhoneClock(phone.MAC{})
	if len(all.Shows) != 2 || all.Shows[0].Local != "Fri 1 Mar 2030, 13:00" || all.Shows[0].Offset != "+01:00" || all.Warning != "" ||
		all.Shows[1].Before != "Sun 31 Mar 2030, 02:00" || all.Shows[1].Local != "Sun 31 Mar 2030, 03:00" || all.Shows[1].Wrong != 0 {
		t.Errorf("in Brussels: %+v", all)
	}
	own := s.PhoneClocks()
	if len(own) != 2 {
		t.Fatalf("clocks of their own: %+v", own)
	}
	if c := own[0]; c.Label != "Annexe" || c.Zone != "Asia/Kathmandu" || c.Shows[0].Local != "Fri 1 Mar 2030, 17:30" || c.Shows[0].Wrong != -900 ||
		!strings.HasPrefix(c.Warning, "The phones can't express the time zone Asia/Kathmandu") || !strings.Contains(c.Warning, "wrong by up to 15 minutes, always") {
		t.Errorf("in Kathmandu: %+v", c)
	}
	if c := own[1]; c.Zone != "Europe/Brussels" || c.Shows[0].Wrong != -6*3600 || !strings.HasPrefix(c.Told, "EST (UTC-05:00), summer time") ||
		!strings.HasPrefix(c.Warning, "What is told, EST (UTC-05:00), is not the time of Europe/Brussels: the clock is wrong by up to ") {
		t.Errorf("with a parameter: %+v", c)
	}
	c := page{b}.Status().Clock
	if !c.Trusted || c.Stratum != 10 || c.ErrorS < 1 || c.HeldS != 0 || c.Now.Year() != 2030 || c.Since.Year() != 2030 {
		t.Errorf("the box's own clock: %+v", c)
	}
}

// TestTheClocksOfManyPhones: after the site's time zone was changed, what each phone goes by is compared with the new one.
func TestTheClocksOfManyPhones(t *testing.T) {
	var text strings.Builder
	text.WriteString(goodSite)
	const phones = 300
	for i := range phones {
		fmt.Fprintf(&text, "[[phones]]\nmac = \"00:07:EB:00:%02X:%02X\"\nzone = \"Africa/Casablanca\"\n", i>>8, i&255)
	}
	b := open(t, t.TempDir(), map[string]string{"site.toml": text.String()})
	defer b.store.Close()
	one := testing.AllocsPerRun(3, func() { b.shop.PhoneClock(phone.MAC{0, 7, 0xeb, 0, 0, 1}) })
	all := testing.AllocsPerRun(3, func() {
		if n := len(b.shop.PhoneClocks()); n != phones {
			t.Errorf("%d clocks, wanted %d", n, phones)
		}
	})
	if all > phones*one/4 {
		t.Errorf("%d clocks that are alike allocate %.0f times, one %.0f times: each was compared", phones, all, one)
	}
}
