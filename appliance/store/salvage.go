package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"phonebox/services/dhcp/lease"
)

// salvageStep is what pages are aligned to at least; bbolt uses the page size of the machine, 4,096 bytes or a multiple.
const salvageStep = 4096

// maxSalvage bounds the memory that saving takes; leases.db of a full /16 is a tenth of it.
const maxSalvage = 256 << 20

// sealed is one record found in a damaged file.
type sealed struct {
	seq          uint64
	key, content []byte
}

// salvage finds every record with a good checksum in the bytes of a damaged leases.db, in the order of their sequence
// numbers. It trusts neither the meta pages nor the tree: each place where a page may begin is read as a leaf.
// Pages that bbolt gave up hold older copies; they come earlier in the result and are replaced by the later ones.
func salvage(file []byte) []sealed {
	s := &salvager{work: 16 * len(file)}
	for at := 0; at+pageHeaderSize <= len(file); at += salvageStep {
		s.leaf(file[at:], true)
	}
	slices.SortStableFunc(s.found, func(a, b sealed) int { return cmp.Compare(a.seq, b.seq) })
	return s.found
}

type salvager struct {
	found []sealed
	work  int // bytes that may still be summed: entries of a garbage page could name the same bytes over and over
}

func (s *salvager) leaf(b []byte, buckets bool) {
	h := parseHeader(b)
	if h.flags != flagLeaf {
		return
	}
	for i := range int(h.count) {
		e, err := elementAt(b, h, i)
		switch {
		case err != nil:
			continue // this entry is lost; its neighbours need not be
		case !e.bucket:
			s.entry(e)
		case buckets && len(e.value) >= bucketSize && binary.LittleEndian.Uint64(e.value) == 0:
			if inline, err := inlinePage(e.value); err == nil {
				s.leaf(inline, false)
			}
		}
	}
}

func (s *salvager) entry(e element) {
	if len(e.key) == 0 || len(e.key)+len(e.value) > s.work {
		return
	}
	s.work -= len(e.key) + len(e.value)
	if seq, content, err := unseal(e.key, e.value); err == nil {
		s.found = append(s.found, sealed{seq, e.key, content})
	}
}

// salvaged is what could be saved from a damaged leases.db.
type salvaged struct {
	leases []lease.Record
	values map[string][]byte
}

// readDamaged saves what can be read of the file. An error means that the file itself could not be read.
func readDamaged(path string) (salvaged, error) {
	out := salvaged{values: map[string][]byte{}}
	f, err := os.Open(path)
	if err != nil {
		return out, fmt.Errorf("reading the damaged file: %w", err)
	}
	defer f.Close()
	for _, s := range salvage(readWhatCanBe(f)) {
		switch s.key[0] {
		case leasePrefix:
			if r, err := decodeLease(s.key, s.content); err == nil {
				out.leases = append(out.leases, r)
			}
		case valuePrefix:
			if v := decodeValue(s.content); v != nil {
				out.values[string(s.key[1:])] = v
			} else {
				delete(out.values, string(s.key[1:]))
			}
		}
	}
	return out, nil
}

// readWhatCanBe reads a file block by block; a block that the card cannot read stays zero.
func readWhatCanBe(f *os.File) []byte {
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	file := make([]byte, min(info.Size(), maxSalvage))
	for at := 0; at < len(file); at += salvageStep {
		block := file[at:min(at+salvageStep, len(file))]
		if n, err := f.ReadAt(block, int64(at)); err != nil && err != io.EOF {
			clear(block[n:])
		}
	}
	return file
}
