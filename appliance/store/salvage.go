package store

import (
	"cmp"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"strings"
	"time"

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
	value        []byte // the content with its seal
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
		s.found = append(s.found, sealed{seq, e.key, content, e.value})
	}
}

// salvaged is what could be saved from a damaged leases.db.
type salvaged struct {
	leases  []logged // in the order of their sequence numbers
	values  map[string][]byte
	longest time.Duration // of a lease
	seq     uint64        // the highest
	whole   bool          // the damage hit nothing that was in use
	folded  uint32        // of a whole one: the last epoch of the logs that it has
}

// readDamaged saves what can be read of the file. When the tree is whole, it is what counts; else all copies of records
// do that lie anywhere, the latest of each. None is saved from what is no file or can't be opened.
func readDamaged(path string) salvaged {
	var out salvaged
	f, err := os.Open(path)
	if err != nil {
		return salvaged{values: map[string][]byte{}}
	}
	defer f.Close()
	file := readWhatCanBe(f)
	if found, ok := readTree(file); ok {
		out.take(found)
		out.whole = true
		return out
	}
	out.take(salvage(file))
	return out
}

// take sorts the records by what they are.
func (out *salvaged) take(found []sealed) {
	out.values = map[string][]byte{}
	for _, s := range found {
		out.seq = max(out.seq, s.seq)
		switch s.key[0] {
		case leasePrefix:
			r, err := decodeLease(s.key, s.content)
			if err != nil {
				continue
			}
			out.longest = max(out.longest, duration(&r))
			out.leases = append(out.leases, logged{
				key: s.key, value: s.value, seq: s.seq, addr: r.Address, forgotten: r.State == lease.Forgotten,
			})
		case valuePrefix:
			if v := decodeValue(s.content); v != nil {
				out.values[string(s.key[1:])] = v
			} else {
				delete(out.values, string(s.key[1:]))
			}
		}
	}
	if v := out.values[foldedName]; len(v) == 4 {
		out.folded = binary.BigEndian.Uint32(v)
	}
	delete(out.values, foldedName)
}

// merge adds what the logs hold: all of it, also what had been folded, for leases.db may have lost it.
func (out *salvaged) merge(scans [2]scan) {
	for _, l := range scans {
		for _, r := range l.records {
			out.seq = max(out.seq, r.seq)
			out.leases = append(out.leases, r)
		}
	}
	sortLogged(out.leases)
}

func sortLogged(records []logged) {
	slices.SortStableFunc(records, func(a, b logged) int { return cmp.Compare(a.seq, b.seq) })
}

// settings counts the values that are not the store's own.
func (out *salvaged) settings() (n int) {
	for name := range out.values {
		if !strings.HasPrefix(name, ownPrefix) {
			n++
		}
	}
	return n
}

// readWhatCanBe reads a file block by block; a block that the card cannot read stays zero.
func readWhatCanBe(f *os.File) []byte {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
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
