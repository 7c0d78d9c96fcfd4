package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// seeds returns bbolt files of several shapes: empty, with an inline bucket, with branch pages, with overflow pages.
func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	var out [][]byte
	for _, shape := range []struct{ entries, size int }{{0, 0}, {3, 10}, {200, 100}, {3, 20000}} {
		path := filepath.Join(tb.TempDir(), "seed.db")
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: 4096})
		if err != nil {
			tb.Fatal(err)
		}
		for i := range shape.entries {
			err := db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
				if err != nil {
					return err
				}
				key := valueKey(string(rune('a'+i%26)) + string(rune('a'+i/26)))
				return b.Put(key, seal(key, uint64(i), bytes.Repeat([]byte{1}, shape.size)))
			})
			if err != nil {
				tb.Fatal(err)
			}
		}
		db.Close()
		file, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, file)
	}
	return out
}

func TestWalkTakesWhatBboltWrites(t *testing.T) {
	for i, file := range seeds(t) {
		if err := checkFile(bytes.NewReader(file), int64(len(file))); err != nil {
			t.Errorf("seed %d: %v", i, err)
		}
	}
}

// FuzzCheck: what the walk takes, bbolt opens, checks and reads without a panic, a fault or a complaint.
func FuzzCheck(f *testing.F) {
	files := seeds(f)
	for i := range files {
		f.Add(uint8(i), uint32(20000), uint32(0), []byte{})
		f.Add(uint8(i), uint32(20000), uint32(8200), []byte{2, 0, 1})
	}
	f.Fuzz(func(t *testing.T, which uint8, size, at uint32, patch []byte) {
		file := bytes.Clone(files[int(which)%len(files)])
		file = file[:min(int(size), len(file))]
		if int(at) < len(file) {
			copy(file[at:], patch)
		}
		if checkFile(bytes.NewReader(file), int64(len(file))) != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "fuzz.db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatalf("bbolt refuses what the walk took: %v", err)
		}
		defer db.Close()
		err = db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				t.Errorf("bbolt complains about what the walk took: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// FuzzSalvage: whatever the bytes are, all that is saved carries its checksum, in the order of the sequence numbers.
func FuzzSalvage(f *testing.F) {
	for _, file := range seeds(f) {
		f.Add(file[:min(len(file), 20000)])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var last uint64
		for _, s := range salvage(file) {
			if s.seq < last || !bytes.Contains(file, seal(s.key, s.seq, s.content)) {
				t.Fatalf("saved a record that is not there: %q", s.key)
			}
			last = s.seq
		}
	})
}

func TestSaveGoesOnBehindDamagedEntries(t *testing.T) {
	file := seeds(t)[2]
	whole := len(salvage(file))
	clear(file[:3*4096])
	if got := len(salvage(file)); got == 0 || got >= whole {
		t.Errorf("saved %d of %d", got, whole)
	}
}
