package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"phonebox/services/dhcp/lease"
)

// openLeases checks leases.db whole and opens it, or saves what it holds into a new one; then it takes over what the
// logs hold beyond it.
func (s *Store) openLeases() error {
	scans, err := s.scanLogs()
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, leasesFile)
	exists, err := checkPath(path)
	if err == nil && !exists && s.wasHere(scans) {
		err = fmt.Errorf("%w: %w", errFault, errGone)
	}
	if err == nil {
		if exists {
			s.leases, err = s.openWritable(path)
		} else {
			s.leases, err = newFile(path, s.opts)
		}
	}
	if err == nil {
		if err = s.readAll(s.leases); err == nil {
			s.replay(scans)
			return s.openLogs(scans)
		}
		s.leases.Close()
	}
	if !errors.Is(err, errFault) {
		return err
	}
	if err := s.replaceDamaged(path, err, scans); err != nil {
		return err
	}
	return s.openLogs(scans)
}

var errGone = errors.New("it is gone, what lies beside it is not")

// wasHere reports whether a leases.db that is not there must have been: it is made before the journal.
func (s *Store) wasHere(scans [2]scan) bool {
	_, err := os.Lstat(filepath.Join(s.dir, journalFile))
	return err == nil || max(scans[0].epoch, scans[1].epoch) > 0
}

// scanLogs reads both logs.
func (s *Store) scanLogs() (scans [2]scan, err error) {
	for n := range scans {
		file, err := readLog(filepath.Join(s.dir, logName(n)))
		if errors.Is(err, os.ErrPermission) {
			file, err = []byte{}, nil
		}
		if err != nil {
			return scans, err
		}
		if file != nil {
			scans[n] = scanLog(file, n)
		}
		for _, r := range scans[n].records {
			s.seq.Store(max(s.seq.Load(), r.seq))
		}
		s.logs.epochs[n] = scans[n].epoch
	}
	return scans, nil
}

// openWritable opens leases.db, at least for reading: phones keep the leases that are on disk even when the card has
// become read-only.
func (s *Store) openWritable(path string) (*bbolt.DB, error) {
	db, err := openBolt(path, false, s.opts)
	if !errors.Is(err, unix.EROFS) && !errors.Is(err, os.ErrPermission) {
		return db, err
	}
	db, readErr := openBolt(path, true, s.opts)
	if readErr != nil {
		return nil, err
	}
	s.fault(fmt.Sprintf("leases.db could be read but not written at the start (%s). Leases that are given meanwhile are not kept.", plain(err)))
	s.failing, s.readOnly = err, true
	return db, nil
}

// reopen opens for writing what could not be opened at the start; the committer calls it before each group.
func (s *Store) reopen() error {
	if s.readOnly {
		if err := s.reopenLeases(); err != nil {
			return err
		}
	}
	for n := range s.logs.files {
		if s.logs.files[n] == nil {
			if err := s.openLog(n, s.unopened[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) reopenLeases() error {
	if s.rescued != nil {
		return s.replaceAgain()
	}
	path := filepath.Join(s.dir, leasesFile)
	f, err := os.OpenFile(path, os.O_RDWR, 0) // bbolt would wait for its own lock
	if err != nil {
		return fmt.Errorf("opening leases.db: %w", err)
	}
	f.Close()
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	if err := s.leases.Close(); err != nil {
		return fmt.Errorf("closing leases.db: %w", err)
	}
	db, err := openBolt(path, false, s.opts)
	if err == nil {
		s.leases, s.readOnly = db, false
		return nil
	}
	if s.leases, _ = openBolt(path, true, s.opts); s.leases == nil {
		s.mu.Lock()
		s.broken = err
		s.mu.Unlock()
	}
	return err
}

// readAll runs bbolt's own check and reads every record.
func (s *Store) readAll(db *bbolt.DB) error {
	err := guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			var faults []error
			for err := range tx.Check() {
				faults = append(faults, err)
			}
			if len(faults) > 0 {
				return fmt.Errorf("%w: %w", errFault, faults[0])
			}
			if err := s.readRecords(tx); err != nil {
				return fmt.Errorf("%w: %w", errFault, err)
			}
			return nil
		})
	})
	if err == nil {
		s.readMark()
	}
	return err
}

// readRecords reads every record of leases.db; a record that can't be read is an error.
func (s *Store) readRecords(tx *bbolt.Tx) error {
	b := tx.Bucket([]byte(bucketName))
	if b == nil {
		return errors.New("the bucket is gone")
	}
	s.over.folded = readFolded(b)
	return b.ForEach(func(k, v []byte) error {
		if len(k) == 0 || v == nil || k[0] != leasePrefix && k[0] != valuePrefix {
			return fmt.Errorf("found an unknown record %q", k)
		}
		seq, content, err := unseal(k, v)
		if err != nil {
			return fmt.Errorf("record %q: %w", k, err)
		}
		s.seq.Store(max(s.seq.Load(), seq))
		if k[0] == leasePrefix {
			r, err := decodeLease(k, content)
			if err != nil {
				return err
			}
			s.longest = max(s.longest, duration(&r))
		}
		return nil
	})
}

// replay takes over what the logs hold and leases.db doesn't.
func (s *Store) replay(scans [2]scan) {
	var records []logged
	for _, l := range scans {
		for _, r := range l.records {
			if r.epoch > s.over.folded {
				records = append(records, r)
			}
		}
	}
	if len(records) > 0 {
		sortLogged(records)
		s.over.folding = map[netip.Addr][]byte{}
		apply(s.over.folding, records)
		s.over.upTo = max(scans[0].epoch, scans[1].epoch)
	}
	if why := missing(scans, s.over.folded); why != "" {
		for _, r := range records {
			_, content, _ := unseal(r.key, r.value)
			known, _ := decodeLease(r.key, content)
			s.longest = max(s.longest, duration(&known))
		}
		s.setMark(s.longest)
		s.saveMark()
		s.fault(fmt.Sprintf("Leases may be missing: %s. Every address is looked for on the wire before it is given, until they have run out.", why))
	}
}

// duration returns the most that the client of a record was told at a time. Start and End may be of two clocks: one that
// was not set yet, and the right one when the address was given back.
func duration(r *lease.Record) time.Duration {
	if r.Duration > 0 || r.State != lease.Bound {
		return r.Duration
	}
	return r.End.Sub(r.Start)
}

// saveMark keeps the mark that was just set.
func (s *Store) saveMark() {
	s.markMu.Lock()
	content, _ := json.Marshal(s.mark) // numbers only
	s.markMu.Unlock()
	if s.readOnly {
		return
	}
	if err := s.putValue(markName, encodeValue(content)); err != nil {
		s.log.Warn("damage not noted in leases.db", "err", err)
	}
}

// openLogs opens both logs for writing. A damaged one is set aside and made anew, once all that it held is in leases.db.
// What can't be opened now is tried again by the committer.
func (s *Store) openLogs(scans [2]scan) error {
	l := &s.logs
	l.epoch = max(scans[0].epoch, scans[1].epoch, s.over.folded)
	l.cur, l.page = 1, logSize/logPage // full: the first group turns to the other one
	if l.epochs[0] > l.epochs[1] {
		l.cur = 0
	}
	s.unopened = scans
	if s.readOnly {
		return nil
	}
	for n := range scans {
		if err := s.openLog(n, scans[n]); err != nil {
			s.log.Error("log of leases.db not opened", "err", err)
			s.failing = err
		}
	}
	return nil
}

func (s *Store) openLog(n int, found scan) error {
	path := filepath.Join(s.dir, logName(n))
	if found.damage != "" {
		if err := s.fold(); err != nil {
			return err
		}
		aside, err := setAside(path, 1)
		if err != nil {
			return err
		}
		s.fault(fmt.Sprintf("%s was damaged (%s) and was set aside as %s. %d records were read from it.", logName(n), found.damage, aside, len(found.records)))
	}
	_, err := os.Lstat(path)
	if found.damage != "" || errors.Is(err, os.ErrNotExist) {
		if err := makeLog(path, n, s.opts); err != nil {
			return err
		}
		s.logs.epochs[n] = 0
	}
	f, err := s.opts.openFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrPermission) && os.Chmod(path, 0o600) == nil {
		f, err = s.opts.openFile(path, os.O_RDWR, 0o600)
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", logName(n), err)
	}
	s.logs.files[n], s.unopened[n] = f, scan{}
	// What a killed process wrote may be in memory only; from now on it counts as stored.
	return s.logs.sync(n)
}
