package dhcp

import (
	"errors"
	"fmt"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what the server does; they work unregistered, too.
type metrics struct {
	requests    byType
	replies     byType
	dropped     *prometheus.CounterVec
	panics      prometheus.Counter
	rawFailed   prometheus.Counter
	sendErrors  prometheus.Counter
	storeErrors prometheus.Counter
	commits     prometheus.Histogram
	written     prometheus.Counter
	extended    prometheus.Counter
	leases      prometheus.Gauge
	others      prometheus.Gauge
}

// byType is a counter for each message type; the types that occur are looked up once.
type byType struct {
	*prometheus.CounterVec
	known [dhcpv4.MessageTypeInform + 1]prometheus.Counter
}

func newByType(vec *prometheus.CounterVec) byType {
	b := byType{CounterVec: vec}
	for t := dhcpv4.MessageTypeDiscover; t <= dhcpv4.MessageTypeInform; t++ {
		b.known[t] = vec.WithLabelValues(t.String())
	}
	return b
}

func (b *byType) with(t dhcpv4.MessageType) prometheus.Counter {
	if t < dhcpv4.MessageTypeDiscover || t > dhcpv4.MessageTypeInform {
		return b.WithLabelValues(t.String())
	}
	return b.known[t]
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "phonebox_dhcp_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "phonebox_dhcp_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		requests:    newByType(vec("requests_total", "Packets of clients that could be read, by message type.", "type")),
		replies:     newByType(vec("replies_total", "Replies, by message type.", "type")),
		dropped:     vec("dropped_total", "Packets that were not answered, by reason.", "reason"),
		panics:      counter("panics_total", "Packets whose handling panicked."),
		rawFailed:   counter("raw_failed_total", "Raw frames that could not be sent and were replaced by a broadcast."),
		sendErrors:  counter("send_errors_total", "Replies that the kernel refused to send."),
		storeErrors: counter("store_errors_total", "Writes of leases that failed."),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "phonebox_dhcp_commit_seconds", Help: "How long it took until leases were on disk.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}),
		written:  counter("records_written_total", "Records of leases that were handed to the store."),
		extended: counter("renewals_unwritten_total", "Renewals that needed no write: the disk protected the address for long enough."),
		leases:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "phonebox_dhcp_leases", Help: "Leases that run."}),
		others:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "phonebox_dhcp_other_servers", Help: "Other DHCP servers that are known on the wire."}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.replies, m.dropped, m.panics, m.rawFailed, m.sendErrors, m.storeErrors, m.commits, m.written, m.extended, m.leases, m.others,
	} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return m, nil
}
