package provision_test

import (
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

// TestAPhoneElsewhereHasAClockOfItsOwn gives a phone a time zone and another one parameters, and reads what is sent.
func TestAPhoneElsewhereHasAClockOfItsOwn(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Phones[0].Zone = "Asia/Kathmandu"
	cfg.Phones[1].Parameters = map[string]string{"DST_Auto_Adjust": "0"}
	p, _ := start(t, cfg, newWorld(), nil)

	_, own := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt})
	_, all := ask(t, p, provision.Query{Name: "SIPDefault.cnf", From: receptionAt})
	if !strings.Contains(own, "time_zone: IST") || !strings.Contains(own, `dst_auto_adjust: 0`) || !strings.Contains(all, "time_zone: CET") {
		t.Errorf("sent:\n%s\n%s", own, all)
	}
	for mac, want := range map[phone.MAC]string{
		{}:        "Europe/Brussels: CET (UTC+01:00), summer time UTC+02:00 from the last Sunday of March, 02:00 to the last Sunday of October, 03:00",
		reception: "Asia/Kathmandu: IST (UTC+05:30), no summer time",
		workshop:  "Europe/Brussels: CET (UTC+01:00), no summer time",
		stranger:  "Europe/Brussels: CET (UTC+01:00), summer time UTC+02:00 from the last Sunday of March, 02:00 to the last Sunday of October, 03:00",
	} {
		c, goesBy := p.Clock(mac)
		if got := c.Zone + ": " + c.Told.String(); got != want || goesBy != nil || len(c.Doubts) > 0 {
			t.Errorf("%s: found %s, %v, wanted %s", mac, got, goesBy, want)
		}
	}
	if got := p.OwnClocks(); !slices.Equal(got, []phone.MAC{reception, workshop}) {
		t.Errorf("clocks of their own: %v", got)
	}
	if w := p.Warnings(); !slices.ContainsFunc(w, func(s string) bool { return strings.Contains(s, "Asia/Kathmandu") }) {
		t.Errorf("nothing warns of a zone that no phone can show: %q", w)
	}
	if e := effective(t, p, reception, "time_zone"); e.Value != "IST" || e.Written != phone.FileSIPMAC {
		t.Errorf("time_zone of the phone elsewhere: %+v", e)
	}
}

// TestAPhoneGoesByWhatItWasToldUntilItStartsAgain changes the site's zone after one phone has fetched its files.
func TestAPhoneGoesByWhatItWasToldUntilItStartsAgain(t *testing.T) {
	t.Parallel()
	cfg := office()
	p, _ := start(t, cfg, newWorld(), nil)
	fetch := func() {
		ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", From: receptionAt})
		ask(t, p, provision.Query{Name: "SIPDefault.cnf", From: receptionAt})
	}
	fetch()
	ask(t, p, provision.Query{Name: "SIP00156200A1B2.cnf", MAC: workshop}) // the page looks: that tells the phone nothing
	cfg.Zone = "Europe/London"
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	now, goesBy := p.Clock(reception)
	if now.Told.Name != "GMT" || goesBy == nil || goesBy.Told.Name != "CET" || !slices.Equal(p.OwnClocks(), []phone.MAC{reception}) {
		t.Errorf("after the zone was changed: %+v, %+v, %v", now, goesBy, p.OwnClocks())
	}
	if _, goesBy := p.Clock(workshop); goesBy != nil {
		t.Errorf("a phone that fetched nothing goes by %+v", goesBy)
	}
	fetch()
	if _, goesBy := p.Clock(reception); goesBy != nil || len(p.OwnClocks()) > 0 {
		t.Errorf("after it started again it goes by %+v", goesBy)
	}
}

func TestAWrongZoneOfAPhoneIsRefused(t *testing.T) {
	t.Parallel()
	cfg := office()
	p, _ := start(t, cfg, newWorld(), nil)
	cfg.Phones = slices.Clone(cfg.Phones)
	cfg.Phones[0].Zone = "Europe/Atlantis"
	if err := p.Apply(cfg); err == nil || !strings.Contains(err.Error(), "Atlantis") || !strings.Contains(err.Error(), reception.String()) {
		t.Errorf("found %v", err)
	}
}
