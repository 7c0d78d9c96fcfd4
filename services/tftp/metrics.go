package tftp

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// dropCode is the reason of phonebox_tftp_dropped_total.
type dropCode string

const (
	dropPort       dropCode = "source_port"
	dropBroadcast  dropCode = "broadcast"
	dropInterface  dropCode = "interface"
	dropOpcode     dropCode = "opcode"
	dropUnknownTID dropCode = "unknown_tid"
	dropTransfers  dropCode = "max_transfers"
	dropClient     dropCode = "max_per_client"
	dropNoSocket   dropCode = "no_socket"
	dropStopping   dropCode = "stopping"
)

// refusedCode is the reason of phonebox_tftp_refused_total.
type refusedCode string

const (
	refusedWrite     refusedCode = "write"
	refusedMode      refusedCode = "mode"
	refusedMalformed refusedCode = "malformed"
)

type metrics struct {
	started, sent, aborted, missing        prometheus.Counter
	bytes, retransmits, panics, sendErrors prometheus.Counter
	dropped, refused                       *prometheus.CounterVec
}

// newMetrics makes the counters and registers them where there is a registry. open returns the transfers that run.
func newMetrics(reg prometheus.Registerer, open func() int) (*metrics, error) {
	var all []prometheus.Collector
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "phonebox_tftp_" + name, Help: help})
		all = append(all, c)
		return c
	}
	vector := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "phonebox_tftp_" + name, Help: help}, []string{"reason"})
		all = append(all, c)
		return c
	}
	m := &metrics{
		started:     counter("transfers_started_total", "Transfers whose first packet was sent."),
		sent:        counter("transfers_sent_total", "Transfers whose last block was acknowledged."),
		aborted:     counter("transfers_aborted_total", "Transfers that ended before the last ACK."),
		missing:     counter("missing_total", "Read requests answered with ERROR 1 because there is no such file for the client."),
		bytes:       counter("sent_bytes_total", "Bytes of files that were acknowledged."),
		retransmits: counter("retransmits_total", "Packets sent again."),
		panics:      counter("panics_total", "Panics that were survived."),
		sendErrors:  counter("send_errors_total", "Packets that the kernel did not take."),
		dropped:     vector("dropped_total", "Packets that were not answered as their sender wished."),
		refused:     vector("refused_total", "Requests answered with an ERROR without looking for the file."),
	}
	all = append(all, prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "phonebox_tftp_transfers_open", Help: "Transfers that run."},
		func() float64 { return float64(open()) },
	))
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
