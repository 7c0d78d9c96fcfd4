package netdev

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"

	"phonebox/services/phone"
)

var (
	recPhone = phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e}
	recBox   = phone.MAC{0x02, 0, 0, 0, 0x77, 0x01}
	recOther = phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2f}
	everyone = phone.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

func recFrame(t testing.TB, from, to phone.MAC, src, dst uint16, payload []byte) []byte {
	t.Helper()
	addr := netip.AddrFrom4([4]byte{10, 77, 1, 2})
	b, err := udpFrame{From: from, To: to, Src: netip.AddrPortFrom(addr, src), Dst: netip.AddrPortFrom(addr, dst), Payload: payload}.marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bootp is the beginning of a DHCP packet for a hardware address.
func bootp(mac phone.MAC) []byte {
	b := make([]byte, 300)
	b[0] = 2
	copy(b[28:], mac[:])
	return b
}

func TestTheFilterOfARecording(t *testing.T) {
	vm, err := bpf.NewVM(ofPhone(recPhone))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"from the phone", recFrame(t, recPhone, recBox, 49152, 69, []byte("x")), true},
		{"to the phone", recFrame(t, recBox, recPhone, 1024, 49152, []byte("x")), true},
		{"from the phone to everybody", recFrame(t, recPhone, everyone, 68, 67, bootp(recPhone)), true},
		{"an offer to everybody for the phone", recFrame(t, recBox, everyone, 67, 68, bootp(recPhone)), true},
		{"an offer to everybody for another", recFrame(t, recBox, everyone, 67, 68, bootp(recOther)), false},
		{"a broadcast that is too short to be an offer", recFrame(t, recBox, everyone, 67, 68, []byte("x")), false},
		{"another's transfer", recFrame(t, recBox, recOther, 1024, 49152, []byte("x")), false},
		{"from another that differs at the end", recFrame(t, recOther, recBox, 49152, 69, []byte("x")), false},
		{"to a multicast", recFrame(t, recBox, phone.MAC{1, 0, 0x5e, 0, 1, 1}, 123, 123, []byte("x")), false},
		{"from one that differs at the beginning", recFrame(t, phone.MAC{2, 6, 0xd7, 0xaa, 0x2a, 0x2e}, recBox, 1, 2, nil), false},
		{"to one that differs at the beginning", recFrame(t, recBox, phone.MAC{2, 6, 0xd7, 0xaa, 0x2a, 0x2e}, 1, 2, nil), false},
		{"ARP to everybody", append(append(everyone[:], recBox[:]...), 8, 6, 0, 1), false},
	} {
		n, err := vm.Run(tt.frame)
		if err != nil {
			t.Fatal(err)
		}
		if (n > 0) != tt.want {
			t.Errorf("%s: %d bytes are kept, want kept: %v", tt.name, n, tt.want)
		}
	}
}

// pipe is a socket that a test writes frames into.
type pipe struct {
	frames chan []byte
	closed chan struct{}
}

func newPipe() *pipe { return &pipe{make(chan []byte), make(chan struct{})} }

func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case f := <-p.frames:
		return copy(b, f), nil, nil
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

func (p *pipe) Stats() (*packet.Stats, error) { return &packet.Stats{Drops: 3}, nil }

func (p *pipe) Close() error {
	close(p.closed)
	return nil
}

func testRecords(pipes map[phone.MAC]*pipe) *Records {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return newRecords(func() time.Time { at = at.Add(time.Millisecond); return at }, func(mac phone.MAC) (recordSocket, error) {
		if pipes[mac] == nil {
			return nil, ErrNoWire
		}
		return pipes[mac], nil
	})
}

// taken waits until a recording has so many frames in all.
func taken(t *testing.T, r *Records, mac phone.MAC, n int) Recording {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		s, _ := r.State(mac)
		if s.Frames+s.Dropped >= n {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("it has %+v, want %d frames", s, n)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestOfAnImageTheHeadersAreKept(t *testing.T) {
	p := newPipe()
	r := testRecords(map[phone.MAC]*pipe{recPhone: p})
	if err := r.Start(recPhone, time.Minute); err != nil {
		t.Fatal(err)
	}
	block := append([]byte{0, 3, 0, 1}, make([]byte, 512)...)
	request := func(name string) []byte { return append(append([]byte{0, 1}, name...), "\x00octet\x00"...) }
	for _, f := range [][]byte{
		recFrame(t, recPhone, recBox, 50000, 69, request("P0S3-8-12-00.sb2")),
		recFrame(t, recBox, recPhone, 1024, 50000, block),
		recFrame(t, recPhone, recBox, 50001, 69, request("SIP0006D7AA2A2E.cnf")),
		recFrame(t, recBox, recPhone, 1025, 50001, block),
		recFrame(t, recPhone, recBox, 50000, 69, request("dialplan.xml")), // the port comes back
		recFrame(t, recBox, recPhone, 1026, 50000, block),
	} {
		p.frames <- f
	}
	s := taken(t, r, recPhone, 6)
	r.Stop(recPhone)
	frames := r.Frames(recPhone)
	if s.Cut != 1 || len(frames) != 6 {
		t.Fatalf("%+v, %d frames", s, len(frames))
	}
	const whole, headers = 42 + 516, 42 + 4
	for i, want := range map[int]int{1: headers, 3: whole, 5: whole} {
		if len(frames[i].Data) != want || frames[i].Length != whole {
			t.Errorf("of frame %d %d of %d bytes are kept, want %d of %d", i, len(frames[i].Data), frames[i].Length, want, whole)
		}
	}
	if s, ok := r.State(recPhone); !ok || s.Running || s.Dropped != 3 {
		t.Errorf("after its end: %+v %v, want what the kernel dropped counted", s, ok)
	}
}

func TestRecordingsAreBounded(t *testing.T) {
	pipes := map[phone.MAC]*pipe{}
	for i := range MaxRecordings + 1 {
		pipes[phone.MAC{2, 0, 0, 0, 0, byte(i)}] = newPipe()
	}
	r := testRecords(pipes)
	one, two := phone.MAC{2, 0, 0, 0, 0, 0}, phone.MAC{2, 0, 0, 0, 0, 1}
	for i := range MaxRecordings {
		if err := r.Start(phone.MAC{2, 0, 0, 0, 0, byte(i)}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Start(phone.MAC{2, 0, 0, 0, 0, MaxRecordings}, time.Minute); !errors.Is(err, ErrTooManyRecord) {
		t.Errorf("one too many: %v", err)
	}
	if err := r.Start(recPhone, time.Minute); err == nil {
		t.Error("a recording without a wire began")
	}
	frame := recFrame(t, one, recBox, 1, 2, make([]byte, 1400))
	pipes[two].frames <- frame
	const many = 2 * RecordBytes / 1400
	for range many {
		pipes[one].frames <- frame
	}
	s := taken(t, r, one, many)
	if r.bytes > RecordBytes || s.Bytes > RecordBytes || s.Frames < many/3 || s.Dropped == 0 {
		t.Errorf("%+v of %d bytes in all, want at most %d and the newest kept", s, r.bytes, RecordBytes)
	}
	if s, _ := r.State(two); s.Frames != 0 || s.Dropped != 1 {
		t.Errorf("the oldest frame of all is still there: %+v", s)
	}
	r.Close()
	sum := 0
	for _, rec := range r.of {
		if rec.Running {
			t.Error("one goes on after Close")
		}
		sum += rec.Bytes + frameCost*len(rec.frames)
	}
	if sum != r.bytes {
		t.Errorf("counted are %d bytes, and there are %d", r.bytes, sum)
	}
}

func TestARecordingStopsByItself(t *testing.T) {
	p := newPipe()
	r := testRecords(map[phone.MAC]*pipe{recPhone: p})
	if err := r.Start(recPhone, 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.closed:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
	r.Stop(recPhone) // once more does nothing
	if s, ok := r.State(recPhone); !ok || s.Running {
		t.Errorf("%+v %v", s, ok)
	}
}

// FuzzImageData: whatever a frame holds, what is kept of it is a part of it.
func FuzzImageData(f *testing.F) {
	f.Add(recFrame(f, recPhone, recBox, 50000, 69, []byte("\x00\x01a.sb2\x00")), recFrame(f, recBox, recPhone, 1, 50000, []byte("\x00\x03\x00\x01data")))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		rec := &record{images: map[uint16]string{}}
		rec.imageData(recPhone, first)
		if n, cut := rec.imageData(recPhone, second); cut && (n < 1 || n > len(second)) {
			t.Errorf("%d of %d bytes", n, len(second))
		}
	})
}
