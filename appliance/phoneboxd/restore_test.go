//go:build linux

package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"phonebox/services/testkit"
)

// TestRestoreInABrowser backs up the real daemon, changes it, and restores it in Chromium as a technician does.
func TestRestoreInABrowser(t *testing.T) {
	testkit.Need(t, "chromium")
	url := startTry(t)
	firstPassword(t, url)
	code, saved := ask(t, http.MethodGet, url+"api/v1/backup?parts=settings,files,password", nil)
	if code != http.StatusOK || len(saved) < 200 {
		t.Fatalf("backing up: %d %q", code, saved)
	}
	file := filepath.Join(t.TempDir(), "phonebox.tar.gz")
	if err := os.WriteFile(file, []byte(saved), 0o600); err != nil {
		t.Fatal(err)
	}
	_, before := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil)

	p := newPerson(t, url)
	p.open("")
	p.enter("[name=password]", password)
	p.click("main button[type=submit]")
	p.see("Overview")

	// Somebody breaks the settings.
	p.do(chromedp.Navigate(url+"settings/file"), chromedp.WaitVisible(chromedp.CSS("textarea")))
	broken := strings.NewReplacer(`label = "Reception"`, `label = "Oops"`, `"pbx.voice.home.arpa"`, `"nowhere.voice.home.arpa"`).Replace(before)
	broken = strings.ReplaceAll(broken, `password = "sip"`, `password = "planted-in-the-try-box"`)
	p.do(chromedp.SetValue(chromedp.CSS("textarea"), broken))
	p.click("main form button")
	p.see("The settings are saved and in force.") // in the list of changes, too
	_, changed := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil)
	if !strings.Contains(changed, "Oops") {
		t.Fatal("the settings are not changed")
	}

	// What he did stands in the list, without the password.
	p.do(chromedp.Navigate(url + "system/changes"))
	p.see("Oops: Label: Reception → Oops")
	p.see("Oops: Password of line 1 was changed")
	if strings.Contains(p.text(), "planted") {
		t.Error("the list of changes tells a password")
	}

	// The backup brings it back.
	p.do(chromedp.Navigate(url+"system/backup"), chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{file}))
	p.click(`form[action="/system/restore"] button`)
	p.see("Reception: Label: Oops → Reception")
	if strings.Contains(p.text(), "planted") {
		t.Error("the preview tells a password")
	}
	if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); now != changed {
		t.Error("the preview changed the settings")
	}
	p.click("button[name=yes][value='1']")
	p.see("The backup is restored.")
	if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); now != before {
		t.Errorf("restored:\n%s\nwant\n%s", now, before)
	}
	p.click(`a[href="/system/restore/undo"]`)
	p.see("This works once.")
	p.click("main button.bad")
	p.see("all is as it was before it")
	if _, now := ask(t, http.MethodGet, url+"api/v1/site?secrets=1", nil); now != changed {
		t.Errorf("undone:\n%s\nwant\n%s", now, changed)
	}

	// The version before can be brought back too.
	p.do(chromedp.Navigate(url + "system/versions"))
	p.see("In force until")
	p.click(`main article .actions a`)
	p.see("Bring these settings back?")
	p.click("main button.bad")
	p.see("These settings are in force again.")
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
