package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendBuffer is the size in bytes that [Listen] asks the kernel to hold of what was sent and did not leave yet; it gives
// twice of it. It holds a block for each of thousands of transfers, so that a slow wire does not stop a server.
const sendBuffer = 4 << 20

// ErrNoNeighbour says that a datagram was not sent because nobody is known to have its address, while much waits already
// for owners of addresses.
var ErrNoNeighbour = errors.New("nobody is known to have that address, and much waits in the socket already")

// Clear reports whether a datagram to an address may be put into the socket.
//
// What is sent to an address of the wire that nobody has waits there for three seconds, until the kernel has given up asking
// by ARP. A flood of packets from such addresses would fill the socket with answers, and those to others would wait behind
// them. So once a quarter of the buffer is taken, only addresses whose owner the kernel knows are sent to; who speaks to
// the box has asked by ARP for the box's own address and is known by that.
func (c *Conn) Clear(to netip.Addr) bool { return !c.pressed() || c.ifaces.reaches(to.Unmap(), c) }

// pressed reports whether a quarter of the send buffer is taken.
func (c *Conn) pressed() bool {
	waits, room := 0, 0
	err := c.raw.Control(func(fd uintptr) {
		waits, _ = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
		if waits > 0 {
			room, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
		}
	})
	return err == nil && waits > 0 && 4*waits > room
}

// wireOf is a subnet that an interface is on.
type wireOf struct {
	name   string
	prefix netip.Prefix
}

// reaches reports whether the kernel knows how to send to an address at once, as far as can be told: that of a router and of
// what is behind it is not looked at, for all of it waits in one place of a fixed size.
func (f *interfaces) reaches(addr netip.Addr, c *Conn) bool {
	return reachable(f.wires(), addr, func(device string) (known bool) {
		err := c.raw.Control(func(fd uintptr) { known = neighbourKnown(int(fd), device, addr) })
		return known || err != nil
	})
}

// reachable does the work of reaches. Where two interfaces are on one subnet, nobody knows which of them the kernel takes: it
// is enough that the owner is known on one.
func reachable(wires []wireOf, addr netip.Addr, known func(device string) bool) bool {
	on := false
	for _, w := range wires {
		if !w.prefix.Contains(addr) {
			continue
		}
		if addr == w.prefix.Addr() || addr == lastOf(w.prefix) || known(w.name) {
			return true
		}
		on = true
	}
	return !on
}

// wires returns the subnets of the machine, as they were within the last second.
func (f *interfaces) wires() []wireOf {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.on == nil || time.Since(f.onLooked) > interfacesAge {
		f.on, f.onLooked = subnets(), time.Now()
	}
	return f.on
}

// subnets asks the kernel for the IPv4 subnets of all interfaces but loopback.
func subnets() []wireOf {
	all := []wireOf{}
	list, _ := net.Interfaces()
	for _, i := range list {
		if i.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && p.Bits() < 31 {
				all = append(all, wireOf{i.Name, p})
			}
		}
	}
	return all
}

// lastOf is the broadcast address of a subnet.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	n := binary.BigEndian.Uint32(b[:]) | (1<<(32-p.Bits()) - 1)
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// arpRequest is struct arpreq of arp(7).
type arpRequest struct {
	protocol unix.RawSockaddrInet4
	hardware unix.RawSockaddr
	flags    int32
	netmask  unix.RawSockaddr
	device   [unix.IFNAMSIZ]byte
}

// The flags of an entry of the ARP table (arp(7)).
const (
	entryComplete  = 0x02
	entryPermanent = 0x04
)

// neighbourKnown reports whether the kernel's table holds the hardware address of an IPv4 address (arp(7), SIOCGARP).
func neighbourKnown(fd int, device string, addr netip.Addr) bool {
	r := arpRequest{protocol: unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: addr.As4()}}
	copy(r.device[:unix.IFNAMSIZ-1], device)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGARP, uintptr(unsafe.Pointer(&r)))
	return errno == 0 && r.flags&(entryComplete|entryPermanent) != 0
}
