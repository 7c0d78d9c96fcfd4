package sntp

import (
	"encoding/binary"
	"time"
)

// packetSize is the length in bytes of an NTP header (RFC 5905 figure 8); what follows it (keys, extensions) is not for us.
const packetSize = 48

// The modes of a packet (RFC 5905 figure 10).
const (
	modeClient = 3
	modeServer = 4
)

// request is what of a request shapes its answer.
type request struct {
	version  uint8
	poll     int8
	transmit [8]byte // comes back as the origin timestamp, untouched
}

// dropCode is the reason of phonebox_sntp_dropped_total.
type dropCode string

const (
	dropShort       dropCode = "short"
	dropMode        dropCode = "mode"
	dropVersion     dropCode = "version"
	dropPort        dropCode = "source_port"
	dropDestination dropCode = "destination"
	dropOwn         dropCode = "own"
	dropInterface   dropCode = "interface"
)

// sentence says the reason to people.
func (c dropCode) sentence() string {
	switch c {
	case dropShort:
		return "it is shorter than the 48 bytes of an NTP packet"
	case dropMode:
		return "it is no request of a client (mode 3); control and monitoring are not served"
	case dropVersion:
		return "its NTP version is not 1 to 4"
	case dropPort:
		return "it came from port 0, which cannot be answered"
	case dropDestination:
		return "it was sent neither to the box nor to the broadcast address of its subnet"
	case dropOwn:
		return "it is the box's own packet"
	case dropInterface:
		return "it came in on an interface that is not served"
	}
	return string(c)
}

// parse reads a request. The code is "" when it is one that is answered.
func parse(b []byte) (request, dropCode) {
	if len(b) < packetSize {
		return request{}, dropShort
	}
	r := request{version: b[0] >> 3 & 7, poll: int8(b[2])}
	copy(r.transmit[:], b[40:48])
	switch {
	case b[0]&7 != modeClient:
		return request{}, dropMode
	case r.version < 1 || r.version > 4:
		return request{}, dropVersion
	}
	return r, ""
}

// reply writes the answer to a request (RFC 5905 section 9.2): received is when it came in and sent is now, both on the
// box's clock. A box that does not know the time says so: leap indicator 3 and stratum 0, which is how 16 is written.
func reply(r request, q Quality, received, sent time.Time) []byte {
	b := make([]byte, packetSize)
	if q.Stratum == 0 || q.Stratum > 15 || q.Leap == LeapUnsync {
		q = Quality{Leap: LeapUnsync, Precision: q.Precision}
	}
	b[0] = byte(q.Leap)<<6 | r.version<<3 | modeServer
	b[1], b[2], b[3] = q.Stratum, byte(r.poll), byte(q.Precision)
	binary.BigEndian.PutUint32(b[4:], short(q.RootDelay))
	binary.BigEndian.PutUint32(b[8:], short(q.RootDispersion))
	copy(b[12:], q.ReferenceID[:])
	if !q.ReferenceTime.IsZero() {
		binary.BigEndian.PutUint64(b[16:], stamp(q.ReferenceTime))
	}
	copy(b[24:], r.transmit[:])
	binary.BigEndian.PutUint64(b[32:], stamp(received))
	binary.BigEndian.PutUint64(b[40:], stamp(sent))
	return b
}

// ntpEpoch is the number of seconds from 1900 to 1970 (RFC 5905 figure 4).
const ntpEpoch = 2208988800

// stamp writes a time as an NTP timestamp: seconds since 1900, modulo 2^32 (era 1 begins in 2036), and a binary fraction.
func stamp(t time.Time) uint64 {
	return uint64(uint32(t.Unix()+ntpEpoch))<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// short writes a duration in the NTP short format: 16 bits of seconds and 16 of fraction, as much as fits.
func short(d time.Duration) uint32 {
	const largest = 1<<32 - 1
	if d <= 0 {
		return 0
	}
	sec, rest := uint64(d/time.Second), uint64(d%time.Second)
	return uint32(min(sec<<16|rest<<16/uint64(time.Second), largest))
}
