package dns_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dns"
)

func count(u *upstream, part string) (n int) {
	for _, line := range u.log() {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// A server that dies costs the first questions a moment, and later ones nothing; when it is back, it is noticed.
func TestADeadServerIsLeftAloneAndTriedAgain(t *testing.T) {
	t.Parallel()
	first, second := startCable(t, outside), startCable(t, outside)
	reg, c := prometheus.NewRegistry(), &clock{}
	b := startTuned(t, withUpstream(first.addr, second.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) {
		s.SetClock(c.now)
		s.SetTimeout(time.Second)
	})
	n := 0
	ask := func() {
		t.Helper()
		n++
		if resp := b.ask("udp", question(fmt.Sprintf("q%d.example.", n), mdns.TypeA)); len(resp.Answer) != 1 {
			t.Errorf("question %d: %v", n, resp)
		}
	}
	idle := func() {
		t.Helper()
		eventually(t, func() bool { exchanges, _ := b.UnderWay(); return exchanges == 0 })
	}
	ask()
	if count(second.upstream, "example.") != 0 {
		t.Errorf("the second server was asked although the first answers: %q", second.log())
	}
	first.out.Store(true)
	for range 4 {
		ask()
		idle()
	}
	tried := count(first.upstream, "example.")
	for range 10 {
		ask()
	}
	idle()
	if got := count(first.upstream, "example."); got != tried {
		t.Errorf("the dead server was asked %d more times for 10 questions", got-tried)
	}
	if s := b.Status(); !strings.Contains(s, first.addr.String()+" does not answer; "+second.addr.String()) {
		t.Errorf("the status is %q", s)
	}
	if up := figure(t, reg, "phonebox_dns_upstream_up", first.addr.String()); up != 0 {
		t.Errorf("the dead server is up: %v", up)
	}
	// It is tried beside the other one, and is the first again when it answers.
	first.out.Store(false)
	c.pass(time.Minute)
	ask()
	idle()
	if got := count(first.upstream, "example."); got != tried+1 {
		t.Errorf("a minute later the dead server was asked %d times, want once", got-tried)
	}
	if s := b.Status(); s != "" {
		t.Errorf("the status is %q", s)
	}
	before := count(second.upstream, "example.")
	ask()
	if got := count(second.upstream, "example."); got != before {
		t.Errorf("the second server is still asked: %q", second.log()[before:])
	}
	if figure(t, reg, "phonebox_dns_upstream_up", first.addr.String()) != 1 || figure(t, reg, "phonebox_dns_upstream_total", first.addr.String(), "no answer") == 0 {
		t.Error("the metrics do not tell")
	}
}

// While a server takes long, another one is asked as well, and the slow one comes after it from then on.
func TestAnotherServerIsAskedWhileOneIsSlow(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		<-release
		outside(w, q)
	})
	fast := startUpstream(t, outside)
	b := startTuned(t, withUpstream(slow.addr, fast.addr), dns.Deps{}, func(s *dns.Server) {
		s.SetTimeout(time.Minute)
		s.SetUnhurried(0)
	})
	for i := range 5 {
		// Hangs if it waits for the slow one.
		if resp := b.ask("udp", question(fmt.Sprintf("q%d.example.", i), mdns.TypeA)); len(resp.Answer) != 1 {
			t.Errorf("question %d: %v", i, resp)
		}
	}
	close(release)
	if n := count(slow, "example."); n != 1 {
		t.Errorf("the slow server was asked %d times, want once", n)
	}
}

// Encrypted servers come first, however slow; what the settings list in clear is asked when they fail.
func TestTLSComesBeforeClear(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	secure := startTLS(t, a.certificate(t, tlsName, now().Add(-time.Hour), now().Add(time.Hour)), outsideAnswer)
	clear := startUpstream(t, outside)
	cfg := withUpstream(clear.addr)
	cfg.Upstream = append(cfg.Upstream, dns.Upstream{Addr: secure.addr, TLSName: tlsName})
	b := startTuned(t, cfg, dns.Deps{Roots: a.pool}, func(s *dns.Server) { s.SetTimeout(5 * time.Second) })
	b.ask("udp", question("one.example.", mdns.TypeA))
	if n := secure.asked.Load(); n != 1 {
		t.Errorf("over TLS came %d questions, in clear %q", n, clear.log())
	}
}

// The letters of a question are shuffled, so that a forger has more to guess. A server that gives them back in its own way
// is asked over TCP, and left alone with that afterwards.
func TestLettersAreShuffled(t *testing.T) {
	t.Parallel()
	const name = "a-name-with-many-letters.example."
	var shuffled, tcp atomic.Int64
	lower := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		if w.RemoteAddr().Network() == "tcp" {
			tcp.Add(1)
		} else if q.Question[0].Name != strings.ToLower(q.Question[0].Name) {
			shuffled.Add(1)
		}
		q.Question[0].Name = strings.ToLower(q.Question[0].Name)
		outside(w, q)
	})
	reg := prometheus.NewRegistry()
	b := startTuned(t, withUpstream(lower.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) { s.SetTimeout(5 * time.Second) })
	for i := range 3 {
		if got := short(b.ask("udp", question(fmt.Sprintf("q%d.", i)+name, mdns.TypeA)).Answer); got != fmt.Sprintf("q%d.", i)+name+" 77 IN A 192.0.2.80" {
			t.Errorf("question %d: %s", i, got)
		}
	}
	if shuffled.Load() != 1 || tcp.Load() != 1 {
		t.Errorf("%d questions had shuffled letters and %d came over TCP, want one each", shuffled.Load(), tcp.Load())
	}
	if n := figure(t, reg, "phonebox_dns_upstream_ignored_total", "letters"); n != 1 {
		t.Errorf("%v answers were counted", n)
	}
}

// Some home routers write the question in small letters and answer over UDP alone. Names are found through them all the
// same, whether TCP is refused or nobody says a word.
func TestAServerWithOtherLettersAndWithoutTCP(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		pc, ln := listenBoth(t)
		if silent {
			defer ln.Close() // the kernel takes connections
		} else {
			ln.Close()
		}
		srv := &mdns.Server{PacketConn: pc, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
			q.Question[0].Name = strings.ToLower(q.Question[0].Name)
			outside(w, q)
		})}
		done := make(chan struct{})
		go func() { defer close(done); _ = srv.ActivateAndServe() }()
		t.Cleanup(func() { pc.Close(); <-done })
		b := startTuned(t, withUpstream(pc.LocalAddr().(*net.UDPAddr).AddrPort()), dns.Deps{}, func(s *dns.Server) { s.SetTimeout(2 * time.Second) })
		for i := range 2 {
			name := fmt.Sprintf("q%d.a-name-with-many-letters.example.", i)
			if got := short(b.ask("udp", question(name, mdns.TypeA)).Answer); got != name+" 77 IN A 192.0.2.80" {
				t.Errorf("TCP is silent (%v), question %d: %q", silent, i, got)
			}
		}
	}
}

// Where somebody guesses, the question is asked over TCP.
func TestAStormOfForgedAnswersLeadsToTCP(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		if w.RemoteAddr().Network() == "tcp" {
			outside(w, q)
			return
		}
		forged := outsideAnswer(q)
		forged.Answer[0].(*mdns.A).A = net.IPv4(6, 6, 6, 6)
		for i := range 100 {
			forged.Id = q.Id + 1 + uint16(i)
			_ = w.WriteMsg(forged)
		}
	})
	reg := prometheus.NewRegistry()
	b := startTuned(t, withUpstream(up.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) { s.SetTimeout(10 * time.Second) })
	if got := short(b.ask("udp", question("example.com.", mdns.TypeA)).Answer); got != "example.com. 77 IN A 192.0.2.80" {
		t.Errorf("found %s", got)
	}
	if n := figure(t, reg, "phonebox_dns_upstream_ignored_total", "mismatch"); n < 64 {
		t.Errorf("%v forged answers were counted", n)
	}
}

// What a client does cannot make the box keep goroutines or sockets.
func TestWhatWaitsIsBounded(t *testing.T) {
	t.Parallel()
	silent := startUpstream(t, func(mdns.ResponseWriter, *mdns.Msg) {})
	b := startTuned(t, withUpstream(silent.addr), dns.Deps{}, func(s *dns.Server) { s.SetTimeout(500 * time.Millisecond) })
	for client := range 20 {
		conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 8, 8, byte(client))}, net.UDPAddrFromAddrPort(b.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for i := range 40 {
			packet, _ := question(fmt.Sprintf("q%d.c%d.example.", i, client), mdns.TypeA).Pack()
			if _, err := conn.Write(packet); err != nil {
				t.Fatal(err)
			}
		}
		if exchanges, flights := b.UnderWay(); exchanges > 512 || flights > 256 {
			t.Fatalf("%d exchanges and %d questions are under way", exchanges, flights)
		}
	}
	b.event(func(e dns.Event) bool { return strings.Contains(e.Reason, "too many questions") })
	eventually(t, func() bool { exchanges, flights := b.UnderWay(); return exchanges+flights == 0 })
}

// A server that does not know EDNS is asked without it, also one that answers what it cannot read with the header alone.
func TestAServerOfThePast(t *testing.T) {
	t.Parallel()
	for _, headerOnly := range []bool{false, true} {
		up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
			if q.IsEdns0() == nil {
				outside(w, q)
				return
			}
			q.Extra = nil
			resp := new(mdns.Msg).SetRcode(q, mdns.RcodeFormatError)
			if headerOnly {
				resp.Question = nil
			}
			_ = w.WriteMsg(resp)
		})
		b := start(t, withUpstream(up.addr))
		if got := short(b.ask("udp", question("example.com.", mdns.TypeA)).Answer); got != "example.com. 77 IN A 192.0.2.80" {
			t.Errorf("with the header alone (%v): found %s", headerOnly, got)
		}
	}
}

// A server that refuses with the header alone lives: it is not taken for silent, and the next one is asked at once. The
// same with another id, or as if all were well, is nobody's answer.
func TestARefusalWithoutTheQuestion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id    uint16 // added to that of the question
		rcode int
		heard bool
	}{
		{0, mdns.RcodeRefused, true},
		{0, mdns.RcodeServerFailure, true},
		{0, mdns.RcodeNotImplemented, true},
		{1, mdns.RcodeRefused, false},
		{0, mdns.RcodeSuccess, false},
		{0, mdns.RcodeNameError, false},
	} {
		up := startUpstream(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
			resp := new(mdns.Msg).SetRcode(q, tt.rcode)
			resp.Id += tt.id
			resp.Question = nil
			_ = w.WriteMsg(resp)
		})
		reg := prometheus.NewRegistry()
		b := startTuned(t, withUpstream(up.addr), dns.Deps{Metrics: reg}, func(s *dns.Server) { s.SetTimeout(300 * time.Millisecond) })
		resp := b.ask("udp", question("example.com.", mdns.TypeA))
		want := mdns.RcodeServerFailure
		if tt.heard {
			want = tt.rcode
		}
		if alive := figure(t, reg, "phonebox_dns_upstream_up") == 1; resp.Rcode != want || alive != tt.heard {
			t.Errorf("%+v: told %s, the server lives: %v", tt, mdns.RcodeToString[resp.Rcode], alive)
		}
	}
}
