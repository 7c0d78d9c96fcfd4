package sntp

import (
	"encoding/binary"
	"testing"
	"time"
)

// at writes an NTP timestamp by hand: seconds since 1900 and a fraction of 2^32.
func at(sec, frac uint32) uint64 { return uint64(sec)<<32 | uint64(frac) }

// reply is the whole answer.
func reply(r request, q Quality, received, sent time.Time) []byte {
	b := make([]byte, packetSize)
	writeReply(b, &r, &q, stamp(received))
	binary.BigEndian.PutUint64(b[atTransmit:], stamp(sent))
	return b
}

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
		-1: 0, 0: 0, 1: 1, 3 * time.Microsecond: 1, 16 * time.Microsecond: 2, 999999999: 1 << 16, time.Second: 1 << 16, 1500 * time.Millisecond: 3 << 15, 65536 * time.Second: 1<<32 - 1, 1e6 * time.Hour: 1<<32 - 1,
	} {
		if got := short(d); got != want {
			t.Errorf("%s: got %x, want %x", d, got, want)
		}
	}
}

func TestReplyFields(t *testing.T) {
	r := request{version: 3, mode: modeClient, poll: 10, transmit: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}
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
		if b[0]>>6 != 3 || b[1] != 0 || binary.BigEndian.Uint64(b[16:]) != 0 || string(b[12:16]) != "INIT" || binary.BigEndian.Uint32(b[8:]) != 16<<16 {
			t.Errorf("%s: got % x, want the kiss code INIT and a dispersion of 16 s", name, b)
		}
	}
}

func TestParse(t *testing.T) {
	long := func(first byte, n int) []byte { b := make([]byte, n); b[0] = first; return b }
	for _, tt := range []struct {
		name string
		b    []byte
		from uint16
		want dropCode
	}{
		{"version 1", long(1<<3|3, 48), 1024, answered},
		{"version 1 without a mode (RFC 1059)", long(1<<3, 48), 1024, answered},
		{"version 1 without a mode, of a server", long(1<<3, 48), 123, dropMode},
		{"version 2", long(2<<3|3, 48), 1024, answered},
		{"version 3 from the port of servers", long(3<<3|3, 48), 123, answered},
		{"version 4 with a key", long(4<<3|3, 68), 1024, answered},
		{"a leap indicator in the request", long(3<<6|3<<3|3, 48), 1024, answered},
		{"symmetric, as Windows asks", long(3<<3|1, 48), 123, answered},
		{"no mode", long(4<<3, 48), 1024, dropMode},
		{"47 bytes", long(4<<3|3, 47), 1024, dropShort},
		{"nothing", nil, 1024, dropShort},
		{"a server's answer", long(4<<3|4, 48), 123, dropAnswer},
		{"a passive peer's answer", long(4<<3|2, 48), 123, dropAnswer},
		{"a broadcast", long(4<<3|5, 48), 123, dropBroadcast},
		{"ntpq", long(4<<3|6, 12), 1024, dropControl},
		{"ntpdc, the amplifier", long(2<<3|7, 8), 1024, dropControl},
		{"version 0", long(3, 48), 1024, dropVersion},
		{"version 0 without a mode", long(0, 48), 1024, dropVersion},
		{"version 5", long(5<<3|3, 48), 1024, dropVersion},
	} {
		r, got := parse(tt.b, tt.from)
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got.label(), tt.want.label())
		}
		if want := byte(modeServer); got == answered {
			if tt.b[0]&7 == modeActive {
				want = modePassive
			}
			if r.answerMode() != want {
				t.Errorf("%s: answered with mode %d, want %d", tt.name, r.answerMode(), want)
			}
		}
	}
	for c := answered + 1; c < dropCodes; c++ {
		if c.label() == "" || c.sentence() == "" {
			t.Errorf("reason %d has no label or no sentence", c)
		}
	}
}

func TestAKissIsOne(t *testing.T) {
	for _, q := range []Quality{{Stratum: 2, ReferenceID: [4]byte{10, 0, 0, 1}, ReferenceTime: time.Unix(1, 0)}, {}} {
		b := reply(request{version: 3, mode: modeClient, poll: 4, transmit: [8]byte{1, 2}}, q, time.Unix(2, 0), time.Unix(3, 0))
		writeKiss(b)
		if b[0] != 3<<6|3<<3|4 || b[1] != 0 || b[2] != 6 || string(b[12:16]) != "RATE" || b[24] != 1 || b[25] != 2 {
			t.Errorf("%+v: got % x", q, b)
		}
	}
}

func TestBroadcastFields(t *testing.T) {
	q := Quality{Stratum: 3, ReferenceID: [4]byte{192, 0, 2, 1}, ReferenceTime: time.Unix(100, 0), Precision: -20}
	b := make([]byte, packetSize)
	b[24], b[32] = 1, 1 // of another packet
	for interval, poll := range map[time.Duration]byte{time.Second: 0, 64 * time.Second: 6, 100 * time.Second: 6, 128 * time.Second: 7, time.Hour: 11} {
		writeBroadcast(b, &q, interval)
		if b[0] != 3<<3|5 || b[1] != 3 || b[2] != poll || b[3] != 0xec || binary.BigEndian.Uint64(b[24:]) != 0 || binary.BigEndian.Uint64(b[32:]) != 0 {
			t.Errorf("every %s: got % x, want mode 5 of version 3, poll %d, no origin and no receive time", interval, b, poll)
		}
	}
}

func TestARequestStaysForAWhileAtMost(t *testing.T) {
	last := stamp(time.Date(2036, 2, 7, 6, 28, 15, 9e8, time.UTC))
	for name, tt := range map[string]struct {
		received, sent uint64
		want           bool
	}{
		"at once":                {5, 5, true},
		"a second":               {at(7, 0), at(8, 0), true},
		"across the end of 2036": {last, stamp(time.Date(2036, 2, 7, 6, 28, 16, 1e8, time.UTC)), true},
		"six seconds":            {at(7, 0), at(13, 1), false},
		"the clock was set back": {at(7, 1), at(7, 0), false},
		"back across the end":    {at(0, 5), last, false},
	} {
		if got := stayed(tt.received, tt.sent); got != tt.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// FuzzReply: what is answered keeps version, poll and origin of the request and is as long as an NTP header, its mode is
// that of an answer, which is never answered itself, and a kiss keeps all of that.
func FuzzReply(f *testing.F) {
	for _, first := range []byte{0x0b, 0x1b, 0x23, 0xe3, 0x24, 0x17, 0x08, 0x21, 0x1d, 0x16, 0x03} {
		b := make([]byte, 48)
		b[0], b[2] = first, 6
		copy(b[40:], "transmit")
		f.Add(b, uint8(2), uint8(0), int64(1e18), uint16(1024))
	}
	f.Fuzz(func(t *testing.T, b []byte, stratum, leap uint8, nano int64, from uint16) {
		r, code := parse(b, from)
		if code != answered {
			if code >= dropCodes || code.sentence() == "" {
				t.Fatalf("reason %d has no sentence", code)
			}
			return
		}
		now := time.Unix(0, nano)
		q := Quality{Stratum: stratum, Leap: Leap(leap & 3), ReferenceTime: now}
		a := reply(r, q, now, now)
		check := func(a []byte) {
			if a[0]>>3&7 != b[0]>>3&7 || string(a[24:32]) != string(b[40:48]) || string(a[32:40]) != string(a[40:48]) {
				t.Fatalf("% x was answered with % x", b, a)
			}
			if _, again := parse(a, port); again == answered {
				t.Fatalf("% x is an answer that would be answered", a)
			}
		}
		check(a)
		unknown := stratum == 0 || stratum > 15 || leap&3 == 3
		if a[2] != b[2] || unknown != (a[0]>>6 == 3) || unknown != (a[1] == 0) || unknown != (string(a[12:16]) == "INIT") {
			t.Fatalf("stratum %d, leap %d was told as % x", stratum, leap&3, a[:16])
		}
		writeKiss(a)
		check(a)
		if a[0]>>6 != 3 || a[1] != 0 || string(a[12:16]) != "RATE" || int8(a[2]) < 6 {
			t.Fatalf("no kiss of death: % x", a[:16])
		}
	})
}
