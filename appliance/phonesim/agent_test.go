package phonesim_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

// call sends a SIP request to a phone and returns the answer.
func call(t *testing.T, from netip.Addr, to netip.AddrPort, method, event string) string {
	t.Helper()
	c, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := method + " sip:208@" + to.String() + " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:9;rport;branch=z9hG4bK1\r\n" +
		"From: <sip:box@x>;tag=1\r\nt: <sip:208@x>\r\nCall-ID: abc\r\nCSeq: 7 " + method + "\r\n" + event + "Content-Length: 0\r\n\r\n"
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 4000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return string(buf[:n])
}

// alive boots a phone that stays and gives its events.
func alive(t *testing.T, o *office, cfg phonesim.Config) (*phonesim.Phone, func() phonesim.Result) {
	t.Helper()
	cfg.Link, cfg.Ports, cfg.Stay, cfg.Speed = o.link(), o.Ports, true, 1000
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan phonesim.Result, 1)
	go func() {
		r, err := p.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		ended <- r
	}()
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Fatalf("the phone is not ready: %+v", p.Result())
	}
	return p, func() phonesim.Result { cancel(); return <-ended }
}

func TestAPhoneAnswersSIP(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	p, end := alive(t, o, phonesim.Config{MAC: mac(1), Model: "7940"})
	at := netip.AddrPortFrom(p.Result().Address, 5060)
	for _, c := range []struct{ method, event, want string }{
		{"OPTIONS", "", "SIP/2.0 200 OK"},
		{"NOTIFY", "Event: message-summary\r\n", "SIP/2.0 489 Bad Event"},
		{"INVITE", "", "SIP/2.0 486 Busy Here"},
		{"SUBSCRIBE", "", "SIP/2.0 501 Not Implemented"},
	} {
		answer := call(t, o.Server, at, c.method, c.event)
		for _, want := range []string{
			c.want + "\r\n", "User-Agent: Cisco-CP7940G/8.0\r\n", "CSeq: 7 " + c.method + "\r\n", "Call-ID: abc\r\n", ";tag=",
			"received=" + o.Server.String() + ";rport=",
		} {
			if !strings.Contains(answer, want) {
				t.Errorf("the answer to %s lacks %q: %q", c.method, want, answer)
			}
		}
	}
	wantClean(t, end(), phonesim.OutcomeReady)
}

func TestOptionsMakeAPhoneReadyThatHasNoRings(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.put("SIP"+mac(1).Name()+".cnf", "sntp_mode: unicast\nline1_name: 208\n")
	asked := make(chan struct{}, 10)
	cfg := phonesim.Config{Link: o.link(), Ports: o.Ports, MAC: mac(1), Speed: 1000, OnEvent: func(e phonesim.Event) {
		if e.File == "dialplan.xml" && e.Kind == phonesim.EventMissing || e.File == "RINGLIST.DAT" && e.Kind == phonesim.EventMissing {
			asked <- struct{}{}
		}
	}}
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan phonesim.Result, 1)
	go func() {
		r, err := p.Run(t.Context())
		if err != nil {
			t.Error(err)
		}
		ended <- r
	}()
	<-asked
	<-asked
	if step := p.Result().Step; step != phone.Configured {
		t.Errorf("found step %s before OPTIONS, wanted configured", step)
	}
	call(t, o.Server, netip.AddrPortFrom(p.Result().Address, 5060), "OPTIONS", "")
	wantClean(t, <-ended, phonesim.OutcomeReady)
}

func TestCheckSyncRestartsAPhoneWhenSyncDiffers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.configure(mac(1))
	fetched, booted := make(chan struct{}, 10), make(chan struct{}, 10)
	p, end := alive(t, o, phonesim.Config{MAC: mac(1), OnEvent: func(e phonesim.Event) {
		switch {
		case e.Kind == phonesim.EventFile && e.File == "syncinfo.xml":
			fetched <- struct{}{}
		case e.Kind == phonesim.EventBoot:
			booted <- struct{}{}
		}
	}})
	<-booted
	notify := func() {
		answer := call(t, o.Server, netip.AddrPortFrom(p.Result().Address, 5060), "NOTIFY", "o: check-sync\r\n")
		if !strings.HasPrefix(answer, "SIP/2.0 200 OK") {
			t.Errorf("found %q", answer)
		}
		<-fetched
	}
	o.put("syncinfo.xml", `<SYNCINFO><IMAGE VERSION="P0S3-8-12-00" SYNC="1"/></SYNCINFO>`)
	notify() // the phone's own sync is 1: nothing happens
	o.put("syncinfo.xml", `<IMAGE VERSION="*" SYNC="2"/>`)
	notify()
	<-booted
	if r := end(); r.Boots != 2 {
		t.Errorf("found %d boots, wanted one more", r.Boots)
	}
}
