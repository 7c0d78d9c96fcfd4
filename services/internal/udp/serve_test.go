package udp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/internal/udp"
)

const patience = 5 * time.Second

// listen opens a server socket on an address of loopback.
func listen(t *testing.T, cfg udp.ListenConfig) *udp.Conn {
	t.Helper()
	c, err := udp.Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// start runs Serve and returns what ends it and waits for its result.
func start(t *testing.T, c *udp.Conn, h udp.Handler, hooks udp.Hooks) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- udp.Serve(ctx, c, h, hooks) }()
	return func() error {
		cancel()
		return receive(t, done, "the end of Serve")
	}
}

// dial opens a client socket bound to local that talks to the server alone.
func dial(t *testing.T, local string, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	laddr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(local), 0))
	c, err := net.DialUDP("udp4", laddr, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(t *testing.T, c *net.UDPConn, text string) string {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatalf("sending %q: %v", text, err)
	}
	buf := make([]byte, 2000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("no answer to %q: %v", text, err)
	}
	return string(buf[:n])
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// echo answers each packet with its own bytes.
func echo(p *udp.Packet, replies []udp.Reply) []udp.Reply {
	return append(replies, udp.Reply{Payload: append([]byte(nil), p.Payload...), To: p.From, From: p.To})
}

var anyPort = netip.MustParseAddrPort("127.77.0.1:0")

func TestPacketTellsWhereItCameFrom(t *testing.T) {
	t.Parallel()
	c := listen(t, udp.ListenConfig{Addr: netip.MustParseAddrPort("0.0.0.0:0")})
	got := make(chan udp.Packet, 1)
	stop := start(t, c, func(p *udp.Packet, r []udp.Reply) []udp.Reply {
		q := *p
		q.Payload = append([]byte(nil), p.Payload...)
		got <- q
		return r
	}, udp.Hooks{})
	to := netip.AddrPortFrom(netip.MustParseAddr("127.77.3.9"), c.LocalAddr().Port())
	client := dial(t, "127.77.1.2", to)
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	p := receive(t, got, "the packet")
	if string(p.Payload) != "hello" || p.From.Addr().String() != "127.77.1.2" || p.To != to.Addr() || p.Index != lo.Index {
		t.Errorf("got %q from %v to %v on %d, want hello from 127.77.1.2 to %v on %d", p.Payload, p.From, p.To, p.Index, to.Addr(), lo.Index)
	}
	if d := p.Received.Sub(before); d < -time.Second || d > patience {
		t.Errorf("received %v after it was sent", d)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// The time is the kernel's: packets that waited in the socket carry the time at which they came, not that of the read.
// The kernel starts to stamp packets from a work queue some time after the first socket asked for it (Linux
// net_enable_timestamp), and a packet that came before gets the time of its read; so a first socket asks and stays open,
// and a round that came too early is tried again.
func TestReceiveTimeIsThatOfTheKernel(t *testing.T) {
	t.Parallel()
	listen(t, udp.ListenConfig{Addr: anyPort})
	var late time.Duration
	for range 50 {
		if late = lateRead(t); late < 20*time.Millisecond {
			return
		}
	}
	t.Errorf("the packet is said to be received %v after it was sent, when it was read", late)
}

// lateRead sends a packet to a server that begins to read 50 ms later, and returns how long after its sending the packet
// is said to be received.
func lateRead(t *testing.T) time.Duration {
	t.Helper()
	c := listen(t, udp.ListenConfig{Addr: anyPort})
	client := dial(t, "127.77.1.2", c.LocalAddr())
	if _, err := client.Write([]byte("early")); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	waited := time.NewTimer(50 * time.Millisecond)
	<-waited.C // the server is late; nothing is synchronised by this
	got := make(chan time.Time, 1)
	stop := start(t, c, func(p *udp.Packet, r []udp.Reply) []udp.Reply {
		got <- p.Received
		return r
	}, udp.Hooks{})
	at := receive(t, got, "the packet")
	if err := stop(); err != nil {
		t.Error(err)
	}
	return at.Sub(sent)
}

func TestReplyComesFromTheAskedAddress(t *testing.T) {
	t.Parallel()
	c := listen(t, udp.ListenConfig{Addr: netip.MustParseAddrPort("0.0.0.0:0")})
	stop := start(t, c, echo, udp.Hooks{})
	for _, addr := range []string{"127.77.0.1", "127.77.0.2", "127.0.0.1"} {
		// A connected client takes answers from that address alone.
		client := dial(t, "127.77.1.2", netip.AddrPortFrom(netip.MustParseAddr(addr), c.LocalAddr().Port()))
		if got := ask(t, client, addr); got != addr {
			t.Errorf("got %q, want %q", got, addr)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Many packets that wait are read in few batches, and all their answers go out.
func TestBatches(t *testing.T) {
	t.Parallel()
	const count = 300
	c := listen(t, udp.ListenConfig{Addr: anyPort})
	client := dial(t, "127.77.1.2", c.LocalAddr())
	if err := client.SetReadBuffer(1 << 20); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if _, err := fmt.Fprintf(client, "%d", i); err != nil {
			t.Fatal(err)
		}
	}
	most := 0
	stop := start(t, c, func(p *udp.Packet, r []udp.Reply) []udp.Reply {
		r = echo(p, r)
		most = max(most, len(r))
		return r
	}, udp.Hooks{SendError: func(_ udp.Reply, err error) { t.Error(err) }})
	buf := make([]byte, 100)
	for i := range count {
		n, err := client.Read(buf)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if string(buf[:n]) != fmt.Sprint(i) {
			t.Fatalf("answer %d is %q", i, buf[:n])
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if most < 2 {
		t.Errorf("at most %d packets were answered together, want a batch", most)
	}
}

// Only the datagram that cannot be sent is skipped, wherever in a batch it stands.
func TestSendSkipsOnlyWhatFails(t *testing.T) {
	t.Parallel()
	const count = 150
	c := listen(t, udp.ListenConfig{Addr: anyPort})
	sink := listen(t, udp.ListenConfig{Addr: anyPort})
	bad := map[int]udp.Reply{
		0:  {To: netip.MustParseAddrPort("255.255.255.255:9")},                                 // no SO_BROADCAST
		7:  {To: netip.MustParseAddrPort("[::1]:9")},                                           // not IPv4
		8:  {To: netip.AddrPort{}},                                                             // nothing
		64: {To: sink.LocalAddr(), From: netip.MustParseAddr("192.0.2.1")},                     // not ours
		99: {To: sink.LocalAddr(), From: netip.MustParseAddr("::1"), Payload: []byte("never")}, // not IPv4
	}
	bad[149] = udp.Reply{To: sink.LocalAddr(), Payload: make([]byte, 70_000)} // too long
	replies := make([]udp.Reply, count)
	for i := range replies {
		replies[i] = udp.Reply{To: sink.LocalAddr(), Payload: fmt.Append(nil, i)}
		if b, ok := bad[i]; ok {
			replies[i] = b
		}
	}
	if err := c.Send(replies...); err == nil {
		t.Error("no error although some could not be sent")
	}
	if err := sink.UDP.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for i := range replies {
		if _, ok := bad[i]; ok {
			continue
		}
		n, err := sink.UDP.Read(buf)
		if err != nil {
			t.Fatalf("datagram %d: %v", i, err)
		}
		if string(buf[:n]) != fmt.Sprint(i) {
			t.Fatalf("datagram %d is %q", i, buf[:n])
		}
	}
}

// A phone that went away makes the kernel report "port unreachable"; the loop and the sends go on.
func TestServeGoesOnAfterPortUnreachable(t *testing.T) {
	t.Parallel()
	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 1, 3)})
	if err != nil {
		t.Fatal(err)
	}
	peerAddr := peer.LocalAddr().(*net.UDPAddr)
	// Only a connected socket is told.
	uc, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 0, 1)}, peerAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer uc.Close()
	c, err := udp.NewConn(uc, udp.ListenConfig{})
	if err != nil {
		t.Fatal(err)
	}
	peer.Close()
	gone := udp.Reply{Payload: []byte("anybody?"), To: peerAddr.AddrPort()}
	if err := c.Send(gone); err != nil { // raises the error that the next call on the socket gets
		t.Fatal(err)
	}
	if err := c.Send(gone); err != nil {
		t.Errorf("the error of an earlier datagram failed a later one: %v", err)
	}
	stop := start(t, c, echo, udp.Hooks{})
	peer, err = net.ListenUDP("udp4", peerAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if _, err := peer.WriteTo([]byte("I am back"), uc.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := peer.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for {
		n, _, err := peer.ReadFrom(buf)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if string(buf[:n]) == "I am back" {
			break
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestPanicCostsOnlyItsPacket(t *testing.T) {
	t.Parallel()
	c := listen(t, udp.ListenConfig{Addr: anyPort})
	panicked := make(chan string, 1)
	stop := start(t, c, func(p *udp.Packet, r []udp.Reply) []udp.Reply {
		if string(p.Payload) == "bad" {
			_ = append(r, udp.Reply{Payload: []byte("half an answer"), To: p.From})
			panic("planted")
		}
		return echo(p, r)
	}, udp.Hooks{Panicked: func(v any, stack, packet []byte) {
		panicked <- fmt.Sprint(v, len(stack) > 0, string(packet))
	}})
	client := dial(t, "127.77.1.2", c.LocalAddr())
	if _, err := client.Write([]byte("bad")); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, client, "good"); got != "good" {
		t.Errorf("got %q, want the answer to the packet after the bad one", got)
	}
	if got := receive(t, panicked, "the panic"); got != fmt.Sprint("planted", true, "bad") {
		t.Errorf("the hook was told %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServeAgainAfterItsContextEnded(t *testing.T) {
	t.Parallel()
	c := listen(t, udp.ListenConfig{Addr: anyPort})
	for range 20 {
		stop := start(t, c, echo, udp.Hooks{})
		client := dial(t, "127.77.1.2", c.LocalAddr())
		if got := ask(t, client, "again"); got != "again" {
			t.Errorf("got %q", got)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServeEndsWithAnErrorWhenTheSocketIsClosed(t *testing.T) {
	t.Parallel()
	c := listen(t, udp.ListenConfig{Addr: anyPort})
	done := make(chan error, 1)
	go func() { done <- udp.Serve(t.Context(), c, echo, udp.Hooks{}) }()
	if got := ask(t, dial(t, "127.77.1.2", c.LocalAddr()), "up"); got != "up" {
		t.Fatal(got)
	}
	c.Close()
	if err := receive(t, done, "the end of Serve"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}

func TestTruncatedIsTold(t *testing.T) {
	t.Parallel()
	c := listen(t, udp.ListenConfig{Addr: anyPort})
	got := make(chan bool, 2)
	stop := start(t, c, func(p *udp.Packet, r []udp.Reply) []udp.Reply {
		got <- p.Truncated
		return r
	}, udp.Hooks{})
	client := dial(t, "127.77.1.2", c.LocalAddr())
	for _, size := range []int{4096, 4097} {
		if _, err := client.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if cut := receive(t, got, "the packet"); cut != (size > 4096) {
			t.Errorf("%d bytes: truncated is %v", size, cut)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Packets of another interface are dropped, but the box may ask itself.
func TestOnlyTheServedInterface(t *testing.T) {
	t.Parallel()
	c := listen(t, udp.ListenConfig{Addr: anyPort, Interface: "nosuch0"})
	foreign := make(chan netip.AddrPort, 10)
	stop := start(t, c, echo, udp.Hooks{Foreign: func(p *udp.Packet) { foreign <- p.From }})
	stranger := dial(t, "127.77.1.2", c.LocalAddr())
	if _, err := stranger.Write([]byte("let me in")); err != nil {
		t.Fatal(err)
	}
	if from := receive(t, foreign, "the stranger's packet"); from != stranger.LocalAddr().(*net.UDPAddr).AddrPort() {
		t.Errorf("dropped %v", from)
	}
	if got := ask(t, dial(t, "127.77.0.1", c.LocalAddr()), "probe"); got != "probe" {
		t.Errorf("the box's own packet got %q", got)
	}
	c.SetInterface("lo")
	if got := ask(t, stranger, "now"); got != "now" {
		t.Errorf("after the interface changed got %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func BenchmarkEcho(b *testing.B) {
	c, err := udp.Listen(b.Context(), udp.ListenConfig{Addr: anyPort, Interface: "lo"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	go func() { _ = udp.Serve(b.Context(), c, echo, udp.Hooks{}) }()
	client, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(c.LocalAddr()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	buf := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(buf[:48]); err != nil {
			b.Fatal(err)
		}
		if _, err := client.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
