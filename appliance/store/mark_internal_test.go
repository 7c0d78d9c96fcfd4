package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
)

// Damage that costs nothing, here of the list of free pages, does not make the store forget the damage before, which may
// have cost leases.
func TestHarmlessDamageDoesNotEndTheDamageBefore(t *testing.T) {
	dir := MemoryDir(t)
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), matrixLease(1)); err != nil {
		t.Fatal(err)
	}
	s.setMark(time.Hour)
	s.saveMark()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, leasesFile)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := readMeta(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	clear(file[m.freelist*uint64(m.pageSize):][:m.pageSize])
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at once", "after another start"} {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		leases, err := s.Leases(t.Context())
		if !errors.Is(err, dhcp.ErrIncomplete) || len(leases) != 1 {
			t.Errorf("%s: got %d leases and %v", when, len(leases), err)
		}
		if faults := s.Faults(); when == "at once" && len(faults) != 1 {
			t.Errorf("got the faults %q", faults)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// When a log is damaged, the longest lease that is known may be one in leases.db.
func TestDamageOfALogIsRememberedForTheLongestLease(t *testing.T) {
	dir := MemoryDir(t)
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	const week = 7 * 24 * time.Hour
	long := matrixLease(1)
	long.Duration, long.End = week, long.Start.Add(week)
	back := matrixLease(3) // given back when the clock had been set
	back.State, back.Start, back.End = lease.Released, time.Unix(0, 0), time.Unix(1e9, 0)
	if err := s.Commit(t.Context(), long, back); err != nil {
		t.Fatal(err)
	}
	if err := s.FoldNow(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), matrixLease(2)); err != nil {
		t.Fatal(err)
	}
	name := logName(s.logs.cur)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, sectorSize), 0); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if s, err = Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var x *IncompleteError
	if _, err = s.Leases(t.Context()); !errors.As(err, &x) || x.Need != week {
		t.Errorf("got %+v, want %s to be waited for", x, week)
	}
}
