//go:build linux

package main_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/testkit"
)

// tryPage starts the daemon with -try and returns where its page is.
func tryPage(t *testing.T) (url string) {
	t.Helper()
	cmd := command(t, "-try")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		url = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindString(lines.Text())
	}
	if url == "" {
		t.Fatal("the output ended without a page")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return url
}

// TestTheSettingsOfTheRealBox changes a setting in a real browser on the real daemon: the fault that stands beside the field
// while one types is that of the box, and so is what the page before saving says.
func TestTheSettingsOfTheRealBox(t *testing.T) {
	testkit.Need(t, "chromium")
	const password = "correct horse battery"
	url := tryPage(t)
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 50*time.Second) // command gives the daemon a minute
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	see := func(text string) {
		t.Helper()
		said := ""
		testkit.Eventually(t, 20*time.Second, "the page says "+text, func() bool {
			said, _ = chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
			return strings.Contains(said, text)
		})
	}
	port := chromedp.CSS(`[name="sip.port"]`)
	do(chromedp.Navigate(url), chromedp.SendKeys(chromedp.CSS("[name=password]"), password), chromedp.SendKeys(chromedp.CSS("[name=again]"), password),
		chromedp.Click(chromedp.CSS("main button[type=submit]")), chromedp.WaitVisible(chromedp.CSS("#state")),
		chromedp.Navigate(url+"settings/phones"), chromedp.SetValue(port, "7000"), chromedp.SendKeys(port, "0"))
	see(`found "70000"; allowed: a number from 1 to 65535`)
	do(chromedp.SetValue(port, "507"), chromedp.SendKeys(port, "0"))
	see("These settings can be saved.")
	do(chromedp.Click(chromedp.CSS(".save button")))
	see("Phones must restart to learn the new port of the telephone system.")
	see("Reception")
	do(chromedp.Click(chromedp.CSS("button[value=save]")))
	see("The settings are saved and in force.")

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"api/v1/site", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", password)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); !strings.Contains(string(text), "port = 5070") {
		t.Errorf("the settings are\n%s\nwant the new port", text)
	}
}
