package convert

import "github.com/prometheus/client_golang/prometheus"

// metrics counts phones by their phase when it is asked, and the steps that were taken or failed.
type metrics struct {
	d      *Director
	phones *prometheus.Desc
	steps  *prometheus.CounterVec
}

func newMetrics(d *Director) *metrics {
	m := &metrics{
		d:      d,
		phones: prometheus.NewDesc("phonebox_conversion_phones", "Phones by the phase of their conversion.", []string{"phase"}, nil),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_conversion_steps_total", Help: "Steps of conversions by how they ended.",
		}, []string{"result"}),
	}
	for _, result := range []string{"done", "failed"} {
		m.steps.WithLabelValues(result)
	}
	return m
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.phones
	m.steps.Describe(out)
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	count := map[Phase]int{}
	m.d.mu.Lock()
	for _, w := range m.d.ways {
		count[w.view.phase]++
	}
	m.d.mu.Unlock()
	for _, phase := range []Phase{Arrived, Waiting, Going, Blocked, Failed, Skipped, Stopped} {
		out <- prometheus.MustNewConstMetric(m.phones, prometheus.GaugeValue, float64(count[phase]), string(phase))
	}
	m.steps.Collect(out)
}
