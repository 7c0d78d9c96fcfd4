package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"phonebox/appliance/e2e/capacity/load"
)

// The network that every server gets.
const (
	iface      = "eth0"
	serverIP   = "10.77.0.1"
	clientIP   = "10.77.0.2"
	network    = "10.77.0.0/16"
	netmask    = "255.255.0.0"
	domain     = "voice.home.arpa"
	poolFirst  = "10.77.1.0"
	poolSize   = 250 * 256 // at most: to 10.77.250.255
	serverMAC  = "02:00:00:00:77:01"
	namePrefix = "phonebox-capacity-"
)

// boxMAC is serverMAC for the loads.
var boxMAC = load.MAC{2, 0, 0, 0, 0x77, 1}

// lab is two network namespaces, joined by a cable: the servers in one, the load in the other.
type lab struct{ server, client string }

// newLab makes the namespaces. IPv6 is off in them, and the senders compute checksums, as on a wire.
func newLab() (*lab, error) {
	sweep()
	prefix := namePrefix + strconv.Itoa(os.Getpid())
	l := &lab{server: prefix + "-server", client: prefix + "-client"}
	for _, ns := range []string{l.server, l.client} {
		if err := ip("netns", "add", ns); err != nil {
			return nil, err
		}
		if err := inside(ns, withoutIPv6); err != nil {
			return nil, fmt.Errorf("switching IPv6 off in %s: %w", ns, err)
		}
	}
	for _, line := range []string{
		fmt.Sprintf("-n %s link add %s address %s type veth peer name %s netns %s", l.server, iface, serverMAC, iface, l.client),
		fmt.Sprintf("-n %s addr add %s/16 brd + dev %s", l.server, serverIP, iface),
		fmt.Sprintf("-n %s addr add %s/16 brd + dev %s", l.client, clientIP, iface),
		fmt.Sprintf("-n %s link set lo up", l.server), fmt.Sprintf("-n %s link set lo up", l.client),
		fmt.Sprintf("-n %s link set %s up", l.server, iface), fmt.Sprintf("-n %s link set %s up", l.client, iface),
	} {
		if err := ip(strings.Fields(line)...); err != nil {
			return nil, err
		}
	}
	for _, ns := range []string{l.server, l.client} {
		if err := inside(ns, sendChecksums); err != nil {
			return nil, fmt.Errorf("asking %s for checksums: %w", ns, err)
		}
	}
	return l, nil
}

// fresh gives the server's side an empty neighbour table, as after a start.
func (l *lab) fresh() error { return ip("-n", l.server, "neigh", "flush", "all", "nud", "all") }

// close removes the namespaces and what still runs in them.
func (l *lab) close() {
	for _, ns := range []string{l.server, l.client} {
		removeNamespace(ns)
	}
}

// wire opens a packet socket on the load's side.
func (l *lab) wire() (*load.Wire, error) {
	var w *load.Wire
	err := inside(l.client, func() (err error) {
		w, err = load.Open(iface)
		return err
	})
	return w, err
}

// dial connects from the load's side.
func (l *lab) dial(proto, addr string) (net.Conn, error) {
	var c net.Conn
	err := inside(l.client, func() (err error) {
		c, err = net.DialTimeout(proto, addr, dialPatience)
		return err
	})
	return c, err
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// removeNamespace kills the processes in a namespace of ours and removes it.
func removeNamespace(ns string) {
	out, _ := exec.Command("ip", "netns", "pids", ns).Output()
	for f := range strings.FieldsSeq(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = ip("netns", "del", ns)
}

// sweep removes what runs left behind that were killed.
func sweep() {
	left, _ := filepath.Glob("/run/netns/" + namePrefix + "*")
	for _, path := range left {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), namePrefix), "-")
		if pid, err := strconv.Atoi(number); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			removeNamespace(filepath.Base(path))
		}
	}
}

// inside runs f in a namespace, on a thread that is not used again: it ends with the goroutine. Sockets that f opens and
// processes that it starts stay there.
func inside(ns string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			h, err := os.Open("/run/netns/" + ns)
			if err != nil {
				return err
			}
			defer h.Close()
			if err := unix.Setns(int(h.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering %s: %w", ns, err)
			}
			return f()
		}()
	}()
	return <-done
}

// withoutIPv6 keeps router and neighbour discovery off the wire. It is a setting of the namespace alone.
func withoutIPv6() error {
	for _, of := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+of+"/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// sendChecksums makes the interface compute checksums itself, which a veth leaves out: a reader of raw frames would take
// them for damaged. ETHTOOL_STXCSUM is in linux/ethtool.h.
func sendChecksums() error {
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
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); errno != 0 && errno != unix.EOPNOTSUPP {
		return errno
	}
	return nil
}
