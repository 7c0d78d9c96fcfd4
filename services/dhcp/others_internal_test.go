package dhcp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

var second = OtherServer{Address: netip.MustParseAddr("10.77.0.3"), MAC: phone.MAC{2, 3}, Offered: netip.MustParseAddr("10.77.4.5")}

// A server that begins to answer while the box serves holds it at once. Whoever has an address of the box keeps it, and
// nobody else gets an answer.
func TestServerThatIsOverheardHoldsAndLeasesGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		addr, gone := b.lease(1), b.lease(2)
		offered := b.want(msgOffer, "", packet(t, msgDiscover, mac(3))).YourIPAddr.String()
		looks, _ := b.wire.looked()
		b.wire.hear(other)
		synctest.Wait()
		b.wantState("held")
		if _, detail, others := b.s.State(); !strings.Contains(detail, "keep it") || len(others) != 1 || others[0].MAC != other.MAC {
			t.Errorf("got %q, %+v", detail, others)
		}
		b.forget()
		b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr)))
		b.want(msgAck, addr, packet(t, msgRequest, mac(1), wanted(addr)))
		b.release(2, gone)
		if _, ok := b.s.LeaseOf(ip(gone)); ok || len(b.kinds(EventRelease)) != 1 {
			t.Error("the release of an address was not heard")
		}
		for name, msg := range map[string]*dhcpv4.DHCPv4{
			"a new client":                          packet(t, msgDiscover, mac(4)),
			"one that has an address and asks anew": packet(t, msgDiscover, mac(1)),
			"one that takes an offer from before":   selecting(t, 3, offered),
			"one that renews what it gave back":     packet(t, msgRequest, mac(2), has(gone)),
			"one that remembers another address":    packet(t, msgRequest, mac(1), wanted("10.77.1.150")),
			"one that remembers another network":    packet(t, msgRequest, mac(5), wanted("192.168.1.7")),
			"one with a reservation and no lease":   packet(t, msgRequest, mac(9), wanted("10.77.0.50")),
			"one with an address of its own":        packet(t, msgInform, mac(6), has("10.77.5.5")),
			"one that chooses the other server":     packet(t, msgRequest, mac(7), wanted("10.77.4.4"), toServer("10.77.0.2")),
		} {
			if got := b.in(msg); len(got) != 0 {
				t.Errorf("%s: got %v, want silence", name, got)
			}
		}
		if got := counted(t, b.s.metrics.dropped.WithLabelValues("other_server")); got != 8 {
			t.Errorf("counter of other_server: got %v, want 8", got)
		}
		time.Sleep(10 * time.Second)
		if n, _ := b.wire.looked(); n == looks {
			t.Error("what was overheard was not looked for")
		}
		// A lease that no longer fits the settings ends, but its client is not sent away to the other server.
		cfg := config()
		cfg.Pool = []lease.Range{{First: ip("10.77.2.1"), Last: ip("10.77.2.9")}}
		if err := b.s.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		if got := b.in(packet(t, msgRequest, mac(1), has(addr))); len(got) != 0 {
			t.Errorf("got %v for a lease that no longer fits, want silence", got)
		}
		if err := b.s.Apply(config()); err != nil {
			t.Fatal(err)
		}
		// A person looks again, while it is there: leases go on all the same.
		b.s.LookAgain()
		b.wire.hear(other)
		time.Sleep(4 * time.Second)
		b.wantState("held")
		b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr)))
		// On another wire nothing of that counts.
		b.wire.set(func(w *fakeWire) { w.servers = []OtherServer{other} })
		b.wire.link(false)
		b.wire.link(true)
		time.Sleep(4 * time.Second)
		b.wantState("held")
		b.silent(packet(t, msgRequest, mac(1), has(addr)))
	})
}

// Another host takes the box's address while it serves: the wire has news, and the look that follows makes sure.
func TestHostThatTakesTheBoxAddressHolds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.wire.news <- struct{}{} // one forged packet is no host
		time.Sleep(14 * time.Second)
		b.wantState("running")
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.0.1")] = phone.MAC{2, 2} })
		b.wire.news <- struct{}{}
		time.Sleep(14 * time.Second)
		b.wantState("held")
		if evs := b.kinds(EventDuplicate); len(evs) != 1 || evs[0].MAC != (phone.MAC{2, 2}) {
			t.Errorf("got %+v", evs)
		}
	})
}

// What was overheard before a person says that the server is gone does not count against him.
func TestServerThatWasOverheardAndIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.wire.hear(other)
		synctest.Wait()
		b.wantState("held")
		time.Sleep(20 * time.Second)
		b.wantState("held")
		b.s.LookAgain()
		time.Sleep(4 * time.Second)
		b.wantState("running")
	})
}

// A server that was gone and answers again is no news to the wire, which knows it; it holds all the same, within seconds.
func TestServerThatIsOverheardAgainHolds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.wire.hear(other)
		synctest.Wait()
		b.wantState("held")
		time.Sleep(20 * time.Second)
		b.s.LookAgain()
		time.Sleep(4 * time.Second)
		b.wantState("running")
		time.Sleep(time.Hour) // by now a look comes each 10 to 15 minutes
		b.wire.set(func(w *fakeWire) { w.overheard[0].Seen = time.Now() })
		looks, _ := b.wire.looked()
		time.Sleep(2 * rejudgeEvery)
		b.wantState("held")
		if n, _ := b.wire.looked(); n == looks {
			t.Error("what was overheard was not looked for")
		}
	})
}

// What is overheard is not looked at all the time, however often it is news.
func TestNewsDoNotMakeTheBoxLookAllTheTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		looks, _ := b.wire.looked()
		for range 600 {
			b.wire.news <- struct{}{}
			time.Sleep(100 * time.Millisecond)
		}
		if n, _ := b.wire.looked(); n-looks < 3 || n-looks > 6 {
			t.Errorf("got %d looks in a minute of news, want one each 13 s", n-looks)
		}
		b.wantState("running")
	})
}

func TestTheBoxIsNoOtherServer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.wire.hear(OtherServer{Address: ip("10.77.0.1"), MAC: phone.MAC{2, 9}})
		b.wire.set(func(w *fakeWire) { w.servers = w.overheard })
		time.Sleep(time.Hour)
		b.wantState("running")
	})
}

// A decision is about the servers that were there, not about one that somebody plugs in a year later.
func TestDecisionNamesItsServers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		if err := b.s.ServeAnyway(t.Context()); !errors.Is(err, ErrNothingToDecide) {
			t.Errorf("with nobody there: got %v", err)
		}
		b.wire.hear(other)
		synctest.Wait()
		b.wantState("held")
		if err := b.s.ServeAnyway(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantState("running")
		if d := b.s.Decision(); !d.Serve || !slices.Equal(d.Servers, []netip.Addr{other.Address}) || d.Time.IsZero() {
			t.Errorf("got %+v", d)
		}
		b.wire.hear(second)
		synctest.Wait()
		b.wantState("held")
		_, detail, others := b.s.State()
		if strings.Contains(detail, "10.77.0.2") || !strings.Contains(detail, "10.77.0.3") ||
			len(others) != 2 || !others[0].Accepted || others[1].Accepted {
			t.Errorf("got %q, %+v", detail, others)
		}
		if err := b.s.ServeAnyway(t.Context(), second.Address); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantState("running")

		// After a restart both are remembered, until it is taken back.
		b.stop()
		b.make(config())
		b.wire.set(func(w *fakeWire) { w.servers = []OtherServer{other, second} })
		b.start()
		defer func() { b.stop() }()
		time.Sleep(3100 * time.Millisecond)
		b.wantState("running")
		if err := b.s.HoldBack(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantState("held")
		if d, err := store.Decision(t.Context()); err != nil || d.Serve || len(d.Servers) != 0 {
			t.Errorf("stored: %+v, %v", d, err)
		}
	})
}

func TestDecisionOfAnOlderPhoneboxIsAboutEveryServer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		store.decision = Decision{Serve: true}
		b := started(t, config(), store)
		defer b.stop()
		b.wire.hear(other)
		synctest.Wait()
		b.wantState("running")
		if _, _, others := b.s.State(); len(others) != 1 || !others[0].Accepted {
			t.Errorf("got %+v", others)
		}
		if err := b.s.HoldBack(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantState("held")
	})
}

func TestPersonMayServeOnAWireThatCannotBeSearched(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, config(), newStore())
		b.wire.lookErr = errors.New("operation not permitted")
		b.start()
		defer b.stop()
		time.Sleep(4 * time.Second)
		b.wantState("held")
		if err := b.s.ServeAnyway(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantState("running")
		b.wire.hear(other) // a server is another matter
		synctest.Wait()
		b.wantState("held")
	})
}

// Whoever makes servers up does not fill the memory, nor hide a real one.
func TestOtherServersAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		for n := range byte(100) {
			b.in(packet(t, msgRequest, mac(1), wanted("10.77.4.4"), toServer(netip.AddrFrom4([4]byte{10, 77, 8, n}).String())))
		}
		if _, _, others := b.s.State(); len(others) != maxOthers {
			t.Errorf("%d are remembered, want %d", len(others), maxOthers)
		}
		b.wire.hear(other)
		synctest.Wait()
		b.wantState("held")
		if got := gauge(t, b); got != maxOthers {
			t.Errorf("the gauge says %v, want %d", got, maxOthers)
		}
		time.Sleep(2 * time.Hour)
		b.wantState("running")
		if got := gauge(t, b); got != 0 {
			t.Errorf("the gauge says %v after two hours, want 0", got)
		}
	})
}

func gauge(t *testing.T, b *bench) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(b.s.metrics.others)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("got %d metrics, %v, want one", len(families), err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}
