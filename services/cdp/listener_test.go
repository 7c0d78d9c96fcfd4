package cdp_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"phonebox/services/cdp"
	"phonebox/services/testkit"
)

const limit = 20 * time.Second // for the slowest machine; nothing takes that long

// listener is one that runs.
type listener struct {
	*cdp.Listener
	events  chan cdp.Event
	metrics *prometheus.Registry
}

func newListener(t *testing.T, iface string) listener {
	t.Helper()
	l := listener{events: make(chan cdp.Event, 100), metrics: prometheus.NewRegistry()}
	made, err := cdp.New(cdp.Config{Interface: iface}, cdp.Deps{
		Log: slog.New(slog.DiscardHandler), Report: func(e cdp.Event) { l.events <- e }, Metrics: l.metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Listener = made
	return l
}

// run runs a listener until the test ends, or stop is called.
func (l listener) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func (l listener) waitReady(t *testing.T) {
	t.Helper()
	select {
	case <-l.Ready():
	case <-time.After(limit):
		t.Fatal("it does not listen")
	}
}

// next returns the next announcement that is reported.
func (l listener) next(t *testing.T) cdp.Event {
	t.Helper()
	select {
	case e := <-l.events:
		return e
	case <-time.After(limit):
		t.Fatal("nothing is reported")
		panic("unreachable")
	}
}

// dropped reads the counter of one reason.
func (l listener) dropped(t *testing.T, reason string) float64 {
	t.Helper()
	families, err := l.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "phonebox_cdp_dropped_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// sender sends raw frames from a host of the LAN.
func sender(t *testing.T, n *testkit.Node) func([]byte) {
	t.Helper()
	conn := testkit.In(t, n, func() (*packet.Conn, error) {
		ifi, err := net.InterfaceByName(testkit.Interface)
		if err != nil {
			return nil, err
		}
		return packet.Listen(ifi, packet.Raw, unix.ETH_P_802_2, nil)
	})
	t.Cleanup(func() { conn.Close() })
	return func(frame []byte) {
		t.Helper()
		if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])}); err != nil {
			t.Fatal(err)
		}
	}
}

func hosts() []testkit.Host {
	return []testkit.Host{{Name: "box"}, {Name: "phone", MAC: deskMAC.String()}}
}

func TestPhonesAreHeardOnTheWire(t *testing.T) {
	t.Parallel()
	testkit.Reexec(t, "box", hosts(), func(t *testing.T, lan *testkit.LAN) {
		l := newListener(t, testkit.Interface)
		stop := l.run(t)
		l.waitReady(t)
		send := sender(t, lan.Node("phone"))

		malformed := desk().bytes()
		malformed[22] = 9 // a version of CDP that there is not
		other, forged, tagged, vtp := desk(), desk(), desk(), desk().bytes()
		other.name, other.platform = "core.example", "cisco WS-C3560"
		forged.name = "SEP0006D7AA2A2F"
		tagged.tag, tagged.version = "\x81\x00\x00\x05", "P00307020300"
		vtp[21] = 3 // not CDP: the kernel keeps it away
		for _, b := range [][]byte{malformed, other.bytes(), forged.bytes(), tagged.bytes(), vtp, desk().bytes(), desk().bytes()} {
			send(b)
		}
		if e := l.next(t); e.MAC != deskMAC || e.Model() != "7960" || e.Load() != "P00308010200" || e.Time.IsZero() {
			t.Errorf("reported %+v", e)
		}
		news := desk()
		news.version = "P0S3-8-12-00"
		send(news.bytes())
		if e := l.next(t); e.Load() != "P0S3-8-12-00" {
			t.Errorf("reported %+v", e)
		}
		for _, reason := range []string{"malformed", "not_a_phone", "other_sender", "repeated"} {
			if n := l.dropped(t, reason); n != 1 {
				t.Errorf("%v frames are counted as %s, wanted 1", n, reason)
			}
		}
		stop()
		l.run(t) // once more
		send = sender(t, lan.Node("phone"))
		testkit.Eventually(t, limit, "the second Run hears", func() bool {
			news.version = "P0S3-8-11-00"
			send(news.bytes())
			return len(l.events) > 0 || l.dropped(t, "repeated") > 1
		})
	})
}

func TestTheInterfaceMayComeAndGo(t *testing.T) {
	t.Parallel()
	testkit.Reexec(t, "box", hosts(), func(t *testing.T, lan *testkit.LAN) {
		box := lan.Node("box")
		box.RemoveInterface(t)
		l := newListener(t, testkit.Interface)
		l.run(t)
		box.RestoreInterface(t)
		l.waitReady(t)
		send := sender(t, lan.Node("phone"))
		send(desk().bytes())
		l.next(t)
		box.RemoveInterface(t)
		box.RestoreInterface(t)
		again := desk()
		again.version = "P0S3-8-12-00"
		testkit.Eventually(t, limit, "the new interface is heard", func() bool {
			send(again.bytes())
			return len(l.events) > 0
		})
	})
}

func TestRunSaysThatItIsOff(t *testing.T) {
	t.Parallel()
	if err := newListener(t, "").Run(t.Context()); !errors.Is(err, cdp.ErrOff) {
		t.Errorf("without an interface: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		// This thread alone gives up its right to raw frames, and ends with the goroutine.
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			done <- err
			return
		}
		done <- newListener(t, "lo").Run(t.Context())
	}()
	if err := <-done; !errors.Is(err, cdp.ErrOff) {
		t.Errorf("without the right to raw frames: %v", err)
	}
}

func TestNewChecksWhatItGets(t *testing.T) {
	t.Parallel()
	if _, err := cdp.New(cdp.Config{}, cdp.Deps{}); err == nil {
		t.Error("missing deps are accepted")
	}
	deps := cdp.Deps{Log: slog.New(slog.DiscardHandler), Report: func(cdp.Event) {}, Metrics: prometheus.NewRegistry()}
	if _, err := cdp.New(cdp.Config{}, deps); err != nil {
		t.Error(err)
	}
	if _, err := cdp.New(cdp.Config{}, deps); err == nil {
		t.Error("registering twice is no error")
	}
}
