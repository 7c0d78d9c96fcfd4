package phonesim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

// relaySourcePort is the relay agent suboption by which a server answers to the relay's own port (RFC 8357).
const relaySourcePort = 19

// LoopbackConfig says where the servers are.
type LoopbackConfig struct {
	Server netip.Addr // the box, within 127.0.0.0/8
	Ports  Ports
	// FirstRelay is how many relay addresses are left to other links of the same server, 0 to 13999.
	FirstRelay int
}

// Loopback is a link without a wire and without privilege. Each phone is its own DHCP relay at an address of its own
// (the third byte is 200 or more in the server's /16), asks the server to answer to the relay's port (RFC 8357), and then
// uses the address of its lease: every address of 127/8 is local on Linux.
type Loopback struct {
	cfg  LoopbackConfig
	book *AddressBook

	mu       sync.Mutex
	attached map[phone.MAC]bool
	next     int   // the first slot that was never used
	free     []int // slots of phones that were unplugged
}

// NewLoopback makes the link; nothing is opened yet. The server must be in 127.0.0.0/8.
func NewLoopback(cfg LoopbackConfig) (*Loopback, error) {
	if !cfg.Server.Is4() || !cfg.Server.IsLoopback() {
		return nil, fmt.Errorf("found server %s, allowed is an address in 127.0.0.0/8", cfg.Server)
	}
	if cfg.FirstRelay < 0 || cfg.FirstRelay >= relays {
		return nil, fmt.Errorf("found %d relay addresses for others, allowed is 0 to %d", cfg.FirstRelay, relays-1)
	}
	cfg.Ports = cfg.Ports.withDefaults()
	return &Loopback{cfg: cfg, book: newAddressBook(), attached: map[phone.MAC]bool{}, next: cfg.FirstRelay}, nil
}

// Addresses implements [Link].
func (l *Loopback) Addresses() *AddressBook { return l.book }

const (
	relaysPerByte = 250 // .1 to .250
	relays        = (256 - 200) * relaysPerByte
)

// Attach implements [Link]: it opens the phone's relay socket.
func (l *Loopback) Attach(mac phone.MAC) (NIC, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attached[mac] {
		return nil, fmt.Errorf("attaching %s: the link has a phone with that address", mac)
	}
	slot := l.next
	if len(l.free) > 0 {
		slot = l.free[len(l.free)-1]
	}
	if slot >= relays {
		return nil, fmt.Errorf("attaching %s: the link is full with %d phones", mac, slot)
	}
	s := l.cfg.Server.As4()
	relay := netip.AddrFrom4([4]byte{s[0], s[1], byte(200 + slot/relaysPerByte), byte(1 + slot%relaysPerByte)})
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(relay, 0)))
	if err != nil {
		return nil, fmt.Errorf("attaching %s: %w", mac, err)
	}
	if slot == l.next {
		l.next++
	} else {
		l.free = l.free[:len(l.free)-1]
	}
	l.attached[mac] = true
	n := &loopbackNIC{link: l, mac: mac, slot: slot, relay: relay, conn: conn, dhcp: make(chan DHCPPacket, dhcpQueue), closed: make(chan struct{})}
	go n.receive()
	return n, nil
}

// dhcpQueue is how many DHCP packets wait for a phone; a real one has room for few.
const dhcpQueue = 8

// loopbackNIC is a phone and its relay in one.
type loopbackNIC struct {
	link   *Loopback
	mac    phone.MAC
	slot   int
	relay  netip.Addr
	conn   *net.UDPConn
	dhcp   chan DHCPPacket
	closed chan struct{}

	mu    sync.Mutex
	addr  netip.Addr
	conns map[io.Closer]bool // what is open on the address
}

func (n *loopbackNIC) DHCP() <-chan DHCPPacket { return n.dhcp }

// receive hands on what comes back to the relay until the socket is closed.
func (n *loopbackNIC) receive() {
	defer close(n.closed)
	buf := make([]byte, maxPacket)
	for {
		size, _, err := n.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // "connection refused": the server is not there at the moment
		}
		select {
		case n.dhcp <- DHCPPacket{Payload: append([]byte(nil), buf[:size]...)}:
		default:
		}
	}
}

// SendDHCP adds what a relay adds; the server's answer then comes to the relay's socket, renewals too, because a phone
// without privilege cannot have port 68.
func (n *loopbackNIC) SendDHCP(m *dhcpv4.DHCPv4, _ netip.Addr) error {
	m.GatewayIPAddr = n.relay.AsSlice()
	m.HopCount = 1
	m.UpdateOption(dhcpv4.OptRelayAgentInfo(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(relaySourcePort), nil)))
	to := netip.AddrPortFrom(n.link.cfg.Server, n.link.cfg.Ports.DHCP)
	if _, err := n.conn.WriteToUDPAddrPort(m.ToBytes(), to); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("sending to the DHCP server: %w", err)
	}
	return nil
}

// Up takes the address. The link's book stands in for the ARP probe of a wire.
func (n *loopbackNIC) Up(_ context.Context, lease Lease) error {
	addr := lease.Address.Addr()
	if !n.link.book.claim(addr, n.mac) {
		return ErrAddressInUse
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = addr
	return nil
}

func (n *loopbackNIC) Down() {
	n.mu.Lock()
	addr, conns := n.addr, n.conns
	n.addr, n.conns = netip.Addr{}, nil
	n.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
	if addr.IsValid() {
		n.link.book.drop(addr, n.mac)
	}
}

func (n *loopbackNIC) ListenUDP(port uint16) (net.PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.addr.IsValid() {
		return nil, errNoAddress
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(n.addr, port)))
	if err != nil {
		return nil, err
	}
	n.track(conn)
	return &trackedConn{PacketConn: conn, nic: n}, nil
}

// track remembers what is to be closed with the address. The caller holds the lock.
func (n *loopbackNIC) track(c io.Closer) {
	if n.conns == nil {
		n.conns = map[io.Closer]bool{}
	}
	n.conns[c] = true
}

// forget is the opposite of track.
func (n *loopbackNIC) forget(c io.Closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// ListenTCP implements [NIC].
func (n *loopbackNIC) ListenTCP(port uint16) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.addr.IsValid() {
		return nil, errNoAddress
	}
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.addr, port)))
	if err != nil {
		return nil, err
	}
	n.track(l)
	return &trackedListener{Listener: l, nic: n}, nil
}

// trackedListener goes away with the address.
type trackedListener struct {
	net.Listener
	nic *loopbackNIC
}

// Close stops listening.
func (l *trackedListener) Close() error {
	l.nic.forget(l.Listener)
	return l.Listener.Close()
}

// errNoAddress is what a phone gets that opens a socket before it has an address.
var errNoAddress = errors.New("the phone has no address")

// trackedConn is a socket that goes away with the address.
type trackedConn struct {
	net.PacketConn
	nic *loopbackNIC
}

func (c *trackedConn) Close() error {
	c.nic.forget(c.PacketConn)
	return c.PacketConn.Close()
}

func (n *loopbackNIC) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	addr := n.addr
	n.mu.Unlock()
	if !addr.IsValid() {
		return nil, errNoAddress
	}
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0))}
	return d.DialContext(ctx, "tcp4", to.String())
}

func (n *loopbackNIC) Close() error {
	n.Down()
	err := n.conn.Close()
	<-n.closed
	n.link.mu.Lock()
	defer n.link.mu.Unlock()
	if n.link.attached[n.mac] {
		delete(n.link.attached, n.mac)
		n.link.free = append(n.link.free, n.slot)
	}
	return err
}
