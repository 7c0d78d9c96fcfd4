package phonesim

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

const (
	wireBuffer = 16 << 20 // bytes that the kernel holds for us while a thousand phones talk at once
	maxFrame   = 1 << 16  // a kernel of the same machine may hand over several TCP segments as one
	localQueue = 1024     // frames between phones of one link that wait
)

// Wire is a link on a real (or virtual) Ethernet: one raw socket that sees every frame, and behind it phones with hardware
// addresses of their own. It needs CAP_NET_RAW. It is closed once all phones are unplugged.
type Wire struct {
	ifi  *net.Interface
	conn *packet.Conn
	book *AddressBook

	mu     sync.RWMutex
	byMAC  map[phone.MAC]*wireNIC
	byAddr map[netip.Addr]*wireNIC // held, or being probed

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
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, wireBuffer) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, wireBuffer)
			}
		})
	}
	w := &Wire{
		ifi: ifi, conn: conn, book: newAddressBook(), byMAC: map[phone.MAC]*wireNIC{}, byAddr: map[netip.Addr]*wireNIC{},
		local: make(chan []byte, localQueue), closed: make(chan struct{}),
	}
	w.done.Go(w.receive)
	w.done.Go(w.receiveLocal)
	return w, nil
}

// Addresses implements [Link].
func (w *Wire) Addresses() *AddressBook { return w.book }

// Close closes the socket. Phones that are still plugged in hear nothing more.
func (w *Wire) Close() error {
	close(w.closed)
	err := w.conn.Close()
	w.done.Wait()
	return err
}

// Attach implements [Link].
func (w *Wire) Attach(mac phone.MAC) (NIC, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byMAC[mac] != nil {
		return nil, fmt.Errorf("attaching %s: the link has a phone with that address", mac)
	}
	n := &wireNIC{wire: w, mac: mac, dhcp: make(chan DHCPPacket, dhcpQueue), conflict: make(chan struct{}, 1)}
	w.byMAC[mac] = n
	return n, nil
}

// receive hands on frames until the socket is closed.
func (w *Wire) receive() {
	buf := make([]byte, maxFrame)
	for {
		n, _, err := w.conn.ReadFrom(buf)
		if err == nil {
			w.deliver(buf[:n])
			continue
		}
		select {
		case <-w.closed:
			return
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// receiveLocal hands on frames between phones of this link.
func (w *Wire) receiveLocal() {
	for {
		select {
		case <-w.closed:
			return
		case f := <-w.local:
			w.deliver(f)
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
		}
	}
	_, err := w.conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(h.dst[:])})
	if errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENETDOWN) {
		return nil // lost, as on a wire
	}
	if err != nil {
		return fmt.Errorf("sending a frame on %s: %w", w.ifi.Name, err)
	}
	return nil
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
		w.deliverARP(h, frame, body)
	case etherIPv4:
		w.deliverIPv4(h, frame, body)
	}
}

func (w *Wire) deliverARP(h ether, frame, body []byte) {
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
		receiver.inject(h, frame)
	}
}

func (w *Wire) deliverIPv4(h ether, frame, body []byte) {
	toAll := h.dst == everybody()
	if u, ok := parseUDP(body); ok && u.dst.Port() == dhcpClientPort {
		w.deliverDHCP(h, u)
		return
	}
	if toAll {
		return // nothing else that is for everybody concerns a phone
	}
	w.mu.RLock()
	n := w.byMAC[h.dst]
	w.mu.RUnlock()
	if n != nil {
		n.inject(h, frame)
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
		return
	}
	select {
	case n.dhcp <- DHCPPacket{Payload: append([]byte(nil), u.payload...), Unicast: unicast}:
	default:
	}
}
