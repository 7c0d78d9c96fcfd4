package dns

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"phonebox/services/internal/udp"
)

// benchServer has a host, and an answer of the world in its memory.
func benchServer(tb testing.TB) *Server {
	tb.Helper()
	s, err := New(Config{
		Server: netip.MustParsePrefix("10.77.0.1/16"), Domain: "voice.home.arpa", Hosts: map[string]netip.Addr{"pbx": netip.MustParseAddr("10.77.0.10")},
		Upstream: []Upstream{{Addr: netip.MustParseAddrPort("192.0.2.53:53")}},
	}, Deps{Names: noNames{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		tb.Fatal(err)
	}
	m := new(dns.Msg).SetQuestion("sip.example.com.", dns.TypeA)
	m.Response = true
	m.Answer = []dns.RR{address("sip.example.com.", 300, netip.MustParseAddr("192.0.2.1"))}
	a, err := newAnswer(m)
	if err != nil {
		tb.Fatal(err)
	}
	a.ttl = 300
	q, _ := questionOf(m)
	s.cache.keep(string(q.appendKey(nil)), a, s.uptime(), s.state.Load().epoch)
	return s
}

func BenchmarkHandle(b *testing.B) {
	for _, name := range []string{"pbx.voice.home.arpa.", "reception.voice.home.arpa.", "nobody.voice.home.arpa.", "sip.example.com."} {
		for _, edns := range []bool{false, true} {
			b.Run(fmt.Sprintf("%sedns=%v", name, edns), func(b *testing.B) {
				s := benchServer(b)
				m := new(dns.Msg).SetQuestion(name, dns.TypeA)
				if edns {
					m.SetEdns0(1232, false)
				}
				packet, _ := m.Pack()
				p := &udp.Packet{Payload: packet, From: netip.MustParseAddrPort("10.77.1.5:1024"), To: netip.MustParseAddr("10.77.0.1")}
				replies := make([]udp.Reply, 0, 1)
				b.ReportAllocs()
				for b.Loop() {
					if replies = s.handle(b.Context(), nil, nil, p, replies[:0]); len(replies) != 1 {
						b.Fatal("no answer")
					}
				}
			})
		}
	}
}
