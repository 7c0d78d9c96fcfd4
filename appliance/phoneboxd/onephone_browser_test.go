//go:build linux

package main_test

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

	"phonebox/services/phone"
)

// A phone that is not listed and one whose load is missing are helped from their own pages, as a newcomer would do it: each
// time by the button that the page offers.
func TestPhonesAreHelpedFromTheirPages(t *testing.T) {
	url := startTry(t)
	p := newPerson(t, url)
	p.setUp()
	// Without a time its pages ask for that.
	if code, said := ask(t, http.MethodPost, url+"api/v1/clock", fmt.Appendf(nil, `{"unix":%d}`, time.Now().Unix())); code != http.StatusNoContent {
		t.Fatalf("setting the clock: %d %s", code, said)
	}

	// Not listed: it asks for its configuration in vain.
	stranger := "phones/000D29556677"
	p.until(stranger, "Add this phone to the list")
	p.see("needs you")
	p.click("#advice .go")
	p.do(chromedp.WaitVisible(chromedp.CSS(`[name="lines[0].name"]`)), chromedp.SendKeys(chromedp.CSS("[name=label]"), "Hall"),
		chromedp.SendKeys(chromedp.CSS(`[name="lines[0].name"]`), "210"), chromedp.SendKeys(chromedp.CSS(`[name="lines[0].password"]`), "hall-secret"),
		chromedp.Click(chromedp.CSS(`main form[action="/phones"] button[type=submit]`)))
	p.until(stranger, "Hall")
	p.see("Nothing has to be done: it works.") // it takes its configuration at its next poll, while the page is looked at
	p.see("ready after")

	// What it got is told beside what it would get, its password is not.
	p.click(`#files a[href$="SIP000D29556677.cnf"]`)
	p.see("It got exactly these bytes")
	if strings.Contains(p.text(), "hall-secret") {
		t.Error("the page of a file shows a password unasked")
	}
	p.click("button[value=passwords]")
	p.see("hall-secret")

	// A load is missing: the page says which files, and leads to where they are uploaded.
	workshop := "phones/0007EB102030"
	p.until(workshop, "Upload P0S3-8-12-00.loads")
	p.click("#advice .go")
	dir := t.TempDir()
	var files []string
	for name, content := range phone.MakeBundle("P0S3-8-12-00", 130_552, 200_000) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	slices.Sort(files)
	p.do(chromedp.WaitVisible(chromedp.CSS("input[type=file][name=files]")), chromedp.SetUploadFiles(chromedp.CSS("input[type=file][name=files]"), files))
	p.click(`form[action="/firmware"] button[type=submit]`)
	deadline := time.Now().Add(time.Minute)
	for strings.Contains(conversion(t, url), `"phase":"blocked"`) { // to leave the page would end the upload
		if time.Now().After(deadline) {
			t.Fatalf("the firmware does not arrive; the page says:\n%s", p.text())
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.until(workshop, "Workshop")
	p.see("Nothing has to be done: it works.")
	p.see("P0S3-8-12-00 (SIP)")

	// On loopback there is nothing to record, and the page says why.
	p.see("This box runs on loopback (-try)")
	if strings.Contains(p.html(), `value="start"`) {
		t.Error("the page offers to record where it cannot")
	}
}

// conversion is what the API says of the conversion of Workshop.
func conversion(t *testing.T, url string) string {
	t.Helper()
	_, body := ask(t, http.MethodGet, url+"api/v1/phones/0007EB102030/conversion", nil)
	return body
}
