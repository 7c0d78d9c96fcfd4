package e2e_test

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"phonebox/services/testkit"
)

// TestTry runs the daemon as a newcomer does, as nobody and in a namespace with nothing but loopback.
func TestTry(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "setpriv")
	lan := testkit.NewLAN(t, testkit.Host{Name: "newcomer"})
	n := lan.Node("newcomer")
	program := build(t).daemon
	home, err := os.MkdirTemp("", "phonebox-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p := n.Start(t, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
		"env", "TMPDIR="+home, "HOME=/nonexistent", program, "-try")
	ready := regexp.MustCompile(`(?m)^ *[0-9.]+ s  Reception +ready after .*$`)
	testkit.Eventually(t, patience, "the configured phone is ready", func() bool {
		select {
		case <-p.Ended():
			t.Fatalf("it ended: %v", p.Wait())
		default:
		}
		return ready.MatchString(p.Output())
	})
	t.Logf("FIGURE try ready after %.1f s", time.Since(began).Seconds())
	m := regexp.MustCompile(`http://[0-9.:]+/`).FindString(p.Output())
	if m == "" {
		t.Fatalf("no address of the page among what it printed")
	}
	c := (&box{t: t}).client(n)
	resp, err := c.Get(m + "healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz: found %d %s (%v), wanted 200", resp.StatusCode, body, err)
	}
	if resp, err = c.Get(m); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/setup" {
		t.Errorf("the page: found %d to %q, wanted 303 to /setup", resp.StatusCode, resp.Header.Get("Location"))
	}
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended():
	case <-time.After(patience):
		t.Fatal("it does not end at SIGTERM")
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("found exit code %d, wanted 143", code)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v %v", left, err)
	}
	if strings.Contains(p.Output(), "level=ERROR") {
		t.Error("it logged an error")
	}
}
