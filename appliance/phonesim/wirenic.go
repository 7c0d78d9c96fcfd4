package phonesim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"phonebox/services/phone"
)

const (
	arpProbes    = 2
	arpProbeWait = 200 * time.Millisecond // after each: an office's network answers in a few milliseconds
)

// wireNIC is a phone on a wire. Until it has an address it sends bare frames; then it has an IP stack of its own.
type wireNIC struct {
	wire     *Wire
	mac      phone.MAC
	dhcp     chan DHCPPacket
	conflict chan struct{} // somebody else has the address that is probed

	mu      sync.Mutex
	addr    netip.Addr
	probing bool
	stack   *stack.Stack
	ep      *endpoint
	renewal net.PacketConn // port 68
}

const nicID = tcpip.NICID(1)

func (n *wireNIC) DHCP() <-chan DHCPPacket { return n.dhcp }

func (n *wireNIC) SendDHCP(m *dhcpv4.DHCPv4, server netip.Addr) error {
	n.mu.Lock()
	renewal := n.renewal
	n.mu.Unlock()
	if server.IsValid() && renewal != nil {
		_, err := renewal.WriteTo(m.ToBytes(), net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, dhcpServerPort)))
		if err != nil {
			return fmt.Errorf("sending to the DHCP server: %w", err)
		}
		return nil
	}
	src := toAddr(m.ClientIPAddr)
	if !src.IsValid() {
		src = netip.IPv4Unspecified()
	}
	return n.wire.send(dhcpFrame(n.mac, src, m.ToBytes()))
}

// inject gives a frame to the IP stack, if there is one.
func (n *wireNIC) inject(h ether, frame []byte) {
	n.mu.Lock()
	ep := n.ep
	n.mu.Unlock()
	if ep != nil {
		ep.inject(h, frame)
	}
}

// claimedBy notes that the frames of somebody else carry the phone's address.
func (n *wireNIC) claimedBy(addr netip.Addr, by phone.MAC) {
	n.mu.Lock()
	probing, held := n.probing, n.ep != nil && n.addr == addr
	n.mu.Unlock()
	switch {
	case probing:
		n.tell()
	case held:
		n.wire.book.conflict(addr, n.mac, by)
	}
}

// probedBy notes that somebody else is about to take the address that is being probed.
func (n *wireNIC) probedBy() {
	n.mu.Lock()
	probing := n.probing
	n.mu.Unlock()
	if probing {
		n.tell()
	}
}

func (n *wireNIC) tell() {
	select {
	case n.conflict <- struct{}{}:
	default:
	}
}

// Up probes the address (RFC 5227, faster), announces it as real phones do, and starts the IP stack.
func (n *wireNIC) Up(ctx context.Context, lease Lease) error {
	addr := lease.Address.Addr()
	if !n.wire.book.claim(addr, n.mac) {
		return ErrAddressInUse
	}
	n.watch(addr)
	if err := n.probe(ctx, addr); err != nil {
		n.Down()
		return err
	}
	ep := &endpoint{mac: n.mac, send: n.wire.send}
	s, err := newStack(ep, lease)
	if err != nil {
		n.Down()
		return err
	}
	n.mu.Lock()
	n.stack, n.ep, n.probing = s, ep, false
	n.mu.Unlock()
	renewal, err := n.ListenUDP(dhcpClientPort)
	if err != nil {
		n.Down()
		return fmt.Errorf("opening port %d: %w", dhcpClientPort, err)
	}
	n.mu.Lock()
	n.renewal = renewal
	n.mu.Unlock()
	return n.wire.send(arpFrame(n.mac, addr, addr))
}

// watch makes the link tell who else uses the address.
func (n *wireNIC) watch(addr netip.Addr) {
	select {
	case <-n.conflict:
	default:
	}
	n.mu.Lock()
	n.addr, n.probing = addr, true
	n.mu.Unlock()
	n.wire.mu.Lock()
	n.wire.byAddr[addr] = n
	n.wire.mu.Unlock()
}

// probe asks whether somebody else has the address.
func (n *wireNIC) probe(ctx context.Context, addr netip.Addr) error {
	for range arpProbes {
		if err := n.wire.send(arpFrame(n.mac, netip.IPv4Unspecified(), addr)); err != nil {
			return err
		}
		timer := time.NewTimer(arpProbeWait)
		select {
		case <-n.conflict:
			timer.Stop()
			return ErrAddressInUse
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return nil
}

// Down gives the address up, with every socket.
func (n *wireNIC) Down() {
	n.mu.Lock()
	s, addr := n.stack, n.addr
	n.stack, n.ep, n.renewal, n.addr, n.probing = nil, nil, nil, netip.Addr{}, false
	n.mu.Unlock()
	if addr.IsValid() {
		n.wire.mu.Lock()
		if n.wire.byAddr[addr] == n {
			delete(n.wire.byAddr, addr)
		}
		n.wire.mu.Unlock()
		n.wire.book.drop(addr, n.mac)
	}
	if s != nil {
		s.Destroy()
	}
}

// newStack makes the IP stack of a phone: ARP, UDP, TCP and ping.
func newStack(ep *endpoint, lease Lease) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{udp.NewProtocol, tcp.NewProtocol, icmp.NewProtocol4},
	})
	fail := func(what string, err tcpip.Error) (*stack.Stack, error) {
		s.Destroy()
		return nil, fmt.Errorf("starting the IP stack: %s: %s", what, err)
	}
	if err := s.CreateNIC(nicID, ep); err != nil {
		return fail("interface", err)
	}
	own := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(lease.Address.Addr().As4()), PrefixLen: lease.Address.Bits()}
	if err := s.AddProtocolAddress(nicID, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: own}, stack.AddressProperties{}); err != nil {
		return fail("address", err)
	}
	routes := []tcpip.Route{{Destination: own.Subnet(), NIC: nicID}}
	if lease.Gateway.IsValid() {
		routes = append(routes, tcpip.Route{Destination: header.IPv4EmptySubnet, Gateway: tcpip.AddrFrom4(lease.Gateway.As4()), NIC: nicID})
	}
	s.SetRouteTable(routes)
	return s, nil
}

func (n *wireNIC) ListenUDP(port uint16) (net.PacketConn, error) {
	n.mu.Lock()
	s, addr := n.stack, n.addr
	n.mu.Unlock()
	if s == nil {
		return nil, errNoAddress
	}
	var wq waiter.Queue
	ep, err := s.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &wq)
	if err != nil {
		return nil, errors.New(err.String())
	}
	ep.SocketOptions().SetBroadcast(true) // SNTP asks everybody
	if err := ep.Bind(tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(addr.As4()), Port: port}); err != nil {
		ep.Close()
		return nil, fmt.Errorf("binding port %d: %s", port, err)
	}
	return gonet.NewUDPConn(&wq, ep), nil
}

// ListenTCP implements [NIC].
func (n *wireNIC) ListenTCP(port uint16) (net.Listener, error) {
	n.mu.Lock()
	s, addr := n.stack, n.addr
	n.mu.Unlock()
	if s == nil {
		return nil, errNoAddress
	}
	return gonet.ListenTCP(s, tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(addr.As4()), Port: port}, ipv4.ProtocolNumber)
}

// sendFrame puts a frame of the phone on the wire.
func (n *wireNIC) sendFrame(frame []byte) error { return n.wire.send(frame) }

func (n *wireNIC) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	s := n.stack
	n.mu.Unlock()
	if s == nil {
		return nil, errNoAddress
	}
	return gonet.DialContextTCP(ctx, s, tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(to.Addr().As4()), Port: to.Port()}, ipv4.ProtocolNumber)
}

func (n *wireNIC) Close() error {
	n.Down()
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	if n.wire.byMAC[n.mac] == n {
		delete(n.wire.byMAC, n.mac)
	}
	return nil
}
