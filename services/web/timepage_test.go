package web_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// TestTimePage shows what is known of the time, each server with its verdict, and what the phones show.
func TestTimePage(t *testing.T) {
	r := apiRig(t)
	c := r.login()
	reception := mac(t, "00:06:D7:AA:2A:2E")
	at := time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC)
	r.box.status.Clock = web.Clock{
		Trusted: true, Source: "pool.ntp.org (192.0.2.1)", Stratum: 3, OffsetS: -0.002, ErrorS: 0.0312, HeldS: 40, DriftPPM: -12.5,
		Now: time.Date(2026, 11, 30, 20, 59, 1, 0, time.UTC), RTC: "There is no real-time clock.",
		Servers: []web.TimeServer{
			{Name: "pool.ntp.org", Address: "192.0.2.1", Verdict: "followed", Stratum: 2, OffsetS: 0.001, DelayS: 0.02, ErrorS: 0.03, Reach: 255},
			{Name: "192.0.2.9", Address: "192.0.2.9", Verdict: "not right", Stratum: 1, OffsetS: -10, DelayS: 0.02, ErrorS: 0.01, Reach: 255},
			{Name: "192.0.2.10", Address: "192.0.2.10", Verdict: "silent", Why: "it does not answer"},
		},
	}
	r.shop.clocks = []web.PhoneClock{{
		MAC: reception, Label: "Far away", Zone: "Asia/Kathmandu", Told: "IST (UTC+05:30), no summer time", Restart: true,
		Warning: "The phones can't express the time zone.", Doubts: []string{"Something is odd."},
		Shows: []web.ShownAt{
			{At: r.clock.Now(), Local: "Mon 30 Nov 2026, 21:59", Offset: "+05:30", Wrong: -900},
			{At: at, Before: "Sun 28 Mar 2027, 02:00", Local: "Sun 28 Mar 2027, 03:00", Offset: "+06:30"},
		},
	}}
	w := r.do(call{path: "/time", cookie: c})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Known from pool.ntp.org (192.0.2.1), stratum 3; it may be wrong by 31.2 ms.", "30 November 2026, 20:59:01 UTC", "40.0 s ago", "-12.5 ppm",
		"There is no real-time clock.", "the box goes by it", "tells another time than most, and is not believed", "10.0 s behind the box", "it does not answer",
		"Take this browser", `name="utc"`, "Europe/Brussels", "Far away", "15 minutes behind",
		"Sun 28 Mar 2027, 02:00 becomes 03:00 (UTC&#43;06:30)", "express the time zone", "Something is odd.", "once it starts again")
	w = r.do(call{path: "/phones/0006D7AA2A2E", cookie: c})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "What its clock shows", "Asia/Kathmandu", "15 minutes behind")
	if strings.Contains(w.Body.String(), "or none") {
		t.Error("the page doubts a time that is known")
	}

	var told struct {
		Clock  web.Clock
		Phones web.PhoneClock
		Own    []web.PhoneClock
	}
	w = r.do(call{path: "/api/v1/time", basic: true})
	wantCode(t, w, 200)
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || len(told.Clock.Servers) != 3 || told.Phones.Zone != "Europe/Brussels" || len(told.Own) != 1 {
		t.Errorf("/api/v1/time: %v, %+v", err, told)
	}
	var one web.PhoneClock
	w = r.do(call{path: "/api/v1/phones/0006D7AA2A2E/clock", basic: true})
	wantCode(t, w, 200)
	if err := json.Unmarshal(w.Body.Bytes(), &one); err != nil || one.Zone != "Asia/Kathmandu" || one.Shows[0].Wrong != -900 {
		t.Errorf("the time of a phone: %v, %+v", err, one)
	}
	wantCode(t, r.do(call{path: "/api/v1/phones/000000000001/clock", basic: true}), 404)
	wantCode(t, r.do(call{path: "/api/v1/time"}), 401)
}

func TestTheTimePageIsBounded(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	for i := range 60 {
		r.shop.clocks = append(r.shop.clocks, web.PhoneClock{MAC: phone.MAC{0, 6, 0xd7, 0, 0, byte(i + 1)}, Zone: "Asia/Tokyo"})
	}
	w := r.do(call{path: "/time", cookie: r.login()})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "10 more phones have a clock of their own")
	if n := strings.Count(w.Body.String(), "<dd>Asia/Tokyo</dd>"); n != 50 {
		t.Errorf("%d clocks are shown, wanted 50", n)
	}
}

func TestTheTimePageSaysSinceWhenNoServerAnswers(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.box.status.Clock = web.Clock{Trusted: true, Source: "192.0.2.1", Stratum: 3, HeldS: 3 * 3600, ErrorS: 0.2}
	c := r.login()
	for _, path := range []string{"/time", "/"} {
		w := r.do(call{path: path, cookie: c})
		wantCode(t, w, 200)
		wantText(t, w.Body.String(), "Known from 192.0.2.1, stratum 3. It has not answered for 3 hours; the time goes on and may be wrong by 200.0 ms by now.")
	}
}

func TestTheTimePageSaysThatItDoesNotKnow(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.box.status.Clock = web.Clock{Source: "the last time that was known", Stratum: 16, Problem: "No time from upstream: no server gave a usable answer."}
	w := r.do(call{path: "/time", cookie: r.login()})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Not known for sure (from: the last time that was known)", "not synchronised (stratum 16)", "No time from upstream",
		"so the phones may show another time, or none")
}
