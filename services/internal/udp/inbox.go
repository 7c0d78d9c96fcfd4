package udp

import (
	"fmt"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Inbox receives datagrams of a socket in batches, as [Serve] does, but for a server that runs its own loop: nothing is
// allocated for a datagram. It is for one goroutine.
type Inbox struct {
	conn *Conn
	raw  syscall.RawConn
	msgs *messages
	got  int
	lost int // what the kernel dropped, as the last read told
	err  unix.Errno
	wait func(fd uintptr) bool
	poll func(fd uintptr) bool
	busy atomic.Bool // what was read last may not have been handled yet
}

// NewInbox makes an Inbox for count datagrams at once of at most size bytes; what is longer is cut off.
func NewInbox(c *Conn, count, size int) (*Inbox, error) {
	raw, err := c.UDP.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("preparing to receive on %s: %w", c.LocalAddr(), err)
	}
	in := &Inbox{conn: c, raw: raw, msgs: newMessages(count, size, oobSize)}
	in.poll = func(fd uintptr) bool { in.receive(fd); return true }
	in.wait = func(fd uintptr) bool { in.receive(fd); return in.err != unix.EAGAIN }
	return in, nil
}

// receive makes one recvmmsg(2).
func (in *Inbox) receive(fd uintptr) {
	m := in.msgs
	for i := range m.hdrs {
		h := &m.hdrs[i].hdr
		h.Namelen, h.Flags = unix.SizeofSockaddrInet4, 0
		h.SetControllen(m.room)
		m.iovs[i].SetLen(m.size)
	}
	in.busy.Store(true) // before, or there were a moment in which a datagram is neither in the socket nor here
	for {
		in.got, in.err = m.call(unix.SYS_RECVMMSG, fd, 0, len(m.hdrs))
		if in.err != unix.EINTR {
			break
		}
	}
	if in.err != 0 {
		in.busy.Store(false)
	}
}

// Read waits for datagrams and returns how many came. An error is that of the socket, or its read deadline; see
// [Transient].
func (in *Inbox) Read() (int, error) { return in.read(in.wait) }

// Poll returns how many datagrams wait already, without waiting for one.
func (in *Inbox) Poll() (int, error) {
	n, err := in.read(in.poll)
	if in.err == unix.EAGAIN && n == 0 {
		return 0, nil
	}
	return n, err
}

func (in *Inbox) read(call func(uintptr) bool) (int, error) {
	in.got, in.err, in.lost = 0, 0, 0
	if err := in.raw.Read(call); err != nil {
		return 0, fmt.Errorf("receiving on %s: %w", in.conn.LocalAddr(), err)
	}
	if in.err != 0 {
		return 0, fmt.Errorf("receiving on %s: %w", in.conn.LocalAddr(), in.err)
	}
	if in.got > 0 {
		// Each datagram tells how many were dropped before it, so the last one knows most.
		if p := in.Packet(in.got - 1); p.counted {
			in.lost = in.conn.lost(p.overflow)
		}
	}
	return in.got, nil
}

// Lost returns how many datagrams the kernel dropped before those of the last read, since the read before: the receive
// buffer was full. It tells with the next datagram, so that those that are dropped last are told of later.
func (in *Inbox) Lost() int { return in.lost }

// Packet returns datagram i of the last read. Its payload belongs to the Inbox again at the next read.
func (in *Inbox) Packet(i int) Packet {
	m, h := in.msgs, &in.msgs.hdrs[i]
	p := Packet{
		Payload:   m.payload(i)[:min(int(h.len), m.size)],
		From:      addrOf(&m.names[i]),
		Truncated: h.hdr.Flags&unix.MSG_TRUNC != 0,
	}
	p.readControl(m.control(i)[:h.hdr.Controllen])
	return p
}

// Serves reports whether a packet came in where the socket's server serves, as [ListenConfig.Interface] says.
func (c *Conn) Serves(p *Packet) bool { return c.ours(p) }

// Waits reports whether a datagram waits in the socket to be read, or was read and may not be handled yet: who reads has not
// asked for the next. It may be called on any goroutine.
func (in *Inbox) Waits() bool {
	if in.busy.Load() {
		return true
	}
	waits := false
	err := in.raw.Control(func(fd uintptr) {
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds[:], 0)
		waits = err == nil && n == 1 && fds[0].Revents&unix.POLLIN != 0
	})
	return err == nil && waits
}
