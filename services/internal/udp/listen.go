package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// ReceiveBuffer is the size in bytes that [Listen] asks the kernel to hold for a socket. The default of 208 KiB loses
// five of six phones when a thousand start at the same instant.
const ReceiveBuffer = 8 << 20

// ListenConfig says how a server's socket is opened.
type ListenConfig struct {
	Addr netip.AddrPort // the address may not exist yet (IP_FREEBIND); port 0 lets the kernel choose
	// Interface, when set, lets the handler see only packets that came in there, and packets of the box to itself
	// (through lo). It filters by the interface index of each packet, so the interface may come and go.
	Interface string
	Broadcast bool // may send to broadcast addresses
	ReuseAddr bool // several sockets may share the port (DHCP beside another DHCP program of the host)
}

// Conn is a UDP socket with what [Serve] needs to know of it. It is safe for concurrent use, except that one [Serve]
// runs on it at a time; after that one returned because its context ended, another may begin.
type Conn struct {
	UDP    *net.UDPConn
	pc     *ipv4.PacketConn
	raw    syscall.RawConn
	ifaces interfaces
	out    outgoings

	overflow uint32 // what the kernel dropped, as it last told; of Serve or of the Inbox alone
}

// Listen opens a socket for a server. The error names the address.
func Listen(ctx context.Context, cfg ListenConfig) (*Conn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var optErr error
		err := c.Control(func(fd uintptr) { optErr = setOptions(int(fd), cfg) })
		return errors.Join(err, optErr)
	}}
	pc, err := lc.ListenPacket(ctx, "udp4", cfg.Addr.String())
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", cfg.Addr, err)
	}
	conn, err := NewConn(pc.(*net.UDPConn), cfg)
	if err != nil {
		pc.Close()
		return nil, err
	}
	return conn, nil
}

// NewConn wraps a socket that the caller opened, as tests do. Of cfg only Interface is used.
func NewConn(uc *net.UDPConn, cfg ListenConfig) (*Conn, error) {
	pc := ipv4.NewPacketConn(uc)
	if err := pc.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true); err != nil {
		return nil, fmt.Errorf("asking for packet information: %w", err)
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("asking for receive times: %w", err)
	}
	// A kernel that does not tell the time leaves it to the read; one that does not count what it drops is believed.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	})
	c := &Conn{UDP: uc, pc: pc, raw: raw}
	c.SetInterface(cfg.Interface)
	return c, nil
}

// setOptions sets the socket options that can be had; only those without which the server would be wrong are errors.
func setOptions(fd int, cfg ListenConfig) error {
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
	// Beyond the system's limit where we are allowed to (CAP_NET_ADMIN), up to it where not.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, ReceiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, ReceiveBuffer)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	if cfg.ReuseAddr {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("sharing the port: %w", err)
		}
	}
	if cfg.Broadcast {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
			return fmt.Errorf("allowing broadcasts: %w", err)
		}
	}
	return nil
}

// LocalAddr returns the bound address, with the port that the kernel chose.
func (c *Conn) LocalAddr() netip.AddrPort {
	ap := c.UDP.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// SetInterface changes which interface is served, as [ListenConfig.Interface] says; "" serves all of them.
func (c *Conn) SetInterface(name string) { c.ifaces.serve(name) }

// Close closes the socket; a running [Serve] returns an error that wraps [net.ErrClosed].
func (c *Conn) Close() error { return c.UDP.Close() }
