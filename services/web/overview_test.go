package web_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// troubled is a box with everything that a person may be needed for.
func troubled(t *testing.T, r *rig) {
	t.Helper()
	furnish(t, r)
	furnishActivity(t, r)
	r.box.furnishNames(mac(t, reception), r.clock.Now())
	r.box.mu.Lock()
	r.box.status.Services = map[string]web.Service{
		"dhcp": {State: "held", Detail: "another server answers"}, "tftp": {State: "running"}, "sntp": {State: "running"},
		"dns": {State: "failed", Detail: "listening on 10.77.0.1:53: address already in use"}, "sip": {State: "off"}, "web": {State: "running"},
	}
	r.box.status.Others = []web.OtherDHCP{{Address: "10.77.0.254", MAC: "52:54:00:12:34:56", Offered: "10.77.9.9", Seen: r.clock.Now()}}
	r.box.status.Clock = web.Clock{Source: "the last known time"}
	r.box.mu.Unlock()
	r.shop.waiting = []web.ImportReport{{ID: "i1", Name: "stick", Summary: "3 phones added, 1 changed"}}
	r.shop.converts = []web.Conversion{
		{MAC: mac(t, "00:0A:41:AA:BB:CD"), Label: "Spare", Phase: "blocked", Missing: []string{"P0S3-8-12-00.sb2 is not on the firmware shelf: the step to P0S3-8-12-00 needs it, upload it"}, Text: "Firmware is missing.", Unplug: true},
		{MAC: mac(t, "00:07:0E:11:22:33"), Label: "Warehouse", Phase: "failed", Text: "It asked three times for the same image.", Unplug: true},
		{MAC: mac(t, reception), Label: "Reception", Phase: "going", Text: "It writes the loader.", Unplug: false},
	}
	r.activity.set(func(f *fakeActivity) {
		f.needs = []web.Need{
			{Key: "site-refused", Level: web.Due, What: "The file of settings was refused.", Why: "The last good settings are in force.", More: []string{"line 3: network.address: found nothing"}, Do: []web.Deed{{Text: "Look at the file", Path: "/settings/file"}}},
			{Key: "store", Level: web.Pressing, What: "The card cannot be written.", Why: "Leases cannot be written to the card.", Do: []web.Deed{{Text: "System", Path: "/system"}}},
			{Key: "proxy", Level: web.Due, What: "Nobody answers at the proxy.", Why: "No phone can register.", Do: []web.Deed{{Text: "Settings of the proxy", Path: "/settings"}}},
		}
	})
}

func TestTheOverviewTellsWhatNeedsAPersonTheWorstFirst(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	troubled(t, r)
	w := r.do(call{path: "/api/v1/overview", basic: true})
	wantCode(t, w, 200)
	o := decode[web.Overview](t, w.Body)
	var got []string
	for _, n := range o.Needs {
		got = append(got, fmt.Sprintf("%d %s", n.Level, n.Key))
		if n.What == "" || n.Why == "" || len(n.Do) == 0 {
			t.Errorf("%s says %q, %q and offers %+v", n.Key, n.What, n.Why, n.Do)
		}
	}
	want := "0 service-dns, 0 other-dhcp, 0 store, 0 stuck-00070e112233, 0 conversion-failed, 1 site-refused, 1 proxy, 1 firmware-missing, 1 clock, 1 unlisted, 1 import-i1, 2 names"
	if strings.Join(got, ", ") != want {
		t.Errorf("the needs are\n%s, want\n%s", strings.Join(got, ", "), want)
	}
	if o.Sentence != "1 of 4 phones ready, 1 loading firmware, 1 never seen, 1 not listed, 1 stuck: Warehouse." || o.Box != "DNS is not running." {
		t.Errorf("the sentences are %q and %q", o.Sentence, o.Box)
	}
	if o.Running != 12 || len(o.Transfers) != 3 || o.Recent.Files != 41 || len(o.Hour) != 40 || o.Phones.Ready != 1 || o.Phones.Unlisted != 1 {
		t.Errorf("the rest is %d, %d, %d, %d, %+v", o.Running, len(o.Transfers), o.Recent.Files, len(o.Hour), o.Phones)
	}
	wantCode(t, r.do(call{path: "/api/v1/overview"}), 401)

	page := r.do(call{path: "/", cookie: r.login()}).Body.String()
	wantText(t, page,
		`<a href="/phones/00070E112233" translate="no">Warehouse</a>`, "Don't unplug", `<a href="/phones/000A41AABBCC" translate="no">Meeting room, second floor</a>, <a href="/phones/0006D7AA2A2E" translate="no">Reception</a>`,
		`<input type="hidden" name="server" value="10.77.0.254">`, `href="/phones/new?mac=00:08:21:0A:0B:0C"`, "once these files are on the shelf: P0S3-8-12-00.sb2.", `href="/firmware"`, `href="/import"`, `href="/names"`, `href="/settings/file"`,
		"61 % of 757 KB", "38 KB a second, 10 s to go", "It waits for its turn", "and 9 more files on their way", "41 files sent", "got the address 10.77.1.15 for 8h")
	wantNoText(t, page, "Nothing needs you", "style=")
}

func TestWhereNothingIsWrongTheOverviewSaysSo(t *testing.T) {
	r := newRig(t, nil)
	r.setUp()
	r.box.phones = []web.Phone{
		{MAC: phone.MAC{1}, Label: "Reception", Known: true, Step: phone.Ready},
		{MAC: phone.MAC{2}, Label: "Workshop", Known: true, Step: phone.Ready},
		{MAC: phone.MAC{3}, Step: phone.Addressed, Address: "10.77.1.77"}, // a laptop
	}
	page := r.do(call{path: "/", cookie: r.login()}).Body.String()
	wantText(t, page, "All 2 phones are ready.", "Everything runs.", "Nothing needs you.", "Nobody asks for anything.")
	wantNoText(t, page, "unplug", `class="needs"`, "not listed", "<svg", "<details open")
	// Without somebody who keeps what goes on, the notices of the status are told.
	r.box.status.Notices = []string{"The card is full"}
	r.activity.set(func(f *fakeActivity) { f.needs = nil })
	wantNoText(t, r.do(call{path: "/", cookie: r.login()}).Body.String(), "The card is full")
}

// Who opens the page of a new box sees what to do next, and nothing that looks like a fault.
func TestTheOverviewOfAnEmptyBoxInvites(t *testing.T) {
	r := newRig(t, single)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	b.loginAt(r.server.URL())
	b.see("Ready for the first phone.")
	b.see("No phone yet: plug one in")
	b.shoot("overview-empty")
	// The first phone that shows up is there without a word.
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac(t, "00:08:21:0A:0B:0C"), Step: phone.Loading}, func(p *web.Phone) { p.Model = "7960" })
	b.see("1 phone showed up, and none is listed yet.")
	b.do(chromedp.Click(chromedp.CSS(`#need-unlisted a`)), chromedp.WaitVisible(chromedp.CSS("[name=mac]")))
	if got := b.value("[name=mac]"); got != "00:08:21:0A:0B:0C" {
		t.Errorf("the form for the new phone has the MAC %q", got)
	}
	b.do(chromedp.Navigate(r.server.URL()), chromedp.WaitVisible(chromedp.CSS("#need-unlisted")))
	b.quiet()
}

// Each thing that needs a person has its button, and is gone when it is done.
func TestTheOverviewInABrowser(t *testing.T) {
	for _, script := range []bool{true, false} {
		name := "with JavaScript"
		if !script {
			name = "without JavaScript"
		}
		t.Run(name, func(t *testing.T) {
			r := newRig(t, single)
			troubled(t, r)
			r.run()
			r.setUpOver(http.DefaultClient)
			b := newBrowser(t)
			b.scripts(script)
			at := r.server.URL()
			b.loginAt(at)
			b.see("DNS is not running.")
			b.see("1 stuck: Warehouse")
			if script {
				b.shoot("overview-trouble")
			}
			for _, link := range []struct {
				need, leads string
				nth         int
			}{
				{"stuck-00070e112233", "firmware", 1},
				{"stuck-00070e112233", "phones/00070E112233", 2},
				{"conversion-failed", "conversions", 1},
				{"site-refused", "settings/file", 1},
				{"firmware-missing", "firmware", 1},
				{"firmware-missing", "conversions", 2},
				{"clock", "time", 1},
				{"unlisted", "phones/new?mac=00:08:21:0A:0B:0C", 1},
				{"import-i1", "import", 1},
				{"names", "names", 1},
				{"service-dns", "system", 1},
				{"service-dns", "settings", 2},
			} {
				b.do(chromedp.Navigate(at), chromedp.Click(chromedp.CSS(fmt.Sprintf("#need-%s .actions a:nth-of-type(%d)", link.need, link.nth))))
				waitFor(t, fmt.Sprintf("the link of %s leads to %s", link.need, link.leads), func() bool {
					where, err := chromedp.Run(b.ctx, chromedp.Location())
					return err == nil && where == at+link.leads
				})
			}
			b.do(chromedp.Navigate(at), chromedp.Click(chromedp.CSS(`#need-other-dhcp form[action="/serve-anyway"] button`)))
			b.see("beside the DHCP server 10.77.0.254.")
			if strings.Contains(b.text(), "Another DHCP server answers on this network.") {
				t.Error("it still asks what was decided")
			}
			b.do(chromedp.Click(chromedp.CSS(`form[action="/hold-back"] button`)))
			b.see("The box holds back again")
			b.do(chromedp.Click(chromedp.CSS(`#need-other-dhcp form[action="/look-again"] button`)))
			b.see("looks for other DHCP servers now")
			if !script {
				b.do(chromedp.SendKeys(chromedp.CSS("#need-clock [name=utc]"), "2026-03-01 14:30"))
			}
			b.do(chromedp.Click(chromedp.CSS("#need-clock button")))
			b.see("The clock is set.")
			r.box.mu.Lock()
			if len(r.box.clock) != 1 || r.box.looks != 1 || r.box.anyway != 1 || r.box.heldBack != 1 {
				t.Errorf("the box was told %v, %d, %d, %d times", r.box.clock, r.box.looks, r.box.anyway, r.box.heldBack)
			}
			r.box.mu.Unlock()
			b.quiet()
		})
	}
}

// What goes on is seen going on: bars grow, what is over goes, what was exchanged is not exchanged again.
func TestTheOverviewIsLive(t *testing.T) {
	r := newRig(t, single)
	furnish(t, r)
	furnishActivity(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	b.loginAt(r.server.URL())
	<-r.box.subbed
	b.see("61 % of 757 KB")
	b.do(chromedp.Click(chromedp.CSS("details summary")))
	eval[chromedp.Void](b, `window.bar = document.querySelector("#t-0 progress"); window.chart = document.querySelector("#o-hour svg"); document.querySelector("#need-stuck-00070e112233 a").focus(); window.focused = document.activeElement; undefined`)
	r.activity.set(func(f *fakeActivity) { f.transfers[0].Bytes = 700_000 })
	b.see("92 % of 757 KB")
	if !eval[bool](b, `window.bar === document.querySelector("#t-0 progress") && window.bar.value === 92`) {
		t.Error("the bar was exchanged, want it to grow")
	}
	if !eval[bool](b, `window.chart === document.querySelector("#o-hour svg") && document.querySelector(".overview details").open && document.activeElement === window.focused && window.focused !== document.body`) {
		t.Error("what did not change was exchanged: the table that was unfolded is closed, or the focus is lost")
	}
	r.activity.set(func(f *fakeActivity) { f.transfers, f.running, f.recent = nil, 0, web.Recent{} })
	b.see("Nobody asks for anything.")
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac(t, "00:07:0E:11:22:33"), Step: phone.Ready}, func(p *web.Phone) { p.Problem, p.WaitingFor = "", "" })
	b.see("2 of 4 phones ready")
	waitFor(t, "what was mended needs nobody any more", func() bool { return !strings.Contains(b.text(), "Warehouse is stuck") })
	b.quiet()
}

// All browsers that look at the same moment get what was made once.
func TestFiveBrowsersCostOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(cfg *web.Config) { cfg.PlainHTTP = true })
		r.setUp()
		ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- r.server.Serve(ctx, ln, nil) }()
		auth := base64.StdEncoding.EncodeToString([]byte("admin:" + password))
		var got [5]atomic.Int64
		for i := range got {
			near, far := net.Pipe()
			defer near.Close()
			ln.conns <- far
			if _, err := near.Write([]byte("GET /stream HTTP/1.1\r\nHost: 10.77.0.1\r\nAuthorization: Basic " + auth + "\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			go func() {
				scan := bufio.NewScanner(near)
				for scan.Scan() {
					if strings.Contains(scan.Text(), "Don't unplug") {
						got[i].Add(1)
					}
				}
			}()
			<-r.box.subbed
		}
		const seconds = 20
		for i := range seconds { // something happens once a second
			r.box.happen(web.PhoneEvent{MAC: mac(t, reception), Step: phone.Upgrading}, func(p *web.Phone) { p.Label = fmt.Sprint("Reception ", i) })
			time.Sleep(time.Second)
		}
		for i := range got {
			if n := got[i].Load(); n < seconds-2 || n > seconds+2 {
				t.Errorf("browser %d was told %d times of %d changes", i, n, seconds)
			}
		}
		r.activity.mu.Lock()
		looks := r.activity.looks
		r.activity.mu.Unlock()
		if looks < seconds-2 || looks > 2*seconds {
			t.Errorf("five browsers cost %d looks in %d s, want one for all after each change", looks, seconds)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
