package tftp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/internal/udp"
	"phonebox/services/tftp"
)

const patience = 10 * time.Second

// folder is a Files for tests: what is in the map is there. opened, if set, is called first and may block or panic.
type folder struct {
	files  map[string][]byte
	opened func(ctx context.Context, r tftp.Request) error

	mu     sync.Mutex
	open   int
	closed int
}

func (f *folder) Open(ctx context.Context, r tftp.Request) (tftp.File, error) {
	if f.opened != nil {
		if err := f.opened(ctx, r); err != nil {
			return tftp.File{}, err
		}
	}
	content, ok := f.files[r.Name]
	if !ok {
		return tftp.File{}, fs.ErrNotExist
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
	return tftp.File{Content: bytes.NewReader(content), Size: int64(len(content)), Close: func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.closed++
		return nil
	}}, nil
}

// opens returns how many files were opened so far.
func (f *folder) opens() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

// box is a server under test.
type box struct {
	*tftp.Server
	addr   netip.AddrPort
	events chan tftp.Event
	reg    *prometheus.Registry
	stop   func() error // ends Serve and returns its result
}

// serve runs a server on loopback with the given settings; its socket is opened here.
func serve(t testing.TB, files tftp.Files, cfg tftp.Config) *box {
	t.Helper()
	return serveWhom(t, files, cfg, nil)
}

// serveWhom runs a server with Deps.Settling.
func serveWhom(t testing.TB, files tftp.Files, cfg tftp.Config, settling func(netip.Addr) <-chan struct{}) *box {
	t.Helper()
	return serveWith(t, cfg, tftp.Deps{Files: files, Settling: settling})
}

// serveWith runs a server with some of its Deps; Report is called after the event is in the box's.
func serveWith(t testing.TB, cfg tftp.Config, deps tftp.Deps) *box {
	t.Helper()
	cfg.Listen = netip.MustParseAddrPort("127.77.0.1:0")
	b := &box{events: make(chan tftp.Event, 10_000), reg: prometheus.NewRegistry()}
	told := deps.Report
	deps.Log, deps.Metrics = slog.New(slog.DiscardHandler), b.reg
	deps.Report = func(e tftp.Event) {
		b.events <- e
		if told != nil {
			told(e)
		}
	}
	var err error
	b.Server, err = tftp.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := udp.Listen(t.Context(), udp.ListenConfig{Addr: cfg.Listen})
	if err != nil {
		t.Fatal(err)
	}
	b.addr = conn.LocalAddr()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, conn) }()
	b.stop = sync.OnceValue(func() error {
		cancel()
		defer conn.Close()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return errors.New("the server does not stop")
		}
	})
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// event waits for the next event of one of the kinds; others are passed over.
func (b *box) event(t testing.TB, kinds ...tftp.EventKind) tftp.Event {
	t.Helper()
	end := time.After(patience)
	for {
		select {
		case e := <-b.events:
			for _, k := range kinds {
				if e.Kind == k {
					return e
				}
			}
		case <-end:
			t.Fatalf("no event of %v", kinds)
		}
	}
}

// phone is a client that does exactly what a test says.
type phone struct {
	t    testing.TB
	conn *net.UDPConn
	main netip.AddrPort // the server's port
	tid  netip.AddrPort // of the last packet
	buf  [2000]byte
}

func newPhone(t testing.TB, b *box) *phone { return newPhoneAt(t, b, "127.77.1.2:0") }

func newPhoneAt(t testing.TB, b *box, local string) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(local)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &phone{t: t, conn: conn, main: b.addr}
}

func (p *phone) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *phone) send(to netip.AddrPort, b []byte) {
	p.t.Helper()
	if _, err := p.conn.WriteToUDPAddrPort(b, to); err != nil {
		p.t.Fatal(err)
	}
}

// ask sends a read request with options given as name, value, name, value.
func (p *phone) ask(name, mode string, options ...string) {
	p.t.Helper()
	p.send(p.main, request(1, name, mode, options...))
}

func (p *phone) ack(block int) {
	p.t.Helper()
	p.send(p.tid, packet(4, uint16(block), ""))
}

// receive returns the next packet.
func (p *phone) receive() []byte {
	p.t.Helper()
	b, ok := p.receiveFor(patience)
	if !ok {
		p.t.Fatal("no packet from the server")
	}
	return b
}

func (p *phone) receiveFor(d time.Duration) ([]byte, bool) {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		p.t.Fatal(err)
	}
	n, from, err := p.conn.ReadFromUDPAddrPort(p.buf[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, false
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.tid = from
	return bytes.Clone(p.buf[:n]), true
}

// want receives a packet and compares it.
func (p *phone) want(what string, want []byte) {
	p.t.Helper()
	if got := p.receive(); !bytes.Equal(got, want) {
		p.t.Fatalf("%s: got %s, want %s", what, show(got), show(want))
	}
}

// silent checks that nothing came until now: the answer to a request for a missing name, sent last, comes first.
func (p *phone) silent(what string) {
	p.t.Helper()
	q := &phone{t: p.t, conn: p.conn, main: p.main}
	q.send(p.main, packet(2, 0, "")) // a write request is answered by the receive loop, in its turn
	for {
		b := q.receive()
		if binary.BigEndian.Uint16(b) == 5 && binary.BigEndian.Uint16(b[2:]) == 2 {
			return
		}
		p.t.Fatalf("%s: got %s, want nothing", what, show(b))
	}
}

func request(op uint16, name, mode string, options ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, op)
	for _, s := range append([]string{name, mode}, options...) {
		b = append(append(b, s...), 0)
	}
	return b
}

func packet(op, number uint16, data string) []byte {
	b := binary.BigEndian.AppendUint16(nil, op)
	b = binary.BigEndian.AppendUint16(b, number)
	return append(b, data...)
}

func data(block int, content []byte) []byte { return packet(3, uint16(block), string(content)) }

var missing = packet(5, 1, "File not found\x00")

func show(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%q... (%d bytes)", b[:40], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// content makes bytes that differ from block to block, with line ends in them.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>9) ^ byte(i*7)
		if i%61 == 0 {
			b[i] = "\r\n\x00"[i/61%3]
		}
	}
	return b
}

// newPanicking makes a server that panics with each event, and its socket.
func newPanicking(t testing.TB) (*tftp.Server, *udp.Conn) {
	t.Helper()
	addr := netip.MustParseAddrPort("127.77.0.1:0")
	s, err := tftp.New(tftp.Config{Listen: addr}, tftp.Deps{
		Files: &folder{files: map[string][]byte{"f": content(600)}}, Log: slog.New(slog.DiscardHandler),
		Report: func(tftp.Event) { panic("planted") },
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := udp.Listen(t.Context(), udp.ListenConfig{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return s, conn
}
