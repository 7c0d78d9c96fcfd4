//go:build linux

package main_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// daemon builds the program once for all tests.
var daemon = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "phoneboxd-test-")
	if err != nil {
		return "", err
	}
	exe := filepath.Join(dir, "phoneboxd")
	out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return exe, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if exe, err := daemon(); err == nil {
		os.RemoveAll(filepath.Dir(exe))
	}
	os.Exit(code)
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := daemon()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, exe, args...)
}

func TestACommandLineThatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"an unknown flag", []string{"-adress"}, 125, "flag provided but not defined: -adress"},
		{"an argument", []string{"-try", "now"}, 125, `found the argument "now", allowed are flags only`},
		{"no data folder", nil, 125, "-data: found nothing, allowed is a folder"},
		{"a data folder that cannot be made", []string{"-data", "/dev/null/x"}, 1, "making the data folder"},
		{"help", []string{"-help"}, 0, "-manage-clock"},
	} {
		cmd := command(t, tt.args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: exit code %d and %q, want %d and %q", tt.name, code, out, tt.code, tt.want)
		}
	}
}

// TestTry runs what the README tells a newcomer to run, without any privilege, until the configured phone is ready.
func TestTry(t *testing.T) {
	for _, tt := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGTERM, 143}, {syscall.SIGINT, 130}} {
		cmd := command(t, "-try")
		cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		url, ready := "", ""
		for lines := bufio.NewScanner(out); ready == "" && lines.Scan(); {
			if m := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/`).FindString(lines.Text()); m != "" {
				url = m
			}
			if regexp.MustCompile(`Reception\s+ready`).MatchString(lines.Text()) {
				ready = lines.Text()
			}
		}
		if ready == "" || url == "" {
			t.Fatalf("the output ended without a page (%q) and a ready phone (%q)", url, ready)
		}
		t.Log("FIGURE -try:", ready)
		resp, err := http.Get(url + "healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("/healthz: %s", resp.Status)
		}
		if err := cmd.Process.Signal(tt.signal); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != tt.code {
			t.Errorf("after %s: exit code %d (%v), want %d", tt.signal, code, err, tt.code)
		}
		if left, _ := filepath.Glob(cmd.Env[len(cmd.Env)-1][len("TMPDIR="):] + "/phonebox-try-*"); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
