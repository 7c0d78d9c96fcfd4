package phonesim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const nicID = tcpip.NICID(1)

// tcpStack is the TCP of all phones of a wire: one stack of gVisor's that has the addresses of those that need it. A stack for
// each phone cost more than all the rest of a boot (docs/decisions/phonesim.md).
type tcpStack struct {
	wire *Wire

	mu sync.Mutex
	s  *stack.Stack // made when it is needed first
	ep *endpoint
}

// add gives the stack a phone's address, and makes it if there is none.
func (t *tcpStack) add(addr netip.Addr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.s == nil {
		ep := &endpoint{send: t.wire.sendPacket}
		s := stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		})
		if err := s.CreateNIC(nicID, ep); err != nil {
			s.Destroy()
			return fmt.Errorf("starting the TCP stack: %s", err)
		}
		s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nicID}})
		t.s, t.ep = s, ep
	}
	own := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(addr.As4()), PrefixLen: 32}
	err := t.s.AddProtocolAddress(nicID, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: own}, stack.AddressProperties{})
	if err != nil {
		return fmt.Errorf("giving the TCP stack the address %s: %s", addr, err)
	}
	return nil
}

// remove takes the address away. abort ends its connections without a word, as a power cut does.
func (t *tcpStack) remove(addr netip.Addr, abort bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.s == nil {
		return
	}
	own := tcpip.AddrFrom4(addr.As4())
	_ = t.s.RemoveAddress(nicID, own)
	if !abort {
		return
	}
	for _, e := range t.s.RegisteredEndpoints() {
		if c, ok := e.(tcpip.Endpoint); ok {
			if info, ok := c.Info().(*stack.TransportEndpointInfo); ok && info.ID.LocalAddress == own {
				c.Abort()
			}
		}
	}
}

// inject hands the stack a packet for one of its addresses.
func (t *tcpStack) inject(p ipv4Packet) {
	t.mu.Lock()
	ep := t.ep
	t.mu.Unlock()
	ep.inject(p)
}

// close ends the stack.
func (t *tcpStack) close() {
	t.mu.Lock()
	s := t.s
	t.s, t.ep = nil, &endpoint{}
	t.mu.Unlock()
	if s != nil {
		s.Destroy()
	}
}

// tcpStack returns the link's TCP stack, with the phone's address in it; nil when that cannot be.
func (n *wireNIC) tcpStack() *tcpStack {
	t, err := n.useTCP()
	if err != nil {
		return nil
	}
	return t
}

// useTCP puts the phone's address into the link's TCP stack.
func (n *wireNIC) useTCP() (*tcpStack, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.held {
		return nil, errNoAddress
	}
	if !n.tcp {
		if err := n.wire.tcp.add(n.addr); err != nil {
			return nil, err
		}
		n.tcp = true
	}
	return &n.wire.tcp, nil
}

// local is the phone's end of a connection.
func (n *wireNIC) local(port uint16) tcpip.FullAddress {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.held {
		return tcpip.FullAddress{}
	}
	return tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(n.addr.As4()), Port: port}
}

// errStopped is what a phone gets whose link was closed.
var errStopped = errors.New("the link is closed")

// stack returns gVisor's part.
func (t *tcpStack) stack() (*stack.Stack, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.s == nil {
		return nil, errStopped
	}
	return t.s, nil
}

// ListenTCP implements [NIC].
func (n *wireNIC) ListenTCP(port uint16) (net.Listener, error) {
	t, err := n.useTCP()
	if err != nil {
		return nil, err
	}
	s, err := t.stack()
	if err != nil {
		return nil, err
	}
	l, err := gonet.ListenTCP(s, n.local(port), ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	w := &wireListener{TCPListener: l, nic: n}
	return w, n.track(w)
}

// DialTCP implements [NIC].
func (n *wireNIC) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	t, err := n.useTCP()
	if err != nil {
		return nil, err
	}
	s, err := t.stack()
	if err != nil {
		return nil, err
	}
	peer := tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(to.Addr().As4()), Port: to.Port()}
	c, err := gonet.DialTCPWithBind(ctx, s, n.local(0), peer, ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	w := &wireConn{TCPConn: c, nic: n}
	return w, n.track(w)
}

// track remembers what goes away with the address; without one it goes at once.
func (n *wireNIC) track(c io.Closer) error {
	n.mu.Lock()
	held := n.held
	if held {
		if n.conns == nil {
			n.conns = map[io.Closer]bool{}
		}
		n.conns[c] = true
	}
	n.mu.Unlock()
	if !held {
		_ = c.Close()
		return errNoAddress
	}
	return nil
}

// untrack is the opposite of track.
func (n *wireNIC) untrack(c io.Closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// wireListener goes away with the address.
type wireListener struct {
	*gonet.TCPListener
	nic *wireNIC
}

// Accept waits for a connection.
func (l *wireListener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil {
		return nil, err
	}
	tc, ok := c.(*gonet.TCPConn)
	if !ok {
		return c, nil
	}
	w := &wireConn{TCPConn: tc, nic: l.nic}
	return w, l.nic.track(w)
}

// Close stops listening and wakes who waits in Accept.
func (l *wireListener) Close() error {
	l.nic.untrack(l)
	l.Shutdown()
	return l.TCPListener.Close()
}

// wireConn goes away with the address.
type wireConn struct {
	*gonet.TCPConn
	nic *wireNIC
}

// Close ends the connection.
func (c *wireConn) Close() error {
	c.nic.untrack(c)
	return c.TCPConn.Close()
}
