package phonesim_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// broadcastTime sends a mode-5 packet to an address of everybody from the office's namespace, 90 s ahead.
func (o *office) broadcastTime(to netip.Addr, first, stratum byte) {
	o.t.Helper()
	node := o.lan.Node("box")
	node.Do(o.t, func() error {
		lc := net.ListenConfig{Control: allowBroadcast}
		c, err := lc.ListenPacket(o.t.Context(), "udp4", netip.AddrPortFrom(o.Server, 0).String())
		if err != nil {
			return err
		}
		defer c.Close()
		return o.sendTime(c, to, first, stratum)
	})
}

func (o *office) sendTime(c net.PacketConn, to netip.Addr, first, stratum byte) error {
	b := make([]byte, 48)
	b[0], b[1] = first, stratum
	binary.BigEndian.PutUint32(b[40:], uint32(time.Now().Add(90*time.Second).Unix()+2208988800))
	_, err := c.WriteTo(b, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, o.Ports.SNTP)))
	return err
}

// TestAPhoneListensForTheTime: one in the mode multicast asks nobody, and hears the time; what claims to be the time and is
// none, or comes from another port, is a fault of the server.
func TestAPhoneListensForTheTime(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	o.configure(mac(1))
	o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: multicast\nline1_name: 208\n")
	cfg := phonesim.Config{Link: w, MAC: mac(1), State: phonesim.StateSIP, Ports: o.Ports, Speed: 20, Stay: true}
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = p.Run(t.Context()) }()
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Fatalf("the phone is in step %s", p.Result().Step)
	}
	if r := p.Result(); r.ClockOffset != nil || r.ClockAnswers != 0 {
		t.Errorf("before anybody told the time the phone has %v, %d answers", *r.ClockOffset, r.ClockAnswers)
	}
	o.broadcastTime(netip.MustParseAddr("10.77.255.255"), 4<<3|3, 2) // another phone's request
	testkit.Eventually(t, time.Minute, "the phone says that the port is wrong", func() bool {
		o.broadcastTime(netip.MustParseAddr("10.77.255.255"), 3<<3|5, 2)
		return strings.Contains(strings.Join(p.Result().Faults, "\n"), "a broadcast of the time came from port")
	})
	if r := p.Result(); r.ClockOffset != nil {
		t.Error("the phone took a time from another port")
	}
}
