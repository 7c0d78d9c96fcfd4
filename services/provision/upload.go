package provision

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
)

// Bounds of an upload, in bytes and files.
const (
	maxFile    = 16 << 20
	maxArchive = 64 << 20
	maxTotal   = 128 << 20
	maxFiles   = 500
)

// ErrStore says that the box could not keep a file; whoever sent it did nothing wrong.
var ErrStore = errors.New("it could not be stored")

// ErrNoRoom is an [ErrStore] for want of room ([Deps.Room]).
var ErrNoRoom = fmt.Errorf("%w: there is no room for it", ErrStore)

// Refusal says why an upload as a whole, or the rest of it, was not taken: its sender has to change something.
type Refusal struct {
	Why   string // a sentence without its capital and full stop
	Cause error  // nil = nobody but us found it
}

// Error is the reason with its cause.
func (r *Refusal) Error() string {
	if r.Cause == nil {
		return r.Why
	}
	return r.Why + ": " + r.Cause.Error()
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// Add stores what a person uploads: an image, a .loads list, a ring, an own file, or a .zip, .tar or .tar.gz of such
// files, whose folders are dropped. A .wav becomes a ring. Each file is either stored whole, so that a power cut leaves the old or the new one,
// or refused with the reason; lists are stored last, so that a load is never offered before its images are there.
// Images that were renamed, cut off or are not signed are refused.
//
// The error is a [*Refusal] where the upload itself is at fault, an [ErrStore] where the box is; else it broke off. The
// verdicts up to then are returned with it.
func (p *Provisioner) Add(name string, content io.Reader) ([]Verdict, error) {
	p.adding.Lock()
	defer p.adding.Unlock()
	u := &upload{p: p, seen: map[string]string{}}
	src := &source{Reader: content}
	err := src.blame(u.read(name, src))
	if listErr := u.storeLists(); err == nil {
		err = listErr
	}
	if scanErr := p.Rescan(); err == nil {
		err = scanErr
	}
	if err != nil {
		return u.verdicts, fmt.Errorf("storing the upload %q: %w", path.Base(name), err)
	}
	return u.verdicts, nil
}

// Try says what [Provisioner.Put] would: whether a file would be taken, and why not. Nothing is stored.
func (p *Provisioner) Try(name string, content io.Reader) (Verdict, error) {
	file := putName(name)
	e := &entry{name: file.Clean, file: file}
	if err := acceptablePath(file.Clean); err != nil {
		return Verdict{Name: name, Why: err.Error()}, nil
	}
	start, err := io.ReadAll(io.LimitReader(content, e.startLength()))
	if err != nil {
		return Verdict{Name: name}, fmt.Errorf("reading %q: %w", name, err)
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(content, maxFile+1))
	if err != nil {
		return Verdict{Name: name}, fmt.Errorf("reading %q: %w", name, err)
	}
	e.size = int64(len(start)) + rest
	switch {
	case e.size > maxFile:
		err = errTooLong
	case e.size == 0:
		err = errEmpty
	default:
		err = e.checkContent(start, p.deps.LeastImage)
	}
	if err != nil {
		return Verdict{Name: name, Why: err.Error()}, nil
	}
	return Verdict{Name: name, OK: true, Why: "it would be stored as " + cmp.Or(e.in, file.Clean)}, nil
}

// Why a file is refused whatever it is.
var (
	errTooLong = fmt.Errorf("it is longer than a file of a phone can be (%d MiB), or the whole upload than %d MiB", maxFile>>20, maxTotal>>20)
	errEmpty   = errors.New("it is empty")
)

// putName is the name under which a file of an adopted root is kept.
func putName(name string) phone.FileName {
	file := phone.ParseFileName(strings.ReplaceAll(name, `\`, "/"))
	if file.Kind == phone.KindLoads || file.Kind.IsFirmware() {
		file.Clean = path.Base(file.Clean)
	}
	return file
}

func (e *entry) isFirmware() bool { return e.file.Kind == phone.KindLoads || e.file.Kind.IsFirmware() }

// checkContent says why a file is refused that is not what its name says; start is as much of it as [entry.startLength] wants.
func (e *entry) checkContent(start []byte, least int64) error {
	switch {
	case e.isFirmware():
		return check(e, start, least)
	case e.isLogo():
		_, _, err := media.Logo(bytes.NewReader(start))
		return err
	}
	return nil // of rings that phones refuse the page says so, and they can be mended there
}

// Put stores one file under its name with its folders, as phones ask for it: a file of an adopted TFTP root. Firmware goes
// into the root in any case, and archives are files like others here. It is checked as by [Provisioner.Add]; the error
// says that it could not be read or stored.
func (p *Provisioner) Put(name string, content io.Reader) (Verdict, error) {
	p.adding.Lock()
	defer p.adding.Unlock()
	u := &upload{p: p, seen: map[string]string{}}
	file := putName(name)
	if err := acceptablePath(file.Clean); err != nil {
		return Verdict{Name: name, Why: err.Error()}, nil
	}
	if err := errors.Join(u.store(file.Clean, content), p.Rescan()); err != nil {
		return Verdict{Name: name}, fmt.Errorf("storing %q: %w", name, err)
	}
	return u.verdicts[0], nil
}

// acceptablePath refuses folders that would not be served.
func acceptablePath(name string) error {
	folder, base := path.Split(name)
	if strings.Count(name, "/") > maxDepth {
		return fmt.Errorf("it lies deeper than %d folders", maxDepth)
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(folder, "/"), "/") {
		if folder != "" && (part == "" || strings.HasPrefix(part, ".") || hasOddCharacters(part)) {
			return fmt.Errorf("the folder %.60q is none that a phone asks for", folder)
		}
	}
	return acceptable(base)
}

// upload is one call of Add.
type upload struct {
	p        *Provisioner
	verdicts []Verdict
	seen     map[string]string // lower case base name: the first path under which it came
	total    int64
	lists    []pending
	err      error // of the disk; the rest is refused
}

// pending is a .loads list that waits for the images.
type pending struct {
	name    string
	content []byte
}

func (u *upload) verdict(name string, why error, good string) {
	v := Verdict{Name: name, OK: why == nil, Why: good}
	if why != nil {
		v.Why = why.Error()
	}
	u.verdicts = append(u.verdicts, v)
}

// file takes one file, by its base name; it returns an error only when the upload can't go on.
func (u *upload) file(name string, content io.Reader) error {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	if first, twice := u.seen[strings.ToLower(base)]; twice {
		u.verdict(name, fmt.Errorf("the same name came before as %s; folders are dropped, so one of the two must go", first), "")
		return nil
	}
	if err := acceptable(base); err != nil {
		u.verdict(name, err, "")
		return nil
	}
	u.seen[strings.ToLower(base)] = name
	if isWAV(base) {
		return u.ring(base, content)
	}
	if phone.ParseFileName(base).Kind == phone.KindLoads {
		list, err := io.ReadAll(io.LimitReader(content, maxLoads+1))
		if err != nil {
			return fmt.Errorf("reading %q: %w", base, err)
		}
		u.total += int64(len(list))
		u.lists = append(u.lists, pending{base, list})
		return nil
	}
	return u.store(base, content)
}

// storeLists stores the lists that waited, unless the disk failed before.
func (u *upload) storeLists() error {
	for _, l := range u.lists {
		if err := u.store(l.name, bytes.NewReader(l.content)); err != nil {
			return err
		}
	}
	return nil
}

// acceptable refuses names that phonebox would not send anyway.
func acceptable(base string) error {
	f := phone.ParseFileName(base)
	switch {
	case base == "" || base == "." || base == "/" || len(base) > 100 || strings.HasPrefix(base, ".") || f.Clean != base:
		return errors.New("this is not a file name that a phone asks for")
	case hasOddCharacters(base):
		return errors.New("the name holds characters that phones don't ask for")
	case f.Kind == phone.KindTrustList, f.Kind == phone.KindMGC:
		return errors.New("such a file is never sent: the phones are better off without it")
	case f.Kind != phone.KindOther, !f.MAC.IsZero():
		return nil
	}
	switch strings.ToLower(path.Ext(base)) {
	case ".cnf", ".xml", ".dat", ".cfg", ".bmp", ".wav":
		return nil
	}
	return errors.New("this is no firmware (.loads, .sbn, .sb2, .bin), ring (.raw, .pcm, .wav) or configuration file (.cnf, .xml, .dat, .cfg, .bmp) of a phone")
}

func hasOddCharacters(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f || strings.ContainsRune(`\:*?"<>|`, r) }) >= 0
}

// store writes one file: to a temporary name first, then synced, checked, renamed and synced again.
func (u *upload) store(base string, content io.Reader) error {
	if u.err != nil {
		return u.err
	}
	temp := tempPrefix + rand.Text()
	defer u.p.root.Remove(temp)
	f, err := u.p.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		u.err = fmt.Errorf("%w: %w", ErrStore, err)
		return u.err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(u.writer(f), sum), io.LimitReader(content, min(maxFile, maxTotal-u.total)+1))
	switch {
	case errors.Is(err, ErrStore):
		u.err = err
		return err
	case err != nil:
		return fmt.Errorf("reading %q: %w", base, err)
	}
	if u.total += size; size > maxFile || u.total > maxTotal {
		u.verdict(base, errTooLong, "")
		return nil
	}
	final, err := u.examine(base, f, size)
	if err != nil {
		u.verdict(base, err, "")
		return nil
	}
	if e, ok := u.p.shelf.Load().lookUp(final); ok && e.name == final && e.size == size && u.p.sum(e) == hex.EncodeToString(sum.Sum(nil)) {
		u.verdict(base, nil, "it is there already as "+final)
		return nil
	}
	if err := u.commit(f, temp, final); err != nil {
		u.err = fmt.Errorf("%w: %w", ErrStore, err)
		return u.err
	}
	u.verdict(base, nil, "stored as "+final)
	return nil
}

// writer writes to a file of an upload, within the room that there is.
func (u *upload) writer(f *os.File) io.Writer { return diskWriter{f, u.p.deps.Room} }

// diskWriter marks the errors of the disk, to tell them from those of the upload, and asks for room as it goes: nobody
// knows before its end how long an upload is, and others write meanwhile.
type diskWriter struct {
	f    *os.File
	room func() int64 // nil = not bounded
}

// Write implements [io.Writer].
func (w diskWriter) Write(b []byte) (int, error) {
	if w.room != nil && w.room() < int64(len(b)) {
		return 0, ErrNoRoom
	}
	n, err := w.f.Write(b)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrStore, err)
	}
	return n, err
}

// examine checks a file that was written and returns the name under which to keep it: the one that the signature covers,
// else as it came.
func (u *upload) examine(base string, f *os.File, size int64) (final string, err error) {
	if size == 0 {
		return "", errEmpty
	}
	e := &entry{name: base, size: size, file: phone.ParseFileName(base)}
	start, err := io.ReadAll(io.NewSectionReader(f, 0, e.startLength()))
	if err != nil {
		return "", fmt.Errorf("it can't be read back: %w", err)
	}
	if err := e.checkContent(start, u.p.deps.LeastImage); err != nil {
		return "", err
	}
	return cmp.Or(e.in, base), nil
}

// commit makes the temporary file the final one, so that a power cut at any moment leaves one of them whole. Files whose
// names differ from it in case only go: the phones could get either.
func (u *upload) commit(f *os.File, temp, final string) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if dir := path.Dir(final); dir != "." {
		if err := u.p.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := u.p.root.Rename(temp, final); err != nil {
		return err
	}
	for _, e := range u.p.shelf.Load().byName[strings.ToLower(final)] {
		if e.name != final {
			if err := u.p.root.Remove(e.name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return u.p.syncDir(path.Dir(final))
}

// removeLeftovers removes what uploads that a power cut ended left behind.
func (p *Provisioner) removeLeftovers() {
	dir, err := p.root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		p.deps.Log.Warn("folder of files not readable", "err", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			if err := p.root.Remove(name); err != nil {
				p.deps.Log.Warn("leftover of an upload not removed", "file", name, "err", err)
			}
		}
	}
}
