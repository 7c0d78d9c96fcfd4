package phonesim_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

func TestPhonesBootOverABadWire(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	if err := w.SetFaults(phonesim.Faults{Loss: 0.04, Dup: 0.05, Reorder: 0.05, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	o.put("SIPDefault.cnf", strings.Repeat("x", 2000), "RINGLIST.DAT", "y", "dialplan.xml", "z")
	const n = 12
	r := basicStorm(t, o, phonesim.StormConfig{Link: w, Phones: n, Seed: 7, Timeout: 3 * time.Minute})
	if !r.OK() || r.Ready != n {
		t.Errorf("found %d ready, failures %+v, duplicates %+v", r.Ready, r.Failures, r.Duplicates)
	}
	c := r.Wire
	if c == nil || c.LostOut == 0 || c.LostIn == 0 || c.Duplicated == 0 || c.Reordered == 0 || c.LostHere != 0 {
		t.Fatalf("found %+v, wanted every fault and nothing that this program lost by itself", c)
	}
	// Of some 600 frames 4 % are lost in each direction. Each loss costs a phone at most one repetition, or the server one.
	all, lost := c.Sent+c.Received+c.LostOut+c.LostIn, c.LostOut+c.LostIn
	if share := float64(lost) / float64(all); share < 0.01 || share > 0.1 {
		t.Errorf("%d of %d frames were lost, wanted about 4 %%", lost, all)
	}
	total := func(r phonesim.Retransmissions) int { return r.DHCP + r.TFTP + r.SNTP + r.DNS + r.SIP }
	again, byLoss, byServers := total(r.Retransmits), total(r.RetransmitsByLoss), total(r.RetransmitsByServers)
	if again == 0 || byLoss == 0 || again != byLoss+byServers || byLoss > int(lost) {
		t.Errorf("%d were sent again, %d after a loss, %d because of the servers, with %d frames lost", again, byLoss, byServers, lost)
	}
}

func TestAGoodWireLosesNothing(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	r := basicStorm(t, o, phonesim.StormConfig{Link: w, Phones: 30})
	if c := r.Wire; !r.OK() || c.LostOut+c.LostIn+c.Duplicated+c.Reordered+c.LostHere != 0 || c.Sent == 0 || c.Received == 0 {
		t.Errorf("found %+v, failures %+v", c, r.Failures)
	}
	if r.Retransmits.DHCP > 0 || r.RetransmitsByLoss != (phonesim.Retransmissions{}) {
		t.Errorf("sent again: %+v, by loss %+v", r.Retransmits, r.RetransmitsByLoss)
	}
	if r.ProcessorTime <= 0 {
		t.Error("the storm used no processor time")
	}
}

func TestWrongFaultsAreRefused(t *testing.T) {
	t.Parallel()
	err := phonesim.Faults{Loss: 1.5, Dup: -1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "loss of 1.5") || !strings.Contains(err.Error(), "duplication of -1") {
		t.Errorf("found %v", err)
	}
}

func TestAPhoneOnAWireAnswersPingAndRefusesClosedPorts(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	p, unplug := plugged(t, phonesim.Config{Link: w, Ports: o.Ports, MAC: mac(1), Profile: phonesim.ProfileBasic})
	defer unplug()
	<-p.Done()
	at, box := p.Result().Address, o.lan.Node("box")
	if out, err := box.Try(t, "ping", "-c", "2", "-i", "0.2", "-s", "1000", "-W", "5", at.String()); err != nil {
		t.Errorf("ping: %v: %s", err, out)
	}
	err := testkit.In(t, box, func() (error, error) {
		c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 9)))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if _, err := c.Write([]byte("anybody there?")); err != nil {
			return nil, err
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, err = c.Read(make([]byte, 10))
		return err, nil
	})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port: found %v, wanted connection refused", err)
	}
	if c := w.Count(); c.Late == 0 {
		t.Error("a datagram for a closed port was not counted as late")
	}
}

// TestAServerThatMissedTheLastAckGetsItAgain lets a server send the last block of a file twice.
func TestAServerThatMissedTheLastAckGetsItAgain(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	box := o.lan.Node("box")
	type acks struct{ first, second netip.AddrPort }
	c := testkit.In(t, box, func() (*net.UDPConn, error) { return net.ListenUDP("udp4", &net.UDPAddr{Port: 6970}) })
	defer c.Close()
	got := make(chan acks, 1)
	go func() {
		buf := make([]byte, 600)
		if _, from, err := c.ReadFromUDPAddrPort(buf); err == nil { // the read request of the first file
			var a acks
			_, _ = c.WriteToUDPAddrPort([]byte("\x00\x03\x00\x01x"), from)
			a.first = nextAck(c, from)
			_, _ = c.WriteToUDPAddrPort([]byte("\x00\x03\x00\x01x"), from)
			a.second = nextAck(c, from)
			got <- a
		}
	}()
	o.Ports.TFTP = 6970
	_, unplug := plugged(t, phonesim.Config{Link: w, Ports: o.Ports, MAC: mac(1), Profile: phonesim.ProfileBasic})
	defer unplug()
	select {
	case a := <-got:
		if !a.first.IsValid() || a.first != a.second {
			t.Errorf("found ACKs from %s and %s, wanted two from one port", a.first, a.second)
		}
	case <-time.After(time.Minute):
		t.Error("the phone did not acknowledge the last block twice")
	}
}

// nextAck returns the next ACK that comes from there.
func nextAck(c *net.UDPConn, want netip.AddrPort) netip.AddrPort {
	buf := make([]byte, 600)
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return netip.AddrPort{}
		}
		if from == want && n == 4 && buf[1] == 4 {
			return from
		}
	}
}
