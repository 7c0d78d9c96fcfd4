// Package netns runs code in a network namespace, by the name that ip netns knows:
//
//	err := netns.Do("lab-client", func() error { return cmd.Start() })
//
// Tests use it through testkit. Of the programs only those that measure may, for they make namespaces of their own.
package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Do runs f in a namespace, on a thread that is not used again. Sockets that f opens and processes that it starts stay there;
// goroutines that it starts run elsewhere.
func Do(name string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the runtime ends the thread with the goroutine, so no other goroutine gets into the namespace.
		runtime.LockOSThread()
		done <- func() error {
			h, err := os.Open("/run/netns/" + name)
			if err != nil {
				return err
			}
			defer h.Close()
			if err := unix.Setns(int(h.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering %s: %w", name, err)
			}
			return f()
		}()
	}()
	return <-done
}

// SendChecksums makes an interface of this thread's namespace compute checksums itself. A veth leaves them out, for its frames
// touch no wire, and whoever reads raw frames would take them for damaged. ETHTOOL_STXCSUM is in linux/ethtool.h.
func SendChecksums(iface string) error {
	const ethtoolSTXCSUM = 0x17
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := struct{ cmd, data uint32 }{cmd: ethtoolSTXCSUM}
	ifr := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(ifr.name[:], iface)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr)))
	if errno != 0 && !errors.Is(errno, unix.EOPNOTSUPP) {
		return errno
	}
	return nil
}

// WithoutIPv6 keeps router and neighbour discovery off the wire of this thread's namespace. It is a setting of that alone.
func WithoutIPv6() error {
	for _, of := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+of+"/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Remove kills the processes in a namespace and removes it. One that is not there is removed already.
func Remove(name string) error {
	out, err := exec.Command("ip", "netns", "pids", name).Output()
	if err != nil {
		return nil
	}
	for f := range strings.FieldsSeq(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return exec.Command("ip", "netns", "del", name).Run()
}

// Sweep removes what processes left behind that were killed: namespaces whose names are a prefix of ours, the number of a process
// that is gone, and what follows a dash. It returns their names.
func Sweep(prefix string) (removed []string) {
	left, _ := filepath.Glob("/run/netns/" + prefix + "*")
	for _, path := range left {
		name := filepath.Base(path)
		number, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "-")
		if pid, err := strconv.Atoi(number); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = Remove(name)
			removed = append(removed, name)
		}
	}
	return removed
}
