package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// rescue is what could be saved from a damaged leases.db and from the logs.
type rescue struct {
	path   string
	why    error // what is wrong with leases.db
	found  salvaged
	leases map[netip.Addr][]byte // nil = forgotten
	epoch  uint32                // the newest of the logs, all of which is in leases
	lost   string                // why records may be missing; "" = none is
	failed error                 // why it could not be put on disk
	next   time.Time             // when that may be tried again
}

// replaceDamaged puts a new leases.db with all that could be saved in the place of the damaged one. When the card takes
// none, what was saved is served from memory, read-only, until it does.
func (s *Store) replaceDamaged(path string, why error, scans [2]scan) error {
	r := s.rescue(path, why, scans)
	db, aside, err := s.replace(r)
	if err == nil {
		s.leases = db
		s.tellReplaced(r, aside)
	} else {
		db, memErr := s.inMemory(r)
		if memErr != nil {
			return errors.Join(err, memErr)
		}
		s.leases, s.rescued, s.readOnly, s.failing = db, r, true, err
		r.failed, r.next = err, time.Now().Add(replaceRetry)
		s.fault(fmt.Sprintf("leases.db is damaged (%s) and no new one can be made (%s). %s What is given or changed meanwhile is not kept.",
			plain(why), cause(err), r.sentence()))
	}
	s.over.mu.Lock()
	s.over.folded = r.epoch
	s.over.mu.Unlock()
	return nil
}

// cause shortens the error of a file for a sentence: what is wrong, without the name of a file that nobody knows.
func cause(err error) string {
	var of *os.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	return plain(err)
}

// rescue reads what can be read, and notes when some of it may be missing.
func (s *Store) rescue(path string, why error, scans [2]scan) *rescue {
	r := &rescue{path: path, why: why, found: readDamaged(path), leases: map[netip.Addr][]byte{}}
	if !r.found.whole {
		r.lost = "more"
	} else if r.lost = missing(scans, r.found.folded); r.lost == "" {
		scans = unfolded(scans, r.found.folded)
	}
	r.found.merge(scans)
	apply(r.leases, r.found.leases)
	r.epoch = max(scans[0].epoch, scans[1].epoch, r.found.folded)
	s.seq.Store(max(s.seq.Load(), r.found.seq))
	s.takeMark(r.found.values[markName])
	if r.lost != "" {
		s.setMark(r.found.longest)
	}
	return r
}

// takeOver puts the mark as it is now among what is saved.
func (s *Store) takeOver(r *rescue) {
	s.markMu.Lock()
	defer s.markMu.Unlock()
	if delete(r.found.values, markName); s.mark != nil {
		r.found.values[markName], _ = json.Marshal(s.mark) // numbers only
	}
}

// sentence tells what was saved.
func (r *rescue) sentence() string {
	n := 0
	for _, v := range r.leases {
		if v != nil {
			n++
		}
	}
	text := "Nothing that was in use is missing."
	if r.lost != "" {
		text = "Some may be missing or old: every address is looked for on the wire before it is given, until they have run out."
	}
	return fmt.Sprintf("Saved from it and its log: %d leases and %d settings. %s", n, r.found.settings(), text)
}

// replace makes the new leases.db and sets the damaged one aside. At every moment one of the two has the name, so that a
// power cut only means that it is done again.
func (s *Store) replace(r *rescue) (db *bbolt.DB, aside string, err error) {
	fresh := r.path + ".new"
	if err = os.Remove(fresh); err == nil || errors.Is(err, os.ErrNotExist) {
		db, err = newFile(fresh, s.opts)
	}
	if err == nil {
		err = s.fill(db, r)
	}
	if _, statErr := os.Lstat(r.path); err == nil && statErr == nil {
		aside, err = setAside(r.path, 3)
	}
	if err == nil {
		err = os.Rename(fresh, r.path)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err == nil {
		return db, aside, nil
	}
	if db != nil {
		db.Close()
		_ = os.Remove(fresh)
	}
	return nil, "", fmt.Errorf("replacing the damaged leases.db: %w", err)
}

func (s *Store) tellReplaced(r *rescue, aside string) {
	if aside != "" {
		aside = " and was set aside as " + aside
	}
	s.fault(fmt.Sprintf("leases.db was damaged (%s)%s. %s", plain(r.why), aside, r.sentence()))
}

// fill puts all that was saved into an empty file.
func (s *Store) fill(db *bbolt.DB, r *rescue) error {
	s.takeOver(r)
	return guarded(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			if err := s.putLeases(tx, r.leases); err != nil {
				return err
			}
			for name, v := range r.found.values {
				key := valueKey(name)
				if err := tx.Bucket([]byte(bucketName)).Put(key, seal(key, s.seq.Add(1), encodeValue(v))); err != nil {
					return err
				}
			}
			return s.putFolded(tx, r.epoch)
		})
	})
}

// inMemory makes a file of no folder with all that was saved, and opens it for reading only: nothing is to be called
// stored that the next power cut ends.
func (s *Store) inMemory(r *rescue) (*bbolt.DB, error) {
	fd, err := unix.MemfdCreate(leasesFile, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("keeping leases in memory: %w", err)
	}
	defer unix.Close(fd)
	o := Options{OpenFile: func(name string, _ int, _ os.FileMode) (*os.File, error) {
		again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("keeping leases in memory: %w", err)
		}
		return os.NewFile(uintptr(again), name), nil
	}}
	db, err := openBolt(leasesFile, false, o)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.fill(db, r), db.Close()); err != nil {
		return nil, fmt.Errorf("keeping leases in memory: %w", err)
	}
	return openBolt(leasesFile, true, o)
}

// replaceRetry is the least pause between two tries to replace a damaged leases.db: each may write all of it.
const replaceRetry = time.Second

// replaceAgain tries once more to put on disk what is served from memory. The committer calls it.
func (s *Store) replaceAgain() error {
	r := s.rescued
	if time.Now().Before(r.next) {
		return r.failed
	}
	db, aside, err := s.replace(r)
	if err != nil {
		r.failed, r.next = err, time.Now().Add(replaceRetry)
		return err
	}
	s.dbMu.Lock()
	old := s.leases
	s.leases, s.readOnly, s.rescued = db, false, nil
	s.dbMu.Unlock()
	s.tellReplaced(r, aside)
	if err := old.Close(); err != nil {
		s.log.Warn("leases in memory not closed", "err", err)
	}
	return nil
}

// unfolded leaves out of the logs what leases.db has.
func unfolded(scans [2]scan, folded uint32) [2]scan {
	for n := range scans {
		var keep []logged
		for _, r := range scans[n].records {
			if r.epoch > folded {
				keep = append(keep, r)
			}
		}
		scans[n].records = keep
	}
	return scans
}
