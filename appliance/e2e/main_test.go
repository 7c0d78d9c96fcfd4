package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// programs are what the tests run, built once for each run of the tests.
type programs struct{ daemon, phonesim string }

var built struct {
	once sync.Once
	dir  string
	programs
	err error
}

// TestMain removes the programs that were built, and leaves it to the lanes how many tests run at once.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", "64"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// lane bounds how many tests of a kind run at once, beside those of the other lanes.
type lane chan struct{}

// The lanes. More tests may wait at once than a machine has processors; of those that keep a processor busy there is one of
// a kind at a time, so that none makes another late, and of those with hundreds of phones as well: the kernel's table of
// neighbours is one for all namespaces and has room for 1,024. TestPallet, which waits longest, is in none: it begins at once
// and has all of the others beside it.
var (
	waiting   = make(lane, 8) // what it waits for are a phone's own times and a server's timers
	crowding  = make(lane, 1) // the same, with hundreds of phones
	working   = make(lane, 1) // is a load, or builds an image
	emulating = make(lane, 1) // emulates a computer, which is slow by itself
)

// enter makes a test a parallel one that goes on once there is room in its lane; its subtests share its place.
func (l lane) enter(t *testing.T) {
	t.Helper()
	t.Parallel()
	began := time.Now()
	l <- struct{}{}
	t.Cleanup(func() { <-l })
	t.Logf("waited %.0f s for its turn", time.Since(began).Seconds())
}

// build returns the programs. Everybody may read their folder, for one test runs the daemon as nobody.
func build(t testing.TB) programs {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "phonebox-e2e-"); built.err != nil {
			return
		}
		if built.err = os.Chmod(built.dir, 0o755); built.err != nil {
			return
		}
		built.daemon = filepath.Join(built.dir, "phoneboxd")
		built.phonesim = filepath.Join(built.dir, "phonesim")
		for out, pkg := range map[string]string{
			built.daemon: "phonebox/appliance/phoneboxd", built.phonesim: "phonebox/appliance/phonesim/cmd/phonesim",
		} {
			cmd := exec.Command("go", "build", "-o", out, pkg)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if text, err := cmd.CombinedOutput(); err != nil {
				built.err = fmt.Errorf("building %s: %w: %s", pkg, err, text)
				return
			}
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.programs
}
