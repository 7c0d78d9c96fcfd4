package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"phonebox/appliance/e2e/capacity/load"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// The tests of this file are the short forms of what `go run ./appliance/e2e/capacity` measures (docs/capacity.md). They
// judge what must be true on any machine: nothing lost, nothing given twice, everybody served. How fast they only print.

// boxMAC is the Ethernet address of the host box for the loads.
var boxMAC = load.MAC{2, 0, 0, 0, 0x77, 1}

// widePool is a pool for more phones than an office has.
const widePool = `pool = ["10.77.1.0-10.77.40.255"]`

// openLoad opens the interface of a host for a load.
func openLoad(t *testing.T, n *testkit.Node) *load.Wire {
	t.Helper()
	w := testkit.In(t, n, func() (*load.Wire, error) { return load.Open(testkit.Interface) })
	t.Cleanup(func() { w.Close() })
	return w
}

// newClients makes DHCP clients on a wire.
func newClients(t *testing.T, w *load.Wire, n int) *load.Clients {
	t.Helper()
	c, err := load.NewClients(w, load.ClientsConfig{Count: n, Base: load.MAC{0, 6, 0xd7, 0x10, 0, 0}, Server: addr(boxAddr), ServerMAC: boxMAC})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// countUp returns from, from+1 and so on, without to.
func countUp(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// runClients lets clients do a job and wants every one to succeed.
func runClients(t *testing.T, c *load.Clients, job load.Job, who []int, rate float64) load.Tally {
	t.Helper()
	tally, err := c.Run(t.Context(), job, who, rate)
	if err != nil {
		t.Fatal(err)
	}
	if tally.Done != len(who) || tally.Refused+tally.GaveUp+tally.Unfinished+tally.Moved+tally.Twice > 0 {
		t.Errorf("job %d of %d clients: %+v, wanted all done, none refused, moved or given an address twice", job, len(who), tally)
	}
	return tally
}

// TestAThousandAtOnce lets a thousand phones ask for an address at the same instant, half of them without the broadcast
// flag, with conflict probing on as it is by default. Each gets one, and keeps it over a restart of its own. Then three
// thousand more come within three seconds.
func TestAThousandAtOnce(t *testing.T) {
	working.enter(t)
	const n, all = 1000, 4000
	lan := office(t, testkit.Host{Name: "wire"})
	b := startBox(t, lan, site{dhcp: widePool}.text(), nil)
	c := newClients(t, openLoad(t, lan.Node("wire")), all)
	boot := runClients(t, c, load.Boot, countUp(0, n), 0)
	t.Logf("FIGURE %d phones at once have an address after %.2f s, %d retransmissions", n, boot.Took.Seconds(), boot.Retransmits)
	again := runClients(t, c, load.Reboot, countUp(0, n), 0)
	t.Logf("FIGURE %d phones at once have their address again after %.2f s, %d retransmissions", n, again.Took.Seconds(), again.Retransmits)
	b.memoryBelow(80)
	more := runClients(t, c, load.Boot, countUp(n, all), 1000)
	t.Logf("FIGURE %d more within 3 s have an address after %.2f s, %d retransmissions", all-n, more.Took.Seconds(), more.Retransmits)
	b.memoryBelow(120)
	b.healthy()
}

// memoryBelow wants the daemon never to have had so many MB resident.
func (b *box) memoryBelow(mb int) {
	b.t.Helper()
	now, most := b.residentKB(), b.statusKB("VmHWM:")
	b.t.Logf("FIGURE resident memory of the daemon: %.1f MB, at most %.1f MB", float64(now)/1000, float64(most)/1000)
	if most >= mb*1000 {
		b.t.Errorf("the daemon had %d kB in memory, wanted less than %d MB", most, mb)
	}
}

// TestStormsInARow lets three hundred phones start at the same instant, five times against one daemon, as when the power comes
// and goes. What it has in memory at most stays below what it may take, and of the journal's file it keeps next to nothing.
func TestStormsInARow(t *testing.T) {
	const n, storms = 300, 5
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:58:00:00")
	b := startBox(t, lan, site{dhcp: widePool, phones: listed(base, n)}.text(), shelf())
	b.setClock()
	for i := range storms {
		r := runStorm(t, lan, "-profile", "basic", "-n", itoa(n), "-mac", base.String(), "-seed", itoa(i+1), "-timeout", "3m")
		wantAllReady(t, r, n)
	}
	b.memoryBelow(80)
	if kb := b.residentOf("journal.db"); kb > 2<<10 {
		t.Errorf("the daemon has %d kB of journal.db in memory, wanted at most 2 MB", kb)
	}
	b.healthy()
}

// TestLeasesOutliveKills kills the daemon while it gives leases, five times. Each lease that it acknowledged is there
// afterwards, and no address is given to two phones.
func TestLeasesOutliveKills(t *testing.T) {
	working.enter(t)
	const kills, each = 5, 150
	lan := office(t, testkit.Host{Name: "wire"})
	b := startBox(t, lan, site{dhcp: widePool + "\nping_check = false"}.text(), nil)
	c := newClients(t, openLoad(t, lan.Node("wire")), kills*each)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	lost := 0
	for i := range kills {
		killWhileLoaded(t, b, c, countUp(i*each, (i+1)*each), time.Duration(20+random.IntN(250))*time.Millisecond)
		b.start()
		b.waitReady()
		// All that was ever acknowledged, also before the earlier kills.
		unknown := lostLeases(t, b, c)
		if lost += unknown; unknown > 0 {
			t.Errorf("kill %d: the box does not know %d of %d leases that it acknowledged", i+1, unknown, len(c.Held()))
		}
		runClients(t, c, load.Reboot, c.Held(), 0)
	}
	held := c.Held()
	if len(held) == 0 {
		t.Error("no lease was acknowledged before any of the kills: nothing was tested")
	}
	// Newcomers get none of those addresses.
	runClients(t, c, load.Boot, leavingOut(countUp(0, kills*each), held), 500)
	t.Logf("FIGURE %d kills of the daemon under load: %d leases acknowledged before one of them, %d lost", kills, len(held), lost)
}

// killWhileLoaded kills the daemon while those clients boot, and lets what it sent before arrive.
func killWhileLoaded(t *testing.T, b *box, c *load.Clients, who []int, after time.Duration) {
	t.Helper()
	killed := make(chan struct{})
	timer := time.AfterFunc(after, func() { defer close(killed); b.kill() })
	defer timer.Stop()
	// 400 a second: the kill comes in between. They stop asking a moment after it.
	tally, err := c.RunUntil(t.Context(), load.Boot, who, 400, killed)
	if err != nil {
		t.Fatal(err)
	}
	if tally.Moved+tally.Twice+tally.Refused > 0 {
		t.Errorf("while the daemon was killed: %+v, wanted nobody refused, moved or given an address twice", tally)
	}
}

// lostLeases counts the acknowledged leases that the box does not know, before any client has spoken: one that is lost may be
// acknowledged again to its client as long as nobody else has got the address.
func lostLeases(t *testing.T, b *box, c *load.Clients) (lost int) {
	t.Helper()
	told := map[phone.MAC]string{}
	for _, e := range b.phones() {
		told[e.MAC] = e.Address
	}
	for _, who := range c.Held() {
		if mac, want := phone.MAC(c.MAC(who)), c.Address(who).String(); told[mac] != want {
			lost++
			t.Logf("%s was acknowledged %s, the box says %q", mac, want, told[mac])
		}
	}
	return lost
}

// leavingOut returns those of all that are not in some; both are sorted.
func leavingOut(all, some []int) (out []int) {
	for _, i := range all {
		for len(some) > 0 && some[0] < i {
			some = some[1:]
		}
		if len(some) == 0 || some[0] != i {
			out = append(out, i)
		}
	}
	return out
}

// TestDownloadsAtOnce lets a hundred phones read an image in lockstep at once, while others start and get an address; then
// they read a small file over and over.
func TestDownloadsAtOnce(t *testing.T) {
	working.enter(t)
	const n, starting = 100, 300
	files := shelf()
	files["chime.pcm"] = make([]byte, 1200)
	lan := office(t, testkit.Host{Name: "wire"}, testkit.Host{Name: "other"})
	b := startBox(t, lan, site{dhcp: widePool}.text(), files)
	w := openLoad(t, lan.Node("wire"))
	c := newClients(t, openLoad(t, lan.Node("other")), starting)
	booted := make(chan load.Tally, 1)
	go func() {
		tally, err := c.Run(t.Context(), load.Boot, countUp(0, starting), 200)
		if err != nil {
			t.Error(err)
		}
		booted <- tally
	}()
	download(t, w, n, n, target+".sb2", files)
	if tally := <-booted; tally.Done != starting || tally.Refused+tally.GaveUp+tally.Moved+tally.Twice > 0 {
		t.Errorf("phones that started beside the downloads: %+v, wanted %d done", tally, starting)
	}
	download(t, w, n, 10*n, "chime.pcm", files)
	b.memoryBelow(80)
	b.healthy()
}

// download reads a file so often, by so many phones at once, and wants every byte of it.
func download(t *testing.T, w *load.Wire, parallel, total int, file string, files map[string][]byte) {
	t.Helper()
	got, err := load.Download(t.Context(), w, load.DownloadsConfig{
		Server: addr(boxAddr), ServerMAC: boxMAC, File: file, Content: files[file], Parallel: parallel, Total: total,
		First: addr("10.77.200.1"), Base: load.MAC{0, 6, 0xd7, 0x40, 0, 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("FIGURE %d downloads of %s, %d at once: %.1f MB/s, %.0f a second, %d repeated", total, file, parallel,
		float64(got.Bytes)/1e6/got.Took.Seconds(), float64(got.Done)/got.Took.Seconds(), got.Repeated+got.Retransmits)
	if got.Done != total || got.Failed+got.Wrong > 0 || got.Bytes != total*len(files[file]) {
		t.Errorf("%s: %d of %d done, %d failed (%s), %d blocks wrong, %d bytes", file, got.Done, total, got.Failed, got.Reason, got.Wrong, got.Bytes)
	}
}

// TestRenewalsLeaveMemoryAndFilesFlat is the soak in short: thousands of renewals and restarts of the same phones. Nobody is
// refused; memory and the files of the leases do not grow.
func TestRenewalsLeaveMemoryAndFilesFlat(t *testing.T) {
	working.enter(t)
	const n, rounds = 300, 5
	lan := office(t, testkit.Host{Name: "wire"})
	b := startBox(t, lan, site{dhcp: widePool + "\nping_check = false"}.text(), nil)
	c := newClients(t, openLoad(t, lan.Node("wire")), n)
	runClients(t, c, load.Boot, countUp(0, n), 500)
	round := func() {
		runClients(t, c, load.Renew, c.Held(), 1000)
		runClients(t, c, load.Reboot, c.Held(), 1000)
	}
	round()
	round()
	memory, file := b.residentKB(), leaseBytes(t, b)
	for range rounds {
		round()
	}
	memoryAfter, fileAfter := b.residentKB(), leaseBytes(t, b)
	t.Logf("FIGURE %d renewals and restarts: memory %.1f -> %.1f MB, lease files %d -> %d kB", 2*rounds*n, float64(memory)/1000,
		float64(memoryAfter)/1000, file/1000, fileAfter/1000)
	if memoryAfter > memory+15_000 {
		t.Errorf("the daemon's memory went from %d to %d kB", memory, memoryAfter)
	}
	// A renewal that is written takes some tens of bytes until the file is written anew.
	if limit := file + file/2 + 512<<10; fileAfter > limit {
		t.Errorf("the files of the leases went from %d to %d bytes, wanted at most %d", file, fileAfter, limit)
	}
	b.healthy()
}

// leaseBytes is the size of all files of the leases.
func leaseBytes(t *testing.T, b *box) (sum int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.data, "leases*"))
	if err != nil || len(files) == 0 {
		t.Fatal(fmt.Errorf("looking for the files of the leases: %v, %w", files, err))
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			continue // it was replaced just now
		}
		sum += info.Size()
	}
	return sum
}
