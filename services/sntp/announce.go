package sntp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/services/internal/udp"
)

// lookEvery is how often the announcer looks: whether the interface came back, whether the time is known now, and whether
// something waits to be reported.
const lookEvery = time.Second

// announcer does what no request causes, for one socket.
type announcer struct {
	s      *Server
	conn   *udp.Conn
	member membership
	sent   time.Time // when the last broadcast left; zero = none since the time is known
	failed time.Time // when one could not be sent
	box    time.Time // the box's time at the last look, and
	looked time.Time // the system's
}

// jump is by how much the box's time must have been set anew for phones that listen to be told at once.
const jump = time.Second

// retryEvery is how long after a broadcast that could not be sent the next is tried.
const retryEvery = 5 * time.Second

// announce runs until ctx ends.
func (s *Server) announce(ctx context.Context, conn *udp.Conn) {
	a := &announcer{s: s, conn: conn}
	a.quiet()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		a.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.changed:
		}
	}
}

// quiet keeps the kernel from giving back what is sent to the group.
func (a *announcer) quiet() {
	raw, err := a.conn.UDP.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
	})
}

func (a *announcer) look() {
	defer a.s.panics.Recover(nil)
	cfg := a.s.cfg.Load()
	a.member.keep(a.s, a.conn, cfg.Interface)
	a.broadcast(cfg, time.Now())
	a.s.tellDrops()
}

// tellDrops reports the drops that wait since a flood ended.
func (s *Server) tellDrops() {
	now := int64(time.Since(s.begun))
	var due []Event
	s.mu.Lock()
	for i := range s.drops {
		if e, ok := s.drops[i].due(now); ok {
			due = append(due, e)
		}
	}
	s.mu.Unlock()
	for _, e := range due {
		s.deps.Report(e)
	}
}

// broadcast sends the time to everybody when it is due: at once when the time becomes known or was set, then every interval. A box that
// does not know the time sends none, for nobody could use it.
func (a *announcer) broadcast(cfg *Config, now time.Time) {
	q, box := a.s.deps.Clock.Quality(), a.s.deps.Clock.Now().Round(0)
	if !a.looked.IsZero() && (box.Sub(a.box)-now.Sub(a.looked)).Abs() > jump {
		a.sent = time.Time{}
	}
	a.box, a.looked = box, now
	switch {
	case cfg.Broadcast == 0, !q.known():
		a.sent = time.Time{}
		return
	case !a.sent.IsZero() && now.Sub(a.sent) < cfg.Broadcast, !a.failed.IsZero() && now.Sub(a.failed) < retryEvery:
		return
	}
	addr := a.s.Addr()
	err := a.send(cfg, &q, netip.AddrPortFrom(broadcast(cfg.Server), addr.Port()), a.s.metrics.broadcastSubnet.Inc)
	if a.member.index != 0 {
		err = errors.Join(err, a.send(cfg, &q, netip.AddrPortFrom(ntpGroup, addr.Port()), a.s.metrics.broadcastMulticast.Inc))
	}
	if err != nil {
		a.failed = now
		return
	}
	a.sent, a.failed = now, time.Time{}
}

// send sends one mode-5 packet, which no router takes further (TTL 1).
func (a *announcer) send(cfg *Config, q *Quality, to netip.AddrPort, count func()) error {
	info := unix.Inet4Pktinfo{Ifindex: int32(a.member.index), Spec_dst: cfg.Server.Addr().As4()}
	oob := append(unix.PktInfo4(&info), ttlControl(1)...)
	var b [packetSize]byte
	writeBroadcast(b[:], q, cfg.Broadcast)
	binary.BigEndian.PutUint64(b[atTransmit:], stamp(a.s.deps.Clock.Now()))
	if _, _, err := a.conn.UDP.WriteMsgUDPAddrPort(b[:], oob, to); err != nil {
		if !errors.Is(err, net.ErrClosed) {
			a.s.metrics.sendErrors.Inc()
		}
		return err
	}
	count()
	return nil
}

// ttlControl asks the kernel for the time to live of a datagram (ip(7), IP_TTL).
func ttlControl(ttl uint32) []byte {
	b := make([]byte, unix.CmsgSpace(4))
	at := unix.CmsgLen(0)
	if at == 16 { // a size_t of 8 bytes
		binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(4)))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(unix.CmsgLen(4)))
	}
	binary.NativeEndian.PutUint32(b[at-8:], unix.IPPROTO_IP)
	binary.NativeEndian.PutUint32(b[at-4:], unix.IP_TTL)
	binary.NativeEndian.PutUint32(b[at:], ttl)
	return b
}

// membership is that of the socket in the group of NTP.
type membership struct {
	index int // of the interface on which the group was joined; 0 = on none
	wrong error
}

// keep joins the group on the interface, and again when the interface is another device: one that was pulled and put back
// has lost it.
func (m *membership) keep(s *Server, conn *udp.Conn, name string) {
	raw, err := conn.UDP.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		index := indexOf(int(fd), name)
		if index == m.index {
			return
		}
		if m.index != 0 {
			_ = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_DROP_MEMBERSHIP, groupOn(m.index))
		}
		m.index = 0
		if index == 0 {
			return
		}
		err = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, groupOn(index))
		if errors.Is(err, unix.EADDRINUSE) {
			err = nil
		}
		if err == nil {
			m.index = index
		}
	})
	if err != nil && (m.wrong == nil || m.wrong.Error() != err.Error()) {
		s.deps.Log.Warn("group not joined", "iface", name, "group", ntpGroup, "err", err)
	}
	m.wrong = err
}

func groupOn(index int) *unix.IPMreqn {
	return &unix.IPMreqn{Multiaddr: ntpGroup.As4(), Ifindex: int32(index)}
}

// indexOf returns the index of an interface; 0 = there is none (netdevice(7), SIOCGIFINDEX).
func indexOf(fd int, name string) int {
	if name == "" {
		return 0
	}
	ifr, err := unix.NewIfreq(name)
	if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr) != nil {
		return 0
	}
	return int(ifr.Uint32())
}
