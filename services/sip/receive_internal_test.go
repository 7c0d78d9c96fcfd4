package sip

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/internal/udp"
)

type none struct{}

func (none) Targets() []Target { return nil }

// FuzzReceive feeds the receive path while one request waits for its answer. Each packet is delivered, or dropped with
// one event that has a reason; nothing from a phone is ever answered.
func FuzzReceive(f *testing.F) {
	us, peer := netip.MustParseAddrPort("127.0.0.1:5062"), netip.MustParseAddrPort("127.0.0.2:5060")
	branch := branchCookie + "00112233445566778899aabbccddeeff"
	req := request(sip.OPTIONS, us, Target{Address: peer, User: "208"}, branch)
	f.Add([]byte(req.String()))
	f.Add([]byte(sip.NewResponseFromRequest(req, 200, "OK", nil).String()))
	f.Add([]byte(sip.NewResponseFromRequest(req, 100, "Trying", nil).String()))
	f.Add([]byte("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 1.2.3.4;branch=" + branch + "\r\nCSeq: 1 OPTIONS\r\nServer:\r\n x\r\n\r\n"))
	f.Add([]byte("SIP/2.0 999 \r\nVia: \r\n\r\n"))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var dropped []Event
		c, err := New(Config{Listen: us}, Deps{
			Targets: none{}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
			Report: func(e Event) { dropped = append(dropped, e) },
		})
		if err != nil {
			t.Fatal(err)
		}
		p := &pending{method: sip.OPTIONS, peer: peer.Addr(), answers: make(chan answer, 2)}
		if err := c.await(branch, p); err != nil {
			t.Fatal(err)
		}
		if replies := c.handle(&udp.Packet{Payload: b, From: peer}, nil); len(replies) != 0 {
			t.Errorf("%q is answered with %q", b, replies[0].Payload)
		}
		if len(dropped)+len(p.answers) != 1 {
			t.Errorf("%q is delivered %d times and dropped %d times", b, len(p.answers), len(dropped))
		}
		for _, e := range dropped {
			if e.Kind != EventDropped || e.Reason == "" || len(e.Reason) > 300 || strings.ContainsAny(e.Reason, "\r\n\x00") {
				t.Errorf("%q is dropped with %+v", b, e)
			}
		}
		if len(p.answers) == 1 {
			if a := <-p.answers; a.code < 100 || a.code > 699 || len(a.userAgent) > 100 {
				t.Errorf("%q is delivered as %+v", b, a)
			}
		}
	})
}

func TestOnlyTheBoxItselfIsAnswered(t *testing.T) {
	t.Parallel()
	us := netip.MustParseAddrPort("127.0.0.1:0")
	c, err := New(Config{Listen: us}, Deps{Targets: none{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	// The socket is not open: nobody is the box.
	req := request(sip.OPTIONS, us, Target{Address: us}, branchCookie+"1")
	if r := c.handle(&udp.Packet{Payload: []byte(req.String()), From: us}, nil); len(r) != 0 {
		t.Errorf("answered %q", r[0].Payload)
	}
}

func TestMoreExchangesThanAllowedAreRefused(t *testing.T) {
	t.Parallel()
	c, err := New(Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Deps{Targets: none{}, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	for range maxPending {
		if err := c.await(token(), &pending{}); err != nil {
			t.Fatal(err)
		}
	}
	if c.await(token(), &pending{}) == nil {
		t.Error("one more is accepted")
	}
}
