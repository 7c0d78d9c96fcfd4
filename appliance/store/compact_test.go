package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"phonebox/appliance/store"
)

// TestJournalFileShrinksAgain fills the journal as far as a thousand phones do, then forgets most of it. The file
// follows, what stays is there, and a reader on the way sees nothing of it.
func TestJournalFileShrinksAgain(t *testing.T) {
	dir := store.MemoryDir(t)
	s := open(t, dir, store.Options{})
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "journal.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	const entries = 40000
	put := map[string][]byte{}
	var remove []string
	for i := range entries {
		k := fmt.Sprintf("e%08d", i)
		put[k] = make([]byte, 300)
		if i%100 != 0 {
			remove = append(remove, k)
		}
	}
	if err := s.WriteJournal(t.Context(), put, nil); err != nil {
		t.Fatal(err)
	}
	full := size()
	if err := s.WriteJournal(t.Context(), nil, remove); err != nil {
		t.Fatal(err)
	}
	for range 3 { // what a transaction frees is free in the next one
		if err := s.WriteJournal(t.Context(), map[string][]byte{"last": []byte("x")}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if now := size(); full < 10<<20 || now > 1<<20 {
		t.Errorf("the file had %d bytes and has %d", full, now)
	}
	count := func(s *store.Store) (n int) {
		err := s.ScanJournal(t.Context(), "e", func(string, []byte) bool {
			n++
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(s); n != entries/100 {
		t.Errorf("%d entries are left, want %d", n, entries/100)
	}
	s.Close()
	s = open(t, dir, store.Options{})
	if n := count(s); n != entries/100 || len(s.Faults()) > 0 {
		t.Errorf("after a restart: %d entries, faults %q", n, s.Faults())
	}
}
