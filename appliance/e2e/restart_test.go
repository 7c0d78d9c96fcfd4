package e2e_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// TestKillKeepsLeases kills the daemon and boots the same phones again, half of them by INIT-REBOOT, among newcomers.
func TestKillKeepsLeases(t *testing.T) {
	waiting.enter(t)
	const n = 10
	lan := office(t, testkit.Host{Name: "wire"})
	old, fresh := mustMAC("00:06:d7:63:00:00"), mustMAC("00:06:d7:63:01:00")
	b := startBox(t, lan, site{phones: append(listed(old, n), listed(fresh, n)...)}.text(), nil)
	w := newWire(t, lan.Node("wire"))
	leases := map[phone.MAC]netip.Addr{}
	for mac, r := range storm(t, w, old, n, nil) {
		leases[mac] = r.Address
	}
	b.restart()
	for mac, at := range leases {
		if e := b.phone(mac); e.Address != at.String() {
			t.Errorf("after the restart the box gives %s the address %q, it had %s", mac, e.Address, at)
		}
	}
	remembered := map[phone.MAC]netip.Addr{}
	for i := 0; i < n; i += 2 {
		mac := phonesim.AddMAC(old, i)
		remembered[mac] = leases[mac]
	}
	newcomers := make(chan map[phone.MAC]phonesim.Result, 1)
	go func() { newcomers <- storm(t, w, fresh, n, nil) }()
	holder := map[netip.Addr]phone.MAC{}
	for mac, at := range leases {
		holder[at] = mac
	}
	for mac, r := range storm(t, w, old, n, remembered) {
		if r.Address != leases[mac] {
			t.Errorf("%s got %s after the restart, it had %s", mac, r.Address, leases[mac])
		}
	}
	for mac, r := range <-newcomers {
		if of, taken := holder[r.Address]; taken {
			t.Errorf("%s got %s, which is leased to %s", mac, r.Address, of)
		}
		holder[r.Address] = mac
	}
	if len(holder) != 2*n {
		t.Errorf("found %d addresses for %d phones", len(holder), 2*n)
	}
	if d := w.Addresses().Duplicates(); len(d) > 0 {
		t.Errorf("addresses held by two phones at once: %v", d)
	}
}

// storm boots n phones that count up from base, and returns their results once all are ready and unplugged.
func storm(t *testing.T, w *phonesim.Wire, base phone.MAC, n int, remember map[phone.MAC]netip.Addr) map[phone.MAC]phonesim.Result {
	t.Helper()
	out := map[phone.MAC]phonesim.Result{}
	var phones []*phonesim.Phone
	var unplugs []func()
	for i := range n {
		mac := phonesim.AddMAC(base, i)
		p, unplug := plug(t, phonesim.Config{Link: w, MAC: mac, Broadcast: i%2 == 1, Remember: remember[mac]})
		phones, unplugs = append(phones, p), append(unplugs, unplug)
	}
	deadline := time.After(time.Minute)
	for _, p := range phones {
		select {
		case <-p.Done():
		case <-deadline:
			t.Errorf("phone %s is not ready: %+v", p.Result().MAC, p.Result())
		}
		r := p.Result()
		for _, f := range r.Faults {
			t.Errorf("phone %s: %s", r.MAC, f)
		}
		out[r.MAC] = r
	}
	for _, unplug := range unplugs {
		unplug()
	}
	return out
}

// TestTermWithOpenTransfers ends the daemon while dead clients hold transfers open and somebody watches the page.
func TestTermWithOpenTransfers(t *testing.T) {
	waiting.enter(t)
	hosts := []testkit.Host{
		{Name: "dead1", Addr: netip.MustParsePrefix("10.77.0.41/16")},
		{Name: "dead2", Addr: netip.MustParsePrefix("10.77.0.42/16")},
		{Name: "dead3", Addr: netip.MustParsePrefix("10.77.0.43/16")},
	}
	lan := office(t, hosts...)
	b := startBox(t, lan, site{}.text(), map[string][]byte{"long.pcm": make([]byte, 200_000)})
	const each = 8 // what one address may have open
	for _, h := range hosts {
		for range each {
			deadClient(t, lan.Node(h.Name))
		}
		lan.Node(h.Name).CableOut(t)
	}
	testkit.Eventually(t, patience, "the transfers are open", func() bool {
		return b.metric("phonebox_tftp_transfers_open", "") == float64(each*len(hosts))
	})
	stream := openStream(t, b)
	code, took := b.terminate()
	t.Logf("FIGURE SIGTERM to exit with %d transfers open to dead clients: %.2f s", each*len(hosts), took.Seconds())
	if code != 143 {
		t.Errorf("found exit code %d, wanted 143", code)
	}
	if took >= 2*time.Second {
		t.Errorf("the daemon took %s to end, wanted less than 2 s", took)
	}
	stream.Close()
	b.start()
	b.waitReady()
}

// deadClient asks for a file and never acknowledges anything.
func deadClient(t *testing.T, n *testkit.Node) {
	t.Helper()
	conn := testkit.In(t, n, func() (net.PacketConn, error) { return net.ListenPacket("udp4", n.Addr.Addr().String()+":0") })
	t.Cleanup(func() { conn.Close() })
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr(boxAddr), 69))
	if _, err := conn.WriteTo([]byte("\x00\x01long.pcm\x00octet\x00"), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1024)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if k, _, err := conn.ReadFrom(buf); err != nil || k != 516 {
		t.Fatalf("the first block: %d bytes, %v", k, err)
	}
}

// openStream watches the events of all phones and leaves the connection open.
func openStream(t *testing.T, b *box) io.Closer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+boxAddr+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	resp, err := b.laptop.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the stream of events: found %d", resp.StatusCode)
	}
	return resp.Body
}
