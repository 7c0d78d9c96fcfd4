package assemble

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/netdev"
	"phonebox/appliance/site"
	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// silentWire is a wire on which nobody answers until release.
type silentWire struct {
	link
	asked   chan netip.Addr
	release chan struct{}
}

func (w *silentWire) MACOf(_ context.Context, addr netip.Addr) (phone.MAC, bool, error) {
	w.asked <- addr
	<-w.release
	return phone.MAC{}, false, nil
}

func (w *silentWire) SentBy(context.Context, netip.AddrPort, phone.MAC) bool { return false }
func (w *silentWire) State() netdev.State                                    { return netdev.State{} }

type fixedClock struct{}

func (fixedClock) Now() time.Time { return time.Now() }
func (fixedClock) Trusted() bool  { return true }

type noStore struct{}

func (noStore) Leases(context.Context) ([]lease.Record, error)   { return nil, nil }
func (noStore) Commit(context.Context, ...lease.Record) error    { return nil }
func (noStore) Decision(context.Context) (dhcp.Decision, error)  { return dhcp.Decision{}, nil }
func (noStore) SetDecision(context.Context, dhcp.Decision) error { return nil }

// A flood of requests in the names of phones, from addresses where nobody is, leaves room for the others to be looked for.
func TestDevicesThatDoNotAnswerAreLookedForWithinBounds(t *testing.T) {
	t.Parallel()
	s := site.Default()
	s.Network.Address = netip.MustParsePrefix("10.77.0.1/16")
	d, err := dhcp.New(dhcp.Config{Server: s.Network.Address, Listen: netip.MustParseAddrPort("127.0.0.1:0"), Lease: time.Hour, Relayed: true}, dhcp.Deps{
		Clock: fixedClock{}, Store: noStore{}, Log: slog.New(slog.DiscardHandler), Report: func(dhcp.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &silentWire{asked: make(chan netip.Addr, 2*maxLooks), release: make(chan struct{})}
	b := &Box{dhcp: d, wire: w}
	b.index.Store(&index{site: s})
	holds := func(i int) (who *tftpAsker, why string) {
		who = &tftpAsker{from: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 9, byte(i)}), 50_000)}
		held, why := guard{b}.Holds(askedBy(t.Context(), who), who.from.Addr(), testMAC(1))
		if held {
			t.Errorf("request %d is vouched for", i)
		}
		return who, why
	}
	var wg sync.WaitGroup
	for i := range maxLooks {
		wg.Go(func() {
			if who, why := holds(i); who.unknown {
				t.Errorf("request %d: %s", i, why)
			}
		})
	}
	for range maxLooks {
		<-w.asked
	}
	if who, why := holds(200); !who.unknown || why == "" {
		t.Errorf("one more is looked for, or refused for good: %+v, %q", who, why)
	}
	close(w.release)
	wg.Wait()
	if who, why := holds(201); who.unknown {
		t.Errorf("when all were looked for: %s", why)
	}
}
