package netdev

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"

	"phonebox/services/dhcp"
	"phonebox/services/phone"
)

const (
	// maxOverheard bounds the servers that are remembered; a wire with so many has worse troubles.
	maxOverheard = 16
	// glanceTime is how long packets of a server that was just understood are not read again: the wire of a busy one has
	// thousands a second.
	glanceTime = time.Second
	// serverSilent is how long a server is silent until it gives its place to another one, where there is no room.
	serverSilent = 10 * time.Minute
)

// toClients accepts what a DHCP server sends to a client (BOOTREPLY from port 67 to 68, not a fragment) in a frame of
// anybody but own: a switch with a loop in it, or a bridge, may send our frames back, and in a storm they must not cost
// more than these instructions.
func toClients(own phone.MAC) []bpf.Instruction {
	const udp = ethernetHeader // after LoadMemShift, X is the length of the IPv4 header
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeIPv4, SkipTrue: 15},
		bpf.LoadAbsolute{Off: 8, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(own[2:]), SkipTrue: 2},
		bpf.LoadAbsolute{Off: 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(own[:])), SkipTrue: 11},
		bpf.LoadAbsolute{Off: ethernetHeader + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 9},
		bpf.LoadAbsolute{Off: ethernetHeader + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 7},
		bpf.LoadMemShift{Off: ethernetHeader},
		bpf.LoadIndirect{Off: udp, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: serverPort, SkipTrue: 4},
		bpf.LoadIndirect{Off: udp + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: clientPort, SkipTrue: 2},
		bpf.LoadIndirect{Off: udp + udpHeader, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 2, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 0xffff},
	}
}

// overhear opens the socket that hears DHCP servers all the time. The interface is not made to take frames for others:
// a switch sends none, and broadcasts, which every server sends now and then, come anyway.
func overhear(ifi *net.Interface, own phone.MAC) (*packet.Conn, error) {
	conn, err := listenIncoming(ifi, toClients(own))
	if err != nil {
		return nil, fmt.Errorf("listening for DHCP servers: %w", err)
	}
	return conn, nil
}

// hearServer takes a frame of a DHCP server in.
func (d *Device) hearServer(own phone.MAC, frame []byte) {
	f, err := parseUDP(frame)
	if err != nil {
		d.drop("malformed_reply")
		return
	}
	if d.overheard.glance(f.From, f.Src.Addr()) {
		return
	}
	cfg := d.config()
	server, kind := serverIn(f, own, cfg.Address.Addr())
	if kind != hands && kind != refuses {
		return // the box, a proxy for netboot, an answer that gives no address
	}
	changed := d.offered(cfg, f)
	if d.overheard.add(server, f.From, f.Src.Addr()) {
		d.tell()
	}
	if changed {
		d.look()
	}
}

// Overheard implements dhcp.Wire: the DHCP servers that were heard to give an address to a client, or to refuse one,
// since the link came up. It costs the wire nothing.
func (d *Device) Overheard() []dhcp.OtherServer { return d.overheard.list() }

// News implements dhcp.Wire: it delivers a value when Overheard has one more server and when another host was heard to
// use the box's address, or stopped. There is one channel, for one reader.
func (d *Device) News() <-chan struct{} { return d.news }

func (d *Device) tell() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// overheard remembers the servers of one wire.
type overheard struct {
	mu      sync.Mutex
	now     func() time.Time
	servers []dhcp.OtherServer
	glances map[glance]time.Time
}

// glance is what can be known of a packet without reading it.
type glance struct {
	mac phone.MAC
	src netip.Addr
}

func newOverheard() *overheard {
	return &overheard{now: time.Now, glances: make(map[glance]time.Time)}
}

// glance reports whether a packet of that sender was understood a moment ago to be of another server. A relay, which
// sends packets of several servers, is not skipped for those of the box: only what add took counts.
func (o *overheard) glance(from phone.MAC, src netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.glances[glance{from, src}]
	return ok && o.now().Sub(at) < glanceTime
}

// add notes a server and reports whether it is a new one.
func (o *overheard) add(s dhcp.OtherServer, from phone.MAC, src netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Seen = o.now()
	if len(o.glances) >= maxOverheard {
		clear(o.glances)
	}
	o.glances[glance{from, src}] = s.Seen
	i := slices.IndexFunc(o.servers, same(s))
	switch {
	case i >= 0:
		if !s.Offered.IsValid() { // a NAK tells less than what is known
			s.Offered, s.Options = o.servers[i].Offered, o.servers[i].Options
		}
		o.servers[i] = s
	case len(o.servers) < maxOverheard || o.makeRoom():
		o.servers = append(o.servers, s)
		return true
	}
	return false
}

// makeRoom forgets the server that was silent longest, if that was for long; the caller holds the lock.
func (o *overheard) makeRoom() bool {
	oldest := 0
	for i := range o.servers {
		if o.servers[i].Seen.Before(o.servers[oldest].Seen) {
			oldest = i
		}
	}
	if o.now().Sub(o.servers[oldest].Seen) < serverSilent {
		return false
	}
	o.servers = slices.Delete(o.servers, oldest, oldest+1)
	return true
}

func (o *overheard) list() []dhcp.OtherServer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.servers)
}

// reset forgets all: the wire may be another.
func (o *overheard) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.servers = nil
	clear(o.glances)
}
