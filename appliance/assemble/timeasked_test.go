package assemble

import (
	"net/netip"
	"testing"
	"time"

	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/sntp"
)

func TestQuestionsForTheTimeAreKeptWithThePhone(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	defer run(t, b)()
	mac := phone.MAC{0, 6, 0xd7, 1, 2, 3}
	from := netip.MustParseAddrPort("127.77.1.9:40000")
	b.record(journal.Event{MAC: mac, Service: "dhcp", Kind: journal.Lease, Address: from.Addr(), Text: "got an address"})
	p := page{b}
	if got, known := p.Time(mac); !known || got.Asked != nil {
		t.Fatalf("before it asked: %+v, known %v", got.Asked, known)
	}
	asked := sntp.Event{
		Kind: sntp.EventAnswered, Time: b.clock.Now(), From: from, To: netip.MustParseAddr("224.0.1.1"), Destination: sntp.ToMulticast,
		Mode: 3, Version: 2, Stratum: 16, Count: 3,
	}
	b.onSNTP(asked)
	b.onSNTP(sntp.Event{Kind: sntp.EventDropped, Time: b.clock.Now(), From: from, Reason: "it is too short", Count: 40})
	check := func(when string) {
		t.Helper()
		got, _ := p.Time(mac)
		a := got.Asked
		if a == nil || a.Mode != 3 || a.Version != 2 || a.To != "224.0.1.1" || a.Destination != "224.0.1.1" || a.Stratum != 16 || a.Count != 3 ||
			a.Address != "127.77.1.9" || a.TooOften || time.Since(a.Time).Abs() > time.Minute {
			t.Errorf("%s: %+v", when, a)
		}
	}
	check("at once")
	b.times = times{} // as after a restart: it is in the journal
	check("from the journal")
	events := b.journal.Events(mac)
	if n := len(events); n < 3 || events[n-2].Text != "asked the time at 224.0.1.1 and was told that the box does not know it yet" ||
		events[n-1].Kind != journal.Note || events[n-1].Text != "NTP packet not answered: it is too short (40 of them in a second, perhaps not all from here)" {
		t.Errorf("the timeline: %+v", events)
	}
	for _, row := range b.unanswered.list(b.whose) {
		if row.Service == "sntp" && row.Count != 40 {
			t.Errorf("%d packets are counted, want 40", row.Count)
		}
	}
	b.onSNTP(sntp.Event{Kind: sntp.EventLimited, Time: b.clock.Now().Add(time.Second), From: from, Destination: sntp.ToBox, Mode: 3, Version: 4, Stratum: 3, Count: 1})
	if got, _ := p.Time(mac); got.Asked == nil || !got.Asked.TooOften {
		t.Errorf("after a kiss: %+v", got.Asked)
	}
}

// TestAQuestionIsNotForgottenForAnOlderOne: the phone asks while its page looks into the journal.
func TestAQuestionIsNotForgottenForAnOlderOne(t *testing.T) {
	var last times
	mac := phone.MAC{0, 6, 0xd7, 1, 2, 3}
	last.keep(&journal.Event{MAC: mac, Service: "sntp", Kind: journal.Time, Details: map[string]string{detailMode: "3", detailStratum: "2"}})
	last.put(mac, nil, false)
	if got, known := last.get(mac); !known || got == nil || got.Stratum != 2 {
		t.Errorf("got %+v, known %t", got, known)
	}
}
