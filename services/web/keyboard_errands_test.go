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

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// reach presses Tab until the focus is at something: what a selector finds, or what has a text on it or beside it.
func (b *browser) reach(what string) {
	b.t.Helper()
	there := `(() => { const e = document.activeElement, what = ` + strconv.Quote(what) + `;
		if (/^[#.[]|^[a-z]+[[#.]/.test(what)) return e.matches(what);
		const plain = (s) => s.trim().replace(/\s+/g, " ");
		return e !== document.body && (plain(e.textContent) === what || [...(e.labels ?? [])].some((l) => plain(l.textContent).startsWith(what))); })()`
	for range 250 {
		if eval[bool](b, there) {
			return
		}
		b.key(kb.Tab)
	}
	b.t.Fatalf("Tab never comes to %s; the page says:\n%s", what, b.text())
}

// enter reaches something and presses Enter.
func (b *browser) pressEnter(what string) {
	b.t.Helper()
	b.reach(what)
	b.key(kb.Enter)
}

// typeOver writes into a field in place of what stands there.
func (b *browser) typeOver(what, text string) {
	b.t.Helper()
	b.reach(what)
	b.key(kb.End, strings.Repeat(kb.Backspace, 60), text)
}

// goesOn waits for a text, and for the focus to be at what a selector finds: what happened, the first fault, or the heading.
func (b *browser) goesOn(text, at string) {
	b.t.Helper()
	b.see(text)
	waitFor(b.t, fmt.Sprintf("the focus is at %s, where it says %q", at, text), func() bool {
		return eval[bool](b, `document.activeElement !== document.body && document.activeElement.matches(`+strconv.Quote(at)+`)`)
	})
}

// chooseFile presses Enter on a field for files and chooses one in the window of the operating system.
func (b *browser) chooseFile(what, file string) {
	b.t.Helper()
	command(b, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: true})
	opened := make(chan *page.EventFileChooserOpened, 1)
	if err := chromedp.Listen(b.ctx, func(ev any) {
		if e, ok := ev.(*page.EventFileChooserOpened); ok {
			select {
			case opened <- e:
			default:
			}
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	b.pressEnter(what)
	select {
	case e := <-opened:
		command(b, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{file}, BackendNodeID: e.BackendNodeID})
	case <-b.ctx.Done():
		b.t.Fatal("Enter does not open the choice of a file")
	}
}

// From the first page to the overview, with keys alone.
func TestABoxIsSetUpByKeyboardAlone(t *testing.T) {
	r, _ := wizardRig(t, single)
	r.run()
	b := newBrowser(t)
	b.do(chromedp.Navigate(r.server.URL()))
	b.see("Set the first password")
	b.key(password, kb.Tab, password+"x", kb.Enter)
	b.goesOn("not the same", "[name=password]")
	b.key(password, kb.Tab, password, kb.Enter)
	b.see("Step 2 of 6")
	b.pressEnter("Go on all the same")
	b.goesOn("Step 3 of 6", ".say, h1")
	b.typeOver(`[name="dhcp.pool"]`, "x")
	b.pressEnter("Save and go on")
	b.goesOn("Nothing was saved", `[name="dhcp.pool"]`)
	b.typeOver(`[name="dhcp.pool"]`, "10.77.1.1-10.77.1.99")
	b.pressEnter("Save and go on")
	b.goesOn("Step 4 of 6", ".say, h1")
	b.reach(`[name="time.zone"]`)
	b.key("Lisb")
	b.pressEnter("Save and go on")
	b.goesOn("Step 5 of 6", ".say, h1")
	b.typeOver(`[name="sip.proxy"]`, "pbx")
	b.key(kb.Enter)
	b.goesOn("Step 6 of 6", ".say, h1")
	b.pressEnter("A phone that is not plugged in yet")
	b.typeOver("[name=mac]", "0006d7aa2a2e")
	b.typeOver("[name=label]", "Reception")
	b.typeOver(`[name="lines[0].name"]`, "208")
	b.typeOver(`[name="lines[0].password"]`, "sip-secret-208")
	b.key(kb.Enter)
	b.goesOn("The phone is added.", ".say")
	b.pressEnter("Finish: to the overview")
	b.goesOn("The box is set up.", ".say")
	if got := r.box.site.snapshot()[mac(t, reception)]; got.Label != "Reception" || len(got.Lines) != 1 || got.Lines[0].Password != "sip-secret-208" {
		t.Errorf("the site has %+v", got)
	}
	if got := []string{r.box.site.value("time.zone"), r.box.site.value("sip.proxy"), r.box.site.value("dhcp.pool")}; !slices.Equal(got, []string{"Europe/Lisbon", "pbx", "10.77.1.1-10.77.1.99"}) {
		t.Errorf("saved was %q", got)
	}
	b.quiet()
}

// What is done every day, from the login to the logout, with keys alone.
func TestErrandsByKeyboardAlone(t *testing.T) {
	r := fullHouse(t, single)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	b.do(chromedp.Navigate(r.server.URL()), chromedp.WaitVisible(chromedp.CSS("[name=password]")))
	b.key("wrong password", kb.Enter)
	b.goesOn("That password is not right.", "[name=password]")
	b.key(password, kb.Enter)
	b.has("#state")
	for _, errand := range []func(*browser, *rig){addByKeyboard, removeByKeyboard, convertByKeyboard, assignByKeyboard, dialPlanByKeyboard, zoneByKeyboard, restoreByKeyboard} {
		errand(b, r)
	}
	b.pressEnter("Log out")
	b.see("Log in")
	b.quiet()
}

func addByKeyboard(b *browser, r *rig) {
	b.t.Helper()
	b.pressEnter("Phones")
	b.goesOn("Add a phone", "h1")
	b.pressEnter("Add a phone")
	b.goesOn("On the sticker", "[name=mac]")
	b.key("zz")
	b.typeOver("[name=label]", "Attic")
	b.key(kb.Enter)
	b.goesOn("Nothing was saved", "[name=mac][aria-invalid=true]")
	b.typeOver("[name=mac]", "000b00000001")
	b.typeOver(`[name="lines[0].name"]`, "299")
	b.key(kb.Enter)
	b.goesOn("The phone was added.", ".say")
	if got := r.box.site.snapshot()[mac(b.t, "000b00000001")]; got.Label != "Attic" || len(got.Lines) != 1 || got.Lines[0].Name != "299" {
		b.t.Errorf("the phone is %+v", got)
	}
}

func removeByKeyboard(b *browser, r *rig) {
	b.t.Helper()
	gone := []string{"00:07:0E:11:22:33", "00:0A:41:AA:BB:CD", "00:0B:00:00:00:01"}
	b.pressEnter("Phones")
	b.goesOn("Add a phone", "h1")
	slices.SortFunc(gone, func(x, y string) int {
		return strings.Compare(r.box.site.snapshot()[mac(b.t, x)].Label, r.box.site.snapshot()[mac(b.t, y)].Label)
	})
	for i, m := range gone {
		b.reach(`input[value="` + m + `"]`)
		b.key(" ")
		b.see(fmt.Sprintf("Chosen: %d", i+1))
	}
	b.pressEnter("button[value=remove]")
	b.goesOn("That cannot be taken back", "h1")
	b.pressEnter("Remove them")
	b.goesOn("3 phones were removed from the list.", ".say")
	for _, m := range gone {
		if _, there := r.box.site.snapshot()[mac(b.t, m)]; there {
			b.t.Errorf("%s is still on the list", m)
		}
	}
}

func convertByKeyboard(b *browser, r *rig) {
	b.t.Helper()
	b.pressEnter("Conversion")
	b.goesOn("How would a phone get there?", "h1")
	order := func(i int, order, says string) {
		b.t.Helper()
		b.reach("#c-" + palletMAC(i).Name() + " button[value=" + order + "]")
		b.key(kb.Enter)
		b.goesOn(says, ".say")
		r.shop.asked(b.t, "order "+palletMAC(i).String()+" "+order)
	}
	order(0, "go", "goes on")
	order(2, "stop", "was stopped")
}

func assignByKeyboard(b *browser, r *rig) {
	b.t.Helper()
	b.pressEnter("Phones")
	b.goesOn("A phone showed up that is not on the list", "h1")
	b.pressEnter("Give it the next line")
	b.goesOn("is on the list now, with the line 230.", ".say")
	if got := r.box.site.snapshot()[mac(b.t, "0008210A0B0C")]; len(got.Lines) != 1 || got.Lines[0].Name != "230" {
		b.t.Errorf("the phone is %+v", got)
	}
}

func dialPlanByKeyboard(b *browser, r *rig) {
	b.t.Helper()
	b.pressEnter("Settings")
	b.goesOn("Where the box is", "h1")
	b.pressEnter("Dial plan")
	b.goesOn("Try a number", "h1")
	b.reach("[name=country]")
	b.key("Belg")
	b.pressEnter("button[value=ready]")
	waitFor(b.t, "the rules are filled in", func() bool { return strings.Contains(b.value(`[name="rules[0].match"]`), "112") })
	b.pressEnter("button[value=save]")
	b.goesOn("The dial plan is saved.", ".say")
	r.shop.asked(b.t, "dial plan BE 1")
}

// The list of zones is the browser's own, which fits what is typed; a place alone is enough, and the page says what it took it for.
func zoneByKeyboard(b *browser, r *rig) {
	b.t.Helper()
	b.pressEnter("Time")
	b.goesOn("What the phones show", "h1")
	b.typeOver(`[name="time.zone"]`, "new york")
	b.see("Understood as America/New_York.")
	b.key(kb.Enter)
	b.goesOn("Before saving", "h1")
	b.pressEnter("button[value=save]")
	b.goesOn("The settings are saved and in force.", ".say")
	if got := r.box.site.value("time.zone"); got != "America/New_York" {
		b.t.Errorf("the zone is %q", got)
	}
}

func restoreByKeyboard(b *browser, r *rig) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "phonebox.tar.gz.age")
	if err := os.WriteFile(file, []byte("age"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.pressEnter("System")
	b.goesOn("The box is well.", "h1")
	b.pressEnter("Backup")
	b.goesOn("Make a backup", "h1")
	b.typeOver(`form[action="/system/restore"] [name=passphrase]`, "right")
	b.chooseFile("[name=file]", file)
	b.pressEnter("Show what would change")
	b.see("Router: 10.77.0.254 → 10.77.0.253")
	b.see("These phones are getting or writing firmware")
	b.reach("[name=anyway]")
	b.key(" ")
	b.pressEnter("button[name=yes][value='1']")
	b.see("The backup is restored.")
	if got := r.system.list(); len(got) == 0 || !strings.HasPrefix(got[0], "restore ID1") {
		b.t.Errorf("the box was asked for %q", got)
	}
}

// What is ticked outlives filters, searches and sorting, and phones that are not shown are part of what is done.
func TestTicksOutliveFilters(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, script bool) {
		b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"phones"))
		b.see("5 phones:")
		keep := func() {
			t.Helper()
			if !script { // else there is nothing to press
				names := strings.Join(b.ticked(), ".")
				b.click("button[value=keep]")
				b.at("ticked=" + names)
			}
		}
		b.click("#p-0006D7AA2A2E input[name=mac]")
		b.click("#p-00070E112233 input[name=mac]")
		keep()
		b.click("#chip-stuck")
		b.gone("Meeting room")
		says := func(chosen, away int) {
			t.Helper()
			if script {
				b.see(fmt.Sprintf("Chosen: %d, of them not in this list: %d", chosen, away))
			} else {
				b.see(fmt.Sprintf("Ticks that were kept: %d, of them not in this list: %d.", chosen, away))
			}
		}
		says(2, 1)
		wantTicked(b, "0006D7AA2A2E", "00070E112233")
		if script {
			b.shoot("ticks")
		}
		b.fill("#find-q", "nobody\r")
		b.see("No phone is like that.")
		says(2, 2)
		wantTicked(b, "0006D7AA2A2E", "00070E112233")
		b.fill("#find-q", "\r")
		b.see("Warehouse")
		b.click("#chip-never")
		b.gone("Warehouse")
		b.has("#p-000A41AABBCD")
		b.click("#p-000A41AABBCD input[name=mac]")
		keep()
		says(3, 2)
		b.click("#chip-all")
		b.see("Meeting room")
		b.click("#sort-address")
		b.has(`th[aria-sort="ascending"] #sort-address`)
		wantTicked(b, "0006D7AA2A2E", "00070E112233", "000A41AABBCD")
		b.click("#p-00070E112233 input[name=mac]") // no longer
		keep()
		b.click("#chip-way")
		b.gone("Spare")
		b.has("#p-000A41AABBCC")
		wantTicked(b, "0006D7AA2A2E", "000A41AABBCD")
		b.click("#all") // that are shown, beside those that are not
		b.click("button[name=do][value=name]")
		b.see("Chosen: 3")
		b.see("Left out: 1")
		b.fill("[name=pattern]", "Desk #")
		b.click("main form button[type=submit]")
		b.see("The names of 3 phones were set.")
		for m, old := range map[string]string{reception: "Reception", "000A41AABBCC": "Meeting room, second floor", "000A41AABBCD": "Spare"} {
			if got := r.box.site.snapshot()[mac(t, m)].Label; got == old {
				t.Errorf("%s is still called %q", m, got)
			}
		}
		if got := r.box.site.snapshot()[mac(t, "00070E112233")].Label; got != "Warehouse" {
			t.Errorf("a phone whose tick was taken away is called %q", got)
		}
		b.click("main .actions a[role=button]") // back, where nothing is ticked any more
		b.see("5 phones:")
		wantTicked(b)
		b.click("#p-000A41AABBCC input[name=mac]")
		keep()
		b.click("#chip-stuck")
		says(1, 1)
		b.untick(script)
		wantTicked(b)
		b.click("#chip-all")
		b.has("#p-000A41AABBCD")
		wantTicked(b)
	})
}

// untick takes all ticks away.
func (b *browser) untick(script bool) {
	b.t.Helper()
	if script {
		b.click(".js [data-untick]")
		waitFor(b.t, "the focus is at the box for all", func() bool { return eval[bool](b, `document.activeElement.id === "all"`) })
		return
	}
	b.click("p.nojs a[href]")
	b.gone("Ticks that were kept")
}

// wantTicked waits until these phones are ticked, shown or not.
func wantTicked(b *browser, names ...string) {
	b.t.Helper()
	waitFor(b.t, fmt.Sprintf("ticked are %q", names), func() bool { return slices.Equal(b.ticked(), names) })
}

// ticked are the names of the phones that are ticked, shown or not.
func (b *browser) ticked() []string {
	b.t.Helper()
	out := eval[[]string](b, `[...document.querySelectorAll('#many input[name=mac]')].filter((i) => i.type === "hidden" || i.checked).map((i) => i.value.replaceAll(":", ""))`)
	slices.Sort(out)
	return out
}
