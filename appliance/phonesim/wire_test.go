package phonesim_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// wired puts the office's servers into one namespace and the phones' interface into another.
func wired(t *testing.T) (*office, *phonesim.Wire) {
	t.Helper()
	box := netip.MustParsePrefix("10.77.0.1/16")
	lan := testkit.NewLAN(t, testkit.Host{Name: "box", Addr: box}, testkit.Host{Name: "phones"},
		testkit.Host{Name: "printer", Addr: netip.MustParsePrefix("10.77.1.1/16")})
	o := testkit.In(t, lan.Node("box"), func() (*office, error) { return newWiredOffice(t, box.Addr()), nil })
	o.lan = lan
	w := testkit.In(t, lan.Node("phones"), func() (*phonesim.Wire, error) { return phonesim.NewWire(testkit.Interface) })
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("closing the wire: %v", err)
		}
	})
	return o, w
}

// serveWiredDHCP answers broadcasts on port 67: by broadcast when the flag asks for it. Without the flag it cannot
// send to an address that nobody has yet, so that it puts the answer into a frame by hand.
func (o *office) serveWiredDHCP(raw func(mac net.HardwareAddr, dst netip.Addr, payload []byte) error) {
	lc := net.ListenConfig{Control: allowBroadcast}
	pc, err := lc.ListenPacket(o.t.Context(), "udp4", "0.0.0.0:67")
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			m, err := dhcpv4.FromBytes(bytes.Clone(buf[:n]))
			if err != nil {
				o.t.Errorf("the DHCP server got what is no DHCP: %v", err)
				continue
			}
			a := o.answerDHCP(m, netip.AddrPort{})
			switch {
			case a == nil:
			case !m.ClientIPAddr.IsUnspecified():
				_, _ = pc.WriteTo(a.ToBytes(), from)
			case m.IsBroadcast() || a.MessageType() == dhcpv4.MessageTypeNak:
				_, _ = pc.WriteTo(a.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 68})
			default:
				yiaddr, _ := netip.AddrFromSlice(a.YourIPAddr.To4())
				if err := raw(m.ClientHWAddr, yiaddr, a.ToBytes()); err != nil {
					o.t.Error(err)
				}
			}
		}
	}()
}

func TestPhonesBootOnAWire(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	const n = 12
	base := mac(0)
	for i := range n {
		o.configure(phonesim.AddMAC(base, i))
	}
	r, err := phonesim.Storm(t.Context(), phonesim.StormConfig{
		Link: w, Ports: o.Ports, Phones: n, Base: base, Speed: 1000, Timeout: time.Minute,
		OnEvent: func(e phonesim.Event) { t.Logf("%s %-10s %-8s %s", e.MAC, e.Step, e.Kind, e.Text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Ready != n {
		t.Errorf("found %d ready, failures %+v, duplicates %v", r.Ready, r.Failures, r.Duplicates)
	}
	for _, p := range r.Results {
		if p.ClockOffset == nil || len(p.Pages) != 2 || p.Pages[0].Status != 200 {
			t.Errorf("%s: clock %v and pages %+v, wanted both", p.MAC, p.ClockOffset, p.Pages)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	flagged, clear := 0, 0
	for _, m := range o.packets {
		if m.IsBroadcast() {
			flagged++
		} else {
			clear++
		}
	}
	if flagged == 0 || clear == 0 {
		t.Errorf("%d packets with the broadcast flag and %d without, wanted both", flagged, clear)
	}
}

func TestAPhoneDeclinesAnAddressThatSomebodyHas(t *testing.T) {
	t.Parallel()
	o, w := wired(t) // 10.77.1.1, the first address of the pool, is the printer's
	o.configure(mac(1))
	r := runOn(t, w, o, phonesim.Config{MAC: mac(1)})
	wantClean(t, r, phonesim.OutcomeReady)
	if want := netip.MustParseAddr("10.77.1.2"); r.Address != want {
		t.Errorf("the phone has %s, wanted %s", r.Address, want)
	}
	want := []string{"DISCOVER", "REQUEST", "DECLINE", "DISCOVER", "REQUEST"}
	if got := o.messages(); len(got) < len(want) || !equal(got[:len(want)], want) {
		t.Errorf("found %q, wanted %q", got, want)
	}
}

func TestAPhoneRenewsOnAWireAndAnswersARP(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	o.set(func() { o.lease = 4 * time.Second })
	o.configure(mac(1))
	ctx, cancel := context.WithCancel(t.Context())
	p, err := phonesim.New(phonesim.Config{Link: w, Ports: o.Ports, MAC: mac(1), Speed: 1000, Stay: true})
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan phonesim.Result, 1)
	go func() {
		r, err := p.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		left <- r
	}()
	testkit.Eventually(t, 20*time.Second, "a renewal from the leased address", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		last := o.packets[max(0, len(o.packets)-1):]
		return len(last) == 1 && !last[0].ClientIPAddr.IsUnspecified()
	})
	cancel()
	wantClean(t, <-left, phonesim.OutcomeReady)
}

func TestAPhoneOnAWireStopsAtOnce(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	o.Ports.TFTP = 9 // nobody answers there
	ctx, cancel := context.WithCancel(t.Context())
	p, err := phonesim.New(phonesim.Config{Link: w, Ports: o.Ports, MAC: mac(1), Speed: 1000, OnEvent: func(e phonesim.Event) {
		if e.Kind == phonesim.EventRequest {
			cancel() // in the middle of a file
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan error, 1)
	go func() {
		_, err := p.Run(ctx)
		left <- err
	}()
	select {
	case err := <-left:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the phone does not stop")
	}
}

// announcements are the CDP packets that a capture saw.
func announcements(c *testkit.Capture) []*layers.CiscoDiscoveryInfo {
	var found []*layers.CiscoDiscoveryInfo
	for _, p := range c.Packets() {
		if info, ok := p.Layer(layers.LayerTypeCiscoDiscoveryInfo).(*layers.CiscoDiscoveryInfo); ok {
			found = append(found, info)
		}
	}
	return found
}

func TestAPhoneOnAWireAnnouncesItselfTakesTelnetAndLosesItsPower(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	box := o.lan.Node("box")
	o.stock(v8)
	o.name("", v8, v8)
	o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\ntelnet_level: 1\nline1_name: 208\n")
	capture := box.Capture(t)
	p, err := phonesim.New(phonesim.Config{Link: w, Ports: o.Ports, MAC: mac(1), Model: "7940", Speed: 1000, Stay: true, CDP: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := p.Run(ctx)
		left <- err
	}()
	<-p.Done()
	testkit.Eventually(t, 20*time.Second, "the phone has a command line", func() bool { return p.Result().Telnet.IsValid() })
	at := p.Result().Telnet
	if at.Port() != 23 {
		t.Errorf("the phone listens at %s, wanted port 23", at)
	}
	c := newTerminal(t, testkit.In(t, box, func() (net.Conn, error) { return net.Dial("tcp4", at.String()) }))
	c.until("Password: ")
	c.say("cisco\r\n")
	c.until("SIP Phone> ")
	p.Cut()
	testkit.Eventually(t, 20*time.Second, "the phone is off", func() bool { return p.Result().WaitingFor == "its power" })
	if _, err := box.Try(t, "ping", "-c", "1", "-W", "1", at.Addr().String()); err == nil {
		t.Error("a phone without power answers a ping")
	}
	p.Restore()
	testkit.Eventually(t, 20*time.Second, "two announcements", func() bool { return len(announcements(capture)) >= 2 })
	for _, info := range announcements(capture) {
		if info.Platform != "Cisco IP Phone 7940" || info.Version != v8 || info.DeviceID != "SIP"+mac(1).Name() {
			t.Errorf("found %+v", info)
		}
	}
	cancel()
	if err := <-left; err != nil {
		t.Error(err)
	}
}
