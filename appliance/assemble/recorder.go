package assemble

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/appliance/journal"
)

// What is recorded when. The servers report on the goroutines that answer packets, and must not wait there for the
// journal, the conversions or the log. So what they report goes through a queue that one goroutine empties, in the order in
// which it came; that order is kept over all services, for a phone's steps follow from it.
//
// These do not go through the queue, because a promise needs them done before the caller goes on. They first record what
// waits, so that their place in the order is kept:
//   - a request for a file ([tftpFiles.Open]): a flash that begins is on the card before its first block leaves, and what
//     the phone is told of firmware follows from the requests before;
//   - a release of a password ([Box.released]): journalled before it is sent (promise 4).
//
// What reads a phone's step (the page, the files that a phone gets) records what waits first as well ([recorder.settle]).
//
// A lease is on the card, and its neighbour entry in the kernel, before the ACK leaves: both are the DHCP server's own work
// and done before it reports.
type recorder struct {
	enter func(journal.Event) // puts an event into the journal and tells the conversions
	now   func() time.Time

	order sync.Mutex   // held while events are recorded, so that they are in the order of the queue
	open  atomic.Int64 // how many are in the queue or being recorded

	mu      sync.Mutex
	queue   []queued
	spare   []queued
	waiting [sources]int
	wake    chan struct{}

	dropped *prometheus.CounterVec
	skipped *prometheus.CounterVec
	delay   prometheus.Histogram
}

// source is a service that reports.
type source int

const (
	fromDHCPServer source = iota
	fromTFTPServer
	fromSNTPServer
	fromDNSServer
	fromElsewhere // SIP, the page, CDP, the conversions
	sources
)

var sourceNames = [sources]string{"dhcp", "tftp", "sntp", "dns", "other"}

// queueSizes are how many reports of a service may wait. DHCP's carry two packets each, about a kilobyte.
var queueSizes = [sources]int{4096, 4096, 1024, 1024, 1024}

// report is something that a service reported: record is called in the order of the queue.
type report interface {
	record(b *Box) (journal.Event, bool)
}

type queued struct {
	report report
	at     time.Time // the box's time
	from   source
}

func newRecorder(b *Box) (*recorder, error) {
	r := &recorder{
		now: b.clock.Now, wake: make(chan struct{}, 1),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_events_dropped_total", Help: "Events that are in no timeline because too many waited, by service.",
		}, []string{"service"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_events_skipped_total", Help: "Events that are in no timeline because their address had several in the same second, by service.",
		}, []string{"service"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "phonebox_events_wait_seconds", Help: "How long the oldest event waited until it was recorded, of each time that the queue was emptied.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}),
	}
	r.enter = func(e journal.Event) {
		b.journal.Add(e)
		b.director.Observe(e)
	}
	for _, c := range []prometheus.Collector{r.dropped, r.skipped, r.delay} {
		if err := b.metrics.Register(c); err != nil {
			return nil, fmt.Errorf("registering the metrics of events: %w", err)
		}
	}
	return r, nil
}

// push queues a report; it never waits for anything but another push. minor ones are left out when half of the room of
// their service is taken, so that what changes a phone's step finds room longer.
func (r *recorder) push(from source, minor bool, rep report) {
	at := r.now()
	r.mu.Lock()
	limit := queueSizes[from]
	if minor {
		limit /= 2
	}
	if r.waiting[from] >= limit {
		r.mu.Unlock()
		r.dropped.WithLabelValues(sourceNames[from]).Inc()
		return
	}
	r.waiting[from]++
	r.open.Add(1)
	r.queue = append(r.queue, queued{rep, at, from})
	first := len(r.queue) == 1
	r.mu.Unlock()
	if first {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// skip counts an event that is left out because its address had its share.
func (r *recorder) skip(from source) { r.skipped.WithLabelValues(sourceNames[from]).Inc() }

// run records what comes until ctx ends; what waits then is recorded, too.
func (r *recorder) run(ctx context.Context, b *Box) error {
	for {
		select {
		case <-ctx.Done():
			r.settle(b)
			return nil
		case <-r.wake:
			r.settle(b)
		}
	}
}

// settle returns when all that was reported before the call is in the journal. Nothing that record or enter call may call
// it.
func (r *recorder) settle(b *Box) {
	if r.open.Load() == 0 {
		return
	}
	r.order.Lock()
	defer r.order.Unlock()
	r.drain(b)
}

// drain is called with order held.
func (r *recorder) drain(b *Box) {
	r.mu.Lock()
	batch := r.queue
	r.queue, r.spare = r.spare[:0], nil
	r.waiting = [sources]int{}
	r.mu.Unlock()
	if len(batch) > 0 {
		r.delay.Observe(r.now().Sub(batch[0].at).Seconds())
	}
	defer func() { r.open.Add(-int64(len(batch))) }()
	for i := range batch {
		r.one(b, &batch[i])
		batch[i] = queued{}
	}
	r.mu.Lock()
	r.spare = batch[:0]
	r.mu.Unlock()
}

// one records a report. A panic is the report's own: those behind it are recorded all the same.
func (r *recorder) one(b *Box, q *queued) {
	defer func() {
		if v := recover(); v != nil {
			r.dropped.WithLabelValues(sourceNames[q.from]).Inc()
			b.log.Error("recording an event panicked", "service", sourceNames[q.from], "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	if e, ok := q.report.record(b); ok && !e.MAC.IsZero() {
		// The time that people read is the box's; what the journal measures itself runs on the system's monotonic clock,
		// which a correction of the box's time does not move.
		e.Time = q.at.Round(0)
		r.enter(e)
	}
}

// atOnce records an event after all that was reported before, and returns when that is done: it is in the journal, and
// what the conversions have to write for it is on the card.
func (r *recorder) atOnce(b *Box, e journal.Event) {
	if e.MAC.IsZero() {
		return
	}
	e.Time = r.now().Round(0)
	r.inOrder(b, e)
	// A card that is slow to write the beginning of one phone's flash must not hold up the events of all others.
	b.director.Observe(e)
}

func (r *recorder) inOrder(b *Box, e journal.Event) {
	r.order.Lock()
	defer r.order.Unlock()
	r.drain(b)
	b.journal.Add(e)
}

// made is an event that is one already.
type made journal.Event

func (m *made) record(*Box) (journal.Event, bool) { return journal.Event(*m), true }
