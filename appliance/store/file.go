package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

const (
	leasesFile  = "leases.db"
	journalFile = "journal.db"
	bucketName  = "phonebox" // the only bucket of either file

	lockTimeout = time.Second
)

// ErrLocked says that another process has the folder open.
var ErrLocked = errors.New("another process has it open")

// lockDir takes the folder for this process: the files are read before bbolt locks them, and replaced when damaged.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder: %w", err)
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(20 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(deadline) {
			break
		}
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	return nil, fmt.Errorf("locking the data folder %q: %w", dir, err)
}

// openBolt opens or makes a file whose pages were checked before. An error that is errFault means damage.
func openBolt(path string, readOnly bool, o Options) (*bbolt.DB, error) {
	return openBoltWith(path, readOnly, false, o)
}

// openJournalBolt is openBolt with a count of free pages, which compactJournal needs, and all that may be needed mapped.
func openJournalBolt(path string, o Options) (*bbolt.DB, error) {
	return openBoltWith(path, false, true, o)
}

func openBoltWith(path string, readOnly, journal bool, o Options) (*bbolt.DB, error) {
	mapping := 0
	if journal {
		mapping = journalMapping
	}
	var file *os.File
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:         lockTimeout,
			FreelistType:    bbolt.FreelistMapType,
			NoStatistics:    !journal,
			PageSize:        4096, // of a new file; a machine with larger ones would write four times as much
			ReadOnly:        readOnly,
			InitialMmapSize: mapping,
			OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
				file, err = o.openFile(name, flag, mode)
				return file, err
			},
		})
		return err
	})
	switch {
	case err == nil:
		if journal {
			db.AllocSize = journalGrowth
		}
		return db, nil
	case errors.Is(err, errFault):
		if file != nil {
			file.Close() // bbolt's panic left it open, and locked
		}
	case errors.Is(err, bbolterrors.ErrTimeout):
		err = ErrLocked
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", errFault, err)
	}
	return nil, fmt.Errorf("opening %s: %w", filepath.Base(path), err)
}

// openOwn opens a file for reading, also one that is ours and that somebody took the right to read from.
func openOwn(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrPermission) && os.Chmod(path, 0o600) == nil {
		return os.Open(path)
	}
	return f, err
}

// checkPath walks the file. The first result says whether there is one; an error that is errFault means damage.
func checkPath(path string) (exists bool, err error) {
	f, err := openOwn(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if errors.Is(err, os.ErrPermission) {
		return true, fmt.Errorf("%w: it may not be read", errFault)
	}
	if err != nil {
		return false, fmt.Errorf("opening %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return true, fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	if !info.Mode().IsRegular() {
		return true, fmt.Errorf("%w: found %s instead of a file", errFault, kind(info.Mode()))
	}
	if err := checkFile(f, info.Size()); err != nil {
		return true, fmt.Errorf("%w: %w", errFault, err)
	}
	return true, nil
}

func kind(m os.FileMode) string {
	if m.IsDir() {
		return "a folder"
	}
	return "something else"
}

// setAside gives the damaged file a second name, of which at most keep stay, and returns it. The file keeps its own
// name as well, so that a power cut leaves one or the other state; the caller puts a new file over it.
func setAside(path string, keep int) (string, error) {
	aside := func(n int) string { return fmt.Sprintf("%s.damaged-%d", path, n) }
	if err := os.RemoveAll(aside(keep)); err != nil {
		return "", fmt.Errorf("setting %s aside: %w", filepath.Base(path), err)
	}
	for n := keep; n > 1; n-- {
		if err := os.Rename(aside(n-1), aside(n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("setting %s aside: %w", filepath.Base(path), err)
		}
	}
	if err := os.RemoveAll(aside(1)); err != nil {
		return "", fmt.Errorf("setting %s aside: %w", filepath.Base(path), err)
	}
	err := os.Link(path, aside(1))
	if err != nil { // a folder has one name only, and a file of somebody else may not be linked
		err = os.Rename(path, aside(1))
	}
	if err != nil {
		return "", fmt.Errorf("setting %s aside: %w", filepath.Base(path), err)
	}
	return filepath.Base(aside(1)), nil
}

// syncDir puts the names in a folder on disk; bbolt syncs its file, not the folder that it made it in.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing the data folder: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing the data folder: %w", err)
	}
	return nil
}

// newFile makes an empty bbolt file with its bucket.
func newFile(path string, o Options) (*bbolt.DB, error) {
	db, err := openBolt(path, false, o)
	if err != nil {
		return nil, err
	}
	if err := makeBucket(db, path); err != nil {
		return nil, err
	}
	return db, nil
}

// makeBucket puts the bucket into a new file and its name into the folder, or closes it.
func makeBucket(db *bbolt.DB, path string) error {
	err := guarded(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists([]byte(bucketName))
			return err
		})
	})
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		db.Close()
		return fmt.Errorf("making %s: %w", filepath.Base(path), err)
	}
	return nil
}
