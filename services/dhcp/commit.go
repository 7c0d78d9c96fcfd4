package dhcp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

const (
	// maxQueue bounds the leases that wait for the disk; a phone beyond it asks again. The last quarter is for clients
	// that are listed or were here before.
	maxQueue = 4096
	// maxAnswers is how many leases are acknowledged at a time under the lock: the loop must not wait for a whole storm.
	maxAnswers = 32
	// maxFlush bounds the records that nobody waits for and that are written together.
	maxFlush = 512
	// storeRetry is the pause between two tries of a store that failed, when no phone asks for one.
	storeRetry = 10 * time.Second
	// lastCommit bounds the write that runs when the server stops.
	lastCommit = 1500 * time.Millisecond
)

// job is records on their way to the disk, and the request that is answered after.
type job struct {
	records []lease.Record
	request *request // nil = nobody waits
	renewal bool
}

// batch is jobs that were written together, or could not be.
type batch struct {
	jobs []job
	err  error
}

// queue keeps jobs in the order in which they were decided: two records of one address must not overtake each other.
type queue struct {
	mu     sync.Mutex
	jobs   []job
	closed bool
	wake   chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// add reports false when the queue is full, for those who may take its last quarter or not, or closed.
func (q *queue) add(j job, first bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.jobs) >= maxQueue || (!first && len(q.jobs) >= maxQueue/4*3) {
		return false
	}
	q.jobs = append(q.jobs, j)
	q.signal()
	return true
}

// crowded reports whether so much waits for the disk that new clients had better ask later.
func (q *queue) crowded() bool {
	if q == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.jobs) >= maxQueue/2
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for jobs and returns all of them; none means that the queue was closed and is empty.
func (q *queue) take() []job {
	for {
		q.mu.Lock()
		jobs, closed := q.jobs, q.closed
		q.jobs = nil
		q.mu.Unlock()
		if len(jobs) > 0 || closed {
			return jobs
		}
		<-q.wake
	}
}

// commit writes what waits and hands it on to be answered, until the queue is closed. Everything that came while the
// disk was busy goes into one Commit, so a slow disk costs latency and not throughput; and while the answers to one
// Commit leave, the next one is written.
func (s *Server) commit(ctx context.Context, q *queue, written chan<- batch, answering <-chan struct{}) {
	defer close(written)
	var records []lease.Record
	for jobs := q.take(); len(jobs) > 0; jobs = q.take() {
		records = records[:0]
		for _, j := range jobs {
			records = append(records, j.records...)
		}
		start := time.Now()
		err := s.store(ctx, records)
		s.metrics.commits.Observe(time.Since(start).Seconds())
		s.metrics.written.Add(float64(len(records)))
		select {
		case written <- batch{jobs, err}:
		case <-answering: // ended by a panic
			return
		}
	}
}

// store writes records. While the store could not be read nothing is written: nobody knows what would be replaced.
func (s *Server) store(ctx context.Context, records []lease.Record) error {
	s.mu.Lock()
	loaded, loadErr := s.loaded, s.storeErr
	s.lastTry = time.Now()
	s.mu.Unlock()
	if !loaded {
		return loadErr
	}
	// A stop of the server lets the write that runs finish: cutting it would only lose the ACK.
	wctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastCommit, cancel) })()
	if err := s.deps.Store.Commit(wctx, records...); err != nil {
		return fmt.Errorf("writing leases: %w", err)
	}
	return nil
}

// answer answers the requests whose records are on disk, or could not be put there, in the order in which they were
// written.
func (s *Server) answer(ctx context.Context, out sender, written <-chan batch) {
	for b := range written {
		s.locked(func() { s.storeTried(b.err) })
		for jobs := range slices.Chunk(b.jobs, maxAnswers) {
			eff := takeEffects()
			s.locked(func() { s.settle(ctx, out, eff, jobs, b.err) })
			s.send(out, eff)
			eff.giveBack()
		}
	}
}

// settle does what answer does to the table; the caller holds the lock.
func (s *Server) settle(ctx context.Context, out sender, eff *effects, jobs []job, err error) {
	m := s.moment()
	for _, j := range jobs {
		if err == nil {
			for _, rec := range j.records {
				s.table.Stored(rec, m)
			}
		}
		switch {
		case j.request == nil:
			s.flushing = false
		case err == nil:
			s.acknowledge(eff, j, true, m)
		default:
			s.unstored(ctx, out, eff, j, err, m)
		}
	}
}

func (s *Server) storeTried(err error) {
	if err != nil {
		s.storeFailed(err)
		return
	}
	s.storeWorks()
}

// storeFailed and storeWorks keep track of the store; the caller holds the lock.
func (s *Server) storeFailed(err error) {
	s.metrics.storeErrors.Inc()
	if s.storeErr == nil {
		s.log.Error("leases cannot be written", "err", err)
	}
	s.storeErr = err
	s.table.Careful(true)
}

func (s *Server) storeWorks() {
	if s.storeErr != nil {
		s.log.Info("leases are written again")
	}
	s.storeErr = nil
	s.table.Careful(false)
}

// acknowledge makes the lease run and sends the ACK.
func (s *Server) acknowledge(eff *effects, j job, onDisk bool, m lease.Moment) {
	rec, r := j.records[0], j.request
	delete(s.busy, rec.Key)
	// The settings may have changed while the disk was busy: the address may even be the box's own now.
	if standing := s.table.Standing(rec.Key, rec.Address, m); standing != lease.Own && standing != lease.Free {
		s.table.Unsure(rec)
		s.table.Abort(rec)
		s.deny(eff, r, s.st.refuseAs(r, standing, rec.Address).why)
		return
	}
	if err := s.table.Finish(rec, onDisk, m); err != nil {
		s.deny(eff, r, codeOf(err))
		return
	}
	if !r.mac.IsZero() && !r.relayed() && s.st.onWire(rec.Address) {
		eff.neighbours = append(eff.neighbours, neighbour{rec.Address, r.mac})
	}
	s.checked.remove(rec.Address)
	if !j.renewal {
		s.tookUp(r, m)
		if other, ok := s.table.Other(rec.Key, rec.Address, m); ok {
			eff.unbind(other) // it is kept for the client, but ARP tells better now who has it
		}
	}
	ev := Event{Kind: EventAck, Address: rec.Address, Duration: rec.Duration, Renewal: j.renewal}
	s.reply(eff, r, ev, s.st.lend(r, dhcpv4.MessageTypeAck, rec.Address, rec.Duration))
}

// unstored is the exception of promise 1: the record could not be written. A reserved address and a lease on disk are
// still acknowledged; a new lease is short and needs a probe that nobody answers, and no address goes to a client while
// a record on disk gives it to another.
func (s *Server) unstored(ctx context.Context, out sender, eff *effects, j job, err error, m lease.Moment) {
	rec, r := j.records[0], j.request
	eff.event(s.eventOf(r, Event{Kind: EventNotStored, Address: rec.Address, Err: err, Reason: notStoredText}))
	delete(s.busy, rec.Key)
	s.table.Unsure(rec)
	if standing := s.table.Standing(rec.Key, rec.Address, m); standing != lease.Own {
		s.table.Abort(rec)
		s.deny(eff, r, s.st.refuseAs(r, standing, rec.Address).why)
		return
	}
	term, probe := s.table.Unstored(rec.Key, rec.Address, m)
	j.records = []lease.Record{rec.Shorten(term)}
	if !probe || s.st.Relayed {
		s.acknowledge(eff, j, false, m)
		return
	}
	if !s.work(r, rec.Address, func() { s.ackAfterProbe(ctx, out, j) }) {
		s.table.Abort(rec)
		s.dropped(eff, r, probesBusy())
	}
}

// notStoredText is shown while leases cannot be written.
const notStoredText = "leases cannot be written to disk: listed phones and stored leases are served, new leases last 10 minutes"

// flush sends the records on their way that differ from what is on disk and that nobody waits for; the caller holds the
// lock. A client whose lease is on its way is left out, or its older record would follow the newer one.
func (s *Server) flush(q *queue) {
	if !s.flushing {
		s.flushSome(q, maxFlush)
	}
}

func (s *Server) flushSome(q *queue, most int) {
	if q == nil || !s.loaded {
		return
	}
	addresses := make(map[netip.Addr]bool, len(s.busy))
	for _, addr := range s.busy {
		addresses[addr] = true
	}
	records := s.table.Dirty(most, func(key lease.Key, addr netip.Addr) bool {
		_, busy := s.busy[key]
		return busy || addresses[addr]
	})
	if len(records) > 0 {
		s.flushing = q.add(job{records: records}, true)
	}
}
