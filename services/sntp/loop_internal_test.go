package sntp

import (
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/internal/udp"
)

// stillClock is right and never changes.
type stillClock struct{}

func (stillClock) Now() time.Time                    { return time.Now() }
func (stillClock) Adjust(system time.Time) time.Time { return system }
func (stillClock) Quality() Quality {
	return Quality{Stratum: 3, ReferenceID: [4]byte{10, 0, 0, 1}, Precision: -20}
}

// bench is a loop on a socket of loopback, and a client's socket.
func bench(t testing.TB) (*loop, *net.UDPConn) {
	t.Helper()
	box := netip.MustParsePrefix("127.77.0.1/16")
	s, err := New(Config{Listen: netip.AddrPortFrom(box.Addr(), 0), Server: box}, Deps{
		Clock: stillClock{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := udp.Listen(t.Context(), s.cfg.Load().listen())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.StampArrivals()
	l := &loop{s: s, conn: conn}
	if l.in, err = udp.NewInbox(conn, readBatch, largestPacket); err != nil {
		t.Fatal(err)
	}
	if l.out, err = udp.NewOutbox(conn, sendBatch, packetSize); err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 1, 5)}, net.UDPAddrFromAddrPort(conn.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return l, c
}

// round sends n requests, lets the loop answer them, and reads the answers.
func round(t testing.TB, l *loop, c *net.UDPConn, n int, q, a []byte) {
	for range n {
		if _, err := c.Write(q); err != nil {
			t.Fatal(err)
		}
	}
	for got := 0; got < n; {
		read, err := l.in.Read()
		if err != nil {
			t.Fatal(err)
		}
		l.batch(read)
		got += read
	}
	for range n {
		if _, err := c.Read(a); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingIsAllocatedForARequest(t *testing.T) {
	l, c := bench(t)
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	l.s.cfg.Load().Limit = Limit{PerSecond: 1e6, Burst: 1e6}
	q, a := make([]byte, packetSize), make([]byte, 100)
	q[0] = 4<<3 | modeClient
	round(t, l, c, 8, q, a) // its first events
	if n := testing.AllocsPerRun(200, func() { round(t, l, c, 20, q, a) }); n > 0 {
		t.Errorf("%v allocations for 20 requests, want none", n)
	}
}

// TestTheReceiveTimeIsTheKernels: a request that waited in the socket is answered with the time at which it came.
func TestTheReceiveTimeIsTheKernels(t *testing.T) {
	l, c := bench(t)
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	q, a := make([]byte, packetSize), make([]byte, 100)
	q[0] = 4<<3 | modeClient
	before := stamp(time.Now())
	if _, err := c.Write(q); err != nil {
		t.Fatal(err)
	}
	after := stamp(time.Now())
	time.Sleep(50 * time.Millisecond) // it waits: that is what is tested
	n, err := l.in.Read()
	if err != nil || n != 1 {
		t.Fatalf("%d packets, %v", n, err)
	}
	l.batch(n)
	if _, err := c.Read(a); err != nil {
		t.Fatal(err)
	}
	received, sent := binary.BigEndian.Uint64(a[atReceive:]), binary.BigEndian.Uint64(a[atTransmit:])
	const slack = 1 << 32 / 1000 // a kernel's clock is read with less effort than ours
	if received+slack < before || received > after+slack {
		t.Errorf("received %d after it was sent and %d before the write was over, in 2^-32 s", int64(received-before), int64(after-received))
	}
	if stay := time.Duration((sent - received) * 1e9 >> 32); stay < 50*time.Millisecond {
		t.Errorf("it was here for %s, and waited for 50 ms", stay)
	}
}

func BenchmarkAnswer(b *testing.B) {
	l, c := bench(b)
	l.s.cfg.Load().Limit = Limit{PerSecond: 1e6, Burst: 1e6}
	q, a := make([]byte, packetSize), make([]byte, 100)
	q[0] = 4<<3 | modeClient
	b.ReportAllocs()
	for b.Loop() {
		round(b, l, c, 16, q, a)
	}
}
