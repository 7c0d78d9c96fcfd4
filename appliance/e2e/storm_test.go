package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
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

// TestStorm boots two hundred phones within two seconds, as after a power cut, at the speed of real phones.
func TestStorm(t *testing.T) {
	crowding.enter(t)
	const n = 200
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:50:00:00")
	b := startBox(t, lan, site{phones: listed(base, n)}.text(), shelf())
	b.setClock()
	before := b.residentKB()
	r := runStorm(t, lan, "-n", itoa(n), "-window", "2s", "-mac", base.String(), "-seed", "7", "-timeout", "3m")
	after := b.residentKB()
	t.Logf("FIGURE storm of %d phones in 2 s: 50/95/100 %% ready after %.1f/%.1f/%.1f s, %d ready, %d failures, %d duplicate addresses, "+
		"retransmissions %+v", n, r.Half.Seconds(), r.Most.Seconds(), r.All.Seconds(), r.Ready, len(r.Failures), len(r.Duplicates), r.Retransmits)
	t.Logf("FIGURE resident memory of the daemon: %.1f MB before the storm, %.1f MB after it", float64(before)/1000, float64(after)/1000)
	if r.Ready != n || len(r.Failures) > 0 || len(r.Duplicates) > 0 {
		t.Errorf("found %d ready, failures %+v, duplicates %+v; wanted %d, none and none", r.Ready, r.Failures, r.Duplicates, n)
	}
	if after >= 60_000 {
		t.Errorf("the daemon has %d kB in memory after the storm, wanted less than 60 MB", after)
	}
	b.wantReadyHere(counted(base, n))
	addresses := map[string]bool{}
	for _, a := range b.addresses() {
		addresses[a] = true
	}
	if len(addresses) != n {
		t.Errorf("the box tells of %d addresses, wanted as many as phones: %d", len(addresses), n)
	}
	b.healthy()
	if code, took := b.terminate(); code != 143 || took > 2*time.Second {
		t.Errorf("after the storm the daemon ended with %d after %s, wanted 143 within 2 s", code, took)
	}
}
