package dns

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// What the kernel drops is counted, each datagram, and told once.
func TestWhatTheKernelDropsIsCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	var told []Event
	s, err := New(Config{Server: netip.MustParsePrefix("10.77.0.1/16"), Domain: "voice.home.arpa"},
		Deps{Names: noNames{}, Log: slog.New(slog.DiscardHandler), Report: func(e Event) { told = append(told, e) }, Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	s.hooks().Lost(3)
	if len(told) != 1 || told[0].Kind != EventDropped || told[0].Reason != overflown.sentence {
		t.Errorf("told %+v", told)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "phonebox_dns_dropped_total" && m.GetLabel()[0].GetValue() == overflown.code && m.GetCounter().GetValue() == 3 {
				return
			}
		}
	}
	t.Error("three datagrams are not counted")
}
