package store_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
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

// storming is a lease of client i at one of its addresses, with a version that grows.
func storming(i, home int, version int64) lease.Record {
	r := record(i)
	r.Address = addr(i*homes + home)
	r.Hostname = strconv.FormatInt(version, 10)
	return r
}

// commitStorm commits from eight goroutines for ever, one to five random leases at a time, of which every fifth is
// removed. It prints each before and once it is on disk: what, client, home, version. The versions go on from what the
// store holds.
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
	version.Add(1000) // beyond those of removed ones
	for g := range 8 {
		go func() {
			for {
				var batch []lease.Record
				try, done := "", ""
				for range 1 + rand.IntN(5) {
					i, home, v := rand.IntN(stormKeys/8)*8+g, rand.IntN(homes), version.Add(1)
					r, what := storming(i, home, v), "put"
					if rand.IntN(5) == 0 {
						r, what = lease.Erased(r.Address), "erase"
					}
					batch = append(batch, r)
					try += fmt.Sprintf("try-%s %d %d %d\n", what, i, home, v)
					done += fmt.Sprintf("%s %d %d %d\n", what, i, home, v)
				}
				fmt.Print(try)
				if err := s.Commit(context.Background(), batch...); err != nil {
					panic(err)
				}
				fmt.Print(done)
			}
		}()
	}
	select {}
}

// fate is what may be on disk of an address: its last acknowledged version, or what was tried since.
type fate struct {
	acked  int64 // the version; erased tells that its record is gone with it
	erased bool
	tried  int64 // the last removal that was begun
}

// note takes a line of the child.
func (f *fate) note(what string, version int64) {
	switch {
	case what == "try-erase":
		f.tried = max(f.tried, version)
	case version > f.acked && (what == "put" || what == "erase"):
		f.acked, f.erased = version, what == "erase"
	}
}

// TestKilledInTheMiddleOfCommits kills a process that commits, at random moments, again and again over the same folder:
// in the middle of groups, of turns of the logs, of folds, of starts. What was acknowledged is there, in the last version.
func TestKilledInTheMiddleOfCommits(t *testing.T) {
	dir := store.MemoryDir(t) // what a killed process has written stays in memory on a disk as well
	fates := map[netip.Addr]*fate{}
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
		until := 1 + rand.IntN(800)
		scanner := bufio.NewScanner(out)
		for n := 0; scanner.Scan(); n++ {
			var what string
			var i, home int
			var version int64
			if k, _ := fmt.Sscan(scanner.Text(), &what, &i, &home, &version); k != 4 {
				break // the last line may be cut
			}
			at := addr(i*homes + home)
			if fates[at] == nil {
				fates[at] = &fate{}
			}
			fates[at].note(what, version)
			lines++
			if n == until {
				_ = cmd.Process.Signal(syscall.SIGKILL)
			}
		}
		_ = cmd.Wait()
		checkStorm(t, dir, round, fates)
	}
	if lines < 40*killed {
		t.Errorf("only %d lines in %d rounds", lines, killed)
	}
	t.Logf("%d lines of leases begun and acknowledged", lines)
}

// checkStorm looks for everything acknowledged; what was in work when the process died may be there instead.
func checkStorm(t *testing.T, dir string, round int, fates map[netip.Addr]*fate) {
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
	found := map[netip.Addr]int64{}
	for _, r := range leases {
		if found[r.Address], err = strconv.ParseInt(r.Hostname, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	several := map[lease.Key]int{}
	for _, r := range leases {
		several[r.Key]++
	}
	for at, want := range fates {
		version, there := found[at]
		switch {
		case there && (version < want.acked || version == want.acked && want.erased):
			t.Fatalf("kill %d: %s was acknowledged as version %d (removed: %v); found is %d", round, at, want.acked, want.erased, version)
		case !there && want.acked > 0 && !want.erased && want.tried < want.acked:
			t.Fatalf("kill %d: the lease of %s was acknowledged as version %d and is gone", round, at, want.acked)
		}
	}
	if round == killed-1 && slices.Max(slices.Collect(maps.Values(several))) < 2 {
		t.Error("no client has two leases: the storm shows nothing of that")
	}
}
