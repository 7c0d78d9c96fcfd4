//go:build linux

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/testkit"
)

const (
	// password is the one of the page, wherever a test sets it.
	password = "correct horse battery"
	// patience is how long a step may take on a busy machine; a virtual phone needs seconds for it.
	patience = 3 * time.Minute
	// wholeTest is how long a browser lives at most.
	wholeTest = 15 * time.Minute
)

// startTry runs the daemon as a newcomer does until the test ends, and returns the address of its page. Told to end, it has to
// say that it was.
func startTry(t *testing.T) (url string) {
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
	found, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		told := false
		for lines := bufio.NewScanner(out); lines.Scan(); { // to the end, or the daemon would wait for a reader
			if m := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindString(lines.Text()); m != "" && !told {
				told = true
				found <- m
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 143 {
			t.Errorf("the daemon ended with exit code %d, want 143", code)
		}
	})
	select {
	case url = <-found:
	case <-ended:
		t.Fatal("the daemon ended before it told its page")
	case <-time.After(patience):
		t.Fatal("the daemon does not tell its page")
	}
	return url
}

// firstPassword sets the password of a new box.
func firstPassword(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Post(url+"api/v1/setup", "application/json", strings.NewReader(`{"password":"`+password+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("setting the password: %s", resp.Status)
	}
}

// ask calls the API with the password of the page.
func ask(t *testing.T, method, url string, body []byte, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
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

// person is somebody at Chromium, in front of the page of a real box.
type person struct {
	t   *testing.T
	ctx context.Context
	url string
}

// newPerson starts Chromium.
func newPerson(t *testing.T, url string) *person {
	t.Helper()
	testkit.Need(t, "chromium")
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 900))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), wholeTest)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	p := &person{t: t, ctx: ctx, url: url}
	if err := chromedp.Do(ctx); err != nil { // starts it; a deadline here would end it
		t.Fatal(err)
	}
	return p
}

func (p *person) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("driving the browser: %v; the page says:\n%s", err, p.text())
	}
}

// open goes to a page of the box.
func (p *person) open(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.url+path), chromedp.WaitVisible(chromedp.CSS("main")))
}

// until goes to a page until it says text.
func (p *person) until(path, text string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
		err := chromedp.Do(ctx, chromedp.Navigate(p.url+path)) // it is aborted while the answer to a form still comes
		cancel()
		for range 20 {
			if err == nil && strings.Contains(p.text(), text) {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s does not say %q; it says:\n%s", path, text, p.text())
		}
	}
}

func (p *person) click(css string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(css)), chromedp.Click(chromedp.CSS(css)))
}

// enter fills in a field.
func (p *person) enter(css, text string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(css)), chromedp.SendKeys(chromedp.CSS(css), text))
}

// setUp sets the first password on the page of a new box, twice as it asks for it, and waits for the first page.
func (p *person) setUp() {
	p.t.Helper()
	p.open("")
	p.enter("[name=password]", password)
	p.enter("[name=again]", password)
	p.click("main button[type=submit]")
	p.see("Log out")
}

// text is what stands on the page.
func (p *person) text() string {
	return p.read(chromedp.Text(chromedp.CSS("body")))
}

// html is what the page is made of.
func (p *person) html() string {
	return p.read(chromedp.OuterHTML(chromedp.CSS("html")))
}

// read returns why where nothing can be read, as while another page comes.
func (p *person) read(what chromedp.Action[string]) string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, what)
	if err != nil {
		return err.Error()
	}
	return text
}

// see waits until the page says all of these by itself.
func (p *person) see(texts ...string) {
	p.t.Helper()
	said := ""
	defer func() {
		if p.t.Failed() {
			p.t.Logf("the page says:\n%s", said)
		}
	}()
	testkit.Eventually(p.t, patience, fmt.Sprintf("the page says %q", texts), func() bool {
		said = p.text()
		for _, text := range texts {
			if !strings.Contains(said, text) {
				return false
			}
		}
		return true
	})
}

func (p *person) eval(js string) string {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](js))
	if err != nil {
		p.t.Fatalf("evaluating %s: %v", js, err)
	}
	return v
}

// shoot keeps pictures of the page as it is, on a phone's screen and on a laptop.
func (p *person) shoot(name string) {
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
