package phonesim_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

// fakeLink has no socket at all, so that a test in a bubble of testing/synctest sees every time exactly.
type fakeLink struct {
	begun time.Time
	// dhcp answers a message (nil: silence), packet a datagram.
	dhcp   func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4
	packet func(d datagram) []byte
	book   phonesim.AddressBook
	// lost is how many frames of its phones the link lost on purpose so far, late how many came too late.
	lost, late atomic.Uint64

	mu   sync.Mutex
	sent []datagram
	said []said
}

// datagram is what a phone sent, and when.
type datagram struct {
	at      time.Duration
	from    uint16
	to      netip.AddrPort
	payload []byte
}

// said is a DHCP message that a phone sent, and when.
type said struct {
	at      time.Duration
	m       *dhcpv4.DHCPv4
	unicast bool
}

func (l *fakeLink) Attach(phone.MAC) (phonesim.NIC, error) {
	return &fakeNIC{link: l, packets: make(chan phonesim.DHCPPacket, 4)}, nil
}
func (l *fakeLink) Addresses() *phonesim.AddressBook { return &l.book }

// requests returns the read requests for a name.
func (l *fakeLink) requests(name string) []datagram {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []datagram
	for _, d := range l.sent {
		if len(d.payload) > 2 && binary.BigEndian.Uint16(d.payload) == 1 && string(d.payload[2:]) == name+"\x00octet\x00" {
			found = append(found, d)
		}
	}
	return found
}

// messages returns the DHCP messages so far.
func (l *fakeLink) messages() []said {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]said(nil), l.said...)
}

type fakeNIC struct {
	link    *fakeLink
	packets chan phonesim.DHCPPacket
}

func (n *fakeNIC) SendDHCP(m *dhcpv4.DHCPv4, server netip.Addr) error {
	copied, err := dhcpv4.FromBytes(m.ToBytes())
	if err != nil {
		return err
	}
	n.link.mu.Lock()
	n.link.said = append(n.link.said, said{time.Since(n.link.begun), copied, server.IsValid()})
	n.link.mu.Unlock()
	if a := n.link.dhcp(copied); a != nil {
		n.packets <- phonesim.DHCPPacket{Payload: a.ToBytes()}
	}
	return nil
}

func (n *fakeNIC) LostFrames() uint64                       { return n.link.lost.Load() }
func (n *fakeNIC) LateFrame()                               { n.link.late.Add(1) }
func (n *fakeNIC) DHCP() <-chan phonesim.DHCPPacket         { return n.packets }
func (n *fakeNIC) Up(context.Context, phonesim.Lease) error { return nil }
func (n *fakeNIC) Down()                                    {}
func (n *fakeNIC) Close() error                             { return nil }
func (n *fakeNIC) DialTCP(context.Context, netip.AddrPort) (net.Conn, error) {
	return nil, errors.New("no TCP here")
}

func (n *fakeNIC) ListenTCP(uint16) (net.Listener, error) { return nil, errors.New("no TCP here") }

func (n *fakeNIC) ListenUDP(port uint16) (net.PacketConn, error) {
	return &fakeConn{link: n.link, port: port, in: make(chan []byte, 4), closed: make(chan struct{})}, nil
}

// fakeConn answers each datagram with what the link's function returns, from where the datagram went.
type fakeConn struct {
	link   *fakeLink
	port   uint16
	in     chan []byte
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	last netip.AddrPort
	dead time.Time
}

func (c *fakeConn) WriteTo(b []byte, to net.Addr) (int, error) {
	ap := to.(*net.UDPAddr).AddrPort()
	d := datagram{time.Since(c.link.begun), c.port, ap, append([]byte(nil), b...)}
	c.link.mu.Lock()
	c.link.sent = append(c.link.sent, d)
	c.link.mu.Unlock()
	c.mu.Lock()
	c.last = ap
	c.mu.Unlock()
	if c.link.packet != nil {
		if a := c.link.packet(d); a != nil {
			c.in <- a
		}
	}
	return len(b), nil
}

func (c *fakeConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	dead := c.dead
	c.mu.Unlock()
	var expired <-chan time.Time
	if !dead.IsZero() {
		timer := time.NewTimer(time.Until(dead))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-c.closed:
		return 0, nil, net.ErrClosed
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	case p := <-c.in:
		c.mu.Lock()
		defer c.mu.Unlock()
		return copy(b, p), net.UDPAddrFromAddrPort(c.last), nil
	}
}

func (c *fakeConn) Close() error { c.once.Do(func() { close(c.closed) }); return nil }
func (c *fakeConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = t
	return nil
}
func (c *fakeConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *fakeConn) SetWriteDeadline(time.Time) error { return nil }
func (c *fakeConn) LocalAddr() net.Addr              { return &net.UDPAddr{Port: int(c.port)} }

// grants answers as a well-behaved server does, with a lease of that length.
func grants(lease time.Duration) func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	o := &office{Server: netip.MustParseAddr("10.77.0.1"), lease: lease, Domain: "voice.home.arpa"}
	return func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		a, err := dhcpv4.NewReplyFromRequest(m)
		if err != nil {
			return nil
		}
		a.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck))
		if m.MessageType() == dhcpv4.MessageTypeDiscover {
			a.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer))
		}
		o.fill(a, netip.MustParseAddr("10.77.1.1"))
		return a
	}
}

// notFound is a TFTP ERROR 1 for each read request.
func notFound(d datagram) []byte {
	if len(d.payload) > 1 && d.payload[1] == 1 {
		return []byte{0, 5, 0, 1, 'n', 'o', 0}
	}
	return nil
}
