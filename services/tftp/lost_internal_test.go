package tftp

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/internal/udp"
)

// What the kernel drops because a socket's buffer is full is counted: of requests and of what comes to a transfer.
func TestPacketsThatTheKernelDropsAreCounted(t *testing.T) {
	t.Parallel()
	conn, err := udp.Listen(t.Context(), udp.ListenConfig{Addr: anyAddress})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reg := prometheus.NewRegistry()
	s, err := New(Config{Listen: anyAddress}, Deps{
		Files: noFiles{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}, Metrics: reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	lost := func() (n float64) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "phonebox_tftp_dropped_total" && m.GetLabel()[0].GetValue() == "receive_buffer" {
					n += m.GetCounter().GetValue()
				}
			}
		}
		return n
	}
	fill(t, conn, conn.LocalAddr())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, conn) }()
	tellUntil(t, conn.LocalAddr(), func() bool { return lost() > 0 })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	before := lost()

	l, err := openLane(t.Context(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.conn.Close()
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.conn.LocalAddr().Port())
	fill(t, l.conn, at)
	life, end := context.WithCancel(t.Context())
	s.lanes = [lanes]*lane{l, l}
	go func() { done <- s.serveLane(life, l) }()
	tellUntil(t, at, func() bool { return lost() > before })
	end()
	interruptLanes(s.lanes)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// fill sends more to a socket than it holds.
func fill(t *testing.T, conn *udp.Conn, to netip.AddrPort) {
	t.Helper()
	if err := conn.UDP.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		tell(t, to)
	}
}

// tellUntil sends packets, for the kernel tells with the next one what it dropped.
func tellUntil(t *testing.T, to netip.AddrPort, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was counted")
		}
		tell(t, to)
	}
}

func tell(t *testing.T, to netip.AddrPort) {
	t.Helper()
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte{0, 9, 0, 0}) // an opcode that nobody answers
}
