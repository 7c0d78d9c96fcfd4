package clock

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

func (c *Clock) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(c.Status()) })
	}
	c.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "phonebox_clock_events_total", Help: "What happened to the clock: started, synced, lost, set, failed, outvoted, doubted.",
	}, []string{"kind"})
	for _, g := range []prometheus.Collector{
		gauge("phonebox_clock_trusted", "1 while the time is trusted.", func(s Status) float64 {
			if s.Trusted {
				return 1
			}
			return 0
		}),
		gauge("phonebox_clock_stratum", "Stratum of the time; 16 while it is not trusted.", func(s Status) float64 { return float64(s.Stratum) }),
		gauge("phonebox_clock_offset_seconds", "The last correction of the time.", func(s Status) float64 { return s.Offset.Seconds() }),
		gauge("phonebox_clock_error_seconds", "How wrong the time may be.", func(s Status) float64 { return s.Error.Seconds() }),
		gauge("phonebox_clock_drift_ppm", "By how much the clock of the computer is made to run faster.", func(s Status) float64 { return s.Drift }),
		gauge("phonebox_clock_slewing_seconds", "What is still to be corrected gradually.", func(s Status) float64 { return s.Slewing.Seconds() }),
		gauge("phonebox_clock_upstream_age_seconds", "How long ago the server that the box goes by was heard; 0 while it goes by none.",
			func(s Status) float64 { return s.Held.Seconds() }),
		c.events,
		serverCounts{c},
	} {
		if err := reg.Register(g); err != nil {
			return fmt.Errorf("registering the clock's metrics: %w", err)
		}
	}
	return nil
}

var serverCount = prometheus.NewDesc("phonebox_clock_servers", "Upstream servers, by what became of them in the last choice.", []string{"verdict"}, nil)

// serverCounts counts the upstream servers by their verdict.
type serverCounts struct{ c *Clock }

// Describe implements [prometheus.Collector].
func (serverCounts) Describe(ch chan<- *prometheus.Desc) { ch <- serverCount }

// Collect implements [prometheus.Collector].
func (s serverCounts) Collect(ch chan<- prometheus.Metric) {
	count := map[string]int{}
	for _, server := range s.c.Status().Servers {
		count[server.Verdict]++
	}
	for _, v := range []verdict{verdictFollowed, verdictAgrees, verdictOutlier, verdictOutvoted, verdictDisagrees, verdictSilent} {
		ch <- prometheus.MustNewConstMetric(serverCount, prometheus.GaugeValue, float64(count[string(v)]), string(v))
	}
}
