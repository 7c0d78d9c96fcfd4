package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"phonebox/services/web"
)

// A phone that lacks firmware is one thing to do, and a conversion that failed says why where a person looks first.
func TestEachNeedOfTheOfficeIsSaidOnce(t *testing.T) {
	r := newRig(t, nil)
	furnishOffice(t, r)
	r.setUp()
	w := r.do(call{path: "/api/v1/overview", basic: true})
	wantCode(t, w, 200)
	o := decode[web.Overview](t, w.Body)
	var got []string
	for _, n := range o.Needs {
		got = append(got, n.Key)
		if n.Key == "conversion-failed" && (n.What != "The conversion of Loading dock failed." || !strings.HasPrefix(n.Why, "Three tries of the step") || n.Do[1].Path != "/phones/00070E10069D") {
			t.Errorf("the failed conversion says %q, %q and offers %+v", n.What, n.Why, n.Do)
		}
	}
	if want := "stuck-00070e112233 conversion-failed unlisted names"; strings.Join(got, " ") != want {
		t.Errorf("the needs are %q, want %q", strings.Join(got, " "), want)
	}
	if o.Sentence != "14 of 20 phones ready, 3 loading firmware, 1 starting, 1 never seen, 1 not listed, 1 stuck: Warehouse." {
		t.Errorf("the sentence is %q", o.Sentence)
	}
	if last := o.Hour[len(o.Hour)-1]; len(o.Hour) != 60 || last.Tally != o.Phones {
		t.Errorf("the last of %d minutes has %+v, and now there are %+v", len(o.Hour), last.Tally, o.Phones)
	}
	// Where another phone lacks the same, and is not stuck, that is said.
	r.shop.mu.Lock()
	for i := range r.shop.converts {
		if r.shop.converts[i].Label == "Stores" {
			r.shop.converts[i].Phase, r.shop.converts[i].Missing = "blocked", []string{"P003-8-12-00.bin is not on the firmware shelf"}
		}
	}
	r.shop.mu.Unlock()
	wantText(t, r.do(call{path: "/", cookie: r.login()}).Body.String(), "Firmware is missing for 1 phone.", "Stores")
}

// A stuck phone is at one place of its way; one that nobody plugged in is at none, and cannot be restarted.
func TestAPhoneIsAtOnePlaceOfItsWay(t *testing.T) {
	r := newRig(t, nil)
	furnishOffice(t, r)
	r.setUp()
	cookie := r.login()
	for path, want := range map[string]string{
		"00070E112233": "done done trouble ahead ahead ahead",
		"0006D7AA2A2E": "done done none done done done",
		"000A41AABBCD": "ahead ahead ahead ahead ahead ahead",
	} {
		body := r.do(call{path: "/phones/" + path, cookie: cookie}).Body.String()
		var got []string
		for _, m := range regexp.MustCompile(`<li class="(done|now|ahead|trouble|none)">`).FindAllStringSubmatch(body, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("the stages of %s are %q, want %q", path, got, want)
		}
		if restart := strings.Contains(body, "/restart\""); restart == (path == "000A41AABBCD") {
			t.Errorf("%s can be restarted: %v", path, restart)
		}
	}
	wantText(t, r.do(call{path: "/phones/0006D7AA2A2E", cookie: cookie}).Body.String(), "It came from the switch port Gi1/0/5.")
}

// What is done standing beside a phone is two taps away from the first page, whatever the box is busy with.
func TestWhatATechnicianNeedsIsTwoTapsAway(t *testing.T) {
	r := newRig(t, nil)
	furnishOffice(t, r)
	r.setUp()
	cookie := r.login()
	link := regexp.MustCompile(`(?:href|formaction)="(/[^"?#]*)`)
	near := map[string]bool{}
	links := func(path string) (out []string) {
		for _, m := range link.FindAllStringSubmatch(r.do(call{path: path, cookie: cookie}).Body.String(), -1) {
			if !strings.HasPrefix(m[1], "/assets/") {
				out = append(out, m[1])
			}
		}
		return out
	}
	seen := map[string]bool{}
	for _, first := range links("/") {
		near[first] = true
		if seen[first] {
			continue
		}
		seen[first] = true
		for _, second := range links(first) {
			near[second] = true
		}
	}
	for what, path := range map[string]string{
		"a phone that is stuck": "/phones/00070E112233", "any other phone": "/phones/0006D7AA2A2E", "adding a phone": "/phones/new", "the scanner": "/phones/scan",
		"what can be wrong": "/help", "firmware": "/firmware", "the report": "/conversions/report", "the target": "/conversions/target", "the provider": "/settings/phones",
		"the time": "/time", "the names": "/names", "the log": "/system/log", "a backup": "/system/backup", "the dial plan": "/dialplan", "lines that wait": "/phones/lines",
	} {
		if !near[path] {
			t.Errorf("%s (%s) is more than two taps away", what, path)
		}
	}
}

// On a narrow screen the navigation leaves the screen to the page, and shows where one is.
func TestTheNavigationLeavesRoomOnANarrowScreen(t *testing.T) {
	r := newRig(t, single)
	furnishOffice(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	b.do(chromedp.EmulateViewport(320, 700))
	const most = 150 // pixels above the page
	for _, path := range []string{"", "phones", "phones/scan", "phones/lines", "help", "conversions/report", "settings/file", "password"} {
		b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
		for _, language := range []string{"en", "de"} {
			b.do(chromedp.Navigate(fmt.Sprintf("%s%s?lang=%s", url, path, language)), chromedp.WaitVisible(chromedp.CSS(`html[lang="`+language+`"] main`)))
			if top := eval[float64](b, `document.querySelector("main").getBoundingClientRect().top`); top > most {
				t.Errorf("%s in %s begins %v pixels below the edge of the screen, allowed are %d", path, language, top, most)
			}
			if eval[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
				t.Errorf("%s in %s is wider than the screen", path, language)
			}
			waitFor(t, "one sees where one is at "+path, func() bool {
				return eval[bool](b, `[...document.querySelectorAll("header nav [aria-current], nav.sub [aria-current]")].every(e => { const r = e.getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && r.height >= 36 })`)
			})
		}
	}
	// With the navigation of htmx, too.
	b.do(chromedp.Navigate(url+"system?lang=en"), chromedp.WaitVisible(chromedp.CSS("nav.sub")))
	eval[chromedp.Void](b, `document.querySelector('nav.sub a[href="/password"]').click()`)
	b.see("Who is logged in")
	waitFor(t, "one sees where one is", func() bool {
		return eval[bool](b, `(r => r.left >= 0 && r.right <= innerWidth)(document.querySelector('nav.sub [aria-current]').getBoundingClientRect())`)
	})
	b.quiet()
}
