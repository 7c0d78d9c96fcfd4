package dns

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// reason is why a packet or a connection got no answer: the label of the metric and the sentence of the event.
type reason struct{ code, sentence string }

func reasons() map[string]reason {
	list := []reason{
		foreignClient, foreignInterface, tooShort, tooLong, notQuestion, panicked, tooManyConnections, unwritable,
	}
	out := map[string]reason{}
	for _, r := range list {
		out[r.code] = r
	}
	return out
}

var (
	foreignClient      = reason{"foreign_client", "the question came from outside of the phones' network"}
	foreignInterface   = reason{"foreign_interface", "the question came in on another network socket"}
	tooShort           = reason{"short", "the packet is shorter than the header of a question"}
	tooLong            = reason{"long", "the packet is longer than any question"}
	notQuestion        = reason{"response", "the packet is an answer, not a question"}
	panicked           = reason{"panic", "the program failed on this question; this is a fault of phonebox"}
	tooManyConnections = reason{"connections", "too many connections are open"}
	unwritable         = reason{"send", "the answer could not be sent"}
)

// metrics are the server's figures; they work unregistered too.
type metrics struct {
	questions *prometheus.CounterVec
	dropped   *prometheus.CounterVec
	upstream  *prometheus.CounterVec
	inFlight  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_dns_questions_total", Help: "Questions answered, by result and by who knew the answer.",
		}, []string{"result", "source"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_dns_dropped_total", Help: "Packets and connections that got no answer, by reason.",
		}, []string{"reason"}),
		upstream: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_dns_upstream_total", Help: "Questions to upstream servers, by server and result.",
		}, []string{"server", "result"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phonebox_dns_in_flight", Help: "Questions that wait for an upstream server.",
		}),
	}
	for code := range reasons() {
		m.dropped.WithLabelValues(code)
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.questions), reg.Register(m.dropped), reg.Register(m.upstream), reg.Register(m.inFlight))
}
