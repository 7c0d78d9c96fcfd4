package web_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/web"
)

// click presses what a selector finds.
func click(css string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(css)) }

// Every button of the section is pressed, with and without JavaScript.
func TestTheMachineInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, _ bool) {
		r := newRig(t, single)
		furnish(t, r)
		furnishSystem(r.system, r.clock.Now())
		r.run()
		r.setUpOver(http.DefaultClient)
		file := filepath.Join(t.TempDir(), "phonebox.tar.gz.age")
		if err := os.WriteFile(file, []byte("age"), 0o600); err != nil {
			t.Fatal(err)
		}
		url := r.server.URL()
		b.loginAt(url)
		b.do(click(`nav a[href="/system"]`))
		b.see("The box is well.")

		b.do(click(`nav.sub a[href="/system/log"]`))
		b.see("group not written")
		b.do(chromedp.SetValue(chromedp.CSS("[name=level]"), "error"), click("form.filter button"))
		waitFor(t, "the log shows the errors alone", func() bool {
			text := b.text()
			return strings.Contains(text, "group not written") && !strings.Contains(text, "not on the shelf")
		})

		b.do(click(`nav.sub a[href="/system/backup"]`))
		b.see("Make a backup")
		b.do(chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{file}), click(`form[action="/system/restore"] button`))
		b.see("This backup is encrypted")
		b.do(chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{file}), chromedp.SendKeys(chromedp.CSS(`form[action="/system/restore"] [name=passphrase]`), "right"),
			click(`form[action="/system/restore"] button`))
		b.see("Router: 10.77.0.254 → 10.77.0.253")
		b.do(click("[name=part][value=password]"), click("button[name=yes][value='1']"))
		b.see("The backup is restored.")
		b.do(click(`a[href="/system/restore/undo"]`))
		b.see("This works once.")
		b.do(click("main button.bad"))
		b.see("all is as it was before it")
		b.do(chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{file}), chromedp.SendKeys(chromedp.CSS(`form[action="/system/restore"] [name=passphrase]`), "right"),
			click(`form[action="/system/restore"] button`))
		b.see("Nothing is changed yet.")
		b.do(click("button[name=yes][value='0']"))
		b.see("Nothing was changed.")

		b.do(click(`nav.sub a[href="/system/changes"]`))
		b.see("by a USB stick")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=text]"), "router"), click("form.filter button"))
		waitFor(t, "one change is left", func() bool {
			text := b.text()
			return strings.Contains(text, "Router: 10.77.0.254") && !strings.Contains(text, "taken away")
		})
		b.do(click(`nav.sub a[href="/system/versions"]`))
		b.see("cannot be in force now")
		b.do(click(`a[href="/system/versions/aaaa"]`))
		b.see("Bring these settings back?")
		b.do(click("main button.bad"))
		b.see("These settings are in force again.")

		b.do(click(`nav.sub a[href="/system/certificate"]`))
		b.see("runs without encryption")
		b.do(click(`nav.sub a[href="/system/diagnostics"]`))
		b.see("about.txt")

		for _, do := range []string{"restart", "reboot", "off"} {
			b.do(chromedp.Navigate(url+"system"), click(`a[href="/system/power?do=`+do+`"]`))
			b.see("Leave it")
			b.do(click("main button.bad"))
			b.see("Look now")
		}
		want := []string{"restore ID1 settings,files", "undo", "forget ID1", `bring back aaaa "now"`, "power restart", "power reboot", "power off"}
		if got := r.system.list(); !slices.Equal(got, want) {
			t.Errorf("the box was asked for %q, want %q", got, want)
		}
	})
}

// The log and the facts live; a browser that comes back does not show a line twice.
func TestTheLogIsLiveInABrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnishSystem(r.system, r.clock.Now())
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	b.do(chromedp.Navigate(url+"system/log"), chromedp.WaitVisible(chromedp.CSS("#log li")))
	rows := func() int { return eval[int](b, `document.querySelectorAll("#log li").length`) }
	r.system.write("warn", "dhcp", "first-new", r.clock.Now())
	b.see("first-new")
	r.system.write("info", "dhcp", "second-new", r.clock.Now())
	b.see("second-new")
	if n := rows(); n != 6 {
		t.Errorf("the log has %d lines, want 6", n)
	}
	if first := eval[string](b, `document.querySelector("#log li .text").textContent`); first != "second-new" {
		t.Errorf("on top is %q, want the newest", first)
	}
	for i := range 700 {
		r.system.write("info", "tftp", fmt.Sprint("flood ", i), r.clock.Now())
		if i%250 == 249 {
			b.see(fmt.Sprint("flood ", i))
		}
	}
	b.see("flood 699")
	waitFor(t, "the oldest lines go", func() bool { return rows() <= 500 })

	b.do(chromedp.Navigate(url+"system"), chromedp.WaitVisible(chromedp.CSS("#system-facts")))
	r.system.mu.Lock()
	r.system.machine.HeatC = 85
	r.system.mu.Unlock()
	deadline := time.Now().Add(40 * time.Second)
	for !strings.Contains(b.text(), "so hot that it slows down") {
		if time.Now().After(deadline) {
			t.Fatal("the page never said that it is hot")
		}
		time.Sleep(200 * time.Millisecond)
	}
	b.quiet()
}

// A certificate of one's own and a new one, over TLS.
func TestTheCertificateInABrowser(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, []string{"phonebox.voice.home.arpa", "127.0.0.1"}, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, text := range map[string]string{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r := newRig(t, nil)
		r.run()
		r.setUp()
		saved, url := b.saves(), r.server.URL()
		b.loginAt(url)
		b.do(chromedp.Navigate(url + "system/certificate"))
		b.see("the box itself")
		b.picture(script, "certificate")
		b.do(click(`a[href="/system/certificate/download"]`))
		waitFor(t, "the certificate is saved", func() bool { return anySaved(saved, "", "BEGIN CERTIFICATE") })
		b.do(chromedp.SetUploadFiles(chromedp.CSS("[name=certificate]"), []string{filepath.Join(dir, "cert.pem")}), click(`form[enctype] button`))
		b.see("There has to be one key.")
		b.do(chromedp.SetUploadFiles(chromedp.CSS("[name=certificate]"), []string{filepath.Join(dir, "cert.pem")}),
			chromedp.SetUploadFiles(chromedp.CSS("[name=key]"), []string{filepath.Join(dir, "key.pem")}), click(`form[enctype] button`))
		b.see("The certificate is in use for every new connection.")
		b.see("a person, who uploaded it")
		b.do(click(`a[href="/system/certificate/new"]`))
		b.see("Make a new certificate?")
		b.picture(script, "certificate-new")
		b.do(click(`main a[role=button][href="/system/certificate"]`))
		b.see("a person, who uploaded it")
		b.do(click(`a[href="/system/certificate/new"]`))
		b.see("Make a new certificate?")
		b.do(click("main button.bad"))
		b.see("The new certificate is in use")
		b.see("the box itself")
	})
}

// Every page of the section at every width, light and dark.
func TestPicturesOfTheMachine(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnish(t, r)
	furnishSystem(r.system, r.clock.Now())
	r.system.machine.Supply = &web.Supply{UnderVoltage: true}
	r.system.powers.Reboot = "phonebox does not own this computer: it was started by hand or by another system, which has tools of its own for that."
	r.shop.converts = []web.Conversion{{MAC: mac(t, reception), Label: "Meeting room, second floor", Phase: "going"}}
	staged := fakePreview(true)
	r.system.staged = &staged
	r.system.last = &web.RestoreDone{Time: r.clock.Now(), Made: staged.Made, Box: staged.Box, Parts: []string{"settings", "files"}}
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	for name, path := range map[string]string{
		"system": "system", "log": "system/log", "backup": "system/backup", "restore": "system/restore", "undo": "system/restore/undo", "changes": "system/changes",
		"versions": "system/versions", "version": "system/versions/aaaa", "diagnostics": "system/diagnostics", "power": "system/power?do=off", "certificate-none": "system/certificate",
	} {
		b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
		b.shoot("machine-" + name)
		if bare := eval[string](b, unlabelled); bare != "" {
			t.Errorf("%s has fields without a label: %s", name, bare)
		}
	}
	b.quiet()
}
