package sip

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Why a packet was not answered and is no answer of ours; the words are labels of phonebox_sip_dropped_total.
const (
	dropKeepAlive   = "keepalive"
	dropMalformed   = "malformed"
	dropUnsolicited = "unsolicited_request"
	dropUnexpected  = "unexpected_answer"
	dropForeign     = "foreign_source"
	dropPanic       = "panic"
)

// metrics are the client's counters; they count without a registry, too.
type metrics struct {
	dropped   *prometheus.CounterVec
	exchanges *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_sip_dropped_total", Help: "SIP packets that were neither answered nor an answer, by reason.",
		}, []string{"reason"}),
		exchanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_sip_exchanges_total", Help: "Requests to phones, by method and result (answered, silent, failed).",
		}, []string{"method", "result"}),
	}
	if r == nil {
		return m, nil
	}
	if err := errors.Join(r.Register(m.dropped), r.Register(m.exchanges)); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return m, nil
}
