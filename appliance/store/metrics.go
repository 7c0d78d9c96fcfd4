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
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		return nil, nil
	}
	m := &metrics{
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "phonebox_store_commit_seconds", Help: "Time that one transaction of leases.db took, sync included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 13),
		}),
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_store_requests_total", Help: "Writes that were committed; divided by the number of transactions it is the group size.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_store_commit_failures_total", Help: "Transactions of leases.db that failed.",
		}),
	}
	for _, c := range []prometheus.Collector{m.seconds, m.requests, m.failures} {
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
