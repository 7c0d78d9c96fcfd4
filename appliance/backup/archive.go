package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"filippo.io/age"

	"phonebox/appliance/site"
)

// Bounds of a backup, in bytes and entries.
const (
	maxSite     = site.MaxSize
	maxFile     = 64 << 20
	maxTotal    = 2 << 30
	maxEntries  = 10_000
	maxHeader   = 16 << 10
	maxManifest = 4 << 20
)

// Version is the version of the format that is written, and the newest that is read.
const Version = 1

// formatName stands in every backup, so that another archive is told from one.
const formatName = "phonebox-backup"

// Header is the first entry of a backup.
type Header struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Made    time.Time `json:"made"`
	Box     string    `json:"box"` // the name of the office
	By      string    `json:"by"`  // the version of phonebox that made it
	Parts   []Part    `json:"parts"`
}

// Entry is one file of a backup.
type Entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // in hex
}

// manifest is the last entry.
type manifest struct {
	Entries []Entry `json:"entries"`
}

// Source is a file that is to be put into a backup. Open returns it with its size, to the byte; one that is gone by then
// ([fs.ErrNotExist]) is left out.
type Source struct {
	Name string
	Open func() (content io.ReadCloser, size int64, err error)
}

// Bytes is a source in memory.
func Bytes(name string, content []byte) Source {
	return Source{Name: name, Open: func() (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(content)), int64(len(content)), nil
	}}
}

// workFactor is the logarithm of the work that a passphrase costs: 32 MB of memory, which a small Pi has; age's own 18 are 256 MB.
const workFactor = 15

// Encrypt returns a writer of the encrypted form; it has to be closed.
func Encrypt(w io.Writer, passphrase string) (io.WriteCloser, error) {
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypting the backup: %w", err)
	}
	to.SetWorkFactor(workFactor)
	out, err := age.Encrypt(w, to)
	if err != nil {
		return nil, fmt.Errorf("encrypting the backup: %w", err)
	}
	return out, nil
}

// Write writes a backup as a stream. When it fails, what was written is no whole backup, and every reader notices.
func Write(w io.Writer, h Header, sources []Source) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	h.Format, h.Version = formatName, Version
	m := manifest{Entries: []Entry{}}
	if err := writeJSON(t, headerEntry, h, h.Made); err != nil {
		return err
	}
	for _, s := range sources {
		e, err := writeSource(t, s, h.Made)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("backing up %s: %w", s.Name, err)
		}
		m.Entries = append(m.Entries, e)
	}
	if err := writeJSON(t, manifestEntry, m, h.Made); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("ending the backup: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("ending the backup: %w", err)
	}
	return nil
}

func writeSource(t *tar.Writer, s Source, made time.Time) (Entry, error) {
	r, size, err := s.Open()
	if err != nil {
		return Entry{}, err
	}
	defer r.Close()
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: s.Name, Size: size, Mode: 0o600, ModTime: made}); err != nil {
		return Entry{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(t, sum), io.LimitReader(r, size))
	if err != nil {
		return Entry{}, err
	}
	if n != size {
		return Entry{}, fmt.Errorf("it changed meanwhile: found %d bytes, it had %d", n, size)
	}
	return Entry{Name: s.Name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

func writeJSON(t *tar.Writer, name string, v any, made time.Time) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(body)), Mode: 0o600, ModTime: made}); err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	if _, err := t.Write(body); err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	return nil
}
