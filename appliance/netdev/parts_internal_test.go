package netdev

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

func newDevice(t *testing.T) *Device {
	t.Helper()
	d, err := New(Config{Interface: "eth0", Address: netip.MustParsePrefix("10.77.0.1/16")}, Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSubscribersGetTheCurrentStateThenChanges(t *testing.T) {
	t.Parallel()
	var s subscribers
	a := s.add()
	if <-a {
		t.Error("a starts with true")
	}
	s.set(true)
	s.set(true) // no change
	b := s.add()
	if !<-a || !<-b {
		t.Error("a change or the current state is wrong")
	}
	s.set(false)
	s.set(true) // a slow reader finds the newest value
	if !<-a || len(a) != 0 {
		t.Error("a slow reader finds an old value")
	}
}

func TestSubscribersAreBoundedAndKeepThoseThatRead(t *testing.T) {
	t.Parallel()
	var s subscribers
	live := s.add()
	<-live
	for i := range 10 * maxSubscribers { // a service that is restarted again and again
		s.add()
		s.set(i%2 == 0)
		if got := <-live; got != (i%2 == 0) {
			t.Fatalf("after %d others the reader gets %v", i, got)
		}
	}
	if len(s.chans) > maxSubscribers {
		t.Errorf("%d subscriptions are kept", len(s.chans))
	}
}

func TestHoldersForgetWithTimeAndAtAContradiction(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	h := newHolders()
	h.now = func() time.Time { return now }
	h.put(otherIP, otherMAC, true, 5*time.Second)
	now = now.Add(4 * time.Second)
	if v, ok := h.get(otherIP, 5*time.Second); !ok || v.mac != otherMAC || !v.one {
		t.Errorf("after 4 s: %+v %v", v, ok)
	}
	h.heard(arpPacket{SenderIP: otherIP, SenderMAC: otherMAC, From: otherMAC})
	if _, ok := h.get(otherIP, 5*time.Second); !ok {
		t.Error("a packet that agrees makes it forget")
	}
	now = now.Add(time.Second)
	if _, ok := h.get(otherIP, 5*time.Second); ok {
		t.Error("after 5 s it is still remembered")
	}
	for name, p := range map[string]arpPacket{
		"another host":         {SenderIP: otherIP, SenderMAC: boxMAC, From: boxMAC},
		"another frame sender": {SenderIP: otherIP, SenderMAC: otherMAC, From: boxMAC},
	} {
		h.put(otherIP, otherMAC, true, 5*time.Second)
		h.heard(p)
		if _, ok := h.get(otherIP, 5*time.Second); ok {
			t.Errorf("%s contradicts, and it is still remembered", name)
		}
	}
	for i := range 3 * maxHolders {
		h.put(netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}), otherMAC, true, time.Hour)
	}
	if len(h.by) > maxHolders {
		t.Errorf("%d are remembered", len(h.by))
	}
}

func TestListenersAreBounded(t *testing.T) {
	t.Parallel()
	var l listeners
	var cancels []func()
	for range maxWaiting {
		_, cancel, err := l.add(otherIP)
		if err != nil {
			t.Fatal(err)
		}
		cancels = append(cancels, cancel)
	}
	if _, _, err := l.add(otherIP); err == nil {
		t.Error("one more than allowed may wait")
	}
	for range 20 {
		l.deliver(arpPacket{SenderIP: otherIP}) // more than anybody takes
	}
	for _, cancel := range cancels {
		cancel()
	}
	if len(l.by) != 0 || l.waiting != 0 {
		t.Errorf("%d addresses and %d waiters are left", len(l.by), l.waiting)
	}
}

func TestStateSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	cfg := Config{Interface: "eth0", Address: netip.MustParsePrefix("10.77.0.1/16")}
	addrs := []address{{prefix: cfg.Address}}
	for _, c := range []struct {
		f    facts
		want Condition
		text string
	}{
		{facts{}, Missing, "not there"},
		{facts{present: true}, Down, "switched off"},
		{facts{present: true, on: true}, Unplugged, "cable"},
		{facts{present: true, on: true, carrier: true}, NoAddress, "10.77.0.1/16"},
		{facts{present: true, on: true, carrier: true, addrs: addrs}, Ready, "up with 10.77.0.1/16"},
		{facts{present: true, on: true, addrs: addrs}, Unplugged, "cable"},
	} {
		if s := stateOf(cfg, c.f); s.Condition != c.want || !strings.Contains(s.Text, c.text) || s.Up() != (c.want == Ready) {
			t.Errorf("%+v: got %+v, want %s", c.f, s, c.want)
		}
	}
}

func TestHearIgnoresGarbageAndOurselves(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.hear(boxMAC, []byte("garbage"))
	d.hear(boxMAC, announcement(boxMAC, boxIP).marshal())
	d.hear(boxMAC, probeFor(otherMAC, boxIP).marshal())
	if mac, found := d.DuplicateAddress(); found {
		t.Errorf("%s is said to use the box's address", mac)
	}
	d.hear(boxMAC, announcement(otherMAC, boxIP).marshal())
	if mac, found := d.DuplicateAddress(); !found || mac != otherMAC {
		t.Errorf("another host with the box's address is overheard: %s %v", mac, found)
	}
}

func TestLimitsAreRaisedNeverLowered(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.limits = t.TempDir()
	for name, v := range map[string]string{"gc_thresh1": "128\n", "gc_thresh2": "512\n", "gc_thresh3": "99999\n"} {
		if err := os.WriteFile(filepath.Join(d.limits, name), []byte(v), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.raiseLimits()
	for name, want := range map[string]string{"gc_thresh1": "2048", "gc_thresh2": "8192", "gc_thresh3": "99999"} {
		b, err := os.ReadFile(filepath.Join(d.limits, name))
		if err != nil || strings.TrimSpace(string(b)) != want {
			t.Errorf("%s is %q, %v, want %s", name, b, err, want)
		}
	}
	d.limits = filepath.Join(d.limits, "absent") // a namespace has none
	d.raiseLimits()
}

func TestConfigListsEveryFault(t *testing.T) {
	t.Parallel()
	if err := (Config{Interface: "eth0", Address: netip.MustParsePrefix("10.77.0.1/16"), Gateway: netip.MustParseAddr("10.77.0.254")}).Validate(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	err := Config{Interface: "", Address: netip.MustParsePrefix("fd00::1/64"), Gateway: boxIP, Freshness: -1}.Validate()
	for _, want := range []string{"interface:", "address:", "gateway:", "freshness:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestBeforeRunNothingWorksAndEverythingSaysSo(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	if d.Up() || <-d.Changes() {
		t.Error("it is up before Run")
	}
	_, _, probe := d.Probe(t.Context(), otherIP, time.Millisecond)
	_, _, macOf := d.MACOf(t.Context(), otherIP)
	_, discover := d.Discover(t.Context(), 1, time.Millisecond)
	for name, err := range map[string]error{
		"Probe": probe, "MACOf": macOf, "Discover": discover,
		"SendUDP": d.SendUDP(otherMAC, netip.AddrPortFrom(boxIP, 67), netip.AddrPortFrom(otherIP, 68), nil),
	} {
		if err == nil || !strings.Contains(err.Error(), "eth0") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.Neighbour(otherIP, otherMAC); err != nil { // remembered
		t.Errorf("Neighbour: %v", err)
	}
}

func TestLoopbackIsUpAndEmpty(t *testing.T) {
	t.Parallel()
	l := NewLoopback()
	servers, err := l.Discover(t.Context(), 3, time.Hour)
	if !l.Up() || !<-l.Changes() || !l.State().Up() || len(servers) != 0 || err != nil {
		t.Errorf("it is not up and empty: %v %v", servers, err)
	}
	if _, found, err := l.Probe(t.Context(), boxIP, time.Hour); found || err != nil {
		t.Errorf("Probe: %v %v", found, err)
	}
	if l.SendUDP(phone.MAC{}, netip.AddrPort{}, netip.AddrPort{}, nil) == nil {
		t.Error("SendUDP says that it sent")
	}
}
