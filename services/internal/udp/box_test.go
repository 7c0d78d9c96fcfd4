package udp_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/services/internal/udp"
)

func newInbox(t testing.TB, c *udp.Conn, count, size int) *udp.Inbox {
	t.Helper()
	in, err := udp.NewInbox(c, count, size)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func newOutbox(t testing.TB, c *udp.Conn, count, size int) *udp.Outbox {
	t.Helper()
	out, err := udp.NewOutbox(c, count, size)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What one socket sends in a batch comes to the other with its addresses and bytes; each answer leaves from the address
// that it is told to leave from.
func TestBoxesCarryDatagrams(t *testing.T) {
	t.Parallel()
	server := listen(t, udp.ListenConfig{Addr: netip.MustParseAddrPort("0.0.0.0:0")})
	client := dial(t, "127.77.1.2", netip.AddrPortFrom(netip.MustParseAddr("127.77.3.9"), server.LocalAddr().Port()))
	in, out := newInbox(t, server, 4, 16), newOutbox(t, server, 4, 16)
	if n, err := in.Poll(); n != 0 || err != nil || in.Waits() {
		t.Errorf("an empty socket: %d datagrams, %v", n, err)
	}
	for round := range 3 {
		for i := range 6 {
			if _, err := fmt.Fprintf(client, "%d.%d", round, i); err != nil {
				t.Fatal(err)
			}
		}
		if !in.Waits() {
			t.Error("nothing waits although datagrams came")
		}
		for got := 0; got < 6; {
			n, err := in.Read()
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				p := in.Packet(i)
				if string(p.Payload) != fmt.Sprintf("%d.%d", round, got) || p.To.String() != "127.77.3.9" || p.Index == 0 || p.Truncated || p.From.String() != client.LocalAddr().String() {
					t.Errorf("datagram %d: got %+v", got, p)
				}
				got++
				out.Add(p.From, p.To, p.Payload)
			}
			out.Flush(func(err error) { t.Error(err) })
		}
		buf := make([]byte, 100)
		for i := range 6 { // a connected socket takes them from the asked address only
			if n, err := client.Read(buf); err != nil || string(buf[:n]) != fmt.Sprintf("%d.%d", round, i) {
				t.Fatalf("answer %d: got %q, %v", i, buf[:n], err)
			}
		}
	}
	if _, err := client.Write(bytes.Repeat([]byte("long"), 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Read(); err != nil || !in.Packet(0).Truncated || string(in.Packet(0).Payload) != "longlonglonglong" {
		t.Errorf("a datagram of 20 bytes: got %+v, %v", in.Packet(0), err)
	}
}

// A datagram waits from when it comes until who reads asks for the next one, so that there is no moment in which it is
// neither in the socket nor handled.
func TestDatagramWaitsUntilItIsHandled(t *testing.T) {
	t.Parallel()
	server := listen(t, udp.ListenConfig{Addr: netip.MustParseAddrPort("127.77.0.1:0")})
	client, in := dial(t, "127.77.1.2", server.LocalAddr()), newInbox(t, server, 4, 16)
	empty := func(when string, read func() (int, error)) {
		t.Helper()
		if n, _ := read(); n != 0 || in.Waits() {
			t.Errorf("%s: %d datagrams came, waits is %v", when, n, in.Waits())
		}
	}
	for range 2 {
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if !in.Waits() {
			t.Error("nothing waits although a datagram came")
		}
		if n, err := in.Read(); n != 1 || err != nil || !in.Waits() {
			t.Errorf("it was read and not handled: %d datagrams, %v, waits is %v", n, err, in.Waits())
		}
		empty("handled", in.Poll)
	}
	if err := server.UDP.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	empty("while it is waited for the next", in.Read)
}

// Only the datagrams that cannot be sent are told, wherever in a batch they stand, and a deadline ends a read.
func TestBoxesTellErrors(t *testing.T) {
	t.Parallel()
	server := listen(t, udp.ListenConfig{Addr: anyPort})
	sink := listen(t, udp.ListenConfig{Addr: anyPort})
	out, in := newOutbox(t, server, 5, 16), newInbox(t, sink, 5, 16)
	good, notOurs := netip.Addr{}, netip.MustParseAddr("192.0.2.1")
	for i, from := range []netip.Addr{notOurs, good, notOurs, good, notOurs} {
		if out.Room() != 5-i {
			t.Fatalf("room for %d with %d of 5", out.Room(), i)
		}
		out.Add(sink.LocalAddr(), from, []byte{byte(i)})
	}
	failures := 0
	out.Flush(func(error) { failures++ })
	if failures != 3 || out.Room() != 5 {
		t.Errorf("%d datagrams failed, want 3", failures)
	}
	for _, want := range []byte{1, 3} {
		in1 := newInbox(t, sink, 1, 16)
		if n, err := in1.Read(); n != 1 || err != nil || in1.Packet(0).Payload[0] != want {
			t.Errorf("got %d datagrams, %v, want datagram %d", n, err, want)
		}
	}
	if err := sink.UDP.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a deadline that was exceeded", err)
	}
	server.Close()
	out.Add(sink.LocalAddr(), good, nil)
	out.Add(sink.LocalAddr(), good, nil)
	closed := 0
	out.Flush(func(err error) {
		if !errors.Is(err, unix.EBADF) {
			closed++
		}
	})
	if closed != 2 {
		t.Errorf("%d datagrams failed on a closed socket, want 2", closed)
	}
}

func TestBoxesAllocateNothing(t *testing.T) {
	server := listen(t, udp.ListenConfig{Addr: anyPort})
	in, out := newInbox(t, server, 8, 16), newOutbox(t, server, 8, 16)
	payload, to := []byte("x"), server.LocalAddr()
	if allocs := testing.AllocsPerRun(100, func() {
		for range 8 {
			out.Add(to, to.Addr(), payload)
		}
		out.Flush(nil)
		for got := 0; got < 8; {
			n, err := in.Read()
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if p := in.Packet(i); len(p.Payload) != 1 {
					t.Fatalf("got %+v", p)
				}
			}
			got += n
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for 8 datagrams", allocs)
	}
}
