package tftp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/services/internal/udp"
)

const (
	// lanes is the number of ports from which files are sent: as few as give a transfer another port than that of the
	// transfer before, because batches are the larger the fewer there are.
	lanes = 2
	// laneBatch is how many packets are read at once, and sent at once.
	laneBatch = 64
	// turnBatch is how many packets others than the loop of the lane send at once: one share of a window, and an ERROR. It
	// is small because there may be as many of them as there are workers.
	turnBatch = quantum + 1
	// maxPacket is the longest packet that a client sends to a transfer and that is looked at: an ERROR.
	maxPacket = 516
)

// lane is a port that transfers are sent from, many at once; the address and port of the client tells them apart. It is
// bound to no address, so that it outlives a change of the box's: each packet says which it comes from.
type lane struct {
	number uint8
	conn   *udp.Conn
	in     *udp.Inbox
	box    *udp.Outbox // of the lane's own loop
	boxes  sync.Pool   // of *udp.Outbox, for all others
}

// openLanes opens the ports of the transfers.
func (s *Server) openLanes(ctx context.Context, iface string) (all [lanes]*lane, err error) {
	for i := range all {
		l, err := openLane(ctx, uint8(i), iface)
		if err != nil {
			closeLanes(all)
			return [lanes]*lane{}, fmt.Errorf("opening the ports of the transfers: %w", err)
		}
		all[i] = l
	}
	return all, nil
}

func openLane(ctx context.Context, number uint8, iface string) (*lane, error) {
	conn, err := udp.Listen(ctx, udp.ListenConfig{Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 0), Interface: iface})
	if err != nil {
		return nil, err
	}
	in, err := udp.NewInbox(conn, laneBatch, maxPacket)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	untimed(conn)
	box, err := udp.NewOutbox(conn, laneBatch, 4+maxBlock)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	l := &lane{number: number, conn: conn, in: in, box: box}
	l.boxes.New = func() any {
		out, err := udp.NewOutbox(conn, turnBatch, 4+maxBlock)
		if err != nil { // the socket has no descriptor: it was never opened
			panic(err)
		}
		return out
	}
	return l, nil
}

// untimed asks the kernel for no receive times, which nobody looks at here.
func untimed(conn *udp.Conn) {
	raw, err := conn.UDP.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 0) })
}

func closeLanes(all [lanes]*lane) {
	for _, l := range all {
		if l != nil {
			_ = l.conn.Close()
		}
	}
}

// interruptLanes ends what waits for a socket.
func interruptLanes(all [lanes]*lane) {
	for _, l := range all {
		_ = l.conn.UDP.SetDeadline(time.Unix(1, 0))
	}
}

// serveLane receives from a lane until ctx ends (nil) or its socket fails, and survives panics.
func (s *Server) serveLane(ctx context.Context, l *lane) (err error) {
	for again := true; again; {
		func() {
			defer s.panics.Recover(nil)
			err = s.receive(ctx, l)
			again = false
		}()
	}
	return err
}

// receive takes the packets that come to a lane until ctx ends (nil) or its socket fails.
func (s *Server) receive(ctx context.Context, l *lane) error {
	u := &turn{own: l}
	for {
		n, err := l.in.Read()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case udp.Transient(err):
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		default:
			return err
		}
		s.takeAll(u, l, n)
		// Between the rounds of large windows others are heard.
		for len(u.more) > 0 {
			if n, err = l.in.Poll(); err != nil {
				n = 0
			}
			s.takeAll(u, l, n)
		}
	}
}

// takeAll takes n packets, and lets the transfers whose window was not sent as a whole send more of it.
func (s *Server) takeAll(u *turn, l *lane, n int) {
	if lost := l.in.Lost(); n > 0 && lost > 0 {
		s.lost(lost)
	}
	u.now = time.Now()
	func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.round(u)
		for i := range n {
			p := l.in.Packet(i)
			s.take(u, l, &p)
		}
	}()
	s.flush(u)
	s.tell(u)
}

// take hands a packet to the transfer that it belongs to.
func (s *Server) take(u *turn, l *lane, p *udp.Packet) {
	key := tidOf(p.From)
	sess := s.sessions[key]
	if sess == nil || sess.phase != running || sess.transfer.lane != l || sess.in.local.IsValid() && p.To.IsValid() && p.To != sess.in.local {
		s.stray(u, l, p, key)
		return
	}
	t := sess.transfer
	s.guarded(u, t, func() { s.heard(u, t, p.Payload) })
}

// heard takes what the client of a transfer sent to it.
func (s *Server) heard(u *turn, t *transfer, b []byte) {
	switch op := opcodeOf(b); {
	case op == opACK && len(b) >= 4:
		s.ack(u, t, binary.BigEndian.Uint16(b[2:]))
	case op == opERROR:
		code, text := parseError(b)
		s.finish(u, t.sess, EventAborted, fmt.Sprintf("the client ended it with error %d %q", code, text), nil)
	default:
		s.drop(u, Event{
			From: t.sess.in.from, Name: t.sess.in.name, Transfer: t.sess.id,
			Reason: fmt.Sprintf("neither ACK nor ERROR, but opcode %d", op),
		}, dropOpcode)
	}
}

// stray takes a packet that belongs to no transfer of the lane. A stranger is told so (RFC 1350 section 4). A client that
// had a transfer here is not, for its packet was on its way when that ended: an ERROR would end what it does now.
func (s *Server) stray(u *turn, l *lane, p *udp.Packet, key tid) {
	switch known, ok := s.ports.get(key); {
	case !l.conn.Serves(p):
		s.drop(u, Event{From: p.From, Reason: "it came in on an interface that is not served"}, dropInterface)
	case p.From.Port() == 0:
		s.drop(u, Event{From: p.From, Reason: "it came from port 0, where nobody can be answered"}, dropPort)
	case ok && known == l.number, s.sessions[key] != nil:
		s.drop(u, Event{From: p.From, Reason: "it came late, for a transfer that is over"}, dropLate)
	default:
		s.drop(u, Event{From: p.From, Reason: "it came to the port of another client's transfer"}, dropUnknownTID)
		if op := opcodeOf(p.Payload); op != opERROR && op != 0 && u.out(l).Room() > 0 {
			u.out(l).Add(p.From, p.To, errorPacket(codeUnknownTID, "Unknown transfer ID"))
		}
	}
}

// drop counts a packet that was not answered, and reports it with what the turn leaves to do.
func (s *Server) drop(u *turn, e Event, code dropCode) {
	s.metrics.dropped.WithLabelValues(string(code)).Inc()
	e.Kind, e.Time, e.Name = EventDropped, time.Now(), cutName(e.Name)
	u.ended = append(u.ended, ending{event: e})
}
