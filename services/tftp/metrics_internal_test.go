package tftp

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var anyAddress = netip.MustParseAddrPort("127.77.0.1:0")

func TestMetricsAreRegistered(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	deps := Deps{Files: noFiles{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}, Metrics: reg}
	s, err := New(Config{Listen: anyAddress}, deps)
	if err != nil {
		t.Fatal(err)
	}
	s.dropped(Event{Reason: "test"}, dropOpcode)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		values[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	if v, ok := values["phonebox_tftp_dropped_total"]; !ok || v != 1 {
		t.Errorf("the dropped packet was counted %v times, in %v", v, values)
	}
	if _, ok := values["phonebox_tftp_transfers_open"]; !ok {
		t.Errorf("no gauge of transfers in %v", values)
	}
	if _, err := New(Config{Listen: anyAddress}, deps); err == nil {
		t.Error("registering twice was no error")
	}
	if _, err := New(Config{Listen: anyAddress}, Deps{}); err == nil {
		t.Error("a server without dependencies was made")
	}
}

type noFiles struct{ Files }
