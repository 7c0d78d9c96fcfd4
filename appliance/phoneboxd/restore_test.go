//go:build linux

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/testkit"
)

const pagePassword = "correct horse battery"

// restorePage starts the real daemon with -try and returns the address of its page, with a password set.
func restorePage(t *testing.T) string {
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
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	url := ""
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		url = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindString(lines.Text())
	}
	if url == "" {
		t.Fatal("the daemon told no address of its page")
	}
	go func() {
		for lines.Scan() { // or the daemon would wait for a reader
			continue
		}
	}()
	resp, err := http.Post(url+"api/v1/setup", "application/json", strings.NewReader(`{"password":"`+pagePassword+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("setting the password: %s", resp.Status)
	}
	return url
}

// ask calls the API.
func ask(t *testing.T, method, url string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", pagePassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

// TestRestoreInABrowser backs up the real daemon, changes it, and restores it in Chromium as a technician does.
func TestRestoreInABrowser(t *testing.T) {
	testkit.Need(t, "chromium")
	url := restorePage(t)
	code, saved := ask(t, http.MethodGet, url+"api/v1/backup?parts=settings,files,password", nil)
	if code != http.StatusOK || len(saved) < 200 {
		t.Fatalf("backing up: %d %q", code, saved)
	}
	file := filepath.Join(t.TempDir(), "phonebox.tar.gz")
	if err := os.WriteFile(file, []byte(saved), 0o600); err != nil {
		t.Fatal(err)
	}
	_, before := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil)

	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
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
	text := func() string {
		got, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
		if err != nil {
			return err.Error()
		}
		return got
	}
	see := func(want string) {
		t.Helper()
		for range 300 {
			if strings.Contains(text(), want) {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("the page never said %q:\n%s", want, text())
	}
	click := func(css string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(css)) }
	do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("[name=password]")), chromedp.SendKeys(chromedp.CSS("[name=password]"), pagePassword), click("main button[type=submit]"))
	see("Overview")

	// Somebody breaks the settings.
	do(chromedp.Navigate(url+"settings/file"), chromedp.WaitVisible(chromedp.CSS("textarea")))
	broken := strings.NewReplacer(`label = "Reception"`, `label = "Oops"`, `"pbx.voice.home.arpa"`, `"nowhere.voice.home.arpa"`).Replace(before)
	broken = strings.ReplaceAll(broken, `password = "sip"`, `password = "planted-in-the-try-box"`)
	do(chromedp.SetValue(chromedp.CSS("textarea"), broken), click("main form button"))
	for range 300 {
		if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); strings.Contains(now, "Oops") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	_, changed := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil)
	if !strings.Contains(changed, "Oops") {
		t.Fatalf("the settings were not changed: %s", changed)
	}

	// What he did stands in the list, without the password.
	do(chromedp.Navigate(url + "system/changes"))
	see("Oops: Label: Reception → Oops")
	see("Oops: Password of line 1 was changed")
	if strings.Contains(text(), "planted") {
		t.Error("the list of changes tells a password")
	}

	// The backup brings it back.
	do(chromedp.Navigate(url+"system/backup"), chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{file}), click(`form[action="/system/restore"] button`))
	see("Reception: Label: Oops → Reception")
	if strings.Contains(text(), "planted") {
		t.Error("the preview tells a password")
	}
	if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); now != changed {
		t.Error("the preview changed the settings")
	}
	do(click("button[name=yes][value='1']"))
	see("The backup is restored.")
	if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); now != before {
		t.Errorf("restored:\n%s\nwant\n%s", now, before)
	}
	do(click(`a[href="/system/restore/undo"]`))
	see("This works once.")
	do(click("main button.bad"))
	see("all is as it was before it")
	if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); now != changed {
		t.Errorf("undone:\n%s\nwant\n%s", now, changed)
	}

	// The version before can be brought back too.
	do(chromedp.Navigate(url + "system/versions"))
	see("In force until")
	do(click(`main article .actions a`))
	see("Bring these settings back?")
	do(click("main button.bad"))
	see("These settings are in force again.")
	if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); now != before {
		t.Errorf("brought back:\n%s\nwant\n%s", now, before)
	}

	// All of it in the bundle, and no password.
	_, bundle := ask(t, http.MethodGet, url+"api/v1/diagnostics", nil)
	if len(bundle) < 1000 || !strings.HasPrefix(bundle, "PK") {
		t.Errorf("the bundle has %d bytes", len(bundle))
	}
	for _, do := range []string{"restart", "reboot", "off"} {
		if code, said := ask(t, http.MethodPost, url+"api/v1/power", fmt.Appendf(nil, `{"do":%q}`, do)); code != http.StatusConflict || !strings.Contains(said, "phonebox -try") {
			t.Errorf("%s with -try: %d %s, want a plain no", do, code, said)
		}
	}
	var system struct{ Go, Kernel string }
	if _, body := ask(t, http.MethodGet, url+"api/v1/system", nil); json.Unmarshal([]byte(body), &system) != nil || system.Go == "" || system.Kernel == "" {
		t.Errorf("/api/v1/system: %s", body)
	}
}
