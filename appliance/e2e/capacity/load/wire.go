package load

import (
	"errors"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch      = 64
	frameSpace = 2048     // no jumbo frames
	buffer     = 32 << 20 // bytes that the kernel holds for us
)

// Wire is a packet socket that reads and writes frames in batches. One goroutine uses it.
type Wire struct {
	fd  int
	in  [batch][frameSpace]byte
	out [batch][]byte
	n   int // frames in out that wait

	inVec, outVec [batch]unix.Iovec
	inMsg, outMsg [batch]mmsghdr
	frames        [batch][]byte

	timeout time.Duration // that the socket has
	Lost    int           // frames that the kernel did not take
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// Open opens an interface of the calling thread's network namespace. It needs CAP_NET_RAW.
func Open(name string) (*Wire, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("finding interface %q: %w", name, err)
	}
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	// What leaves here is not read again.
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	for _, opt := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, buffer)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("binding to %s: %w", name, err)
	}
	w := &Wire{fd: fd}
	for i := range batch {
		w.inVec[i].Base = &w.in[i][0]
		w.inVec[i].SetLen(frameSpace)
		w.inMsg[i].hdr.Iov = &w.inVec[i]
		w.inMsg[i].hdr.SetIovlen(1)
		w.out[i] = make([]byte, 0, frameSpace)
		w.outMsg[i].hdr.Iov = &w.outVec[i]
		w.outMsg[i].hdr.SetIovlen(1)
	}
	return w, nil
}

// Close closes the socket.
func (w *Wire) Close() error { return unix.Close(w.fd) }

// receive returns the frames that are there, or those that come within wait; none when the time is up. They are good until
// the next call.
func (w *Wire) receive(wait time.Duration) ([][]byte, error) {
	// A time of the socket costs a system call to change: it takes steps.
	wait = max(wait.Truncate(time.Millisecond), time.Millisecond)
	if wait != w.timeout {
		tv := unix.NsecToTimeval(int64(wait))
		if err := unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return nil, fmt.Errorf("setting the time to wait: %w", err)
		}
		w.timeout = wait
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&w.inMsg[0])), batch, unix.MSG_WAITFORONE, 0, 0)
	switch {
	case errno == unix.EAGAIN, errno == unix.EINTR, errno == unix.ENETDOWN:
		return nil, nil
	case errno != 0:
		return nil, fmt.Errorf("receiving frames: %w", errno)
	}
	for i := range int(n) {
		w.frames[i] = w.in[i][:w.inMsg[i].len]
	}
	return w.frames[:n], nil
}

// send queues what put appends to an empty frame; flush sends it.
func (w *Wire) send(put func([]byte) []byte) {
	w.out[w.n] = put(w.out[w.n][:0])
	w.n++
	if w.n == batch {
		w.flush()
	}
}

// flush sends the frames that wait. What the kernel does not take is lost, as on a wire.
func (w *Wire) flush() {
	for i := range w.n {
		w.outVec[i].Base = &w.out[i][0]
		w.outVec[i].SetLen(len(w.out[i]))
	}
	for from := 0; from < w.n; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&w.outMsg[from])), uintptr(w.n-from), 0, 0, 0)
		switch {
		case errno == 0:
			from += int(n)
		case errors.Is(errno, unix.EINTR):
		default:
			w.Lost++
			from++
		}
	}
	w.n = 0
}
