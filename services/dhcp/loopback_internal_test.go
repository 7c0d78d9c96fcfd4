package dhcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// loopbackConfig is the box of -try: at 127.77.0.1, the phones are their own relays.
func loopbackConfig() Config {
	return Config{
		Listen: netip.MustParseAddrPort("127.77.0.1:0"), Server: netip.MustParsePrefix("127.77.0.1/16"),
		Pool:  []lease.Range{{First: ip("127.77.1.1"), Last: ip("127.77.3.250")}},
		Lease: time.Hour, Relayed: true,
	}
}

// running starts a server under Run; stop ends it and checks that Run returns nil in time.
func running(t *testing.T, cfg Config, store Store) (s *Server, stop func()) {
	t.Helper()
	s, err := New(cfg, Deps{
		Clock: &fakeClock{trusted: true}, Store: store, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}, Wire: newWire(),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop = run(t, s)
	select {
	case <-s.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("the server is not ready")
	}
	return s, stop
}

func run(t *testing.T, s *Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: got %v, want nil", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("Run does not return")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// relay is a phone that is its own relay: a socket on an address of the subnet, with a port of its own.
type relay struct {
	t    *testing.T
	conn *net.UDPConn
	self netip.AddrPort
}

func newRelay(t *testing.T, at string) *relay {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip(at), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &relay{t, conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()}
}

// option82 is what the relay adds: its port (RFC 8357) and a circuit.
func (r *relay) option82() []byte { return []byte{19, 0, 1, 2, 'p', '1'} }

func (r *relay) mods() []dhcpv4.Modifier {
	return []dhcpv4.Modifier{
		dhcpv4.WithGatewayIP(r.self.Addr().AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRelayAgentInformation, r.option82())),
	}
}

// exchange sends a packet, again every second, and returns the answer to it, or nil when none came in that time.
func (r *relay) exchange(s *Server, msg *dhcpv4.DHCPv4, patience time.Duration) (*dhcpv4.DHCPv4, error) {
	buf := make([]byte, 1500)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := r.conn.WriteToUDPAddrPort(msg.ToBytes(), s.Addr()); err != nil {
			return nil, err
		}
		if err := r.conn.SetReadDeadline(time.Now().Add(min(time.Second, patience))); err != nil {
			return nil, err
		}
		for {
			n, from, err := r.conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				break
			}
			got, err := dhcpv4.FromBytes(buf[:n])
			if err != nil || from != s.Addr() {
				return nil, fmt.Errorf("%s from %s: %w", got, from, err)
			}
			if got.TransactionID == msg.TransactionID {
				return got, nil
			}
		}
	}
	return nil, nil
}

func (r *relay) want(s *Server, typ dhcpv4.MessageType, msg *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	r.t.Helper()
	got, err := r.exchange(s, msg, 10*time.Second)
	if err != nil || got == nil || got.MessageType() != typ {
		r.t.Fatalf("%s: got %v, %v, want %s", msg.MessageType(), got, err, typ)
	}
	return got
}

func (r *relay) packet(typ dhcpv4.MessageType, who phone.MAC, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	return packet(r.t, typ, who, append(r.mods(), mods...)...)
}

func TestPhoneBootsThroughItsOwnRelay(t *testing.T) {
	t.Parallel()
	store := newStore()
	s, _ := running(t, loopbackConfig(), store)
	r := newRelay(t, "127.77.9.1")
	got := r.want(s, msgOffer, r.packet(msgDiscover, mac(1)))
	addr := addrOf(got.YourIPAddr)
	if !ip("127.77.1.0").Less(addr) || got.TFTPServerName() != "127.77.0.1" || string(got.Options.Get(dhcpv4.OptionRelayAgentInformation)) != string(r.option82()) {
		t.Errorf("got %s", got.Summary())
	}
	request := r.packet(msgRequest, mac(1), wanted(addr.String()), toServer("127.77.0.1"))
	ack := r.want(s, msgAck, request)
	if rec, ok := store.record(addr.String()); !ok || rec.Key != lease.MACKey(mac(1)) || addrOf(ack.YourIPAddr) != addr {
		t.Errorf("after the ACK: stored %+v, acknowledged %s", rec, ack.YourIPAddr)
	}
	r.want(s, msgAck, r.packet(msgRequest, mac(1), has(addr.String())))
	nak := r.want(s, msgNak, r.packet(msgRequest, mac(1), wanted("192.168.1.9")))
	if !nak.IsBroadcast() || addrOf(nak.GatewayIPAddr) != r.self.Addr() {
		t.Errorf("NAK through a relay: got %s", nak.Summary())
	}
	r.want(s, msgAck, r.packet(msgInform, mac(1), has(addr.String())))
	if l, ok := s.LeaseFor(mac(1)); !ok || l.Address != addr {
		t.Errorf("got %+v, %v", l, ok)
	}
}

func TestTwoHundredPhonesAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := running(t, loopbackConfig(), newStore())
	var wg sync.WaitGroup
	var mu sync.Mutex
	owner := make(map[netip.Addr]phone.MAC)
	errs := make(chan error, 200)
	for n := range 200 {
		r := newRelay(t, fmt.Sprintf("127.77.9.%d", 1+n))
		wg.Go(func() {
			who := phone.MAC{0, 6, 0xd7, 1, byte(n >> 8), byte(n)}
			offered, err := r.exchange(s, r.packet(msgDiscover, who), 20*time.Second)
			if err != nil || offered == nil {
				errs <- fmt.Errorf("%s: no OFFER: %w", who, err)
				return
			}
			ack, err := r.exchange(s, r.packet(msgRequest, who, wanted(offered.YourIPAddr.String()), toServer("127.77.0.1")), 20*time.Second)
			if err != nil || ack == nil || ack.MessageType() != msgAck {
				errs <- fmt.Errorf("%s: got %v, %w, want an ACK", who, ack, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			addr := addrOf(ack.YourIPAddr)
			if was, twice := owner[addr]; twice {
				errs <- fmt.Errorf("%s given to %s and %s", addr, was, who)
			}
			owner[addr] = who
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if got := len(s.Leases()); got != 200 {
		t.Errorf("got %d leases, want 200", got)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	everywhere := loopbackConfig()
	everywhere.Listen = netip.MustParseAddrPort("0.0.0.0:0")
	everywhere.Interface = "voice9" // absent: only packets of the box to itself come through
	held := everywhere
	held.Relayed = false // the look is not over: nothing else is answered
	for name, cfg := range map[string]Config{"on loopback": loopbackConfig(), "on every address": everywhere, "while held": held} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, stop := running(t, cfg, newStore())
			if err := s.Probe(t.Context()); err != nil {
				t.Errorf("running: %v", err)
			}
			if got := counted(t, s.metrics.replies.WithLabelValues("ACK")); got != 0 {
				t.Errorf("the probe counts as %v clients", got)
			}
			stop()
			if err := s.Probe(t.Context()); err == nil {
				t.Error("stopped: got nil, want an error")
			}
		})
	}
	s, err := New(loopbackConfig(), Deps{Clock: &fakeClock{}, Store: newStore(), Wire: newWire(), Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "not bound") {
		t.Errorf("before it runs: got %v", err)
	}
}

func TestPacketsOfOtherInterfacesAreNotServed(t *testing.T) {
	t.Parallel()
	cfg := loopbackConfig()
	cfg.Interface = "voice9"
	s, _ := running(t, cfg, newStore())
	r := newRelay(t, "127.77.9.1")
	if got, err := r.exchange(s, r.packet(msgDiscover, mac(1)), 200*time.Millisecond); got != nil || err != nil {
		t.Errorf("got %v, %v, want silence", got, err)
	}
	if got := counted(t, s.metrics.dropped.WithLabelValues("other_interface")); got == 0 {
		t.Error("the packet was not counted")
	}
}

func TestGarbageAndPanicsLeaveTheServerAlive(t *testing.T) {
	t.Parallel()
	s, _ := running(t, loopbackConfig(), newStore())
	r := newRelay(t, "127.77.9.1")
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		b := r.packet(msgDiscover, mac(1)).ToBytes()
		b = b[:rnd.IntN(len(b)+1)]
		for range rnd.IntN(20) {
			if len(b) > 0 {
				b[rnd.IntN(len(b))] = byte(rnd.Uint32())
			}
		}
		if _, err := r.conn.WriteToUDPAddrPort(b, s.Addr()); err != nil {
			t.Fatalf("packet %d: %v", n, err)
		}
	}
	s.PanicNext()
	r.want(s, msgOffer, r.packet(msgDiscover, mac(2)))
	if got := counted(t, s.metrics.panics); got != 1 {
		t.Errorf("got %v panics, want the planted one", got)
	}
}

func TestRunListensAnewAndAgain(t *testing.T) { // not parallel: it counts goroutines
	before := runtime.NumGoroutine()
	s, stop := running(t, loopbackConfig(), newStore())
	first := s.Addr()
	cfg := loopbackConfig()
	cfg.Listen = netip.AddrPortFrom(ip("127.77.0.1"), freePort(t))
	if err := s.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	until(t, "the server listens at the new address", func() bool { return s.Addr() == cfg.Listen && s.Probe(t.Context()) == nil })
	if conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(first)); err != nil {
		t.Errorf("the old socket is still open: %v", err)
	} else {
		conn.Close()
	}
	stop()
	stop = run(t, s)
	until(t, "the server runs a second time", func() bool { return s.Probe(t.Context()) == nil })
	stop()
	until(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
}

func TestRunSaysThatThePortIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := loopbackConfig()
	cfg.Listen = taken.LocalAddr().(*net.UDPAddr).AddrPort()
	s, err := New(cfg, Deps{Clock: &fakeClock{}, Store: newStore(), Wire: newWire(), Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.Listen.String()) {
		t.Errorf("got %v, want an error that names %s", err, cfg.Listen)
	}
}

func TestPanicOfAHelperEndsServeWithAnError(t *testing.T) {
	t.Parallel()
	store := newStore()
	store.onCommit(func([]lease.Record) error { panic("planted in the store") })
	s, err := New(loopbackConfig(), Deps{Clock: &fakeClock{}, Store: store, Wire: newWire(), Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	<-s.Ready()
	r := newRelay(t, "127.77.9.1")
	if _, err := r.exchange(s, r.packet(msgRequest, mac(1), wanted("127.77.1.5"), toServer("127.77.0.1")), 100*time.Millisecond); err != nil {
		t.Fatal(err) // its silence is looked at below
	}
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "writing leases") {
			t.Errorf("got %v, want an error that names the operation", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on without its committer")
	}
	store.onCommit(nil)
	stop := run(t, s)
	defer stop()
	until(t, "it serves again", func() bool { return s.Probe(t.Context()) == nil })
	r.want(s, msgAck, r.packet(msgRequest, mac(1), wanted("127.77.1.5"), toServer("127.77.0.1")))
}

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if ok() {
			return
		}
		if err := pause(t.Context(), 5*time.Millisecond); errors.Is(err, context.Canceled) {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}
