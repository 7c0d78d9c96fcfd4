package phonesim

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

const (
	wireBuffer = 64 << 20 // bytes that the kernel holds for us while thousands of phones talk at once
	sendBuffer = 4 << 20
	maxFrame   = 1 << 16 // a kernel of the same machine may hand over several TCP segments as one
	localQueue = 4096    // frames between phones of one link that wait
)

// Wire is a link on a real (or virtual) Ethernet: one raw socket that sees every frame, and behind it phones with hardware
// addresses of their own. It needs CAP_NET_RAW. It is closed once all phones are unplugged.
type Wire struct {
	ifi  *net.Interface
	conn *packet.Conn
	raw  syscall.RawConn
	// isDefault tells that the default route led over the interface when it was opened.
	isDefault bool
	book      *AddressBook

	mu     sync.RWMutex
	byMAC  map[phone.MAC]*wireNIC
	byAddr map[netip.Addr]*wireNIC      // held, or being probed
	ears   map[uint16]map[*udpConn]bool // by port: who hears what goes to everybody

	sending sync.RWMutex // held to read while fd is written to, to write while it is closed
	fd      int          // while ready
	ready   bool

	tcp   tcpStack
	dice  dice
	count wireCounters
	drops atomic.Uint64 // of the kernel's buffer, as read so far
	pool  sync.Pool     // of *[]byte, for datagrams that wait

	strangers atomic.Pointer[strangers] // who else gets answers; nil = nobody

	local  chan []byte // frames from one phone of this link to another: the kernel does not give us our own
	closed chan struct{}
	done   sync.WaitGroup
}

// NewWire opens the interface of that name.
func NewWire(name string) (*Wire, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("finding interface %q: %w", name, err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	if err != nil {
		return nil, fmt.Errorf("opening %s for raw frames: %w", name, err)
	}
	if err := conn.SetPromiscuous(true); err != nil {
		conn.Close()
		return nil, fmt.Errorf("receiving every frame of %s: %w", name, err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening %s for raw frames: %w", name, err)
	}
	w := bareWire()
	w.ifi, w.conn, w.raw, w.isDefault = ifi, conn, raw, hasDefaultRoute(name)
	_ = raw.Control(func(fd uintptr) {
		w.fd, w.ready = int(fd), true
		enlarge(w.fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, wireBuffer)
		enlarge(w.fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
	})
	w.done.Go(w.receive)
	w.done.Go(w.receiveLocal)
	return w, nil
}

// bareWire makes a wire that leads nowhere.
func bareWire() *Wire {
	w := &Wire{
		book: newAddressBook(), byMAC: map[phone.MAC]*wireNIC{}, byAddr: map[netip.Addr]*wireNIC{},
		local: make(chan []byte, localQueue), closed: make(chan struct{}),
	}
	w.tcp.wire = w
	w.pool.New = func() any { b := make([]byte, maxPacket); return &b }
	return w
}

// enlarge sets a buffer's size, by force where that is allowed.
func enlarge(fd, force, ask, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, ask, size)
	}
}

// Addresses implements [Link].
func (w *Wire) Addresses() *AddressBook { return w.book }

// ShareAddresses makes the wire use the address book of another one, so that an address that phones of both hold shows. It has
// to be called before the first phone is plugged in.
func (w *Wire) ShareAddresses(other *Wire) { w.book = other.book }

// Close closes the socket. Phones that are still plugged in hear nothing more.
func (w *Wire) Close() error {
	close(w.closed)
	w.kernelDrops()
	w.sending.Lock()
	w.ready = false
	w.sending.Unlock()
	err := w.conn.Close()
	w.done.Wait()
	w.tcp.close()
	return err
}

// kernelDrops returns how many frames the kernel had no room for; it begins anew each time that it is asked.
func (w *Wire) kernelDrops() uint64 {
	w.sending.RLock()
	defer w.sending.RUnlock()
	if w.ready {
		if s, err := unix.GetsockoptTpacketStats(w.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			w.drops.Add(uint64(s.Drops))
		}
	}
	return w.drops.Load()
}

// Attach implements [Link].
func (w *Wire) Attach(mac phone.MAC) (NIC, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byMAC[mac] != nil {
		return nil, fmt.Errorf("attaching %s: the link has a phone with that address", mac)
	}
	n := newWireNIC(w, mac)
	w.byMAC[mac] = n
	return n, nil
}

// receive hands on frames until the socket is closed.
func (w *Wire) receive() {
	buf := make([]byte, maxFrame)
	for {
		err := w.raw.Read(func(fd uintptr) bool {
			for w.isOpen() {
				n, err := unix.Read(int(fd), buf)
				switch {
				case err == nil:
					w.arrive(buf[:n])
				case !errors.Is(err, unix.EINTR):
					return !errors.Is(err, unix.EAGAIN) // any other error: a link that is down
				}
			}
			return true
		})
		if errors.Is(err, net.ErrClosed) || !w.isOpen() {
			return
		}
	}
}

// isOpen reports whether the link was not closed yet.
func (w *Wire) isOpen() bool {
	select {
	case <-w.closed:
		return false
	default:
		return true
	}
}

// receiveLocal hands on frames between phones of this link.
func (w *Wire) receiveLocal() {
	for {
		select {
		case <-w.closed:
			return
		case f := <-w.local:
			w.arrive(f)
		}
	}
}

// send puts a frame on the wire, and before phones of this link that it is for.
func (w *Wire) send(frame []byte) error {
	h, body, ok := parseEther(frame)
	if !ok {
		return errors.New("sending a frame: it is too short")
	}
	if w.isLocal(h, body) {
		select {
		case w.local <- append([]byte(nil), frame...):
		default:
			w.count.overflow.Add(1)
		}
	}
	err := w.write(frame)
	if errors.Is(err, unix.EAGAIN) { // no room at the moment
		_, err = w.conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(h.dst[:])})
	}
	switch {
	case err == nil:
		w.count.sent.Add(1)
	case errors.Is(err, unix.ENETDOWN), errors.Is(err, net.ErrClosed):
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
		w.count.overflow.Add(1)
	default:
		return fmt.Errorf("sending a frame on %s: %w", w.ifi.Name, err)
	}
	return nil
}

// write gives the kernel a frame; many goroutines do at once.
func (w *Wire) write(frame []byte) error {
	w.sending.RLock()
	defer w.sending.RUnlock()
	if !w.ready {
		return net.ErrClosed
	}
	for {
		_, err := unix.Write(w.fd, frame)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// sendPacket sends an IP packet behind room for a frame's header, as the phone that has the source address.
func (w *Wire) sendPacket(src, dst netip.Addr, frame []byte) {
	w.mu.RLock()
	n := w.byAddr[src]
	w.mu.RUnlock()
	if n == nil {
		return // it lost its power
	}
	copy(frame[6:], n.mac[:])
	_ = n.sendIP(frame, dst)
}

// isLocal reports whether a phone of this link should see the frame too.
func (w *Wire) isLocal(h ether, body []byte) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if h.dst != everybody() {
		return w.byMAC[h.dst] != nil
	}
	a, ok := parseARP(body)
	if h.kind != etherARP || !ok {
		return false
	}
	n := w.byAddr[a.targetIP]
	return n != nil && n.mac != h.src
}

// deliver gives a frame to the phone that it is for. A frame to everybody goes only to the one whom its content concerns: a
// thousand phones that all look at every broadcast would be a million looks a round.
func (w *Wire) deliver(frame []byte) {
	h, body, ok := parseEther(frame)
	if !ok {
		return
	}
	switch h.kind {
	case etherARP:
		w.deliverARP(h, body)
	case etherIPv4:
		w.deliverIPv4(h, body)
	}
}

func (w *Wire) deliverARP(h ether, body []byte) {
	a, ok := parseARP(body)
	if !ok {
		return
	}
	w.mu.RLock()
	sender, target, receiver := w.byAddr[a.senderIP], w.byAddr[a.targetIP], w.byMAC[h.dst]
	w.mu.RUnlock()
	if sender != nil && sender.mac != a.senderMAC {
		sender.claimedBy(a.senderIP, a.senderMAC) // an answer to a probe, or somebody else uses the address
	}
	if a.senderIP.IsUnspecified() && target != nil && target.mac != a.senderMAC {
		target.probedBy()
	}
	if h.dst == everybody() {
		receiver = target
	}
	if receiver != nil {
		w.count.received.Add(1)
		receiver.arp(a)
	}
}

func (w *Wire) deliverIPv4(h ether, body []byte) {
	p, ok := parseIPv4(body)
	if !ok {
		return
	}
	if p.protocol == protoUDP && len(p.payload) >= udpSize && uint16(p.payload[2])<<8|uint16(p.payload[3]) == dhcpClientPort {
		if u, ok := parseUDP(body); ok {
			w.deliverDHCP(h, u)
		}
		return
	}
	if h.dst[0]&1 != 0 { // for everybody, or for a group
		w.deliverEverybody(p)
		return
	}
	w.mu.RLock()
	n := w.byMAC[h.dst]
	w.mu.RUnlock()
	if n != nil {
		w.count.received.Add(1)
		n.ip(p)
	}
}

func (w *Wire) deliverDHCP(h ether, u udpPacket) {
	mac, yiaddr, ok := bootpClient(u.payload)
	if !ok || !u.checksum {
		return // a phone drops it
	}
	unicast := h.dst != everybody()
	if unicast && (mac != h.dst || u.dst.Addr() != yiaddr && u.dst.Addr() != netip.AddrFrom4([4]byte{255, 255, 255, 255})) {
		return
	}
	w.mu.RLock()
	n := w.byMAC[mac]
	w.mu.RUnlock()
	if n == nil {
		if s := w.strangers.Load(); s != nil {
			s.dhcp(mac, u.payload)
		}
		return
	}
	w.count.received.Add(1)
	select {
	case n.dhcp <- DHCPPacket{Payload: append([]byte(nil), u.payload...), Unicast: unicast}:
	default:
		w.count.late.Add(1) // it has not looked at the last ones either
	}
}
