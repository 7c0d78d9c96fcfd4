package sntp_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/services/sntp"
	"phonebox/services/testkit"
)

// client is a socket of a phone that talks to the server's port.
func client(t *testing.T, addr string, port int) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(addr), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange sends a request and returns its answer.
func exchange(t *testing.T, c *net.UDPConn, to netip.AddrPort, first byte) []byte {
	t.Helper()
	q := make([]byte, 48)
	q[0], q[2] = first, 6
	copy(q[40:], "transmit")
	if _, err := c.WriteToUDPAddrPort(q, to); err != nil {
		t.Fatal(err)
	}
	a := make([]byte, 100)
	n, from, err := c.ReadFromUDPAddrPort(a)
	if err != nil {
		t.Fatal(err)
	}
	if n != 48 || from.Addr() != box.Addr() || from.Port() != to.Port() || string(a[24:32]) != "transmit" {
		t.Fatalf("%d bytes from %s: % x", n, from, a[:n])
	}
	return a[:n]
}

func TestEachVersionAndModeIsAnsweredAsAsked(t *testing.T) {
	s, ev, _ := start(t, "0.0.0.0:0", sntp.Quality{Stratum: 2, ReferenceTime: time.Now()})
	c := client(t, "127.77.1.7", 0)
	to := netip.AddrPortFrom(box.Addr(), s.Addr().Port())
	for _, tt := range []struct{ first, want byte }{
		{1<<3 | 3, 1<<3 | 4}, {2<<3 | 3, 2<<3 | 4}, {3<<3 | 3, 3<<3 | 4}, {4<<3 | 3, 4<<3 | 4}, // clients
		{1 << 3, 1<<3 | 4},                         // version 1 without a mode
		{3<<3 | 1, 3<<3 | 2}, {4<<3 | 1, 4<<3 | 2}, // peers
		{3<<6 | 4<<3 | 3, 4<<3 | 4}, {1<<3 | 1, 1<<3 | 2}, // a client whose own clock is not set; a peer of version 1
	} {
		if a := exchange(t, c, to, tt.first); a[0] != tt.want {
			t.Errorf("%#x was answered with %#x, want %#x", tt.first, a[0], tt.want)
		}
	}
	ev.wait(t, "an event says how it was asked", func(e sntp.Event) bool {
		return e.Kind == sntp.EventAnswered && e.Mode == 3 && e.Version == 1 && e.Destination == sntp.ToBox && e.To == box.Addr() && e.Count == 1
	})
}

// TestAClientInALoopIsToldToStop: it gets its bucket, one kiss, and then nothing; others are answered all the while.
func TestAClientInALoopIsToldToStop(t *testing.T) {
	s, ev, reg := start(t, "0.0.0.0:0", sntp.Quality{Stratum: 2, ReferenceTime: time.Now()})
	if err := s.Apply(sntp.Config{Listen: netip.MustParseAddrPort("0.0.0.0:0"), Server: box, Limit: sntp.Limit{PerSecond: 1, Burst: 5}}); err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(box.Addr(), s.Addr().Port())
	greedy := client(t, "127.77.1.8", 0)
	kissed := false
	for range 20 { // the machine may be so slow that the bucket fills meanwhile
		a := exchange(t, greedy, to, 4<<3|3)
		if a[1] == 0 && a[0]>>6 == 3 && string(a[12:16]) == "RATE" {
			kissed = true
			break
		}
		if a[1] != 2 {
			t.Fatalf("before its bucket is empty it gets % x", a[:16])
		}
	}
	if !kissed {
		t.Fatal("it was never told to ask less often")
	}
	for range 50 {
		if _, err := greedy.WriteToUDPAddrPort(append([]byte{4<<3 | 3}, make([]byte, 47)...), to); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, 30*time.Second, "its further requests are counted", func() bool {
		return count(t, reg, "phonebox_sntp_dropped_total", "rate") > 20
	})
	if a := exchange(t, client(t, "127.77.1.9", 0), to, 4<<3|3); a[1] != 2 {
		t.Errorf("another client gets % x", a[:16])
	}
	if n := count(t, reg, "phonebox_sntp_kisses_total", ""); n < 1 || n > 20 {
		t.Errorf("%v kisses", n)
	}
	ev.wait(t, "an event says that it asks too often", func(e sntp.Event) bool {
		return e.Kind == sntp.EventDropped && strings.Contains(e.Reason, "asks too often") && e.From.Addr().String() == "127.77.1.8"
	})
}

// TestTheBroadcastOnLoopback: a mode-5 packet goes to the subnet once the time is known, and none before.
func TestTheBroadcastOnLoopback(t *testing.T) {
	q := sntp.Quality{Leap: sntp.LeapUnsync}
	c := &changing{q: q}
	s, _ := startWith(t, sntp.Config{Listen: netip.AddrPortFrom(box.Addr(), 0), Server: box, Broadcast: time.Second}, c)
	// The address of everybody of 127.77/16 is one of this host's: whoever binds it gets the broadcast.
	ear := client(t, "127.77.255.255", int(s.Addr().Port()))
	if err := ear.SetReadDeadline(time.Now().Add(2500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	a := make([]byte, 100)
	if n, from, err := ear.ReadFromUDPAddrPort(a); err == nil {
		t.Fatalf("a box that does not know the time broadcasts % x from %s", a[:n], from)
	}
	c.set(sntp.Quality{Stratum: 5, ReferenceTime: time.Now()})
	if err := ear.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, from, err := ear.ReadFromUDPAddrPort(a)
	if err != nil || n != 48 || a[0] != 3<<3|5 || a[1] != 5 || from != netip.AddrPortFrom(box.Addr(), s.Addr().Port()) {
		t.Fatalf("%d bytes from %s, %v: % x", n, from, err, a[:n])
	}
	sent := int64(binary.BigEndian.Uint32(a[40:])) - 2208988800
	if off := time.Until(time.Unix(sent, 0)) - time.Hour; off.Abs() > 30*time.Second {
		t.Errorf("the time of the broadcast is %s off", off)
	}
}
