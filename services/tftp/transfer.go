package tftp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"phonebox/services/internal/udp"
)

const (
	openTimeout   = 2 * time.Second // Files is allowed one
	progressEvery = time.Second
	// maxPacket is the longest packet that a client sends to a transfer and that is looked at: an ERROR.
	maxPacket = 516
)

// notFound is the only answer to a file that cannot be had (phones.md a.8).
const notFound = "File not found"

// transfer is one file on its way to a client. It lives on the session's goroutine.
type transfer struct {
	srv    *Server
	sess   *session
	in     *incoming
	id     uint64
	file   File
	conn   *net.UDPConn
	sender *sender

	timers timers

	started  time.Time
	armed    time.Time // the read deadline of conn
	progress time.Time // of the last event
}

// transfer serves one request to its end, whatever happens.
func (s *Server) transfer(ctx context.Context, sess *session, in *incoming) {
	t := &transfer{srv: s, sess: sess, in: in, id: s.transfers.Add(1), started: time.Now()}
	defer t.close()
	defer func() {
		if v := recover(); v != nil {
			s.panics.Panicked(v, debug.Stack(), in.raw)
			err := fmt.Errorf("serving the file panicked: %v", v)
			if t.sender == nil {
				t.missing(err)
			} else {
				t.aborted("phonebox made a mistake; its log says more", err)
			}
		}
	}()
	open := sess.begin(ctx)
	file, err := s.open(open, in)
	t.file = file
	if _, over := sess.signals(); over != "" {
		// No ERROR: the client would take it for the answer to what it asked next.
		t.aborted(over, nil)
		return
	}
	if err != nil {
		t.missing(err)
		return
	}
	t.serve()
}

// open asks Files, and answers the probe itself.
func (s *Server) open(ctx context.Context, in *incoming) (File, error) {
	if in.name == ProbeName {
		return probeFile(), nil
	}
	if err := checkName(in.name); err != nil {
		return File{}, err
	}
	return s.deps.Files.Open(ctx, Request{Name: in.name, Mode: in.mode, From: in.from})
}

// serve opens the transfer's own port (RFC 1350 section 4) and runs the transfer.
func (t *transfer) serve() {
	local := net.UDPAddr{}
	if t.in.local.IsValid() {
		local.IP = t.in.local.AsSlice()
	}
	conn, err := net.ListenUDP("udp4", &local)
	if err != nil {
		// Silence makes the client ask again; an ERROR would make it go without the file.
		t.srv.dropped(Event{From: t.in.from, Name: t.in.name, Transfer: t.id, Reason: "no socket could be opened for the transfer", Err: err}, dropNoSocket)
		return
	}
	t.conn = conn
	t.sess.use(conn)
	agreed, options := negotiate(t.in.request, t.file.Size)
	var oack []byte
	if options != nil {
		oack = oackPacket(options)
	}
	t.sender = newSender(t.file, t.in.mode, agreed, oack, t.emit)
	now := time.Now()
	t.timers, t.progress = newTimers(t.in.cfg, agreed, now), now
	if err := t.send(now); err != nil {
		t.broken(err)
		return
	}
	t.srv.metrics.started.Inc()
	t.report(Event{Kind: EventStart})
	t.run()
}

// run receives until the transfer is over. Only ACKs that are new move the timers: a flood of others changes nothing.
func (t *transfer) run() {
	buf := make([]byte, maxPacket)
	for {
		now := time.Now()
		switch t.timers.check(now) {
		case dueGiveUp:
			t.aborted(fmt.Sprintf("nothing was acknowledged for %v", t.in.cfg.GiveUp), nil)
			return
		case dueResend:
			if err := t.send(now); err != nil {
				t.broken(err)
				return
			}
		}
		if err := t.arm(now); err != nil {
			t.aborted("the transfer's socket failed", err)
			return
		}
		n, from, err := t.conn.ReadFromUDPAddrPort(buf)
		if t.received(buf[:n], from, err) {
			return
		}
	}
}

// arm sets the read deadline where the one that is set is too late or already over; one that is too early costs a turn
// of the loop and saves a timer for each block.
func (t *transfer) arm(now time.Time) error {
	until := t.timers.next()
	if t.armed.After(now) && !t.armed.After(until) {
		return nil
	}
	t.armed = until
	return t.sess.arm(until)
}

// received handles what a read brought and reports whether the transfer is over.
func (t *transfer) received(b []byte, from netip.AddrPort, err error) (over bool) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.armed = time.Time{}
		return t.signalled()
	case err != nil && udp.Transient(err):
		return false
	case err != nil:
		t.aborted("the transfer's socket failed", err)
		return true
	case from != t.in.from:
		t.stranger(b, from)
		return false
	}
	switch op := opcodeOf(b); {
	case op == opACK && len(b) >= 4:
		return t.ack(binary.BigEndian.Uint16(b[2:]))
	case op == opERROR:
		code, text := parseError(b)
		t.aborted(fmt.Sprintf("the client ended it with error %d %q", code, text), nil)
		return true
	default:
		t.srv.dropped(Event{From: from, Name: t.in.name, Transfer: t.id, Reason: fmt.Sprintf("neither ACK nor ERROR, but opcode %d", op)}, dropOpcode)
		return false
	}
}

// signalled obeys the receive loop.
func (t *transfer) signalled() (over bool) {
	again, why := t.sess.signals()
	if why != "" {
		t.aborted(why, nil)
		return true
	}
	// The client repeats its request because the answer was lost or late. With a window only the timer sends again, or
	// a forged request would bring 64 packets.
	if again && t.sender.lockstep() {
		t.timers.soon(time.Now())
	}
	return false
}

// stranger answers a packet of somebody else (RFC 1350 section 4); the transfer is not disturbed.
func (t *transfer) stranger(b []byte, from netip.AddrPort) {
	t.srv.dropped(Event{From: from, Name: t.in.name, Transfer: t.id, Reason: "it came to the port of another client's transfer"}, dropUnknownTID)
	if op := opcodeOf(b); op != opERROR && op != 0 {
		_, _ = t.conn.WriteToUDPAddrPort(errorPacket(codeUnknownTID, "Unknown transfer ID"), from)
	}
}

// ack takes an ACK of the client.
func (t *transfer) ack(block uint16) (over bool) {
	verdict := t.sender.ack(block)
	if verdict == ignore {
		return false
	}
	now := time.Now()
	if verdict != repeat {
		t.timers.progressed(now)
		if t.sender.acked > 0 {
			t.sess.active.Store(now.UnixNano())
		}
	}
	if verdict == done {
		t.srv.metrics.sent.Inc()
		t.finish(EventSent, "", nil)
		return true
	}
	if err := t.send(now); err != nil {
		t.broken(err)
		return true
	}
	if now.Sub(t.progress) >= progressEvery {
		t.progress = now
		t.report(Event{Kind: EventProgress})
	}
	return false
}

// send sends what the client waits for.
func (t *transfer) send(now time.Time) error {
	t.timers.sent(now)
	return t.sender.send()
}

// emit sends a packet from the transfer's port. A packet that cannot be sent is as good as one that is lost.
func (t *transfer) emit(b []byte) {
	if _, err := t.conn.WriteToUDPAddrPort(b, t.in.from); err != nil {
		t.srv.metrics.sendErrors.Inc()
	}
}

// missing answers that there is no such file.
func (t *transfer) missing(err error) {
	t.srv.metrics.missing.Inc()
	t.srv.sendError(t.in.conn, t.in.local, t.in.from, codeNotFound, notFound)
	t.report(Event{Kind: EventMissing, Err: err})
}

// broken ends a transfer whose file cannot be read any more; the client is told with the one code that it bears.
func (t *transfer) broken(err error) {
	t.emit(errorPacket(codeNotFound, notFound))
	t.aborted("the file could not be read", err)
}

func (t *transfer) aborted(reason string, err error) {
	t.srv.metrics.aborted.Inc()
	t.finish(EventAborted, reason, err)
}

// finish counts a transfer that is over and reports it.
func (t *transfer) finish(kind EventKind, reason string, err error) {
	if t.sender != nil {
		t.srv.metrics.bytes.Add(float64(t.sender.bytes()))
		t.srv.metrics.retransmits.Add(float64(t.sender.resent))
	}
	t.report(Event{Kind: kind, Reason: reason, Err: err})
}

// report fills in what is the same in all events of a transfer. The box's own probe is nobody's event.
func (t *transfer) report(e Event) {
	if e.Kind != EventStart && e.Kind != EventProgress {
		t.sess.finished() // before anybody can know that the transfer is over
	}
	if t.in.name == ProbeName {
		return
	}
	e.Time, e.Transfer, e.From, e.Name, e.Size = time.Now(), t.id, t.in.from, t.in.name, t.file.Size
	e.Took = e.Time.Sub(t.started)
	if t.sender != nil {
		e.Bytes, e.Retransmits = t.sender.bytes(), t.sender.resent
	}
	t.srv.deps.Report(e)
}

// close frees what the transfer held.
func (t *transfer) close() {
	t.sess.finished()
	if t.conn != nil {
		_ = t.conn.Close()
	}
	if t.file.Close != nil {
		if err := t.file.Close(); err != nil {
			t.srv.deps.Log.Warn("closing a file failed", "file", t.in.name, "err", err)
		}
	}
}
