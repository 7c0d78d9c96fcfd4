package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// compactAbove is the size from which on journal.db is worth rewriting.
	compactAbove = 4 << 20
	// compactPause is how long the store waits with the next try after one that failed.
	compactPause = time.Hour
)

// compactJournal rewrites journal.db when more than half of it is free. bbolt uses free pages again and never gives
// them back; without this the file would stay as large as the journal ever was, and transactions would list what is free.
func (s *Store) compactJournal() {
	s.journalMu.Lock()
	defer s.journalMu.Unlock()
	if s.journal == nil || time.Now().Before(s.nextCompact) || !mostlyFree(s.journal) {
		return
	}
	began := time.Now()
	path := filepath.Join(s.dir, journalFile)
	before, _ := os.Stat(path)
	if err := s.rewriteJournal(path); err != nil {
		s.nextCompact = time.Now().Add(compactPause)
		s.log.Warn("journal not rewritten", "err", err)
		return
	}
	if after, err := os.Stat(path); err == nil && before != nil {
		s.log.Info("journal rewritten", "before", before.Size(), "after", after.Size(), "took", time.Since(began))
	}
}

func mostlyFree(db *bbolt.DB) bool {
	var size int64
	err := db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	})
	st := db.Stats()
	free := int64(st.FreePageN+st.PendingPageN) * int64(db.Info().PageSize)
	return err == nil && size > compactAbove && free > size/2
}

// rewriteJournal copies the journal into a new file and takes that. The name has a whole file at every moment.
func (s *Store) rewriteJournal(path string) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("rewriting the journal: %w", err)
	}
	err := guarded(func() error { return copyBolt(fresh, s.journal, s.opts) })
	if err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("rewriting the journal: %w", err)
	}
	if err := s.journal.Close(); err != nil {
		return fmt.Errorf("rewriting the journal: %w", err)
	}
	if err = os.Rename(fresh, path); err == nil {
		err = syncDir(s.dir)
	}
	db, openErr := openJournalBolt(path, s.opts)
	if openErr != nil {
		s.mu.Lock()
		s.lost = openErr
		s.mu.Unlock()
		s.journal = nil
	} else {
		s.journal = db
	}
	if err := errors.Join(err, openErr); err != nil {
		return fmt.Errorf("rewriting the journal: %w", err)
	}
	return nil
}

// copyPart is how much of the journal is copied in one transaction.
const copyPart = 256 << 10

// copyBolt writes the entries of from into a new file, and syncs it once.
func copyBolt(path string, from *bbolt.DB, o Options) error {
	to, err := openJournalBolt(path, o)
	if err != nil {
		return err
	}
	to.NoSync = true
	err = from.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketName)).Cursor()
		for k, v := c.First(); k != nil && err == nil; {
			k, v, err = copyEntries(to, c, k, v)
			letGo(tx)
		}
		return err
	})
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

// copyEntries copies the next entries, from k on, in one transaction, and returns the one behind them.
func copyEntries(to *bbolt.DB, c *bbolt.Cursor, k, v []byte) (nextKey, nextValue []byte, err error) {
	err = to.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
		if err != nil {
			return err
		}
		b.FillPercent = 1
		for size := 0; k != nil && size < copyPart; k, v = c.Next() {
			if err := b.Put(k, v); err != nil {
				return err
			}
			size += len(k) + len(v)
		}
		return nil
	})
	letGoAll(to)
	return k, v, err
}
