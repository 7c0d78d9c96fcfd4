package store

import (
	"encoding/binary"
	"hash/crc32"
)

// A log is a file of fixed size, made of sectors with a checksum each. It is filled at once when it is made and only
// overwritten after that, so that a sync has no metadata of the file system to write. Each sector is valid at any time,
// old or new: one that isn't is damage, and is told from a write that a power cut stopped.
const (
	sectorSize = 512 // what a disk writes whole, or not at all
	sectorHead = 24
	sectorRoom = sectorSize - sectorHead
	logPage    = 4096 // a group begins on a page of its own: what was acknowledged is not written again
	perPage    = logPage / sectorSize
	logSize    = 2 << 20
	noFirst    = 0xFFFF
)

// sector is the head of one; its numbers are little-endian.
type sector struct {
	epoch       uint32 // which filling of a log, over both files; 0 = made empty
	group       uint32 // what was synced together; from 1 in each epoch
	prev        uint32 // the group that was synced before this one; 0 = none
	part, parts uint16 // the sector's place in its group
	used        uint16 // bytes of the room
	first       uint16 // where in the room the first record begins; noFirst = none does
}

// put writes the head of the sector at index of log file number, whose room is filled.
func (s sector) put(b []byte, file, index int) {
	le := binary.LittleEndian
	le.PutUint32(b[4:], s.epoch)
	le.PutUint32(b[8:], s.group)
	le.PutUint32(b[12:], s.prev)
	le.PutUint16(b[16:], s.part)
	le.PutUint16(b[18:], s.parts)
	le.PutUint16(b[20:], s.used)
	le.PutUint16(b[22:], s.first)
	le.PutUint32(b, sectorSum(b, file, index))
}

// sectorSum covers the place as well: a sector that was written elsewhere is none.
func sectorSum(b []byte, file, index int) uint32 {
	var place [4]byte
	binary.LittleEndian.PutUint32(place[:], uint32(file)<<24|uint32(index))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, b[4:sectorSize])
}

func getSector(b []byte, file, index int) (sector, bool) {
	le := binary.LittleEndian
	if len(b) < sectorSize || le.Uint32(b) != sectorSum(b, file, index) {
		return sector{}, false
	}
	s := sector{
		epoch: le.Uint32(b[4:]), group: le.Uint32(b[8:]), prev: le.Uint32(b[12:]),
		part: le.Uint16(b[16:]), parts: le.Uint16(b[18:]), used: le.Uint16(b[20:]), first: le.Uint16(b[22:]),
	}
	return s, s.used <= sectorRoom && (s.first == noFirst || s.first < s.used) && s.part < max(s.parts, 1)
}

// emptyLog returns the bytes of a new log.
func emptyLog(file int) []byte {
	b := make([]byte, logSize)
	for i := range logSize / sectorSize {
		sector{first: noFirst}.put(b[i*sectorSize:][:sectorSize], file, i)
	}
	return b
}

// pages returns how many pages a group of that many bytes takes.
func pages(size int) int {
	sectors := (size + sectorRoom - 1) / sectorRoom
	return (sectors + perPage - 1) / perPage
}

// pack lays records out in the sectors of a group that begins at a page, in buf where it is large enough.
func pack(buf []byte, file, page int, head sector, records []logged, size int) []byte {
	n := pages(size) * logPage
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	sectors := n / sectorSize
	head.parts = uint16(sectors)
	first, index, at := uint16(noFirst), 0, 0 // of the sector that is being filled
	finish := func() {
		b := buf[index*sectorSize:][:sectorSize]
		clear(b[sectorHead+at:])
		head.part, head.used, head.first = uint16(index), uint16(at), first
		head.put(b, file, page*perPage+index)
		first, index, at = noFirst, index+1, 0
	}
	for i := range records {
		for rest, begin := records[i].raw, true; len(rest) > 0; {
			if at == sectorRoom {
				finish()
			}
			if begin && first == noFirst {
				first = uint16(at)
			}
			begin = false
			n := copy(buf[index*sectorSize+sectorHead+at:(index+1)*sectorSize], rest)
			at, rest = at+n, rest[n:]
		}
	}
	for index < sectors {
		finish()
	}
	return buf
}
