package cdp

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Why a frame was not reported; the words are labels of phonebox_cdp_dropped_total.
const (
	dropMalformed   = "malformed"
	dropNotPhone    = "not_a_phone"
	dropOtherSender = "other_sender" // its name has another MAC than its frame
	dropRepeated    = "repeated"
	dropTooMany     = "too_many"
	dropPanic       = "panic"
)

// metrics are the listener's counters; they count without a registry, too.
type metrics struct {
	heard   prometheus.Counter
	dropped *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		heard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_cdp_heard_total", Help: "CDP announcements of phones that were reported.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_cdp_dropped_total", Help: "CDP frames that were not reported, by reason.",
		}, []string{"reason"}),
	}
	if r == nil {
		return m, nil
	}
	if err := errors.Join(r.Register(m.heard), r.Register(m.dropped)); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return m, nil
}
