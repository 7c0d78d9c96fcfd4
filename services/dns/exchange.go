package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// upstreamTimeout is how long one upstream server may take for one question.
const upstreamTimeout = 2 * time.Second

const (
	// maxAttempts bounds how many exchanges one question may cost; a client asks again by itself.
	maxAttempts = 4
	// maxExchanges bounds those of all questions. An exchange takes upstreamTimeout at most.
	maxExchanges = 512
	// maxForged is how many datagrams that are no answer may come for one question before it is asked over TCP, where
	// nobody can guess.
	maxForged = 64
)

var (
	errForged    = errors.New("too much came that is no answer to the question")
	errLetters   = errors.New("the answer has other letters than the question")
	errCrowded   = errors.New("too many exchanges are open")
	errNoServers = errors.New("no server upstream answered")
)

// asking is a question on its way to upstream servers.
type asking struct {
	name   string // lower case, with the final dot
	qtype  uint16
	do, cd bool
}

// said is how an exchange ended.
type said struct {
	up    *upstream
	resp  *dns.Msg
	clear bool // in clear although the settings want TLS, for the time is not known yet
	err   error
	after time.Duration
}

// askUpstream asks the upstream servers until one knows: the best one first, and another as soon as that one takes longer
// than it does usually. When none knows, the last answer is returned; the error says why there is none at all.
func (s *Server) askUpstream(ctx context.Context, ups []*upstream, q asking) (said, error) {
	order := inOrder(ups, s.uptime())
	total := min(max(len(order), 2), maxAttempts) // a single server is asked twice, for a datagram may get lost
	results := make(chan said, total)
	began := s.uptime()
	var asked, open int
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := func() {
		up := order[asked%len(order)]
		asked, open = asked+1, open+1
		s.attempt(up, q, results)
		timer.Reset(max(up.wait(), s.unhurried))
	}
	next()
	s.lookAtOthers(order[1:], q)
	var unsure, last said
	for open > 0 {
		select {
		case r := <-results:
			open--
			if last = r; r.err == nil && knows(r.resp) {
				s.compare(order[:min(asked, len(order))], r, unsure, s.uptime()-began)
				return r, nil
			}
			if r.err == nil {
				unsure = r
			}
			if asked < total {
				next()
			}
		case <-timer.C:
			if asked < total {
				next()
			}
		case <-ctx.Done():
			return said{}, ctx.Err()
		}
	}
	if unsure.resp != nil {
		return unsure, nil
	}
	return said{}, cmpError(last.err)
}

func cmpError(err error) error {
	if errors.Is(err, errCrowded) {
		return err
	}
	return fmt.Errorf("%w: %w", errNoServers, err)
}

// compare notes what the winner says of the servers that were asked before it.
func (s *Server) compare(asked []*upstream, winner, unsure said, took time.Duration) {
	for _, up := range asked {
		switch {
		case up == winner.up:
			return
		case up == unsure.up:
			up.knewLess(s.uptime())
		default:
			up.wasLate(took)
		}
	}
}

// lookAtOthers asks servers that were not asked for a while, so that it is known whether they live and how fast they are.
func (s *Server) lookAtOthers(others []*upstream, q asking) {
	for _, up := range others {
		if up.lookDue(s.uptime()) {
			s.attempt(up, q, make(chan said, 1))
		}
	}
}

// attempt asks one server on a goroutine that notes what comes of it, however long the question itself waits.
func (s *Server) attempt(up *upstream, q asking, results chan<- said) {
	select {
	case s.exchanges <- struct{}{}:
	default:
		results <- said{up: up, err: errCrowded}
		return
	}
	go func() {
		defer func() { <-s.exchanges }()
		r := said{up: up, err: errors.New("the exchange panicked")}
		defer func() { results <- r }()
		defer s.panics.Recover(nil)
		ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
		defer cancel()
		began := s.uptime()
		r = s.exchange(ctx, up, q)
		r.after = s.uptime() - began
		s.learn(r)
	}()
}

// learn notes the outcome of an exchange.
func (s *Server) learn(r said) {
	result := "no answer"
	switch {
	case errors.Is(r.err, errCrowded):
		return // it was not asked
	case r.err == nil:
		result = resultOf(r.resp)
		r.up.answeredIn(r.after, s.uptime())
	default:
		s.log.Debug("upstream name server does not answer", "server", r.up.Upstream, "err", r.err)
		r.up.wasSilent(r.err, s.uptime())
	}
	s.metrics.upstream.WithLabelValues(r.up.String(), result).Inc()
	s.show(r)
	s.watch()
}

// show puts a server into the figures, unless the settings name it no longer.
func (s *Server) show(r said) {
	if !slices.Contains(s.state.Load().upstream, r.up) {
		return
	}
	if r.err == nil {
		s.metrics.rtt.WithLabelValues(r.up.String()).Set(r.up.health().rtt.Seconds())
	}
	s.metrics.alive.WithLabelValues(r.up.String()).Set(float64(b2i(r.err == nil)))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// knows reports whether an answer is final; otherwise another server may know more.
func knows(resp *dns.Msg) bool {
	switch resp.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
		return true
	}
	return false
}

// exchange asks one server: over TLS where the settings say so, else over UDP from a port that the kernel chooses anew,
// and over TCP where the answer was cut or somebody seems to guess.
func (s *Server) exchange(ctx context.Context, up *upstream, q asking) said {
	if up.dot == nil {
		resp, err := s.exchangeClear(ctx, up, up.Addr, q)
		return said{up: up, resp: resp, err: err}
	}
	resp, err := up.dot.exchange(ctx, q.message(q.name))
	up.setClear(err)
	if errors.As(err, new(datesError)) && s.state.Load().timeNames[q.name] {
		// Without the time no certificate fits, and without a name there is no time.
		resp, err := s.exchangeClear(ctx, up, netip.AddrPortFrom(up.Addr.Addr(), s.clearPort), q)
		s.metrics.clear.Inc()
		return said{up: up, resp: resp, err: err, clear: true}
	}
	return said{up: up, resp: resp, err: err}
}

// setClear notes whether the certificate fits the time.
func (u *upstream) setClear(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.inClear = errors.As(err, new(datesError))
}

func (s *Server) exchangeClear(ctx context.Context, up *upstream, addr netip.AddrPort, q asking) (*dns.Msg, error) {
	up.mu.Lock()
	plain := up.plain
	up.mu.Unlock()
	name := q.name
	if !plain {
		name = shuffle(name)
	}
	resp, err := s.ask(ctx, "udp", addr, q.message(name))
	if err == nil && resp.Rcode == dns.RcodeFormatError && resp.IsEdns0() == nil {
		// A server of before 1999, which does not know EDNS (RFC 6891 section 7).
		old := q.message(name)
		old.Extra = nil
		resp, err = s.ask(ctx, "udp", addr, old)
	}
	switch {
	case errors.Is(err, errForged):
		return s.ask(ctx, "tcp", addr, q.message(q.name))
	case errors.Is(err, errLetters):
		return s.askPlainly(ctx, up, addr, q)
	case err == nil && resp.Truncated:
		whole, err := s.ask(ctx, "tcp", addr, q.message(q.name))
		if err != nil {
			return resp, nil // the cut answer tells the client to come over TCP itself
		}
		return whole, nil
	}
	return resp, err
}

// askPlainly asks a server that changed the letters of a question: over TCP, where nobody guesses, and over UDP where there
// is no TCP, which leaves id and port to guess. If it was the server after all, its letters are not shuffled again.
func (s *Server) askPlainly(ctx context.Context, up *upstream, addr netip.AddrPort, q asking) (*dns.Msg, error) {
	half, cancel := context.WithTimeout(ctx, s.timeout/2)
	defer cancel()
	resp, err := s.ask(half, "tcp", addr, q.message(q.name))
	if err != nil {
		resp, err = s.ask(ctx, "udp", addr, q.message(q.name))
	}
	if err == nil {
		up.mu.Lock()
		up.plain = true
		up.mu.Unlock()
	}
	return resp, err
}

// shuffle writes each letter large or small by chance. A server gives the question back as it was, so whoever wants to
// forge an answer has to guess a bit more for each letter, beside the id and the port.
func shuffle(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'a' <= c && c <= 'z' && rand.Uint32()&1 == 0 {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// message writes the question with an id of its own.
func (q asking) message(name string) *dns.Msg {
	m := &dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: dns.Id(), RecursionDesired: true, AuthenticatedData: true, CheckingDisabled: q.cd}, // the id is from the system's randomness
		Question: []dns.Question{{Name: name, Qtype: q.qtype, Qclass: dns.ClassINET}},
	}
	m.SetEdns0(answerSize, q.do)
	return m
}

// ask sends a question and reads until its answer comes: with its id and its question, from the server's address and
// port. Anything else that arrives may be forged and is passed over.
func (s *Server) ask(ctx context.Context, network string, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error) {
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
	for range maxForged {
		resp, err := conn.ReadMsg()
		switch {
		case err == nil && answers(resp, q):
			if !refusesAll(resp) && resp.Question[0].Name != q.Question[0].Name {
				s.metrics.ignored.WithLabelValues("letters").Inc()
				return nil, errLetters
			}
			return resp, nil
		case isNet(err):
			return nil, fmt.Errorf("waiting for %s over %s: %w", server, network, err)
		case network == "tcp":
			return nil, fmt.Errorf("waiting for %s over TCP: the answer is not to this question", server)
		}
		s.metrics.ignored.WithLabelValues("mismatch").Inc()
	}
	return nil, errForged
}

// isNet reports whether an error is of the socket, not of a message that cannot be read.
func isNet(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, net.ErrClosed)
}

// refusesAll reports whether a message is a header that says no, as some servers answer what they do not understand. It is
// believed without the question: who forges it has to guess id and port, and wins less than by an answer.
func refusesAll(resp *dns.Msg) bool {
	return !knows(resp) && len(resp.Question)+len(resp.Answer)+len(resp.Ns) == 0
}

// answers reports whether a message answers the question that was sent (RFC 5452 section 9.1). That the letters are the
// same is looked at beside.
func answers(resp, q *dns.Msg) bool {
	if resp.Id != q.Id || !resp.Response || resp.Opcode != dns.OpcodeQuery {
		return false
	}
	if refusesAll(resp) {
		return true
	}
	if len(resp.Question) != 1 {
		return false
	}
	a, b := resp.Question[0], q.Question[0]
	return strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}
