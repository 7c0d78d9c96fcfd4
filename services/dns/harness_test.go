package dns_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"phonebox/services/dns"
)

// phoneNames are the leases of the tests.
type phoneNames struct{}

func (phoneNames) Lookup(name string) (netip.Addr, bool) {
	switch name {
	case "reception", "sep0006d7aa2a2e":
		return netip.MustParseAddr("127.1.1.5"), true
	}
	return netip.Addr{}, false
}

func (phoneNames) Reverse(addr netip.Addr) (string, bool) {
	return "reception", addr == netip.MustParseAddr("127.1.1.5")
}

// office is the configuration of the tests: the whole of 127/8 is the phones' network.
func office() dns.Config {
	return dns.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Server: netip.MustParsePrefix("127.0.0.1/8"), Domain: "voice.home.arpa",
		Hosts: map[string]netip.Addr{
			"pbx": netip.MustParseAddr("127.0.0.10"), "alias": netip.MustParseAddr("127.0.0.10"),
			"far": netip.MustParseAddr("192.0.2.9"), "door.cellar": netip.MustParseAddr("127.0.0.11"),
			"tftp": netip.MustParseAddr("192.0.2.1"), // not allowed by site; the box keeps the name
		},
		Proxy: "pbx.voice.home.arpa", ProxyPort: 5062,
	}
}

// box is a running server with what it reported.
type box struct {
	*dns.Server
	t      *testing.T
	addr   string
	stop   func() error
	mu     sync.Mutex
	events []dns.Event
	seen   chan struct{} // a token after each event

	changes atomic.Uint32 // of the names of phones
}

// upstreamOf is an entry of Config.Upstream.
func upstreamOf(addr string) netip.AddrPort { return netip.MustParseAddrPort(addr) }

func (b *box) report(e dns.Event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	select {
	case b.seen <- struct{}{}:
	default:
	}
}

// event waits for an event that fits.
func (b *box) event(fits func(dns.Event) bool) dns.Event {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		b.mu.Lock()
		for _, e := range b.events {
			if fits(e) {
				b.mu.Unlock()
				return e
			}
		}
		b.mu.Unlock()
		select {
		case <-b.seen:
		case <-deadline:
			b.t.Fatalf("no such event in %+v", b.events)
		}
	}
}

// start runs a server until the test ends. An upstream that never answers is given up soon.
func start(t *testing.T, cfg dns.Config) *box {
	t.Helper()
	return startWith(t, cfg, time.Second)
}

// startWith runs a server with another wait for upstream.
func startWith(t *testing.T, cfg dns.Config, timeout time.Duration) *box {
	t.Helper()
	return startAs(t, cfg, phoneNames{}, timeout)
}

// startAs runs a server with other leases.
func startAs(t *testing.T, cfg dns.Config, names dns.Names, timeout time.Duration) *box {
	t.Helper()
	b := newBox(t, cfg, dns.Deps{Names: names})
	b.SetTimeout(timeout)
	b.run()
	return b
}

// newBox makes a server that does not run yet.
func newBox(t *testing.T, cfg dns.Config, deps dns.Deps) *box {
	t.Helper()
	b := &box{t: t, seen: make(chan struct{}, 1)}
	if deps.Names == nil {
		deps.Names = phoneNames{}
	}
	deps.Log, deps.Report, deps.Changes = slog.New(slog.DiscardHandler), b.report, b.changes.Load
	deps.Now = func() time.Time { return time.Unix(1, 0) }
	s, err := dns.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	s.SetUnhurried(20 * time.Second)
	b.Server = s
	return b
}

// run runs the server, anew if it was stopped.
func (b *box) run() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-done:
		b.t.Fatalf("running: %v", err)
	}
	b.addr = b.Addr().String()
	b.stop = sync.OnceValue(func() error { cancel(); return <-done })
	b.t.Cleanup(func() {
		if err := b.stop(); err != nil {
			b.t.Errorf("running ended with %v", err)
		}
	})
}

func question(name string, typ uint16) *mdns.Msg {
	return new(mdns.Msg).SetQuestion(name, typ)
}

func (b *box) ask(network string, q *mdns.Msg) *mdns.Msg {
	b.t.Helper()
	return b.askFrom(netip.Addr{}, network, q)
}

// askFrom asks from an address of the client; where it is not valid the kernel chooses.
func (b *box) askFrom(client netip.Addr, network string, q *mdns.Msg) *mdns.Msg {
	b.t.Helper()
	dialer := &net.Dialer{}
	if client.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(client, 0))
	}
	resp, _, err := (&mdns.Client{Net: network, Timeout: 10 * time.Second, Dialer: dialer}).Exchange(q, b.addr)
	if err != nil {
		b.t.Fatalf("asking for %v: %v", q.Question, err)
	}
	return resp
}

// upstream is a name server of the outside world.
type upstream struct {
	addr  netip.AddrPort
	mu    sync.Mutex
	asked []string // "udp example.com. A"
}

func (u *upstream) log() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.asked...)
}

// startUpstream serves answer over UDP and TCP.
func startUpstream(t *testing.T, answer func(w mdns.ResponseWriter, q *mdns.Msg)) *upstream {
	t.Helper()
	u := &upstream{}
	pc, ln := listenBoth(t)
	u.addr = pc.LocalAddr().(*net.UDPAddr).AddrPort()
	handler := mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		u.mu.Lock()
		u.asked = append(u.asked, w.RemoteAddr().Network()+" "+strings.ToLower(q.Question[0].Name)+" "+mdns.TypeToString[q.Question[0].Qtype])
		u.mu.Unlock()
		answer(w, q)
	})
	for _, srv := range []*mdns.Server{{PacketConn: pc, Handler: handler}, {Listener: ln, Handler: handler}} {
		started, done := make(chan struct{}), make(chan struct{})
		srv.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(done); _ = srv.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = srv.Shutdown(); <-done })
	}
	return u
}

// listenBoth finds a port that is free over UDP and TCP.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp4", pc.LocalAddr().String())
		if err == nil {
			return pc, ln
		}
		pc.Close()
	}
	t.Fatal("no port is free over UDP and TCP")
	return nil, nil
}

// outside answers every A question with 192.0.2.80.
func outside(w mdns.ResponseWriter, q *mdns.Msg) {
	_ = w.WriteMsg(outsideAnswer(q))
}

func outsideAnswer(q *mdns.Msg) *mdns.Msg {
	resp := new(mdns.Msg).SetReply(q)
	resp.RecursionAvailable = true
	if q.Question[0].Qtype == mdns.TypeA {
		resp.Answer = append(resp.Answer, &mdns.A{
			Hdr: mdns.RR_Header{Name: q.Question[0].Name, Rrtype: mdns.TypeA, Class: mdns.ClassINET, Ttl: 77}, A: net.IPv4(192, 0, 2, 80),
		})
	}
	return resp
}

// short writes a section without the TTLs' blanks.
func short(rrs []mdns.RR) string {
	var lines []string
	for _, rr := range rrs {
		if rr.Header().Rrtype != mdns.TypeOPT {
			lines = append(lines, strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	return strings.Join(lines, "; ")
}
