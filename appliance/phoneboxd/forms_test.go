//go:build linux

package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTheSettingsOfTheRealBox changes a setting in a real browser on the real daemon: the fault that stands beside the field
// while one types is that of the box, and so is what the page before saving says.
func TestTheSettingsOfTheRealBox(t *testing.T) {
	url := startTry(t)
	p := newPerson(t, url)
	p.setUp()
	port := chromedp.CSS(`[name="sip.port"]`)
	p.do(chromedp.WaitVisible(chromedp.CSS("#state")), chromedp.Navigate(url+"settings/phones"), chromedp.SetValue(port, "7000"), chromedp.SendKeys(port, "0"))
	p.see(`found "70000"; allowed: a number from 1 to 65535`)
	p.do(chromedp.SetValue(port, "507"), chromedp.SendKeys(port, "0"))
	p.see("These settings can be saved.")
	p.do(chromedp.Click(chromedp.CSS(".save button")))
	p.see("Phones must restart to learn the new port of the telephone system.")
	p.see("Reception")
	p.do(chromedp.Click(chromedp.CSS("button[value=save]")))
	p.see("The settings are saved and in force.")

	if _, text := ask(t, http.MethodGet, url+"api/v1/site", nil); !strings.Contains(text, "port = 5070") {
		t.Errorf("the settings are\n%s\nwant the new port", text)
	}
}
