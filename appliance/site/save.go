package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// FileName is the name of the site file in -data.
const FileName = "site.toml"

// OldCopies is how many earlier versions are kept beside it, as site.toml.1 (the newest) to site.toml.5.
const OldCopies = 5

// permissions: the file holds SIP passwords.
const permissions = 0o600

// Load reads site.toml of a folder. The error is [fs.ErrNotExist] where there is none.
func Load(dir string) ([]byte, error) { return LoadFile(filepath.Join(dir, FileName)) }

// LoadFile reads a site file of any name, of up to [MaxSize] bytes.
func LoadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the site file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the site file %s: %w", name, err)
	}
	if len(text) > MaxSize {
		return nil, fmt.Errorf("reading the site file %s: it is larger than %d bytes", name, MaxSize)
	}
	return text, nil
}

// Save writes site.toml of a folder and keeps the version before it as site.toml.1. At every moment of a power cut either
// the old or the new file stands there whole. A text that is there already changes nothing. Calls must not overlap.
func Save(dir string, text []byte) error {
	if len(text) > MaxSize {
		return fmt.Errorf("saving the site: %d bytes, allowed are %d", len(text), MaxSize)
	}
	name := filepath.Join(dir, FileName)
	old, err := os.ReadFile(name)
	switch {
	case err == nil && bytes.Equal(old, text):
		return nil
	case err == nil:
		if err := rotate(name, old); err != nil {
			return fmt.Errorf("keeping the site before this one: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("saving the site: %w", err)
	}
	removeLeftovers(dir)
	if err := renameio.WriteFile(name, text, permissions, renameio.WithTempDir(dir), renameio.WithStaticPermissions(permissions)); err != nil {
		return fmt.Errorf("saving the site: %w", err)
	}
	return syncDir(dir)
}

// rotate moves the old copies one on and writes the present text as the newest of them; the present file stays in place.
func rotate(name string, present []byte) error {
	numbered := func(i int) string { return fmt.Sprintf("%s.%d", name, i) }
	for i := OldCopies - 1; i >= 1; i-- {
		if err := os.Rename(numbered(i), numbered(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	dir := filepath.Dir(name)
	return renameio.WriteFile(numbered(1), present, permissions, renameio.WithTempDir(dir), renameio.WithStaticPermissions(permissions))
}

// removeLeftovers removes temporary files that a power cut left behind, for they hold passwords. Failing is harmless.
func removeLeftovers(dir string) {
	names, err := filepath.Glob(filepath.Join(dir, "."+FileName+"*"))
	if err != nil {
		return
	}
	for _, name := range names {
		_ = os.Remove(name)
	}
}

// syncDir makes the renames last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("saving the site: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("saving the site: syncing its folder: %w", err)
	}
	return nil
}

// ETag returns the HTTP entity tag of a text.
func ETag(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}
