//go:build linux

package main_test

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// conversionPatience is how long a step of the test may take on a busy machine; a virtual phone needs seconds for it.
const conversionPatience = 3 * time.Minute

// technician is a person with a browser in front of the page of a real box.
type technician struct {
	t   *testing.T
	ctx context.Context
	url string
}

// tryBox starts the daemon as a newcomer does and returns its page.
func tryBox(t *testing.T) string {
	t.Helper()
	exe, err := daemon()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-try")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, found := "", make(chan struct{})
	var once sync.Once
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindString(lines.Text()); m != "" {
				once.Do(func() { url = m; close(found) })
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = cmd.Wait()
	})
	select {
	case <-found:
	case <-ended:
		t.Fatal("the daemon ended before it told its page")
	case <-time.After(conversionPatience):
		t.Fatal("the daemon does not tell its page")
	}
	return url
}

func newTechnician(t *testing.T, url string) *technician {
	t.Helper()
	testkit.Need(t, "chromium")
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 4*conversionPatience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	p := &technician{t: t, ctx: ctx, url: url}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *technician) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("driving the browser: %v; the page says:\n%s", err, p.text())
	}
}

func (p *technician) open(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.url+path), chromedp.WaitVisible(chromedp.CSS("main")))
}

func (p *technician) click(css string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(css)), chromedp.Click(chromedp.CSS(css)))
}

func (p *technician) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		return err.Error()
	}
	return text
}

// see waits until the page says all of these.
func (p *technician) see(texts ...string) {
	p.t.Helper()
	testkit.Eventually(p.t, conversionPatience, fmt.Sprintf("the page says %q", texts), func() bool {
		page := p.text()
		for _, text := range texts {
			if !strings.Contains(page, text) {
				return false
			}
		}
		return true
	})
}

func (p *technician) eval(js string) string {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](js))
	if err != nil {
		p.t.Fatalf("evaluating %s: %v", js, err)
	}
	return v
}

// shoot keeps pictures of the page as it is, on a phone's screen and on a laptop.
func (p *technician) shoot(name string) {
	p.t.Helper()
	for _, width := range []int64{320, 1440} {
		p.do(chromedp.EmulateViewport(width, 900))
		png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), fmt.Sprintf("live-%s-%d.png", name, width)), png, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	p.do(chromedp.EmulateViewport(1280, 900))
}

// bundleZip is the archive of a load as it comes, in the sizes of a real one.
func bundleZip(t *testing.T, load string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), load+".zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for file, content := range phone.MakeBundle(load, 130_552, 756_120) {
		part, err := w.Create(file)
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// watch keeps all that the page shows of one phone while it is live: state, progress and sign, and the tab's title.
const watch = `(() => {
	window.seen = [];
	const note = () => {
		const row = document.getElementById("c-0007EB102030");
		const now = [document.title.split(" ")[0], row?.querySelector(".step")?.innerText.replace(/\s+/g, " "), row?.querySelector(".now small")?.innerText,
			row?.querySelector("progress")?.value ?? "", document.querySelector(".hot")?.innerText.replace(/\s+/g, " ") ?? ""].join(" | ");
		if (now !== window.seen.at(-1)) window.seen.push(now);
	};
	new MutationObserver(note).observe(document.documentElement, { childList: true, subtree: true, attributes: true, characterData: true });
	note();
	return "";
})()`

// TestAPhoneIsConvertedWhileAPersonWatches is a conversion from SCCP to SIP in a real browser on the real daemon: what is
// missing, the upload, the plan, start later and start, the step on the page as it happens, and the report.
func TestAPhoneIsConvertedWhileAPersonWatches(t *testing.T) {
	const load = "P0S3-8-12-00"
	url := tryBox(t)
	p := newTechnician(t, url)
	p.do(chromedp.EmulateViewport(1280, 900))
	p.open("")
	for _, field := range []string{"password", "again"} {
		p.do(chromedp.WaitVisible(chromedp.CSS("[name="+field+"]")), chromedp.SendKeys(chromedp.CSS("[name="+field+"]"), "a long enough password"))
	}
	p.click("main button[type=submit]")
	p.see("Log out")

	// The workshop's phone lacks files: the page says which files it needs, and the shelf for whom.
	p.open("conversions")
	p.see("Workshop", "files missing", "Needs you: 1")
	p.shoot("blocked")
	p.open("firmware")
	p.see("Missing, and needed", load+".loads", "1 phone runs")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#firmware-files"), []string{bundleZip(t, load)}))
	// Nothing may begin before the plan was looked at: both phones are left out first.
	p.open("conversions/target?to=" + load)
	p.see("What " + load + " means")
	p.shoot("plan-without-files")
	p.click("button[value=later]")
	p.see("Nothing begins until you press Start all")
	p.open("firmware")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#firmware-files"), []string{bundleZip(t, load)}))
	p.click(".drop button")
	p.see("The files are on the shelf.", "whole")
	if text := p.text(); strings.Contains(text, "Missing, and needed") {
		t.Errorf("all is there, and the page says that something is missing:\n%s", text)
	}
	p.open("conversions/target?to=" + load)
	p.see("What "+load+" means", "Workshop", load+".sb2", "The screen says Upgrading Software", "has a load of its own")
	p.shoot("plan")

	p.open("conversions")
	p.see("Workshop", "left out")
	if text := p.text(); strings.Contains(text, "don't unplug") {
		t.Fatalf("a phone gets firmware before anybody pressed Start:\n%s", text)
	}
	p.eval(watch)
	p.click("form.everyone button[value=go]")
	p.see("goes on")
	p.eval(watch) // htmx exchanged the body; what is watched is the document
	shot := false
	testkit.Eventually(t, conversionPatience, "the phone has arrived", func() bool {
		text := p.text()
		if !shot && strings.Contains(text, "don't unplug") {
			shot = true
			p.shoot("going")
		}
		row := p.eval(`document.getElementById("c-0007EB102030")?.innerText ?? ""`)
		return strings.Contains(row, "arrived")
	})
	var seen []string
	if err := json.Unmarshal([]byte(p.eval(`JSON.stringify(window.seen)`)), &seen); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(seen, "\n")
	t.Logf("what the page showed:\n%s", all)
	for _, want := range []string{"don't unplug", "Step 1 of", "it writes " + load + ".sb2.", "Don't unplug these phones", "Workshop", "arrived"} {
		if !strings.Contains(all, want) {
			t.Errorf("while the phone was converted the page never said %q", want)
		}
	}
	p.see("2 of 2 have arrived.")
	if title := p.eval("document.title"); !strings.HasPrefix(title, "2/2 – Conversion") {
		t.Errorf("the tab says %q", title)
	}
	p.shoot("arrived")
	p.open("phones/0007EB102030")
	p.see("has arrived: it runs " + load)
	p.open("conversions/report")
	p.see("Harbour Street office", "Workshop", "00:07:EB:10:20:30", "209", load, "arrived", "runs the load that it should", "Handed over by")
	p.shoot("report")
	p.open("firmware")
	p.click(".shelf form button")
	p.see("Remove it although it is needed?", "2 phones should run it, and 2 do.")
}
