package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// checkFile walks a whole bbolt file with plain reads and returns the first fault: a page outside of the file, of the
// wrong kind, used twice or lost, an entry outside of its page, keys out of order. bbolt's own check finds the same
// things, but on mapped memory and on a goroutine of its own, where a fault ends the process.
func checkFile(r io.ReaderAt, size int64) error {
	m, err := readMeta(r)
	if err != nil {
		return err
	}
	if m.high < 4 || m.high > uint64(size)/uint64(m.pageSize) {
		return fmt.Errorf("the file ends after %d bytes, its meta page counts %d pages of %d", size, m.high, m.pageSize)
	}
	if err := checkMetas(r, m); err != nil {
		return err
	}
	c := newChecker(r, m)
	if err := c.freelist(); err != nil {
		return err
	}
	if err := c.walk(m.root, nil, nil, 0); err != nil {
		return err
	}
	for id := range c.used {
		if !c.used[id] && !c.free[id] && m.freelist != noFreelist {
			return fmt.Errorf("page %d is lost", id)
		}
	}
	return nil
}

// checkMetas looks at both meta pages. bbolt lives with one; the other may have been the later one.
func checkMetas(r io.ReaderAt, m meta) error {
	for id := range uint64(2) {
		b := make([]byte, pageHeaderSize+metaSize)
		if _, err := r.ReadAt(b, int64(id)*int64(m.pageSize)); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		if h := parseHeader(b); h.id != id || h.flags != flagMeta {
			return fmt.Errorf("page %d is no meta page", id)
		}
		if _, err := parseMeta(b); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
	}
	return nil
}

// readTree returns every record of leases.db when the tree, from its newest root to its last leaf, is whole.
func readTree(file []byte) ([]sealed, bool) {
	r := bytes.NewReader(file)
	m, err := readMeta(r)
	if err != nil || m.high < 4 || m.high > uint64(len(file))/uint64(m.pageSize) || checkMetas(r, m) != nil {
		return nil, false
	}
	var out []sealed
	c := newChecker(r, m)
	c.visit = func(e element) error {
		seq, content, err := unseal(e.key, e.value)
		if err == nil && len(e.key) > 0 {
			out = append(out, sealed{seq, e.key, content, e.value})
		}
		return err
	}
	if c.walk(m.root, nil, nil, 0) != nil {
		return nil, false
	}
	slices.SortFunc(out, func(a, b sealed) int { return cmp.Compare(a.seq, b.seq) })
	return out, true
}

type checker struct {
	r          io.ReaderAt
	meta       meta
	used, free []bool              // by page
	visit      func(element) error // for each entry that is no bucket; nil = none
}

func newChecker(r io.ReaderAt, m meta) *checker {
	c := &checker{r: r, meta: m, used: make([]bool, m.high), free: make([]bool, m.high)}
	c.used[0], c.used[1] = true, true
	return c
}

// page reads page id with its overflow and marks it as used.
func (c *checker) page(id uint64) ([]byte, pageHeader, error) {
	if id < 2 || id >= c.meta.high {
		return nil, pageHeader{}, fmt.Errorf("page %d is outside of the file", id)
	}
	size := int64(c.meta.pageSize)
	b := make([]byte, size)
	if _, err := c.r.ReadAt(b, int64(id)*size); err != nil {
		return nil, pageHeader{}, fmt.Errorf("page %d: %w", id, err)
	}
	h := parseHeader(b)
	if h.id != id {
		return nil, h, fmt.Errorf("page %d says that it is page %d", id, h.id)
	}
	if uint64(h.overflow) >= c.meta.high-id {
		return nil, h, fmt.Errorf("page %d goes on behind the end of the file", id)
	}
	for p := id; p <= id+uint64(h.overflow); p++ {
		if c.used[p] || c.free[p] {
			return nil, h, fmt.Errorf("page %d is used twice", p)
		}
		c.used[p] = true
	}
	if h.overflow > 0 {
		b = make([]byte, size*(1+int64(h.overflow)))
		if _, err := c.r.ReadAt(b, int64(id)*size); err != nil {
			return nil, h, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return b, h, nil
}

func (c *checker) freelist() error {
	if c.meta.freelist == noFreelist {
		return nil
	}
	b, h, err := c.page(c.meta.freelist)
	if err != nil {
		return err
	}
	if h.flags != flagFreelist {
		return fmt.Errorf("page %d is no list of free pages", h.id)
	}
	b = b[pageHeaderSize:]
	count := uint64(h.count)
	if count == 0xFFFF { // too many for the header: the first entry counts them
		count, b = binary.LittleEndian.Uint64(b), b[8:]
	}
	if count > uint64(len(b)/8) {
		return fmt.Errorf("page %d lists more free pages than it holds", h.id)
	}
	for i := range count {
		id := binary.LittleEndian.Uint64(b[8*i:])
		if id < 2 || id >= c.meta.high || c.free[id] || c.used[id] {
			return fmt.Errorf("page %d lists page %d as free, which is wrong", h.id, id)
		}
		c.free[id] = true
	}
	return nil
}

// walk checks the tree below page id, whose keys must lie in [low, high); nil is no bound.
func (c *checker) walk(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return errors.New("the tree is too deep")
	}
	b, h, err := c.page(id)
	if err != nil {
		return err
	}
	if h.flags != flagBranch && h.flags != flagLeaf || h.flags == flagBranch && h.count == 0 {
		return fmt.Errorf("page %d is neither branch nor leaf", id)
	}
	entries, err := sortedEntries(b, h, low, high)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for i, e := range entries {
		switch {
		case h.flags == flagBranch:
			next := high
			if i+1 < len(entries) {
				next = entries[i+1].key
			}
			err = c.walk(e.child, e.key, next, depth+1)
		case e.bucket:
			err = c.bucket(e.value, depth)
		case c.visit != nil:
			err = c.visit(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket checks the bucket whose value is given: a tree of its own, or a single page inside of the value.
func (c *checker) bucket(value []byte, depth int) error {
	if len(value) < bucketSize {
		return errors.New("a bucket is cut off")
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return c.walk(root, nil, nil, depth+1)
	}
	inline, err := inlinePage(value)
	if err != nil {
		return err
	}
	entries, err := sortedEntries(inline, parseHeader(inline), nil, nil)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.bucket {
			return errors.New("an inline bucket holds a bucket")
		}
		if c.visit != nil {
			if err := c.visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// inlinePage returns the page inside of a bucket's value.
func inlinePage(value []byte) ([]byte, error) {
	b := value[bucketSize:]
	if len(b) < pageHeaderSize {
		return nil, errors.New("an inline bucket is cut off")
	}
	if h := parseHeader(b); h.flags != flagLeaf || h.overflow != 0 {
		return nil, errors.New("an inline bucket is no leaf")
	}
	return b, nil
}

func sortedEntries(b []byte, h pageHeader, low, high []byte) ([]element, error) {
	entries := make([]element, 0, min(int(h.count), len(b)/elementSize))
	for i := range int(h.count) {
		e, err := elementAt(b, h, i)
		if err != nil {
			return nil, err
		}
		if i > 0 && bytes.Compare(entries[i-1].key, e.key) >= 0 || i == 0 && low != nil && bytes.Compare(low, e.key) > 0 ||
			high != nil && bytes.Compare(e.key, high) >= 0 {
			return nil, fmt.Errorf("the key of entry %d is out of order", i)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
