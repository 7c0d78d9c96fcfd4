package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"phonebox/appliance/store"
	"phonebox/services/dhcp/lease"
)

const (
	killed    = 100  // how often the child is killed
	stormKeys = 4000 // clients in the storm
	homes     = 4    // addresses that each moves about between
)

// storming is a lease of client i: at one of its addresses, and with a version that grows.
func storming(i, home int, version int64) lease.Record {
	r := record(i)
	r.Address = addr(i*homes + home)
	r.Hostname = strconv.FormatInt(version, 10)
	return r
}

// commitStorm commits from eight goroutines for ever, one to five random leases at a time, and prints each once it is on
// disk: client, home, version. The versions go on from what the store holds.
func commitStorm(dir string) {
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) // a safety net only
	s, err := store.Open(dir, nil)
	if err != nil {
		panic(err)
	}
	var version atomic.Int64
	leases, err := s.Leases(context.Background())
	if err != nil {
		panic(err)
	}
	for _, r := range leases {
		n, err := strconv.ParseInt(r.Hostname, 10, 64)
		if err != nil {
			panic(err)
		}
		version.Store(max(version.Load(), n))
	}
	for g := range 8 {
		go func() {
			for {
				var batch []lease.Record
				text := ""
				for range 1 + rand.IntN(5) {
					i, home, v := rand.IntN(stormKeys/8)*8+g, rand.IntN(homes), version.Add(1)
					batch = append(batch, storming(i, home, v))
					text += fmt.Sprintf("%d %d %d\n", i, home, v)
				}
				if err := s.Commit(context.Background(), batch...); err != nil {
					panic(err)
				}
				fmt.Print(text)
			}
		}()
	}
	select {}
}

// TestKilledInTheMiddleOfCommits kills a process that commits, at random moments, again and again over the same folder:
// in the middle of groups, of turns of the logs, of folds, of starts. What was acknowledged is there, in the last version.
func TestKilledInTheMiddleOfCommits(t *testing.T) {
	dir := store.MemoryDir(t)   // what a killed process has written stays in memory on a disk as well
	acked := map[int][2]int64{} // by client: home and version
	lines := 0
	for round := range killed {
		cmd := child(t, "storm", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		until := 1 + rand.IntN(400)
		scanner := bufio.NewScanner(out)
		for n := 0; scanner.Scan(); n++ {
			var i int
			var home, version int64
			if k, _ := fmt.Sscan(scanner.Text(), &i, &home, &version); k != 3 {
				break // the last line may be cut
			}
			if version > acked[i][1] {
				acked[i] = [2]int64{home, version}
			}
			lines++
			if n == until {
				_ = cmd.Process.Signal(syscall.SIGKILL)
			}
		}
		_ = cmd.Wait()
		checkStorm(t, dir, round, acked)
	}
	if lines < 20*killed {
		t.Errorf("only %d leases were acknowledged in %d rounds", lines, killed)
	}
	t.Logf("%d leases were acknowledged", lines)
}

// checkStorm looks for everything acknowledged; what was in work when the process died may be there instead.
func checkStorm(t *testing.T, dir string, round int, acked map[int][2]int64) {
	t.Helper()
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if f := s.Faults(); len(f) > 0 {
		t.Fatalf("faults after kill %d: %q", round, f)
	}
	leases, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]lease.Record{}
	for _, r := range leases {
		i := int(r.HWAddr[4])<<8 | int(r.HWAddr[5])
		if _, twice := found[i]; twice {
			t.Fatalf("kill %d: two leases of client %d", round, i)
		}
		found[i] = r
	}
	for i, want := range acked {
		r, ok := found[i]
		version, _ := strconv.ParseInt(r.Hostname, 10, 64)
		if !ok || version < want[1] || version == want[1] && r.Address != addr(i*homes+int(want[0])) {
			t.Fatalf("kill %d: client %d was acknowledged as version %d at home %d; found %v: %+v", round, i, want[1], want[0], ok, r)
		}
	}
}
