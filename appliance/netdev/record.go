package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

// Recording phones. A packet socket costs every frame of the interface a run of its filter, those of other phones' transfers
// included, and a frame that was handed to one is copied by the IP layer (see listenIncoming). So there is none but while
// somebody records, and each ends by itself.
const (
	// RecordBytes bounds what all recordings hold together; the oldest frames go first.
	RecordBytes = 4 << 20
	// MaxRecordings is how many phones are recorded at once.
	MaxRecordings = 4
	// maxRecorded is how many recordings are kept, those that have ended included.
	maxRecorded = 16
	// recordFor is how long the frames of a recording that ended are kept.
	recordFor = time.Hour
	// frameCost is what a frame takes in memory beside its bytes.
	frameCost = 64
	// maxFrame is as much as is kept of one frame: all that Ethernet carries.
	maxFrame = 1600
)

// Errors of Record.
var (
	ErrNoWire        = errors.New("there is no wire to record: the interface is not there or not up")
	ErrTooManyRecord = fmt.Errorf("%d phones are being recorded, which is as many as can be at once", MaxRecordings)
)

// Frame is a frame of a recording.
type Frame struct {
	Time   time.Time
	Length int    // on the wire
	Data   []byte // from the Ethernet header on; of the data of an image its beginning alone
}

// Recording is how far the recording of one phone is.
type Recording struct {
	Began, Ends time.Time // Ends: when it stops by itself, or when it stopped
	Running     bool
	Frames      int
	Bytes       int // that are kept
	Dropped     int // frames that gave their place to newer ones, or that came too fast to be read
	Cut         int // frames of images, of which the headers alone are kept
}

// Records keeps the frames from and to phones that somebody wants to look at. It is safe for concurrent use.
type Records struct {
	open func(mac phone.MAC) (recordSocket, error) // a seam for tests
	now  func() time.Time                          // the box's time, which is in the file

	mu    sync.Mutex
	of    map[phone.MAC]*record
	bytes int
	order uint64 // counts frames, so that the oldest of all recordings is known
}

// recordSocket is what a recording reads from.
type recordSocket interface {
	ReadFrom(b []byte) (int, net.Addr, error)
	Stats() (*packet.Stats, error)
	Close() error
}

type record struct {
	Recording
	frames []recorded
	images map[uint16]string // port of the phone: the image that it fetches from there
	socket recordSocket
	timer  *time.Timer
	ended  time.Time // monotonic
}

type recorded struct {
	Frame
	order uint64
}

// Records returns what records the device's wire; now is the time that stands beside the frames.
func (d *Device) Records(now func() time.Time) *Records {
	return newRecords(now, func(mac phone.MAC) (recordSocket, error) {
		d.mu.Lock()
		w := d.wire
		d.mu.Unlock()
		if w == nil {
			return nil, ErrNoWire
		}
		return listenBoth(&net.Interface{Index: w.index, Name: w.name, HardwareAddr: net.HardwareAddr(w.mac[:])}, mac)
	})
}

func newRecords(now func() time.Time, open func(phone.MAC) (recordSocket, error)) *Records {
	return &Records{open: open, now: now, of: map[phone.MAC]*record{}}
}

// Start records a phone from now on for so long; what was recorded of it before is forgotten. While it is recorded already,
// that only lasts longer.
func (r *Records) Start(mac phone.MAC, length time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.of[mac]; rec != nil && rec.Running {
		rec.timer.Reset(length)
		rec.Ends = r.now().Add(length)
		return nil
	}
	running := 0
	for _, rec := range r.of {
		if rec.Running {
			running++
		}
	}
	if running >= MaxRecordings {
		return ErrTooManyRecord
	}
	socket, err := r.open(mac)
	if err != nil {
		return err
	}
	r.forget(mac)
	r.tidy()
	began := r.now()
	rec := &record{
		Recording: Recording{Began: began, Ends: began.Add(length), Running: true},
		images:    map[uint16]string{}, socket: socket,
	}
	rec.timer = time.AfterFunc(length, func() { r.stop(rec) })
	r.of[mac] = rec
	go r.read(mac, rec)
	return nil
}

// Stop ends a recording; what it has stays for an hour.
func (r *Records) Stop(mac phone.MAC) {
	r.mu.Lock()
	rec := r.of[mac]
	r.mu.Unlock()
	if rec != nil {
		r.stop(rec)
	}
}

// Close ends all recordings.
func (r *Records) Close() {
	r.mu.Lock()
	all := make([]*record, 0, len(r.of))
	for _, rec := range r.of {
		all = append(all, rec)
	}
	r.mu.Unlock()
	for _, rec := range all {
		r.stop(rec)
	}
}

// State says how far the recording of a phone is; false when there is none.
func (r *Records) State(mac phone.MAC) (Recording, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tidy()
	rec := r.of[mac]
	if rec == nil {
		return Recording{}, false
	}
	return rec.Recording, true
}

// Frames returns the frames of a phone's recording, oldest first.
func (r *Records) Frames(mac phone.MAC) []Frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.of[mac]
	if rec == nil {
		return nil
	}
	out := make([]Frame, len(rec.frames))
	for i, f := range rec.frames {
		out[i] = f.Frame
	}
	return out
}

func (r *Records) stop(rec *record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !rec.Running {
		return
	}
	rec.Running, rec.Ends, rec.ended = false, r.now(), time.Now()
	rec.timer.Stop()
	if stats, err := rec.socket.Stats(); err == nil {
		rec.Dropped += int(stats.Drops)
	}
	_ = rec.socket.Close() // it was only read
}

// forget is called with mu held.
func (r *Records) forget(mac phone.MAC) {
	if rec := r.of[mac]; rec != nil {
		r.bytes -= rec.Bytes + frameCost*len(rec.frames)
		delete(r.of, mac)
	}
}

// tidy forgets what ended long ago, and of too many what ended first; it is called with mu held.
func (r *Records) tidy() {
	for {
		var oldest phone.MAC
		var at time.Time
		for mac, rec := range r.of {
			if !rec.Running && (at.IsZero() || rec.ended.Before(at)) {
				oldest, at = mac, rec.ended
			}
		}
		if at.IsZero() || len(r.of) < maxRecorded && time.Since(at) < recordFor {
			return
		}
		r.forget(oldest)
	}
}

// read takes the frames until the socket is closed or the interface is gone.
func (r *Records) read(mac phone.MAC, rec *record) {
	buf := make([]byte, maxFrame)
	for {
		n, _, err := rec.socket.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, unix.ENETDOWN) { // the cable is out; the socket stays good
				continue
			}
			r.stop(rec)
			return
		}
		r.take(mac, rec, buf[:n])
	}
}

// take keeps a frame.
func (r *Records) take(mac phone.MAC, rec *record, frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !rec.Running {
		return
	}
	keep := len(frame)
	if n, cut := rec.imageData(mac, frame); cut {
		keep = n
		rec.Cut++
	}
	r.order++
	f := recorded{Frame{Time: r.now(), Length: len(frame), Data: slices.Clone(frame[:keep])}, r.order}
	rec.frames = append(rec.frames, f)
	rec.Frames++
	rec.Bytes += keep
	r.bytes += keep + frameCost
	for r.bytes > RecordBytes {
		r.dropOldest()
	}
}

// dropOldest is called with mu held.
func (r *Records) dropOldest() {
	var of *record
	for _, rec := range r.of {
		if len(rec.frames) > 0 && (of == nil || rec.frames[0].order < of.frames[0].order) {
			of = rec
		}
	}
	if of == nil {
		return
	}
	size := len(of.frames[0].Data)
	of.frames[0].Data = nil
	of.frames = of.frames[1:]
	of.Frames--
	of.Dropped++
	of.Bytes -= size
	r.bytes -= size + frameCost
}

// imageData reports whether a frame carries a piece of a firmware image, and how much of it are headers. The name is known
// from the request that came from the same port of the phone.
func (rec *record) imageData(mac phone.MAC, frame []byte) (headers int, cut bool) {
	const tftpRead, tftpData, dataHeader = 1, 3, 4
	f, err := parseUDP(frame)
	if err != nil || len(f.Payload) < dataHeader || f.Payload[0] != 0 {
		return 0, false
	}
	switch {
	case f.From == mac && f.Dst.Port() == tftpPort && f.Payload[1] == tftpRead:
		name := f.Payload[2:]
		if i := slices.Index(name, 0); i >= 0 {
			name = name[:i]
		}
		if len(rec.images) >= 256 {
			clear(rec.images)
		}
		delete(rec.images, f.Src.Port())
		if file := phone.ParseFileName(string(name)); file.Kind.IsFirmware() {
			rec.images[f.Src.Port()] = file.Clean
		}
	case f.To == mac && f.Payload[1] == tftpData && len(f.Payload) > dataHeader:
		if _, image := rec.images[f.Dst.Port()]; image {
			return len(frame) - len(f.Payload) + dataHeader, true
		}
	}
	return 0, false
}

// ofPhone accepts what comes from a hardware address, what goes to it, and what DHCP servers send to everybody for its sake.
// The frames of others end after four instructions, unless they go to everybody.
func ofPhone(mac phone.MAC) []bpf.Instruction {
	low, high := binary.BigEndian.Uint32(mac[2:]), uint32(binary.BigEndian.Uint16(mac[:]))
	const udp = ethernetHeader // after LoadMemShift, X is the length of the IPv4 header
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 8, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: low, SkipTrue: 2},
		bpf.LoadAbsolute{Off: 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: high, SkipTrue: 18},
		bpf.LoadAbsolute{Off: 2, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: low, SkipTrue: 2},
		bpf.LoadAbsolute{Off: 0, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: high, SkipTrue: 14, SkipFalse: 13},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0xffffffff, SkipTrue: 12},
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeIPv4, SkipTrue: 10},
		bpf.LoadAbsolute{Off: ethernetHeader + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 8},
		bpf.LoadMemShift{Off: ethernetHeader},
		bpf.LoadIndirect{Off: udp + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: clientPort, SkipTrue: 5},
		bpf.LoadIndirect{Off: udp + udpHeader + 30, Size: 4}, // chaddr begins 28 bytes in (RFC 2131 section 2)
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: low, SkipTrue: 3},
		bpf.LoadIndirect{Off: udp + udpHeader + 28, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: high, SkipTrue: 1},
		bpf.Jump{Skip: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: maxFrame},
	}
}

// listenBoth opens a socket that sees what comes in and what goes out of the frames of a phone.
func listenBoth(ifi *net.Interface, mac phone.MAC) (recordSocket, error) {
	filter, err := bpf.Assemble(ofPhone(mac))
	if err != nil {
		return nil, fmt.Errorf("assembling the filter: %w", err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket to record: %w", err)
	}
	return conn, nil
}
