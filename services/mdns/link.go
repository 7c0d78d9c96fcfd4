package mdns

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"phonebox/services/internal/udp"
)

// link is the wire as it is now; the zero value = there is none that could carry anything.
type link struct {
	index int
	mac   string // another adapter may get the index of one that was pulled
}

// lookAt returns the wire of an interface: it is there, up, with a carrier, and has the box's address.
func lookAt(name string, addr netip.Addr) link {
	ifi, err := net.InterfaceByName(name)
	if err != nil || ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagRunning == 0 {
		return link{}
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return link{}
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == addr {
			return link{ifi.Index, ifi.HardwareAddr.String()}
		}
	}
	return link{}
}

// prepare makes the socket one for multicast DNS: it hears what comes for the group on our wire alone, and what it sends
// is heard on the box as well, with the hop count that hosts expect (RFC 6762 section 11).
func prepare(conn *udp.Conn) error {
	raw, err := conn.UDP.SyscallConn()
	if err != nil {
		return fmt.Errorf("preparing the socket for multicast: %w", err)
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		for opt, value := range map[int]int{unix.IP_MULTICAST_ALL: 0, unix.IP_MULTICAST_TTL: 255, unix.IP_MULTICAST_LOOP: 1} {
			if err := unix.SetsockoptInt(int(fd), unix.SOL_IP, opt, value); err != nil && optErr == nil {
				optErr = fmt.Errorf("preparing the socket for multicast (option %d): %w", opt, err)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("preparing the socket for multicast: %w", err)
	}
	return optErr
}

// join and leave change whether the socket hears the group on a wire.
func join(conn *udp.Conn, l link) error {
	err := ipv4.NewPacketConn(conn.UDP).JoinGroup(&net.Interface{Index: l.index}, net.UDPAddrFromAddrPort(group))
	if err != nil {
		return fmt.Errorf("joining %s: %w", group.Addr(), err)
	}
	return nil
}

func leave(conn *udp.Conn, l link) {
	// When the interface is gone, so is the membership.
	_ = ipv4.NewPacketConn(conn.UDP).LeaveGroup(&net.Interface{Index: l.index}, net.UDPAddrFromAddrPort(group))
}
