package phonesim

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// maxReadErrors is how many errors in a row a socket may have that are about earlier packets (ICMP).
const maxReadErrors = 100

// receive waits for a datagram on the phone's socket: os.ErrDeadlineExceeded when none came until then, the cause for
// which ctx ended, or the error of a socket that is of no more use.
func receive(ctx context.Context, conn net.PacketConn, buf []byte, until time.Time) ([]byte, netip.AddrPort, error) {
	if err := conn.SetReadDeadline(until); err != nil && ctx.Err() == nil {
		return nil, netip.AddrPort{}, err
	}
	for failed := 0; ; failed++ {
		n, from, err := readFrom(conn, buf)
		switch {
		case err == nil:
			return buf[:n], from, nil
		case ctx.Err() != nil:
			return nil, netip.AddrPort{}, context.Cause(ctx)
		case isTimeout(err):
			return nil, netip.AddrPort{}, os.ErrDeadlineExceeded
		case errors.Is(err, net.ErrClosed) || failed == maxReadErrors:
			return nil, netip.AddrPort{}, err
		}
	}
}

// readFrom reads a datagram, without an allocation where the socket can.
func readFrom(conn net.PacketConn, buf []byte) (int, netip.AddrPort, error) {
	if c, ok := conn.(interface {
		ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	}); ok {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
	}
	n, from, err := conn.ReadFrom(buf)
	return n, addrPortOf(from), err
}

// writeTo sends a datagram, without an allocation where the socket can.
func writeTo(conn net.PacketConn, b []byte, to netip.AddrPort) error {
	if c, ok := conn.(interface {
		WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	}); ok {
		_, err := c.WriteToUDPAddrPort(b, to)
		return err
	}
	_, err := conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}

// isTimeout reports a read deadline, of the kernel's sockets and of others.
func isTimeout(err error) bool {
	var t net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// addrPortOf converts at the library's edge.
func addrPortOf(a net.Addr) netip.AddrPort {
	ua, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := ua.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// addrPortOfTCP is addrPortOf for listeners.
func addrPortOfTCP(a net.Addr) netip.AddrPort {
	ta, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := ta.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// isUnreachable reports a send that failed because of an ICMP answer to an earlier one, or because nobody is there.
func isUnreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
