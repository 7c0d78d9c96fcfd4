package sntp

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	answered, unsynchronised, panics, sendErrors prometheus.Counter
	dropped                                      *prometheus.CounterVec
}

// newMetrics makes the counters and registers them where there is a registry.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "phonebox_sntp_" + name, Help: help})
	}
	m := &metrics{
		answered:       counter("answered_total", "Requests answered."),
		unsynchronised: counter("unsynchronised_total", "Requests answered with the word that the time is not known."),
		panics:         counter("panics_total", "Panics that were survived."),
		sendErrors:     counter("send_errors_total", "Packets that the kernel did not take."),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_sntp_dropped_total", Help: "Packets that were not answered.",
		}, []string{"reason"}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.answered, m.unsynchronised, m.panics, m.sendErrors, m.dropped} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
