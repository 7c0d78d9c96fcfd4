package dns

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"phonebox/services/internal/udp"
)

// leases are names that come and go.
type leases map[string]netip.Addr

func (l leases) Lookup(name string) (netip.Addr, bool) { a, ok := l[name]; return a, ok }
func (l leases) Reverse(netip.Addr) (string, bool)     { return "", false }

// A packed answer for a phone's name goes with the lease, at once.
func TestAPackedAnswerGoesWithTheLease(t *testing.T) {
	names := leases{}
	s, err := New(Config{Server: netip.MustParsePrefix("10.77.0.1/16"), Domain: "voice.home.arpa"},
		Deps{Names: names, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		t.Helper()
		packet, _ := new(dns.Msg).SetQuestion("Desk.voice.home.arpa.", dns.TypeA).Pack()
		p := &udp.Packet{Payload: packet, From: netip.MustParseAddrPort("10.77.1.5:1024"), To: netip.MustParseAddr("10.77.0.1")}
		replies := s.handle(t.Context(), nil, nil, p, nil)
		m := new(dns.Msg)
		if len(replies) != 1 || m.Unpack(replies[0].Payload) != nil || m.Question[0].Name != "Desk.voice.home.arpa." {
			t.Fatalf("found %v", replies)
		}
		if len(m.Answer) == 0 {
			return dns.RcodeToString[m.Rcode]
		}
		return m.Answer[0].(*dns.A).A.String()
	}
	for _, want := range []string{"", "10.77.1.5", "10.77.1.6", "", "10.77.1.7"} {
		delete(names, "desk")
		if want != "" {
			names["desk"] = netip.MustParseAddr(want)
		} else {
			want = "NXDOMAIN"
		}
		for range 3 {
			if got := ask(); got != want {
				t.Errorf("found %s, want %s", got, want)
			}
		}
	}
	if n := len(s.state.Load().own.answers); n != 1 {
		t.Errorf("%d packed answers of one name", n)
	}
}
