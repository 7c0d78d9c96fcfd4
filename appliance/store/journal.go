package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"
)

// ErrNoJournal says that journal.db could not be opened, or raised a fault since.
var ErrNoJournal = errors.New("journal.db cannot be used")

// WriteJournal puts and removes entries of journal.db in one transaction; they are on disk when it returns nil. It does
// not go through the committer: leases never wait for the journal, except for the card itself.
func (s *Store) WriteJournal(ctx context.Context, put map[string][]byte, remove []string) error {
	err := s.useJournal(ctx, func() error {
		defer letGoAll(s.journal)
		return s.journal.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
			if err != nil {
				return err
			}
			b.FillPercent = 0.9 // keys mostly grow
			for _, k := range remove {
				if err := b.Delete([]byte(k)); err != nil {
					return err
				}
			}
			for _, k := range slices.Sorted(maps.Keys(put)) {
				if err := b.Put([]byte(k), seal([]byte(k), 0, put[k])); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("writing journal.db: %w", err)
	}
	s.compactJournal()
	return nil
}

// ScanJournal calls visit for every entry whose key begins with prefix, in the order of the keys, until visit returns
// false. Entries that are damaged are left out. The value is valid during the call only, and visit must not call the store.
func (s *Store) ScanJournal(ctx context.Context, prefix string, visit func(key string, value []byte) bool) error {
	return s.viewJournal(ctx, func(b *bbolt.Bucket) {
		c, pages := b.Cursor(), letter{tx: b.Tx()}
		for k, v := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
			pages.saw(k, v)
			if _, content, err := unseal(k, v); err == nil && !visit(string(k), content) {
				return
			}
		}
	})
}

// ReadJournal calls visit for each of the keys that has an entry, in the order given, under the rules of ScanJournal.
func (s *Store) ReadJournal(ctx context.Context, keys []string, visit func(key string, value []byte)) error {
	return s.viewJournal(ctx, func(b *bbolt.Bucket) {
		for _, k := range keys {
			if _, content, err := unseal([]byte(k), b.Get([]byte(k))); err == nil {
				visit(k, content)
			}
		}
	})
}

func (s *Store) viewJournal(ctx context.Context, read func(*bbolt.Bucket)) error {
	err := s.useJournal(ctx, func() error {
		return s.journal.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket([]byte(bucketName)); b != nil {
				read(b)
				letGo(tx)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("reading journal.db: %w", err)
	}
	return nil
}

// useJournal guards one use of journal.db. After a fault it is not used again until a restart begins it anew.
func (s *Store) useJournal(ctx context.Context, use func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.journalMu.RLock()
	defer s.journalMu.RUnlock()
	s.mu.Lock()
	lost := s.lost
	s.mu.Unlock()
	if lost != nil {
		return fmt.Errorf("%w: %w", ErrNoJournal, lost)
	}
	err := guarded(use)
	if errors.Is(err, errFault) {
		s.mu.Lock()
		s.lost = err
		s.mu.Unlock()
		s.log.Error("journal damaged while in use", "err", err)
	}
	return err
}
