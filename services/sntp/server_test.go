package sntp_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/ntp"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/sntp"
	"phonebox/services/testkit"
)

var box = netip.MustParsePrefix("127.77.0.1/16")

// clock is an hour ahead of the system's.
type clock struct{ q sntp.Quality }

func (clock) Now() time.Time               { return time.Now().Add(time.Hour) }
func (clock) Adjust(t time.Time) time.Time { return t.Add(time.Hour) }
func (c clock) Quality() sntp.Quality      { return c.q }

type events struct {
	mu  sync.Mutex
	all []sntp.Event
}

func (e *events) add(ev sntp.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// wait waits for an event: it is told when the answer has left.
func (e *events) wait(t *testing.T, what string, ok func(sntp.Event) bool) {
	t.Helper()
	testkit.Eventually(t, 30*time.Second, what, func() bool { return e.find(ok) })
}

func (e *events) find(ok func(sntp.Event) bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if ok(ev) {
			return true
		}
	}
	return false
}

// changing is a clock that comes to know the time.
type changing struct {
	mu sync.Mutex
	q  sntp.Quality
}

func (*changing) Now() time.Time               { return clock{}.Now() }
func (*changing) Adjust(t time.Time) time.Time { return clock{}.Adjust(t) }

func (c *changing) Quality() sntp.Quality {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.q
}

func (c *changing) set(q sntp.Quality) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.q = q
}

func start(t *testing.T, listen string, q sntp.Quality) (*sntp.Server, *events, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	s, ev := run(t, sntp.Config{Listen: netip.MustParseAddrPort(listen), Server: box}, clock{q}, reg)
	return s, ev, reg
}

func startWith(t *testing.T, cfg sntp.Config, c sntp.Clock) (*sntp.Server, *events) {
	t.Helper()
	return run(t, cfg, c, nil)
}

func run(t *testing.T, cfg sntp.Config, c sntp.Clock, reg prometheus.Registerer) (*sntp.Server, *events) {
	t.Helper()
	ev := &events{}
	s, err := sntp.New(cfg, sntp.Deps{Clock: c, Log: slog.New(slog.DiscardHandler), Report: ev.add, Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return s, ev
}

func ask(t *testing.T, s *sntp.Server, to netip.Addr, version int) (*ntp.Response, error) {
	t.Helper()
	return ntp.QueryWithOptions(netip.AddrPortFrom(to, s.Addr().Port()).String(), ntp.QueryOptions{Version: version, Timeout: 3 * time.Second})
}

func TestAClientGetsTheTime(t *testing.T) {
	q := sntp.Quality{Stratum: 3, ReferenceID: [4]byte{192, 0, 2, 1}, ReferenceTime: time.Now(), RootDispersion: 20 * time.Millisecond, Precision: -20}
	for _, listen := range []string{"127.77.0.1:0", "0.0.0.0:0"} {
		s, ev, reg := start(t, listen, q)
		for _, version := range []int{3, 4} {
			r, err := ask(t, s, box.Addr(), version)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Validate(); err != nil {
				t.Errorf("version %d: %v", version, err)
			}
			if off := r.ClockOffset - time.Hour; off.Abs() > 100*time.Millisecond || r.Stratum != 3 || r.ReferenceID != 0xc0000201 {
				t.Errorf("version %d: offset %s, stratum %d, reference %x", version, r.ClockOffset, r.Stratum, r.ReferenceID)
			}
		}
		if err := s.Probe(t.Context()); err != nil {
			t.Error(err)
		}
		if n := count(t, reg, "phonebox_sntp_answered_total", ""); n != 3 {
			t.Errorf("%v answers counted, want 3", n)
		}
		ev.wait(t, "an event of an answer", func(e sntp.Event) bool { return e.Kind == sntp.EventAnswered && e.Stratum == 3 && e.Version == 4 })
	}
}

// count adds up a counter of the registry, over the reasons where none is given.
func count(t *testing.T, reg *prometheus.Registry, name, reason string) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (reason == "" || m.GetLabel()[0].GetValue() == reason) {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func TestAnUntrustedClockSaysSo(t *testing.T) {
	s, ev, _ := start(t, "127.77.0.1:0", sntp.Quality{Leap: sntp.LeapUnsync})
	r, err := ask(t, s, box.Addr(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if r.Leap != ntp.LeapNotInSync || r.Validate() == nil {
		t.Errorf("leap %d, stratum %d: a client would believe this", r.Leap, r.Stratum)
	}
	ev.wait(t, "an event with stratum 16", func(e sntp.Event) bool { return e.Stratum == 16 })
}

// TestBroadcastIsAnsweredByUnicast: the subnet's broadcast address of loopback is local on Linux, so it needs no wire.
func TestBroadcastIsAnsweredByUnicast(t *testing.T) {
	s, _, _ := start(t, "0.0.0.0:0", sntp.Quality{Stratum: 2, ReferenceTime: time.Now()})
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 1, 9)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	q := make([]byte, 48)
	q[0] = 0x1b
	to := netip.AddrPortFrom(netip.MustParseAddr("127.77.255.255"), s.Addr().Port())
	if _, err := conn.WriteToUDPAddrPort(q, to); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, from, err := conn.ReadFromUDPAddrPort(make([]byte, 100))
	if err != nil || from.Addr() != box.Addr() || from.Port() != s.Addr().Port() {
		t.Errorf("answered from %s (%v), want %s and the server's port", from, err, box.Addr())
	}
}

func TestWhatIsNotAnsweredIsCounted(t *testing.T) {
	s, ev, reg := start(t, "0.0.0.0:0", sntp.Quality{Stratum: 2})
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(to string, b []byte) {
		if _, err := conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(netip.MustParseAddr(to), s.Addr().Port())); err != nil {
			t.Fatal(err)
		}
	}
	full := func(first byte) []byte { return append([]byte{first}, bytes.Repeat([]byte{0}, 47)...) }
	send("127.77.0.1", []byte("short"))
	send("127.77.0.1", full(0x16))
	send("127.77.0.1", full(0x17))
	send("127.77.0.1", full(0x2b))
	send("127.77.0.1", full(0x03))
	send("127.77.0.1", full(0x24))
	send("127.77.0.1", full(0x25))
	send("127.77.0.1", full(0x20))
	send("127.0.0.1", full(0x23))
	// The packets above were handled when this one is answered.
	if _, err := ask(t, s, box.Addr(), 4); err != nil {
		t.Fatal(err)
	}
	for reason, want := range map[string]float64{"destination": 1, "mode": 1, "short": 1, "version": 2, "control": 2, "answer": 1, "broadcast": 1} {
		if n := count(t, reg, "phonebox_sntp_dropped_total", reason); n != want {
			t.Errorf("%s: %v counted, want %v", reason, n, want)
		}
	}
	ev.wait(t, "an event with the reason", func(e sntp.Event) bool { return e.Kind == sntp.EventDropped && strings.Contains(e.Reason, "48 bytes") })
}

func TestAPanicCostsOnePacket(t *testing.T) {
	s, _, reg := start(t, "127.77.0.1:0", sntp.Quality{Stratum: 2, ReferenceTime: time.Now()})
	s.PanicNext()
	if _, err := ntp.QueryWithOptions(s.Addr().String(), ntp.QueryOptions{Timeout: 50 * time.Millisecond}); err == nil {
		t.Error("the packet that panicked was answered")
	}
	if _, err := ask(t, s, box.Addr(), 4); err != nil {
		t.Errorf("after the panic: %v", err)
	}
	if n := count(t, reg, "phonebox_sntp_panics_total", ""); n != 1 {
		t.Errorf("%v panics counted, want 1", n)
	}
}

func TestApplyMovesTheSocket(t *testing.T) {
	s, _, _ := start(t, "127.77.0.1:0", sntp.Quality{Stratum: 2, ReferenceTime: time.Now()})
	moved := netip.MustParsePrefix("127.78.0.1/16")
	if err := s.Apply(sntp.Config{Listen: netip.MustParseAddrPort("127.78.0.1:0"), Server: moved}); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, s, moved.Addr(), 4); err != nil {
		t.Error(err)
	}
	if err := s.Apply(sntp.Config{Listen: netip.MustParseAddrPort("127.78.0.1:0")}); err == nil || !strings.Contains(err.Error(), "sntp.server") {
		t.Errorf("a box without an address: %v", err)
	}
}
