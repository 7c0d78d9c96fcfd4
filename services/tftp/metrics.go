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
	dropImages     dropCode = "max_images"
	dropClient     dropCode = "max_per_client"
	dropLate       dropCode = "late"
	dropStopping   dropCode = "stopping"
	dropBuffer     dropCode = "receive_buffer"
	dropNeighbour  dropCode = "no_neighbour"
	dropUncertain  dropCode = "later"
	dropRepeated   dropCode = "repeated"
)

// refusedCode is the reason of phonebox_tftp_refused_total.
type refusedCode string

const (
	refusedWrite     refusedCode = "write"
	refusedMode      refusedCode = "mode"
	refusedMalformed refusedCode = "malformed"
)

// evictedCode is the reason of phonebox_tftp_evicted_total.
type evictedCode string

const (
	evictedPlace evictedCode = "place" // another client needed its place
	evictedCrowd evictedCode = "crowd" // it was sent again less often, because there were many
)

// gauge is something that is counted when somebody asks.
type gauge struct {
	name, help string
	value      func(*Server) int
}

var gauges = []gauge{
	{"transfers_open", "Transfers that run.", (*Server).others},
	{"transfers_silent", "Transfers that run and were never acknowledged.", func(s *Server) int { return s.silent.len }},
	{"images_open", "Transfers of images that run.", func(s *Server) int { return s.images }},
	{"images_waiting", "Requests for images that wait for their turn.", func(s *Server) int { return s.waiting.len }},
}

type metrics struct {
	started, sent, aborted, missing        prometheus.Counter
	bytes, retransmits, panics, sendErrors prometheus.Counter
	dropped, refused, evicted              *prometheus.CounterVec
}

// newMetrics makes the counters and gauges of a server and registers them where there is a registry.
func newMetrics(reg prometheus.Registerer, s *Server) (*metrics, error) {
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
		evicted:     vector("evicted_total", "Transfers that were given up early because nothing was ever acknowledged."),
	}
	for _, g := range gauges {
		all = append(all, prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "phonebox_tftp_" + g.name, Help: g.help},
			func() float64 {
				s.mu.Lock()
				defer s.mu.Unlock()
				return float64(g.value(s))
			},
		))
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
