package provision

import (
	"bytes"
	"fmt"
	"sync"
	"time"
)

const (
	// maxKept bounds the bytes of files that are in memory at the same time: the parts of about a dozen loads.
	maxKept = 16 << 20
	// maxKeptFile is the largest file in bytes that is read into memory; larger ones are read as they are sent.
	maxKeptFile = 8 << 20
	// keptFor is how long a file stays in memory after the last phone had it.
	keptFor = 10 * time.Minute
)

// contents holds whole files of the folder in memory, each once, for all phones that get it at the same time. What is kept
// is what was in the file at one moment, so that no phone gets half of an old image and half of a new one. It goes when
// the file changed, when nobody had it for long, or, the longest unused first, when another needs the room; until the last
// of its users is done it counts.
type contents struct {
	limit int64

	mu    sync.Mutex
	files map[*entry]*content
	bytes int64 // of what is kept, and of what is still used although it is not kept
}

// content is one file in memory. Only reading is held while it is read.
type content struct {
	size    int64
	reading sync.Mutex
	data    []byte // what the file holds; nil = it was not read yet. Nobody changes it

	users int // the rest is guarded by the lock of contents
	used  time.Time
	gone  bool // it is not kept any more
}

func newContents(limit int64) *contents {
	return &contents{limit: limit, files: map[*entry]*content{}}
}

// of returns the file of an entry, which read reads where it is not in memory yet; the caller is a user of it until
// release. ok is false when there is no room for it, or read failed.
func (c *contents) of(e *entry, now time.Time, read func() ([]byte, error)) (f *content, ok bool) {
	if f, ok = c.take(e, now); !ok {
		return nil, false
	}
	f.reading.Lock()
	defer f.reading.Unlock()
	if f.data == nil {
		data, err := read()
		if err != nil {
			c.forget(e, f)
			c.release(f)
			return nil, false
		}
		f.data = data
	}
	return f, true
}

// take finds the file of an entry, or makes room for it.
func (c *contents) take(e *entry, now time.Time) (*content, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files[e]
	if f == nil {
		if e.size > maxKeptFile || !c.makeRoom(e.size) {
			return nil, false
		}
		f = &content{size: e.size}
		c.files[e] = f
		c.bytes += e.size
	}
	f.users++
	f.used = now
	return f, true
}

// makeRoom drops unused files, the longest unused first, until there is room.
func (c *contents) makeRoom(size int64) bool {
	for c.bytes+size > c.limit {
		var oldest *entry
		for e, f := range c.files {
			if f.users == 0 && (oldest == nil || f.used.Before(c.files[oldest].used)) {
				oldest = e
			}
		}
		if oldest == nil {
			return false
		}
		c.drop(oldest, c.files[oldest])
	}
	return true
}

// drop keeps a file no longer; its bytes count until nobody uses it.
func (c *contents) drop(e *entry, f *content) {
	delete(c.files, e)
	f.gone = true
	if f.users == 0 {
		c.bytes -= f.size
	}
}

// forget drops a file that could not be read, or is no longer what is in the folder.
func (c *contents) forget(e *entry, f *content) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files[e] == f {
		c.drop(e, f)
	}
}

// release ends one use of a file.
func (c *contents) release(f *content) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.users--; f.users == 0 && f.gone {
		c.bytes -= f.size
	}
}

// sweep drops what is not on the shelf any more, and what nobody had for long.
func (c *contents) sweep(s *shelf, now time.Time) {
	onShelf := map[*entry]bool{}
	for _, same := range s.byName {
		for _, e := range same {
			onShelf[e] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for e, f := range c.files {
		if !onShelf[e] || f.users == 0 && now.Sub(f.used) >= keptFor {
			c.drop(e, f)
		}
	}
}

// kept answers with a file that is in memory, or is read into it. ok is false when it is to be sent from the disk: it is
// too large, or there is no room.
func (p *Provisioner) kept(e *entry) (a Answer, ok bool) {
	f, ok := p.contents.of(e, time.Now(), func() ([]byte, error) { return p.readWhole(e) })
	if !ok {
		return Answer{}, false
	}
	var once sync.Once
	return Answer{
		Content: keptReader{bytes.NewReader(f.data), p, e}, Bytes: f.data, Size: e.size,
		Close: func() error { once.Do(func() { p.contents.release(f) }); return nil },
	}, true
}

// readWhole reads a file that is as it was looked at, before and after.
func (p *Provisioner) readWhole(e *entry) ([]byte, error) {
	f, ok := p.unchanged(e)
	if !ok {
		return nil, errChanged
	}
	defer f.Close()
	data := make([]byte, e.size)
	if n, err := (steady{f, e}).ReadAt(data, 0); n != len(data) {
		return nil, fmt.Errorf("reading %s: found %d of %d bytes: %w", e.name, n, e.size, err)
	}
	return data, nil
}

// same reports whether a file is still the one that was looked at.
func (p *Provisioner) same(e *entry) bool {
	info, err := p.root.Stat(e.name)
	return err == nil && info.Mode().IsRegular() && info.Size() == e.size && info.ModTime().Equal(e.mod)
}

// keptReader reads what is in memory, and fails once the file is another one, as [steady] does.
type keptReader struct {
	data *bytes.Reader
	p    *Provisioner
	e    *entry
}

// ReadAt implements [io.ReaderAt].
func (k keptReader) ReadAt(b []byte, off int64) (int, error) {
	n, err := k.data.ReadAt(b, off)
	if !k.p.same(k.e) {
		return 0, errChanged
	}
	return n, err
}
