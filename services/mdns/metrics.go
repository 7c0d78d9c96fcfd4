package mdns

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// reason is why a packet was not heard: the label of the metric and the sentence of the event.
type reason struct{ code, sentence string }

var (
	foreignClient    = reason{"foreign_client", "the question for a .local name came from outside of the phones' network"}
	foreignInterface = reason{"foreign_interface", "the question for a .local name came in on another network socket"}
	unreadable       = reason{"unreadable", "the packet is no question for .local names that can be read"}
	wrongPort        = reason{"port", "an answer about .local names came from a port where none are given"}
	wrongCode        = reason{"code", "the packet is no question and no answer about .local names, but something else"}
	tooMany          = reason{"rate", "too many questions for .local names came in the same second"}
	panicked         = reason{"panic", "the program failed on this question for a .local name; this is a fault of phonebox"}
	unsendable       = reason{"send", "the answer about a .local name could not be sent"}
)

func reasons() []reason {
	return []reason{foreignClient, foreignInterface, unreadable, wrongPort, wrongCode, tooMany, panicked, unsendable}
}

// The kinds of packets that were heard.
const (
	heardQuestion = "question" // that got an answer, or one that is on its way
	heardOther    = "other"    // about names that are not ours, or whose answer is known to who asks
	heardOwn      = "own"      // our own, which the wire gives back
	heardAnswer   = "answer"   // of somebody else
)

// metrics are the server's figures; they work unregistered too.
type metrics struct {
	heard     *prometheus.CounterVec
	dropped   *prometheus.CounterVec
	sent      *prometheus.CounterVec
	conflicts prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		heard: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_mdns_heard_total", Help: "Packets about .local names that were heard, by what they were.",
		}, []string{"kind"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_mdns_dropped_total", Help: "Packets about .local names that were not heard, by reason.",
		}, []string{"reason"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_mdns_sent_total", Help: "Packets about .local names that were sent, to one host or to all.",
		}, []string{"to"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_mdns_conflicts_total", Help: "How often another host had the name of the box.",
		}),
	}
	for _, r := range reasons() {
		m.dropped.WithLabelValues(r.code)
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.heard), reg.Register(m.dropped), reg.Register(m.sent), reg.Register(m.conflicts))
}
