package sntp

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// packetSize is the length in bytes of an NTP header (RFC 5905 figure 8); what follows it (keys, extensions) is not for us.
const packetSize = 48

// port is where NTP servers listen.
const port = 123

// The modes of a packet (RFC 5905 figure 10). Version 1 of the protocol has none: the field is 0 (RFC 1059).
const (
	modeNone      = 0
	modeActive    = 1
	modePassive   = 2
	modeClient    = 3
	modeServer    = 4
	modeBroadcast = 5
	modeControl   = 6
	modePrivate   = 7
)

// The offsets of the fields that are written apart.
const (
	atReceive  = 32
	atTransmit = 40
)

// The kiss codes that are sent as reference id of stratum 0 (RFC 5905 figure 13).
var (
	kissInit = [4]byte{'I', 'N', 'I', 'T'} // the clock has not been set yet
	kissRate = [4]byte{'R', 'A', 'T', 'E'} // the client asks too often
)

// maxDispersion is what is said of a time that nothing is known of (RFC 5905 figure 28: MAXDISP).
const maxDispersion = 16 * time.Second

// request is what of a request shapes its answer.
type request struct {
	version  uint8
	mode     uint8
	poll     int8
	transmit [8]byte // comes back as the origin timestamp, untouched
}

// parse reads a request that came from that port. The code is answered when it is one that is answered.
func parse(b []byte, from uint16) (request, dropCode) {
	if len(b) == 0 {
		return request{}, dropShort
	}
	r := request{version: b[0] >> 3 & 7, mode: b[0] & 7}
	switch {
	case r.mode == modeControl || r.mode == modePrivate: // of any length
		return request{}, dropControl
	case len(b) < packetSize:
		return request{}, dropShort
	case r.version < 1 || r.version > 4:
		return request{}, dropVersion
	case r.mode == modeServer || r.mode == modePassive:
		return request{}, dropAnswer
	case r.mode == modeBroadcast:
		return request{}, dropBroadcast
	case r.mode == modeNone && (r.version != 1 || from == port): // two servers on their port could answer each other for ever
		return request{}, dropMode
	}
	r.poll = int8(b[2])
	copy(r.transmit[:], b[atTransmit:packetSize])
	return r, answered
}

// answerMode is the mode of the answer.
func (r request) answerMode() byte {
	if r.mode == modeActive {
		return modePassive
	}
	return modeServer
}

// writeReply writes the answer to a request but for its transmit timestamp (RFC 5905 section 9.2) into b, of 48 bytes. A
// box that does not know the time says so: leap indicator 3 and stratum 0, which is how 16 is written, with the kiss code
// INIT. received is when the request came in, an NTP timestamp.
func writeReply(b []byte, r *request, q *Quality, received uint64) {
	b[0] = r.version<<3 | r.answerMode()
	b[2] = byte(r.poll)
	writeQuality(b, q)
	copy(b[24:32], r.transmit[:])
	binary.BigEndian.PutUint64(b[atReceive:], received)
}

// writeQuality writes what the box knows of its time: leap indicator (b[0] is set otherwise), stratum, precision, root delay
// and dispersion, reference id and time.
func writeQuality(b []byte, q *Quality) {
	b[3] = byte(q.Precision)
	if !q.known() {
		id := q.ReferenceID
		if id == ([4]byte{}) || q.Stratum > 0 && q.Stratum < 16 {
			id = kissInit
		}
		b[0] |= byte(LeapUnsync) << 6
		b[1] = 0
		binary.BigEndian.PutUint32(b[4:], 0)
		binary.BigEndian.PutUint32(b[8:], short(max(q.RootDispersion, maxDispersion)))
		copy(b[12:16], id[:])
		binary.BigEndian.PutUint64(b[16:], 0)
		return
	}
	b[0] |= byte(q.Leap) << 6
	b[1] = q.Stratum
	binary.BigEndian.PutUint32(b[4:], short(q.RootDelay))
	binary.BigEndian.PutUint32(b[8:], short(q.RootDispersion))
	copy(b[12:16], q.ReferenceID[:])
	var reference uint64
	if !q.ReferenceTime.IsZero() {
		reference = stamp(q.ReferenceTime)
	}
	binary.BigEndian.PutUint64(b[16:], reference)
}

// minPoll is the least that a client that asks too often is told to wait: 2^6 s (RFC 5905 section 7.2: MINPOLL is 4, which
// clients take up to).
const minPoll = 6

// writeKiss turns an answer into the kiss of death RATE (RFC 5905 section 7.4).
func writeKiss(b []byte) {
	b[0] |= byte(LeapUnsync) << 6
	b[1] = 0
	b[2] = byte(max(int8(b[2]), minPoll))
	copy(b[12:16], kissRate[:])
}

// broadcastVersion is what mode-5 packets say: clients of version 4 take 3, those of version 3 need not take 4.
const broadcastVersion = 3

// writeBroadcast writes a mode-5 packet but for its transmit timestamp (RFC 5905 section 8) into b, of 48 bytes.
func writeBroadcast(b []byte, q *Quality, interval time.Duration) {
	clear(b[:packetSize])
	b[0] = broadcastVersion<<3 | modeBroadcast
	b[2] = byte(bits.Len64(uint64(interval/time.Second)) - 1)
	writeQuality(b, q)
}

// ntpEpoch is the number of seconds from 1900 to 1970 (RFC 5905 figure 4).
const ntpEpoch = 2208988800

// stamp writes a time as an NTP timestamp: seconds since 1900, modulo 2^32 (era 1 begins in 2036), and a binary fraction.
func stamp(t time.Time) uint64 {
	return uint64(uint32(t.Unix()+ntpEpoch))<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// maxStay is how long a request may have been here when it is answered.
const maxStay = 5 * time.Second

// stayed reports whether a request that came in at received can have been answered at sent. It can not when the clock was
// stepped in between; timestamps are compared across the end of an era.
func stayed(received, sent uint64) bool {
	const most = uint64(maxStay/time.Second) << 32
	return sent-received <= most
}

// short writes a duration in the NTP short format: 16 bits of seconds and 16 of fraction, as much as fits. It is rounded up, as
// chronyd does it: what the time may be wrong by must not be told as less, and never as nothing.
func short(d time.Duration) uint32 {
	const largest = 1<<32 - 1
	if d <= 0 {
		return 0
	}
	sec, rest := uint64(d/time.Second), uint64(d%time.Second)
	return uint32(min(sec<<16+(rest<<16+uint64(time.Second)-1)/uint64(time.Second), largest))
}
