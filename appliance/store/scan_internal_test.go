package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"phonebox/services/dhcp/lease"
)

// filledLog returns the bytes of log 0 with a group of each of the sizes, in leases.
func filledLog(tb testing.TB, groups ...int) []byte {
	tb.Helper()
	file := emptyLog(0)
	page, n := 0, 0
	for g, count := range groups {
		records := make([]lease.Record, count)
		for i := range records {
			records[i] = matrixLease(n)
			n++
		}
		r, err := newRequest(records)
		if err != nil {
			tb.Fatal(err)
		}
		size := 0
		for i := range r.records {
			sealInPlace(r.records[i].key, uint64(n+i), r.records[i].value)
			size += len(r.records[i].raw)
		}
		b := pack(nil, 0, page, sector{epoch: 1, group: uint32(g + 1), prev: uint32(g)}, r.records, size)
		copy(file[page*logPage:], b)
		page += pages(size)
	}
	return file
}

func TestScanReadsWhatPackWrote(t *testing.T) {
	for _, groups := range [][]int{{}, {1}, {1, 1, 1}, {3, 4, 5}, {31, 32, 33}, {200, 1, 200}} {
		sum := 0
		for _, n := range groups {
			sum += n
		}
		got := scanLog(filledLog(t, groups...), 0)
		if len(got.records) != sum || got.damage != "" || got.hurt {
			t.Errorf("groups %v: %d records of %d, damage %q", groups, len(got.records), sum, got.damage)
		}
		for i, l := range got.records {
			if want := matrixLease(i).Address; l.addr != want || !bytes.Equal(l.key, leaseKey(want)) || l.forgotten {
				t.Fatalf("groups %v: record %d is that of %s", groups, i, l.addr)
			}
		}
	}
	if other := scanLog(filledLog(t, 5), 1); len(other.records) > 0 || other.damage == "" {
		t.Errorf("a log under the name of the other one: %d records, damage %q", len(other.records), other.damage)
	}
}

// A removal that is read back from the log at the start removes as well: leases.db does not fill with what is gone.
func TestRemovalReadFromTheLogLeavesNothing(t *testing.T) {
	dir, rec := t.TempDir(), matrixLease(1)
	for i, change := range []lease.Record{rec, lease.Erased(rec.Address)} {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.fold(); err != nil { // what the log held at the start
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(dir, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.fold(); err != nil {
			t.Fatal(err)
		}
		err = s.leases.View(func(tx *bbolt.Tx) error {
			if there := tx.Bucket([]byte(bucketName)).Get(leaseKey(rec.Address)) != nil; there != (i == 0) {
				t.Errorf("after change %d there is a record in leases.db: %v", i, there)
			}
			return nil
		})
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecordLargerThanASector: a client may send names of 255 bytes, and longer ones in parts.
func TestRecordLargerThanASector(t *testing.T) {
	r := matrixLease(1)
	r.Hostname, r.ClientID = string(bytes.Repeat([]byte{'h'}, 1500)), bytes.Repeat([]byte{7}, 255)
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Commit(t.Context(), matrixLease(0), r, matrixLease(2)); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(s.dir, logName(0)))
	if err != nil {
		t.Fatal(err)
	}
	if got := scanLog(file, 0); len(got.records) != 3 || got.records[1].addr != r.Address {
		t.Errorf("%d records of 3", len(got.records))
	}
	r.Hostname = string(make([]byte, maxLease))
	if err := s.Commit(t.Context(), r); err == nil {
		t.Error("a name of 16 KB was stored")
	}
}

// TestUpgradeKeepsLeases opens a leases.db as the first version of phonebox wrote it: JSON, and no logs beside it.
func TestUpgradeKeepsLeases(t *testing.T) {
	dir := t.TempDir()
	db, err := bbolt.Open(filepath.Join(dir, leasesFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(bucketName))
		if err != nil {
			return err
		}
		for i := range 300 {
			r := matrixLease(i)
			content, err := json.Marshal(jsonLease{Record: r, Key: []byte(r.Key), Hostname: []byte(r.Hostname), VendorClass: []byte(r.VendorClass)})
			if err != nil {
				return err
			}
			if err := b.Put(leaseKey(r.Address), seal(leaseKey(r.Address), uint64(i+1), content)); err != nil {
				return err
			}
		}
		return b.Put(valueKey("site"), seal(valueKey("site"), 400, encodeValue([]byte("x"))))
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	moved := matrixLease(7)
	moved.Address = matrixLease(400).Address
	for range 2 {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), moved, lease.Erased(matrixLease(7).Address)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Leases(t.Context())
		v, verr := s.Value(t.Context(), "site")
		if err != nil || len(got) != 300 || got[299].Address != moved.Address || len(s.Faults()) > 0 || string(v) != "x" || verr != nil {
			t.Errorf("%d leases of 300, %v, faults %q, value %q, %v", len(got), err, s.Faults(), v, verr)
		}
		if err := s.FoldNow(); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

// FuzzScan patches a log anywhere, with sectors whose checksums are right as well: scanning neither panics nor gives a
// record that is not sealed, and undamaged sectors before the patch are read.
func FuzzScan(f *testing.F) {
	base := filledLog(f, 3, 40, 1, 7)
	f.Add(uint32(5000), uint32(logSize), true, []byte{1, 2, 3})
	f.Add(uint32(0), uint32(9000), false, []byte{0, 0, 0, 0, 2, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, at, size uint32, mend bool, patch []byte) {
		file := bytes.Clone(base[:min(int(size), len(base))])
		if int(at) < len(file) {
			copy(file[at:], patch)
		}
		for i := int(at) / sectorSize; mend && i <= (int(at)+len(patch))/sectorSize && (i+1)*sectorSize <= len(file); i++ {
			b := file[i*sectorSize:][:sectorSize]
			binary.LittleEndian.PutUint32(b, sectorSum(b, 0, i))
		}
		got := scanLog(file, 0)
		for _, l := range got.records {
			if _, _, err := unseal(l.key, l.value); err != nil {
				t.Fatalf("a record that is not sealed: %x", l.raw)
			}
		}
		if int(at) >= 2*logPage && int(size) >= 2*logPage && len(got.records) < 3 {
			t.Fatalf("%d records, the first group alone has 3", len(got.records))
		}
		_ = missing([2]scan{got, {}}, uint32(len(patch)))
		_ = fmt.Sprint(got.damage)
	})
}
