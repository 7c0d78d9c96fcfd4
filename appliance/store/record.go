package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"time"

	"phonebox/services/dhcp/lease"
)

// Every value in both files is sealed: CRC-32C (4 bytes) of what follows and of the key, a sequence number (8 bytes)
// and the content. The sequence tells which of two copies is the later one when a damaged file is read page by page.
const sealSize = 4 + 8

// Keys of leases.db: a lease is leasePrefix and the address, a value is valuePrefix and its name.
const (
	leasePrefix = 'L'
	valuePrefix = 'V'
)

// errSeal says that a stored value is not what was written under that key.
var errSeal = errors.New("checksum does not match")

func seal(key []byte, seq uint64, content []byte) []byte {
	out := make([]byte, sealSize, sealSize+len(content))
	binary.BigEndian.PutUint64(out[4:], seq)
	out = append(out, content...)
	binary.BigEndian.PutUint32(out, sealSum(key, out[4:]))
	return out
}

// unseal returns what seal was given; content is part of value.
func unseal(key, value []byte) (seq uint64, content []byte, err error) {
	if len(value) < sealSize || binary.BigEndian.Uint32(value) != sealSum(key, value[4:]) {
		return 0, nil, errSeal
	}
	return binary.BigEndian.Uint64(value[4:]), value[sealSize:], nil
}

func sealSum(key, rest []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, rest)
}

// storedLease is a record as JSON. Text that came from a packet is stored as bytes: JSON text would lose what is no
// UTF-8, and a key must come back exactly.
type storedLease struct {
	lease.Record
	Key         []byte `json:"key"`
	Hostname    []byte `json:"hostname,omitempty"`
	VendorClass []byte `json:"vendor_class,omitempty"`
}

func encodeLease(r lease.Record) (key, content []byte, err error) {
	if !r.Address.IsValid() {
		return nil, nil, fmt.Errorf("storing a lease of %q: found no address", r.Key)
	}
	r.Address = r.Address.Unmap().WithZone("")
	r.Start, r.End = r.Start.UTC(), r.End.UTC()
	content, err = json.Marshal(storedLease{
		Record: r, Key: []byte(r.Key), Hostname: []byte(r.Hostname), VendorClass: []byte(r.VendorClass),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("storing the lease of %s: %w", r.Address, err)
	}
	return leaseKey(r.Address), content, nil
}

func decodeLease(key, content []byte) (lease.Record, error) {
	var s storedLease
	if err := json.Unmarshal(content, &s); err != nil {
		return lease.Record{}, fmt.Errorf("reading a lease: %w", err)
	}
	r := s.Record
	r.Key, r.Hostname, r.VendorClass = lease.Key(s.Key), string(s.Hostname), string(s.VendorClass)
	if string(leaseKey(r.Address)) != string(key) {
		return lease.Record{}, fmt.Errorf("reading a lease: found %s under the key %x", r.Address, key)
	}
	r.Start, r.End = utc(r.Start), utc(r.End)
	return r, nil
}

// utc gives the zero time back as the zero time, so that a record compares equal to what was stored.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

func leaseKey(a netip.Addr) []byte { return append([]byte{leasePrefix}, a.AsSlice()...) }

func valueKey(name string) []byte { return append([]byte{valuePrefix}, name...) }
