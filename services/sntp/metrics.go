package sntp

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	answered, unsynchronised, kisses, lost, panics, sendErrors prometheus.Counter
	to                                                         map[Destination]prometheus.Counter
	dropped                                                    [dropCodes]prometheus.Counter
	broadcastSubnet, broadcastMulticast                        prometheus.Counter
}

// destinationLabels are the destinations in the metrics.
var destinationLabels = map[Destination]string{ToBox: "box", ToSubnet: "subnet", ToEverybody: "everybody", ToMulticast: "multicast"}

// newMetrics makes the counters and registers them where there is a registry.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	all := make([]prometheus.Collector, 0, 9)
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "phonebox_sntp_" + name, Help: help})
		all = append(all, c)
		return c
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "phonebox_sntp_" + name, Help: help}, []string{label})
		all = append(all, v)
		return v
	}
	m := &metrics{
		answered:       counter("answered_total", "Requests answered."),
		unsynchronised: counter("unsynchronised_total", "Requests answered with the word that the time is not known."),
		kisses:         counter("kisses_total", "Clients told to ask less often (kiss code RATE)."),
		lost:           counter("lost_total", "Packets that the kernel dropped because the receive buffer was full."),
		panics:         counter("panics_total", "Panics that were survived."),
		sendErrors:     counter("send_errors_total", "Packets that the kernel did not take."),
		to:             map[Destination]prometheus.Counter{},
	}
	to := vector("answered_destination_total", "Requests answered, by where they were sent.", "destination")
	for d, label := range destinationLabels {
		m.to[d] = to.WithLabelValues(label)
	}
	dropped := vector("dropped_total", "Packets that were not answered.", "reason")
	for c := answered + 1; c < dropCodes; c++ {
		m.dropped[c] = dropped.WithLabelValues(c.label())
	}
	broadcasts := vector("broadcasts_total", "Packets with the time that were sent to everybody.", "destination")
	m.broadcastSubnet, m.broadcastMulticast = broadcasts.WithLabelValues("subnet"), broadcasts.WithLabelValues("multicast")
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
