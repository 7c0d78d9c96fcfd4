package dhcp

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

const (
	msgDiscover = dhcpv4.MessageTypeDiscover
	msgOffer    = dhcpv4.MessageTypeOffer
	msgRequest  = dhcpv4.MessageTypeRequest
	msgAck      = dhcpv4.MessageTypeAck
	msgNak      = dhcpv4.MessageTypeNak
	msgDecline  = dhcpv4.MessageTypeDecline
	msgRelease  = dhcpv4.MessageTypeRelease
	msgInform   = dhcpv4.MessageTypeInform
)

// counted reads a counter.
func counted(t *testing.T, c prometheus.Collector) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("got %d metrics, %v, want one", len(families), err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// inBubble runs a test whose time passes at once.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func selecting(t *testing.T, n byte, addr string) *dhcpv4.DHCPv4 {
	return packet(t, msgRequest, mac(n), wanted(addr), toServer("10.77.0.1"))
}

func TestAckLeavesOnlyAfterTheLeaseIsOnDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		defer b.stop()
		disk := make(chan struct{})
		store.onCommit(func([]lease.Record) error { <-disk; return nil })
		addr := b.want(msgOffer, "", packet(t, msgDiscover, mac(1))).YourIPAddr.String()
		if got := b.ask(selecting(t, 1, addr)); got != nil {
			t.Fatalf("got %s while the disk was still busy", got.MessageType())
		}
		if _, ok := store.record(addr); ok {
			t.Fatal("the store took the record early")
		}
		// A phone that asks again is answered once.
		b.silent(selecting(t, 1, addr))
		// A burst of others does not wait for the disk.
		for n := range byte(50) {
			b.want(msgOffer, "", packet(t, msgDiscover, mac(100+n)))
		}
		close(disk)
		synctest.Wait()
		acks := b.take()
		if len(acks) != 1 || acks[0].MessageType() != msgAck || acks[0].YourIPAddr.String() != addr {
			t.Fatalf("got %v, want one ACK for %s", acks, addr)
		}
		if rec, ok := store.record(addr); !ok || rec.State != lease.Bound || rec.Duration != 8*time.Hour {
			t.Errorf("stored: got %+v", rec)
		}
	})
}

func TestLeasesThatWaitForTheDiskAreWrittenTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		defer b.stop()
		store.onCommit(func([]lease.Record) error { time.Sleep(time.Second); return nil })
		addrs := make([]string, 60)
		for i := range addrs {
			addrs[i] = b.want(msgOffer, "", packet(t, msgDiscover, mac(byte(i)))).YourIPAddr.String()
		}
		for i, addr := range addrs {
			b.in(selecting(t, byte(i), addr))
		}
		time.Sleep(3 * time.Second)
		if got := len(b.take()); got != len(addrs) || store.commits > 2 {
			t.Errorf("got %d ACKs of %d with %d commits, want all with two", got, len(addrs), store.commits)
		}
	})
}

func TestBootGivesLeaseNeighbourAndEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.forget()
		addr := b.lease(1)
		if got := b.wire.neighbour(addr); got != mac(1) {
			t.Errorf("neighbour: got %s", got)
		}
		l, ok := b.s.LeaseOf(ip(addr))
		if !ok || l.MAC != mac(1) || l.VendorClass != "Cisco Systems, Inc. IP Phone CP-7960G" {
			t.Errorf("got %+v, %v", l, ok)
		}
		if left := time.Until(l.Expires); left < 8*time.Hour-5*time.Second || left > 8*time.Hour {
			t.Errorf("expires in %s, want 8h", left)
		}
		if again, ok := b.s.LeaseFor(mac(1)); !ok || again != l || len(b.s.Leases()) != 1 {
			t.Errorf("by MAC: got %+v, %v", again, ok)
		}
		acks := b.kinds(EventAck)
		if len(b.kinds(EventOffer)) != 1 || len(acks) != 1 || acks[0].Renewal || !acks[0].Boot || acks[0].Duration != 8*time.Hour {
			t.Errorf("got %+v", b.events)
		}
		b.forget()
		b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr)))
		if acks := b.kinds(EventAck); len(acks) != 1 || !acks[0].Renewal || acks[0].Boot {
			t.Errorf("renewal: got %+v", acks)
		}
		b.release(1, addr)
		if _, ok := b.s.LeaseOf(ip(addr)); ok || b.wire.neighbour(addr) != (phone.MAC{}) || len(b.kinds(EventRelease)) != 1 {
			t.Errorf("after the release: got a lease %v or a neighbour %s", ok, b.wire.neighbour(addr))
		}
		time.Sleep(2 * time.Second)
		if rec, _ := b.store.record(addr); rec.State != lease.Released {
			t.Errorf("stored: got %s, want released", rec.State)
		}
	})
}

func TestSeenIsReportedOncePerTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.forget()
		msg := packet(t, msgDiscover, mac(1))
		for range 3 {
			b.in(msg)
		}
		if got := len(b.kinds(EventSeen)); got != 1 {
			t.Errorf("one xid: got %d, want 1", got)
		}
		b.in(packet(t, msgDiscover, mac(1)))
		if got := len(b.kinds(EventSeen)); got != 2 {
			t.Errorf("another xid: got %d, want 2", got)
		}
	})
}

func TestLeaseEndsOnTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		addr := b.lease(1)
		b.clock.set(50*365*24*time.Hour, true) // the wall clock jumps: nothing happens
		time.Sleep(8*time.Hour - 10*time.Second)
		if _, ok := b.s.LeaseOf(ip(addr)); !ok {
			t.Error("the lease ended early")
		}
		time.Sleep(15 * time.Second)
		if _, ok := b.s.LeaseOf(ip(addr)); ok || b.wire.neighbour(addr) != (phone.MAC{}) {
			t.Error("the lease or its neighbour entry is still there")
		}
		evs := b.kinds(EventExpire)
		if len(evs) != 1 || evs[0].MAC != mac(1) {
			t.Errorf("got %+v", evs)
		}
		if rec, _ := b.store.record(addr); rec.State != lease.Expired {
			t.Errorf("stored: got %s, want expired", rec.State)
		}
	})
}

func TestRestartKeepsLeases(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		first, second := b.lease(1), b.lease(2)
		b.stop()
		time.Sleep(7 * time.Hour)
		// After the power cut the box believes that it is 1970.
		b.clock.set(-56*365*24*time.Hour, false)
		b.wire.set(func(w *fakeWire) { clear(w.neighbours) })
		b.make(config())
		b.start()
		defer func() { b.stop() }()
		time.Sleep(3100 * time.Millisecond)
		if b.wire.neighbour(first) != mac(1) || b.wire.neighbour(second) != mac(2) {
			t.Error("the neighbour entries of the leases did not come back")
		}
		l, ok := b.s.LeaseFor(mac(1))
		if left := l.Expires.Sub(b.clock.Now()); !ok || left < 8*time.Hour-time.Minute {
			t.Errorf("clock not trusted: got %s left, want the full 8h", left)
		}
		b.want(msgAck, second, packet(t, msgRequest, mac(2), has(second))) // told 8 h since the boot
		b.clock.set(0, true)
		time.Sleep(3 * time.Second)
		l, _ = b.s.LeaseFor(mac(1))
		if left := l.Expires.Sub(b.clock.Now()); left > time.Hour+lease.Slack(8*time.Hour) || left < 50*time.Minute+lease.Slack(8*time.Hour) {
			t.Errorf("clock trusted: got %s left, want what was stored, an hour and the slack", left)
		}
		l, _ = b.s.LeaseFor(mac(2))
		if left := l.Expires.Sub(b.clock.Now()); left < 8*time.Hour-time.Minute {
			t.Errorf("told 8h since the boot: got %s left", left)
		}
	})
}

func TestAddressInUseIsNotOffered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.PingCheck = true
		b := started(t, cfg, newStore())
		defer b.stop()
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.1.1")], w.hosts[ip("10.77.1.2")] = phone.MAC{2}, mac(1) })
		b.want(msgOffer, "10.77.1.2", packet(t, msgDiscover, mac(1))) // .1 is a stranger's; .2 answers with the phone's own MAC
		b.s.locked(func() {
			if s := b.s.table.Standing(lease.MACKey(mac(5)), ip("10.77.1.1"), b.s.moment()); s != lease.Quarantined {
				t.Errorf("got %v, want Quarantined", s)
			}
		})
		b.want(msgAck, "10.77.1.2", selecting(t, 1, "10.77.1.2"))
		before := len(b.wire.probed)
		b.want(msgOffer, "10.77.1.2", packet(t, msgDiscover, mac(1)))
		if len(b.wire.probed) != before {
			t.Error("the address that the phone has was probed")
		}
		// A pool full of strangers ends with a reason.
		b.wire.set(func(w *fakeWire) {
			for a := ip("10.77.1.3"); a.Less(ip("10.77.1.99")); a = a.Next() {
				w.hosts[a] = phone.MAC{2}
			}
		})
		b.silent(packet(t, msgDiscover, mac(5)))
	})
}

func TestInitRebootOfAStrangerIsProbed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.PingCheck = true
		b := started(t, cfg, newStore())
		defer b.stop()
		b.want(msgAck, "10.77.1.66", packet(t, msgRequest, mac(1), wanted("10.77.1.66")))
		b.wire.set(func(w *fakeWire) { w.hosts[ip("10.77.1.67")] = phone.MAC{2} })
		b.want(msgNak, "", packet(t, msgRequest, mac(2), wanted("10.77.1.67")))
	})
}

func TestDeclineGivesAnotherAddress(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		addr := b.lease(1)
		b.in(packet(t, msgDecline, mac(1), wanted(addr), toServer("10.77.0.1")))
		time.Sleep(probeWait) // the wire is asked whether the phone uses it after all
		synctest.Wait()
		if len(b.kinds(EventDecline)) != 1 || b.wire.neighbour(addr) != (phone.MAC{}) {
			t.Errorf("got %v, neighbour %s", b.kinds(EventDecline), b.wire.neighbour(addr))
		}
		if again := b.lease(1); again == addr {
			t.Errorf("got %s again", again)
		}
		time.Sleep(2 * time.Second)
		if rec, ok := b.store.record(addr); !ok || rec.State != lease.Declined {
			t.Errorf("stored: got %+v", rec)
		}
	})
}

func TestFrameThatCannotBeSentIsBroadcast(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		p := &udp.Packet{Payload: packet(t, msgDiscover, mac(1)).ToBytes(), From: netip.MustParseAddrPort("0.0.0.0:68"), To: ip("255.255.255.255"), Index: 3}
		if got := b.s.handle(b.ctx, b, p, nil); len(got) != 0 || len(b.wire.frames) != 1 {
			t.Fatalf("got %v, %d frames, want one frame", got, len(b.wire.frames))
		}
		f := b.wire.frames[0]
		if f.to != mac(1) || f.src.String() != "10.77.0.1:67" || f.dst.String() != "10.77.1.1:68" {
			t.Errorf("got a frame %+v", f)
		}
		b.wire.frameErr = errors.New("no such device")
		got := b.s.handle(b.ctx, b, p, nil)
		if len(got) != 1 || got[0].To.String() != "255.255.255.255:68" || got[0].From != ip("10.77.0.1") || got[0].Index != 3 {
			t.Errorf("got %+v, want a broadcast on the interface", got)
		}
		if got := counted(t, b.s.metrics.rawFailed); got != 1 {
			t.Errorf("counter: got %v, want 1", got)
		}
	})
}

func TestExhaustedPoolIsReported(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.Pool, cfg.Known = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.1")}}, nil
		b := started(t, cfg, newStore())
		defer b.stop()
		b.lease(1)
		b.silent(packet(t, msgDiscover, mac(2)))
		if got := b.lastReason(); got != "all 1 addresses of the pool are in use" {
			t.Errorf("got %q", got)
		}
		for range 20 {
			b.in(packet(t, msgDiscover, mac(2)))
		}
		if got := len(b.kinds(EventIgnored)); got != 1 {
			t.Errorf("got %d events for one reason in a moment, want 1", got)
		}
		if got := counted(t, b.s.metrics.dropped.WithLabelValues("pool_empty")); got != 21 {
			t.Errorf("counter: got %v, want 21", got)
		}
	})
}

// What is reported of them is bounded; the numbers are those of the metrics.
func TestEveryPacketThatIsNotAnsweredIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.Pool, cfg.Known = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.1")}}, nil
		b := started(t, cfg, newStore())
		defer b.stop()
		b.lease(1)
		for range 20 {
			b.in(packet(t, msgDiscover, mac(2)))
			b.s.handle(b.ctx, b, &udp.Packet{Payload: []byte{1, 1, 6, 0}, From: netip.MustParseAddrPort("10.77.0.9:68"), Index: 3}, nil)
			b.s.hooks().Foreign(&udp.Packet{From: netip.MustParseAddrPort("192.0.2.1:68"), Index: 4})
		}
		b.s.hooks().Lost(7)
		b.s.strangers.limiting = true
		for i := range byte(50) {
			b.in(packet(t, msgDiscover, phone.MAC{2, 0, 0, 0, 7, i}, dhcpv4.WithOption(dhcpv4.OptClassIdentifier("udhcp 1.36"))))
		}
		for _, want := range []struct {
			code, reason string
			packets      int // at least; 0 = as many as the metric says
		}{
			{"pool_empty", "all 1 addresses of the pool are in use", 0},
			{"too_short", "the packet has 4 bytes; a DHCP header alone has 236", 20},
			{"other_interface", "the packet came in on another interface", 20},
			{"receive_buffer", "more came at once than could be read", 7},
			{"stranger_limit", "devices that were never seen here ask for addresses and do not take them", 0},
		} {
			metric := int(counted(t, b.s.metrics.dropped.WithLabelValues(want.code)))
			if got := b.notAnswered[want.reason]; got != metric || got == 0 || want.packets > 0 && got != want.packets {
				t.Errorf("%s: told of %d packets, the metric has %d, wanted as many and %d", want.code, got, metric, want.packets)
			}
		}
		if len(b.notAnswered) != 5 {
			t.Errorf("reasons: got %v, want five", b.notAnswered)
		}
	})
}

func TestStopWritesWhatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		addr := b.lease(1)
		b.release(1, addr)
		began := time.Now()
		b.stop()
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("stopping took %s", d)
		}
		if rec, _ := b.store.record(addr); rec.State != lease.Released {
			t.Errorf("stored: got %s, want released", rec.State)
		}
		b.wantState("off")
	})
}

// The clock was ten hours behind when a phone got its lease, and is set while it runs; then the box restarts.
func TestLeaseOutlivesAClockThatWasBehind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := newBench(t, config(), store)
		b.clock.set(-10*time.Hour, true)
		b.start()
		time.Sleep(3100 * time.Millisecond)
		addr := b.lease(1)
		b.clock.set(0, true)
		time.Sleep(3 * time.Second)
		b.stop()
		b.make(config())
		b.start()
		defer func() { b.stop() }()
		if _, ok := b.s.LeaseOf(ip(addr)); !ok {
			t.Errorf("the lease of %s is gone, though its phone was told 8 h a moment ago", addr)
		}
	})
}

// The address stops being one that is handed out while its record is on the way to the disk.
func TestSettingsThatChangeDuringTheCommitCount(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		defer b.stop()
		got := b.want(msgOffer, "", packet(t, msgDiscover, mac(1)))
		store.onCommit(func([]lease.Record) error {
			time.Sleep(500 * time.Millisecond)
			return nil
		})
		b.in(selecting(t, 1, got.YourIPAddr.String()))
		cfg := config()
		cfg.Gateway = addrOf(got.YourIPAddr)
		if err := b.s.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if sent := b.take(); len(sent) != 1 || sent[0].MessageType() != msgNak {
			t.Errorf("got %v, want a NAK: the address is the gateway's now", sent)
		}
		if _, ok := b.s.LeaseOf(cfg.Gateway); ok {
			t.Error("the gateway's address is leased")
		}
	})
}

// A panic in a helper must leave the lock free, or the service could neither be restarted nor asked how it is.
func TestPanicWithTheLockHeldDoesNotStopTheRestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		addr := b.lease(1)
		b.want(msgOffer, "", packet(t, msgDiscover, mac(2), wanted("10.77.1.77")))
		clock := b.s.deps.Clock
		store.onCommit(func([]lease.Record) error {
			store.onCommit(nil)
			b.s.deps.Clock = panickingClock{clock}
			return nil
		})
		b.in(selecting(t, 2, "10.77.1.77"))
		synctest.Wait()
		if b.ctx.Err() == nil {
			t.Fatal("the panic of the committer did not end Serve")
		}
		b.s.deps.Clock = clock
		b.stop()
		b.start()
		defer func() { b.stop() }()
		time.Sleep(3100 * time.Millisecond)
		b.wantState("running")
		b.take()
		b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr)))
	})
}

// panickingClock is a fault of ours somewhere under the lock.
type panickingClock struct{ Clock }

func (panickingClock) Now() time.Time { panic("planted") }

// Thousands of made-up MACs take no more memory than the bounds allow, and no phone that has an address or a reservation
// loses it to them.
func TestFloodOfStrangersIsBounded(t *testing.T) {
	for name, probing := range map[string]bool{"with probes": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cfg := config()
				cfg.PingCheck = probing
				b := started(t, cfg, newStore())
				defer b.stop()
				addr := b.lease(1)
				for i := range 3 * remembered {
					b.in(packet(t, msgDiscover, phone.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}))
				}
				b.s.mu.Lock()
				for what, n := range map[string]int{
					"seen": b.s.seen.len() / 2, "said": b.s.said.len() / 2, "busy": len(b.s.busy), "checked": b.s.checked.len() / 2,
				} {
					if n > remembered {
						t.Errorf("%s remembers %d", what, n)
					}
				}
				b.s.mu.Unlock()
				time.Sleep(2 * time.Second)
				b.take()
				b.forget()
				b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr)))
				b.want(msgOffer, "10.77.0.50", packet(t, msgDiscover, mac(9)))
				b.silent(packet(t, msgDiscover, mac(5))) // the strangers hold the pool for a minute
				time.Sleep(lease.OfferTime)
				b.want(msgOffer, "", packet(t, msgDiscover, mac(5)))
			})
		})
	}
}
