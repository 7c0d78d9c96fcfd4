package assemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"phonebox/services/web"
)

const (
	// stickFolder is what the box reads of a USB stick.
	stickFolder = "phonebox"
	// maxStick bounds what is copied from a stick, in bytes: twenty loads and all that an old TFTP root holds besides.
	maxStick = 128 << 20
	// maxStickFiles bounds the number of files.
	maxStickFiles = 5000
)

// stickFiles is what a stick brought.
type stickFiles struct {
	reset bool   // it asks to take the password away
	dir   string // where its folder was copied to; "" = it has none
}

// takeStick copies the folder of a stick while it is mounted: whoever plugged it in may pull it out at any moment.
func (b *Box) takeStick(dir string) (stickFiles, error) {
	var out stickFiles
	if _, err := os.Stat(filepath.Join(dir, resetFile)); err == nil {
		out.reset = true
	}
	if info, err := os.Stat(filepath.Join(dir, stickFolder)); err != nil || !info.IsDir() {
		return out, nil
	}
	imports := filepath.Join(b.opt.Data, importDir)
	if err := os.MkdirAll(imports, 0o700); err != nil {
		return out, fmt.Errorf("copying from the stick: %w", err)
	}
	to, err := os.MkdirTemp(imports, "stick-")
	if err != nil {
		return out, fmt.Errorf("copying from the stick: %w", err)
	}
	count, err := copyFolder(filepath.Join(dir, stickFolder), to, b.room)
	if err != nil || count == 0 {
		return out, errors.Join(err, os.RemoveAll(to))
	}
	out.dir = to
	return out, nil
}

// copyFolder copies the regular files of a folder, but for the one that resets the password, within bounds.
func copyFolder(from, to string, room func() int64) (count int, err error) {
	left := int64(maxStick)
	err = fs.WalkDir(os.DirFS(from), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case !d.Type().IsRegular() || name == filepath.Base(resetFile):
			return nil
		}
		if count++; count > maxStickFiles {
			return fmt.Errorf("the stick's folder %s holds more than %d files", stickFolder, maxStickFiles)
		}
		n, err := copyFile(filepath.Join(from, name), filepath.Join(to, name), left, room)
		left -= n
		return err
	})
	return count, err
}

func copyFile(from, to string, limit int64, room func() int64) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(&diskWriter{w: out, room: room}, io.LimitReader(in, limit+1))
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err == nil && n > limit {
		err = fmt.Errorf("the stick's folder %s holds more than %d MB", stickFolder, maxStick>>20)
	}
	return n, err
}

// doStick does what a stick asks for. Its files are imported by themselves only while no password is set: then whoever is
// at the box is who sets it up. Later they wait on the page for a yes.
func (b *Box) doStick(ctx context.Context, files stickFiles) {
	if files.reset {
		b.resetPassword()
	}
	if files.dir == "" {
		return
	}
	hash, err := secrets{b.store}.Password()
	byItself := err == nil && hash == "" && !files.reset
	parts, err := stickParts(files.dir)
	if err != nil {
		b.log.Warn("USB stick not read", "err", err)
		return
	}
	for _, p := range parts {
		report, err := b.shop.fromStick(ctx, p, byItself)
		var refused *web.Refused
		var public *web.PublicError
		switch {
		case err != nil && errors.As(err, &refused):
			b.note("box", fmt.Sprintf("%s of a USB stick was refused: %v", p.name, refused))
		case err != nil && errors.As(err, &public):
			b.note("box", fmt.Sprintf("%s of a USB stick could not be imported. %s", p.name, public.Text))
			b.log.Warn("USB stick not imported", "name", p.name, "err", err)
		case err != nil:
			b.note("box", fmt.Sprintf("%s of a USB stick could not be imported; the log says why", p.name))
			b.log.Warn("USB stick not imported", "name", p.name, "err", err)
		case byItself:
			b.note("box", fmt.Sprintf("%s of a USB stick was imported: %s", p.name, report.Summary))
		default:
			b.note("box", fmt.Sprintf("%s of a USB stick waits on the page for a yes: %s", p.name, report.Summary))
		}
	}
}

// importable are the endings of files that are imported by themselves, not as files of a TFTP root.
var importable = []string{".csv", ".xlsx", ".vcf", ".zip", ".tar", ".tgz", ".gz"}

// stickParts divides what a stick brought: lists and archives in its top folder are imports of their own, the rest is one.
func stickParts(dir string) ([]*pendingImport, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var parts []*pendingImport
	rest := false
	for _, e := range entries {
		if e.IsDir() || !slices.Contains(importable, strings.ToLower(filepath.Ext(e.Name()))) {
			rest = true
			continue
		}
		own := filepath.Join(filepath.Dir(dir), filepath.Base(dir)+"-"+e.Name())
		if err := os.Rename(filepath.Join(dir, e.Name()), own); err != nil {
			return nil, err
		}
		parts = append(parts, &pendingImport{name: e.Name(), file: own, stick: true})
	}
	if !rest {
		return parts, os.RemoveAll(dir)
	}
	// Firmware and files first: a list of phones may name a load.
	return append([]*pendingImport{{name: "the folder " + stickFolder, folder: dir, stick: true}}, parts...), nil
}

// fromStick does an import at once, or shows it and waits for a yes.
func (s *shop) fromStick(ctx context.Context, p *pendingImport, now bool) (web.ImportReport, error) {
	if !now {
		return s.show(ctx, p)
	}
	defer func() { _ = p.remove() }()
	return s.run(ctx, p)
}
