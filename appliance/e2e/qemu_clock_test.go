package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"phonebox/appliance/phonesim"
)

// withoutRTC looks at a computer that has no real-time clock, after a power cut: it knows that it does not know the time, and
// what it shows is not before what it showed.
func (r *qemuRun) withoutRTC() {
	r.t.Helper()
	c := r.status().Clock
	if c.Trusted || c.Stratum != 16 || !strings.Contains(c.RTC, "no real-time clock") {
		r.t.Errorf("without a real-time clock the clock is %+v, wanted it not trusted", c)
	}
	if now := r.systemClock(); now.Before(r.shown) {
		r.t.Errorf("after a power cut the system clock shows %s, which is before what it showed: %s", now, r.shown)
	}
	if a := r.askTime(); a.Validate() == nil || a.Leap != 3 || a.Time.Before(r.shown) {
		r.t.Errorf("without a real-time clock NTP says stratum %d, leap %d, %s: wanted unsynchronised, and not before %s", a.Stratum, a.Leap, a.Time, r.shown)
	}
	r.pageSays("Not known for sure", "no real-time clock", "not synchronised (stratum 16)")
	if result := r.phoneAsksTime(); result.ClockOffset != nil {
		r.t.Errorf("a phone took the time, stratum %d, from a box that does not know it", result.ClockStratum)
	}
}

// oneClick tells the time as the button of the page does, on a computer without a real-time clock.
func (r *qemuRun) oneClick() {
	r.t.Helper()
	form := fmt.Sprintf("unix=%.3f&utc=", float64(time.Now().UnixMilli())/1000)
	code, body, _ := r.call(r.laptop, http.MethodPost, "/clock", []byte(form),
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	if code != http.StatusSeeOther {
		r.t.Fatalf("the button that takes the browser's time: found %d: %.300s", code, body)
	}
	r.rightTime("after one click")
	if a := r.askTime(); a.Stratum != 10 || a.RootDispersion < time.Second {
		r.t.Errorf("after one click NTP says stratum %d, root dispersion %s, wanted 10 and a second at least", a.Stratum, a.RootDispersion)
	}
	r.pageSays("Known from a browser, stratum 10")
	if result := r.phoneAsksTime(); result.ClockOffset == nil || *result.ClockOffset < -3 || *result.ClockOffset > 3 || result.ClockStratum != 10 {
		r.t.Errorf("after one click a phone has the offset %v, stratum %d", result.ClockOffset, result.ClockStratum)
	}
}

// byRTC looks at a computer whose real-time clock is right.
func (r *qemuRun) byRTC() {
	r.t.Helper()
	if c := r.status().Clock; !c.Trusted || c.Stratum != 12 || !strings.Contains(c.Source, "real-time clock") {
		r.t.Errorf("with a right real-time clock the clock is %+v, wanted it trusted at stratum 12", c)
	}
	r.rightTime("with a right real-time clock")
	r.pageSays("Known from the real-time clock, stratum 12")
	r.waitServing()
	if result := r.phoneAsksTime(); result.ClockOffset == nil || *result.ClockOffset < -3 || *result.ClockOffset > 3 || result.ClockStratum != 12 {
		r.t.Errorf("with a right real-time clock a phone has the offset %v, stratum %d", result.ClockOffset, result.ClockStratum)
	}
}

// pageSays looks for words on the page of the time.
func (r *qemuRun) pageSays(words ...string) {
	r.t.Helper()
	code, body, _ := r.call(r.laptop, http.MethodGet, "/time", nil)
	for _, w := range words {
		if code != http.StatusOK || !strings.Contains(string(body), w) {
			r.t.Errorf("the page of the time (%d) lacks %q:\n%s", code, w, body)
		}
	}
}

// phoneAsksTime boots the listed phone again, which asks the time on its way.
func (r *qemuRun) phoneAsksTime() phonesim.Result {
	r.t.Helper()
	r.waitServing()
	p, unplug := plug(r.t, phonesim.Config{Link: r.wire, MAC: r.mac, Want: imageTarget})
	defer unplug()
	return waitDone(r.t, p, 2*time.Minute)
}
