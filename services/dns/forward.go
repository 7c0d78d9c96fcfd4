package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// How many questions may wait for upstream servers, of all clients and of one.
const (
	maxFlights          = 256
	maxFlightsPerClient = 32
)

// flights counts the questions that wait.
type flights struct {
	gauge   prometheus.Gauge
	mu      sync.Mutex
	total   int
	clients map[netip.Addr]int
}

// tooManyWait is why a question is answered with SERVFAIL without asking anybody.
const tooManyWait = "too many questions wait for the servers upstream"

func newFlights(gauge prometheus.Gauge) *flights {
	return &flights{gauge: gauge, clients: map[netip.Addr]int{}}
}

// begin takes a place for a client; false when there is none.
func (f *flights) begin(client netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.total >= maxFlights || f.clients[client] >= maxFlightsPerClient {
		return false
	}
	f.total++
	f.gauge.Set(float64(f.total))
	f.clients[client]++
	return true
}

func (f *flights) end(client netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total--
	f.gauge.Set(float64(f.total))
	if f.clients[client]--; f.clients[client] == 0 {
		delete(f.clients, client)
	}
}

// maxAttempts bounds how many upstream servers are asked for one question; a client asks again by itself.
const maxAttempts = 4

// forward asks the upstream servers in turn, beginning with the one that answered last, until one knows. When none
// answered the message is SERVFAIL, and why says so.
func (s *Server) forward(ctx context.Context, st *state, q *dns.Msg) (resp *dns.Msg, why string) {
	var last *dns.Msg
	first, n := s.next.Load(), uint32(len(st.upstream))
	// A single server is asked twice, for a datagram may get lost.
	for i := range min(max(n, 2), maxAttempts) {
		index := (first + i) % n
		resp, err := s.exchange(ctx, st.upstream[index], q)
		s.countUpstream(st.upstream[index], resp, err)
		if err != nil {
			s.log.Debug("upstream name server does not answer", "server", st.upstream[index], "err", err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		last = resp
		if knows(resp) {
			s.next.Store(index)
			break
		}
	}
	if last == nil {
		last = failure(q, dns.RcodeServerFailure)
		last.RecursionAvailable = true
		return last, "no server upstream answered"
	}
	return relayed(q, last), ""
}

// knows reports whether an answer is final; otherwise another server may know more.
func knows(resp *dns.Msg) bool {
	switch resp.Rcode {
	case dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeNotImplemented, dns.RcodeFormatError:
		return false
	}
	return true
}

func (s *Server) countUpstream(server netip.AddrPort, resp *dns.Msg, err error) {
	result := "no answer"
	if err == nil {
		result = resultOf(resp)
	}
	s.metrics.upstream.WithLabelValues(server.String(), result).Inc()
}

// relayed makes an upstream's answer ours: the client's question and id, and nothing that concerns only the two servers.
func relayed(q, upstream *dns.Msg) *dns.Msg {
	resp := new(dns.Msg)
	resp.SetReply(q)
	resp.Rcode = upstream.Rcode
	resp.RecursionAvailable = true
	resp.AuthenticatedData = upstream.AuthenticatedData
	resp.CheckingDisabled = q.CheckingDisabled
	resp.Truncated = upstream.Truncated
	resp.Answer, resp.Ns = upstream.Answer, upstream.Ns
	for _, rr := range upstream.Extra {
		if t := rr.Header().Rrtype; t != dns.TypeOPT && t != dns.TypeTSIG && t != dns.TypeSIG {
			resp.Extra = append(resp.Extra, rr)
		}
	}
	if resp.Rcode > 0xf {
		resp.Rcode = dns.RcodeServerFailure // extended codes belong to the OPT record between the two
	}
	withEDNS(resp, q)
	return resp
}

// exchange asks one server over UDP from a port that the kernel chooses anew, and over TCP where the answer was cut.
func (s *Server) exchange(ctx context.Context, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error) {
	out := new(dns.Msg)
	out.Question = []dns.Question{q.Question[0]}
	out.Id = dns.Id() // from the system's randomness
	out.RecursionDesired = true
	out.CheckingDisabled = q.CheckingDisabled
	out.AuthenticatedData = q.AuthenticatedData
	opt := q.IsEdns0()
	out.SetEdns0(answerSize, opt != nil && opt.Do())
	resp, err := s.ask(ctx, "udp", server, out)
	if err != nil || !resp.Truncated {
		return resp, err
	}
	whole, err := s.ask(ctx, "tcp", server, out)
	if err != nil {
		return resp, nil // the cut answer tells the client to come over TCP itself
	}
	return whole, nil
}

// ask sends a question and reads until its answer comes: with its id and its question, from the server's address and
// port. Anything else that arrives may be forged and is passed over.
func (s *Server) ask(ctx context.Context, network string, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var d net.Dialer
	// A connected socket takes datagrams of that server only.
	c, err := d.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, fmt.Errorf("asking %s over %s: %w", server, network, err)
	}
	conn := &dns.Conn{Conn: c, UDPSize: dns.DefaultMsgSize}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := conn.WriteMsg(q); err != nil {
		return nil, fmt.Errorf("asking %s over %s: %w", server, network, err)
	}
	for {
		resp, err := conn.ReadMsg()
		switch {
		case err == nil && answers(resp, q):
			return resp, nil
		case isNet(err):
			return nil, fmt.Errorf("waiting for %s over %s: %w", server, network, err)
		case network == "tcp":
			return nil, fmt.Errorf("waiting for %s over TCP: the answer is not to this question", server)
		}
	}
}

// isNet reports whether an error is of the socket, not of a message that cannot be read.
func isNet(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, net.ErrClosed)
}

// answers reports whether a message answers the question that was sent (RFC 5452 section 9.1).
func answers(resp, q *dns.Msg) bool {
	if resp.Id != q.Id || !resp.Response || resp.Opcode != dns.OpcodeQuery || len(resp.Question) != 1 {
		return false
	}
	a, b := resp.Question[0], q.Question[0]
	return strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}
