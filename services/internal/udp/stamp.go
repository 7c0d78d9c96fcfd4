package udp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// StampArrivals asks the kernel for the time at which a datagram came in by SO_TIMESTAMPING (Documentation/networking/
// timestamping.rst), taken in software when the driver handed it over. Where the kernel does not have that, SO_TIMESTAMPNS
// stays, which [NewConn] asks for. The stamps of network cards are not asked for: they are on the card's own clock.
func (c *Conn) StampArrivals() {
	raw, err := c.UDP.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING, unix.SOF_TIMESTAMPING_RX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE) == nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 0)
		}
	})
}

// timespec reads a struct timespec of the kernel; zero where it is all zero.
func timespec(b []byte) time.Time {
	sec, nsec := int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:]))
	if sec == 0 && nsec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, nsec)
}

// AddVia is [Outbox.Add] through that interface, whatever the kernel's routes say; 0 leaves it to them. From must be valid.
func (o *Outbox) AddVia(index int, to netip.AddrPort, from netip.Addr, payload []byte) {
	o.Add(to, from, payload)
	binary.NativeEndian.PutUint32(o.msgs.control(o.used - 1)[unix.CmsgLen(0):], uint32(index)) // ipi_ifindex
}

// Queued returns the payload of the datagram that was added as number i since the last Flush, to be changed until the next.
func (o *Outbox) Queued(i int) []byte { return o.msgs.payload(i)[:o.msgs.iovs[i].Len] }

// Len returns how many datagrams wait for the Flush.
func (o *Outbox) Len() int { return o.used }
