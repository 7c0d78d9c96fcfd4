package dhcp

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

// sinkStore takes every record at once: what is measured is the server, not the disk.
type sinkStore struct{ writes, records atomic.Int64 }

func (s *sinkStore) Leases(context.Context) ([]lease.Record, error) { return nil, nil }

func (s *sinkStore) Commit(_ context.Context, records ...lease.Record) error {
	s.writes.Add(1)
	s.records.Add(int64(len(records)))
	return nil
}

func (s *sinkStore) Decision(context.Context) (Decision, error) { return Decision{}, nil }

func (s *sinkStore) SetDecision(context.Context, Decision) error { return nil }

// sinkSender counts what leaves outside of the handler, which is every ACK.
type sinkSender struct{ sent atomic.Int64 }

func (s *sinkSender) Send(replies ...udp.Reply) error {
	s.sent.Add(int64(len(replies)))
	return nil
}

// exchangePackets are the packets of perfdhcp: through a relay, without a list of options, one client each.
type exchangePackets struct {
	discover, request []byte
	replies           []udp.Reply
}

func newExchangePackets(b *testing.B) *exchangePackets {
	p := &exchangePackets{}
	relayed := dhcpv4.WithGatewayIP(ip("10.0.0.2").AsSlice())
	p.discover = packet(b, msgDiscover, mac(1), relayed).ToBytes()
	p.request = packet(b, msgRequest, mac(1), relayed, wanted("10.1.0.0"), toServer("10.0.0.1")).ToBytes()
	return p
}

// exchange plays one new client: DISCOVER, OFFER, REQUEST. The ACK comes from the committer.
func (p *exchangePackets) exchange(b *testing.B, ctx context.Context, s *Server, out sender, n int) {
	who := phone.MAC{0, 0x0c, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	in := func(payload []byte) []udp.Reply {
		copy(payload[28:], who[:])
		return s.handle(ctx, out, &udp.Packet{
			Payload: payload, From: netip.MustParseAddrPort("10.0.0.2:67"), To: ip("10.0.0.1"), Received: time.Now(),
		}, p.replies[:0])
	}
	offer := in(p.discover)
	if len(offer) != 1 {
		b.Fatalf("client %d: got %d answers to DISCOVER, want one", n, len(offer))
	}
	at := len(p.request) - 1
	for i := 240; i < len(p.request); i += 2 + int(p.request[i+1]) {
		if p.request[i] == 50 {
			at = i + 2
			break
		}
	}
	copy(p.request[at:], offer[0].Payload[16:20]) // yiaddr
	binary.BigEndian.PutUint32(p.request[4:], uint32(n))
	in(p.request)
}

// BenchmarkExchange is a full exchange of a client that is new, at the handler, with a disk that takes no time.
func BenchmarkExchange(b *testing.B) {
	cfg := config()
	cfg.Server = netip.MustParsePrefix("10.0.0.1/8")
	cfg.Pool = []lease.Range{{First: ip("10.1.0.0"), Last: ip("10.200.0.0")}}
	cfg.Gateway, cfg.DNS, cfg.NTP, cfg.Reservations = netip.Addr{}, nil, nil, nil
	cfg.Relayed = true // no wire to look at first
	store, out := &sinkStore{}, &sinkSender{}
	s, err := New(cfg, Deps{Clock: &fakeClock{trusted: true}, Store: store, Log: slog.New(slog.DiscardHandler), Report: func(Event) {}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := s.start(ctx, cancel, out, netip.MustParseAddrPort("0.0.0.0:67"))
	defer func() { cancel(nil); stop() }()
	p := newExchangePackets(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		for int64(n)-out.sent.Load() > 512 {
			time.Sleep(50 * time.Microsecond)
		}
		p.exchange(b, ctx, s, out, n)
	}
	for end := time.Now().Add(10 * time.Second); out.sent.Load() < int64(n) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := out.sent.Load(); got != int64(n) {
		b.Errorf("got %d ACKs for %d clients", got, n)
	}
	b.ReportMetric(float64(store.records.Load())/float64(n), "records/exchange")
}
