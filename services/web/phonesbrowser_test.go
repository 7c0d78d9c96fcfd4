package web_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// bothWays runs a test in a browser with JavaScript and in one without.
func bothWays(t *testing.T, test func(t *testing.T, r *rig, b *browser, url string, script bool)) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r := newRig(t, single)
		furnish(t, r)
		r.run()
		r.setUpOver(http.DefaultClient)
		b.loginAt(r.server.URL())
		test(t, r, b, r.server.URL(), script)
	})
}

// fill writes into a field that may hold something.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), kb.End+strings.Repeat(kb.Backspace, 40)+text))
}

// gone waits until the page no longer says text.
func (b *browser) gone(text string) {
	b.t.Helper()
	waitFor(b.t, fmt.Sprintf("the page no longer says %q", text), func() bool { return !strings.Contains(b.text(), text) })
}

// has waits until the page has what a selector finds. It asks anew each time: a page that is left meanwhile is not waited for.
func (b *browser) has(selector string) {
	b.t.Helper()
	waitFor(b.t, "the page has "+selector, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		nodes, err := chromedp.Run(ctx, chromedp.Nodes(chromedp.CSS(selector), chromedp.AtLeast(0)))
		return err == nil && len(nodes) > 0
	})
}

// at waits until the browser is at an address.
func (b *browser) at(want string) {
	b.t.Helper()
	waitFor(b.t, "the browser is at "+want, func() bool {
		got, err := chromedp.Run(b.ctx, chromedp.Location())
		return err == nil && strings.HasSuffix(got, want)
	})
}

func TestPhonesAreSearchedFilteredAndSortedInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, _ *rig, b *browser, url string, script bool) {
		b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"phones"))
		b.see("5 phones: 1 ready, 1 stuck, 2 on the way, 1 never seen, 1 not listed")
		b.see("A phone showed up that is not on the list")
		enter := ""
		if !script {
			enter = "\r"
		}
		b.fill("#find-q", "0a41"+enter) // in the middle of MACs: that says nothing
		b.see("No phone is like that.")
		b.fill("#find-q", "00:0a:41"+enter)
		b.see("Meeting room")
		b.gone("Warehouse")
		if script {
			b.at("/phones?q=00%3A0a%3A41")
		}
		b.click(`#phones-chips a[href*="step=never"]`)
		b.see("Spare")
		b.gone("Meeting room")
		b.at("/phones?q=00%3A0a%3A41&step=never")
		b.click(`#phones-chips a:first-child`)
		b.see("Meeting room")
		b.do(chromedp.Navigate(url + "phones?step=stuck&sort=seen")) // as a bookmark
		b.see("Warehouse")
		if text := b.text(); strings.Contains(text, "Reception") {
			t.Errorf("the bookmark shows more than the stuck phone:\n%s", text)
		}
		b.click(`#phones-chips a:first-child`)
		b.see("Reception")
		b.click(`th a[href*="sort=line"]`)
		b.at("/phones?sort=line")
		b.has(`th[aria-sort="ascending"] a[href*="sort=line"]`)
		b.click(`th a[href*="sort=line"]`)
		b.at("/phones?dir=desc&sort=line")
		b.has(`th[aria-sort="descending"] a[href*="sort=line"]`)
		b.do(chromedp.SetValue(chromedp.CSS(`select[name="sort"]`), "address"))
		if script {
			eval[chromedp.Void](b, `document.querySelector('select[name="sort"]').dispatchEvent(new Event("input", {bubbles: true}))`)
		} else {
			b.click("#find button")
		}
		b.has(`th[aria-sort="descending"] a[href*="sort=address"]`)
	})
}

// The table is live with its filter: rows come, go and change, and what was ticked stays ticked.
func TestTheFilteredTableIsLive(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnish(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	b.do(chromedp.Navigate(url + "phones?step=way"))
	b.see("Meeting room")
	waitFor(t, "the page opens its stream", func() bool { return r.box.subscribers() == 1 })
	b.click("#p-000A41AABBCC input[name=mac]")
	b.see("Chosen: 1")
	rec := mac(t, reception)
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: rec, Step: phone.Loading}, func(p *web.Phone) { p.WaitingFor = "dialplan.xml" })
	b.see("Waiting for dialplan.xml")
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac(t, "00:0A:41:AA:BB:CC"), Step: phone.Upgrading}, func(p *web.Phone) { p.WaitingFor = "almost nothing" })
	b.see("almost nothing")
	ticked := `[...document.querySelectorAll("#phones input:checked")].map(e => e.value).join(" ")`
	if got := eval[string](b, ticked); got != "00:0A:41:AA:BB:CC" {
		t.Errorf("ticked is %q after the row changed, want that phone", got)
	}
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: rec, Step: phone.Ready}, func(p *web.Phone) { p.WaitingFor = "" })
	waitFor(t, "the phone leaves the table", func() bool { return !eval[bool](b, `!!document.getElementById("p-0006D7AA2A2E")`) })
	b.click("#all")
	b.see("Chosen: 2")
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: rec, Step: phone.Seen}, nil)
	waitFor(t, "the phone comes back", func() bool { return eval[bool](b, `!!document.getElementById("p-0006D7AA2A2E")`) })
	waitFor(t, "all is no longer ticked", func() bool { return !eval[bool](b, `document.getElementById("all").checked`) })
	if got := eval[int](b, `document.querySelectorAll("#phones input:checked").length`); got != 2 {
		t.Errorf("%d are ticked, want the two that were there", got)
	}
	// A search keeps the stream at what it shows.
	b.fill("#find-q", "meeting")
	b.gone("Reception")
	waitFor(t, "the new stream is open, and the old one ended", func() bool { return r.box.subscribers() == 1 })
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: rec, Step: phone.Loading}, nil)
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac(t, "00:0A:41:AA:BB:CC"), Step: phone.Loading}, func(p *web.Phone) { p.WaitingFor = "its ring list" })
	b.see("its ring list")
	if eval[bool](b, `!!document.getElementById("p-0006D7AA2A2E")`) {
		t.Error("a phone that is not searched for came into the table")
	}
	if !eval[bool](b, `document.activeElement === document.getElementById("find-q")`) {
		t.Error("the search lost the focus")
	}
	b.quiet()
}

func TestManyPhonesAreChangedInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, script bool) {
		tick := func(macs ...string) {
			t.Helper()
			b.do(chromedp.Navigate(url+"phones"), chromedp.WaitVisible(chromedp.CSS("#phones")))
			for _, m := range macs {
				b.click("#p-" + m + " input[name=mac]")
			}
		}
		tick()
		if !script { // else there is nothing to press before something is ticked
			b.click("button[name=do][value=name]")
			b.see("No phone was chosen.")
		}
		tick("0006D7AA2A2E", "000A41AABBCC", "0008210A0B0C")
		b.click("button[name=do][value=name]")
		b.see("Left out: 1")
		b.see("It is not on the list.")
		if script {
			b.shoot("many-name")
		}
		b.fill("[name=pattern]", `Desk "#`)
		b.click("main form button[type=submit]")
		b.see("Nothing was changed: the settings would not be right.")
		b.see("00:0A:41:AA:BB:CC (Meeting room, second floor) label")
		if r.fleet.changes != 0 || r.box.site.snapshot()[mac(t, reception)].Label != "Reception" {
			t.Error("a refused change changed something")
		}
		b.fill("[name=pattern]", "Desk ##")
		b.fill("[name=from]", "9")
		b.click("main form button[type=submit]")
		b.see("The names of 2 phones were set.")
		b.see("Desk 10")
		if got := r.box.site.snapshot(); got[mac(t, "000A41AABBCC")].Label != "Desk 09" || got[mac(t, reception)].Label != "Desk 10" || got[mac(t, reception)].Lines[0].Password != "sip-secret-208" || r.fleet.changes != 1 {
			t.Errorf("after %d changes the phones are %+v", r.fleet.changes, got)
		}
		b.do(chromedp.Navigate(url+"phones?step=stuck"), chromedp.WaitVisible(chromedp.CSS("#all")))
		b.click("#all")
		b.click("button[name=do][value=load]")
		b.see("Warehouse")
		b.do(chromedp.SetValue(chromedp.CSS("[name=load]"), "stay"))
		b.click("main form button[type=submit]")
		b.see("The firmware of 1 phone was set.")
		if got := r.box.site.snapshot()[mac(t, "00070E112233")].Load; got != "stay" {
			t.Errorf("its load is %q", got)
		}
		tick("0006D7AA2A2E", "00070E112233")
		b.click("button[name=do][value=restart]")
		b.see("It runs no SIP application")
		b.click("main form button[type=submit]")
		b.see("The phones are asked to restart")
		r.shop.must(t, "restart 1")
		tick("00070E112233", "000A41AABBCD")
		b.click("button[name=do][value=remove]")
		b.see("That cannot be taken back")
		if script {
			b.shoot("many-remove")
		}
		if n := len(r.box.site.snapshot()); n != 4 {
			t.Errorf("%d phones are listed before the yes, want 4", n)
		}
		b.click("main form button[type=submit]")
		b.see("2 phones were removed from the list.")
		if n := len(r.box.site.snapshot()); n != 2 {
			t.Errorf("%d phones are listed, want 2", n)
		}
		tick("0006D7AA2A2E")
		b.click("button[name=do][value=export]")
		b.see("With the passwords")
		b.see("Chosen: 1")
	})
}

// A pallet: lines wait, phones show up and are scanned; each way ends with the phone on the list.
func TestPhonesAreAddedByEachWay(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, script bool) {
		b.do(chromedp.Navigate(url + "phones/lines"))
		b.see("No line waits.")
		b.fill("[name=name]", "2 30")
		b.click("main form button[type=submit]")
		b.see("Nothing was saved.")
		b.fill("[name=name]", "230")
		b.fill("[name=label]", "Meeting room")
		b.fill("[name=password]", "secret-230")
		b.click("main form button[type=submit]")
		b.see("The line 230 waits for a phone.")
		r.fleet.wait("231/Attic/secret-231", "232/Cellar/secret-232", "233/Roof/secret-233", "234", "235")
		b.do(chromedp.Navigate(url + "phones/lines"))
		b.see("Waiting: 6")
		if text := b.text(); strings.Contains(text, "secret-23") {
			t.Error("the page shows passwords")
		}
		if script {
			b.shoot("lines")
		}
		b.click(`input[name=line][value="235"]`)
		b.click(`form[action="/phones/lines/remove"] button`)
		b.see("The line 235 no longer waits for a phone.")

		// One click for a phone that showed up.
		b.do(chromedp.Navigate(url + "phones"))
		b.see("The next line that waits for a phone: 230 · Meeting room.")
		if script {
			b.shoot("strangers")
		}
		b.click("#s-p-0008210A0B0C button")
		b.see("The phone 00:08:21:0A:0B:0C is on the list now, with the line 230.")
		got := r.box.site.snapshot()[mac(t, "0008210A0B0C")]
		if got.Label != "Meeting room" || got.Model != "7960" || len(got.Lines) != 1 || got.Lines[0].Password != "secret-230" {
			t.Errorf("the phone is %+v", got)
		}

		// Scanned, with Enter alone.
		b.do(chromedp.Navigate(url + "phones/scan"))
		scan := func(code string) { t.Helper(); b.do(chromedp.SendKeys(chromedp.CSS("#scan-code"), code+"\r")) }
		b.see("The next phone gets the line 231 · Attic.")
		scan("SEP000B00000001")
		b.see("The phone 00:0B:00:00:00:01 got the line 231.")
		b.see("The next phone gets the line 232 · Cellar.")
		focused := func() bool {
			return !script || eval[bool](b, `document.activeElement === document.getElementById("scan-code")`)
		}
		waitFor(t, "the field has the focus again", focused)
		scan("INM08123ABC")
		b.see("That is no MAC.")
		b.fill("#scan-code", "")
		scan("000b.0000.0001")
		b.see("is on the list already.")
		scan("000b-0000-0002")
		b.see("The phone 00:0B:00:00:00:02 got the line 232.")
		if script {
			b.shoot("scan")
		}
		b.click(`form[action="/phones/scan/undo"] button`)
		b.see("The line 232 is the next.")
		b.see("The next phone gets the line 232 · Cellar.")
		if _, there := r.box.site.snapshot()[mac(t, "000B00000002")]; there || !strings.HasPrefix(r.fleet.waits(), "232/Cellar/secret-232 233") {
			t.Errorf("after the undo the phone is listed: %v; there wait %q", there, r.fleet.waits())
		}
		for i, want := range []string{"232", "233", "234"} {
			scan(fmt.Sprintf("000B0000000%d", i+3))
			b.see("got the line " + want + ".")
		}
		b.see("Scan a phone. Its name is asked then, for no line waits.")
		scan("000B00000006")
		b.see("What is the name of the phone 00:0B:00:00:00:06?")
		scan("Porter")
		b.see("The phone 00:0B:00:00:00:06 is on the list.")
		scan("000B00000007")
		b.see("What is the name of the phone 00:0B:00:00:00:07?")
		scan("000B00000008") // nobody typed a name
		b.see("What is the name of the phone 00:0B:00:00:00:08?")
		listed := r.box.site.snapshot()
		if listed[mac(t, "000B00000006")].Label != "Porter" || listed[mac(t, "000B00000007")].MAC == "" || listed[mac(t, "000B00000004")].Lines[0].Name != "233" {
			t.Errorf("listed are %+v", listed)
		}

		// Pasted.
		b.do(chromedp.Navigate(url + "phones/paste"))
		b.do(chromedp.SetValue(chromedp.CSS("[name=rows]"), "no rows"))
		b.click("main form button[type=submit]")
		b.see("Found no column with the MACs of phones.")
		b.do(chromedp.SetValue(chromedp.CSS("[name=rows]"), "000B00000009\tDoor\t240"))
		b.click("main form button[type=submit]")
		b.see("Not done yet:")
		if script {
			b.shoot("paste")
		}
		b.click(`button[name=yes][value="1"]`)
		b.see("Done:")
		waitFor(t, "the rows are taken", func() bool { return slices.Contains(r.shop.list(), "decide i1 true") })

		// An old folder.
		file := filepath.Join(t.TempDir(), "root.zip")
		if err := os.WriteFile(file, []byte("PK"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.do(chromedp.Navigate(url+"phones/adopt"), chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{file}))
		b.click(`form[action="/import"] button`)
		b.see("1 phone added of 2 bytes")
		waitFor(t, "the folder was read", func() bool { return slices.Contains(r.shop.list(), "import root.zip dry=true") })

		// By the form, with a line that waits.
		r.fleet.wait("250/Gate/secret-250")
		b.do(chromedp.Navigate(url + "phones/new"))
		b.fill("[name=mac]", "000B0000000A")
		b.do(chromedp.SetValue(chromedp.CSS("[name=take]"), "250"))
		b.fill(`[name="lines[0].name"]`, "251")
		b.click("main form button[type=submit]")
		b.see("allowed: one of the two")
		b.fill(`[name="lines[0].name"]`, "")
		b.click("main form button[type=submit]")
		b.see("The phone was added.")
		if got := r.box.site.snapshot()[mac(t, "000B0000000A")]; got.Label != "Gate" || got.Lines[0].Name != "250" {
			t.Errorf("the phone is %+v", got)
		}
	})
}

// Every page of many phones fits every screen, in a full house.
func TestThePagesOfManyPhonesFitEveryScreen(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnish(t, r)
	r.fleet.wait("230/Meeting room/x", "231/A very long name of a place that nobody would think of, second floor/x", "anna.example-with-a-long-name@sip.example.org")
	for i := range 60 {
		m := phone.MAC{0x00, 0x11, 0x22, 0, 0, byte(i)}
		step := []phone.Step{phone.Ready, phone.Loading, phone.Ready, "", phone.Ready, phone.Stuck}[i%6]
		r.box.phones = append(r.box.phones, web.Phone{MAC: m, Model: "7960", Address: fmt.Sprintf("10.77.1.%d", 20+i), Load: "P0S3-8-12-00", Protocol: phone.SIP, Step: step, Updated: r.clock.Now().Add(-time.Duration(i) * time.Minute)})
		if i > 8 {
			r.box.site.phones[m] = web.PhoneEntry{MAC: m.String(), Model: "7960", Label: fmt.Sprintf("Desk %02d", i), Lines: []web.LineEntry{{Name: fmt.Sprint(300 + i)}}}
		}
	}
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	for name, path := range map[string]string{
		"fleet": "phones", "fleet-filtered": "phones?q=desk&step=stuck&sort=address&dir=desc", "fleet-none": "phones?q=nothing", "add": "phones/new?mac=001122000001", "scan-empty": "phones/scan",
		"paste-empty": "phones/paste", "adopt": "phones/adopt", "lines-full": "phones/lines", "restarts": "phones/restarts",
	} {
		b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
		b.shoot(name)
		if bare := eval[string](b, unlabelled); bare != "" {
			t.Errorf("%s has fields without a label: %s", name, bare)
		}
	}
	b.quiet()
}
