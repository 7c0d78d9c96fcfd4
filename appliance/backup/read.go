package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Refusal says in a sentence why a backup is not taken. Nothing of the box was changed.
type Refusal struct{ Why string }

// Error implements error.
func (r *Refusal) Error() string { return r.Why }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// ErrPassphrase says that a backup is encrypted and none, or another, passphrase was given.
var ErrPassphrase error = &Refusal{"This backup is encrypted, and the passphrase is missing or is another one."}

// Contents is what a backup holds.
type Contents struct {
	Header
	Entries   []Entry
	Encrypted bool
}

// Has reports whether the backup has a part.
func (c *Contents) Has(p Part) bool {
	for _, e := range c.Entries {
		if part, _ := PartOf(e.Name); part == p {
			return true
		}
	}
	return false
}

// sink takes the entries of a backup while it is read; the error ends the reading.
type sink func(name string, size int64) (io.WriteCloser, error)

// ageMagic begins every file of age.
const ageMagic = "age-encryption.org/v1"

// read reads a whole backup and gives its entries to put. Its error is a *[Refusal] unless reading or put failed. What put
// got must be thrown away then.
func read(r io.Reader, passphrase string, put sink) (*Contents, error) {
	src := &source{r: r}
	from := bufio.NewReaderSize(src, 64<<10)
	c := &Contents{Entries: []Entry{}}
	if start, _ := from.Peek(len(ageMagic)); string(start) == ageMagic {
		plain, err := decrypt(from, src, passphrase)
		if err != nil {
			return nil, err
		}
		from, c.Encrypted = bufio.NewReaderSize(plain, 64<<10), true
	}
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, src.notOurs()
	}
	z.Multistream(false)
	in := &reading{src: src, tar: tar.NewReader(z), put: put, contents: c, seen: map[string]bool{}}
	if err := in.all(); err != nil {
		return nil, err
	}
	// Behind the archive's end tar may fill up with zeros; there is no reason for more than a block of them.
	if rest, err := io.Copy(io.Discard, io.LimitReader(z, 1<<20)); err != nil || rest == 1<<20 {
		return nil, src.damaged()
	}
	if _, err := from.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, src.damaged()
		}
		return nil, refuse("The backup has more behind its end; it is damaged or was changed.")
	}
	return c, nil
}

// decrypt begins to read an encrypted backup.
func decrypt(r io.Reader, src *source, passphrase string) (io.Reader, error) {
	if passphrase == "" {
		return nil, ErrPassphrase
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, ErrPassphrase
	}
	id.SetMaxWorkFactor(workFactor)
	plain, err := age.Decrypt(r, id)
	var other *age.NoIdentityMatchError
	switch {
	case errors.As(err, &other):
		return nil, ErrPassphrase
	case err != nil && strings.Contains(err.Error(), "work factor"):
		return nil, refuse("This backup was encrypted by another program, with more work than this box has memory for. Decrypt it on a computer first (age -d).")
	case err != nil:
		return nil, src.damaged()
	}
	return plain, nil
}

// reading is one run over the entries of a backup.
type reading struct {
	src      *source
	tar      *tar.Reader
	put      sink
	contents *Contents
	seen     map[string]bool
	total    int64
}

// all reads header, entries and manifest, in this order, and compares.
func (in *reading) all() error {
	if err := in.header(); err != nil {
		return err
	}
	for {
		h, err := in.tar.Next()
		switch {
		case errors.Is(err, io.EOF):
			return refuse("The backup ends too early: its list of contents is missing.")
		case err != nil:
			return in.src.damaged()
		case h.Name == manifestEntry:
			return in.manifest(h)
		}
		if err := in.entry(h); err != nil {
			return err
		}
	}
}

func (in *reading) header() error {
	h, err := in.tar.Next()
	if err != nil {
		return in.src.notOurs()
	}
	if h.Typeflag != tar.TypeReg || h.Name != headerEntry || h.Size > maxHeader {
		return refuse("This is no backup of phonebox: it does not begin with %s.", headerEntry)
	}
	body, err := io.ReadAll(io.LimitReader(in.tar, maxHeader))
	if err != nil {
		return in.src.damaged()
	}
	// The format is looked at before the rest: a newer one may have other fields.
	if err := json.Unmarshal(body, &in.contents.Header); err != nil || in.contents.Format != formatName {
		return refuse("This is no backup of phonebox: its %s says something else.", headerEntry)
	}
	if v := in.contents.Version; v < 1 || v > Version {
		return refuse("This backup has the format %d, and this phonebox reads up to %d. Restore it with the version that made it (%s), or a newer one.", v, Version, clip(in.contents.By))
	}
	in.contents.Box, in.contents.By = clip(in.contents.Box), clip(in.contents.By)
	return nil
}

// clip keeps a text from outside short and on one line.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > 64 {
		s = string(r[:64])
	}
	return s
}

// entry reads one file.
func (in *reading) entry(h *tar.Header) error {
	_, ok := PartOf(h.Name)
	switch {
	case !ok:
		return refuse("The backup holds %.80q, which no backup of phonebox has. Nothing was changed.", h.Name)
	case h.Typeflag != tar.TypeReg:
		return refuse("In the backup, %.80q is no plain file. Nothing was changed.", h.Name)
	case in.seen[h.Name]:
		return refuse("The backup holds %.80q twice. Nothing was changed.", h.Name)
	case h.Size > limit(h.Name):
		return refuse("In the backup, %.80q is larger than %d MB. Nothing was changed.", h.Name, max(limit(h.Name)>>20, 1))
	case len(in.seen) >= maxEntries:
		return refuse("The backup holds more than %d files. Nothing was changed.", maxEntries)
	case in.total+h.Size > maxTotal:
		return refuse("The backup is larger than %d GB when it is unpacked. Nothing was changed.", maxTotal>>30)
	}
	in.seen[h.Name] = true
	in.total += h.Size
	w, err := in.put(h.Name, h.Size)
	if err != nil {
		return err
	}
	sum := sha256.New()
	failing := &failWriter{w: w}
	n, err := io.Copy(io.MultiWriter(failing, sum), in.tar)
	closeErr := w.Close()
	switch {
	case failing.err != nil:
		return fmt.Errorf("%w: %w", ErrDisk, failing.err)
	case err != nil:
		return in.src.damaged()
	case closeErr != nil:
		return fmt.Errorf("%w: %w", ErrDisk, closeErr)
	}
	in.contents.Entries = append(in.contents.Entries, Entry{Name: h.Name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// failWriter remembers that writing failed, which is our disk's fault and not the backup's.
type failWriter struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (f *failWriter) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err != nil {
		f.err = err
	}
	return n, err
}

// manifest compares what was read with what the backup says that it holds.
func (in *reading) manifest(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg || h.Size > maxManifest {
		return refuse("The list of contents of the backup cannot be read. Nothing was changed.")
	}
	body, err := io.ReadAll(io.LimitReader(in.tar, maxManifest))
	if err != nil {
		return in.src.damaged()
	}
	var m manifest
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return refuse("The list of contents of the backup cannot be read. Nothing was changed.")
	}
	if len(m.Entries) != len(in.contents.Entries) {
		return refuse("The backup holds %d files and lists %d. It is damaged or was changed; nothing was changed here.", len(in.contents.Entries), len(m.Entries))
	}
	for i, e := range m.Entries {
		if got := in.contents.Entries[i]; got != e {
			return refuse("In the backup, %.80q is not what its list of contents says. It is damaged or was changed; nothing was changed here.", got.Name)
		}
	}
	if _, err := in.tar.Next(); !errors.Is(err, io.EOF) {
		if err != nil {
			return in.src.damaged()
		}
		return refuse("The backup has more behind its list of contents; it is damaged or was changed.")
	}
	return nil
}

// source remembers that reading itself failed: then it is not the backup that is damaged.
type source struct {
	r   io.Reader
	err error
}

// Read implements [io.Reader].
func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// notOurs refuses what is no backup at all.
func (s *source) notOurs() error {
	if s.err != nil {
		return fmt.Errorf("reading the backup: %w", s.err)
	}
	return refuse("This is no backup of phonebox. One is a file that ends in .tar.gz or .tar.gz.age.")
}

// damaged refuses a backup whose bytes are wrong.
func (s *source) damaged() error {
	if s.err != nil {
		return fmt.Errorf("reading the backup: %w", s.err)
	}
	return refuse("The backup is damaged or cut off: it cannot be read to its end. Nothing was changed.")
}
