package udp_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/internal/udp"
)

// TestArrivalsAreStampedByTheKernel: with SO_TIMESTAMPING as without, the time of a datagram is when it came, not when it was
// read.
func TestArrivalsAreStampedByTheKernel(t *testing.T) {
	for _, stamp := range []bool{false, true} {
		c := listen(t, udp.ListenConfig{Addr: netip.MustParseAddrPort("127.77.0.1:0")})
		if stamp {
			c.StampArrivals()
		}
		in, err := udp.NewInbox(c, 4, 100)
		if err != nil {
			t.Fatal(err)
		}
		phone := dial(t, "127.77.1.5", c.LocalAddr())
		before := time.Now()
		if _, err := phone.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
		after := time.Now()
		time.Sleep(30 * time.Millisecond) // it waits: that is what is tested
		if n, err := in.Read(); err != nil || n != 1 {
			t.Fatalf("%d datagrams, %v", n, err)
		}
		const slack = time.Millisecond
		p := in.Packet(0)
		if p.Received.Before(before.Add(-slack)) || p.Received.After(after.Add(slack)) {
			t.Errorf("with SO_TIMESTAMPING %v: received at %s, it was sent between %s and %s", stamp, p.Received, before, after)
		}
		if p.To != netip.MustParseAddr("127.77.0.1") || p.Index == 0 || in.Lost() != 0 {
			t.Errorf("with SO_TIMESTAMPING %v: %+v", stamp, p)
		}
	}
}

// TestAnAnswerThroughAnInterface: AddVia says which way, Add after it leaves that to the routes again, and what waits can be
// changed until it is sent.
func TestAnAnswerThroughAnInterface(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	c := listen(t, udp.ListenConfig{Addr: netip.MustParseAddrPort("0.0.0.0:0")})
	out, err := udp.NewOutbox(c, 2, 100)
	if err != nil {
		t.Fatal(err)
	}
	box := netip.MustParseAddr("127.77.0.1")
	phone := dial(t, "127.77.1.5", netip.AddrPortFrom(box, c.LocalAddr().Port()))
	to := phone.LocalAddr().(*net.UDPAddr).AddrPort()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	failures := 0
	flush := func() {
		t.Helper()
		out.Flush(func(error) { failures++ })
	}
	out.AddVia(lo.Index, to, box, []byte("first"))
	copy(out.Queued(0), "FIRST")
	if out.Len() != 1 || out.Room() != 1 {
		t.Errorf("%d wait, room for %d", out.Len(), out.Room())
	}
	flush()
	out.AddVia(1<<30, to, box, []byte("no such interface"))
	flush()
	if failures != 1 {
		t.Errorf("%d failures of a way that is not there, want one", failures)
	}
	out.Add(to, box, []byte("second"))
	flush()
	if failures != 1 {
		t.Error("Add kept the interface of AddVia")
	}
	for _, want := range []string{"FIRST", "second"} {
		buf := make([]byte, 100)
		if n, err := phone.Read(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("got %q, %v, want %q", buf[:n], err, want)
		}
	}
}
