package tftp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"phonebox/services/internal/udp"
)

// handle takes a packet to the server's port, on the receive loop.
func (s *Server) handle(conn *udp.Conn, p *udp.Packet, replies []udp.Reply) []udp.Reply {
	if s.panicNext.CompareAndSwap(true, false) {
		panic("planted by PanicNext")
	}
	if p.From.Port() == 0 {
		s.dropped(Event{From: p.From, Reason: "it came from port 0, where nobody can be answered"}, dropPort)
		return replies
	}
	if local := conn.LocalAddr().Addr(); p.To.IsValid() && (p.To.IsMulticast() || p.To == broadcast || !local.IsUnspecified() && p.To != local) {
		// RFC 1123 section 4.2.3.4
		s.dropped(Event{From: p.From, Reason: "it was broadcast"}, dropBroadcast)
		return replies
	}
	switch op := opcodeOf(p.Payload); op {
	case opRRQ:
		return s.readRequest(conn, p, replies)
	case opWRQ:
		req, _ := parseRequest(p.Payload)
		s.refused(p, req.name, "writing is not served", refusedWrite)
		return append(replies, errorReply(p, codeViolation, "Access violation"))
	default:
		// No answer, for an ERROR could be answered with another one.
		s.dropped(Event{From: p.From, Reason: fmt.Sprintf("it is no request, but opcode %d", op)}, dropOpcode)
		return replies
	}
}

// broadcast is the limited broadcast address.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// readRequest takes a read request.
func (s *Server) readRequest(conn *udp.Conn, p *udp.Packet, replies []udp.Reply) []udp.Reply {
	raw := p.Payload[:min(len(p.Payload), maxRequest)]
	req, err := parseRequest(raw)
	switch {
	case err != nil:
		s.refused(p, "", "the request is malformed: "+strings.TrimPrefix(err.Error(), errMalformed.Error()+": "), refusedMalformed)
	case req.mode != modeOctet && req.mode != modeNetascii:
		s.refused(p, req.name, fmt.Sprintf("the mode is %.16q; octet and netascii are served", req.mode), refusedMode)
	default:
		s.accept(&incoming{request: req, raw: string(raw), from: p.From, local: p.To, conn: conn}, p.Received)
		return replies
	}
	return append(replies, errorReply(p, codeNotFound, notFound))
}

// errorReply answers a packet with an ERROR from the address that it was sent to.
func errorReply(p *udp.Packet, code uint16, text string) udp.Reply {
	return udp.Reply{Payload: errorPacket(code, text), To: p.From, From: p.To}
}

// sendError sends an ERROR from the server's port; what cannot be sent is counted.
func (s *Server) sendError(conn *udp.Conn, from netip.Addr, to netip.AddrPort, code uint16, text string) {
	if err := conn.Send(udp.Reply{Payload: errorPacket(code, text), To: to, From: from}); err != nil {
		s.unsent(err)
	}
}

// unsent counts a packet that did not leave.
func (s *Server) unsent(err error) {
	if errors.Is(err, udp.ErrNoNeighbour) {
		s.metrics.dropped.WithLabelValues(string(dropNeighbour)).Inc()
		return
	}
	s.metrics.sendErrors.Inc()
}

// refused counts and reports a request that is answered with an ERROR without asking Files.
func (s *Server) refused(p *udp.Packet, name, reason string, code refusedCode) {
	s.metrics.refused.WithLabelValues(string(code)).Inc()
	s.deps.Report(Event{Kind: EventRefused, Time: time.Now(), From: p.From, Name: cutName(name), Reason: reason})
}

// dropped counts and reports a packet that was not answered as its sender wished.
func (s *Server) dropped(e Event, code dropCode) {
	s.metrics.dropped.WithLabelValues(string(code)).Inc()
	e.Kind, e.Time, e.Name = EventDropped, time.Now(), cutName(e.Name)
	s.deps.Report(e)
}

// lost counts packets that the kernel dropped because nobody had read what came before them, and says so once a minute. Who
// sent them is not known.
func (s *Server) lost(n int) {
	s.metrics.dropped.WithLabelValues(string(dropBuffer)).Add(float64(n))
	s.mu.Lock()
	now := time.Now()
	quiet := !s.lostTold.IsZero() && now.Sub(s.lostTold) < time.Minute
	if !quiet {
		s.lostTold = now
	}
	s.mu.Unlock()
	if !quiet {
		s.deps.Log.Warn("packets lost before they were read: the receive buffer was full", "packets", n)
	}
}

// cutName bounds what an event holds of a name.
func cutName(name string) string { return name[:min(len(name), maxName)] }
