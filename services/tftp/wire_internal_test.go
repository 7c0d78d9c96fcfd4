package tftp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// encode writes a request as a client would.
func encode(r request) []byte {
	b := binary.BigEndian.AppendUint16(nil, r.op)
	b = append(append(append(append(b, r.name...), 0), r.mode...), 0)
	for _, o := range r.options {
		b = append(append(append(append(b, o.name...), 0), o.value...), 0)
	}
	return b
}

// What parses encodes back to the same request, and what is granted is in the ranges of the RFCs and was asked for.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"\x00\x01SIPDefault.cnf\x00octet\x00",
		"\x00\x01./SIP0006D7AA2A2E.cnf\x00OCTET\x00",
		"\x00\x02f\x00netascii\x00",
		"\x00\x01f\x00octet\x00blksize\x001468\x00TSIZE\x000\x00timeout\x005\x00windowsize\x0016\x00",
		"\x00\x01f\x00octet\x00blksize\x00",
		"\x00\x01f\x00octet\x00\x00\x00\x00\x00",
		"\x00\x01\x00\x00",
		"\x00\x01f",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b)
		if err != nil {
			return
		}
		wire := encode(r)
		again, err := parseRequest(wire)
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%q was read as %+v, and that as %+v (%v)", b, r, again, err)
		}
		if len(wire) > len(b) || !bytes.Equal(wire[:2+len(r.name)], b[:2+len(r.name)]) {
			t.Fatalf("%q was read as %+v: something was made up", b, r)
		}
		agreed, answer := negotiate(r, 12345)
		if agreed.block < 8 || agreed.block > 1468 || agreed.window < 1 || agreed.window > 64 || agreed.timeout < 0 || agreed.timeout > 12 {
			t.Errorf("%q: agreed to %+v", b, agreed)
		}
		for _, o := range answer {
			if !strings.Contains(string(b), o.name+"\x00") {
				t.Errorf("%q: answered with an option %q that was not asked for", b, o)
			}
			if _, err := strconv.ParseUint(o.value, 10, 63); err != nil {
				t.Errorf("%q: answered with %q", b, o)
			}
		}
		if len(oackPacket(answer)) > 512 && len(b) <= 512 {
			t.Errorf("%q: the OACK is longer than a block", b)
		}
	})
}

func FuzzError(f *testing.F) {
	f.Add([]byte("\x00\x05\x00\x03buffer full\x00"))
	f.Add([]byte("\x00\x05\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		code, text := parseError(b)
		if !bytes.Equal(b, before) || len(text) > 128 || strings.Contains(text, "\x00") {
			t.Errorf("%q: %d %q, and the packet is %q now", before, code, text, b)
		}
		if len(b) >= 4 && !bytes.HasPrefix(b[4:], []byte(text)) {
			t.Errorf("%q: the text is %q", b, text)
		}
	})
}

// wire is a receiver and a network that fuzz data drives; it follows RFC 1350 and RFC 7440.
type wire struct {
	window   int
	block    int
	flight   [][]byte // packets of the sender that are on their way
	acks     []uint16
	got      []byte
	expected int64
	since    int // blocks since the last ACK
	complete bool
}

func (w *wire) emit(b []byte) { w.flight = append(w.flight, bytes.Clone(b)) }

// deliver takes a packet at the receiver, which answers as the RFCs say.
func (w *wire) deliver(b []byte) {
	switch {
	case opcodeOf(b) == opOACK:
		if w.expected == 1 {
			w.acks = append(w.acks, 0)
		}
		return
	case binary.BigEndian.Uint16(b[2:]) == uint16(w.expected) && !w.complete:
		w.got = append(w.got, b[4:]...)
		w.expected++
		w.since++
		w.complete = len(b)-4 < w.block
		if !w.complete && w.since < w.window {
			return
		}
	}
	w.since = 0
	w.acks = append(w.acks, uint16(w.expected-1))
}

// Whatever the network loses, doubles or reorders: the receiver has the file in the end, the sender believes in the end
// exactly when it has, and never more than a window is sent for one event.
func FuzzAcks(f *testing.F) {
	f.Add(uint16(1200), uint8(0), false, []byte{})
	f.Add(uint16(512), uint8(0), true, []byte{1, 2, 3, 4, 5, 6, 7})
	f.Add(uint16(9000), uint8(7), false, []byte{0, 1, 9, 2, 2, 3, 0, 0, 4, 200, 1, 2, 3, 77, 5, 6})
	f.Add(uint16(3000), uint8(63), true, []byte{5, 5, 5, 4, 4, 3, 0, 1, 2, 9, 9, 9, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, size uint16, window uint8, ascii bool, events []byte) {
		whole := make([]byte, size)
		for i := range whole {
			whole[i] = "ab\r\nc\n\r\r\n"[(i*i>>3)%9]
		}
		mode, want := modeOctet, string(whole)
		if ascii {
			mode, want = modeNetascii, strings.NewReplacer("\r", "\r\x00", "\n", "\r\n").Replace(want)
		}
		agreed := terms{block: 64, window: int(window%64) + 1}
		w := &wire{window: agreed.window, block: agreed.block, expected: 1}
		var oack []byte
		if window >= 128 {
			oack = oackPacket(nil)
		}
		s := newSender(File{Content: bytes.NewReader(whole), Size: int64(size)}, mode, agreed, oack, w.emit)
		send := func() {
			before := len(w.flight)
			if err := s.send(); err != nil {
				t.Fatal(err)
			}
			if n := len(w.flight) - before; n == 0 || n > agreed.window {
				t.Fatalf("%d packets were sent at once, the window is %d", n, agreed.window)
			}
		}
		finished := false
		ack := func(block uint16) {
			before := s.acked
			v := s.ack(block)
			if s.acked < before || s.acked > w.expected-1 || s.acked > s.sent && v != advance && v != done {
				t.Fatalf("ACK %d: acked went from %d to %d, sent is %d, the receiver has %d", block, before, s.acked, s.sent, w.expected-1)
			}
			switch v {
			case done:
				finished = true
			case advance, repeat:
				if v == repeat && agreed.window == 1 {
					t.Fatal("a duplicate ACK was answered in lockstep")
				}
				send()
			}
		}
		send()
		for _, e := range events {
			if finished {
				break
			}
			which := int(e >> 3)
			switch {
			case e&7 <= 1 && len(w.flight) > 0: // one arrives, out of order at times
				i := which % len(w.flight)
				b := w.flight[i]
				w.flight = append(w.flight[:i:i], w.flight[i+1:]...)
				w.deliver(b)
			case e&7 == 2 && len(w.flight) > 0: // one arrives and stays on its way as well
				w.deliver(w.flight[which%len(w.flight)])
			case e&7 == 3 && len(w.flight) > 0: // one is lost
				w.flight = w.flight[1:]
			case e&7 == 4 && len(w.acks) > 0: // an ACK arrives
				a := w.acks[0]
				w.acks = w.acks[1:]
				ack(a)
			case e&7 == 5 && len(w.acks) > 0: // an old one arrives
				ack(w.acks[which%len(w.acks)])
			case e&7 == 6 && len(w.flight) < 1000: // the timer fires
				send()
			case e&7 == 7: // it fires, and what is to be sent again has to wait for a disk
				s.rewind()
			}
		}
		// From here on the network is good.
		for round := 0; !finished; round++ {
			if round > 10*(len(want)+1000) {
				t.Fatalf("no end: acked %d, sent %d, last %d, the receiver has %d", s.acked, s.sent, s.last, w.expected-1)
			}
			switch {
			case len(w.flight) > 0:
				b := w.flight[0]
				w.flight = w.flight[1:]
				w.deliver(b)
			case len(w.acks) > 0:
				a := w.acks[0]
				w.acks = w.acks[1:]
				ack(a)
			default:
				send()
			}
		}
		if string(w.got) != want || !w.complete {
			t.Errorf("%d of %d bytes arrived, or others", len(w.got), len(want))
		}
		if s.bytes() != int64(len(want)) {
			t.Errorf("%d bytes are counted, %d arrived", s.bytes(), len(want))
		}
	})
}

// phones.md a.8: "resend DATA after 1-4 s, give a transfer up after 20-30 s".
func TestTimers(t *testing.T) {
	t.Parallel()
	cfg, err := withDefaults(Config{Listen: anyAddress})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(1_000_000, 0)
	for _, tt := range []struct {
		name   string
		agreed terms
		want   string
	}{
		{"our own", terms{}, "[1s 3s 7s 11s 15s 19s 23s] 25s"},
		{"the client's", terms{timeout: 6}, "[6s 12s 18s 24s] 25s"},
	} {
		timers := newTimers(cfg, tt.agreed, start)
		timers.sent(start)
		var resends []time.Duration
		now := start
		for verdict := dueNothing; verdict != dueGiveUp; verdict = timers.check(now) {
			if verdict == dueResend {
				resends = append(resends, now.Sub(start))
				timers.sent(now)
			}
			now = timers.next()
			if timers.check(now.Add(-1)) != dueNothing {
				t.Fatalf("%s: something was due before %v", tt.name, now.Sub(start))
			}
		}
		if got := fmt.Sprint(resends, now.Sub(start)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	timers := newTimers(cfg, terms{}, start)
	timers.sent(start)
	at := start.Add(24 * time.Second)
	timers.check(at)
	timers.progressed(at)
	timers.sent(at)
	if got := timers.next().Sub(at); got != time.Second {
		t.Errorf("after an ACK the next resend is %v away, want a second", got)
	}
	if timers.check(start.Add(25*time.Second-1)) != dueNothing {
		t.Error("an ACK did not put off the end")
	}
}

func TestDefaultsAndFaults(t *testing.T) {
	t.Parallel()
	good := Config{Listen: anyAddress}
	got, err := withDefaults(good)
	want := Config{Listen: anyAddress, Resend: time.Second, GiveUp: 25 * time.Second, MaxTransfers: 8192, MaxImages: 4096, MaxPerClient: 8}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for name, cfg := range map[string]Config{
		"tftp.listen":         {},
		"tftp.resend":         {Listen: anyAddress, Resend: -1},
		"tftp.give_up":        {Listen: anyAddress, GiveUp: -1},
		"tftp.max_transfers":  {Listen: anyAddress, MaxTransfers: -1},
		"tftp.max_images":     {Listen: anyAddress, MaxImages: -1},
		"tftp.max_per_client": {Listen: anyAddress, MaxPerClient: -1},
	} {
		if _, err := withDefaults(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
