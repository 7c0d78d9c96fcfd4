package store

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// FoldNow brings leases.db up to date, as a full log does; nobody may commit meanwhile.
func (s *Store) FoldNow() error {
	s.over.mu.Lock()
	if s.over.folding == nil && len(s.over.active) > 0 {
		s.over.folding, s.over.upTo = s.over.active, s.logs.epoch
		s.over.active = map[netip.Addr][]byte{}
		s.logs.page = logSize / logPage
	}
	s.over.mu.Unlock()
	return s.fold()
}

// NewLogs replaces the logs of a folder by empty ones.
func NewLogs(dir string) error {
	for n := range 2 {
		if err := os.WriteFile(filepath.Join(dir, logName(n)), emptyLog(n), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// MemoryDir returns a folder in memory, where there is one: a damaged file is the same there, and syncs cost nothing.
func MemoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "phonebox-store-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
