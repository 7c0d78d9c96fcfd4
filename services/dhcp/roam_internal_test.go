package dhcp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

// narrow is two networks behind relays and one address at home, with conflict probing off.
func narrow() Config {
	cfg := branches()
	cfg.Pool = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.1")}}
	cfg.Known = nil
	return cfg
}

// roams is what a forger sends: a REQUEST through the warehouse's relay, in a phone's name, for an address that is free.
func roams(t *testing.T, n byte, addr string) *dhcpv4.DHCPv4 {
	return packet(t, msgRequest, mac(n), through("10.78.0.1"), wanted(addr), toServer("10.77.0.1"))
}

// One packet with a phone's MAC and a relay's address took the phone's address away, and the next device at home got it.
func TestForgedRoamingTakesNoAddressAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, narrow(), store)
		defer func() { b.stop() }()
		home := b.lease(1)
		noneLeft := func(when string) {
			t.Helper()
			b.forget()
			if got := b.ask(packet(t, msgDiscover, mac(2))); got != nil || !strings.Contains(b.lastReason(), "all 1 addresses of the pool are in use") {
				t.Fatalf("%s another phone got %v (%s), while phone 1 has %s", when, got, b.lastReason(), home)
			}
			b.want(msgNak, "", selecting(t, 2, home))
			b.want(msgNak, "", packet(t, msgRequest, mac(2), wanted(home)))
		}
		for _, addr := range []string{"10.78.0.52", "10.78.0.52"} {
			b.want(msgAck, addr, roams(t, 1, addr))
			noneLeft("after a forged request")
		}
		for _, addr := range []string{"10.78.0.53", "10.78.0.54"} { // it has one there already
			b.want(msgNak, "", roams(t, 1, addr))
		}
		b.s.locked(func() {
			if free, all := b.s.table.Room(1); free != all-1 {
				t.Errorf("the warehouse has %d of %d addresses left", free, all)
			}
		})
		b.stop()
		b.make(narrow())
		b.start()
		time.Sleep(3100 * time.Millisecond)
		b.take()
		noneLeft("after a restart")
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		writes := store.commits
		b.want(msgAck, home, packet(t, msgRequest, mac(1), has(home)))
		synctest.Wait()
		if store.commits != writes {
			t.Error("a renewal that changes nothing but time was written")
		}
		if l, ok := b.s.LeaseFor(mac(1)); !ok || l.Address != ip(home) {
			t.Errorf("phone 1 renewed %s and is said to be at %s", home, l.Address)
		}
		time.Sleep(7*time.Hour + 59*time.Minute)
		noneLeft("a minute before the end")
		time.Sleep(2 * time.Minute)
		b.want(msgOffer, home, packet(t, msgDiscover, mac(2)))
	})
}

// What a phone had in another network ends there, and is no end of the phone.
func TestEndOfAFormerAddressIsNoEndOfThePhone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, branches(), newStore())
		defer b.stop()
		home := b.lease(1)
		b.want(msgAck, "10.78.0.52", roams(t, 1, "10.78.0.52")) // for an hour
		b.want(msgAck, "10.79.0.25", packet(t, msgRequest, mac(1), through("10.79.0.1"), agent("\x01\x00\x02"), wanted("10.79.0.25"), toServer("10.77.0.1")))
		b.forget()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		ended := b.kinds(EventExpire)
		if len(ended) != 1 || ended[0].Address != ip("10.78.0.52") || ended[0].Still != ip("10.79.0.25") {
			t.Errorf("got %+v, want the end of the warehouse's address, and that the phone goes on", ended)
		}
		b.release(1, home)
		given := b.kinds(EventRelease)
		if len(given) != 1 || given[0].Still != ip("10.79.0.25") {
			t.Errorf("got %+v, want that the phone goes on with its latest address", given)
		}
		if l, ok := b.s.LeaseFor(mac(1)); !ok || l.Address != ip("10.79.0.25") || len(b.s.Leases()) != 1 {
			t.Errorf("got %+v, %v", l, ok)
		}
	})
}

// Nor can it be given back, or declined, from another network; and what lies on the wire is looked at there, whatever way
// the packet took.
func TestForgedReleaseAndDeclineThroughARelay(t *testing.T) {
	for _, typ := range []dhcpv4.MessageType{msgRelease, msgDecline} {
		t.Run(typ.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := started(t, branches(), newStore())
				defer b.stop()
				addr := b.lease(1)
				b.wire.set(func(w *fakeWire) { w.hosts[ip(addr)] = mac(1) })
				forged := func(relay string) {
					mods := []dhcpv4.Modifier{through(relay), has(addr), toServer("10.77.0.1")}
					if typ == msgDecline {
						mods[1] = wanted(addr)
					}
					b.in(packet(t, typ, mac(1), mods...), sentFrom(relay))
					time.Sleep(leaveTime + probeWait)
					synctest.Wait()
				}
				for relay, why := range map[string]string{"10.78.0.1": "the relay of another network", "10.77.9.9": "not believed"} {
					b.forget()
					if forged(relay); !strings.Contains(b.lastReason(), why) {
						t.Errorf("through %s: got the reason %q, want %q", relay, b.lastReason(), why)
					}
					if _, ok := b.s.LeaseFor(mac(1)); !ok {
						t.Fatalf("a %s through %s was believed", typ, relay)
					}
				}
			})
		})
	}
}

// A phone that comes back to an address whose lease is over is looked for there, although another lease of it runs.
func TestFormerAddressIsProbedWhileAnotherLeaseRuns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := branches()
		cfg.PingCheck = true
		b := started(t, cfg, newStore())
		defer b.stop()
		home := b.lease(1)
		time.Sleep(7*time.Hour + 30*time.Minute)
		b.want(msgAck, "10.78.0.52", roams(t, 1, "10.78.0.52"))
		time.Sleep(45 * time.Minute)
		b.wire.set(func(w *fakeWire) { w.hosts[ip(home)], w.probed = mac(77), nil })
		got := b.want(msgNak, "", packet(t, msgRequest, mac(1), wanted(home)))
		synctest.Wait()
		if !slices.Contains(b.wire.probed, ip(home)) || !strings.Contains(got.Message(), "in use") {
			t.Errorf("probed %v, told %q", b.wire.probed, got.Message())
		}
	})
}

// The same over real sockets, with relays on addresses of both networks.
func TestForgedRoamingThroughRealRelays(t *testing.T) {
	t.Parallel()
	cfg := loopbackConfig()
	cfg.Server = netip.MustParsePrefix("127.77.0.1/16")
	cfg.Pool = []lease.Range{{First: ip("127.77.1.1"), Last: ip("127.77.1.1")}}
	cfg.Subnets = []Subnet{{Network: netip.MustParsePrefix("127.78.0.0/24"), Pool: []lease.Range{{First: ip("127.78.0.10"), Last: ip("127.78.0.19")}}}}
	store := newStore()
	s, stop := running(t, cfg, store)
	home, away := newRelay(t, "127.77.9.2"), newRelay(t, "127.78.0.1")
	const server = "127.77.0.1"
	take := func(r *relay, addr string) {
		t.Helper()
		if got := r.want(s, msgAck, r.packet(msgRequest, mac(1), wanted(addr), toServer(server))); addrOf(got.YourIPAddr) != ip(addr) {
			t.Fatalf("got %s, want %s", got.YourIPAddr, addr)
		}
	}
	for range 2 {
		take(home, "127.77.1.1")
		take(away, "127.78.0.12")
		away.want(s, msgNak, away.packet(msgRequest, mac(1), wanted("127.78.0.13"), toServer(server)))
		home.want(s, msgNak, home.packet(msgRequest, mac(2), wanted("127.77.1.1"), toServer(server)))
		stop()
		s, stop = running(t, cfg, store)
		home.want(s, msgNak, home.packet(msgRequest, mac(2), wanted("127.77.1.1")))
	}
	if n := len(s.Leases()); n != 2 {
		t.Errorf("got %d leases, want 2", n)
	}
}
