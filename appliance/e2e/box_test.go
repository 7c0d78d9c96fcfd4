package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"phonebox/services/testkit"
)

const (
	boxAddr  = "10.77.0.1"
	password = "correct horse battery"
	// patience is how long a daemon may take to come up on a busy machine; three seconds of it go into the look for other
	// DHCP servers.
	patience = time.Minute
)

// box is the daemon in the namespace of its own, and a laptop that asks its API.
type box struct {
	t    *testing.T
	lan  *testkit.LAN
	node *testkit.Node
	data string
	proc *testkit.Process
	args []string // before the flags: a program that runs the daemon, such as strace

	laptop, inside *http.Client
}

// with is the same box for a subtest.
func (b *box) with(t *testing.T) *box {
	c := *b
	c.t = t
	return &c
}

// office makes a LAN of the box, which sets its own address, a laptop, and whoever else is there.
func office(t *testing.T, others ...testkit.Host) *testkit.LAN {
	t.Helper()
	return testkit.NewLAN(t, append([]testkit.Host{
		{Name: "box", MAC: "02:00:00:00:77:01"},
		{Name: "laptop", MAC: "02:00:00:00:77:20", Addr: netip.MustParsePrefix("10.77.0.20/16")},
	}, others...)...)
}

// newBox makes a box that is switched off, with the settings and the files of its shelf (name to content) in place.
func newBox(t *testing.T, lan *testkit.LAN, site string, shelf map[string][]byte) *box {
	t.Helper()
	b := &box{t: t, lan: lan, node: lan.Node("box"), data: t.TempDir()}
	b.laptop, b.inside = b.client(lan.Node("laptop")), b.client(b.node)
	b.writeSite(site)
	b.putShelf(shelf)
	return b
}

// startBox makes a box, switches it on and waits until all of it runs.
func startBox(t *testing.T, lan *testkit.LAN, site string, shelf map[string][]byte) *box {
	t.Helper()
	b := newBox(t, lan, site, shelf)
	b.start()
	b.setPassword()
	b.waitReady()
	return b
}

func (b *box) writeSite(text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.data, "site.toml"), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) putShelf(files map[string][]byte) {
	b.t.Helper()
	dir := filepath.Join(b.data, "tftp")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

// start switches the daemon on and waits until its page answers.
func (b *box) start() {
	b.t.Helper()
	args := append(append([]string{}, b.args...), build(b.t).daemon, "-data", b.data, "-manage-address")
	b.proc = b.node.Start(b.t, args[0], args[1:]...)
	testkit.Eventually(b.t, patience, "the page answers", func() bool {
		select {
		case <-b.proc.Ended():
			b.t.Fatalf("the daemon ended: %v", b.proc.Wait())
		default:
		}
		resp, err := b.laptop.Get("http://" + boxAddr + "/alive")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusNoContent
	})
}

// waitReady returns once every enabled service runs.
func (b *box) waitReady() {
	b.t.Helper()
	var last status
	defer func() {
		if b.t.Failed() {
			b.t.Logf("last status: %+v", last)
		}
	}()
	testkit.Eventually(b.t, patience, "every service runs", func() bool {
		last = b.status()
		return last.Ready
	})
}

// kill is a power cut for the daemon: SIGKILL, and it is gone when kill returns.
func (b *box) kill() {
	b.t.Helper()
	b.proc.Signal(syscall.SIGKILL)
	<-b.proc.Ended()
}

// restart kills the daemon, switches it on again and waits until all of it runs.
func (b *box) restart() {
	b.t.Helper()
	b.kill()
	b.start()
	b.waitReady()
}

// terminate sends SIGTERM and returns the exit code and how long the daemon took.
func (b *box) terminate() (code int, took time.Duration) {
	b.t.Helper()
	began := time.Now()
	b.proc.Signal(syscall.SIGTERM)
	err := b.proc.Wait()
	took = time.Since(began)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	return b.proc.Cmd.ProcessState.ExitCode(), took
}

// residentKB returns VmRSS of the daemon.
func (b *box) residentKB() int {
	b.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.proc.Cmd.Process.Pid))
	if err != nil {
		b.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				b.t.Fatal(err)
			}
			return kb
		}
	}
	b.t.Fatal("no VmRSS in the daemon's status")
	return 0
}
