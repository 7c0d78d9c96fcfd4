package phonesim

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"
)

// ntpGroup is the multicast address of NTP.
var ntpGroup = netip.AddrFrom4([4]byte{224, 0, 1, 1})

// everybodysListener is a NIC that hears what goes to everybody: the subnet, 255.255.255.255 and the group of NTP. That of a
// phone on loopback is none.
type everybodysListener interface {
	// ListenEverybody is ListenUDP for a port on which that is heard as well.
	ListenEverybody(port uint16) (net.PacketConn, error)
}

// listenForTime takes the time that servers send to everybody until the boot ends (phones.md d.1): of any server, or of that
// one alone where it is valid.
func (b *boot) listenForTime(ctx context.Context, only netip.Addr) {
	nic, ok := b.nic.(everybodysListener)
	if !ok {
		b.emit(EventClock, "", "nobody can be listened to on this link")
		return
	}
	conn, err := nic.ListenEverybody(b.cfg.Ports.SNTP)
	if err != nil {
		b.emit(EventClock, "", "no time: %v", err)
		return
	}
	b.wg.Go(func() {
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		buf := make([]byte, maxPacket)
		for {
			packet, source, err := receive(ctx, conn, buf, time.Time{})
			if err != nil {
				return
			}
			if now := time.Now(); !only.IsValid() || source.Addr() == only {
				b.heardTime(packet, source, now)
			}
		}
	})
}

// heardTime takes a mode-5 packet. What else comes to the port is not for us: the requests of other phones.
func (b *boot) heardTime(packet []byte, source netip.AddrPort, received time.Time) {
	if len(packet) < ntpSize || packet[0]&7 != 5 {
		return
	}
	leap, version, stratum := packet[0]>>6, packet[0]>>3&7, packet[1]
	switch {
	case source.Port() != b.cfg.Ports.SNTP:
		b.fault("SNTP: a broadcast of the time came from port %d of %s", source.Port(), source.Addr())
		return
	case leap == 3 || stratum == 0 || stratum >= 16:
		b.fault("SNTP: %s broadcasts a time that it does not know (leap indicator %d, stratum %d)", source.Addr(), leap, stratum)
		return
	case version < 1 || version > 4:
		b.fault("SNTP: %s broadcasts the time with version %d", source.Addr(), version)
	}
	offset := ntpTime(packet[40:]).Sub(received).Seconds()
	b.mu.Lock()
	b.res.ClockOffset, b.res.ClockStratum, b.res.ClockServer = &offset, stratum, source.Addr()
	b.res.ClockHeard++
	first := b.res.ClockHeard == 1
	b.mu.Unlock()
	if first {
		b.emit(EventClock, "", "heard the time from %s, stratum %d, %.3f s from ours", source.Addr(), stratum, offset)
	}
}

// askAgain asks the server that answered, for as long as the boot lasts.
func (b *boot) askAgain(ctx context.Context, server netip.Addr) {
	if b.cfg.ClockPoll <= 0 {
		return
	}
	b.wg.Go(func() {
		for sleep(ctx, b.cfg.ClockPoll) == nil {
			if _, _, err := b.askTime(ctx, server, false); err != nil && ctx.Err() == nil {
				b.emit(EventClock, "", "no time from %s: %v", server, err)
			}
		}
	})
}

// ListenEverybody implements [everybodysListener].
func (n *wireNIC) ListenEverybody(port uint16) (net.PacketConn, error) {
	c, err := n.ListenUDP(port)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*udpConn)
	if !ok {
		return nil, errors.New("the phone's socket is of another link")
	}
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	if n.wire.ears == nil {
		n.wire.ears = map[uint16]map[*udpConn]bool{}
	}
	if n.wire.ears[port] == nil {
		n.wire.ears[port] = map[*udpConn]bool{}
	}
	n.wire.ears[port][u] = true
	return c, nil
}

// deaf undoes ListenEverybody.
func (w *Wire) deaf(c *udpConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ears[c.port], c)
}

// deliverEverybody gives a datagram to the phones that listen for what goes to everybody at its port.
func (w *Wire) deliverEverybody(p ipv4Packet) {
	if p.protocol != protoUDP {
		return
	}
	u, ok := udpPayload(p)
	if !ok {
		return
	}
	w.mu.RLock()
	ears := slices.Collect(maps.Keys(w.ears[u.dst.Port()]))
	w.mu.RUnlock()
	for _, c := range ears {
		if !c.nic.isForEverybody(p.dst) {
			continue
		}
		w.count.received.Add(1)
		if !c.deliver(u.payload, u.src) {
			w.count.overflow.Add(1)
		}
	}
}

// isForEverybody reports whether an address is one of everybody where the phone is.
func (n *wireNIC) isForEverybody(to netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held && (to == broadcastOf(n.lease.Address) || to == ntpGroup || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}))
}
