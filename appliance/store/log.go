package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// logName is the name of log 0 or 1.
func logName(n int) string { return fmt.Sprintf("leases-%d.log", n+1) }

// logs are the two files that take leases until they are folded into leases.db. One is written; what the other holds
// is folded meanwhile. The committer owns them.
type logs struct {
	files  [2]*os.File
	epochs [2]uint32 // what each holds; it is in leases.db when it is not above folded
	cur    int
	epoch  uint32 // of the file that is written
	page   int    // where the next group begins
	group  uint32 // the last group that was tried
	synced uint32 // the last group that was synced
	buf    []byte
	delay  time.Duration
}

// readLog returns the bytes of a log, nil when there is none. A block that the card can't read stays zero.
func readLog(path string) ([]byte, error) {
	f, err := openOwn(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return []byte{}, nil
	}
	file := make([]byte, min(info.Size(), logSize+1))
	for at := 0; at < len(file); at += logPage {
		block := file[at:min(at+logPage, len(file))]
		if n, err := f.ReadAt(block, int64(at)); err != nil && err != io.EOF {
			clear(block[n:])
		}
	}
	return file, nil
}

// makeLog puts a new, filled log in the place of the path. At every moment the name has a whole file, or none yet.
func makeLog(path string, number int, o Options) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("making %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(emptyLog(number))
	if err == nil {
		time.Sleep(o.SyncDelay)
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("making %s: %w", filepath.Base(path), err)
	}
	return nil
}

// room reports whether a group of that many bytes fits behind the last one.
func (l *logs) room(size int) bool { return l.page+pages(size) <= logSize/logPage }

// write puts the records on disk, as one group, and returns when they are there. After an error they may or may not be
// there; the next group is written over them.
func (l *logs) write(records []logged, size int) error {
	f := l.files[l.cur]
	if f == nil {
		return fmt.Errorf("%s cannot be opened", logName(l.cur))
	}
	l.group++
	l.buf = pack(l.buf, l.cur, l.page, sector{epoch: l.epoch, group: l.group, prev: l.synced}, records, size)
	l.epochs[l.cur] = l.epoch
	if _, err := f.WriteAt(l.buf, int64(l.page)*logPage); err != nil {
		return fmt.Errorf("writing %s: %w", logName(l.cur), err)
	}
	if err := l.sync(l.cur); err != nil {
		return err
	}
	l.page, l.synced = l.page+pages(size), l.group
	return nil
}

func (l *logs) sync(n int) error {
	time.Sleep(l.delay)
	for {
		err := unix.Fdatasync(int(l.files[n].Fd()))
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("syncing %s: %w", logName(n), err)
		}
	}
}

// turn begins a new epoch in the other file, which holds nothing that is not in leases.db.
func (l *logs) turn() {
	l.cur, l.epoch = 1-l.cur, l.epoch+1
	l.page, l.group, l.synced = 0, 0, 0
}

func (l *logs) close() error {
	var errs []error
	for _, f := range l.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
