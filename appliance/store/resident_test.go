package store_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phonebox/appliance/store"
)

// TestJournalPagesAreLetGo fills journal.db, reads it through, takes half of it out and lets it be rewritten. What is mapped of it
// may be a few pages at the end of each, and the mapping stays the same: bbolt would copy a whole transaction for a new one.
func TestJournalPagesAreLetGo(t *testing.T) {
	const parts, each, limit = 40, 1000, 2 << 20
	dir := store.MemoryDir(t)
	s := open(t, dir, store.Options{})
	key := func(i int) string { return fmt.Sprintf("e%08d", i) }
	rest := func(when string) int {
		t.Helper()
		size, resident := mapped(t, filepath.Join(dir, "journal.db"))
		if resident > limit {
			t.Errorf("%s: %d kB of journal.db are in memory, wanted at most %d", when, resident>>10, limit>>10)
		}
		return size
	}
	began := rest("at first")
	for part := range parts {
		put := map[string][]byte{}
		for i := range each {
			put[key(part*each+i)] = make([]byte, 300)
		}
		if err := s.WriteJournal(t.Context(), put, nil); err != nil {
			t.Fatal(err)
		}
		rest("after a write")
	}
	scanned := 0
	err := s.ScanJournal(t.Context(), "e", func(string, []byte) bool {
		if scanned++; scanned%each == 0 {
			// A page that was read brings its neighbours: sixteen to each of those that are read before they are let go.
			if _, resident := mapped(t, filepath.Join(dir, "journal.db")); resident > 2*limit {
				t.Errorf("%d kB of journal.db are in memory while it is read", resident>>10)
			}
		}
		return true
	})
	if err != nil || scanned != parts*each {
		t.Fatalf("read %d entries, %v; want %d", scanned, err, parts*each)
	}
	if size := rest("after all was read"); size != began {
		t.Errorf("%d bytes are mapped, want the %d of the start", size, began)
	}
	for part := range parts {
		var remove []string
		for i := range each {
			if i%4 != 0 {
				remove = append(remove, key(part*each+i))
			}
		}
		if err := s.WriteJournal(t.Context(), nil, remove); err != nil {
			t.Fatal(err)
		}
		rest("after a removal")
	}
}

// mapped returns how much of the process's addresses a file has, and how much of it is in memory.
func mapped(t *testing.T, path string) (size, resident int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	of := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		var kb int
		switch {
		case strings.HasSuffix(line, " "+path):
			of = true
		case of && scanKB(line, "Size:", &kb):
			size += kb << 10
		case of && scanKB(line, "Rss:", &kb):
			resident, of = resident+kb<<10, false
		}
	}
	if size == 0 {
		t.Fatalf("%s is not mapped", path)
	}
	return size, resident
}

func scanKB(line, name string, kb *int) bool {
	rest, ok := strings.CutPrefix(line, name)
	if ok {
		_, _ = fmt.Sscanf(rest, "%d", kb)
	}
	return ok
}
