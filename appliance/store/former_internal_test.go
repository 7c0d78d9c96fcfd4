package store

import (
	"compress/gzip"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"phonebox/services/dhcp/lease"
)

// byKey lays out the files of a store that was written when a record also replaced the one of its key: the leases of
// clients 0 to 19 at addresses of the same numbers, then
//
//	in leases.db:     client 3 moved to 103, and what it had is gone
//	in the log alone: client 4 moved to 104, 5 took the address of 6, 7 gave its own back, 20 came and moved to 120
//
// Of the logs only the beginning is kept; the rest of them is as it was made.
func byKey(t *testing.T) (dir string) {
	t.Helper()
	dir = MemoryDir(t)
	for name, b := range map[string][]byte{leasesFile: nil, logName(0): emptyLog(0), logName(1): emptyLog(1)} {
		f, err := os.Open(filepath.Join("testdata", "by-key", name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		begin, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		b = append(begin, b[min(len(begin), len(b)):]...)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestStoreOfBeforeIsRead: nothing is damage, each address has the record that was written for it last, and what a move
// in the log alone had removed is kept for its client until its end.
func TestStoreOfBeforeIsRead(t *testing.T) {
	dir := byKey(t)
	want := map[byte]byte{4: 4, 104: 4, 5: 5, 6: 5, 7: 7, 20: 20, 103: 3, 120: 20} // address: client
	for i := range byte(20) {
		if _, other := want[i]; !other && i != 3 {
			want[i] = i
		}
	}
	for _, when := range []string{"at once", "after another start"} {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		leases, err := s.Leases(t.Context())
		if err != nil || len(s.Faults()) > 0 {
			t.Errorf("%s: %v, %q", when, err, s.Faults())
		}
		got := map[byte]byte{}
		for _, r := range leases {
			got[r.Address.As4()[3]] = r.HWAddr[5]
			if released := r.State == lease.Released; released != (r.Address.As4()[3] == 7) {
				t.Errorf("%s: the lease of %s is %s", when, r.Address, r.State)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: found the clients %v, want %v", when, got, want)
		}
		if v, err := s.Value(t.Context(), "site"); string(v) != "the site" || err != nil {
			t.Errorf("%s: the value is %q, %v", when, v, err)
		}
		if err := s.FoldNow(); err != nil {
			t.Fatal(err)
		}
		if when == "at once" {
			gone := netip.AddrFrom4([4]byte{10, 77, 0, 4})
			if err := s.Commit(t.Context(), lease.Erased(gone)); err != nil {
				t.Fatal(err)
			}
			delete(want, 4)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRemovedRecordStaysRemovedThroughDamage: a removal in the log takes away what leases.db has, also where leases.db has
// to be saved.
func TestRemovedRecordStaysRemovedThroughDamage(t *testing.T) {
	dir := MemoryDir(t)
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), matrixLease(1), matrixLease(2)); err != nil {
		t.Fatal(err)
	}
	if err := s.FoldNow(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), lease.Erased(matrixLease(1).Address), matrixLease(3)); err != nil {
		t.Fatal(err)
	}
	if err := s.FoldNow(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), lease.Erased(matrixLease(2).Address)); err != nil {
		t.Fatal(err)
	}
	if err := s.leases.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucketName))
		if b.Get(leaseKey(matrixLease(1).Address)) != nil || b.Get(leaseKey(matrixLease(2).Address)) == nil {
			t.Error("leases.db has what was removed before it was folded, or lost what was removed after")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, leasesFile), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 8192), 0); err != nil { // both meta pages
		t.Fatal(err)
	}
	f.Close()
	if s, err = Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	leases, _ := s.Leases(t.Context())
	if !slices.EqualFunc(leases, []lease.Record{matrixLease(3)}, func(a, b lease.Record) bool { return a.Address == b.Address }) || len(s.Faults()) != 1 {
		t.Errorf("found %+v, told is %q", leases, s.Faults())
	}
}
