package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/dhcp/lease"
)

// The content of a lease is a version byte and fields: a number, a length and that many bytes. A field that has its zero
// value is left out, one with an unknown number is passed over. Text and keys are stored as they came from the packet.
// A content that begins with '{' is a record of the first version of phonebox, which wrote JSON.
const leaseVersion = 1

// The fields of a lease. A number is never used for something else. The address is in the key.
const (
	fieldKey = iota + 1
	fieldHType
	fieldHWAddr
	fieldClientID
	fieldState
	fieldStart    // seconds and nanoseconds
	fieldEnd      // likewise
	fieldDuration // nanoseconds
	fieldTrusted  // there or not
	fieldHostname
	fieldVendorClass
	fieldSameHWAddr // there when the hardware address is the key
)

// maxLease bounds the content of one lease: RFC 3396 lets a client send long options, nobody needs such ones.
const maxLease = 16 << 10

var errLease = errors.New("it is no lease")

// appendLease appends the content of a lease to b.
func appendLease(b []byte, r *lease.Record) ([]byte, error) {
	if !r.Address.IsValid() {
		return b, fmt.Errorf("storing a lease of %q: found no address", r.Key)
	}
	for _, t := range []time.Time{r.Start, r.End} {
		if y := t.UTC().Year(); y < 0 || y > 9999 {
			return b, fmt.Errorf("storing the lease of %s: found the year %d, allowed are 0 to 9999", r.Address, y)
		}
	}
	if n := len(r.Key) + len(r.HWAddr) + len(r.ClientID) + len(r.Hostname) + len(r.VendorClass) + len(r.State); n > maxLease {
		return b, fmt.Errorf("storing the lease of %s: found %d bytes of names, allowed are %d", r.Address, n, maxLease)
	}
	b = append(b, leaseVersion)
	b = appendText(b, fieldKey, string(r.Key))
	b = appendNumber(b, fieldHType, uint64(r.HType))
	if len(r.HWAddr) > 0 && string(r.HWAddr) == string(r.Key) {
		b = append(b, fieldSameHWAddr, 0)
	} else {
		b = appendText(b, fieldHWAddr, string(r.HWAddr))
	}
	b = appendText(b, fieldClientID, string(r.ClientID))
	b = appendText(b, fieldState, string(r.State))
	b = appendTime(b, fieldStart, r.Start)
	b = appendTime(b, fieldEnd, r.End)
	b = appendNumber(b, fieldDuration, uint64(r.Duration))
	if r.Trusted {
		b = append(b, fieldTrusted, 0)
	}
	b = appendText(b, fieldHostname, r.Hostname)
	return appendText(b, fieldVendorClass, r.VendorClass), nil
}

func appendText(b []byte, field byte, s string) []byte {
	if s == "" {
		return b
	}
	b = binary.AppendUvarint(append(b, field), uint64(len(s)))
	return append(b, s...)
}

func appendNumber(b []byte, field byte, n uint64) []byte {
	if n == 0 {
		return b
	}
	at := len(b) + 1
	b = binary.AppendUvarint(append(b, field, 0), n)
	b[at] = byte(len(b) - at - 1)
	return b
}

func appendTime(b []byte, field byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	at := len(b) + 1
	b = binary.AppendVarint(append(b, field, 0), t.Unix())
	b = binary.AppendUvarint(b, uint64(t.Nanosecond()))
	b[at] = byte(len(b) - at - 1)
	return b
}

// decodeLease reads what appendLease wrote, or the JSON of before.
func decodeLease(key, content []byte) (lease.Record, error) {
	addr, ok := keyAddress(key)
	if !ok {
		return lease.Record{}, fmt.Errorf("reading a lease: found the key %x, which is no address", key)
	}
	if len(content) > 0 && content[0] == '{' {
		return decodeJSON(addr, content)
	}
	if len(content) == 0 || content[0] != leaseVersion {
		return lease.Record{}, fmt.Errorf("reading the lease of %s: %w", addr, errLease)
	}
	r := lease.Record{Address: addr}
	same := false
	for b := content[1:]; len(b) > 0; {
		n, used := binary.Uvarint(b[1:])
		if used <= 0 || n > uint64(len(b)-1-used) {
			return lease.Record{}, fmt.Errorf("reading the lease of %s: %w", addr, errLease)
		}
		value := b[1+used:][:n]
		if b[0] == fieldSameHWAddr {
			same = true
		} else if err := setField(&r, b[0], value); err != nil {
			return lease.Record{}, fmt.Errorf("reading the lease of %s: %w", addr, err)
		}
		b = b[1+used+int(n):]
	}
	if same {
		r.HWAddr = []byte(r.Key)
	}
	return r, nil
}

func setField(r *lease.Record, field byte, value []byte) (err error) {
	switch field {
	case fieldKey:
		r.Key = lease.Key(value)
	case fieldHType:
		var n uint64
		n, err = number(value)
		r.HType = uint8(n)
	case fieldHWAddr:
		r.HWAddr = append([]byte(nil), value...)
	case fieldClientID:
		r.ClientID = append([]byte(nil), value...)
	case fieldState:
		r.State = state(value)
	case fieldStart:
		r.Start, err = moment(value)
	case fieldEnd:
		r.End, err = moment(value)
	case fieldDuration:
		var n uint64
		n, err = number(value)
		r.Duration = time.Duration(n)
	case fieldTrusted:
		r.Trusted = true
	case fieldHostname:
		r.Hostname = string(value)
	case fieldVendorClass:
		r.VendorClass = string(value)
	}
	return err
}

// state returns one string for all records of a state.
func state(b []byte) lease.State {
	for _, s := range []lease.State{lease.Bound, lease.Released, lease.Declined, lease.Expired, lease.Forgotten} {
		if string(b) == string(s) {
			return s
		}
	}
	return lease.State(b)
}

func number(b []byte) (uint64, error) {
	n, used := binary.Uvarint(b)
	if used != len(b) || used == 0 {
		return 0, errLease
	}
	return n, nil
}

func moment(b []byte) (time.Time, error) {
	sec, used := binary.Varint(b)
	if used <= 0 {
		return time.Time{}, errLease
	}
	nano, err := number(b[used:])
	t := time.Unix(sec, int64(nano)).UTC()
	if err != nil || nano >= 1e9 || t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}, errLease
	}
	return t, nil
}

// jsonLease is a record of the first version. What came from a packet was stored as bytes.
type jsonLease struct {
	lease.Record
	Key         []byte `json:"key"`
	Hostname    []byte `json:"hostname,omitempty"`
	VendorClass []byte `json:"vendor_class,omitempty"`
}

func decodeJSON(addr netip.Addr, content []byte) (lease.Record, error) {
	var s jsonLease
	if err := json.Unmarshal(content, &s); err != nil {
		return lease.Record{}, fmt.Errorf("reading the lease of %s: %w", addr, err)
	}
	r := s.Record
	r.Key, r.Hostname, r.VendorClass = lease.Key(s.Key), string(s.Hostname), string(s.VendorClass)
	if r.Address != addr {
		return lease.Record{}, fmt.Errorf("reading the lease of %s: found one of %s", addr, r.Address)
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
