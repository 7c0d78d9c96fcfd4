package dhcp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

// many returns the n-th of many MACs.
func many(n int) phone.MAC { return phone.MAC{2, 0, 1, byte(n >> 16), byte(n >> 8), byte(n)} }

func wide() Config {
	cfg := config()
	cfg.Pool = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.200.250")}}
	return cfg
}

// laptop is a packet of a client that is no phone.
func laptop(t *testing.T, typ dhcpv4.MessageType, from phone.MAC, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	return packet(t, typ, from, append(mods, without(dhcpv4.OptionClassIdentifier))...)
}

// storm lets n clients boot at once and returns how many were acknowledged after each of the two halves took that long.
func (b *bench) storm(n int, halves time.Duration, mods ...dhcpv4.Modifier) (acked int) {
	b.t.Helper()
	var offers []*dhcpv4.DHCPv4
	for i := range n {
		offers = append(offers, b.in(laptop(b.t, msgDiscover, many(i), mods...))...)
	}
	time.Sleep(halves)
	synctest.Wait()
	offers = append(offers, b.take()...)
	var acks []*dhcpv4.DHCPv4
	for _, o := range offers {
		if o.MessageType() == msgOffer {
			who := phone.MAC(o.ClientHWAddr)
			acks = append(acks, b.in(laptop(b.t, msgRequest, who, append(mods, wanted(o.YourIPAddr.String()), toServer("10.77.0.1"))...))...)
		}
	}
	time.Sleep(halves)
	synctest.Wait()
	for _, a := range append(acks, b.take()...) {
		if a.MessageType() == msgAck {
			acked++
		}
	}
	return acked
}

func TestStormIsProbedAllAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := wide()
		cfg.PingCheck = true
		b := started(t, cfg, newStore())
		defer b.stop()
		if got := b.storm(1000, probeWait); got != 1000 {
			t.Errorf("got %d of 1000 leases within two times %s", got, probeWait)
		}
		if got := len(b.wire.probed); got < 1000 || got > 1001 {
			t.Errorf("got %d probes, want one for each and the look", got)
		}
	})
}

func TestAddressFoundFreeIsNotProbedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.PingCheck = true
		cfg.Pool, cfg.Known = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.1")}}, nil
		b := started(t, cfg, newStore())
		defer b.stop()
		b.want(msgOffer, "10.77.1.1", packet(t, msgDiscover, mac(1)))
		probes := func() (n int) {
			for _, addr := range b.wire.probed {
				if addr == ip("10.77.1.1") {
					n++
				}
			}
			return n
		}
		b.in(packet(t, msgRequest, mac(1), toServer("10.77.0.2"))) // it takes another server's
		b.want(msgOffer, "10.77.1.1", packet(t, msgDiscover, mac(2)))
		if probes() != 1 {
			t.Error("probed again within seconds, for another client")
		}
		b.in(packet(t, msgRequest, mac(2), toServer("10.77.0.2")))
		time.Sleep(checkedFor)
		b.want(msgOffer, "10.77.1.1", packet(t, msgDiscover, mac(3)))
		if probes() != 2 {
			t.Error("not probed again after a minute")
		}
	})
}

// A card that takes 20 ms for each sync: what waits goes into one commit, and the loop takes packets meanwhile.
func TestSlowDiskCostsLatencyAndNotThroughput(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, wide(), store)
		defer b.stop()
		store.onCommit(func([]lease.Record) error { time.Sleep(20 * time.Millisecond); return nil })
		const clients = 2500
		if got := b.storm(clients, 41*time.Millisecond); got != clients {
			t.Errorf("got %d of %d ACKs after two syncs of 20 ms", got, clients)
		}
		if store.commits > 3 {
			t.Errorf("got %d commits for one storm", store.commits)
		}
	})
}

func TestRenewalsWithinTheSlackAreNotWritten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newStore()
		b := started(t, config(), store)
		defer b.stop()
		addr := b.lease(1)
		commits := 0
		for n, write := range []bool{false, true, false, true} { // every four hours
			commits = store.commits
			time.Sleep(4 * time.Hour)
			b.forget()
			got := b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr)))
			if d := got.IPAddressLeaseTime(0); d != 8*time.Hour {
				t.Errorf("renewal %d: got %s", n, d)
			}
			if wrote := store.commits > commits; wrote != write {
				t.Errorf("renewal %d: written %v, want %v", n, wrote, write)
			}
			rec, _ := store.record(addr)
			if told := time.Now().Add(8*time.Hour - 2*time.Second); rec.End.Before(told) {
				t.Errorf("renewal %d: told until %s, on disk until %s", n, told, rec.End)
			}
			if evs := b.kinds(EventAck); len(evs) != 1 || !evs[0].Renewal || evs[0].Duration != 8*time.Hour {
				t.Errorf("renewal %d: got %+v", n, evs)
			}
		}
		// What the client says of itself is kept, so another name is written at once.
		commits = store.commits
		b.want(msgAck, addr, packet(t, msgRequest, mac(1), has(addr), dhcpv4.WithOption(dhcpv4.OptHostName("SEP1"))))
		if rec, _ := store.record(addr); store.commits == commits || rec.Hostname != "SEP1" {
			t.Errorf("got %d commits, stored %+v", store.commits-commits, rec)
		}
	})
}

func TestMadeUpClientsAreLimited(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, wide(), newStore())
		defer b.stop()
		offered := 0
		for i := range 3000 { // 100 a second, none takes what it is offered
			offered += len(b.in(laptop(t, msgDiscover, many(i))))
			time.Sleep(10 * time.Millisecond)
		}
		if offered > 1000 {
			t.Errorf("got %d offers of 3000", offered)
		}
		refused := counted(t, b.s.metrics.dropped.WithLabelValues("stranger_limit"))
		if int(refused)+offered != 3000 {
			t.Errorf("got %v refused and %d offered of 3000", refused, offered)
		}
		said := 0
		for _, ev := range b.kinds(EventIgnored) {
			if strings.Contains(ev.Reason, "never seen") {
				said++
			}
		}
		if said != 1 {
			t.Errorf("said %d times in 30 s, want once", said)
		}
		if _, detail, _ := b.s.State(); !strings.Contains(detail, "do not take them") {
			t.Errorf("state: got %q", detail)
		}
		b.take()
		b.lease(1) // a Cisco phone
		b.want(msgOffer, "10.77.0.50", laptop(t, msgDiscover, mac(9)))
		if got := laptop(t, msgDiscover, mac(8)); b.ask(got) == nil {
			t.Error("a listed phone was not answered")
		}
		time.Sleep(2 * time.Minute)
		if _, detail, _ := b.s.State(); detail != "" {
			t.Errorf("two minutes later: got %q", detail)
		}
		b.want(msgOffer, "", laptop(t, msgDiscover, many(9000)))
	})
}

// The limit is for ports that misuse it: a device on another port is served meanwhile.
func TestMadeUpClientsOfOnePortLeaveTheOthersAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, wide(), newStore())
		defer b.stop()
		circuit := func(name string) dhcpv4.Modifier {
			return dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRelayAgentInformation, append([]byte{1, byte(len(name))}, name...)))
		}
		for i := range 2000 {
			b.in(laptop(t, msgDiscover, many(i), circuit("Gi1/0/7")))
			time.Sleep(10 * time.Millisecond)
		}
		b.take()
		if _, detail, _ := b.s.State(); !strings.Contains(detail, "port Gi1/0/7") {
			t.Errorf("state: got %q", detail)
		}
		for i := range 3 {
			b.want(msgOffer, "", laptop(t, msgDiscover, many(5000+i), circuit(fmt.Sprintf("Gi1/0/%d", 8+i))))
		}
	})
}

func TestStormOfDevicesThatAreNoPhonesIsNotLimited(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, wide(), newStore())
		defer b.stop()
		if got := b.storm(4000, 5*time.Second); got != 4000 {
			t.Errorf("got %d of 4000", got)
		}
		if got := counted(t, b.s.metrics.dropped.WithLabelValues("stranger_limit")); got != 0 {
			t.Errorf("%v packets were refused", got)
		}
	})
}

func TestOldDiscoversAndNewClientsWaitWhenThereIsTooMuchToDo(t *testing.T) {
	aged := func(d time.Duration) func(*udp.Packet) {
		return func(p *udp.Packet) { p.Received = time.Now().Add(-d) }
	}
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		addr := b.lease(1)
		tests := []struct {
			name string
			msg  *dhcpv4.DHCPv4
			age  time.Duration
			want bool
			why  string
		}{
			{"new, in time", packet(t, msgDiscover, mac(2)), 0, true, ""},
			{"new, late", packet(t, msgDiscover, mac(3)), 1100 * time.Millisecond, false, "overloaded"},
			{"known, late", packet(t, msgDiscover, mac(1)), 1100 * time.Millisecond, true, ""},
			{"listed, late", packet(t, msgDiscover, mac(8)), 1100 * time.Millisecond, true, ""},
			{"known, repeated meanwhile", packet(t, msgDiscover, mac(1)), 4100 * time.Millisecond, false, "stale"},
			{"a renewal is never too old", packet(t, msgRequest, mac(1), has(addr)), 4100 * time.Millisecond, true, ""},
			{"the clock was set", packet(t, msgDiscover, mac(4)), 3 * time.Hour, true, ""},
			{"the clock was set back", packet(t, msgDiscover, mac(5)), -3 * time.Hour, true, ""},
		}
		for _, tt := range tests {
			before := 0.0
			if tt.why != "" {
				before = counted(t, b.s.metrics.dropped.WithLabelValues(tt.why))
			}
			b.forget()
			if got := b.ask(tt.msg, aged(tt.age)); (got != nil) != tt.want {
				t.Errorf("%s: got %v", tt.name, got)
			}
			if tt.why != "" && (counted(t, b.s.metrics.dropped.WithLabelValues(tt.why)) != before+1 || b.lastReason() == "") {
				t.Errorf("%s: not counted as %s, or no event (%q)", tt.name, tt.why, b.lastReason())
			}
		}
	})
}

func TestQueueToTheDiskKeepsRoomForKnownClients(t *testing.T) {
	q := newQueue()
	for n := 0; q.add(job{}, false); n++ {
		if n > maxQueue {
			t.Fatal("the queue has no end")
		}
	}
	if !q.crowded() || len(q.jobs) != maxQueue/4*3 {
		t.Errorf("new clients fill %d of %d", len(q.jobs), maxQueue)
	}
	for q.add(job{}, true) {
		continue
	}
	if len(q.jobs) != maxQueue {
		t.Errorf("got %d, want %d", len(q.jobs), maxQueue)
	}
	q.take()
	if q.crowded() || !q.add(job{}, false) {
		t.Error("an empty queue takes nothing")
	}
}

func TestTooLongAPacketHasAReason(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		b.forget()
		got := b.in(packet(t, msgDiscover, mac(1)), func(p *udp.Packet) { p.Truncated = true })
		if len(got) != 0 || counted(t, b.s.metrics.dropped.WithLabelValues("truncated")) != 1 || b.lastReason() == "" {
			t.Errorf("got %v, reason %q", got, b.lastReason())
		}
	})
}

func TestRecentForgetsTheOldestAndNeverAll(t *testing.T) {
	r := newRecent[int, int](100)
	for i := range 3000 {
		r.put(i, i)
		if r.len() > 200 {
			t.Fatalf("holds %d of at most 200", r.len())
		}
		for back := range min(100, i+1) {
			if v, ok := r.get(i - back); !ok || v != i-back {
				t.Fatalf("%d is forgotten after %d", i-back, i)
			}
		}
	}
	r.put(1, 7)
	r.prune(func(k, _ int) bool { return k != 1 })
	if v, ok := r.get(1); !ok || v != 7 || r.len() != 1 {
		t.Errorf("got %d, %v, %d entries", v, ok, r.len())
	}
}
