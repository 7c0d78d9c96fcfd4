package store

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are nil-safe: without a registerer nothing is counted.
type metrics struct {
	seconds  prometheus.Histogram
	requests prometheus.Counter
	failures prometheus.Counter
	written  prometheus.Counter
	folds    prometheus.Histogram
	moved    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		return nil, nil
	}
	m := &metrics{
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "phonebox_store_commit_seconds", Help: "Time that one group of leases took to the disk, sync included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 13),
		}),
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_store_requests_total", Help: "Writes that were committed; divided by the number of groups it is the group size.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_store_commit_failures_total", Help: "Groups of leases that could not be written.",
		}),
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_store_log_bytes_total", Help: "Bytes written to the logs of leases.db.",
		}),
		folds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "phonebox_store_fold_seconds", Help: "Time that writing the leases of one log into leases.db took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		moved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_store_folded_total", Help: "Leases that were written from a log into leases.db.",
		}),
	}
	for _, c := range []prometheus.Collector{m.seconds, m.requests, m.failures, m.written, m.folds, m.moved} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering the store's metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) committed(requests int, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.seconds.Observe(took.Seconds())
	if err != nil {
		m.failures.Inc()
		return
	}
	m.requests.Add(float64(requests))
}

func (m *metrics) wrote(bytes int) {
	if m != nil {
		m.written.Add(float64(bytes))
	}
}

func (m *metrics) folded(leases int, took time.Duration) {
	if m == nil {
		return
	}
	m.folds.Observe(took.Seconds())
	m.moved.Add(float64(leases))
}
