package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gokrazy/tools/gok"
)

// gokArgument, as the first argument, makes this program gok. A fault makes gok end its process, and it changes
// folder and environment: in a process of its own all that goes with it, and our cleaning up runs.
const gokArgument = "gok"

// gokMain is this program as gok.
func gokMain(ctx context.Context, args []string) int {
	if err := (gok.Context{Args: args}).Execute(ctx); err != nil {
		return 1 // gok has printed why
	}
	return 0
}

// runGok runs gok on the instance folder in scratch. Of its output only what the go command says is shown while it runs
// (downloads, faults in the source); all of it goes into the error when it fails.
func runGok(ctx context.Context, scratch string, args []string, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	// What GOFLAGS the user has, in the environment or by go env -w, stays in force.
	flags, err := exec.CommandContext(ctx, "go", "env", "GOFLAGS").Output()
	if err != nil {
		return fmt.Errorf("running go env: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{gokArgument}, args...)...)
	out := &gokOutput{show: stderr}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(),
		// gok builds with -mod=mod, which mends a go.mod: it works on a copy, the checkout stays as it was.
		"GOFLAGS="+strings.TrimSpace(string(flags))+" -modfile="+filepath.Join(scratch, "go.mod"),
		// What gok leaves when it is ended goes with the scratch folder.
		"TMPDIR="+scratch)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before the image was done")
		}
		return fmt.Errorf("running gok: %w; it said:\n%s", err, out.tail())
	}
	return nil
}

// gokOutput keeps what gok prints and shows the lines of the go command.
type gokOutput struct {
	show io.Writer

	mu  sync.Mutex
	all bytes.Buffer
	at  int // begin of the line that is not complete yet
}

// Write implements io.Writer.
func (o *gokOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all.Write(b)
	for {
		line, _, whole := bytes.Cut(o.all.Bytes()[o.at:], []byte("\n"))
		if !whole {
			return len(b), nil
		}
		o.at += len(line) + 1
		if bytes.HasPrefix(line, []byte("go: ")) {
			fmt.Fprintf(o.show, "%s\n", line)
		}
	}
}

// tail returns the last lines, where the fault is told.
func (o *gokOutput) tail() string {
	const lines = 40
	o.mu.Lock()
	defer o.mu.Unlock()
	all := strings.Split(strings.TrimSpace(o.all.String()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
