package backup

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The environment of the process that is killed in the middle.
const (
	envDir  = "PHONEBOX_TEST_RESTORE_DIR"
	envStep = "PHONEBOX_TEST_RESTORE_STEP" // killed before this step
	envUndo = "PHONEBOX_TEST_RESTORE_UNDO"
)

// TestHelperRestores is no test by itself: it is the process that TestKilledAtEachStep kills.
func TestHelperRestores(t *testing.T) {
	dir := os.Getenv(envDir)
	if dir == "" {
		return
	}
	left, err := strconv.Atoi(os.Getenv(envStep))
	if err != nil {
		t.Fatal(err)
	}
	f, live := Open(dir), liveDir{dir: dir}
	f.hook = func(step string) {
		if left--; left < 0 {
			t.Logf("killed before: %s", step)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	if os.Getenv(envUndo) != "" {
		err = f.Undo(made, live)
	} else {
		var c *Contents
		if c, err = f.Stage(bytes.NewReader(backup(t, inBackup)), ""); err == nil {
			err = f.Restore(c, allButFirmware, "hash before", made, live)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// killedAt runs the helper and reports whether it was killed before it ended.
func killedAt(t *testing.T, dir string, step int, undo string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperRestores$", "-test.count=1")
	cmd.Env = append(os.Environ(), envDir+"="+dir, envStep+"="+strconv.Itoa(step), envUndo+"="+undo)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	t.Fatalf("the helper failed: %v\n%s", err, out)
	return false
}

// TestKilledAtEachStep kills a restore, and an undo, before each of its steps. After the next start all is as before or all is
// as in the backup, never a mixture; what had begun is finished, and can be taken back.
func TestKilledAtEachStep(t *testing.T) {
	const most = 60
	for _, undo := range []string{"", "yes"} {
		from, to := before, after
		if undo != "" {
			from, to = after, before
		}
		finished, old := 0, 0
		for step := range most {
			dir := t.TempDir()
			fill(t, dir, before)
			if undo != "" && killedAt(t, dir, most, "") {
				t.Fatal("the restore has more steps than the test thinks")
			}
			killed := killedAt(t, dir, step, undo)
			// A second start may be cut as well: what it does can be done again.
			for range 2 {
				if _, err := Open(dir).Recover(liveDir{dir: dir}); err != nil {
					t.Fatalf("step %d: starting again: %v", step, err)
				}
			}
			got := contents(t, dir)
			switch {
			case maps.Equal(got, to):
				finished++
			case maps.Equal(got, from):
				if old++; finished > 0 {
					t.Errorf("step %d: all is as before, though at an earlier step it was not", step)
				}
			default:
				t.Errorf("undo %q, step %d: a mixture: %v", undo, step, got)
			}
			if undo == "" && maps.Equal(got, to) {
				if err := Open(dir).Undo(made, liveDir{dir: dir}); err != nil || !maps.Equal(contents(t, dir), before) {
					t.Errorf("step %d: undoing what was finished at the start: %v, %v", step, err, contents(t, dir))
				}
			}
			if !killed {
				t.Logf("undo %q: %d steps: %d left all as before, %d were finished", undo, step, old, finished)
				break
			}
			if step == most-1 {
				t.Error("it never came to its end")
			}
		}
		if old == 0 || finished < 3 {
			t.Errorf("undo %q: %d old and %d finished: the kills came at no interesting moment", undo, old, finished)
		}
	}
}

// A restore that was killed, whose recovery is killed at each of its steps as well.
func TestKilledInTheRecoveryToo(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, before)
	if !killedAt(t, dir, 6, "") {
		t.Fatal("the restore ended before its sixth step")
	}
	f := Open(dir)
	for step := range 40 {
		stopped := errors.New("stopped")
		left := step
		f.hook = func(string) {
			if left--; left < 0 {
				panic(stopped)
			}
		}
		over := func() (over bool) {
			defer func() {
				if v := recover(); v != nil && v != stopped {
					panic(v)
				}
			}()
			_, err := f.Recover(liveDir{dir: dir})
			return err == nil
		}()
		if over {
			if got := contents(t, dir); !maps.Equal(got, after) {
				t.Errorf("got %v, want %v", got, after)
			}
			return
		}
	}
	t.Error("it never came to its end: " + strings.Join(os.Args, " "))
}
