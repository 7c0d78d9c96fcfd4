package adopt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Bounds of what is read. A TFTP root of these phones has some megabytes; those of other families some hundred.
const (
	MaxFiles = 10_000    // files in a source
	MaxFile  = 64 << 20  // bytes of one file; a longer one is refused
	MaxTotal = 512 << 20 // bytes of all files
)

// errTooMuch refuses a source as a whole.
var errTooMuch = fmt.Errorf("it holds more than %d files or %d MiB; is it only the TFTP root?", MaxFiles, MaxTotal>>20)

// Source is a set of files that can be walked any number of times, each time in the same order: [Folder], [Archive].
type Source interface {
	// Walk calls visit for every file. An error of visit ends it and is returned. Another error says that the source
	// can't be read or is too large.
	Walk(visit func(Entry) error) error
}

// Entry is one file of a source.
type Entry struct {
	Path string // as it stands in the source
	Size int64  // bytes, as the source says
	// Fault says why there is nothing to read: it is a link, a device, or can't be opened. "" for a file.
	Fault string
	// Content reads the file. It holds only until visit returns.
	Content io.Reader
}

// counter applies the bounds to the files of one walk.
type counter struct {
	files int
	bytes int64
}

func (c *counter) add(size int64) error {
	c.files++
	c.bytes += max(size, 0)
	if c.files > MaxFiles || c.bytes > MaxTotal {
		return errTooMuch
	}
	return nil
}

// notRegular is the fault of what is no file.
func notRegular(mode fs.FileMode) string {
	if mode&fs.ModeSymlink != 0 {
		return "it is a link, and links are not followed; put the file itself there"
	}
	return "it is no file but a device or the like"
}

// Folder is the source of a folder, such as [os.Root.FS] or a USB stick. Links are not followed.
func Folder(fsys fs.FS) Source { return folder{fsys} }

type folder struct{ fsys fs.FS }

// Walk implements [Source].
func (f folder) Walk(visit func(Entry) error) error {
	var count counter
	folders := 0
	return fs.WalkDir(f.fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && (d == nil || name == "."):
			return fmt.Errorf("reading the folder: %w", err)
		case err == nil && d.IsDir():
			if folders++; folders > MaxFiles {
				return errTooMuch
			}
			return nil
		}
		e := Entry{Path: name}
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		switch {
		case err != nil:
			e.Fault = "it can't be read"
		case !info.Mode().IsRegular():
			e.Fault = notRegular(info.Mode())
		default:
			e.Size = info.Size()
		}
		if err := count.add(e.Size); err != nil {
			return err
		}
		if e.Fault != "" {
			return visit(e)
		}
		lazy := &opener{open: func() (io.ReadCloser, error) { return f.fsys.Open(name) }}
		defer lazy.Close()
		e.Content = lazy
		return visit(e)
	})
}

// opener opens a file when it is read first.
type opener struct {
	open func() (io.ReadCloser, error)
	file io.ReadCloser
	err  error
}

// Read implements [io.Reader].
func (o *opener) Read(b []byte) (int, error) {
	if o.file == nil && o.err == nil {
		if o.file, o.err = o.open(); o.err != nil {
			o.file = nil
		}
	}
	if o.err != nil {
		return 0, o.err
	}
	return o.file.Read(b)
}

// Close closes what was opened.
func (o *opener) Close() {
	if o.file != nil {
		o.file.Close() // it was only read
	}
}

// errSize says that a file is not as long as its source said.
var errSize = errors.New("it is longer than its source says")

// exactly reads up to size bytes and fails where more follow.
type exactly struct {
	r    io.Reader
	left int64
}

// Read implements [io.Reader].
func (e *exactly) Read(b []byte) (int, error) {
	if int64(len(b)) > e.left+1 {
		b = b[:e.left+1]
	}
	n, err := e.r.Read(b)
	if int64(n) > e.left {
		return int(e.left), errSize
	}
	e.left -= int64(n)
	return n, err
}
