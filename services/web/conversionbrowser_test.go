package web_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"phonebox/services/web"
)

// pallet is what a browser is logged in at: a box with a pallet of n phones.
func (b *browser) pallet(n int) (r *rig, url string) {
	b.t.Helper()
	r = newRig(b.t, single)
	r.box.uploads["P0S3-8-12-00.sb2"] = "x"
	r.pallet(n)
	r.run()
	r.setUpOver(http.DefaultClient)
	b.loginAt(r.server.URL())
	return r, r.server.URL()
}

func (b *browser) click(css string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(css)))
	b.middle(css)
	b.do(chromedp.Click(chromedp.CSS(css)))
}

// middle scrolls until something is in the middle of the screen, where no bar that sticks to the edge covers it. It is asked of
// the browser as a person would do it, for the page's own scripts may be off.
func (b *browser) middle(css string) {
	b.t.Helper()
	eval[chromedp.Void](b, `document.querySelector(`+strconv.Quote(css)+`)?.scrollIntoView({ block: "center", behavior: "instant" })`)
}

// asked waits until the box was asked for these things since the last call.
func (f *fakeShop) asked(t *testing.T, want ...string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("the box is asked for %q", want), func() bool { return len(f.list()) >= len(want) })
	f.must(t, want...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = nil
}

// Every button of the pages of conversions, with and without JavaScript.
func TestEveryButtonOfConversionsInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r, url := b.pallet(10)
		row := func(i int) string { return "#c-" + palletMAC(i).Name() + " " }
		order := func(i int, order string) string { return "order " + palletMAC(i).String() + " " + order }
		conversions := chromedp.Navigate(url + "conversions")

		b.do(conversions)
		for _, press := range []struct {
			i         int
			order, it string
		}{
			{0, "go", "goes on"},
			{0, "skip", "is left out"},
			{1, "after", "stops after this step"},
			{2, "next", "comes next"},
			{2, "skip", "is left out"},
			{2, "stop", "was stopped"},
			{3, "skip", "is left out"},
			{4, "go", "goes on"},
			{4, "next", "comes next"},
		} {
			b.click(row(press.i) + "button[value=" + press.order + "]")
			b.see("That is done. Its conversion " + press.it)
			r.shop.asked(t, order(press.i, press.order))
		}
		b.click(row(1) + "button[value=stop]") // it gets an image: it asks first
		b.see("Stop at once?")
		b.click("main a[role=button]")
		b.see("have arrived")
		b.click(row(1) + "button[value=stop]")
		b.see("Stop at once?")
		b.click("main form button")
		b.see("Its conversion was stopped.")
		r.shop.asked(t, order(1, "stop"))
		b.click(row(0) + "button[value=back]")
		b.see("Send it back?")
		b.click("main form button")
		b.see("The phone goes back to P0S3-04-4-00")
		r.shop.asked(t, order(0, "go"))

		b.click("form.everyone button[value=go]")
		b.see("The conversion of 2 phones goes on.")
		r.shop.asked(t, order(0, "go"), order(4, "go"))
		b.click("form.everyone button[value=after]")
		b.see("stops after their step.")
		r.shop.asked(t, order(1, "after"), order(2, "after"), order(5, "after"))
		b.click("form.everyone button[value=stop]")
		b.see("3 phones are stopped")
		b.click("main form button")
		b.see("The conversion of 3 phones was stopped at once.")
		r.shop.asked(t, order(1, "stop"), order(2, "stop"), order(5, "stop"))

		for _, press := range [][2]string{{"next", "comes next"}, {"after", "stops after this step"}, {"skip", "is left out"}, {"stop", "was stopped"}} {
			b.click(row(2) + "[name=mac]")
			b.click("#ticked button[value=" + press[0] + "]")
			b.see("That is done. Its conversion " + press[1])
			r.shop.asked(t, order(2, press[0]))
		}
		b.click("#ticked button[value=go]")
		b.see("No phone is ticked.")
		b.do(conversions)
		b.click(row(4) + "[name=mac]")
		b.click("#ticked button[value=go]")
		b.see("That is done.")
		r.shop.asked(t, order(4, "go"))

		b.do(chromedp.SendKeys(chromedp.CSS("#find"), "0007\r"))
		b.see("1 of 10 phones are shown.")
		b.click(`nav.chips a[href="/conversions?show=off"]`)
		b.see("Desk 004")
		if strings.Contains(b.text(), "Desk 001 ") {
			t.Error("a phone that is on its way is shown among those that are left out")
		}
		b.click(`a[href="/conversions/target"]`)
		b.see("Nothing is saved by that.")
		b.click(`input[value="P0S3-8-12-00"]`)
		b.click("main form button[type=submit]")
		b.see("What P0S3-8-12-00 means")
		b.click("button[value=later]")
		b.see("Nothing begins until you press Start all")
		if got := r.box.site.value("firmware.target"); got != "P0S3-8-12-00" {
			t.Errorf("the target is %q", got)
		}
		r.shop.mu.Lock()
		held := len(r.shop.done)
		r.shop.done = nil
		r.shop.mu.Unlock()
		if held != 9 {
			t.Errorf("%d phones were told to wait, want 9", held)
		}
		b.do(chromedp.Navigate(url + "conversions/target?to=stay"))
		b.see("What leaving them means")
		b.click("button[value=start]")
		b.see("Each phone stays on what it runs.")
		r.shop.asked(t)

		b.click("a[href='/conversions/report']")
		b.see("Handed over by")
		b.click(`nav.sub a[href="/firmware"]`)
		b.see("1 phone runs P00303020214 and needs P00305000500.bin first.")
	})
}

// value is a setting as it was saved.
func (s *fakeSite) value(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// The list lives: bars, the tab's title and the sign move without a load; what is ticked, typed and focused stays.
func TestTheListOfConversionsIsLive(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	defer b.close()
	r, url := b.pallet(20)
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"conversions"))
	b.see("8 of 20 have arrived.")
	waitFor(t, "the page is live", func() bool { return r.box.subscribers() == 1 })
	one, two := "#c-"+palletMAC(1).Name(), "#c-"+palletMAC(2).Name()
	b.click(one + " [name=mac]")
	b.click(two + " [name=mac]")
	eval[chromedp.Void](b, `window.row = document.querySelector("`+one+`"); window.beeps = 0; window.AudioContext = class { constructor() { this.currentTime = 0 } createOscillator() { window.beeps++; return { frequency: {}, connect: g => g, start() {}, stop() {} } } createGain() { return { gain: {}, connect() {} } } }`)
	b.click("[data-sound]")
	if n := eval[int](b, "window.beeps"); n != 1 {
		t.Errorf("switching the sound on makes %d tones, want one to hear that it works", n)
	}
	eval[chromedp.Void](b, `document.querySelector("`+one+` .who a").focus()`)
	for percent := range 5 {
		r.change(t, palletMAC(1), func(c *web.Conversion) { c.Sent = c.Size * int64(50+10*percent) / 100 })
		b.see(fmt.Sprintf("Step 2 of 3: %d %% of P0S3-06-3-00.sbn is sent.", 50+10*percent))
	}
	if got := eval[float64](b, `document.querySelector("`+one+` progress").value`); got <= 100 {
		t.Errorf("the bar stands at %v", got)
	}
	if !eval[bool](b, `window.row === document.querySelector("`+one+`") && document.activeElement === window.row.querySelector("a") && window.row.querySelector("[name=mac]").checked && document.querySelector("`+two+` [name=mac]").checked`) {
		t.Errorf("what was ticked or focused is lost when the row changes: %s", eval[string](b, `JSON.stringify([window.row === document.querySelector("`+one+`"), document.activeElement?.outerHTML.slice(0, 200), window.row.querySelector("[name=mac]").checked, document.querySelector("`+two+` [name=mac]").checked])`))
	}
	r.change(t, palletMAC(1), func(c *web.Conversion) {
		c.Phase, c.Unplug, c.File, c.Sending, c.Runs, c.Steps, c.Done = "arrived", true, "", false, "P0S3-8-12-00", nil, 3
	})
	b.see("9 of 20 have arrived.")
	if got := eval[string](b, "document.title"); got != "9/20 – Conversion · phonebox" {
		t.Errorf("the tab says %q", got)
	}
	if strings.Contains(eval[string](b, `document.querySelector(".hot").innerText`), "Desk 001") {
		t.Error("a phone that arrived must not be unplugged")
	}
	r.change(t, palletMAC(2), func(c *web.Conversion) { c.Phase, c.Text, c.Steps = "failed", "Three tries failed.", c.Steps[:1] })
	b.see("Needs you: 7")
	waitFor(t, "a phone that needs a person is heard", func() bool { return eval[int](b, "window.beeps") == 3 })

	// What is typed narrows the list at once and goes on doing so while rows change.
	b.do(chromedp.SendKeys(chromedp.CSS("#find"), "00:0C"))
	visible := `[...document.querySelectorAll("#conversions tr")].filter(r => !r.hidden).length`
	waitFor(t, "one phone is left", func() bool { return eval[int](b, visible) == 1 })
	r.change(t, palletMAC(2), func(c *web.Conversion) { c.Text = "Three tries failed. Look at its cable." })
	waitFor(t, "a hidden row has changed", func() bool {
		return strings.Contains(eval[string](b, `document.querySelector("`+two+`").textContent`), "Look at its cable.")
	})
	if n := eval[int](b, visible); n != 1 {
		t.Errorf("%d phones are shown after a row changed, want the one that is looked for", n)
	}
	eval[chromedp.Void](b, `document.getElementById("find").select()`)
	b.do(chromedp.SendKeys(chromedp.CSS("#find"), "desk 01"))
	waitFor(t, "ten phones are left", func() bool { return eval[int](b, visible) == 10 })
	b.click("[data-pick-all]")
	if n := eval[int](b, `document.querySelectorAll("#conversions tr:not([hidden]) [name=mac]:checked").length`); n != 10 {
		t.Errorf("%d of ten phones are ticked", n)
	}
	b.quiet()
}

// A script shows how far an upload is; files that are dropped are sent at once.
func TestFirmwareIsUploadedWithAScript(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	defer b.close()
	r, url := b.pallet(3)
	dir := t.TempDir()
	var names []string
	for _, name := range []string{"P0S3-05-3-00.bin", "P0S3-06-3-00.sbn"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat("x", 400_000)), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, path)
	}
	b.do(chromedp.Navigate(url+"firmware"), chromedp.SetUploadFiles(chromedp.CSS("#firmware-files"), names))
	eval[chromedp.Void](b, `window.steps = []; new MutationObserver(() => window.steps.push(document.querySelector(".upload span").textContent)).observe(document.querySelector(".upload"), { childList: true, subtree: true }); window.addEventListener("pagehide", () => sessionStorage.setItem("steps", window.steps.join("|")))`)
	b.click(".drop button")
	b.see("The files are on the shelf.")
	b.see("P0S3-06-3-00.sbn")
	if steps := eval[string](b, `sessionStorage.getItem("steps")`); !strings.Contains(steps, "The box looks at the files.") {
		t.Errorf("while it was sent the page said %q", steps)
	}
	eval[chromedp.Void](b, `{ const t = new DataTransfer(); t.items.add(new File(["image"], "P0S30203.bin")); const form = document.querySelector("form.drop"); for (const kind of ["dragover", "drop"]) form.dispatchEvent(new DragEvent(kind, { dataTransfer: t, bubbles: true, cancelable: true })) }`)
	waitFor(t, "what was dropped is on the shelf", func() bool {
		r.box.mu.Lock()
		defer r.box.mu.Unlock()
		return r.box.uploads["P0S30203.bin"] == "image"
	})
	b.see("P0S30203.bin")
	b.do(chromedp.Navigate(url + "firmware"))
	b.click(".shelf li:first-child form button")
	b.see("Remove it although it is needed?")
	b.click("main a[role=button]")
	b.see("Put on the shelf")
	b.click("details summary")
	b.click("table.files button")
	b.see("Remove it although it is needed?")
	b.click("main form button")
	b.see("The file is removed.")
	r.shop.asked(t, "remove P0S3-8-12-00.sb2")
	b.quiet()
	// Somebody else logged everybody out: the upload says so instead of standing still.
	r.secrets.mu.Lock()
	r.secrets.key = []byte(strings.Repeat("k", 32))
	r.secrets.mu.Unlock()
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#firmware-files"), names))
	b.click(".drop button")
	b.see("The login has ended. Log in on another tab, then send this once more.")
}

// The pages of conversions at every width, light and dark, and the report on paper.
func TestConversionPagesInPictures(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	defer b.close()
	r, url := b.pallet(20)
	r.shop.mu.Lock()
	r.shop.converts[6].Label = ""
	r.shop.converts[7].Label = strings.Repeat("Conference room of the second floor ", 2)
	r.shop.mu.Unlock()
	for name, path := range map[string]string{
		"conversions": "conversions", "conversion-find": "conversions?find=0001", "conversion-target": "conversions/target?to=P0S3-8-12-00",
		"conversion-report": "conversions/report", "firmware": "firmware",
	} {
		b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
		b.shoot(name)
		if bare := eval[string](b, unlabelled); bare != "" {
			t.Errorf("%s has fields without a label: %s", name, bare)
		}
		// Between the widths of the pictures the tables have the least room.
		for _, width := range []int64{900, 1030} {
			b.do(chromedp.EmulateViewport(width, 900))
			if eval[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
				t.Errorf("%s is wider than a screen of %d pixels", name, width)
			}
		}
		// What is pressed on a phone's screen is large enough for a thumb.
		b.do(chromedp.EmulateViewport(320, 900))
		small := eval[[]string](b, `[...document.querySelectorAll("main .actions button, main .findphone button, main .chips a, main .pick input")].filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.height < 24 || r.width < 24) }).map(e => e.textContent || e.name)`)
		if len(small) > 0 {
			t.Errorf("%s has too small targets: %q", name, small)
		}
	}
	b.do(chromedp.Navigate(url + "conversions"))
	b.click("#c-" + palletMAC(1).Name() + " button[value=stop]")
	b.see("Stop at once?")
	b.shoot("conversion-stop")
	b.do(chromedp.Navigate(url + "conversions/report"))
	paper, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: new(true), PrintBackground: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "conversion-report.pdf"), paper.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	b.do(chromedp.EmulateViewport(1000, 700))
	shown := eval[[]string](b, `["header.bar", "nav.sub", ".noprint", ".languages", "table.paper", ".sign-off"].filter(s => document.querySelector(s).getClientRects().length > 0)`)
	if !slices.Equal(shown, []string{"table.paper", ".sign-off"}) {
		t.Errorf("printed are %q, want the table and the lines to sign", shown)
	}
	if eval[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
		t.Error("the report is wider than the paper")
	}
	b.quiet()
}
