package dns_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"phonebox/services/dns"
)

func withUpstream(ups ...netip.AddrPort) dns.Config {
	cfg := office()
	for _, up := range ups {
		cfg.Upstream = append(cfg.Upstream, dns.Upstream{Addr: up})
	}
	return cfg
}

func TestForward(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, outside)
	b := start(t, withUpstream(up.addr))
	for _, network := range []string{"udp", "tcp"} {
		resp := b.ask(network, question("Example."+network+".", mdns.TypeA))
		if short(resp.Answer) != "Example."+network+". 77 IN A 192.0.2.80" || resp.Authoritative || !resp.RecursionAvailable {
			t.Errorf("%s: %v", network, resp)
		}
	}
	e := b.event(func(e dns.Event) bool { return e.Name == "example.udp" })
	if e.Result != "NOERROR" || e.Local || e.Type != "A" || e.Took <= 0 {
		t.Errorf("the event is %+v", e)
	}
	// The zone is answered here, and what is refused is not asked either.
	b.ask("udp", question("nobody.voice.home.arpa.", mdns.TypeA))
	b.ask("udp", question("7.7.7.127.in-addr.arpa.", mdns.TypePTR))
	notDesired := question("example.org.", mdns.TypeA)
	notDesired.RecursionDesired = false
	chaos := question("version.bind.", mdns.TypeTXT)
	chaos.Question[0].Qclass = mdns.ClassCHAOS
	for _, q := range []*mdns.Msg{notDesired, chaos, question("example.org.", mdns.TypeAXFR), question("example.org.", mdns.TypeOPT)} {
		if resp := b.ask("udp", q); resp.Rcode != mdns.RcodeRefused {
			t.Errorf("%v: %s", q.Question, mdns.RcodeToString[resp.Rcode])
		}
	}
	if got, want := up.log(), []string{"udp example.udp. A", "udp example.tcp. A"}; !slices.Equal(got, want) {
		t.Errorf("upstream was asked %q, want %q", got, want)
	}
}

// A server that is silent, absent or has no idea is passed over, and not asked first again.
func TestNextUpstream(t *testing.T) {
	t.Parallel()
	silent := startUpstream(t, func(mdns.ResponseWriter, *mdns.Msg) {})
	clueless := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		_ = w.WriteMsg(new(mdns.Msg).SetRcode(q, mdns.RcodeServerFailure))
	})
	good := startUpstream(t, outside)
	b := start(t, withUpstream(silent.addr, clueless.addr, good.addr))
	for i := range 3 {
		if resp := b.ask("udp", question(fmt.Sprintf("q%d.example.", i), mdns.TypeA)); len(resp.Answer) != 1 {
			t.Errorf("question %d: %v", i, resp)
		}
	}
	if len(silent.log()) != 1 || len(clueless.log()) != 1 || len(good.log()) != 3 {
		t.Errorf("asked %q, %q and %q", silent.log(), clueless.log(), good.log())
	}

	alone := start(t, withUpstream(silent.addr))
	resp := alone.ask("udp", question("example.net.", mdns.TypeA))
	if resp.Rcode != mdns.RcodeServerFailure || !resp.RecursionAvailable {
		t.Errorf("nobody answers: %v", resp)
	}
	if n := len(silent.log()); n != 3 {
		t.Errorf("the only server was asked %d times for one question, want twice, for a datagram may get lost", n-1)
	}
	if e := alone.event(func(e dns.Event) bool { return e.Result == "SERVFAIL" }); e.Reason == "" {
		t.Errorf("the event does not say why: %+v", e)
	}
	if resp := start(t, withUpstream(clueless.addr)).ask("udp", question("example.net.", mdns.TypeA)); resp.Rcode != mdns.RcodeServerFailure {
		t.Errorf("the upstream's own failure: %v", resp)
	}
}

// What is not an answer to the question is passed over, and the right answer behind it is taken.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	stranger, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stranger.Close() })
	ports, ids := make(chan netip.AddrPort, 100), make(chan uint16, 100)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			q := new(mdns.Msg)
			if q.Unpack(buf[:n]) != nil {
				continue
			}
			ports <- from.(*net.UDPAddr).AddrPort()
			ids <- q.Id
			send := func(c net.PacketConn, change func(*mdns.Msg)) {
				resp := outsideAnswer(q)
				resp.Answer[0].(*mdns.A).A = net.IPv4(6, 6, 6, 6)
				change(resp)
				packet, _ := resp.Pack()
				_, _ = c.WriteTo(packet, from)
			}
			send(pc, func(m *mdns.Msg) { m.Id++ })
			send(pc, func(m *mdns.Msg) { m.Question[0].Name = "example.org." })
			send(pc, func(m *mdns.Msg) { m.Question[0].Qtype = mdns.TypeAAAA })
			send(pc, func(m *mdns.Msg) { m.Response = false })
			send(pc, func(m *mdns.Msg) { m.Question = nil })
			send(stranger, func(*mdns.Msg) {})
			_, _ = pc.WriteTo([]byte("short"), from)
			_, _ = pc.WriteTo(append(make([]byte, 12), 0xff), from)
			send(pc, func(m *mdns.Msg) { m.Answer[0].(*mdns.A).A = net.IPv4(192, 0, 2, 80) })
		}
	}()
	b := start(t, withUpstream(pc.LocalAddr().(*net.UDPAddr).AddrPort()))
	seenPorts, seenIDs := map[uint16]bool{}, map[uint16]bool{}
	const questions = 20
	for i := range questions {
		name := fmt.Sprintf("q%d.example.", i)
		if resp := b.ask("udp", question(name, mdns.TypeA)); short(resp.Answer) != name+" 77 IN A 192.0.2.80" {
			t.Fatalf("found %v", resp)
		}
		seenPorts[(<-ports).Port()], seenIDs[<-ids] = true, true
	}
	if len(seenPorts) < questions/2 || len(seenIDs) < questions/2 {
		t.Errorf("%d questions used %d ports and %d ids: they can be guessed", questions, len(seenPorts), len(seenIDs))
	}
}

// bigAnswer has 100 addresses, about 1,700 bytes.
func bigAnswer(q *mdns.Msg) *mdns.Msg {
	resp := new(mdns.Msg).SetReply(q)
	for i := range 100 {
		resp.Answer = append(resp.Answer, &mdns.A{
			Hdr: mdns.RR_Header{Name: q.Question[0].Name, Rrtype: mdns.TypeA, Class: mdns.ClassINET, Ttl: 77}, A: net.IPv4(192, 0, 2, byte(i)),
		})
	}
	return resp
}

// What does not fit into the datagram of an upstream is fetched over TCP, and what does not fit into the client's is cut.
func TestSizes(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		resp := bigAnswer(q)
		if w.RemoteAddr().Network() == "udp" {
			resp.Truncate(mdns.MinMsgSize)
		}
		resp.SetEdns0(4096, false)
		_ = w.WriteMsg(resp)
	})
	b := start(t, withUpstream(up.addr))
	edns := func(size uint16) *mdns.Msg { return question("big.example.", mdns.TypeA).SetEdns0(size, false) }
	for _, tt := range []struct {
		name, network string
		q             *mdns.Msg
		limit         int
		whole         bool
	}{
		{"no EDNS", "udp", question("big.example.", mdns.TypeA), 512, false},
		{"EDNS says less than allowed", "udp", edns(100), 512, false},
		{"EDNS", "udp", edns(1000), 1000, false},
		{"EDNS says more than a frame", "udp", edns(4096), 1232, false},
		{"TCP", "tcp", question("big.example.", mdns.TypeA), 65535, true},
	} {
		resp := b.ask(tt.network, tt.q)
		resp.Compress = true
		if size := resp.Len(); resp.Truncated == tt.whole || (len(resp.Answer) == 100) != tt.whole || size > tt.limit || !tt.whole && size < tt.limit-50 {
			t.Errorf("%s: %d bytes, %d answers, TC %v", tt.name, size, len(resp.Answer), resp.Truncated)
		}
		if (resp.IsEdns0() != nil) != (tt.q.IsEdns0() != nil) {
			t.Errorf("%s: EDNS %v to a question with %v", tt.name, resp.IsEdns0(), tt.q.IsEdns0())
		}
	}
	if got, want := up.log()[:2], []string{"udp big.example. A", "tcp big.example. A"}; !slices.Equal(got, want) {
		t.Errorf("upstream was asked %q, want %q", got, want)
	}
}

// The phones that wait for silent servers are bounded, each and all together; the zone is answered meanwhile.
func TestQuestionsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		<-release
		outside(w, q)
	})
	b := startWith(t, withUpstream(up.addr), time.Hour)
	conn, err := net.Dial("udp4", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for i := range 60 {
		packet, _ := question(fmt.Sprintf("q%d.example.", i), mdns.TypeA).Pack()
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	b.event(func(e dns.Event) bool {
		return e.Result == "SERVFAIL" && strings.Contains(e.Reason, "too many questions")
	})
	if resp := b.ask("udp", question("pbx.voice.home.arpa.", mdns.TypeA)); len(resp.Answer) != 1 {
		t.Errorf("the zone: %v", resp)
	}
	close(release)
}
