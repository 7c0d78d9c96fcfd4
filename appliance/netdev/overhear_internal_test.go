package netdev

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// A box that runs for months meets many servers, or one that changes its MAC with each fail-over. The next one is heard
// all the same: whoever was silent for long gives it a place. Who speaks now does not, so that the memory stays bounded.
func TestServersThatAreGoneGiveTheirPlace(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	now := time.Unix(1000, 0)
	d.overheard.now = func() time.Time { return now }
	hear := func(host byte) bool {
		f := reply(t, dhcpv4.MessageTypeOffer, "10.77.1.5", netip.AddrFrom4([4]byte{10, 77, 9, host}).String())
		f.From[5] = host
		d.hearServer(boxMAC, frameOf(t, f))
		select {
		case <-d.News():
			return true
		default:
			return false
		}
	}
	for host := range byte(maxOverheard) {
		if !hear(host) {
			t.Fatalf("server %d is not heard", host)
		}
		now = now.Add(time.Second)
	}
	if hear(100) {
		t.Error("there is room for more servers than can be remembered")
	}
	now = now.Add(serverSilent)
	hear(1)
	if !hear(101) {
		t.Error("a server that came after many others is not heard")
	}
	var gone, kept, came bool
	for _, s := range d.Overheard() {
		gone = gone || s.Address == netip.MustParseAddr("10.77.9.0")
		kept = kept || s.Address == netip.MustParseAddr("10.77.9.1")
		came = came || s.Address == netip.MustParseAddr("10.77.9.101")
	}
	if gone || !kept || !came || len(d.Overheard()) != maxOverheard {
		t.Errorf("remembered are %+v", d.Overheard())
	}
}
