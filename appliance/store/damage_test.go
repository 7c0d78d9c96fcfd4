package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"phonebox/appliance/store"
	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
	"phonebox/services/testkit"
)

const stored = 300

// goodFile returns the bytes of a leases.db with 300 leases, most of them moved, and three values.
func goodFile(t *testing.T) []byte {
	t.Helper()
	dir := store.MemoryDir(t)
	s := open(t, dir, store.Options{})
	commit := func(records ...lease.Record) {
		if err := s.Commit(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
		if err := s.FoldNow(); err != nil { // older copies lie about in pages that were given up
			t.Fatal(err)
		}
	}
	for i := 0; i < stored; i += 10 {
		batch := make([]lease.Record, 0, 10)
		for j := i; j < i+10; j++ {
			r := record(j)
			r.Address = addr(j + 1000)
			batch = append(batch, r)
		}
		commit(batch...)
	}
	for i := 0; i < stored; i += 10 {
		batch := make([]lease.Record, 0, 10)
		for j := i; j < i+10; j++ {
			batch = append(batch, record(j), lease.Erased(addr(j+1000)))
		}
		commit(batch...)
	}
	for _, name := range []string{"site", "password", "gone"} {
		if err := s.SetValue(t.Context(), name, []byte("the "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetValue(t.Context(), "gone", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return readFile(t, dir, "leases.db")
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openDamaged opens a store over the bytes, with logs that can't help, and checks what must hold whatever they are: it opens, every record in it is
// one that was stored, damage is told and the bytes are set aside, and it can be written and opened again. It returns one
// lease of each client: what was saved of a damaged file may name its former address as well.
func openDamaged(t *testing.T, file []byte) (leases []lease.Record, faults []string) {
	t.Helper()
	dir := store.MemoryDir(t)
	if err := os.WriteFile(filepath.Join(dir, "leases.db"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.NewLogs(dir); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	leases, err = s.Leases(t.Context())
	incomplete := errors.Is(err, dhcp.ErrIncomplete)
	if err != nil && !incomplete {
		t.Fatal(err)
	}
	all := len(leases)
	keys := map[lease.Key]lease.Record{}
	for _, r := range leases {
		i := int(r.HWAddr[4])<<8 | int(r.HWAddr[5])
		if r.Key != record(i).Key || !r.Start.Equal(record(i).Start) || r.Address != addr(i) && r.Address != addr(i+1000) {
			t.Fatalf("a lease that was never stored: %+v", r)
		}
		if _, twice := keys[r.Key]; !twice || r.Address == addr(i) {
			keys[r.Key] = r
		}
	}
	faults = s.Faults()
	if all > len(keys) && len(faults) == 0 {
		t.Fatalf("%d leases of %d clients in a good file", all, len(keys))
	}
	leases = slices.Collect(maps.Values(keys))
	if len(leases) < stored && !incomplete {
		t.Fatalf("%d of %d leases, and none is said to be missing", len(leases), stored)
	}
	aside, asideErr := os.ReadFile(filepath.Join(dir, "leases.db.damaged-1"))
	if len(faults) > 0 && (asideErr != nil || string(aside) != string(file)) {
		t.Fatalf("the damaged file was not set aside: %v", asideErr)
	}
	if len(faults) == 0 && (len(leases) != stored || asideErr == nil) {
		t.Fatalf("%d of %d leases without a word", len(leases), stored)
	}
	if v, err := s.Value(t.Context(), "gone"); v != nil || err != nil {
		if len(faults) == 0 {
			t.Fatalf("a removed value came back: %q, %v", v, err)
		}
	}
	if err := s.Commit(t.Context(), record(5000)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, err = store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer s.Close()
	if again, err := s.Leases(t.Context()); errors.Is(err, dhcp.ErrIncomplete) != incomplete || len(again) != all+1 || len(s.Faults()) > 0 {
		t.Fatalf("opened again: %d leases of %d, %v, %q", len(again), all+1, err, s.Faults())
	}
	return leases, faults
}

func TestGoodFileIsTakenAsItIs(t *testing.T) {
	leases, faults := openDamaged(t, goodFile(t))
	if len(leases) != stored || len(faults) > 0 {
		t.Errorf("%d leases, faults %q", len(leases), faults)
	}
}

func TestTruncatedFile(t *testing.T) {
	file := goodFile(t)
	for size := 0; size < len(file); size += 1777 {
		openDamaged(t, file[:size:size])
	}
	// Cut to a third: what lies in the rest is saved.
	if leases, faults := openDamaged(t, file[:len(file)/3]); len(leases) == 0 || len(faults) == 0 {
		t.Errorf("%d leases saved, faults %q", len(leases), faults)
	}
}

func TestZeroedPageCostsOnlyWhatWasInIt(t *testing.T) {
	file := goodFile(t)
	page := os.Getpagesize()
	worst := stored
	for at := 0; at+page <= len(file); at += page {
		bad := append([]byte(nil), file...)
		clear(bad[at : at+page])
		leases, _ := openDamaged(t, bad)
		worst = min(worst, len(leases))
	}
	if worst < stored*4/5 {
		t.Errorf("one zeroed page cost %d of %d leases", stored-worst, stored)
	}
}

func TestFlippedBitsAndGarbage(t *testing.T) {
	file := goodFile(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		bad := append([]byte(nil), file...)
		for range 1 + random.IntN(20) {
			bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
		}
		openDamaged(t, bad)
	}
	for range 60 {
		bad := append([]byte(nil), file...)
		at, n := random.IntN(len(bad)), random.IntN(9000)
		for i := at; i < min(at+n, len(bad)); i++ {
			bad[i] = byte(random.Uint32())
		}
		openDamaged(t, bad)
	}
	garbage := make([]byte, 20000)
	for i := range garbage {
		garbage[i] = byte(random.Uint32())
	}
	if leases, faults := openDamaged(t, garbage); len(leases) != 0 || len(faults) != 1 {
		t.Errorf("garbage: %d leases, faults %q", len(leases), faults)
	}
}

func TestBothMetaPagesGone(t *testing.T) {
	file := goodFile(t)
	clear(file[:2*os.Getpagesize()])
	leases, faults := openDamaged(t, file)
	if len(leases) != stored || len(faults) != 1 || !strings.Contains(faults[0], " leases and 2 settings") {
		t.Errorf("%d leases saved, faults %q", len(leases), faults)
	}
}

func TestDamagedJournalIsBegunAnewAndCostsNoLease(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	ctx := t.Context()
	if err := s.Commit(ctx, record(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteJournal(ctx, map[string][]byte{"a": []byte("1")}, nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Truncate(filepath.Join(dir, "journal.db"), 5000); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, store.Options{})
	wantLeases(t, s, record(1))
	if f := s.Faults(); len(f) != 1 || !strings.Contains(f[0], "journal.db") {
		t.Errorf("faults: %q", f)
	}
	if err := s.WriteJournal(ctx, map[string][]byte{"b": []byte("2")}, nil); err != nil {
		t.Fatal(err)
	}
	if got := scan(t, s, ""); got != "b=2 " {
		t.Errorf("the new journal holds %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal.db.damaged-1")); err != nil {
		t.Error(err)
	}
}

func scan(t *testing.T, s *store.Store, prefix string) string {
	t.Helper()
	var out strings.Builder
	err := s.ScanJournal(t.Context(), prefix, func(k string, v []byte) bool {
		fmt.Fprintf(&out, "%s=%s ", k, v)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestJournalEntries(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	ctx := t.Context()
	if err := s.WriteJournal(ctx, map[string][]byte{"e2": []byte("b"), "e1": []byte("a"), "p1": {}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteJournal(ctx, map[string][]byte{"e3": []byte("c")}, []string{"e1", "absent"}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir, store.Options{})
	if got := scan(t, s, "e"); got != "e2=b e3=c " {
		t.Errorf("scan: %q", got)
	}
	var read []string
	if err := s.ReadJournal(ctx, []string{"e3", "e1", "e2"}, func(k string, v []byte) { read = append(read, k+string(v)) }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(read, " "); got != "e3c e2b" {
		t.Errorf("read: %q", got)
	}
}

// TestFileTruncatedWhileOpen shows the guard itself: the mapped pages are gone, and the process lives. The log goes on,
// and holds what is needed after a restart.
func TestFileTruncatedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	for i := range 200 {
		if err := s.Commit(t.Context(), record(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.FoldNow(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "leases.db"), 0); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Leases(t.Context()); err == nil {
		t.Errorf("a file that is gone gave %d leases", len(got))
	}
	if s.Failing() == nil {
		t.Error("Failing says nothing")
	}
	if err := s.SetValue(t.Context(), "x", []byte("y")); err == nil {
		t.Error("a value was stored in a file that is gone")
	}
	late := record(700)
	if err := s.Commit(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir, store.Options{})
	got, err := s.Leases(t.Context())
	if len(got) != 201 || !errors.Is(err, dhcp.ErrIncomplete) || len(s.Faults()) != 1 {
		t.Errorf("after a restart: %d leases of 201, %v, %q", len(got), err, s.Faults())
	}
}

// TestMain runs the child of a test when it is asked to.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("STORE_CHILD_DIR"); os.Getenv("STORE_CHILD") {
	case "storm":
		commitStorm(dir)
	case "full":
		os.Exit(fillDisk(dir))
	case "rotten":
		os.Exit(rottenAndReadOnly(dir))
	case "look":
		os.Exit(look(dir))
	case "broken":
		os.Exit(breakDisk(dir))
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "STORE_CHILD="+what, "STORE_CHILD_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// fillDisk mounts a tmpfs of 5 MiB in its own mount namespace and fills it. It returns the exit code; 3 = no mounting here.
func fillDisk(dir string) int {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=5m"); err != nil {
		fmt.Fprintln(os.Stderr, "mounting:", err)
		return 3
	}
	if err := fillAndFree(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func fillAndFree(dir string) error {
	ctx := context.Background()
	s, err := store.Open(dir, nil)
	if err != nil {
		return err
	}
	if err := s.Commit(ctx, record(1)); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	full := os.WriteFile(ballast, make([]byte, 5<<20), 0o600)
	if !errors.Is(full, unix.ENOSPC) {
		return fmt.Errorf("the disk took five megabytes more: %w", full)
	}
	var failed error
	good := 1
	for i := 2; i < 3000 && failed == nil; i++ {
		if failed = s.Commit(ctx, record(i)); failed == nil {
			good = i
		}
	}
	if !errors.Is(failed, unix.ENOSPC) || good < 1000 || s.Failing() == nil {
		return fmt.Errorf("3000 commits on a full disk ended after %d with %w; Failing says %w", good, failed, s.Failing())
	}
	leases, err := s.Leases(ctx)
	if err != nil || len(leases) < good {
		return fmt.Errorf("on a full disk: %d leases of %d: %w", len(leases), good, err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := s.Commit(ctx, record(3999)); err != nil || s.Failing() != nil {
		return fmt.Errorf("after space was made: %w, %w", err, s.Failing())
	}
	if err := s.Close(); err != nil {
		return err
	}
	return readOnly(dir, good+1)
}

// readOnly opens the same folder on a card that has become read-only: leases are read, new ones are refused.
func readOnly(dir string, atLeast int) error {
	ctx := context.Background()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	s, err := store.Open(dir, nil)
	if err != nil {
		return fmt.Errorf("read-only: %w", err)
	}
	defer s.Close()
	leases, err := s.Leases(ctx)
	if err != nil || len(leases) < atLeast {
		return fmt.Errorf("read-only: %d leases of %d: %w", len(leases), atLeast, err)
	}
	if err := s.Commit(ctx, record(4001)); err == nil {
		return errors.New("a commit on a read-only card succeeded")
	}
	if len(s.Faults()) == 0 || s.Failing() == nil {
		return errors.New("a read-only card is not told")
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, ""); err != nil {
		return err
	}
	if err := s.Commit(ctx, record(4001)); err != nil || s.Failing() != nil {
		return fmt.Errorf("the card can be written again: %w, %w", err, s.Failing())
	}
	if err := s.SetValue(ctx, "x", []byte("y")); err != nil {
		return fmt.Errorf("the card can be written again: %w", err)
	}
	if again, err := s.Leases(ctx); err != nil || len(again) != len(leases)+1 {
		return fmt.Errorf("the card can be written again: %d leases of %d: %w", len(again), len(leases)+1, err)
	}
	return nil
}

func TestFullAndReadOnlyDisk(t *testing.T) { inMounts(t, "full") }

// inMounts runs a child of the test with mounts of its own.
func inMounts(t *testing.T, what string) {
	t.Helper()
	cmd := child(t, what, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	} else {
		cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS // makes the mounts private
		cmd.SysProcAttr.Cloneflags = 0
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 3) {
		testkit.Lacking(t, "a mount namespace", err.Error())
	}
	if err != nil {
		t.Error(err)
	}
}
