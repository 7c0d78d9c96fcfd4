package dhcp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

func TestReleaseIsBelievedFromItsAddressOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		addr := b.lease(1)
		release := packet(t, msgRelease, mac(1), has(addr), toServer("10.77.0.1"))
		b.forget()
		b.in(release, sentFrom("10.77.1.99"))
		if _, ok := b.s.LeaseFor(mac(1)); !ok || !strings.Contains(b.lastReason(), "10.77.1.99") {
			t.Errorf("a RELEASE from another address was believed, or has no reason (%q)", b.lastReason())
		}
		relayed := packet(t, msgRelease, mac(1), has(addr), toServer("10.77.0.1"), dhcpv4.WithGatewayIP(ip("10.77.9.9").AsSlice()))
		b.in(relayed, sentFrom("10.77.9.9"))
		time.Sleep(leaveTime + probeWait)
		synctest.Wait()
		if _, ok := b.s.LeaseFor(mac(1)); ok {
			t.Error("a RELEASE through a relay was not believed")
		}
		addr = b.lease(2)
		b.wire.set(func(w *fakeWire) { w.hosts[ip(addr)] = mac(2) })
		b.forget()
		b.release(2, addr)
		if _, ok := b.s.LeaseFor(mac(2)); !ok || !strings.Contains(b.lastReason(), "still answers") {
			t.Errorf("a RELEASE of an address that its phone uses was believed, or has no reason (%q)", b.lastReason())
		}
		b.wire.set(func(w *fakeWire) { clear(w.hosts) })
		b.in(packet(t, msgRelease, mac(2), has(addr)), sentFrom(addr))
		b.want(msgOffer, addr, packet(t, msgDiscover, mac(2))) // it starts again at once, and is not kept waiting
		b.want(msgAck, addr, selecting(t, 2, addr))
		time.Sleep(leaveTime + probeWait)
		synctest.Wait()
		if _, ok := b.s.LeaseFor(mac(2)); !ok {
			t.Error("a RELEASE ended the lease that came after it")
		}
		b.release(2, addr)
		if _, ok := b.s.LeaseFor(mac(2)); ok {
			t.Error("a RELEASE of an address that nobody uses any more was not believed")
		}
	})
}

func TestDeclineOfAnAddressThatItsClientUsesIsNotBelieved(t *testing.T) {
	stranger := phone.MAC{2}
	for name, tt := range map[string]struct {
		answers phone.MAC
		kept    bool
	}{
		"the phone itself answers": {mac(1), true},
		"another host answers":     {stranger, false},
		"nobody answers":           {phone.MAC{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := started(t, config(), newStore())
				defer b.stop()
				addr := b.lease(1)
				if !tt.answers.IsZero() {
					b.wire.set(func(w *fakeWire) { w.hosts[ip(addr)] = tt.answers })
				}
				b.forget()
				b.in(packet(t, msgDecline, mac(1), wanted(addr), toServer("10.77.0.1")))
				time.Sleep(probeWait)
				synctest.Wait()
				if _, kept := b.s.LeaseFor(mac(1)); kept != tt.kept {
					t.Errorf("the lease is kept: got %v, want %v", kept, tt.kept)
				}
				if tt.kept && !strings.Contains(b.lastReason(), "not believed") {
					t.Errorf("got %q", b.lastReason())
				}
			})
		})
	}
}

// Each made-up MAC may decline four addresses; all of them together must not empty the pool either.
func TestDeclinesOfManyMadeUpClientsAreLimited(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		for i := range 100 {
			offer := b.in(packet(t, msgDiscover, many(i)))
			if len(offer) != 1 {
				t.Fatalf("client %d: got %v", i, offer)
			}
			b.in(packet(t, msgDecline, many(i), wanted(offer[0].YourIPAddr.String())))
		}
		if got := len(b.kinds(EventDecline)); got != int(declineAllowance.burst) {
			t.Errorf("got %d addresses in quarantine, want %v", got, declineAllowance.burst)
		}
		if got := counted(t, b.s.metrics.dropped.WithLabelValues("decline_limit")); got != 92 {
			t.Errorf("got %v refused, want 92", got)
		}
		// A listed phone is believed all the same.
		offer := b.want(msgOffer, "", packet(t, msgDiscover, mac(8)))
		b.forget()
		b.in(packet(t, msgDecline, mac(8), wanted(offer.YourIPAddr.String())))
		if len(b.kinds(EventDecline)) != 1 {
			t.Error("the DECLINE of a listed phone was refused")
		}
	})
}
