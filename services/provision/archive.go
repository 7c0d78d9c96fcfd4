package provision

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Why the rest of an archive is refused.
var (
	errTooMany = &Refusal{Why: fmt.Sprintf("the archive holds more than %d files or %d MiB", maxFiles, maxTotal>>20)}
	// What is downloaded without a login is often a page that asks for one, under the archive's name.
	errNoArchive = &Refusal{Why: "it is no archive of the kinds .zip, .tar and .tar.gz, whatever its name says: look whether the download gave a page instead, or pack it anew"}
	errTooBig    = &Refusal{Why: fmt.Sprintf("the archive is longer than %d MiB", maxArchive>>20)}
)

// source is what is uploaded; it remembers whether the sender broke off, to tell that from an archive that is damaged.
type source struct {
	io.Reader
	err error
}

// Read implements [io.Reader].
func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// blame makes a refusal of an error that is the archive's fault.
func (s *source) blame(err error) error {
	if err == nil || s.err != nil || errors.Is(err, ErrStore) || errors.As(err, new(*Refusal)) {
		return err
	}
	return &Refusal{Why: "the archive can't be unpacked, it is damaged or was cut off: download it again", Cause: err}
}

// read takes an upload apart; what it is shows by its first bytes, not by its name.
func (u *upload) read(name string, content io.Reader) error {
	b := bufio.NewReaderSize(content, 4096)
	start, err := b.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading: %w", err)
	}
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")), bytes.HasPrefix(start, []byte("PK\x05\x06")):
		return u.zip(b)
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return fmt.Errorf("reading the compressed archive: %w", err)
		}
		return u.tar(io.LimitReader(z, maxTotal+maxArchive))
	case len(start) >= 262 && string(start[257:262]) == "ustar":
		return u.tar(io.LimitReader(b, maxTotal+maxArchive))
	case isArchive(name):
		return errNoArchive
	}
	return u.file(name, b)
}

// zip reads a .zip, which needs a file to seek in.
func (u *upload) zip(content io.Reader) error {
	temp := tempPrefix + rand.Text()
	f, err := u.p.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	defer u.p.root.Remove(temp)
	defer f.Close()
	size, err := io.Copy(u.writer(f), io.LimitReader(content, maxArchive+1))
	if err != nil {
		return fmt.Errorf("keeping the archive: %w", err)
	}
	if size > maxArchive {
		return errTooBig
	}
	z, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // only base names are used
		return fmt.Errorf("reading the .zip archive: %w", err)
	}
	if len(z.File) > maxFiles {
		return errTooMany
	}
	for _, part := range z.File {
		if part.FileInfo().IsDir() || isNoise(part.Name) {
			continue
		}
		if err := u.zipFile(part); err != nil {
			return err
		}
	}
	return nil
}

func (u *upload) zipFile(part *zip.File) error {
	if !part.Mode().IsRegular() {
		u.verdict(part.Name, errors.New("it is not a regular file"), "")
		return nil
	}
	r, err := part.Open()
	if err != nil {
		u.verdict(part.Name, fmt.Errorf("it can't be read: %w", err), "")
		return nil
	}
	defer r.Close()
	if err := u.file(part.Name, r); err != nil {
		if errors.Is(err, ErrStore) {
			return err
		}
		u.verdict(part.Name, err, "") // a damaged part; the others may be whole
	}
	if u.total > maxTotal {
		return errTooMany
	}
	return nil
}

// tar reads a .tar as a stream; a fault in it ends it.
func (u *upload) tar(content io.Reader) error {
	t := tar.NewReader(content)
	for count := 0; ; {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, tar.ErrInsecurePath): // only base names are used
			return fmt.Errorf("reading the .tar archive: %w", err)
		case h.Typeflag == tar.TypeDir, isNoise(h.Name):
			continue
		}
		if count++; count > maxFiles || u.total > maxTotal {
			return errTooMany
		}
		if h.Typeflag != tar.TypeReg {
			u.verdict(h.Name, errors.New("it is not a regular file"), "")
			continue
		}
		if err := u.file(h.Name, t); err != nil {
			return err
		}
	}
}

// isArchive reports whether a name is one of an archive, also of kinds that are not unpacked.
func isArchive(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".bz2", ".xz", ".cab":
		return true
	}
	return false
}

// isNoise reports whether a part is what archivers add by themselves.
func isNoise(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(name, "__MACOSX/") || strings.HasPrefix(base, "._") || base == ".DS_Store" || base == "Thumbs.db"
}
