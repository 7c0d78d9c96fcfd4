package dns

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// reason is why a packet or a connection got no answer: the label of the metric and the sentence of the event.
type reason struct{ code, sentence string }

func reasons() map[string]reason {
	list := []reason{
		foreignClient, foreignInterface, tooShort, tooLong, notQuestion, panicked, tooManyConnections, unwritable, overflown,
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
	overflown          = reason{"receive_buffer", "the kernel had no room for more questions"}
	unwritable         = reason{"send", "the answer could not be sent"}
)

// metrics are the server's figures; they work unregistered too.
type metrics struct {
	questions *prometheus.CounterVec
	dropped   *prometheus.CounterVec
	upstream  *prometheus.CounterVec
	ignored   *prometheus.CounterVec
	rtt       *prometheus.GaugeVec
	alive     *prometheus.GaugeVec
	inFlight  prometheus.Gauge
	clear     prometheus.Counter

	hits, negative, failed, stale, merged, misses prometheus.Counter // of one CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "phonebox_dns_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "phonebox_dns_" + name, Help: help}, labels)
	}
	m := &metrics{
		questions: counter("questions_total", "Questions answered, by result and by who knew the answer.", "result", "source"),
		dropped:   counter("dropped_total", "Packets and connections that got no answer, by reason.", "reason"),
		upstream:  counter("upstream_total", "Questions to upstream servers, by server and result.", "server", "result"),
		ignored:   counter("upstream_ignored_total", "What upstream servers, or somebody in their name, said and what was not believed, by reason.", "reason"),
		rtt:       gauge("upstream_rtt_seconds", "How long an upstream server takes, smoothed.", "server"),
		alive:     gauge("upstream_up", "Whether an upstream server answered the last question: 1 or 0.", "server"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phonebox_dns_in_flight", Help: "Questions that wait for an upstream server.",
		}),
		clear: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phonebox_dns_clear_total", Help: "Names of time servers that were asked in clear although the settings want TLS, for the time was not known.",
		}),
	}
	lookups := counter("cache_total", "Questions for names of the world, by what the cache knew: hit, negative, failed (no server answered a moment ago), stale (an old answer, for no server answers now), merged (the same is asked already), miss.", "result")
	for result, c := range map[string]*prometheus.Counter{
		"hit": &m.hits, "negative": &m.negative, "failed": &m.failed, "stale": &m.stale, "merged": &m.merged, "miss": &m.misses,
	} {
		*c = lookups.WithLabelValues(result)
	}
	for code := range reasons() {
		m.dropped.WithLabelValues(code)
	}
	for _, reason := range []string{"mismatch", "letters", "late", "rebinding", "unreadable"} {
		m.ignored.WithLabelValues(reason)
	}
	return m, register(reg, m.questions, m.dropped, m.upstream, m.ignored, m.rtt, m.alive, m.inFlight, m.clear, lookups)
}

func register(reg prometheus.Registerer, list ...prometheus.Collector) error {
	if reg == nil {
		return nil
	}
	var faults []error
	for _, c := range list {
		faults = append(faults, reg.Register(c))
	}
	return errors.Join(faults...)
}

// registerCache adds what the cache holds.
func registerCache(reg prometheus.Registerer, c *cache) error {
	return register(reg,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "phonebox_dns_cache_entries", Help: "Answers that are kept."}, func() float64 {
			entries, _, _ := c.size()
			return float64(entries)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "phonebox_dns_cache_bytes", Help: "Memory that kept answers take."}, func() float64 {
			_, bytes, _ := c.size()
			return float64(bytes)
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "phonebox_dns_cache_evicted_total", Help: "Answers that had to go for others."}, func() float64 {
			_, _, evicted := c.size()
			return float64(evicted)
		}),
	)
}

// recalled counts an answer from memory that has not run out.
func (m *metrics) recalled(known recalled) {
	switch {
	case known.failed:
		m.failed.Inc()
	case known.answer.negative:
		m.negative.Inc()
	default:
		m.hits.Inc()
	}
}
