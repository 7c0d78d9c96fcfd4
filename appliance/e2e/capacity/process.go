package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/services/testkit/netns"
)

const (
	stopPatience = 5 * time.Second
	dialPatience = 2 * time.Second
	keptOutput   = 64 << 10
	ticksPerS    = 100 // USER_HZ of every Linux that Go runs on
)

// process is a program in one of the namespaces.
type process struct {
	name  string
	cmd   *exec.Cmd
	out   tail
	ended chan struct{}
	err   error
}

// start starts a program in a namespace; env is added to the environment.
func start(ns, dir string, env []string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(args[0]), cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.out, &p.out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = stopPatience
	if err := netns.Do(ns, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// runIn runs a program to its end and returns its output. A program that fails is an [exec.ExitError].
func runIn(ctx context.Context, ns string, args ...string) (string, error) {
	p, err := start(ns, "", nil, args...)
	if err != nil {
		return "", err
	}
	return p.outcome(ctx)
}

// outcome waits for the end of the program and returns its output.
func (p *process) outcome(ctx context.Context) (string, error) {
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.stop()
		return p.out.String(), fmt.Errorf("%s: %w", p.name, ctx.Err())
	}
	return p.out.String(), p.err
}

// stop ends the program, and kills it where it does not end in time.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopPatience):
		p.kill()
	}
}

// kill is SIGKILL; the program is gone when it returns.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// alive says why the program has ended; nil while it runs.
func (p *process) alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended: %w: %s", p.name, errors.Join(p.err, errEnded), p.out.String())
	default:
		return nil
	}
}

var errEnded = errors.New("it should run")

// cpu returns the time that all threads of the program spent so far, to 10 ms.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// The name in brackets may hold anything; utime and stime are fields 14 and 15 (proc(5)).
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerS
}

// memory returns what the program has resident and the most that it ever had, in bytes.
func (p *process) memory() (now, peak int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		for key, to := range map[string]*int{"VmRSS:": &now, "VmHWM:": &peak} {
			if rest, ok := strings.CutPrefix(line, key); ok {
				kb, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
				*to = kb << 10
			}
		}
	}
	return now, peak
}

// enlarge gives the sockets of the program on which datagrams or raw frames arrive the receive buffer that the sysctl
// net.core.rmem_default would have given them, without touching the sysctl, which is one of the whole machine: it takes a
// duplicate of each descriptor (pidfd_getfd) and sets it there. It returns the smallest buffer that it found afterwards.
func (p *process) enlarge(bytes int) (smallest int, err error) {
	pid := p.cmd.Process.Pid
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer unix.Close(pidfd)
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || !strings.HasPrefix(to, "socket:") {
			continue
		}
		number, _ := strconv.Atoi(filepath.Base(link))
		fd, err := unix.PidfdGetfd(pidfd, number, 0)
		if err != nil {
			return 0, fmt.Errorf("taking a socket of %s: %w", p.name, err)
		}
		got := enlargeSocket(fd, bytes)
		unix.Close(fd)
		if got > 0 && (smallest == 0 || got < smallest) {
			smallest = got
		}
	}
	return smallest, nil
}

// enlargeSoon is enlarge for a program that has just been started: its sockets come a moment later.
func (p *process) enlargeSoon(bytes int) error {
	for end := time.Now().Add(dialPatience); ; time.Sleep(time.Millisecond) {
		got, err := p.enlarge(bytes)
		switch {
		case got >= bytes:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("%s has no socket with a buffer of %d bytes, the smallest has %d: %w", p.name, bytes, got, cmp.Or(err, errNoSocket))
		}
	}
}

var errNoSocket = errors.New("no socket was found")

// enlargeSocket returns the buffer of a socket of IPv4 datagrams or raw frames; 0 for others.
func enlargeSocket(fd, bytes int) int {
	domain, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	kind, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if domain != unix.AF_PACKET && (domain != unix.AF_INET || kind != unix.SOCK_DGRAM) {
		return 0
	}
	// The kernel doubles what it is asked for.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes/2)
	got, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	return got
}

// tail keeps the last of what a program writes.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - keptOutput; over > keptOutput {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
