//go:build linux

package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// person is somebody at Chromium.
type person struct {
	t   *testing.T
	ctx context.Context
}

// newPerson starts Chromium.
func newPerson(t *testing.T) *person {
	t.Helper()
	testkit.Need(t, "chromium")
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	p := &person{t, ctx}
	if err := chromedp.Do(ctx); err != nil { // starts it; a deadline here would end it
		t.Fatal(err)
	}
	return p
}

func (p *person) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("driving the browser: %v; the page says:\n%s", err, p.text())
	}
}

func (p *person) press(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

func (p *person) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		return err.Error()
	}
	return text
}

// see waits until the page says text by itself.
func (p *person) see(text string) {
	p.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !strings.Contains(p.text(), text) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the page does not say %q; it says:\n%s", text, p.text())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// startTry runs -try until the test ends and returns the address of its page.
func startTry(t *testing.T) string {
	t.Helper()
	exe, err := daemon()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, "-try")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if url := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindString(lines.Text()); url != "" {
			go func() {
				for lines.Scan() { // nobody reads on, but the daemon writes
				}
			}()
			return url
		}
	}
	t.Fatal("the output ended without a page")
	return ""
}

// A phone that is not listed and one whose load is missing are helped from their own pages, as a newcomer would do it: each
// time by the button that the page offers.
func TestPhonesAreHelpedFromTheirPages(t *testing.T) {
	url := startTry(t)
	p := newPerson(t)
	const word = "correct horse battery"
	p.do(chromedp.Navigate(url), chromedp.SendKeys(chromedp.CSS("[name=password]"), word))
	if again := `[name=again]`; strings.Contains(p.html(), `name="again"`) {
		p.do(chromedp.SendKeys(chromedp.CSS(again), word))
	}
	p.press("main button[type=submit]")

	knowTheTime(t, url, word)

	// Not listed: it asks for its configuration in vain.
	stranger := url + "phones/000D29556677"
	p.until(stranger, "Add this phone to the list")
	p.see("needs you")
	p.press("#advice .go")
	p.do(chromedp.WaitVisible(chromedp.CSS(`[name="lines[0].name"]`)), chromedp.SendKeys(chromedp.CSS("[name=label]"), "Hall"),
		chromedp.SendKeys(chromedp.CSS(`[name="lines[0].name"]`), "210"), chromedp.SendKeys(chromedp.CSS(`[name="lines[0].password"]`), "hall-secret"),
		chromedp.Click(chromedp.CSS(`main form[action="/phones"] button[type=submit]`)))
	p.until(stranger, "Hall")
	p.see("Nothing has to be done: it works.") // it takes its configuration at its next poll, while the page is looked at
	p.see("ready after")

	// What it got is told beside what it would get, its password is not.
	p.press(`#files a[href$="SIP000D29556677.cnf"]`)
	p.see("It got exactly these bytes")
	if strings.Contains(p.text(), "hall-secret") {
		t.Error("the page of a file shows a password unasked")
	}
	p.press("button[value=passwords]")
	p.see("hall-secret")

	// A load is missing: the page says which files, and leads to where they are uploaded.
	workshop := url + "phones/0007EB102030"
	p.until(workshop, "Upload P0S3-8-12-00.loads")
	p.press("#advice .go")
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
	p.press(`form[action="/firmware"] button[type=submit]`)
	deadline := time.Now().Add(time.Minute)
	for strings.Contains(conversion(t, url, word), `"phase":"blocked"`) { // to leave the page would end the upload
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

// knowTheTime sets the clock of the box, without which its pages ask for that.
func knowTheTime(t *testing.T, url, word string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for { // until the password that was just entered is set
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"api/v1/clock", strings.NewReader(fmt.Sprintf(`{"unix":%d}`, time.Now().Unix())))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", word)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusNoContent:
			return
		case resp.StatusCode != http.StatusForbidden || time.Now().After(deadline):
			t.Fatalf("setting the clock: %s", resp.Status)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// conversion is what the API says of the conversion of Workshop.
func conversion(t *testing.T, url, word string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"api/v1/phones/0007EB102030/conversion", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", word)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// html is what the page is made of.
func (p *person) html() string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	html, err := chromedp.Run(ctx, chromedp.OuterHTML(chromedp.CSS("html")))
	if err != nil {
		return err.Error()
	}
	return html
}

func (p *person) open(url string) error {
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	return chromedp.Do(ctx, chromedp.Navigate(url))
}

// until goes to a page until it says text.
func (p *person) until(url, text string) {
	p.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := p.open(url) // it is aborted while the answer to a form still comes
		for range 20 {
			if err == nil && strings.Contains(p.text(), text) {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s does not say %q; it says:\n%s", url, text, p.text())
		}
	}
}
