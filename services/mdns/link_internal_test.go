package mdns

import (
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"phonebox/services/internal/udp"
)

// New settings and the look of each second may find a wire at the same time; it is joined once.
func TestTwoWhoFindTheWireJoinItOnce(t *testing.T) {
	t.Parallel()
	cfg := office(1)
	cfg.Interface, cfg.Address = "lo", netip.MustParsePrefix("127.0.0.1/8")
	s, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := udp.Listen(t.Context(), udp.ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Interface: "lo"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s.conn = conn
	for round := range 1000 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(s.lookAtWire)
		}
		all.Wait()
		if s.link == (link{}) {
			t.Fatalf("round %d: it is not on the wire", round)
		}
		leave(conn, s.link)
		s.link = link{}
	}
}
