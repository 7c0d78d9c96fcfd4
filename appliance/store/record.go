package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

// Every value in both files, and every record of the logs, is sealed: CRC-32C (4 bytes) of what follows and of the key,
// a sequence number (8 bytes) and the content. The sequence tells which of two copies is the later one.
const sealSize = 4 + 8

// Keys of leases.db: a lease is leasePrefix and the address, a value is valuePrefix and its name.
const (
	leasePrefix = 'L'
	valuePrefix = 'V'
)

// errSeal says that a stored value is not what was written under that key.
var errSeal = errors.New("checksum does not match")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(key []byte, seq uint64, content []byte) []byte {
	out := make([]byte, sealSize, sealSize+len(content))
	out = append(out, content...)
	sealInPlace(key, seq, out)
	return out
}

// sealInPlace fills in the first sealSize bytes of a value whose content follows them.
func sealInPlace(key []byte, seq uint64, value []byte) {
	binary.BigEndian.PutUint64(value[4:], seq)
	binary.BigEndian.PutUint32(value, sealSum(key, value[4:]))
}

// unseal returns what seal was given; content is part of value.
func unseal(key, value []byte) (seq uint64, content []byte, err error) {
	if len(value) < sealSize || binary.BigEndian.Uint32(value) != sealSum(key, value[4:]) {
		return 0, nil, errSeal
	}
	return binary.BigEndian.Uint64(value[4:]), value[sealSize:], nil
}

func sealSum(key, rest []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, rest)
}

func leaseKey(a netip.Addr) []byte { return append([]byte{leasePrefix}, a.AsSlice()...) }

func valueKey(name string) []byte { return append([]byte{valuePrefix}, name...) }

// keyAddress returns the address of a lease's key.
func keyAddress(key []byte) (netip.Addr, bool) {
	if len(key) == 0 || key[0] != leasePrefix {
		return netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(key[1:])
	return a, ok && a == a.Unmap()
}

// A value is a byte that says whether it is there, and its content. A removed value stays as a mark: without it, saving
// a damaged file would bring an older copy back.
func encodeValue(content []byte) []byte {
	if content == nil {
		return []byte{0}
	}
	return append([]byte{1}, content...)
}

func decodeValue(content []byte) []byte {
	if len(content) == 0 || content[0] == 0 {
		return nil
	}
	return append([]byte{}, content[1:]...)
}
