package dns_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dns"
	"phonebox/services/testkit"
)

func TestProbeAndRestart(t *testing.T) {
	t.Parallel()
	cfg := office()
	b := &box{t: t, seen: make(chan struct{}, 1)}
	s, err := dns.New(cfg, dns.Deps{Names: phoneNames{}, Log: slog.New(slog.DiscardHandler), Report: b.report})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = s
	if err := s.Probe(t.Context()); err == nil {
		t.Error("a server that does not listen is well")
	}
	for range 3 {
		b.run()
		// The address may be that of the run before until the new one is bound.
		eventually(t, func() bool { return s.Probe(t.Context()) == nil })
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Probe(t.Context()); err == nil {
		t.Error("a server that was stopped is well")
	}
}

// eventually polls until a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not happen within 10 s")
		}
	}
}

// Packets that deserve no answer get none, with a reason; what has a readable header is told what is wrong.
func TestOddPackets(t *testing.T) {
	t.Parallel()
	b := start(t, office())
	pack := func(change func(*mdns.Msg)) []byte {
		q := question("pbx.voice.home.arpa.", mdns.TypeA)
		change(q)
		packet, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return packet
	}
	good := pack(func(*mdns.Msg) {})
	for _, tt := range []struct {
		name   string
		packet []byte
		rcode  int    // of the answer
		reason string // where there is none
	}{
		{"shorter than a header", good[:11], 0, "shorter than the header"},
		{"an answer", pack(func(m *mdns.Msg) { m.Response = true }), 0, "an answer, not a question"},
		{"an answer that cannot be read", append([]byte{1, 2, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 0xff), 0, "an answer, not a question"},
		{"longer than 4,096 bytes", append(pack(func(*mdns.Msg) {}), make([]byte, 5000)...), 0, "longer than any question"},
		{"cut in the name", good[:16], mdns.RcodeFormatError, ""},
		{"a name that points at itself", append(bytes.Clone(good[:12]), 0xc0, 12, 0, 1, 0, 1), mdns.RcodeFormatError, ""},
		{"two questions", pack(func(m *mdns.Msg) { m.Question = append(m.Question, m.Question[0]) }), mdns.RcodeFormatError, ""},
		{"no question", pack(func(m *mdns.Msg) { m.Question = nil }), mdns.RcodeFormatError, ""},
		{"an update", pack(func(m *mdns.Msg) { m.Opcode = mdns.OpcodeUpdate }), mdns.RcodeNotImplemented, ""},
		{"a future EDNS", pack(func(m *mdns.Msg) { m.SetEdns0(1232, false).IsEdns0().SetVersion(1) }), mdns.RcodeBadVers, ""},
		{"the hesiod class", pack(func(m *mdns.Msg) { m.Question[0].Qclass = mdns.ClassHESIOD }), mdns.RcodeRefused, ""},
		{"a transfer", pack(func(m *mdns.Msg) { m.SetAxfr("voice.home.arpa.") }), mdns.RcodeRefused, ""},
	} {
		conn, err := net.Dial("udp4", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(tt.packet); err != nil {
			t.Fatal(err)
		}
		if tt.reason != "" {
			from := conn.LocalAddr().(*net.UDPAddr).AddrPort()
			e := b.event(func(e dns.Event) bool { return e.From == from })
			if e.Kind != dns.EventDropped || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("%s: the event is %+v", tt.name, e)
			}
			continue
		}
		buf := make([]byte, 4096)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		resp := new(mdns.Msg)
		if err := resp.Unpack(buf[:n]); err != nil || resp.Rcode != tt.rcode || resp.Id != binary.BigEndian.Uint16(tt.packet) || !resp.Response {
			t.Errorf("%s: %v, %v", tt.name, resp, err)
		}
	}
}

// Whoever is not of the phones' network gets nothing, over UDP and over TCP.
func TestStrangersAreNotAnswered(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := &box{t: t, seen: make(chan struct{}, 1)}
	cfg := office()
	cfg.Server = netip.MustParsePrefix("127.77.0.1/16")
	cfg.Listen = netip.MustParseAddrPort("127.77.0.1:0")
	s, err := dns.New(cfg, dns.Deps{Names: phoneNames{}, Log: slog.New(slog.DiscardHandler), Report: b.report, Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = s
	b.run()
	packet, _ := question("pbx.voice.home.arpa.", mdns.TypeA).Pack()
	for _, network := range []string{"udp", "tcp"} {
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 78, 0, 1)}}
		if network == "tcp" {
			d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 78, 0, 1)}
		}
		conn, err := d.Dial(network, b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(packet); err != nil && network == "udp" {
			t.Fatal(err)
		}
		from := netip.MustParseAddrPort(conn.LocalAddr().String())
		if e := b.event(func(e dns.Event) bool { return e.From == from }); e.Kind != dns.EventDropped || !strings.Contains(e.Reason, "outside") {
			t.Errorf("%s: the event is %+v", network, e)
		}
	}
	dropped := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "phonebox_dns_dropped_total" {
			for _, m := range f.GetMetric() {
				dropped[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	if len(dropped) < 5 || dropped["foreign_client"] != 2 {
		t.Errorf("counted %v", dropped)
	}
	// The box itself is answered.
	eventually(t, func() bool { return s.Probe(t.Context()) == nil })
}

// A client of a network behind a relay is answered like one of the box's own.
func TestClientsBehindRelaysAreAnswered(t *testing.T) {
	t.Parallel()
	b := &box{t: t, seen: make(chan struct{}, 1)}
	cfg := office()
	cfg.Server = netip.MustParsePrefix("127.77.0.1/16")
	cfg.Listen = netip.MustParseAddrPort("127.77.0.1:0")
	cfg.Subnets = []netip.Prefix{netip.MustParsePrefix("127.78.0.0/24")}
	s, err := dns.New(cfg, dns.Deps{Names: phoneNames{}, Log: slog.New(slog.DiscardHandler), Report: b.report})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = s
	b.run()
	q := question("pbx.voice.home.arpa.", mdns.TypeA)
	for _, network := range []string{"udp", "tcp"} {
		var from net.Addr = &net.UDPAddr{IP: net.IPv4(127, 78, 0, 9)}
		if network == "tcp" {
			from = &net.TCPAddr{IP: net.IPv4(127, 78, 0, 9)}
		}
		c := mdns.Client{Net: network, Dialer: &net.Dialer{LocalAddr: from}}
		if got, _, err := c.Exchange(q, b.addr); err != nil || len(got.Answer) != 1 {
			t.Errorf("%s: got %v, %v", network, got, err)
		}
	}
}

// A panic in one question, over UDP and over TCP, leaves the others answered.
func TestPlantedPanic(t *testing.T) {
	t.Parallel()
	b := start(t, office())
	for i, network := range []string{"udp", "tcp"} {
		b.PanicNext()
		conn, err := net.Dial(network, b.addr)
		if err != nil {
			t.Fatal(err)
		}
		packet, _ := question("pbx.voice.home.arpa.", mdns.TypeA).Pack()
		if network == "tcp" {
			packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
		}
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			n := 0
			for _, e := range b.events {
				if e.Kind == dns.EventDropped && strings.Contains(e.Reason, "fault of phonebox") {
					n++
				}
			}
			return n == i+1
		})
		conn.Close()
		if resp := b.ask(network, question("pbx.voice.home.arpa.", mdns.TypeA)); len(resp.Answer) != 1 {
			t.Errorf("%s after the panic: %v", network, resp)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, outside)
	b := start(t, office())
	cfg := withUpstream(up.addr)
	cfg.Domain = "other.example"
	cfg.Hosts = map[string]netip.Addr{"new": netip.MustParseAddr("127.0.0.99")}
	if err := b.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if b.Addr().String() != b.addr {
		t.Fatalf("the address went from %s to %s", b.addr, b.Addr())
	}
	if resp := b.ask("udp", question("new.other.example.", mdns.TypeA)); len(resp.Answer) != 1 {
		t.Errorf("the new zone: %v", resp)
	}
	if resp := b.ask("tcp", question("pbx.voice.home.arpa.", mdns.TypeA)); resp.Authoritative || len(resp.Answer) != 1 {
		t.Errorf("the old zone is not forwarded: %v", resp)
	}
	bad := cfg
	bad.Domain = "a..b"
	if err := b.Apply(bad); err == nil {
		t.Error("a domain that is none was taken")
	}
	cfg.Listen = netip.MustParseAddrPort("127.0.0.2:0")
	if err := b.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return b.Addr().Addr() == cfg.Listen.Addr() && b.Probe(t.Context()) == nil })
	if _, err := net.DialTimeout("tcp", b.addr, time.Second); err == nil {
		t.Error("the old address is still served over TCP")
	}
}

// Stopping does not wait: not for silent TCP clients, not for questions that wait for upstream.
func TestStopIsPrompt(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	up := startUpstream(t, func(mdns.ResponseWriter, *mdns.Msg) { asked <- struct{}{} })
	cfg := withUpstream(up.addr)
	b := startWith(t, cfg, time.Hour)
	idle, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	packet, _ := question("slow.example.", mdns.TypeA).Pack()
	conn, err := net.Dial("udp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
	other, _ := question("other.example.", mdns.TypeA).Pack() // equal questions would share an exchange
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(other))), other...)
	if _, err := idle.Write(framed); err != nil {
		t.Fatal(err)
	}
	<-asked
	<-asked
	// Hangs for an hour if it waits for them.
	if err := b.stop(); err != nil {
		t.Error(err)
	}
}

// A client that holds connections open keeps nobody else away.
func TestTCPConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	b := start(t, office())
	for range 20 {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	b.event(func(e dns.Event) bool {
		return e.Kind == dns.EventDropped && strings.Contains(e.Reason, "too many connections")
	})
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 99)}}
	resp, _, err := (&mdns.Client{Net: "tcp", Dialer: &d}).Exchange(question("pbx.voice.home.arpa.", mdns.TypeA), b.addr)
	if err != nil || len(resp.Answer) != 1 {
		t.Errorf("another client: %v, %v", resp, err)
	}
}

// The box resolves its own names and those of the world without a socket of the server.
func TestResolver(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, outside)
	s, err := dns.New(withUpstream(up.addr), dns.Deps{Names: phoneNames{}, Log: slog.New(slog.DiscardHandler), Report: func(dns.Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Resolver()
	for name, want := range map[string]string{"pool.example.com.": "192.0.2.80", "pbx.voice.home.arpa": "127.0.0.10"} {
		got, err := r.LookupNetIP(t.Context(), "ip4", name)
		if err != nil || len(got) != 1 || got[0].Unmap().String() != want {
			t.Errorf("%s is %v, %v, want %s", name, got, err, want)
		}
	}
	asked := len(up.log())
	if _, err := s.Resolver().LookupNetIP(t.Context(), "ip4", "POOL.example.com."); err != nil || len(up.log()) != asked {
		t.Errorf("the second time: %v, upstream was asked %q", err, up.log()[asked:])
	}
	if err := s.Apply(office()); err != nil {
		t.Fatal(err)
	}
	if got, err := r.LookupNetIP(t.Context(), "ip4", "pool.example.com."); err == nil {
		t.Errorf("without upstream servers the name is %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.LookupNetIP(ctx, "ip4", "pbx.voice.home.arpa."); err == nil {
		t.Error("a cancelled lookup succeeded")
	}
}

// dig is what an administrator uses.
func TestDig(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "dig")
	b := start(t, office())
	_, port, _ := net.SplitHostPort(b.addr)
	for _, tt := range []struct{ args, want string }{
		{"+short ciscocm1.voice.home.arpa", "127.0.0.1\n"},
		{"+short +tcp pbx.voice.home.arpa", "127.0.0.10\n"},
		{"+short -x 127.1.1.5", "reception.voice.home.arpa.\n"},
		{"+short _sip._udp.voice.home.arpa SRV", "0 0 5062 pbx.voice.home.arpa.\n"},
		{"+noall +comments nobody.voice.home.arpa", "status: NXDOMAIN"},
	} {
		args := append([]string{"@127.0.0.1", "-p", port, "+time=5"}, strings.Fields(tt.args)...)
		out, err := exec.CommandContext(t.Context(), "dig", args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("dig %s: %v\n%s", tt.args, err, out)
		}
		if bytes.Contains(out, []byte("WARNING")) && !bytes.Contains(out, []byte("recursion requested but not available")) {
			t.Errorf("dig %s warns:\n%s", tt.args, out)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	deps := dns.Deps{Names: phoneNames{}, Log: slog.New(slog.DiscardHandler), Report: func(dns.Event) {}}
	for name, change := range map[string]func(*dns.Config){
		"no domain":  func(c *dns.Config) { c.Domain = "" },
		"bad domain": func(c *dns.Config) { c.Domain = "a..b" },
		"no address": func(c *dns.Config) { c.Server = netip.Prefix{} },
	} {
		cfg := office()
		change(&cfg)
		if _, err := dns.New(cfg, deps); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	reg := prometheus.NewRegistry()
	deps.Metrics = reg
	if _, err := dns.New(office(), deps); err != nil {
		t.Fatal(err)
	}
	if _, err := dns.New(office(), deps); err == nil {
		t.Error("metrics were registered twice")
	}
}

// brokenNames is a fault of ours.
type brokenNames struct{ phoneNames }

func (brokenNames) Lookup(string) (netip.Addr, bool) { panic("planted") }

// The box's own look-ups run on a goroutine that no loop guards; without a guard the panic ends the process, and this test.
func TestPanicInALookUpOfTheBoxIsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	s, err := dns.New(office(), dns.Deps{Names: brokenNames{}, Log: slog.New(slog.DiscardHandler), Report: func(dns.Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolver().LookupNetIP(t.Context(), "ip4", "reception.voice.home.arpa"); err == nil {
		t.Error("a look-up that panicked has an answer")
	}
	if got, err := s.Resolver().LookupNetIP(t.Context(), "ip4", "pbx.voice.home.arpa"); err != nil || len(got) != 1 {
		t.Errorf("the next look-up: got %v, %v", got, err)
	}
}
