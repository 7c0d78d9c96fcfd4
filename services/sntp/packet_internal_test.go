package sntp

import (
	"encoding/binary"
	"testing"
	"time"
)

// at writes an NTP timestamp by hand: seconds since 1900 and a fraction of 2^32.
func at(sec, frac uint32) uint64 { return uint64(sec)<<32 | uint64(frac) }

func TestStamp(t *testing.T) {
	for _, tt := range []struct {
		name string
		time time.Time
		want uint64
	}{
		{"1970", time.Unix(0, 0), at(2208988800, 0)},
		{"half a second", time.Unix(0, 5e8), at(2208988800, 1<<31)},
		{"the last second of era 0", time.Date(2036, 2, 7, 6, 28, 15, 0, time.UTC), at(1<<32-1, 0)},
		{"the first second of era 1", time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC), at(0, 0)},
		{"2040", time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC).Add(1000 * time.Second), at(1000, 0)},
	} {
		if got := stamp(tt.time); got != tt.want {
			t.Errorf("%s: got %x, want %x", tt.name, got, tt.want)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		-1: 0, 0: 0, time.Second: 1 << 16, 1500 * time.Millisecond: 3 << 15, 65536 * time.Second: 1<<32 - 1, 1e6 * time.Hour: 1<<32 - 1,
	} {
		if got := short(d); got != want {
			t.Errorf("%s: got %x, want %x", d, got, want)
		}
	}
}

func TestReplyFields(t *testing.T) {
	r := request{version: 3, poll: 10, transmit: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}
	q := Quality{
		Leap: LeapAdd, Stratum: 3, ReferenceID: [4]byte{192, 0, 2, 1}, ReferenceTime: time.Unix(100, 0),
		RootDelay: time.Second, RootDispersion: 2 * time.Second, Precision: -20,
	}
	b := reply(r, q, time.Unix(200, 0), time.Unix(201, 5e8))
	want := []byte{1<<6 | 3<<3 | 4, 3, 10, 0xec, 0, 1, 0, 0, 0, 2, 0, 0, 192, 0, 2, 1}
	want = binary.BigEndian.AppendUint64(want, at(2208988900, 0))
	want = append(want, 1, 2, 3, 4, 5, 6, 7, 8)
	want = binary.BigEndian.AppendUint64(want, at(2208989000, 0))
	want = binary.BigEndian.AppendUint64(want, at(2208989001, 1<<31))
	if string(b) != string(want) {
		t.Errorf("got  %x\nwant %x", b, want)
	}
}

func TestAnUnknownTimeIsSaid(t *testing.T) {
	for name, q := range map[string]Quality{
		"no stratum":        {Stratum: 0},
		"stratum 16":        {Stratum: 16},
		"leap indicator 3":  {Stratum: 2, Leap: LeapUnsync, ReferenceTime: time.Unix(1, 0), ReferenceID: [4]byte{1}},
		"the largest there": {Stratum: 255},
	} {
		b := reply(request{version: 4}, q, time.Unix(0, 0), time.Unix(0, 0))
		if b[0]>>6 != 3 || b[1] != 0 || binary.BigEndian.Uint64(b[16:]) != 0 || binary.BigEndian.Uint32(b[12:]) != 0 {
			t.Errorf("%s: got % x", name, b)
		}
	}
}

func TestParse(t *testing.T) {
	long := func(first byte, n int) []byte { b := make([]byte, n); b[0] = first; return b }
	for _, tt := range []struct {
		name string
		b    []byte
		want dropCode
	}{
		{"version 1", long(1<<3|3, 48), ""},
		{"version 4 with a key", long(4<<3|3, 68), ""},
		{"a leap indicator in the request", long(3<<6|3<<3|3, 48), ""},
		{"47 bytes", long(4<<3|3, 47), dropShort},
		{"nothing", nil, dropShort},
		{"a server's answer", long(4<<3|4, 48), dropMode},
		{"a broadcast", long(4<<3|5, 48), dropMode},
		{"ntpq", long(4<<3|6, 48), dropMode},
		{"ntpdc, the amplifier", long(2<<3|7, 48), dropMode},
		{"version 0", long(3, 48), dropVersion},
		{"version 5", long(5<<3|3, 48), dropVersion},
	} {
		if _, got := parse(tt.b); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzReply: what is answered keeps version, poll and origin of the request, is 48 bytes long, and a request is never
// answered that is not one of a client.
func FuzzReply(f *testing.F) {
	for _, first := range []byte{0x0b, 0x1b, 0x23, 0xe3, 0x24, 0x17} {
		b := make([]byte, 48)
		b[0], b[2] = first, 6
		copy(b[40:], "transmit")
		f.Add(b, uint8(2), int64(1e18))
	}
	f.Fuzz(func(t *testing.T, b []byte, stratum uint8, nano int64) {
		r, code := parse(b)
		if code != "" {
			if code.sentence() == string(code) {
				t.Fatalf("%q has no sentence", code)
			}
			return
		}
		now := time.Unix(0, nano)
		a := reply(r, Quality{Stratum: stratum}, now, now)
		if len(a) != 48 || b[0]&7 != 3 || a[0]&7 != 4 || a[0]>>3&7 != b[0]>>3&7 || a[2] != b[2] || string(a[24:32]) != string(b[40:48]) {
			t.Fatalf("% x was answered with % x", b, a)
		}
		if unknown := stratum == 0 || stratum > 15; unknown != (a[0]>>6 == 3) || unknown != (a[1] == 0) {
			t.Fatalf("stratum %d was told as % x", stratum, a[:2])
		}
	})
}
