package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// How many questions may wait for upstream servers, of all clients and of one.
	maxFlights          = 256
	maxFlightsPerClient = 32
	// flightTimeout is how long a question upstream may take, with all its exchanges.
	flightTimeout = 8 * time.Second
	// patience is how long a client waits for a new answer when there is an old one (RFC 8767 section 5: 1.8 s).
	patience = 1800 * time.Millisecond
	// clearTTL is how long an answer is kept that came in clear although the settings want TLS, in seconds.
	clearTTL = 60
)

// Why a question is answered with SERVFAIL or with what it was answered before.
const (
	tooManyWait  = "too many questions wait for the servers upstream"
	nobodyAnswer = "no server upstream answered"
	oldAnswer    = "an older answer, for no server upstream answers now"
	olderAnswer  = "an older answer: " // and why there is no new one
)

// flights are the questions upstream that are under way, and the clients that wait for them. Equal questions share one.
type flights struct {
	gauge   prometheus.Gauge
	mu      sync.Mutex
	total   int
	clients map[netip.Addr]int
	flying  map[flightKey]*flight
}

// flightKey is what questions share that share a flight. The epoch is one of it, for other settings may name other servers
// and allow other answers.
type flightKey struct {
	key   string
	epoch uint64
}

// flight is one question upstream. Its results may be read once done is closed.
type flight struct {
	flightKey
	q      asking
	name   question // its name and type, for an answer that is made up
	done   chan struct{}
	answer *answer
	why    string // why there is no answer of the world
}

func newFlights(gauge prometheus.Gauge) *flights {
	return &flights{gauge: gauge, clients: map[netip.Addr]int{}, flying: map[flightKey]*flight{}}
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

// join returns the flight of a question, and whether it is new: then the caller has to start it. nil when there is none
// and too many are under way.
func (f *flights) join(key []byte, epoch uint64, q *question) (fl *flight, begun bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.flying[flightKey{string(key), epoch}]; fl != nil {
		return fl, false
	}
	if len(f.flying) >= maxFlights {
		return nil, false
	}
	own := *q
	own.wire = append([]byte(nil), q.wire...) // the packet's bytes are not ours
	fl = &flight{
		flightKey: flightKey{string(key), epoch}, name: own, done: make(chan struct{}),
		q: asking{name: own.name(), qtype: own.qtype, do: own.do, cd: own.cd},
	}
	f.flying[fl.flightKey] = fl
	return fl, true
}

func (f *flights) land(fl *flight) {
	f.mu.Lock()
	delete(f.flying, fl.flightKey)
	f.mu.Unlock()
	close(fl.done)
}

// outcome is what a client is told of a name of the world.
type outcome struct {
	answer *answer
	age    uint32 // seconds since it came
	stale  bool   // its TTL has run out, and no server upstream answers
	source string // of the metric of questions
	why    string // why it failed, or is old
}

// recall answers from memory what needs no server. wait is what to wait for otherwise.
func (s *Server) recall(st *state, client netip.Addr, q *question) (out outcome, wait *waiting) {
	var buf [keySize]byte
	key := q.appendKey(buf[:0])
	known := s.cache.recall(key, s.uptime(), st.epoch)
	if known.fresh {
		s.metrics.recalled(known)
		return outcome{answer: known.answer, age: known.age, source: "cache", why: known.why}, nil
	}
	old := outcome{answer: known.answer, age: known.age, stale: true, source: "stale", why: oldAnswer}
	if known.why != "" && known.why != nobodyAnswer {
		old.why = olderAnswer + known.why
	}
	if known.answer != nil && (known.failed || allDead(st.upstream)) {
		if !known.failed {
			s.fly(st, key, q) // to know when the servers are back
		}
		s.metrics.stale.Inc()
		return old, nil
	}
	if fl := s.waitFor(st, client, key, q); fl != nil {
		return outcome{}, &waiting{flight: fl, old: old, client: client}
	}
	if old.answer != nil {
		s.metrics.stale.Inc()
		return old, nil
	}
	return outcome{answer: failed(q, dns.RcodeServerFailure), source: "box", why: tooManyWait}, nil
}

// waitFor takes a place for a client and joins the question upstream; nil when there is no room.
func (s *Server) waitFor(st *state, client netip.Addr, key []byte, q *question) *flight {
	if !s.flights.begin(client) {
		return nil
	}
	fl := s.fly(st, key, q)
	if fl == nil {
		s.flights.end(client)
	}
	return fl
}

// fly asks upstream on a goroutine, unless the same is asked already. nil when too many are asked.
func (s *Server) fly(st *state, key []byte, q *question) *flight {
	fl, begun := s.flights.join(key, st.epoch, q)
	switch {
	case begun:
		s.metrics.misses.Inc()
		go s.fetch(st, fl)
	case fl != nil:
		s.metrics.merged.Inc()
	}
	return fl
}

// waiting is a client that waits for a question upstream; [Server.await] ends it.
type waiting struct {
	flight *flight
	old    outcome // its answer is nil where nothing is known
	client netip.Addr
}

// await waits for the servers, and no longer than a client does where there is an old answer.
func (s *Server) await(ctx context.Context, w *waiting) outcome {
	defer s.flights.end(w.client)
	var late <-chan time.Time
	if w.old.answer != nil {
		timer := time.NewTimer(s.patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-w.flight.done:
		fl := w.flight
		if fl.why == "" || w.old.answer == nil {
			return outcome{answer: fl.answer, source: "upstream", why: fl.why}
		}
		w.old.why = olderAnswer + fl.why
	case <-late:
	case <-ctx.Done():
		return outcome{answer: failed(&w.flight.name, dns.RcodeServerFailure), source: "box", why: "the server stops"}
	}
	s.metrics.stale.Inc()
	return w.old
}

// fetch asks upstream and keeps what comes.
func (s *Server) fetch(st *state, fl *flight) {
	defer s.flights.land(fl)
	defer func() {
		if fl.answer == nil { // it panicked
			fl.answer, fl.why = failed(&fl.name, dns.RcodeServerFailure), panicked.sentence
		}
	}()
	defer s.panics.Recover(nil)
	ctx, cancel := context.WithTimeout(context.Background(), flightTimeout)
	defer cancel()
	r, err := s.askUpstream(ctx, st.upstream, fl.q)
	if err != nil {
		fl.answer, fl.why = failed(&fl.name, dns.RcodeServerFailure), nobodyAnswer
		if errors.Is(err, errCrowded) {
			fl.why = tooManyWait
		}
		s.log.Debug("name not resolved", "name", fl.q.name, "err", err)
	} else {
		fl.answer, fl.why = s.judge(st, fl, r)
	}
	switch {
	case fl.why == tooManyWait: // nobody was asked, so that nothing is known of the name
	case fl.why != "":
		s.cache.fail(fl.key, fl.answer, fl.why, s.uptime(), st.epoch)
	case fl.answer.lasting || fl.answer.ttl > 0:
		s.cache.keep(fl.key, fl.answer, s.uptime(), st.epoch)
	}
}

// judge makes an answer of what an upstream said. why is not empty when it is none that may be given instead of an old one.
func (s *Server) judge(st *state, fl *flight, r said) (a *answer, why string) {
	q := dns.Question{Name: fl.q.name, Qtype: fl.q.qtype, Qclass: dns.ClassINET}
	m, rebound := st.cleaner.clean(q, r.resp, fl.q.do)
	if rebound != "" {
		s.metrics.ignored.WithLabelValues("rebinding").Inc()
		why := fmt.Sprintf("%s says that it is %s, where no name of the world may lead; dns.inside would allow it", r.up.Upstream, rebound)
		s.tellUpstream(fmt.Sprintf("%s is not told: %s", strings.TrimSuffix(fl.q.name, "."), why))
		return failed(&fl.name, dns.RcodeRefused), why
	}
	negative := m.Rcode == dns.RcodeNameError || m.Rcode == dns.RcodeSuccess && !hasType(m, fl.q.qtype)
	ttl, lasting := keepFor(m, negative)
	a, err := newAnswer(m)
	if err != nil {
		s.metrics.ignored.WithLabelValues("unreadable").Inc()
		return failed(&fl.name, dns.RcodeServerFailure), fmt.Sprintf("the answer of %s cannot be written: %v", r.up.Upstream, err)
	}
	a.ttl, a.lasting, a.negative = ttl, lasting, negative
	switch {
	case !knows(r.resp):
		return a, fmt.Sprintf("the servers upstream say %s", dns.RcodeToString[m.Rcode])
	case r.resp.Truncated:
		a.ttl, a.lasting = 0, false
	case r.clear:
		a.ttl, a.lasting = min(a.ttl, clearTTL), false
		s.tellClear(r.up, fl.q.name)
	}
	return a, ""
}

func hasType(m *dns.Msg, typ uint16) bool {
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == typ {
			return true
		}
	}
	return false
}
