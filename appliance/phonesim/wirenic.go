package phonesim

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

const (
	arpProbes    = 2
	arpProbeWait = 200 * time.Millisecond // after each: an office's network answers in a few milliseconds
)

// wireNIC is a phone on a wire. It speaks ARP, UDP and ping itself, which a thousand phones do at once; only for TCP, which
// few do, there is a stack of a library ([tcpStack]).
type wireNIC struct {
	wire     *Wire
	mac      phone.MAC
	dhcp     chan DHCPPacket
	conflict chan struct{} // somebody else has the address that is probed
	faulted  atomic.Uint64 // frames from or to this phone that the link lost on purpose
	ids      atomic.Uint32 // of IPv4 packets

	mu         sync.Mutex
	lease      Lease
	addr       netip.Addr
	probing    bool
	held       bool // addr is the phone's own
	noProbe    bool
	neighbours map[netip.Addr]*neighbour
	sockets    map[uint16]*udpConn
	nextPort   uint16
	stranger   *strangers         // gets what comes for closed ports; nil = nobody
	tcp        bool               // the link's TCP stack has our address
	conns      map[io.Closer]bool // of TCP
}

func newWireNIC(w *Wire, mac phone.MAC) *wireNIC {
	return &wireNIC{
		wire: w, mac: mac, dhcp: make(chan DHCPPacket, dhcpQueue), conflict: make(chan struct{}, 1),
		neighbours: map[netip.Addr]*neighbour{}, sockets: map[uint16]*udpConn{}, nextPort: 1<<16 - 1<<12,
	}
}

func (n *wireNIC) DHCP() <-chan DHCPPacket { return n.dhcp }

// LostFrames implements [frameCounter].
func (n *wireNIC) LostFrames() uint64 { return n.faulted.Load() }

// LateFrame implements [frameCounter].
func (n *wireNIC) LateFrame() { n.wire.count.late.Add(1) }

// skipProbe makes Up take an address without a probe.
func (n *wireNIC) skipProbe() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noProbe = true
}

func (n *wireNIC) SendDHCP(m *dhcpv4.DHCPv4, server netip.Addr) error {
	n.mu.Lock()
	held := n.held
	n.mu.Unlock()
	if server.IsValid() && held {
		if err := n.sendUDP(dhcpClientPort, netip.AddrPortFrom(server, dhcpServerPort), m.ToBytes()); err != nil {
			return fmt.Errorf("sending to the DHCP server: %w", err)
		}
		return nil
	}
	src := toAddr(m.ClientIPAddr)
	if !src.IsValid() {
		src = netip.IPv4Unspecified()
	}
	return n.wire.sendFrom(n, dhcpFrame(n.mac, src, m.ToBytes()))
}

// sendUDP sends a datagram from the own address.
func (n *wireNIC) sendUDP(port uint16, to netip.AddrPort, payload []byte) error {
	if len(payload) > ethernetMTU-ipv4Size-udpSize {
		return fmt.Errorf("%w: found %d bytes, allowed is at most %d", errTooLong, len(payload), ethernetMTU-ipv4Size-udpSize)
	}
	n.mu.Lock()
	own := n.addr
	n.mu.Unlock()
	if !own.Is4() || !to.Addr().Is4() {
		return errNoAddress
	}
	return n.sendIP(udpFrame(n.mac, uint16(n.ids.Add(1)), netip.AddrPortFrom(own, port), to, payload), to.Addr())
}

// ip gives the phone a packet that is for it.
func (n *wireNIC) ip(p ipv4Packet) {
	n.mu.Lock()
	held, own := n.held, n.addr
	n.mu.Unlock()
	if !held || p.dst != own {
		return
	}
	switch p.protocol {
	case protoUDP:
		n.udp(p)
	case protoICMP:
		if m := p.payload; len(m) >= icmpHeader && m[0] == icmpEcho {
			_ = n.sendIP(icmpFrame(n.mac, uint16(n.ids.Add(1)), own, p.src, icmpEchoReply, 0, [4]byte(m[4:8]), m[icmpHeader:]), p.src)
		}
	case protoTCP:
		if s := n.tcpStack(); s != nil {
			s.inject(p)
		}
	}
}

// udp gives a datagram to the socket of its port; without one the phone says that nobody is there.
func (n *wireNIC) udp(p ipv4Packet) {
	u, ok := udpPayload(p)
	if !ok {
		return
	}
	n.mu.Lock()
	c, stranger := n.sockets[u.dst.Port()], n.stranger
	n.mu.Unlock()
	if c == nil && stranger != nil {
		stranger.udp(n, u)
		return
	}
	if c == nil {
		n.wire.count.late.Add(1)
		quoted := append(append([]byte(nil), p.header...), p.payload[:udpSize]...)
		_ = n.sendIP(icmpFrame(n.mac, uint16(n.ids.Add(1)), p.dst, p.src, icmpUnreachable, icmpPortUnreachable, [4]byte{}, quoted), p.src)
		return
	}
	if !c.deliver(u.payload, u.src) {
		n.wire.count.overflow.Add(1)
	}
}

// claimedBy notes that the frames of somebody else carry the phone's address.
func (n *wireNIC) claimedBy(addr netip.Addr, by phone.MAC) {
	n.mu.Lock()
	probing, held := n.probing, n.held && n.addr == addr
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

// Up probes the address (RFC 5227, faster) and announces it as real phones do.
func (n *wireNIC) Up(ctx context.Context, lease Lease) error {
	addr := lease.Address.Addr()
	if !n.wire.book.claim(addr, n.mac) {
		return ErrAddressInUse
	}
	n.watch(addr)
	n.mu.Lock()
	noProbe := n.noProbe
	n.mu.Unlock()
	if !noProbe {
		if err := n.probe(ctx, addr); err != nil {
			n.Down()
			return err
		}
	}
	n.mu.Lock()
	n.lease, n.held, n.probing = lease, true, false
	n.mu.Unlock()
	return n.wire.sendFrom(n, arpFrame(n.mac, addr, addr))
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
		if err := n.wire.sendFrom(n, arpFrame(n.mac, netip.IPv4Unspecified(), addr)); err != nil {
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
	addr, sockets, conns, tcp := n.addr, n.sockets, n.conns, n.tcp
	n.addr, n.lease, n.held, n.probing, n.tcp = netip.Addr{}, Lease{}, false, false, false
	n.sockets, n.conns = map[uint16]*udpConn{}, nil
	n.forgetNeighboursLocked()
	n.mu.Unlock()
	for _, c := range sockets {
		_ = c.Close()
	}
	if tcp {
		n.wire.tcp.remove(addr, len(conns) > 0)
	}
	for c := range conns {
		_ = c.Close()
	}
	if !addr.IsValid() {
		return
	}
	n.wire.mu.Lock()
	if n.wire.byAddr[addr] == n {
		delete(n.wire.byAddr, addr)
	}
	n.wire.mu.Unlock()
	n.wire.book.drop(addr, n.mac)
}

// ListenUDP implements [NIC].
func (n *wireNIC) ListenUDP(port uint16) (net.PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.held {
		return nil, errNoAddress
	}
	for port == 0 || port == dhcpClientPort {
		if port == dhcpClientPort {
			return nil, fmt.Errorf("opening port %d: it is the DHCP client's", port)
		}
		n.nextPort = max(n.nextPort+1, 1<<16-1<<12)
		if n.sockets[n.nextPort] == nil {
			port = n.nextPort
		}
	}
	if n.sockets[port] != nil {
		return nil, fmt.Errorf("opening port %d: it is in use", port)
	}
	c := newUDPConn(n, port)
	n.sockets[port] = c
	return c, nil
}

// forget frees the port of a socket that was closed.
func (n *wireNIC) forget(c *udpConn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sockets[c.port] == c {
		delete(n.sockets, c.port)
	}
}

// sendFrame puts a frame of the phone on the wire.
func (n *wireNIC) sendFrame(frame []byte) error { return n.wire.sendFrom(n, frame) }

func (n *wireNIC) Close() error {
	n.Down()
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	if n.wire.byMAC[n.mac] == n {
		delete(n.wire.byMAC, n.mac)
	}
	return nil
}
