package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
)

const (
	matrixLeases   = 500
	matrixLogPages = 16 // half of the leases, and pages behind them
)

func matrixLease(i int) lease.Record {
	hw := []byte{0, 6, 0xD7, 0xAA, byte(i >> 8), byte(i)}
	return lease.Record{
		Key: lease.Key(hw), HType: 1, HWAddr: hw, Address: netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}), State: lease.Bound,
		Start: time.Unix(1e9, 0).UTC(), End: time.Unix(1e9+28800, 0).UTC(), Duration: 8 * time.Hour,
		Hostname: fmt.Sprintf("SEP0006D7AA%04X", i), VendorClass: "Cisco Systems, Inc. IP Phone CP-7960G",
	}
}

// matrixFolder returns the files of a store with 500 leases: those of the first half are in leases.db alone, for the
// logs were made anew since, the others are in the log alone.
func matrixFolder(t *testing.T) map[string][]byte {
	t.Helper()
	dir := MemoryDir(t)
	fill := func(from, to int) {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := from; i < to; i += 25 {
			var batch []lease.Record
			for j := i; j < min(i+25, to); j++ {
				batch = append(batch, matrixLease(j))
			}
			if err := s.Commit(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
		}
		if to < matrixLeases {
			if err := s.FoldNow(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	fill(0, matrixLeases/2)
	if err := NewLogs(dir); err != nil {
		t.Fatal(err)
	}
	fill(matrixLeases/2, matrixLeases)
	files := map[string][]byte{}
	for _, name := range []string{leasesFile, logName(0), logName(1)} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	return files
}

// hurtBy returns how many leases a page holds a part of: those whose host name can no longer be read whole without it.
func hurtBy(files map[string][]byte, name string, pages ...int) map[string]bool {
	good := files[name]
	if name != leasesFile {
		good = good[:matrixLogPages*4096]
	}
	damaged := bytes.Clone(good)
	for _, p := range pages {
		clear(damaged[p*4096 : (p+1)*4096])
	}
	out := map[string]bool{}
	for i := range matrixLeases {
		host := matrixLease(i).Hostname
		if bytes.Count(damaged, []byte(host)) < bytes.Count(good, []byte(host)) || spans(good, host, pages) {
			out[host] = true
		}
	}
	return out
}

// spans reports whether a record around the host name reaches into one of the pages, or isn't readable in one piece.
func spans(file []byte, host string, pages []int) bool {
	at := bytes.Index(file, []byte(host))
	if at < 0 {
		return bytes.Contains(file, []byte(host[8:])) // cut by the head of a sector
	}
	for _, p := range pages {
		if at-200 < (p+1)*4096 && at+200 > p*4096 {
			return true
		}
	}
	return false
}

// openMatrix opens a store over the files and checks the leases: none is invented, each that the damage can't have hit
// is there, and it is said when one is missing. It returns how many are there and whether some may be missing.
func openMatrix(t *testing.T, what string, files map[string][]byte, hurt map[string]bool) (int, bool) {
	t.Helper()
	dir := MemoryDir(t)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer os.RemoveAll(dir)
	defer s.Close()
	leases, err := s.Leases(t.Context())
	incomplete := errors.Is(err, dhcp.ErrIncomplete)
	if err != nil && !incomplete {
		t.Fatalf("%s: %v", what, err)
	}
	have := map[string]bool{}
	for _, r := range leases {
		if want := matrixLease(int(r.HWAddr[4])<<8 | int(r.HWAddr[5])); r.Address != want.Address || r.Hostname != want.Hostname || have[r.Hostname] {
			t.Fatalf("%s: a lease that was never stored: %+v", what, r)
		}
		have[r.Hostname] = true
	}
	for i := range matrixLeases {
		if host := matrixLease(i).Hostname; !have[host] && !hurt[host] {
			t.Errorf("%s: the lease of %s was not hit and is lost", what, host)
		}
	}
	if len(leases) < matrixLeases && !incomplete {
		t.Errorf("%s: %d of %d leases, and none is said to be missing", what, len(leases), matrixLeases)
	}
	if incomplete && len(s.Faults()) == 0 {
		t.Errorf("%s: leases may be missing, and there is no sentence for people", what)
	}
	return len(leases), incomplete
}

// TestEachPageDamaged takes a store with 500 leases and zeroes, overwrites and exchanges each page that is in use.
func TestEachPageDamaged(t *testing.T) {
	files := matrixFolder(t)
	if n, incomplete := openMatrix(t, "nothing", files, nil); n != matrixLeases || incomplete {
		t.Fatalf("the undamaged store: %d leases, incomplete %v", n, incomplete)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for name, good := range files {
		count := len(good) / 4096
		if name != leasesFile {
			count = matrixLogPages
		}
		for p := range count {
			hit := hurtBy(files, name, p)
			if len(hit) > matrixLeases/4 {
				t.Errorf("%s: page %d is thought to hold %d leases: the test checks too few", name, p, len(hit))
			}
			q := (p + 1 + random.IntN(count-1)) % count
			for _, how := range []string{"zeroed", "random", "swapped"} {
				bad := bytes.Clone(good)
				page := bad[p*4096 : (p+1)*4096]
				hurt := hit
				switch how {
				case "zeroed":
					clear(page)
				case "random":
					for i := range page {
						page[i] = byte(random.Uint32())
					}
				case "swapped":
					copy(page, good[q*4096:])
					copy(bad[q*4096:(q+1)*4096], good[p*4096:])
					hurt = hurtBy(files, name, p, q)
				}
				with := map[string][]byte{leasesFile: files[leasesFile], logName(0): files[logName(0)], logName(1): files[logName(1)]}
				with[name] = bad
				openMatrix(t, fmt.Sprintf("%s, page %d %s", name, p, how), with, hurt)
			}
		}
	}
}

// TestNewestRecordsOfTheLog: the group that was synced last has none behind it that would name it. Its damage is told
// all the same, and a write that a power cut stopped is not taken for damage.
func TestNewestRecordsOfTheLog(t *testing.T) {
	files := matrixFolder(t)
	log := files[logName(0)]
	last := 0
	for i := range logSize / sectorSize {
		if h, ok := getSector(log[i*sectorSize:][:sectorSize], 0, i); ok && h.epoch > 0 && h.used > 0 {
			last = i
		}
	}
	all := map[string]bool{}
	for i := range matrixLeases {
		all[matrixLease(i).Hostname] = true
	}
	empty := emptyLog(0)
	with := func(change func(log []byte)) map[string][]byte {
		bad := bytes.Clone(log)
		change(bad)
		return map[string][]byte{leasesFile: files[leasesFile], logName(0): bad, logName(1): files[logName(1)]}
	}
	torn := with(func(b []byte) { copy(b[last*sectorSize:(last+1)*sectorSize], empty[last*sectorSize:]) })
	if n, incomplete := openMatrixTorn(t, torn); n == matrixLeases || incomplete {
		t.Errorf("a group that was never whole: %d leases, incomplete %v; want fewer than all, and none missed", n, incomplete)
	}
	rotten := with(func(b []byte) { b[last*sectorSize+100] ^= 1 })
	if n, incomplete := openMatrix(t, "the last sector rotten", rotten, all); n == matrixLeases || !incomplete {
		t.Errorf("the last sector rotten: %d leases, incomplete %v", n, incomplete)
	}
	page := last / perPage * logPage
	stale := with(func(b []byte) { copy(b[page-logPage:page], empty[page-logPage:]) })
	if n, incomplete := openMatrix(t, "a group before the last never reached the disk", stale, all); n == matrixLeases || !incomplete {
		t.Errorf("a lost write: %d leases, incomplete %v", n, incomplete)
	}
	gone := with(func([]byte) {})
	delete(gone, logName(0))
	if n, incomplete := openMatrix(t, "the log gone", gone, all); n != matrixLeases/2 || !incomplete {
		t.Errorf("the log gone: %d leases, incomplete %v", n, incomplete)
	}
	for _, size := range []int{0, 100, 4096, 9000, logSize / 2, logSize - 1, logSize + 4096} {
		cut := with(func([]byte) {})
		cut[logName(0)] = append(bytes.Clone(log), make([]byte, 8192)...)[:size]
		openMatrix(t, fmt.Sprintf("a log of %d bytes", size), cut, all)
	}
}

// openMatrixTorn opens a store whose last group was not synced.
func openMatrixTorn(t *testing.T, files map[string][]byte) (int, bool) {
	t.Helper()
	dir := MemoryDir(t)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	leases, err := s.Leases(t.Context())
	if f := s.Faults(); len(f) > 0 {
		t.Errorf("a write that a power cut stopped is called damage: %q", f)
	}
	return len(leases), errors.Is(err, dhcp.ErrIncomplete)
}

// TestPowerCutInAGroup: of the sectors of a group that was not synced, any may be on the disk. All that was
// acknowledged before is there, and it is no damage.
func TestPowerCutInAGroup(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 20 {
		dir := MemoryDir(t)
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		acked, path := round*3, filepath.Join(dir, logName(0))
		commit := func(from, to int) {
			for i := from; i < to; i += 20 {
				var batch []lease.Record
				for j := i; j < min(i+20, to); j++ {
					batch = append(batch, matrixLease(j))
				}
				if err := s.Commit(t.Context(), batch...); err != nil {
					t.Fatal(err)
				}
			}
		}
		read := func() []byte {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		commit(0, acked)
		before := read()
		var last []lease.Record
		for j := acked; j < acked+1+random.IntN(200); j++ {
			last = append(last, matrixLease(j))
		}
		if err := s.Commit(t.Context(), last...); err != nil {
			t.Fatal(err)
		}
		s.Close()
		after := read()
		for i := range logSize / sectorSize {
			if random.IntN(2) == 0 {
				copy(after[i*sectorSize:(i+1)*sectorSize], before[i*sectorSize:])
			}
		}
		if err := os.WriteFile(path, after, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(dir, nil); err != nil {
			t.Fatal(err)
		}
		got, err := s.Leases(t.Context())
		if err != nil || len(s.Faults()) > 0 || len(got) < acked {
			t.Errorf("round %d: %d leases, %d were acknowledged; %v, %q", round, len(got), acked, err, s.Faults())
		}
		for i := range acked {
			if got[i].Address != matrixLease(i).Address {
				t.Fatalf("round %d: the acknowledged lease of %s is gone", round, matrixLease(i).Address)
			}
		}
		s.Close()
	}
}

// TestDamageIsRememberedUntilLeasesHaveRunOut: over restarts, until the time has run or the caller says so.
func TestDamageIsRememberedUntilLeasesHaveRunOut(t *testing.T) {
	files := matrixFolder(t)
	dir := MemoryDir(t)
	clear(files[leasesFile][:8192])
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reopen := func() (*Store, *IncompleteError) {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		_, err = s.Leases(t.Context())
		var x *IncompleteError
		_ = errors.As(err, &x) // nil when there is none
		return s, x
	}
	s, x := reopen()
	if x == nil || x.Need != markLeast || x.Ran > time.Minute {
		t.Fatalf("after the damage: %+v", x)
	}
	s.markMu.Lock()
	s.markFrom = s.markFrom.Add(-3 * time.Hour)
	s.markMu.Unlock()
	s.Close()
	s, x = reopen()
	if x == nil || x.Ran < 3*time.Hour || x.Ran > 4*time.Hour {
		t.Fatalf("three hours later, after a restart: %+v", x)
	}
	s.markMu.Lock()
	s.markFrom = s.markFrom.Add(-22 * time.Hour)
	s.markMu.Unlock()
	if _, err := s.Leases(t.Context()); err != nil {
		t.Errorf("a day later: %v", err)
	}
	s.setMark(time.Hour)
	s.saveMark()
	if _, err := s.Leases(t.Context()); !errors.Is(err, dhcp.ErrIncomplete) {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, x = reopen(); x != nil {
		t.Errorf("after Complete: %+v", x)
	}
}
