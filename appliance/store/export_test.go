package store

import (
	"net/netip"
	"path/filepath"
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
		if err := makeLog(filepath.Join(dir, logName(n)), n, Options{}); err != nil {
			return err
		}
	}
	return nil
}
