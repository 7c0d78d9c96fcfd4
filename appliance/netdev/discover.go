package netdev

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"phonebox/services/dhcp"
	"phonebox/services/phone"
)

const (
	serverPort = 67
	clientPort = 68
	// lateOffer is how much longer Discover waits for a server that showed itself but has not offered yet: dnsmasq
	// looks for three seconds whether an address is free before it offers it.
	lateOffer = 1500 * time.Millisecond
	// otherOffers is how long Discover waits for more servers once one has offered.
	otherOffers = 250 * time.Millisecond
)

// Discover implements dhcp.Wire. It sends n DHCPDISCOVERs from a made-up MAC, spread over wait, and returns every DHCP
// server that is not the box and offered or acknowledged an address, or refused one, to us or to anybody else. It returns
// early, with a moment for a second server, once one was found. It asks as a PC and as a Cisco phone in turn, from one
// call to the next as well, for some servers answer one of them only.
//
// A DHCPINFORM of the box goes first, for servers that check an address before they offer it answer that one at once:
// then, and only then, Discover waits up to 1.5 s longer than told for the offer.
func (d *Device) Discover(ctx context.Context, n int, wait time.Duration) ([]dhcp.OtherServer, error) {
	select {
	case <-d.discover:
		defer func() { d.discover <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("looking for other dhcp servers: %w", ctx.Err())
	}
	w, cfg, err := d.current()
	if err != nil {
		return nil, fmt.Errorf("looking for other dhcp servers: %w", err)
	}
	conn, err := listenForServers(w)
	if err != nil {
		return nil, fmt.Errorf("looking for other dhcp servers: %w", err)
	}
	look := search{
		box: w.mac, addr: cfg.Address.Addr(), frames: make(chan udpFrame, 16), done: make(chan struct{}),
		asPhone: n == 1 && d.turn.Add(1)%2 == 0, offered: func(f udpFrame) bool { return d.offered(cfg, f) },
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	read := make(chan error, 1)
	go func() { read <- look.read(conn) }()
	defer func() {
		stop()
		close(look.done)
		_ = conn.Close()
		<-read
	}()
	found, err := look.run(ctx, w, read, max(n, 1), wait)
	d.look() // what was offered may be of another network
	if err != nil {
		return found, fmt.Errorf("looking for other dhcp servers: %w", err)
	}
	return found, nil
}

// search is one look for other servers.
type search struct {
	box    phone.MAC
	addr   netip.Addr
	frames chan udpFrame
	done   chan struct{} // closed when nobody takes frames any more

	asPhone bool                // the first DISCOVER is a phone's
	offered func(udpFrame) bool // is shown every packet of another server
}

// run sends the questions and collects the answers.
func (s search) run(ctx context.Context, w *wire, read chan error, n int, wait time.Duration) ([]dhcp.OtherServer, error) {
	questions, err := s.questions(n)
	if err != nil {
		return nil, err
	}
	var found []dhcp.OtherServer
	over := time.NewTimer(wait)
	defer over.Stop()
	next := time.NewTicker(max(wait/time.Duration(n), time.Millisecond))
	defer next.Stop()
	ask := func() error {
		if len(questions) == 0 {
			return nil
		}
		frame := questions[0]
		questions = questions[1:]
		return w.send(frame)
	}
	hint, extended := false, false
	for err := errors.Join(ask(), ask()); ; { // the INFORM and the first DISCOVER
		if err != nil {
			return found, err
		}
		select {
		case f := <-s.frames:
			server, kind := serverIn(f, s.box, s.addr)
			if kind != nobody {
				s.offered(f)
			}
			switch {
			case (kind == hands || kind == refuses) && !slices.ContainsFunc(found, same(server)):
				server.Seen = time.Now()
				if found = append(found, server); len(found) == 1 {
					extended = true
					over.Reset(otherOffers)
				}
			case kind == shows:
				hint = true
			}
		case <-over.C:
			if !hint || extended || len(found) > 0 {
				return found, nil
			}
			extended = true
			over.Reset(lateOffer)
		case <-next.C:
			err = ask()
		case <-ctx.Done():
			return found, ctx.Err()
		case err = <-read:
			read <- err
			if ctx.Err() != nil {
				err = ctx.Err() // its end closed the socket
			}
		}
	}
}

// same tells a server that is in the list already.
func same(o dhcp.OtherServer) func(dhcp.OtherServer) bool {
	return func(p dhcp.OtherServer) bool { return p.Address == o.Address && p.MAC == o.MAC }
}

// questions makes the frames: the INFORM, then n DISCOVERs.
func (s search) questions(n int) ([][]byte, error) {
	mac := askingMAC(s.box)
	inform, err := dhcpv4.NewInform(net.HardwareAddr(s.box[:]), s.addr.AsSlice())
	if err != nil {
		return nil, fmt.Errorf("making a DHCPINFORM: %w", err)
	}
	frame, err := question(s.box, s.addr, inform)
	if err != nil {
		return nil, err
	}
	frames := [][]byte{frame}
	for i := range n {
		p, err := dhcpv4.NewDiscovery(net.HardwareAddr(mac[:]), dhcpv4.WithBroadcast(true))
		if err != nil {
			return nil, fmt.Errorf("making a DHCPDISCOVER: %w", err)
		}
		if (i%2 == 1) != s.asPhone { // phones.md b
			p.UpdateOption(dhcpv4.OptClassIdentifier("Cisco Systems, Inc. IP Phone CP-7960G\x00"))
			p.UpdateOption(dhcpv4.OptParameterRequestList(dhcpv4.GenericOptionCode(1), dhcpv4.GenericOptionCode(66),
				dhcpv4.GenericOptionCode(6), dhcpv4.GenericOptionCode(3), dhcpv4.GenericOptionCode(15),
				dhcpv4.GenericOptionCode(150), dhcpv4.GenericOptionCode(35)))
		}
		if frame, err = question(mac, netip.IPv4Unspecified(), p); err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

// askingMAC is the made-up address that a box looks for other servers from. It is always the same for one box: a switch
// that counts the addresses of a port (port security) must not find a new one there each time, and close the port.
func askingMAC(box phone.MAC) (mac phone.MAC) {
	sum := sha256.Sum256(append([]byte("phonebox asks for other DHCP servers as a guest of "), box[:]...))
	copy(mac[:], sum[:])
	mac[0] = mac[0]&^0x01 | 2 // one station, administered locally
	return mac
}

func question(from phone.MAC, src netip.Addr, p *dhcpv4.DHCPv4) ([]byte, error) {
	return udpFrame{
		From: from, To: broadcastMAC(),
		Src:     netip.AddrPortFrom(src, clientPort),
		Dst:     netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), serverPort),
		Payload: p.ToBytes(),
	}.marshal()
}

// toMAC accepts the frames to mac, and of the others those that accept accepts when they have no VLAN tag. To the kernel
// a frame to a made-up MAC is one for another host, as foreign VLANs are.
func toMAC(mac phone.MAC, accept []bpf.Instruction) []bpf.Instruction {
	rest := untagged(accept)
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(mac[:]), SkipTrue: 2},
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: uint8(len(rest) - len(accept))},
	}, rest...)
}

// listenForServers opens a socket that hears what DHCP servers send to clients. Some send to the made-up MAC in spite
// of the broadcast flag, so the interface takes every frame meanwhile.
func listenForServers(w *wire) (*packet.Conn, error) {
	filter, err := bpf.Assemble(toMAC(askingMAC(w.mac), []bpf.Instruction{
		bpf.LoadAbsolute{Off: ethernetHeader + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 5},
		bpf.LoadAbsolute{Off: ethernetHeader + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 3},
		bpf.LoadMemShift{Off: ethernetHeader},
		bpf.LoadIndirect{Off: ethernetHeader + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: clientPort, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 0xffff},
	}))
	if err != nil {
		return nil, fmt.Errorf("assembling the filter for DHCP: %w", err)
	}
	ifi := &net.Interface{Index: w.index, Name: w.name, HardwareAddr: net.HardwareAddr(w.mac[:])}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_IP, &packet.Config{Filter: filter})
	if err != nil {
		return nil, err
	}
	if err := conn.SetPromiscuous(true); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// read hands on what servers send, until the socket is closed.
func (s search) read(conn *packet.Conn) error {
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		f, err := parseUDP(slices.Clone(buf[:n]))
		if err != nil {
			continue
		}
		select {
		case s.frames <- f:
		case <-s.done:
			return nil
		}
	}
}

// role is what a frame says about its sender.
type role int

const (
	nobody  role = iota // no DHCP server, or the box
	shows               // a server that handed out nothing in this packet
	hands               // a server that hands out addresses
	refuses             // a server that told a client to give up its address
)

// serverIn finds the server in a datagram to a DHCP client. The box is known by its MAC, and by its address where its
// packet came back through a relay.
func serverIn(f udpFrame, box phone.MAC, boxAddr netip.Addr) (dhcp.OtherServer, role) {
	if f.From == box || f.Src.Port() != serverPort {
		return dhcp.OtherServer{}, nobody
	}
	p, err := dhcpv4.FromBytes(f.Payload)
	if err != nil || p.OpCode != dhcpv4.OpcodeBootReply {
		return dhcp.OtherServer{}, nobody
	}
	s := dhcp.OtherServer{Address: f.Src.Addr(), MAC: f.From}
	if id, ok := netip.AddrFromSlice(p.ServerIdentifier()); ok {
		s.Address = id.Unmap()
	}
	if s.Address == boxAddr {
		return dhcp.OtherServer{}, nobody
	}
	offered, ok := netip.AddrFromSlice(p.YourIPAddr)
	offered = offered.Unmap()
	switch t := p.MessageType(); {
	case t != dhcpv4.MessageTypeOffer && t != dhcpv4.MessageTypeAck && t != dhcpv4.MessageTypeNak:
		return dhcp.OtherServer{}, nobody
	case t == dhcpv4.MessageTypeNak:
		s.Options, _ = dhcp.Describe(f.Payload) // the packet was read above; what can't be described is not shown
		return s, refuses
	case !ok || offered.IsUnspecified():
		return s, shows // a proxy for netboot offers no address, and an answer to the INFORM holds none
	}
	s.Offered = offered
	s.Options, _ = dhcp.Describe(f.Payload)
	return s, hands
}
