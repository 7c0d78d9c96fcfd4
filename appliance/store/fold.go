package store

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// foldRetry is the pause between two tries to write leases.db.
const foldRetry = 10 * time.Second

// foldedName is the value that holds the last epoch of the logs that leases.db has.
const foldedName = ownPrefix + "folded"

// ownPrefix begins the names of the values that the store keeps for itself.
const ownPrefix = "store."

// folder writes what waits into leases.db, in the background, until the store is closed.
func (s *Store) folder() {
	defer close(s.folderDone)
	t := time.NewTicker(foldRetry)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.foldWake:
		case <-t.C:
		}
		s.tellSalvage(false)
		_ = s.fold() // told by Faults; the committer tries itself when it needs the room
	}
}

// fold writes the epochs that are no longer written into leases.db in one transaction. The logs may be overwritten then.
func (s *Store) fold() error {
	s.foldMu.Lock()
	defer s.foldMu.Unlock()
	s.over.mu.RLock()
	folding, upTo := s.over.folding, s.over.upTo
	s.over.mu.RUnlock()
	if folding == nil {
		return nil
	}
	began := time.Now()
	err := s.useLeases(func() error {
		return s.leases.Update(func(tx *bbolt.Tx) error {
			if err := s.putLeases(tx, folding); err != nil {
				return err
			}
			if err := s.putFolded(tx, upTo); err != nil {
				return err
			}
			s.boltDelay()
			return nil
		})
	})
	s.over.mu.Lock()
	defer s.over.mu.Unlock()
	if s.over.err = err; err != nil {
		s.log.Warn("leases.db not brought up to date", "err", err)
		return fmt.Errorf("writing leases.db: %w", err)
	}
	s.over.folding, s.over.folded = nil, upTo
	s.metrics.folded(len(folding), time.Since(began))
	return nil
}

// putLeases writes leases in the order of their keys: neighbours share a page, which is then written once.
func (s *Store) putLeases(tx *bbolt.Tx, leases map[netip.Addr][]byte) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
	if err != nil {
		return err
	}
	b.FillPercent = 0.8 // addresses are given in their order
	addrs := make([]netip.Addr, 0, len(leases))
	for a := range leases {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	for _, a := range addrs {
		if v := leases[a]; v == nil {
			err = b.Delete(leaseKey(a))
		} else {
			err = b.Put(leaseKey(a), v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) putFolded(tx *bbolt.Tx, epoch uint32) error {
	key := valueKey(foldedName)
	content := encodeValue(binary.BigEndian.AppendUint32(nil, epoch))
	return tx.Bucket([]byte(bucketName)).Put(key, seal(key, s.seq.Add(1), content))
}

func readFolded(b *bbolt.Bucket) uint32 {
	key := valueKey(foldedName)
	if _, content, err := unseal(key, b.Get(key)); err == nil {
		if v := decodeValue(content); len(v) == 4 {
			return binary.BigEndian.Uint32(v)
		}
	}
	return 0
}

// boltDelay makes a transaction of bbolt, which syncs twice, as slow as the test wants it.
func (s *Store) boltDelay() { time.Sleep(2 * s.opts.SyncDelay) }

// turnLog makes room: it goes on in the other log, once what that one holds is in leases.db.
func (s *Store) turnLog() error {
	s.over.mu.RLock()
	pending := s.over.folding != nil
	other := s.logs.epochs[1-s.logs.cur] > s.over.folded
	none := len(s.over.active) == 0
	s.over.mu.RUnlock()
	if other || pending && !none {
		if err := s.fold(); err != nil {
			return err
		}
	}
	if !none {
		s.over.mu.Lock()
		s.over.folding, s.over.upTo = s.over.active, s.logs.epoch
		s.over.active = map[netip.Addr][]byte{}
		s.over.mu.Unlock()
	}
	s.logs.turn()
	select {
	case s.foldWake <- struct{}{}:
	default:
	}
	return nil
}
