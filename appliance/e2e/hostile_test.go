package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// runStorm runs the command phonesim on the host "wire" and returns its report.
func runStorm(t *testing.T, lan *testkit.LAN, args ...string) phonesim.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	out, err := lan.Node("wire").Try(t, build(t).phonesim, append([]string{"-interface", testkit.Interface, "-json", file}, args...)...)
	if err != nil {
		t.Errorf("phonesim: %v: %s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var r phonesim.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// wantAllReady demands that n phones of a storm got there, each at an address of its own.
func wantAllReady(t *testing.T, r phonesim.Report, n int) {
	t.Helper()
	t.Logf("FIGURE 50/95/100 %% of %d phones ready after %.1f/%.1f/%.1f s, sent again %+v, of these after a frame that was lost on purpose %+v, because of "+
		"the box %+v, frames %+v, %.2f s of processor time of the phones", n, r.Half.Seconds(), r.Most.Seconds(), r.All.Seconds(), r.Retransmits,
		r.RetransmitsByLoss, r.RetransmitsByServers, *r.Wire, r.ProcessorTime)
	if r.Ready != n || len(r.Failures) > 0 || len(r.Duplicates) > 0 || len(r.TFTP.ContentErrors) > 0 {
		t.Errorf("found %d ready, failed because of %v, duplicates %+v, wrong content %+v; wanted %d and nothing else",
			r.Ready, r.Reasons, r.Duplicates, r.TFTP.ContentErrors, n)
		for _, f := range r.Failures[:min(len(r.Failures), 10)] {
			t.Logf("%+v", f)
		}
	}
	if r.Wire.LostHere > 0 {
		t.Logf("the simulator itself lost %d frames: what was sent again is not the box's fault alone", r.Wire.LostHere)
	}
}

// wantReadyHere demands that the box tells the same of the listed phones.
func (b *box) wantReadyHere(macs []phone.MAC) {
	b.t.Helper()
	waiting := func() []phoneEntry {
		var left []phoneEntry
		for _, p := range b.phones() {
			if slices.Contains(macs, p.MAC) && p.Step != phone.Ready {
				left = append(left, p)
			}
		}
		return left
	}
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the box does not call ready: %+v", waiting())
		}
	}()
	testkit.Eventually(b.t, 20*time.Second, "the box calls every phone ready", func() bool { return len(waiting()) == 0 })
}

// counted returns n hardware addresses from base on.
func counted(base phone.MAC, n int) []phone.MAC {
	var macs []phone.MAC
	for i := range n {
		macs = append(macs, phonesim.AddMAC(base, i))
	}
	return macs
}

// TestStormWithLoss boots two hundred phones over a wire that loses every tenth frame in both directions, and repeats and
// reorders some.
func TestStormWithLoss(t *testing.T) {
	const n = 200
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:53:00:00")
	b := startBox(t, lan, site{phones: listed(base, n)}.text(), shelf())
	b.setClock()
	r := runStorm(t, lan, "-n", itoa(n), "-window", "2s", "-mac", base.String(), "-seed", "11", "-timeout", "8m",
		"-loss", "0.1", "-dup", "0.01", "-reorder", "0.01")
	wantAllReady(t, r, n)
	if r.Wire.LostOut == 0 || r.Wire.LostIn == 0 || r.RetransmitsByLoss.TFTP == 0 || r.RetransmitsByLoss.DHCP == 0 {
		t.Errorf("found %+v and %+v sent again after a loss, wanted a wire that loses frames", r.Wire, r.RetransmitsByLoss)
	}
	b.wantReadyHere(counted(base, n))
	b.healthy()
}

// TestHostileClients boots listed phones while hostile ones take leases, decline and release those of others, speak in the name
// of others, flood TFTP and leave transfers half open.
func TestHostileClients(t *testing.T) {
	const n = 50
	lan := office(t, testkit.Host{Name: "wire"}, testkit.Host{Name: "desk", MAC: deskMAC.String()})
	base := mustMAC("00:06:d7:54:00:00")
	s := site{
		dhcp:   `pool = ["10.77.1.1-10.77.1.250"]`, // not even half of what the hostile ones ask for
		phones: append(listed(base, n), sitePhone{mac: deskMAC, label: "Latecomer", line: "400"}),
	}
	b := startBox(t, lan, s.text(), shelf())
	b.setClock()
	r := runStorm(t, lan, "-n", itoa(n), "-window", "12s", "-mac", base.String(), "-seed", "12", "-timeout", "5m",
		"-hostile", "starve,flood,decline,release,spoof,tftpflood,halfopen,garbage", "-hostile-rate", "100", "-hostile-for", "20s")
	for _, h := range r.Hostile {
		t.Logf("FIGURE hostile %s: %d packets, %d answered, %d leases", h.Kind, h.Sent, h.Answered, h.Leases)
		if h.Sent == 0 {
			t.Errorf("the hostile clients that %s did nothing: %s", h.Kind, h.Error)
		}
	}
	wantAllReady(t, r, n)
	if addr, _ := takeLease(t, lan.Node("desk")); !addr.IsValid() { // the pool is not empty for a listed phone that comes late
		t.Error("a listed phone that comes late gets no address")
	}
	b.healthy()
	if kb := b.residentKB(); kb >= 120_000 {
		t.Errorf("the daemon has %d kB in memory, wanted less than 120 MB", kb)
	}
	if code, took := b.terminate(); code != 143 || took > 2*time.Second {
		t.Errorf("the daemon ended with %d after %s, wanted 143 within 2 s", code, took)
	}
}
