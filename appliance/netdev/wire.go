package netdev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

// wire is the raw side of one interface as it exists now; a new one is opened when the interface was replaced.
type wire struct {
	index int
	name  string
	mac   phone.MAC
	arp   *packet.Conn // receives ARP frames, and sends
	dhcp  *packet.Conn // receives what DHCP servers send to clients
	// requests sees the frames of TFTP requests.
	requests *requests
	life     context.Context // until close
	end      context.CancelFunc
	shut     atomic.Bool // close was called
	dead     atomic.Bool // a reader ended
	wait     sync.WaitGroup
}

// openWire opens the raw side of an interface and begins to listen.
func (d *Device) openWire(f facts) (*wire, error) {
	ifi := &net.Interface{Index: f.index, Name: f.name, HardwareAddr: net.HardwareAddr(f.mac[:])}
	filter, err := bpf.Assemble(untagged(nil))
	if err != nil {
		return nil, fmt.Errorf("assembling the filter for ARP: %w", err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket (raw frames need root): %w", err)
	}
	servers, err := overhear(ifi, f.mac)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	asked, err := hearRequests(ifi)
	if err != nil {
		return nil, errors.Join(err, conn.Close(), servers.Close())
	}
	w := &wire{index: f.index, name: f.name, mac: f.mac, arp: conn, dhcp: servers, requests: asked}
	w.life, w.end = context.WithCancel(context.Background())
	w.wait.Go(func() { d.read(w, conn, d.hear) })
	w.wait.Go(func() { d.read(w, servers, d.hearServer) })
	return w, nil
}

// close ends the wire and returns once its readers have ended.
func (w *wire) close() {
	w.shut.Store(true)
	_ = w.arp.Close()
	_ = w.dhcp.Close()
	_ = w.requests.conn.Close()
	w.end()
	w.wait.Wait()
}

// ended reports whether a reader ended by itself.
func (w *wire) ended() bool { return w.dead.Load() }

// send puts a whole frame on the wire.
func (w *wire) send(frame []byte) error {
	_, err := w.arp.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])})
	return err
}

// read hands on what a socket hears, until it is closed or the interface is gone.
func (d *Device) read(w *wire, conn *packet.Conn, hear func(own phone.MAC, frame []byte)) {
	defer w.dead.Store(true)
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(buf)
		switch {
		case err == nil:
			d.hearGuarded(w.mac, buf[:n], hear)
		case w.shut.Load():
			return
		case errors.Is(err, unix.ENETDOWN): // told once when the interface goes down; the socket stays good
			d.look()
		default: // the interface is gone: the kernel reports that on its own, else the next recheck opens it anew
			d.log.Info("listening to the wire ended", "iface", w.name, "err", err)
			return
		}
	}
}

// hearGuarded keeps a fault of ours in one frame from ending the box.
func (d *Device) hearGuarded(own phone.MAC, frame []byte, hear func(own phone.MAC, frame []byte)) {
	defer func() {
		if v := recover(); v != nil {
			d.panicked(v, debug.Stack())
		}
	}()
	hear(own, frame)
}

func (d *Device) panicked(v any, stack []byte) {
	d.drop("panic")
	d.log.Error("reading a frame panicked", "value", v, "stack", string(stack))
}

// hear takes one ARP frame in.
func (d *Device) hear(own phone.MAC, frame []byte) {
	p, err := parseARP(frame)
	if err != nil {
		d.drop("malformed")
		return
	}
	if p.From == own || p.SenderIP.IsUnspecified() {
		return // ours, or a probe, which claims nothing
	}
	asking := d.listeners.deliver(p) // before the holders are told: see resolve
	d.holders.heard(p)
	if d.early.begin(p, asking) {
		d.askEarly(p.SenderIP)
	}
	cfg := d.config()
	if p.SenderIP == cfg.Address.Addr() && p.SenderMAC != own {
		if d.sawDuplicate(p.SenderMAC) {
			d.defend()
		}
	} else if d.foreign.hear(cfg.Address, p) {
		d.look()
	}
}

// untagged is a filter that accepts what accept accepts (nil: all), of frames of the wire itself: to a packet socket the
// kernel shows frames of foreign VLANs without their tag. What is left of that for a socket of one protocol is their type,
// "for another host"; one of all protocols still learns of the tag. A tag of VLAN 0 says a priority only (802.1p): its
// frame is one of the wire.
func untagged(accept []bpf.Instruction) []bpf.Instruction {
	if accept == nil {
		accept = []bpf.Instruction{bpf.RetConstant{Val: 0xffff}}
	}
	return append([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OTHERHOST, SkipTrue: 4},
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtVLANTag},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x0fff, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}, accept...)
}

// listenIncoming opens a packet socket of all protocols for what comes in and accept accepts. A socket of IPv4 alone would
// be given each frame after the IP layer: the frame is shared then, and the kernel makes a copy of its head for the IP
// layer and frees it again, which costs a TFTP server a fifth of its rate. One of all protocols comes first and is done
// with the frame before; what is sent it need not see.
func listenIncoming(ifi *net.Interface, accept []bpf.Instruction) (*packet.Conn, error) {
	filter, err := bpf.Assemble(untagged(accept))
	if err != nil {
		return nil, fmt.Errorf("assembling the filter: %w", err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// A kernel before 4.20 does not know this and shows what is sent as well; the filters drop it.
	err = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1) })
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
