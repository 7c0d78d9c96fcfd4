package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Outbox collects datagrams and sends them in one system call, allocating nothing for a datagram. It is for one goroutine
// at a time.
type Outbox struct {
	raw   syscall.RawConn
	msgs  *messages
	used  int
	first int // the first that was not sent yet
	sent  int
	err   unix.Errno
	write func(fd uintptr) bool
}

// NewOutbox makes an Outbox for up to count datagrams of at most size bytes.
func NewOutbox(c *Conn, count, size int) (*Outbox, error) {
	raw, err := c.UDP.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("preparing to send on %s: %w", c.LocalAddr(), err)
	}
	o := &Outbox{raw: raw, msgs: newMessages(count, size, unix.CmsgSpace(unix.SizeofInet4Pktinfo))}
	o.write = func(fd uintptr) bool {
		o.sent, o.err = o.msgs.call(unix.SYS_SENDMMSG, fd, o.first, o.used)
		return o.err != unix.EAGAIN
	}
	for i := range o.msgs.hdrs {
		putInfoHeader(o.msgs.control(i))
	}
	return o, nil
}

// putInfoHeader writes the struct cmsghdr of an IP_PKTINFO: a size_t, which makes up what is before two ints, and those.
func putInfoHeader(b []byte) {
	length := uint64(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	at := unix.CmsgLen(0) - 8
	if at == 8 {
		binary.NativeEndian.PutUint64(b, length)
	} else {
		binary.NativeEndian.PutUint32(b, uint32(length))
	}
	binary.NativeEndian.PutUint32(b[at:], unix.SOL_IP)
	binary.NativeEndian.PutUint32(b[at+4:], unix.IP_PKTINFO)
}

// Room returns how many datagrams can be added before a Flush.
func (o *Outbox) Room() int { return len(o.msgs.hdrs) - o.used }

// Add copies a datagram into the box, which must have room. From is its source address; not valid = the kernel
// chooses. Both addresses must be IPv4, and payload at most as long as the box was made for.
func (o *Outbox) Add(to netip.AddrPort, from netip.Addr, payload []byte) {
	m, i := o.msgs, o.used
	o.used++
	setAddr(&m.names[i], to)
	m.iovs[i].SetLen(copy(m.payload(i), payload))
	h := &m.hdrs[i].hdr
	if !from.IsValid() {
		h.SetControllen(0)
		return
	}
	h.SetControllen(m.room)
	source := from.Unmap().As4()
	info := m.control(i)[unix.CmsgLen(0):]
	binary.NativeEndian.PutUint32(info, 0) // ipi_ifindex; AddVia may have been here
	copy(info[4:], source[:])              // ipi_spec_dst
}

// Flush sends what is in the box and empties it. A datagram that the kernel does not take is told to failed, which may be
// nil, and skipped. It waits while the socket's buffer is full, until the socket's write deadline.
func (o *Outbox) Flush(failed func(error)) {
	retried := false
	for o.first < o.used {
		o.sent, o.err = 0, 0
		err := o.raw.Write(o.write)
		switch {
		case err != nil: // closed, or past its deadline: the others fare no better
			o.fail(failed, err, o.used-o.first)
			o.first = o.used
			continue
		case o.err == 0 && o.sent > 0:
			o.first, retried = o.first+o.sent, false
			continue
		case o.err == unix.EINTR:
			continue
		case o.err == unix.ECONNREFUSED && !retried:
			// The error of an earlier datagram that waited in the socket; this one was not tried yet.
			retried = true
			continue
		case o.err == 0:
			err = errors.New("the kernel took no datagram")
		default:
			err = o.err
		}
		o.fail(failed, err, 1)
		o.first, retried = o.first+1, false
	}
	o.used, o.first = 0, 0
}

func (o *Outbox) fail(failed func(error), err error, count int) {
	if failed == nil {
		return
	}
	for range count {
		failed(err)
	}
}
