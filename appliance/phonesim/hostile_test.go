package phonesim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// plugged switches a phone on that stays until unplug is called.
func plugged(t *testing.T, cfg phonesim.Config) (p *phonesim.Phone, unplug func()) {
	t.Helper()
	cfg.Stay = true
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := p.Run(ctx)
		left <- err
	}()
	return p, func() {
		cancel()
		if err := <-left; err != nil {
			t.Error(err)
		}
	}
}

func TestHostileClientsDoWhatTheySay(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	capture := o.lan.Node("box").Capture(t)
	o.put("XMLDefault.cnf.xml", strings.Repeat("x", 3000), "SIPDefault.cnf", strings.Repeat("y", 3000))
	p, unplug := plugged(t, phonesim.Config{Link: w, Ports: o.Ports, MAC: mac(1), Profile: phonesim.ProfileBasic})
	defer unplug()
	<-p.Done()
	kinds := []phonesim.HostileKind{
		phonesim.HostileStarve, phonesim.HostileFlood, phonesim.HostileDecline, phonesim.HostileRelease, phonesim.HostileSpoof,
		phonesim.HostileTFTPFlood, phonesim.HostileHalfOpen,
	}
	const rate, long = 40, 3 * time.Second
	sums, err := phonesim.Hostile(t.Context(), phonesim.HostileConfig{Wire: w, Ports: o.Ports, Kinds: kinds, Rate: rate, For: long, Seed: 1})
	if err != nil || len(sums) != len(kinds) {
		t.Fatalf("found %+v, %v", sums, err)
	}
	got := map[phonesim.HostileKind]phonesim.HostileSum{}
	for _, s := range sums {
		got[s.Kind] = s
		if most := uint64(rate * (long + time.Second) / time.Second); s.Sent == 0 || s.Sent > most || s.Error != "" {
			t.Errorf("%s: found %+v, wanted 1 to %d packets", s.Kind, s, most)
		}
	}
	if s := got[phonesim.HostileStarve]; s.Leases == 0 || s.Answered < s.Leases {
		t.Errorf("starving took no lease: %+v", s)
	}
	if s := got[phonesim.HostileFlood]; s.Leases != 0 || s.Answered == 0 {
		t.Errorf("the flood: %+v, wanted offers and no lease", s)
	}
	for _, k := range []phonesim.HostileKind{phonesim.HostileTFTPFlood, phonesim.HostileHalfOpen} {
		if got[k].Answered == 0 {
			t.Errorf("%s got no answer: %+v", k, got[k])
		}
	}
	o.wantHostile(t, p.Result().Address.String())
	wantSpoofed(t, capture)
}

// wantHostile looks for what a server sees of hostile clients.
func (o *office) wantHostile(t *testing.T, victim string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[dhcpv4.MessageType]bool{}
	clients := map[string]bool{}
	for _, m := range o.packets {
		clients[m.ClientHWAddr.String()] = true
		own := strings.EqualFold(m.ClientHWAddr.String(), mac(1).String())
		switch t := m.MessageType(); {
		case t == dhcpv4.MessageTypeDecline && own && m.RequestedIPAddress().String() == victim,
			t == dhcpv4.MessageTypeRelease && own && m.ClientIPAddr.String() == victim:
			seen[t] = true
		}
	}
	if !seen[dhcpv4.MessageTypeDecline] || !seen[dhcpv4.MessageTypeRelease] || len(clients) < 20 {
		t.Errorf("found forged %v in the phone's name and %d clients, wanted DECLINE, RELEASE and many", seen, len(clients))
	}
}

// wantSpoofed looks for a frame that comes from another hardware address than its message says.
func wantSpoofed(t *testing.T, c *testkit.Capture) {
	t.Helper()
	for _, f := range c.Frames() {
		const chaddr = 14 + 20 + 8 + 28
		if len(f) > chaddr+6 && f[12] == 8 && f[13] == 0 && f[14+9] == 17 && f[14+20+3] == 67 &&
			phone.MAC(f[6:12]) == (phone.MAC{0x02, 0x66, 0, 0, 0, 1}) && phone.MAC(f[chaddr:chaddr+6]) == mac(1) {
			return
		}
	}
	t.Error("no frame of the attacker's is in the name of the phone")
}

func TestHostileClientsKeepToALab(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	node := o.lan.Node("phones")
	wrong := phonesim.HostileConfig{Wire: w, Kinds: []phonesim.HostileKind{phonesim.HostileFlood}, Rate: 1 << 20, For: 48 * time.Hour}
	if _, err := phonesim.Hostile(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "1 to 20000") || !strings.Contains(err.Error(), "up to 1h") {
		t.Errorf("found %v, wanted both bounds", err)
	}
	if _, err := phonesim.Hostile(t.Context(), phonesim.HostileConfig{}); err == nil || !strings.Contains(err.Error(), "no wire") || !strings.Contains(err.Error(), "no kind") {
		t.Errorf("found %v", err)
	}
	node.IP(t, "addr", "add", "10.77.9.9/16", "dev", testkit.Interface)
	node.IP(t, "route", "add", "default", "via", "10.77.0.1")
	office := testkit.In(t, node, func() (*phonesim.Wire, error) { return phonesim.NewWire(testkit.Interface) })
	defer office.Close()
	_, err := phonesim.Hostile(t.Context(), phonesim.HostileConfig{Wire: office, Kinds: []phonesim.HostileKind{phonesim.HostileFlood}, For: time.Second})
	if err == nil || !strings.Contains(err.Error(), "default route") {
		t.Errorf("found %v, wanted a refusal because of the default route", err)
	}
}

func TestAStormOfHostileClientsAloneIsBounded(t *testing.T) {
	t.Parallel()
	o, w := wired(t)
	h := &phonesim.HostileConfig{Wire: w, Ports: o.Ports, Kinds: []phonesim.HostileKind{phonesim.HostileSpoof, phonesim.HostileFlood}, Rate: 50, For: 500 * time.Millisecond}
	r := basicStorm(t, o, phonesim.StormConfig{Link: w, Hostile: h})
	if len(r.Hostile) != 2 || r.Hostile[1].Sent == 0 || r.Phones != 0 {
		t.Errorf("found %+v", r.Hostile)
	}
}

func TestHostileKinds(t *testing.T) {
	t.Parallel()
	if got, err := phonesim.ParseHostileKinds("starve, garbage"); err != nil || len(got) != 2 || got[1] != phonesim.HostileGarbage {
		t.Errorf("found %v, %v", got, err)
	}
	if _, err := phonesim.ParseHostileKinds("starve,bomb"); err == nil || !strings.Contains(err.Error(), `"bomb"`) || !strings.Contains(err.Error(), "halfopen") {
		t.Errorf("found %v", err)
	}
}
