package dhcp

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

func TestLookComesBeforeTheFirstOffer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, config(), newStore())
		b.wantState("off")
		b.start()
		defer b.stop()
		synctest.Wait()
		for range 2 {
			b.wantState("held")
			b.silent(packet(t, msgDiscover, mac(1)))
		}
		time.Sleep(1100 * time.Millisecond)
		b.wantState("running")
		if b.wire.looks != 1 || !slices.Equal(b.wire.probed, []netip.Addr{ip("10.77.0.1")}) {
			t.Errorf("got %d looks, probes of %v", b.wire.looks, b.wire.probed)
		}
		b.want(msgOffer, "", packet(t, msgDiscover, mac(1)))
		if got := counted(t, b.s.metrics.dropped.WithLabelValues("looking")); got != 2 {
			t.Errorf("counter of looking: got %v, want 2", got)
		}
	})
}

var other = OtherServer{Address: netip.MustParseAddr("10.77.0.2"), MAC: phone.MAC{2}, Offered: netip.MustParseAddr("10.77.4.4")}

func TestOtherServerHolds(t *testing.T) {
	held := func(t *testing.T) *bench {
		b := newBench(t, config(), newStore())
		b.wire.servers = []OtherServer{other}
		b.start()
		time.Sleep(3100 * time.Millisecond)
		b.wantState("held")
		_, detail, others := b.s.State()
		want := other
		want.First, want.Seen = b.clock.Now().Add(-100*time.Millisecond), b.clock.Now().Add(-100*time.Millisecond)
		if !strings.Contains(detail, "10.77.0.2") || !reflect.DeepEqual(others, unmarked(want)) {
			t.Errorf("got %q, %+v", detail, others)
		}
		if evs := b.kinds(EventHeld); len(evs) != 1 || !reflect.DeepEqual(evs[0].Other, unmarked(want)) {
			t.Errorf("got %+v", evs)
		}
		if evs := b.kinds(EventOther); len(evs) != 1 || !reflect.DeepEqual(evs[0].Other, unmarked(want)) {
			t.Errorf("got %+v", evs)
		}
		for _, msg := range []*dhcpv4.DHCPv4{
			packet(t, msgDiscover, mac(1)), packet(t, msgRequest, mac(1), wanted("192.168.1.1")), packet(t, msgInform, mac(1), has("10.77.5.5")),
		} {
			b.silent(msg)
		}
		b.forget()
		return b
	}
	t.Run("until a person says so, also after a restart", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			b := held(t)
			if err := b.s.ServeAnyway(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			b.wantState("running")
			if len(b.kinds(EventServing)) != 1 {
				t.Error("no event says that serving began")
			}
			b.want(msgOffer, "", packet(t, msgDiscover, mac(1)))
			b.stop()
			b.make(config())
			b.start()
			defer func() { b.stop() }()
			time.Sleep(3100 * time.Millisecond)
			b.wantState("running")
			if _, detail, others := b.s.State(); detail == "" || len(others) != 1 {
				t.Errorf("got %q, %v: the other server is no longer shown", detail, others)
			}
		})
	})
	t.Run("until the settings say so", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			b := held(t)
			defer b.stop()
			cfg := config()
			cfg.Authoritative = true
			if err := b.s.Apply(cfg); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			b.wantState("running")
			if err := b.s.Apply(config()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			b.wantState("held")
		})
	})
	t.Run("until it is gone for ten minutes of looks", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			b := held(t)
			defer b.stop()
			b.wire.set(func(w *fakeWire) { w.servers = nil })
			time.Sleep(goneAfter - 10*time.Second)
			b.wantState("held")
			time.Sleep(74 * time.Second)
			b.wantState("running")
			if looks, _ := b.wire.looked(); looks < 10 || looks > 12 {
				t.Errorf("got %d looks, want 11", looks)
			}
			if _, detail, others := b.s.State(); detail != "" || len(others) != 0 {
				t.Errorf("got %q, %v after it is gone", detail, others)
			}
		})
	})
	t.Run("until a person says that it is gone, and it is", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			b := held(t)
			defer b.stop()
			b.s.LookAgain()
			time.Sleep(4 * time.Second)
			b.wantState("held") // it is not
			b.wire.set(func(w *fakeWire) { w.servers = nil })
			b.s.LookAgain()
			time.Sleep(4 * time.Second)
			b.wantState("running")
			if looks, packets := b.wire.looked(); packets != looks*lookPackets {
				t.Errorf("got %d packets in %d looks, want %d in each", packets, looks, lookPackets)
			}
		})
	})
}

// unmarked is a list of one, its time as the server gives it: without Go's monotonic reading.
func unmarked(o OtherServer) []OtherServer {
	o.First, o.Seen = o.First.Round(0), o.Seen.Round(0)
	return []OtherServer{o}
}

// One that was gone for a moment, as a router that restarts is, must not find the box serving for good.
func TestOtherServerThatComesBackHoldsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, config(), newStore())
		b.wire.servers = []OtherServer{other}
		b.start()
		defer b.stop()
		time.Sleep(3100 * time.Millisecond)
		b.wantState("held")
		b.wire.set(func(w *fakeWire) { w.servers = nil })
		time.Sleep(goneAfter + 64*time.Second)
		b.wantState("running")
		b.wire.set(func(w *fakeWire) { w.servers = []OtherServer{other} })
		time.Sleep(64 * time.Second)
		b.wantState("held")
		b.silent(packet(t, msgDiscover, mac(1)))
	})
}

// A switch that does not forward at once hides the other server from the first look, and a router starts later than the
// box after a power cut.
func TestServerThatShowsItselfLateIsFound(t *testing.T) {
	for name, after := range map[string]time.Duration{"10 s": 10 * time.Second, "45 s": 45 * time.Second, "3 min": 3 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := started(t, config(), newStore())
				defer b.stop()
				time.Sleep(after)
				b.wire.set(func(w *fakeWire) { w.servers = []OtherServer{other} })
				time.Sleep(2 * after)
				b.wantState("held")
			})
		})
	}
}

// The looks at a quiet wire are few and small, and they never stop.
func TestQuietWireIsLookedAtNowAndThen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		time.Sleep(24 * time.Hour)
		looks, packets := b.wire.looked()
		if looks < eagerLooks+90 || looks > eagerLooks+145 || packets != eagerLooks*lookPackets+looks-eagerLooks {
			t.Errorf("got %d looks with %d packets in a day, want one of one packet each 10 to 15 minutes", looks, packets)
		}
		if len(b.kinds(EventServing)) != 1 {
			t.Errorf("serving was broken off: %v", b.kinds(EventServing))
		}
		b.wire.set(func(w *fakeWire) { w.servers = []OtherServer{other} })
		time.Sleep(16 * time.Minute)
		b.wantState("held")
	})
}

// The look may miss a server; a client that chooses it tells of it, and the box looks again.
func TestServerThatAClientChoseIsLookedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.wire.set(func(w *fakeWire) { w.servers = []OtherServer{other} })
		b.silent(packet(t, msgRequest, mac(1), wanted("10.77.4.4"), toServer("10.77.0.2")))
		time.Sleep(4 * time.Second)
		b.wantState("held")
	})
}

// The cable moves to another switch while the box looks: what it saw until then says nothing of the new wire.
func TestLinkThatFlapsDuringTheLookIsLookedAtAnew(t *testing.T) {
	for name, at := range map[string]time.Duration{"first look": 0, "a later look": 61 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cfg := config()
				cfg.Authoritative = at > 0
				b := newBench(t, cfg, newStore())
				if cfg.Authoritative { // it looks every minute then
					b.wire.servers = []OtherServer{other}
				}
				b.start()
				defer b.stop()
				time.Sleep(at + 2900*time.Millisecond)
				b.wire.link(false)
				b.wire.link(true)
				synctest.Wait()
				b.wantState("held")
				time.Sleep(2900 * time.Millisecond)
				b.wantState("held")
				b.silent(packet(t, msgDiscover, mac(1)))
				b.wantState("running")
			})
		})
	}
}

// A new address is looked for before it serves one more packet, also when a look runs already.
func TestApplyOfAnAddressHoldsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		cfg := config()
		for i, addr := range []string{"10.77.0.3/16", "10.77.0.4/16"} {
			cfg.Server = netip.MustParsePrefix(addr)
			if err := b.s.Apply(cfg); err != nil {
				t.Fatal(err)
			}
			if got := b.in(packet(t, msgDiscover, mac(1))); len(got) != 0 {
				t.Errorf("address %d: got %v, want silence", i, got)
			}
			time.Sleep(time.Second) // of the look at the first one
		}
		time.Sleep(2100 * time.Millisecond)
		b.wantState("held")
		time.Sleep(4 * time.Second)
		b.wantState("running")
		if last := b.wire.probed[len(b.wire.probed)-1]; last != ip("10.77.0.4") {
			t.Errorf("the last look was for %s", last)
		}
	})
}

func TestWireThatCannotBeSearchedHolds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, config(), newStore())
		b.wire.lookErr = errors.New("operation not permitted")
		b.start()
		defer b.stop()
		time.Sleep(4 * time.Second)
		b.wantState("held")
		b.wire.set(func(w *fakeWire) { w.lookErr = nil })
		time.Sleep(14 * time.Second)
		b.wantState("running")
	})
}

func TestOwnAddressElsewhereHolds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, config(), newStore())
		b.wire.hosts[ip("10.77.0.1")] = phone.MAC{2, 2}
		b.start()
		defer b.stop()
		time.Sleep(4 * time.Second)
		b.wantState("held")
		if _, detail, _ := b.s.State(); !strings.Contains(detail, "02:02:00:00:00:00") {
			t.Errorf("got %q", detail)
		}
		if evs := b.kinds(EventDuplicate); len(evs) != 1 || evs[0].MAC != (phone.MAC{2, 2}) {
			t.Errorf("got %+v", evs)
		}
		b.silent(packet(t, msgDiscover, mac(1)))
		b.wire.set(func(w *fakeWire) { clear(w.hosts) })
		time.Sleep(14 * time.Second)
		b.wantState("running")
	})
}

func TestNothingIsServedWhileTheCableIsOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		addr := b.lease(1)
		b.wire.link(false)
		synctest.Wait()
		b.wantState("held")
		b.silent(packet(t, msgRequest, mac(1), has(addr)))
		b.wire.set(func(w *fakeWire) { clear(w.neighbours) })
		b.wire.link(true)
		synctest.Wait()
		b.silent(packet(t, msgRequest, mac(1), has(addr))) // it looks again
		time.Sleep(3 * time.Second)
		b.wantState("running")
		if b.wire.looks != 2 || b.wire.neighbour(addr) != mac(1) {
			t.Errorf("got %d looks, neighbour %s", b.wire.looks, b.wire.neighbour(addr))
		}
		b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr)))
	})
}

func TestFirstValueOfTheWireIsNoChange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, config(), newStore())
		b.wire.changes <- true // a new subscription begins with the state as it is
		b.start()
		defer b.stop()
		time.Sleep(10 * time.Second)
		b.wantState("running")
		if b.wire.looks != 1 {
			t.Errorf("got %d looks, want 1", b.wire.looks)
		}
	})
}

func TestApplyServesOnWithoutALook(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		addr := b.lease(1)
		cfg := config()
		cfg.Pool = []lease.Range{{First: ip("10.77.2.1"), Last: ip("10.77.2.9")}}
		if err := b.s.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		if _, ok := b.s.LeaseOf(ip(addr)); !ok {
			t.Error("the lease was cut short")
		}
		got := b.want(msgNak, "", packet(t, msgRequest, mac(1), has(addr)))
		if !strings.Contains(got.Message(), addr) {
			t.Errorf("got the reason %q", got.Message())
		}
		if again := b.lease(1); ip(again).Less(ip("10.77.2.1")) {
			t.Errorf("got %s, want one of the new pool", again)
		}
		if b.wire.looks != 1 {
			t.Errorf("got %d looks, want 1", b.wire.looks)
		}
		if b.wire.neighbour(addr) != (phone.MAC{}) {
			t.Error("the neighbour entry of the old address is still there")
		}
		cfg.Lease = 0
		if err := b.s.Apply(cfg); err == nil || !strings.Contains(err.Error(), "lease") {
			t.Errorf("a lease of nothing: got %v", err)
		}
		cfg = config()
		cfg.Server = netip.MustParsePrefix("10.77.0.3/16")
		if err := b.s.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantState("held") // another address: look again
	})
}

func TestServerThatAClientChoseIsShown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.silent(packet(t, msgRequest, mac(1), wanted("10.77.4.4"), toServer("10.77.0.2")))
		_, _, others := b.s.State()
		if len(others) != 1 || others[0].Address != ip("10.77.0.2") {
			t.Errorf("got %+v", others)
		}
		b.silent(packet(t, msgRequest, mac(2), wanted("10.77.1.66"))) // may be the other server's client
		time.Sleep(2 * time.Hour)
		b.want(msgAck, "10.77.1.66", packet(t, msgRequest, mac(2), wanted("10.77.1.66")))
	})
}
