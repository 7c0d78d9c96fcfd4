package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
)

// TestRandomPhonesNeverShareAnAddress plays boots, renewals, releases, declines and restarts with a disk that is slow and
// sometimes broken, and compares what the phones believe.
func TestRandomPhonesNeverShareAnAddress(t *testing.T) {
	for seed := range 3 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { playPhones(t, seed) })
		})
	}
}

func playPhones(t *testing.T, seed int) {
	cfg := config()
	cfg.Pool = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.6")}}
	store := newStore()
	b := started(t, cfg, store)
	defer func() { b.stop() }()
	believes := make(map[byte]netip.Addr)
	until := make(map[byte]time.Time)
	acks := 0
	for step := range 400 {
		n := byte((step*7 + step/11 + seed) % 8)
		store.onCommit(func([]lease.Record) error {
			time.Sleep(time.Duration(step%5) * 300 * time.Millisecond)
			if (step/40)%4 == 3 {
				return errors.New("input/output error")
			}
			return nil
		})
		var msg *dhcpv4.DHCPv4
		addr, bound := believes[n]
		switch {
		case !bound || time.Now().After(until[n]):
			delete(believes, n)
			got := b.ask(packet(t, msgDiscover, mac(n)))
			if got == nil || got.MessageType() != msgOffer {
				time.Sleep(20 * time.Minute)
				continue
			}
			addr = addrOf(got.YourIPAddr)
			msg = selecting(t, n, addr.String())
		case step%13 == 0:
			b.release(n, addr.String())
			delete(believes, n)
			continue
		default:
			msg = packet(t, msgRequest, mac(n), has(addr.String()))
		}
		b.in(msg)
		time.Sleep(3 * time.Second)
		for _, got := range b.take() {
			if got.MessageType() != msgAck {
				delete(believes, n)
				continue
			}
			for o, a := range believes {
				if o != n && a == addrOf(got.YourIPAddr) && time.Now().Before(until[o]) {
					t.Fatalf("step %d: %s given to %d while %d has it", step, a, n, o)
				}
			}
			acks++
			believes[n], until[n] = addrOf(got.YourIPAddr), time.Now().Add(got.IPAddressLeaseTime(0))
		}
		if step%97 == 0 {
			b.stop()
			b.make(cfg)
			b.start()
			time.Sleep(3100 * time.Millisecond)
			b.take()
		}
		time.Sleep(time.Duration(step%25) * time.Minute)
	}
	if acks < 50 {
		t.Errorf("only %d ACKs: the play shows nothing", acks)
	}
}
