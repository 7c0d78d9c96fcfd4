package web_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"phonebox/services/web"
)

// saves lets the browser save what it downloads, and returns where.
func (b *browser) saves() string {
	b.t.Helper()
	dir := b.t.TempDir()
	command(b, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	return dir
}

// saved waits until a file with a text in it is downloaded.
func (b *browser) saved(dir, name, content string) {
	b.t.Helper()
	waitFor(b.t, name+" is saved", func() bool { return savedAs(b.t, dir, name, content) })
}

// The password is changed, and everybody is logged out.
func TestThePasswordInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		other := client(t)
		answer, err := other.PostForm(url+"login", map[string][]string{"password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		among := func() bool { code := look(t, other, url+"phones"); return code == http.StatusOK }
		if !among() {
			t.Fatal("somebody else is not logged in")
		}
		b.visit(url + "password")
		for field, text := range map[string]string{"current": password, "password": "another good password", "again": "another good password"} {
			b.do(chromedp.SendKeys(chromedp.CSS("[name="+field+"]"), text))
		}
		b.click(`form[action="/password"] button`)
		b.see("The password is changed. Everybody else has to log in again.")
		if among() {
			t.Error("somebody else is still logged in")
		}
		b.visit(url + "password")
		b.click(`form[action="/logout/all"] button`)
		b.has(`form[action="/login"]`)
		b.do(chromedp.Navigate(url))
		b.has(`form[action="/login"]`) // this browser too
	})
}

// look is the status of a page.
func look(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	answer, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// What there is to save is saved as a file.
func TestWhatIsDownloadedInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		furnishSystem(r.system, r.clock.Now())
		dir := b.saves()
		b.visit(url + "system/backup")
		b.click(`form[action="/system/backup"] [name=part][value=settings]`)
		b.do(chromedp.SendKeys(chromedp.CSS(`form[action="/system/backup"] [name=passphrase]`), "a passphrase of mine"))
		b.do(chromedp.SendKeys(chromedp.CSS(`form[action="/system/backup"] [name=again]`), "a passphrase of mine"))
		b.click(`form[action="/system/backup"] button`)
		b.saved(dir, "phonebox-harbour.tar.gz", "backup of ")
		if got := r.system.list(); len(got) != 1 || !strings.HasSuffix(got[0], `"a passphrase of mine"`) {
			t.Errorf("the box was asked for %q", got)
		}
		for _, one := range []struct{ page, file, content string }{
			{"system/log", "log.txt", "group not written"},
			{"system/diagnostics", "diagnostics.zip", "PK"},
			{"system/changes", "changes.csv", "by a USB stick"},
			{"conversions/report", "report.csv", "label,mac,"},
		} {
			b.visit(url + one.page)
			b.click(`main a[role=button][href*="` + one.file + `"]`)
			waitFor(t, one.file+" is saved", func() bool { return anySaved(dir, filepath.Ext(one.file), one.content) })
		}
		b.visit(url + "phones")
		for _, format := range []string{"xlsx", "csv"} {
			b.visit(url + "phones")
			b.click("#p-0006D7AA2A2E input[name=mac]")
			b.click("button[name=do][value=export]")
			b.see("With the passwords")
			b.click("[name=secrets]")
			b.click("button[name=format][value=" + format + "]")
			b.saved(dir, "phones."+format, "["+reception+"] secrets=true")
		}
		b.click(`main a[role=button][href="/phones"]`)
		b.has("#phones")
	})
}

// anySaved tells whether a file of this kind with this in it was saved.
func anySaved(dir, ext, content string) bool {
	names, _ := filepath.Glob(filepath.Join(dir, "*"+ext))
	return slices.ContainsFunc(names, func(name string) bool {
		body, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(body), content)
	})
}

// Each page that asks whether it is meant can be left, and nothing is done then.
func TestWhatIsAskedCanBeLeftInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		furnishSystem(r.system, r.clock.Now())
		r.system.last = &web.RestoreDone{Time: r.clock.Now(), Made: r.clock.Now(), Box: "Harbour", Parts: []string{"settings"}}
		for _, ask := range []struct{ page, press, says, leave string }{
			{"system", `a[href="/system/power?do=off"]`, "Shut the computer down?", `main a[role=button][href="/system"]`},
			{"system/backup", `main a[href="/system/restore/undo"]`, "This works once.", `main a[role=button][href="/system/backup"]`},
			{"system/versions", `main a[href="/system/versions/aaaa"]`, "Bring these settings back?", `main a[role=button][href="/system/versions"]`},
			{"phones/0006D7AA2A2E", `main a[href$="/remove"]`, "Remove Reception?", `main a[role=button][href="/phones/0006D7AA2A2E"]`},
			{"phones/0006D7AA2A2E", `main a[href$="/edit"]`, "", `main a[role=button][href="/phones/0006D7AA2A2E"]`},
			{"phones/0006D7AA2A2E/load?load=stay", "", "It is to run the load that it runs", `main a[role=button][href="/phones/0006D7AA2A2E"]`},
			{"phones", `main a[role=button][href="/phones/new"]`, "", `main a[role=button][href="/phones"]`},
			{"settings/file", "", "", `main a[role=button][href="/settings"]`},
		} {
			b.visit(url + ask.page)
			if ask.press != "" {
				b.click(ask.press)
			}
			b.see(ask.says)
			b.has(ask.leave)
			b.click(ask.leave)
			b.at(strings.TrimSuffix(strings.Split(ask.leave, `href="`)[1], `"]`))
		}
		for _, job := range []string{"load", "lines", "name", "remove", "restart"} {
			b.visit(url + "phones")
			b.click("#p-0006D7AA2A2E input[name=mac]")
			b.click("button[name=do][value=" + job + "]")
			b.has(`main a[role=button][href="/phones"]`)
			b.click(`main a[role=button][href="/phones"]`)
			b.has("#phones")
		}
		if got := append(r.system.list(), r.shop.list()...); len(got) != 0 || r.fleet.changes != 0 {
			t.Errorf("what was left did %q and changed %d phones", got, r.fleet.changes)
		}
	})
}

// Phones get lines that wait, all at once.
func TestPhonesGetTheLinesThatWaitInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		give := func() {
			b.visit(url + "phones")
			b.click("#p-0008210A0B0C input[name=mac]")
			b.click("button[name=do][value=lines]")
		}
		give()
		b.click(`main a[role=button][href="/phones/lines"]`)
		b.see("No line waits.")
		b.click(`main a[role=button][href="/phones/paste"]`)
		b.has("[name=rows]")
		r.fleet.wait("230/Store/secret-230")
		give()
		b.click(`form[action="/phones/many/do"] button[name=do]`)
		waitFor(t, "the line is given", func() bool { return r.fleet.waits() == "" })
		b.has(`main a[role=button][href="/phones"]`)
		got := r.box.site.snapshot()[mac(t, "0008210A0B0C")]
		if len(got.Lines) != 1 || got.Lines[0].Name != "230" || got.Lines[0].Password != "secret-230" {
			t.Errorf("the phone is %+v", got)
		}
	})
}

// An import that is not wanted is left, and all phones are restarted.
func TestAnImportIsLeftInABrowser(t *testing.T) {
	list := filepath.Join(t.TempDir(), "phones.csv")
	if err := os.WriteFile(list, []byte("MAC"), 0o600); err != nil {
		t.Fatal(err)
	}
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		b.visit(url + "import")
		b.do(chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{list}))
		b.click(`form[action="/import"] button`)
		b.see("1 phone added of 3 bytes")
		b.click(`button[name=yes][value="0"]`)
		b.see("Nothing was changed.")
		r.shop.asked(t, "import phones.csv dry=true", "decide i1 false")

		b.visit(url + "conversions")
		b.click(`form[action="/restart"] button`)
		b.see("The phones are asked to restart, a few at a time.")
		r.shop.asked(t, "restart 0")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=from]"), "P0S3-04-4-00"), chromedp.SendKeys(chromedp.CSS("[name=to]"), "P0S3-8-12-00"))
		b.click(`form:has([name=from]) button`)
		b.see("lamps flash")
	})
}

// Enter in a field checks, and does not press what stands first: up, down and remove of the first row.
func TestEnterChecksInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, _ bool) {
		r, url := b.editors()
		for _, enter := range []struct{ page, field, text, says string }{
			{"directory", `[name="contacts[0].number"]`, "0;1", "number: found"},
			{"dialplan", `[name="rules[0].match"]`, "8x", "allowed are digits and"},
			{"media", `[name="rings[1].name"]`, "Old Style", "Another ring has the same name"},
			{"media", `#logo [name=text]`, "Quay 7", "Draw the text"},
		} {
			b.visit(url + enter.page)
			b.fill(enter.field, enter.text+kb.Enter)
			b.see(enter.says)
		}
		if got := append(r.shop.list(), r.editors.list()...); len(got) != 0 {
			t.Errorf("Enter saved something: %q", got)
		}
	})
}

// Each list and each table of the settings gets another row, and loses it again; a row may have lists of its own.
func TestEveryListOfTheSettingsGrowsInABrowser(t *testing.T) {
	bothWays(t, func(_ *testing.T, _ *rig, b *browser, url string, _ bool) {
		for _, page := range []string{"settings", "settings/phones", "settings/page", "names", "time"} {
			b.visit(url + page)
			known := b.adds()
			for _, key := range known {
				b.grow(key, known)
			}
		}
	})
}

// grow adds a row and takes it away.
func (b *browser) grow(key string, known []string) {
	b.t.Helper()
	order := func(format string, args ...any) string {
		return fmt.Sprintf("button[value=%q]", fmt.Sprintf(format, args...))
	}
	del := fmt.Sprintf(`value="del %s `, key)
	before := b.count(del)
	b.click(order("add %s", key))
	waitFor(b.t, "there is one more row of "+key, func() bool { return b.count(del) == before+1 })
	for _, inner := range b.adds() {
		if !slices.Contains(known, inner) {
			b.grow(inner, append(known, b.adds()...))
		}
	}
	last := order("del %s %d", key, before+1)
	if !strings.Contains(b.html("main"), fmt.Sprintf(`"del %s %d"`, key, before+1)) { // a script put it there, as a copy
		last = order("del %s %d", key, before)
	}
	b.click(last)
	waitFor(b.t, "there is one row less of "+key, func() bool { return b.count(del) == before })
}

// adds are the lists of a page that can grow.
func (b *browser) adds() []string {
	b.t.Helper()
	var keys []string
	for part := range strings.SplitSeq(b.html("main"), `value="add `) {
		if key, _, ok := strings.Cut(part, `"`); ok && !strings.ContainsAny(key, "< ") {
			keys = append(keys, key)
		}
	}
	return keys
}

// Each step of the wizard is put off, gone back to, and the whole is called finished.
func TestTheWizardIsPutOffInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, _ bool) {
		r, f := wizardRig(t, single)
		r.run()
		r.setUpOver(http.DefaultClient)
		url := r.server.URL()
		b.loginAt(url)
		later := func() string {
			f.mu.Lock()
			defer f.mu.Unlock()
			return strings.Join(f.state.Later, " ")
		}
		b.visit(url + "start/password")
		b.choose("Go on")
		want := ""
		for i, step := range []string{"wire", "address", "time", "provider", "phones"} {
			b.see(fmt.Sprintf("Step %d of 6", i+2))
			b.choose("Back")
			b.see(fmt.Sprintf("Step %d of 6", i+1))
			b.visit(url + "start/" + step)
			b.choose("Do this step later")
			want = strings.TrimSpace(want + " " + step)
			waitFor(t, step+" is put off", func() bool { return later() == want })
		}
		b.see("What you left for later waits here, on the overview.")
		b.choose("Go on with setting up")
		b.see("Step 2 of 6")
		b.choose("Leave setting up for now")
		b.see("You can go on with setting up whenever you like")
		b.choose("It is finished")
		b.see("Setting up is finished.")
		if s, _ := f.StartState(); s.Wanted {
			t.Error("the wizard is still wanted")
		}
	})
}

// With a phone on the list the wizard can be finished at its last step.
func TestTheWizardIsFinishedInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, _ bool) {
		r, f := wizardRig(t, single)
		r.run()
		r.setUpOver(http.DefaultClient)
		url := r.server.URL()
		b.loginAt(url)
		b.visit(url + "start/phones")
		b.click("summary")
		b.do(chromedp.SendKeys(chromedp.CSS("details [name=mac]"), "0006d7aa2a2e"), chromedp.SendKeys(chromedp.CSS("details [name=label]"), "Reception"))
		b.click("details .startphone button")
		b.see("The phone is added.")
		if got := r.box.site.snapshot()[mac(t, reception)]; got.Label != "Reception" {
			t.Errorf("the site has %+v", got)
		}
		b.choose("Finish: to the overview")
		b.see("What you left for later waits here, on the overview.")
		if s, _ := f.StartState(); !slices.Equal(s.Done, []string{"phones"}) {
			t.Errorf("done is %q", s.Done)
		}
	})
}

// The shelf without a script, too: files are put there, a load and a file are removed.
func TestTheShelfInABrowser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "P0S3-05-3-00.bin")
	if err := os.WriteFile(file, []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	eachWay(t, func(t *testing.T, b *browser, _ bool) {
		r, url := b.pallet(10)
		b.visit(url + "firmware")
		b.do(chromedp.SetUploadFiles(chromedp.CSS("#firmware-files"), []string{file}))
		b.click(".drop button")
		b.see("The files are on the shelf.")
		r.box.mu.Lock()
		got := r.box.uploads["P0S3-05-3-00.bin"]
		r.box.mu.Unlock()
		if got != "image" {
			t.Errorf("on the shelf is %q", got)
		}
		for _, one := range []struct{ form, done string }{
			{`form:has([name=load])`, "The load is removed."},
			{`table.files form`, "The file is removed."},
		} {
			b.visit(url + "firmware")
			if strings.HasPrefix(one.form, "table") {
				b.click("details summary")
			}
			b.click(one.form + " button")
			b.see("Remove it although it is needed?")
			b.click(`main a[role=button][href="/firmware"]`)
			b.see("Put on the shelf")
			if strings.HasPrefix(one.form, "table") {
				b.click("details summary")
			}
			b.click(one.form + " button")
			b.see("Remove it although it is needed?")
			b.click(`form:has([name=sure]) button`)
			b.see(one.done)
		}
		r.shop.asked(t, "remove P0S3-8-12-00.sb2", "remove P0S3-8-12-00.sb2")
	})
}

// A pallet that fills more than one page is turned over.
func TestTheListOfConversionsIsTurnedOverInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		_, url := b.pallet(120)
		b.visit(url + "conversions")
		b.choose("More phones")
		b.at("page=2")
		b.see("Desk 119")
		b.choose("The phones before")
		b.has("#c-" + palletMAC(0).Name())
		b.choose("Hand-over report")
		b.see("Handed over by")
		if script {
			eval[chromedp.Void](b, `window.print = () => { window.printed = true }`)
			b.click("[data-print]")
			waitFor(t, "it is printed", func() bool { return eval[bool](b, `window.printed === true`) })
		}
	})
}

// What the settings would become is looked at, and changed once more before it is saved.
func TestThePreviewOfTheSettingsLeadsBackInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		for _, one := range []struct{ page, field, value string }{
			{"settings/phones", `[name="sip.proxy"]`, "pbx.example"},
			{"settings/page", `[name="web.plain_http"]`, "true"},
			{"names", `#f-dns-upstream [data-row] input`, "9.9.9.9"},
			{"time", `[name="time.zone"]`, "Europe/Lisbon"},
		} {
			b.visit(url + one.page)
			if one.value == "true" {
				b.tap(one.field)
			} else {
				b.write(one.field, one.value)
			}
			b.tap(`.save button`)
			b.see("Before saving")
			b.click(`button[value=edit]`)
			b.has(".save button")
			b.waitValue(one.field, one.value)
		}
		if got := r.box.site.value("sip.proxy") + r.box.site.value("time.zone"); strings.Contains(got, "pbx.example") || strings.Contains(got, "Lisbon") {
			t.Errorf("saved is %q, and nobody saved", got)
		}
		// A parameter of a model is set, and taken back.
		b.visit(url + "settings/phones")
		pick := func(name string) {
			b.tap(`#f-models-7940-parameters summary`)
			b.write(`[name="models.7940.parameters/pick"]`, name)
			b.tap(`button[value="pick models.7940.parameters"]`)
			b.do(chromedp.WaitVisible(chromedp.CSS(`[name="models.7940.parameters/maybe/` + name + `"]`)))
		}
		pick("call_waiting")
		b.write(`[name="models.7940.parameters/maybe/call_waiting"]`, "1")
		pick("preferred_codec")
		b.click(`button[value="del models.7940.parameters 1"]`)
		waitFor(t, "it is the phone's own again", func() bool { return b.count(`value="del models.7940.parameters 1"`) == 0 })
	})
}

// A phone is changed by its form, and the page of one that is stuck leads to what can be wrong.
func TestAPhoneIsChangedInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		b.visit(url + "phones/0006D7AA2A2E/edit")
		b.fill("[name=label]", "Front desk")
		b.click("main form button[type=submit]")
		waitFor(t, "the phone has its new name", func() bool { return r.box.site.snapshot()[mac(t, reception)].Label == "Front desk" })
		b.see("Front desk")
		if got := r.box.site.snapshot()[mac(t, reception)]; len(got.Lines) != 1 || got.Lines[0].Password != "sip-secret-208" {
			t.Errorf("its lines became %+v", got.Lines)
		}
		b.visit(url + "phones/00070E112233")
		b.choose("What can be wrong")
		b.at("/help")
		b.visit(url + "phones")
		b.choose("Scan phones")
		b.at("/phones/scan")
	})
}
