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

// residentKB returns what the daemon has in memory.
func (b *box) residentKB() int {
	b.t.Helper()
	return b.statusKB("VmRSS:")
}

// statusKB returns a size of the daemon's status, of proc(5).
func (b *box) statusKB(field string) int {
	b.t.Helper()
	kb, ok := sizeKB(b.t, b.procFile("status"), field)
	if !ok {
		b.t.Fatalf("no %s in the daemon's status", field)
	}
	return kb
}

// residentOf returns how much of a file of its data the daemon has in memory.
func (b *box) residentOf(name string) int {
	b.t.Helper()
	maps := b.procFile("smaps")
	i := strings.Index(maps, "/"+name+"\n")
	if i < 0 {
		b.t.Fatalf("the daemon has not mapped %s", name)
	}
	kb, _ := sizeKB(b.t, maps[i:], "Rss:")
	return kb
}

func (b *box) procFile(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", b.proc.Cmd.Process.Pid, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// sizeKB returns the size in the first line that begins with a field.
func sizeKB(t *testing.T, text, field string) (kb int, ok bool) {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kb, true
		}
	}
	return 0, false
}
