package dhcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// probeClass is the vendor class of the health probe.
const probeClass = "phonebox health probe"

// Probe asks the running server through a real socket of the box: an INFORM without a hardware address, which the
// server answers to the port that it came from, whatever its state. It neither counts as a client nor is it reported.
// Without a deadline in ctx it waits 1 s.
func (s *Server) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	to := s.Addr()
	if !to.IsValid() {
		return errors.New("probing dhcp: the server is not bound yet")
	}
	if to.Addr().IsUnspecified() {
		// The box's own address may be gone with the cable; the same socket listens here.
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	}
	// From the address that it goes to: that is how the loop knows a packet of the box to itself.
	dialer := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr(), 0))}
	conn, err := dialer.DialContext(ctx, "udp4", to.String())
	if err != nil {
		return fmt.Errorf("probing dhcp: %w", err)
	}
	defer conn.Close()
	if err := ask(ctx, conn, to.Addr()); err != nil {
		return fmt.Errorf("probing dhcp at %s: %w", to, err)
	}
	return nil
}

// ask sends the probe, a second time when a third of the time is over, and waits for its answer.
func ask(ctx context.Context, conn net.Conn, self netip.Addr) error {
	msg, err := dhcpv4.New(
		dhcpv4.WithMessageType(dhcpv4.MessageTypeInform), dhcpv4.WithClientIP(self.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier(probeClass)),
	)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	first := time.Now().Add(time.Until(deadline) / 3)
	for _, until := range []time.Time{first, deadline} {
		if _, err = conn.Write(msg.ToBytes()); err != nil {
			return err
		}
		if err = conn.SetReadDeadline(until); err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
		err = awaitAck(conn, msg.TransactionID)
		stop()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// awaitAck reads until the answer to the transaction comes.
func awaitAck(conn net.Conn, xid dhcpv4.TransactionID) error {
	buf := make([]byte, 1500)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		reply, err := dhcpv4.FromBytes(buf[:n])
		if err == nil && reply.TransactionID == xid && reply.MessageType() == dhcpv4.MessageTypeAck {
			return nil
		}
	}
}
