package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"phonebox/appliance/machine"
)

// The folders of a restore, in the data folder.
const (
	stageDir  = "restore.new" // a backup that was read, or the state before a restore that is to come back
	activeDir = "restore"     // the restore that runs, or the last one, which can be undone
	formerDir = "restore.old" // the one before, about to be removed

	newDir   = "new"       // in them: what is to be put in place
	oldDir   = "old"       // what was in its place
	planFile = "plan.json" // what is to be done
	doneFile = "done"      // it is done
)

// Live is what of the box is no file that could simply be exchanged. Both calls may come twice for one restore.
type Live interface {
	// PutSite makes a text the settings, as a whole.
	PutSite(text []byte) error
	// PutPassword stores the hash of the page's password.
	PutPassword(hash string) error
}

// Folder is the data folder as backups see it. Its methods must not be called at the same time; Stage may run beside
// nothing but reading.
type Folder struct {
	dir  string
	hook func(step string) // for tests: called before each step of a restore
	sync func() error      // for tests: in place of syncing
}

// Open returns the data folder; it touches nothing.
func Open(data string) *Folder { return &Folder{dir: data} }

func (f *Folder) in(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

func (f *Folder) step(name string) {
	if f.hook != nil {
		f.hook(name)
	}
}

// plan is what a restore does. Every operation may be done again.
type plan struct {
	Made  time.Time `json:"made"`
	Undo  bool      `json:"undo"` // it takes a restore back, and cannot be taken back itself
	From  Header    `json:"from"` // of the backup
	Parts []Part    `json:"parts"`
	Ops   []op      `json:"ops"`
}

// op puts an entry in place, or removes it.
type op struct {
	Name string `json:"name"`
	Put  bool   `json:"put"`
	Had  bool   `json:"had"` // there was one before
}

// ErrDisk says that the box could not keep a backup, whatever that holds.
var ErrDisk = errors.New("the box could not keep the backup")

// Stage reads a backup and keeps it beside the data until it is restored or dropped; what was staged before is dropped. The
// error is a *[Refusal] where the backup is at fault, and [ErrDisk] where the card is.
func (f *Folder) Stage(r io.Reader, passphrase string) (*Contents, error) {
	if err := f.Drop(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.in(stageDir, newDir), 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDisk, err)
	}
	c, err := read(r, passphrase, f.keep)
	if err == nil {
		err = f.flush()
	}
	if err != nil {
		return nil, errors.Join(err, f.Drop())
	}
	return c, nil
}

// keep makes a file of an entry.
func (f *Folder) keep(name string, size int64) (io.WriteCloser, error) {
	if room, _, err := machine.Room(f.dir); err == nil && room < size {
		return nil, refuse("There is no room for this backup on the card of the box. Nothing was changed.")
	}
	file := f.in(stageDir, newDir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDisk, err)
	}
	w, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, refuse("In the backup, %.80q is a file and a folder at the same time. Nothing was changed.", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDisk, err)
	}
	return w, nil
}

// Drop forgets a staged backup.
func (f *Folder) Drop() error {
	if err := os.RemoveAll(f.in(stageDir)); err != nil {
		return fmt.Errorf("removing the backup that was uploaded: %w", err)
	}
	return nil
}

// Staged returns a file of the staged backup.
func (f *Folder) Staged(name string) ([]byte, error) {
	return os.ReadFile(f.in(stageDir, newDir, filepath.FromSlash(name)))
}

// flush makes all that was written to the card's file system last.
func (f *Folder) flush() error {
	if f.sync != nil {
		return f.sync()
	}
	d, err := os.Open(f.dir)
	if err != nil {
		return fmt.Errorf("%w: syncing the data folder: %w", ErrDisk, err)
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("%w: syncing the data folder: %w", ErrDisk, err)
	}
	return nil
}

// Inventory lists the files that the parts have now, by name, with their sizes and without sums. The password is no file.
func (f *Folder) Inventory(parts ...Part) ([]Entry, error) {
	var out []Entry
	add := func(name string, d fs.DirEntry) error {
		part, ok := PartOf(name)
		if !ok || !slices.Contains(parts, part) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Size() <= limit(name) {
			out = append(out, Entry{Name: name, Size: info.Size()})
		}
		return err
	}
	for _, top := range append([]string{SiteEntry, strings.TrimSuffix(tftpFolder, "/")}, certEntries...) {
		err := fs.WalkDir(os.DirFS(f.dir), top, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return add(name, d)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("listing the files of the box: %w", err)
		}
	}
	return out, nil
}

// Sum is the SHA-256 of a file of the box, in hex; "" when it is not there.
func (f *Folder) Sum(name string) (string, error) {
	r, err := os.Open(f.in(filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Source returns a file of the box for a backup.
func (f *Folder) Source(e Entry) Source {
	return Source{Name: e.Name, Open: func() (io.ReadCloser, int64, error) {
		file, err := os.Open(f.in(filepath.FromSlash(e.Name)))
		if err != nil {
			return nil, 0, err
		}
		info, err := file.Stat()
		if err != nil {
			return nil, 0, errors.Join(err, file.Close())
		}
		return file, info.Size(), nil
	}}
}

// writePlan stores the plan of the staged folder.
func (f *Folder) writePlan(p plan) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("planning the restore: %w", err)
	}
	if err := renameio.WriteFile(f.in(stageDir, planFile), body, 0o600, renameio.WithTempDir(f.in(stageDir))); err != nil {
		return fmt.Errorf("planning the restore: %w", err)
	}
	return nil
}

// active reads the plan of the restore that runs or was the last; done says which.
func (f *Folder) active() (p plan, done bool, err error) {
	body, err := os.ReadFile(f.in(activeDir, planFile))
	if err != nil {
		return p, false, err
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return p, false, fmt.Errorf("reading the plan of a restore: %w", err)
	}
	for _, o := range p.Ops {
		if _, ok := PartOf(o.Name); !ok {
			return p, false, fmt.Errorf("reading the plan of a restore: found the name %q", o.Name)
		}
	}
	_, err = os.Stat(f.in(activeDir, doneFile))
	return p, err == nil, nil
}
