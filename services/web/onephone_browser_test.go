package web_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// Every button of the page of one phone, with and without JavaScript.
func TestOnePhoneInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r := onePhone(t)
		rec := mac(t, reception)
		r.shop.mu.Lock()
		r.shop.converts = []web.Conversion{{MAC: rec, Label: "Reception", Runs: "P0S3-8-12-00", Target: "P0S3-8-12-00", Phase: "skipped", Text: "It is left out.", Unplug: true}}
		r.shop.mu.Unlock()
		r.run()
		r.setUpOver(http.DefaultClient)
		url := r.server.URL()
		saved := t.TempDir()
		command(b, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
			Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: saved, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
		})
		b.loginAt(url)
		home := url + "phones/0006D7AA2A2E"
		press := func(selector string) { b.t.Helper(); b.pushes(selector) }

		// What to do now: its files changed, so it is to be restarted.
		b.do(chromedp.Navigate(home), chromedp.WaitVisible(chromedp.CSS("#advice .go")))
		b.see("Restart it: SIP0006D7AA2A2E.cnf has changed")
		if script {
			b.shoot("onephone")
		}
		press("#advice .go")
		b.see("The phone was asked to restart.")
		press(`form[action$="/conversion"] button[value=go]`)
		b.see("That is done.")

		// An earlier start, and back.
		press(".boots summary")
		press(".boots a")
		b.see("An earlier start")
		b.see("Not there, and it is needed")
		press(`#strip a[href="/phones/0006D7AA2A2E"]`)
		b.see("Its last start")

		// A line is tested, and again from there; then all, and the phone itself.
		press(`button[name=line][value="1"]`)
		b.see("does not take this password")
		press(`.checked button[name=line]`)
		b.see("What to do:")
		press(`.checked a[role=button]`)
		b.do(chromedp.WaitVisible(chromedp.CSS("[name=label]")))
		b.do(chromedp.Navigate(home))
		press("button[name=what][value=lines]")
		b.see("does not take this password")
		b.do(chromedp.Navigate(home))
		press("button[name=what][value=phone]")
		b.see("Line 1 is registered")

		// Its parameters are searched.
		b.do(chromedp.Navigate(home), chromedp.SendKeys(chromedp.CSS("search input"), "codec\r"))
		b.see("1 of 3 parameters match.")

		// A file: its passwords, the file itself, and what changed.
		b.do(chromedp.Navigate(home))
		press(`#files a[href$="SIP0006D7AA2A2E.cnf"]`)
		b.see("It got another version")
		if text := b.text(); strings.Contains(text, "sip-secret-208") || strings.Contains(text, "old-secret-207") {
			t.Error("the page of a file shows a password unasked")
		}
		press(`button[value=passwords]`)
		b.see("sip-secret-208")
		press(`button[value=download]`)
		waitFor(t, "the file is saved", func() bool { return savedAs(t, saved, "SIP0006D7AA2A2E.cnf", "sip-secret-208") })

		// Its load.
		b.do(chromedp.Navigate(home))
		press(`a[href$="/load"]`)
		b.do(chromedp.SetValue(chromedp.CSS("select[name=load]"), "stay"))
		press(`form[action$="/load"] button`)
		b.see("It is to run the load that it runs, whatever the site wants.")
		press(`form[method=post][action$="/load"] button`)
		b.see("Its load is chosen.")
		if got := r.box.site.snapshot()[rec].Load; got != "stay" {
			t.Errorf("stored is %q, want stay", got)
		}

		// Its frames.
		press(`button[value=start]`)
		b.see("214 frames")
		press(`form[action$="/recording"] button[value=download]`)
		waitFor(t, "the recording is saved", func() bool { return savedAs(t, saved, "0006D7AA2A2E.pcap", "pcap") })
		press(`form[action$="/recording"] button[value=stop]`)
		b.see("The recording has stopped.")

		// Restart on top, and delete, which asks once more.
		press(`.head form[action$="/restart"] button`)
		b.see("The phone was asked to restart.")
		press(`a[href$="/remove"]`)
		b.see("Remove Reception?")
		press(`main form button`)
		b.see("is removed from the list")
		if _, _, there := r.box.site.Phone(rec); there {
			t.Error("it is still listed")
		}
		want := []string{"record 0006D7AA2A2E 10m0s", "stop 0006D7AA2A2E"}
		if got := r.desk.list(); !slices.Equal(got, want) {
			t.Errorf("the box was asked for %q, want %q", got, want)
		}
	})
}

// pushes clicks what is there. What was found may belong to a page that is just being exchanged for the same one anew; then it is
// looked for again, for nothing was pressed.
func (b *browser) pushes(selector string) {
	b.t.Helper()
	var err error
	for range 20 {
		ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
		err = chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
		cancel()
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "Could not find node") && !strings.Contains(err.Error(), "does not belong to the document") {
			break
		}
	}
	b.t.Fatalf("pressing %s: %v; the page says:\n%s", selector, err, b.text())
}

func savedAs(t *testing.T, dir, name, content string) bool {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(dir, name))
	return err == nil && strings.Contains(string(body), content)
}

// The strip follows the phone while somebody looks, and what was unfolded stays so.
func TestTheStripIsLive(t *testing.T) {
	t.Parallel()
	r := onePhone(t)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	b.loginAt(r.server.URL())
	b.do(chromedp.Navigate(r.server.URL()+"phones/0006D7AA2A2E"), chromedp.WaitVisible(chromedp.CSS("#strip")))
	b.do(chromedp.Click(chromedp.CSS("#strip li:nth-child(2) details summary")))
	b.see("1,204 bytes in 0.02 s")
	rec := mac(t, reception)
	h := &happening{mac: rec, at: r.clock.Now(), id: 5000}
	h.address()
	h.missing("CTLSEP0006D7AA2A2E.tlv", "x", true, phone.Loading)
	for _, e := range h.out {
		r.box.happen(e, func(p *web.Phone) { p.WaitingFor = "its configuration" })
	}
	b.see("Earlier starts (3)")
	waitFor(t, "the files are under way", func() bool {
		return eval[string](b, `document.querySelector("#strip li:nth-child(2)").className`) == "now"
	})
	if !eval[bool](b, `document.querySelector("#strip li:nth-child(2) details").open`) {
		t.Error("what was unfolded is folded again")
	}
	b.see("Wait: it is on its way.")
	r.box.happen(web.PhoneEvent{ID: 6000, Time: h.at.Add(time.Second), MAC: rec, Service: "box", Kind: "note", Text: "is stuck", Step: phone.Stuck}, func(p *web.Phone) {
		p.Problem = "Its SIP application has no usable configuration."
	})
	waitFor(t, "the strip says that it is stuck", func() bool {
		return eval[string](b, `document.querySelector("#strip li:nth-child(2)").className`) == "trouble"
	})
	b.shoot("onephone-stuck")
	b.do(chromedp.Navigate(r.server.URL()+"phones/0006D7AA2A2E/files/SIP0006D7AA2A2E.cnf"), chromedp.WaitVisible(chromedp.CSS(".diff")))
	b.shoot("onephone-file")
	b.do(chromedp.Navigate(r.server.URL()+"phones/0006D7AA2A2E/load?load=P0S3-8-2-00"), chromedp.WaitVisible(chromedp.CSS("select")))
	b.shoot("onephone-load")
	b.do(chromedp.Navigate(r.server.URL()+"phones/0006D7AA2A2E?boot=1"), chromedp.WaitVisible(chromedp.CSS("#strip")))
	b.shoot("onephone-earlier")
	b.quiet()
}
