package testkit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Command is [exec.CommandContext] for a program inside the namespace.
func (n *Node) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.ns, name}, args...)...)
}

// Run runs a program to its end inside the namespace, its output in the test's log, and returns the output. The test
// ends where it fails.
func (n *Node) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := n.Try(t, name, args...)
	if err != nil {
		t.Fatalf("%s: %s: %v", n.Name, name, err)
	}
	return out
}

// Try is Run for a program that may fail: the error is that of [exec.Cmd.Run].
func (n *Node) Try(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	p := &Process{name: n.Name + ": " + name, t: t}
	cmd := n.Command(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = p, p
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	p.flush()
	return p.Output(), err
}

// Start starts a program inside the namespace. Its output is in the test's log; it is ended with the test, or earlier
// with Stop.
func (n *Node) Start(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	return n.StartCmd(t, n.Command(context.WithoutCancel(t.Context()), name, args...))
}

// StartCmd is Start for a command that the test prepared with Command (its environment, its folder).
func (n *Node) StartCmd(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, name: n.Name + ": " + programName(cmd), t: t, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	go func() {
		p.err = cmd.Wait()
		p.flush()
		close(p.ended)
	}()
	t.Cleanup(func() { p.stop() })
	return p
}

// programName is the name behind "ip netns exec NS".
func programName(cmd *exec.Cmd) string {
	if len(cmd.Args) > 4 {
		return cmd.Args[4]
	}
	return cmd.Args[0]
}

// Process is a program that runs inside a namespace. It replaces no standard input.
type Process struct {
	Cmd   *exec.Cmd
	name  string
	t     testing.TB
	ended chan struct{}
	err   error // of Wait; valid once ended is closed

	mu     sync.Mutex
	out    bytes.Buffer
	logged int // bytes of out that are in the test's log
}

// Write takes the program's output; it is for [exec.Cmd].
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
	for {
		line, _, ok := bytes.Cut(p.out.Bytes()[p.logged:], []byte{'\n'})
		if !ok {
			return len(b), nil
		}
		p.logged += len(line) + 1
		p.t.Logf("%s: %s", p.name, line)
	}
}

// flush logs a last line without an end.
func (p *Process) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rest := p.out.Bytes()[p.logged:]; len(rest) > 0 {
		p.logged = p.out.Len()
		p.t.Logf("%s: %s", p.name, rest)
	}
}

// Output returns everything that the program wrote so far, both streams together.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// WaitOutput returns once the program wrote text; the test ends where it exits before, or after the limit.
func (p *Process) WaitOutput(text string, limit time.Duration) {
	p.t.Helper()
	Eventually(p.t, limit, p.name+" writes "+text, func() bool {
		select {
		case <-p.ended:
			if !strings.Contains(p.Output(), text) {
				p.t.Fatalf("%s ended without writing %q: %v", p.name, text, p.err)
			}
		default:
		}
		return strings.Contains(p.Output(), text)
	})
}

// Ended is closed once the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait returns how the program ended: nil, an [*exec.ExitError], or an error of running it.
func (p *Process) Wait() error {
	<-p.ended
	return p.err
}

// Signal sends a signal; a program that has ended already is no error.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("%s: sending %v: %v", p.name, s, err)
	}
}

// Stop sends SIGTERM, after 5 s SIGKILL, and returns how the program ended.
func (p *Process) Stop() error {
	p.stop()
	return p.err
}

func (p *Process) stop() {
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(5*time.Second, func() { _ = p.Cmd.Process.Kill() })
	defer kill.Stop()
	<-p.ended
}
