package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"phonebox/services/web"
)

// People press buttons twice. What they pressed is done once, and the page tells what became of it, not that it came too late.
func TestAButtonThatIsPressedTwiceIsPressedOnce(t *testing.T) {
	r := onePhone(t)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	posts := func(path string) int { return strings.Count(r.log.String(), "method=POST path="+path+" ") }
	twice := func(css string) {
		t.Helper()
		eval[chromedp.Void](b, `{ const button = document.querySelector(`+"`"+css+"`"+`); button.click(); button.click(); }`)
	}

	// A form that htmx sends.
	b.do(chromedp.Navigate(url+"phones/new"), chromedp.WaitVisible(chromedp.CSS("[name=mac]")))
	b.fill("[name=mac]", "000B0000000A")
	b.fill("[name=label]", "Gate")
	twice("main form button[type=submit]")
	b.see("The phone was added.")
	b.do(chromedp.Navigate(url+"phones"), chromedp.WaitVisible(chromedp.CSS("#phones")))
	if n := posts("/phones"); n != 1 {
		t.Errorf("the phone was added %d times", n)
	}

	// What was answered can be pressed again at once.
	b.do(chromedp.Navigate(url + "phones/0006D7AA2A2E"))
	b.pushes(`button[name=line][value="1"]`)
	b.see("What to do:")
	b.pushes(`.checked button[name=line]`)
	waitFor(t, "the line is tested once more", func() bool { return posts("/phones/0006D7AA2A2E/check") == 2 })

	// One that the browser sends itself.
	r.system.mu.Lock()
	r.system.staged = &web.RestorePreview{ID: "b1", Box: "Harbour Street office", Parts: []web.RestorePart{{Name: "settings", Files: 1}}}
	r.system.mu.Unlock()
	b.do(chromedp.Navigate(url+"system/restore"), chromedp.WaitVisible(chromedp.CSS("button[name=yes]")))
	twice(`button[name=yes][value="1"]`)
	b.see("The backup is restored.")
	if n := posts("/system/restore/decide"); n != 1 {
		t.Errorf("the backup was restored %d times", n)
	}
	b.quiet()
}
