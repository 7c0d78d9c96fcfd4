package udp

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// messages is the room for the datagrams of one system call. All pointers in it point into it.
type messages struct {
	hdrs  []mmsghdr
	iovs  []unix.Iovec
	names []unix.RawSockaddrInet4
	data  []byte // size bytes for each datagram
	ctl   []byte // ctlSize bytes for each datagram
	size  int
	room  int // control bytes of a datagram
}

func newMessages(count, size, ctlSize int) *messages {
	m := &messages{
		hdrs: make([]mmsghdr, count), iovs: make([]unix.Iovec, count), names: make([]unix.RawSockaddrInet4, count),
		data: make([]byte, count*size), ctl: make([]byte, count*ctlSize), size: size, room: ctlSize,
	}
	for i := range m.hdrs {
		m.iovs[i].Base = &m.data[i*size]
		h := &m.hdrs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
		h.Namelen = unix.SizeofSockaddrInet4
		h.Iov = &m.iovs[i]
		h.SetIovlen(1)
		h.Control = &m.ctl[i*ctlSize]
	}
	return m
}

func (m *messages) payload(i int) []byte { return m.data[i*m.size : (i+1)*m.size : (i+1)*m.size] }

func (m *messages) control(i int) []byte { return m.ctl[i*m.room : (i+1)*m.room : (i+1)*m.room] }

// call makes the system call for the datagrams from first up to end. It never waits, so the runtime is not told of it: else it
// would look every 20 µs whether the call has come back, and give the processor to another thread when a batch takes longer
// than that, which most do.
func (m *messages) call(trap, fd uintptr, first, end int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(&m.hdrs[first])), uintptr(end-first), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// addrOf reads the address of a datagram.
func addrOf(name *unix.RawSockaddrInet4) netip.AddrPort {
	port := (*[2]byte)(unsafe.Pointer(&name.Port))
	return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(port[0])<<8|uint16(port[1]))
}

func setAddr(name *unix.RawSockaddrInet4, to netip.AddrPort) {
	name.Family = unix.AF_INET
	name.Addr = to.Addr().Unmap().As4()
	port := (*[2]byte)(unsafe.Pointer(&name.Port))
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
}
