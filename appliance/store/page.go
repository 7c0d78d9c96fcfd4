package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// What bbolt writes, read without trusting it (bbolt's internal/common: page.go, meta.go, inode.go). Numbers are in the
// byte order of the machine; all that phonebox runs on are little-endian.
const (
	pageHeaderSize = 16
	elementSize    = 16
	metaSize       = 64
	bucketSize     = 16 // a bucket's value: root page and sequence, then the page itself when it is inline

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf element

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	noFreelist  = ^uint64(0)

	minPageSize = 1024
	maxPageSize = 1 << 16
	maxDepth    = 32
)

type pageHeader struct {
	id           uint64
	flags, count uint16
	overflow     uint32 // further pages that belong to this one
}

// parseHeader needs at least pageHeaderSize bytes.
func parseHeader(b []byte) pageHeader {
	le := binary.LittleEndian
	return pageHeader{id: le.Uint64(b), flags: le.Uint16(b[8:]), count: le.Uint16(b[10:]), overflow: le.Uint32(b[12:])}
}

// element is one entry of a branch page (child) or a leaf page (value; bucket when the value is one).
type element struct {
	key, value []byte
	child      uint64
	bucket     bool
}

// elementAt reads entry i of a page whose bytes, overflow included, are b. Nothing of it is trusted.
func elementAt(b []byte, h pageHeader, i int) (element, error) {
	at := pageHeaderSize + i*elementSize
	if at+elementSize > len(b) {
		return element{}, fmt.Errorf("entry %d lies outside of the page", i)
	}
	le, raw := binary.LittleEndian, b[at:]
	var e element
	var pos, ksize, vsize uint64
	if h.flags == flagBranch {
		pos, ksize, e.child = uint64(le.Uint32(raw)), uint64(le.Uint32(raw[4:])), le.Uint64(raw[8:])
	} else {
		e.bucket = le.Uint32(raw)&flagBucket != 0
		pos, ksize, vsize = uint64(le.Uint32(raw[4:])), uint64(le.Uint32(raw[8:])), uint64(le.Uint32(raw[12:]))
	}
	start := uint64(at) + pos // positions count from the entry itself
	if start+ksize+vsize > uint64(len(b)) {
		return element{}, fmt.Errorf("the data of entry %d lies outside of the page", i)
	}
	e.key, e.value = b[start:start+ksize], b[start+ksize:start+ksize+vsize]
	return e, nil
}

type meta struct {
	pageSize             uint32
	root, freelist, high uint64 // high: the first page that is not in use
	txid                 uint64
}

// parseMeta reads the meta page that begins at b.
func parseMeta(b []byte) (meta, error) {
	if len(b) < pageHeaderSize+metaSize {
		return meta{}, io.ErrUnexpectedEOF
	}
	b = b[pageHeaderSize : pageHeaderSize+metaSize]
	le := binary.LittleEndian
	sum := fnv.New64a()
	sum.Write(b[:56])
	if le.Uint32(b) != metaMagic || le.Uint32(b[4:]) != metaVersion || le.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, errors.New("it is no valid meta page")
	}
	m := meta{
		pageSize: le.Uint32(b[8:]), root: le.Uint64(b[16:]), freelist: le.Uint64(b[32:]), high: le.Uint64(b[40:]),
		txid: le.Uint64(b[48:]),
	}
	if m.pageSize < minPageSize || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0 {
		return meta{}, fmt.Errorf("found a page size of %d", m.pageSize)
	}
	return m, nil
}

// readMeta finds the meta page that bbolt would use: the later valid one of the first two pages.
func readMeta(r io.ReaderAt) (meta, error) {
	buf := make([]byte, pageHeaderSize+metaSize)
	read := func(at int64) (meta, error) {
		if _, err := r.ReadAt(buf, at); err != nil {
			return meta{}, err
		}
		return parseMeta(buf)
	}
	first, err := read(0)
	if err == nil {
		if second, err := read(int64(first.pageSize)); err == nil && second.pageSize == first.pageSize && second.txid > first.txid {
			return second, nil
		}
		return first, nil
	}
	for size := int64(minPageSize); size <= maxPageSize; size *= 2 {
		if second, err := read(size); err == nil && int64(second.pageSize) == size {
			return second, nil
		}
	}
	return meta{}, errors.New("neither meta page can be read")
}
