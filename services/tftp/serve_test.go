package tftp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	client "github.com/pin/tftp/v3"

	"phonebox/services/tftp"
)

// With a client that others wrote, in each mode and with each option that it knows.
func TestClientPin(t *testing.T) {
	t.Parallel()
	files := &folder{files: map[string][]byte{}}
	for _, size := range []int{0, 1, 511, 512, 513, 1023, 1024, 70_000} {
		files.files[string(rune('a'+len(files.files)))] = content(size)
	}
	b := serve(t, files, tftp.Config{})
	for name, want := range files.files {
		for _, mode := range []string{"octet", "netascii", "OCTET"} {
			for _, blksize := range []int{0, 512, 1000, 1468, 9000} {
				c, err := client.NewClient(b.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				c.SetTimeout(patience)
				if blksize != 0 {
					c.SetBlockSize(blksize)
				}
				c.RequestTSize(true)
				r, err := c.Receive(name, mode)
				if err != nil {
					t.Fatalf("%d bytes, %s, blksize %d: %v", len(want), mode, blksize, err)
				}
				size, told := r.(client.IncomingTransfer).Size()
				if mode != "netascii" && (!told || size != int64(len(want))) {
					t.Errorf("%d bytes, %s: tsize is %d, %v", len(want), mode, size, told)
				}
				var got bytes.Buffer
				if _, err := r.WriteTo(&got); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.Bytes(), want) {
					t.Errorf("%d bytes, %s, blksize %d: got %d other bytes", len(want), mode, blksize, got.Len())
				}
				if e := b.event(t, tftp.EventSent, tftp.EventAborted); e.Kind != tftp.EventSent || e.Size != int64(len(want)) {
					t.Errorf("%d bytes, %s: reported %+v", len(want), mode, e)
				}
			}
		}
	}
}

func TestOptionsAreAnswered(t *testing.T) {
	t.Parallel()
	cfg := slow
	cfg.MaxPerClient = 100
	b := serve(t, &folder{files: map[string][]byte{"f": content(3000)}}, cfg)
	tests := []struct {
		name    string
		options []string
		want    string // the OACK; "" = DATA 1 at once
	}{
		{"none", nil, ""},
		{"unknown ones are not mentioned", []string{"multicast", "", "rollover", "0"}, ""},
		{"one that is known among unknown ones", []string{"foo", "1", "blksize", "1024", "bar", "2"}, "blksize\x001024\x00"},
		{"names in any case, echoed as they came", []string{"BlkSize", "600"}, "BlkSize\x00600\x00"},
		{"smallest block", []string{"blksize", "8"}, "blksize\x008\x00"},
		{"block that would be fragmented", []string{"blksize", "65464"}, "blksize\x001468\x00"},
		{"block too small", []string{"blksize", "7"}, ""},
		{"block too large", []string{"blksize", "65465"}, ""},
		{"block that is no number", []string{"blksize", "-8"}, ""},
		{"size of the file", []string{"tsize", "0"}, "tsize\x003000\x00"},
		{"timeout", []string{"timeout", "6"}, "timeout\x006\x00"},
		{"timeout of nothing", []string{"timeout", "0"}, ""},
		{"timeout longer than a transfer is kept", []string{"timeout", "255"}, ""},
		{"window", []string{"windowsize", "16"}, "windowsize\x0016\x00"},
		{"window larger than granted", []string{"windowsize", "65535"}, "windowsize\x0064\x00"},
		{"window of nothing", []string{"windowsize", "0"}, ""},
		{"the first of two counts", []string{"blksize", "1000", "BLKSIZE", "600"}, "blksize\x001000\x00"},
		{"all of them, in the client's order", []string{"windowsize", "4", "tsize", "0", "timeout", "2", "blksize", "512"}, "windowsize\x004\x00tsize\x003000\x00timeout\x002\x00blksize\x00512\x00"},
		{"an option without a value", []string{"blksize"}, ""},
	}
	for _, tt := range tests {
		p := newPhone(t, b)
		p.ask("f", "octet", tt.options...)
		if tt.want == "" {
			p.want(tt.name, data(1, content(3000)[:512]))
			continue
		}
		p.want(tt.name, []byte("\x00\x06"+tt.want))
		p.silent(tt.name + ": before ACK 0")
		p.send(p.tid, packet(4, 0, ""))
		if got := p.receive(); binary.BigEndian.Uint16(got) != 3 || binary.BigEndian.Uint16(got[2:]) != 1 {
			t.Errorf("%s: after ACK 0 got %s", tt.name, show(got))
		}
	}
}

// RFC 7440: four blocks for each ACK, and what is lost is sent again from the gap on.
func TestWindow(t *testing.T) {
	t.Parallel()
	whole := content(8*6 + 3)
	b := serve(t, &folder{files: map[string][]byte{"f": whole}}, slow)
	p := newPhone(t, b)
	block := func(n int) []byte { return data(n, whole[(n-1)*8:min(n*8, len(whole))]) }
	wantBlocks := func(what string, from, to int) {
		t.Helper()
		for n := from; n <= to; n++ {
			p.want(what, block(n))
		}
	}
	p.ask("f", "octet", "blksize", "8", "windowsize", "4")
	p.want("OACK", []byte("\x00\x06blksize\x008\x00windowsize\x004\x00"))
	p.ack(0)
	wantBlocks("first window", 1, 4)
	p.silent("before its ACK")
	p.ask("f", "octet", "blksize", "8", "windowsize", "4")
	p.silent("the request again: only the timer repeats a window")
	p.ack(2) // 3 was lost
	wantBlocks("from the gap on", 3, 6)
	p.ack(2) // 3 was lost again
	wantBlocks("the whole window again", 3, 6)
	p.ack(2)
	p.ack(2)
	p.ack(1)
	p.silent("further duplicates")
	p.ack(6)
	p.want("the last block", block(7))
	p.ack(7)
	if e := b.event(t, tftp.EventSent); e.Bytes != int64(len(whole)) || e.Retransmits != 6 {
		t.Errorf("reported %+v, want %d bytes and 6 retransmits", e, len(whole))
	}
}

// A file of more than 65,535 blocks: the number wraps to 0.
func TestBlockNumberWraps(t *testing.T) {
	t.Parallel()
	whole := content(8*65_540 + 5)
	b := serve(t, &folder{files: map[string][]byte{"f": whole}}, tftp.Config{})
	p := newPhone(t, b)
	p.ask("f", "octet", "blksize", "8", "windowsize", "64")
	p.receive()
	p.ack(0)
	var got []byte
	for n := 1; ; n++ {
		d := p.receive()
		if block := binary.BigEndian.Uint16(d[2:]); block != uint16(n) {
			t.Fatalf("got block %d, want %d", block, uint16(n))
		}
		got = append(got, d[4:]...)
		if len(d) < 12 {
			p.ack(n)
			break
		}
		if n%64 == 0 {
			p.ack(n)
		}
	}
	if !bytes.Equal(got, whole) {
		t.Error("other bytes came")
	}
	if e := b.event(t, tftp.EventSent); e.Bytes != int64(len(whole)) {
		t.Errorf("reported %+v", e)
	}
}

// A wire that loses one packet of five and doubles one of five, in both directions.
func TestLossyWire(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"octet", "netascii"} {
		for _, options := range [][]string{nil, {"blksize", "700", "tsize", "0"}, {"blksize", "64", "windowsize", "8"}} {
			whole := content(9_000)
			b := serve(t, &folder{files: map[string][]byte{"f": whole}}, tftp.Config{Resend: 2 * time.Millisecond, GiveUp: patience})
			p := newPhone(t, b)
			w := newLossyWire(t, b.addr, rand.New(rand.NewPCG(7, uint64(len(options)))))
			p.main = w.front
			got := receiveLossy(t, b, p, request(1, "f", mode, options...), options)
			want := whole
			if mode == "netascii" {
				want = bytes.ReplaceAll(bytes.ReplaceAll(whole, []byte("\r"), []byte("\r\x00")), []byte("\n"), []byte("\r\n"))
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s %v: got %d bytes, want %d, or others", mode, options, len(got), len(want))
			}
			if w.lost.Load() == 0 || w.doubled.Load() == 0 {
				t.Errorf("the wire lost %d and doubled %d packets", w.lost.Load(), w.doubled.Load())
			}
		}
	}
}

// receiveLossy is a patient receiver: it repeats its last packet when nothing comes, until the server has had the last ACK.
func receiveLossy(t *testing.T, b *box, p *phone, first []byte, options []string) (got []byte) {
	t.Helper()
	block, window := 512, 1
	for i := 0; i+1 < len(options); i += 2 {
		switch options[i] {
		case "blksize":
			block = map[string]int{"700": 700, "64": 64}[options[i+1]]
		case "windowsize":
			window = 8
		}
	}
	last, to := first, p.main
	say := func(n int) {
		last, to = packet(4, uint16(n), ""), p.tid
		p.send(to, last)
	}
	p.send(to, last)
	for next, end := 1, false; ; {
		if end && len(b.events) > 0 && b.event(t, tftp.EventSent, tftp.EventAborted, tftp.EventStart).Kind == tftp.EventSent {
			return got
		}
		d, ok := p.receiveFor(5 * time.Millisecond)
		switch {
		case !ok:
			p.send(to, last)
		case binary.BigEndian.Uint16(d) == 6 && next == 1:
			say(0)
		case binary.BigEndian.Uint16(d) != 3:
		case int(binary.BigEndian.Uint16(d[2:])) == next:
			got = append(got, d[4:]...)
			next++
			end = len(d)-4 < block
			if end || window == 1 || (next-1)%window == 0 {
				say(next - 1)
			}
		default:
			say(next - 1)
		}
	}
}

// limits: an image that is being flashed finishes before anybody new begins.
func TestFloodOfRequestsIsBounded(t *testing.T) {
	t.Parallel()
	cfg := slow
	cfg.MaxTransfers, cfg.MaxPerClient = 5, 3
	files := &folder{files: map[string][]byte{"f": content(600)}}
	b := serve(t, files, cfg)
	started := newPhone(t, b)
	started.ask("f", "octet")
	started.want("first block", data(1, content(600)[:512]))
	for range 20 {
		newPhone(t, b).ask("f", "octet") // 127.77.1.2, as the one that started
	}
	for range 20 {
		newPhoneAt(t, b, "127.77.1.3:0").ask("f", "octet")
	}
	reasons := map[string]int{}
	for range 35 {
		reasons[b.event(t, tftp.EventDropped).Reason]++
	}
	if reasons["that address has 3 transfers already"] != 18 || reasons["there are 5 transfers already"] != 17 {
		t.Errorf("dropped for %v", reasons)
	}
	if err := b.Probe(t.Context()); err != nil {
		t.Errorf("a busy server is not a dead one: %v", err)
	}
	started.ack(1)
	started.want("the one that started goes on", data(2, content(600)[512:]))
	started.ack(2)
	b.event(t, tftp.EventSent)
	// Its place is free now.
	p := newPhoneAt(t, b, "127.77.1.4:0")
	for end := time.Now().Add(patience); ; {
		p.ask("f", "octet")
		if _, ok := p.receiveFor(10 * time.Millisecond); ok {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nobody new gets in")
		}
	}
	// The last ones to be let in may be about to open theirs: each has a goroutine of its own.
	for end := time.Now().Add(patience); files.opens() < 6 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := files.opens(); n != 6 {
		t.Errorf("%d files were opened, want 6", n)
	}
}

// SIGTERM comes while phones that are gone hold transfers and one file is being opened.
func TestStopsPromptly(t *testing.T) {
	t.Parallel()
	opening := make(chan struct{}, 1)
	files := &folder{files: map[string][]byte{"f": content(600)}, opened: func(ctx context.Context, r tftp.Request) error {
		if r.Name == "slow" {
			opening <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}
	b := serve(t, files, slow)
	for range 4 {
		p := newPhone(t, b)
		p.ask("f", "octet")
		p.receive()
	}
	newPhone(t, b).ask("slow", "octet")
	<-opening
	before := time.Now()
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(before); took > time.Second {
		t.Errorf("it took %v", took)
	}
	for range 5 {
		if e := b.event(t, tftp.EventAborted); e.Reason != "phonebox is stopping" {
			t.Errorf("reported %+v", e)
		}
	}
	if files.open != files.closed {
		t.Errorf("%d files were opened and %d closed", files.open, files.closed)
	}
}

func TestPanicNextCostsOnePacket(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(6)}}, slow)
	p := newPhone(t, b)
	b.PanicNext()
	p.ask("f", "octet")
	p.ask("f", "octet")
	p.want("the second request", data(1, content(6)))
	p.silent("the request that panicked")
}

// newServer makes a server that listens itself.
func newServer(t *testing.T, listen string) *tftp.Server {
	t.Helper()
	return newServerWith(t, tftp.Config{Listen: netip.MustParseAddrPort(listen)})
}

func TestRunMovesAndRunsAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t, "127.77.0.1:0")
	if err := s.Probe(t.Context()); err == nil {
		t.Error("a server that does not run was probed without an error")
	}
	for round := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-s.Ready()
		for end := time.Now().Add(patience); !s.Addr().IsValid() && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // polling
		}
		probe := func(what string) {
			t.Helper()
			pctx, stop := context.WithTimeout(ctx, patience)
			defer stop()
			if err := s.Probe(pctx); err != nil {
				t.Errorf("round %d, %s: %v", round, what, err)
			}
		}
		probe("started")
		first := s.Addr()
		p := &phone{t: t, conn: newSocket(t), main: first}
		p.ask("f", "octet")
		p.want("before the move", data(1, content(600)[:512]))
		if err := s.Apply(tftp.Config{Listen: netip.MustParseAddrPort("127.77.0.2:0")}); err != nil {
			t.Fatal(err)
		}
		if s.Addr().Addr().String() != "127.77.0.2" {
			t.Errorf("bound to %v", s.Addr())
		}
		probe("moved")
		p.ack(1)
		p.want("a transfer outlives the move", data(2, content(600)[512:]))
		moved := s.Addr()
		if err := s.Apply(tftp.Config{Listen: netip.MustParseAddrPort("127.77.0.2:0"), Resend: time.Second, MaxTransfers: 3}); err != nil || s.Addr() != moved {
			t.Errorf("other settings moved the server to %v (%v)", s.Addr(), err)
		}
		if err := s.Apply(tftp.Config{Listen: netip.MustParseAddrPort("192.0.2.1:1"), MaxTransfers: -1}); err == nil {
			t.Error("a wrong setting was applied")
		}
		probe("after other settings")
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("Run does not return")
		}
		if c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(moved)); err != nil {
			t.Errorf("the address is still bound: %v", err)
		} else {
			c.Close()
		}
	}
}

// Every packet comes back from the address that was asked, although the server listens on all of them.
func TestAnswersComeFromTheAskedAddress(t *testing.T) {
	t.Parallel()
	s := newServer(t, "0.0.0.0:0")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	for _, addr := range []string{"127.77.0.1", "127.77.0.9"} {
		p := &phone{t: t, conn: newSocket(t), main: netip.AddrPortFrom(netip.MustParseAddr(addr), s.Addr().Port())}
		for _, name := range []string{"f", "missing"} {
			p.ask(name, "octet")
			p.receive()
			if p.tid.Addr() != p.main.Addr() {
				t.Errorf("%s: asked at %v, answered from %v", name, p.main, p.tid)
			}
		}
	}
	if err := s.Probe(ctx); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestProbeGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	b := serve(t, &folder{}, slow)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.Probe(ctx); err == nil {
		t.Error("a server that has stopped answered")
	}
	if len(b.events) != 0 {
		t.Errorf("a probe was reported: %+v", <-b.events)
	}
}
