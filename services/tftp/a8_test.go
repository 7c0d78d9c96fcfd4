package tftp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"phonebox/services/tftp"
)

// slow is a server whose timers never fire in a test.
var slow = tftp.Config{Resend: time.Hour, GiveUp: 24 * time.Hour}

// phones.md a.8: "every missing or forbidden name, however odd, outside the root or a directory: ERROR 1", at once.
func TestEveryNameThatCannotBeHadIsError1(t *testing.T) {
	t.Parallel()
	files := &folder{opened: func(_ context.Context, r tftp.Request) error {
		switch r.Name {
		case "forbidden":
			return fs.ErrPermission
		case "broken":
			return io.ErrUnexpectedEOF
		case "panics":
			panic("planted")
		case "CTLSEP0006D7AA2A2E.tlv", "./missing", "//missing", strings.Repeat("n", 255), "phones":
			return &fs.PathError{Op: "open", Path: r.Name, Err: fs.ErrNotExist}
		}
		panic("asked for " + r.Name)
	}}
	b := serve(t, files, slow)
	tests := []struct {
		name string
		raw  []byte
		kind tftp.EventKind
		why  string // in Err or Reason
	}{
		{"a trust list", request(1, "CTLSEP0006D7AA2A2E.tlv", "octet"), tftp.EventMissing, "not exist"},
		{"behind ./", request(1, "./missing", "octet"), tftp.EventMissing, "not exist"},
		{"behind slashes", request(1, "//missing", "octet"), tftp.EventMissing, "not exist"},
		{"a directory", request(1, "phones", "octet"), tftp.EventMissing, "not exist"},
		{"not for who asks", request(1, "forbidden", "octet"), tftp.EventMissing, "permission"},
		{"any other error", request(1, "broken", "octet"), tftp.EventMissing, "unexpected EOF"},
		{"a panic of Files", request(1, "panics", "octet"), tftp.EventMissing, "planted"},
		{"the longest name", request(1, strings.Repeat("n", 255), "octet"), tftp.EventMissing, "not exist"},
		{"a name too long", request(1, strings.Repeat("n", 256), "octet"), tftp.EventMissing, "256 bytes"},
		{"no name", request(1, "", "octet"), tftp.EventMissing, "empty"},
		{"out of the root", request(1, "../etc/passwd", "octet"), tftp.EventMissing, "leads out"},
		{"out of the root further in", request(1, "a/../../etc/passwd", "octet"), tftp.EventMissing, "leads out"},
		{"out of the root, as Windows writes it", request(1, `..\boot.ini`, "octet"), tftp.EventMissing, "leads out"},
		{"mail", request(1, "broken", "mail"), tftp.EventRefused, `the mode is "mail"`},
		{"no mode", request(1, "broken", ""), tftp.EventRefused, `the mode is ""`},
		{"name without end", []byte("\x00\x01broken"), tftp.EventRefused, "name is not ended"},
		{"mode without end", []byte("\x00\x01broken\x00octet"), tftp.EventRefused, "mode is not ended"},
		{"nothing at all", []byte("\x00\x01"), tftp.EventRefused, "name is not ended"},
	}
	for _, tt := range tests {
		p := newPhone(t, b)
		p.send(p.main, tt.raw)
		p.want(tt.name, missing)
		e := b.event(t, tftp.EventMissing, tftp.EventRefused, tftp.EventDropped, tftp.EventAborted, tftp.EventStart)
		if why := fmt.Sprint(e.Reason, e.Err); e.Kind != tt.kind || !strings.Contains(why, tt.why) || e.From != p.addr() {
			t.Errorf("%s: reported %+v, want %s with %q", tt.name, e, tt.kind, tt.why)
		}
	}
	if files.open != 0 {
		t.Errorf("%d files were opened", files.open)
	}
}

func TestWritingIsRefused(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{}, slow)
	p := newPhone(t, b)
	p.send(p.main, request(2, "SIPDefault.cnf", "octet"))
	p.want("a write request", packet(5, 2, "Access violation\x00"))
	if e := b.event(t, tftp.EventRefused); e.Name != "SIPDefault.cnf" || e.Reason != "writing is not served" {
		t.Errorf("reported %+v", e)
	}
}

// phones.md a.8: "the same RRQ from the same port while the transfer is open: resend, don't open a second stream".
func TestSameRequestFromSamePortResends(t *testing.T) {
	t.Parallel()
	files := &folder{files: map[string][]byte{"f": content(1200)}}
	b := serve(t, files, slow)
	p := newPhone(t, b)
	p.ask("f", "octet")
	p.want("first block", data(1, content(1200)[:512]))
	tid := p.tid
	p.ask("f", "octet")
	p.want("the same block", data(1, content(1200)[:512]))
	if p.tid != tid {
		t.Errorf("it came from %v, a second transfer; the first is at %v", p.tid, tid)
	}
	p.ack(1)
	p.want("the next block", data(2, content(1200)[512:1024]))
	p.ask("f", "octet")
	p.want("the last packet, not the first", data(2, content(1200)[512:1024]))
	p.ack(2)
	p.want("the last block", data(3, content(1200)[1024:]))
	p.ack(3)
	if e := b.event(t, tftp.EventSent); e.Bytes != 1200 || e.Retransmits != 2 {
		t.Errorf("reported %+v", e)
	}

	p.ask("f", "octet", "blksize", "600")
	p.want("OACK", []byte("\x00\x06blksize\x00600\x00"))
	p.ask("f", "octet", "blksize", "600")
	p.want("OACK again", []byte("\x00\x06blksize\x00600\x00"))
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	if files.open != 2 || files.closed != 2 {
		t.Errorf("for two transfers the file was opened %d and closed %d times", files.open, files.closed)
	}
}

// The file may take a second to open: the repeated request must neither open it again nor be answered twice.
func TestSameRequestWhileTheFileIsOpened(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	files := &folder{files: map[string][]byte{"f": content(3)}, opened: func(context.Context, tftp.Request) error {
		<-gate
		return nil
	}}
	b := serve(t, files, slow)
	p := newPhone(t, b)
	for range 3 {
		p.ask("f", "octet")
	}
	p.silent("while the file is opened")
	close(gate)
	p.want("one answer", data(1, content(3)))
	p.ack(1)
	if e := b.event(t, tftp.EventSent); e.Retransmits != 0 || files.open != 1 {
		t.Errorf("reported %+v; the file was opened %d times", e, files.open)
	}
	p.silent("after the transfer")
}

// phones.md a.8: "a new RRQ from an address and port wins over a stale transfer of that address and port".
func TestOtherRequestFromSamePortEndsTheOldTransfer(t *testing.T) {
	t.Parallel()
	files := &folder{files: map[string][]byte{"old": content(1200), "new": []byte("new")}}
	b := serve(t, files, slow)
	p := newPhone(t, b)
	p.ask("old", "octet")
	p.want("the old file", data(1, content(1200)[:512]))
	old := p.tid
	p.ask("new", "octet")
	p.want("the new file", data(1, []byte("new")))
	if p.tid == old {
		t.Error("the new transfer has the port of the old one: a late ACK of that would count")
	}
	e := b.event(t, tftp.EventAborted)
	if e.Name != "old" || !strings.Contains(e.Reason, "another file from the same port") {
		t.Errorf("reported %+v", e)
	}
	p.ack(1)
	if e := b.event(t, tftp.EventSent); e.Name != "new" {
		t.Errorf("reported %+v", e)
	}
}

// The phone gave up long ago, and now asks for the same file from the port that came back.
func TestSameRequestAfterALongSilenceStartsAnew(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(1200)}}, tftp.Config{Resend: time.Millisecond, GiveUp: time.Hour})
	p := newPhone(t, b)
	p.ask("f", "octet")
	p.want("first block", data(1, content(1200)[:512]))
	p.ack(1)
	old := p.tid
	for seen := 0; seen < 4; { // the resends of block 2 say that time passes
		if got := p.receive(); bytes.Equal(got, data(2, content(1200)[512:1024])) {
			seen++
		}
	}
	p.ask("f", "octet")
	for end := time.Now().Add(patience); p.tid == old; {
		p.receive()
		if time.Now().After(end) {
			t.Fatal("no new transfer")
		}
	}
	if e := b.event(t, tftp.EventAborted); !strings.Contains(e.Reason, "from its start again") {
		t.Errorf("reported %+v", e)
	}
	p.ack(1)
	for binary.BigEndian.Uint16(p.receive()[2:]) != 2 {
	}
}

// An answer to the old request must not be taken for one to the new: no ERROR is sent for a request that was replaced.
func TestRequestIsReplacedWhileItsFileIsOpened(t *testing.T) {
	t.Parallel()
	opening := make(chan struct{}, 1)
	files := &folder{files: map[string][]byte{"new": []byte("new")}, opened: func(ctx context.Context, r tftp.Request) error {
		if r.Name == "old" {
			opening <- struct{}{}
			<-ctx.Done() // as a Files does that waits for the wire
			return ctx.Err()
		}
		return nil
	}}
	b := serve(t, files, slow)
	p := newPhone(t, b)
	p.ask("old", "octet")
	<-opening
	p.ask("new", "octet")
	p.want("only the new file", data(1, []byte("new")))
	if e := b.event(t, tftp.EventAborted, tftp.EventMissing); e.Kind != tftp.EventAborted || e.Name != "old" {
		t.Errorf("reported %+v", e)
	}
}

// phones.md a.8: "two RRQs from two ports at once are two transfers".
func TestTwoPortsAreTwoTransfers(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"RINGLIST.DAT": content(1000), "dialplan.xml": content(700)}}, slow)
	p, q := newPhone(t, b), newPhone(t, b)
	p.ask("RINGLIST.DAT", "octet")
	q.ask("dialplan.xml", "octet")
	p.want("first block of the one", data(1, content(1000)[:512]))
	q.want("first block of the other", data(1, content(700)[:512]))
	q.ack(1)
	p.ack(1)
	p.want("second block of the one", data(2, content(1000)[512:]))
	q.want("second block of the other", data(2, content(700)[512:]))
	p.ack(2)
	q.ack(2)
	if a, b := b.event(t, tftp.EventSent), b.event(t, tftp.EventSent); a.Transfer == b.Transfer || a.Name == b.Name {
		t.Errorf("reported %+v and %+v", a, b)
	}
}

// phones.md a.8: "resend DATA after 1-4 s, give a transfer up after 20-30 s". The intervals are shortened here; that
// they are 1, 2 and 4 s in earnest is checked in TestTimers.
func TestResendsUntilItGivesUp(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(600)}}, tftp.Config{Resend: 5 * time.Millisecond, GiveUp: 200 * time.Millisecond})
	p := newPhone(t, b)
	p.ask("f", "octet")
	p.want("first block", data(1, content(600)[:512]))
	p.ack(1)
	p.want("second block", data(2, content(600)[512:]))
	p.want("second block again", data(2, content(600)[512:]))
	p.want("and again", data(2, content(600)[512:]))
	e := b.event(t, tftp.EventAborted)
	if e.Bytes != 512 || e.Retransmits < 2 || e.Took < 200*time.Millisecond || e.Reason != "nothing was acknowledged for 200ms" {
		t.Errorf("reported %+v", e)
	}
	p.tid = p.main
	for { // what was still on its way
		if _, ok := p.receiveFor(time.Millisecond); !ok {
			break
		}
	}
	p.ask("f", "octet")
	p.want("the port is free again", data(1, content(600)[:512]))
}

// phones.md a.8: "'sent' means that the last ACK came. A file whose size is a multiple of 512 ends with an empty block".
func TestSentMeansThatTheLastAckCame(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513, 1024, 130_956, 756_524} {
		whole := content(size)
		b := serve(t, &folder{files: map[string][]byte{"f": whole}}, slow)
		p := newPhone(t, b)
		p.ask("f", "octet")
		blocks := size/512 + 1
		for n := 1; n <= blocks; n++ {
			p.want(fmt.Sprintf("%d bytes, block %d", size, n), data(n, whole[(n-1)*512:min(n*512, size)]))
			if n == blocks {
				break
			}
			p.ack(n)
		}
		p.silent("while the last ACK is missing")
		for len(b.events) > 0 {
			if e := <-b.events; e.Kind == tftp.EventSent {
				t.Errorf("%d bytes: reported as sent before the last ACK: %+v", size, e)
			}
		}
		p.ack(blocks)
		if e := b.event(t, tftp.EventSent, tftp.EventAborted); e.Kind != tftp.EventSent || e.Bytes != int64(size) || e.Size != int64(size) {
			t.Errorf("%d bytes: reported %+v", size, e)
		}
	}
}

// The Sorcerer's Apprentice: each ACK comes twice, and still each block is sent once.
func TestDuplicateAcksAreIgnored(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(5000)}}, slow)
	p := newPhone(t, b)
	p.ask("f", "octet")
	for n := 1; n <= 10; n++ {
		p.want("block", data(n, content(5000)[(n-1)*512:min(n*512, 5000)]))
		if n > 1 {
			p.ack(n - 1)
		}
		p.ack(n + 7) // never sent
		p.ack(n)
		if n < 10 {
			p.ack(n)
		}
	}
	if e := b.event(t, tftp.EventSent); e.Retransmits != 0 {
		t.Errorf("reported %+v", e)
	}
}

// RFC 1350 section 4: a stranger gets ERROR 5, and the transfer goes on.
func TestStrangerAtATransfersPort(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(600)}}, slow)
	p, stranger := newPhone(t, b), newPhoneAt(t, b, "127.77.1.3:0")
	p.ask("f", "octet")
	p.want("first block", data(1, content(600)[:512]))
	stranger.send(p.tid, packet(5, 0, "stop\x00")) // no ERROR in answer to an ERROR
	stranger.send(p.tid, packet(4, 1, ""))
	stranger.want("its ACK", packet(5, 5, "Unknown transfer ID\x00"))
	if e := b.event(t, tftp.EventDropped); e.From != stranger.addr() {
		t.Errorf("reported %+v", e)
	}
	p.silent("after the stranger's ACK")
	p.send(p.tid, packet(3, 1, "what")) // nor does a packet that makes no sense
	p.send(p.tid, []byte{0})
	p.ack(1)
	p.want("second block", data(2, content(600)[512:]))
}

func TestErrorOfThePhoneEndsTheTransfer(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(600)}}, slow)
	p := newPhone(t, b)
	p.ask("f", "octet")
	p.want("first block", data(1, content(600)[:512]))
	p.send(p.tid, packet(5, 3, "buffer full\x00"))
	if e := b.event(t, tftp.EventAborted); e.Reason != `the client ended it with error 3 "buffer full"` {
		t.Errorf("reported %+v", e)
	}
}

func TestPacketsThatAreNoRequestAreDropped(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{}, slow)
	p := newPhone(t, b)
	for _, raw := range []string{"", "\x00", "\x01", "\x00\x00", "\x00\x03\x00\x01x", "\x00\x04\x00\x01", "\x00\x05\x00\x01\x00", "\x00\x06", "\xff\xff", "\x01\x01f\x00octet\x00"} {
		p.send(p.main, []byte(raw))
		if e := b.event(t, tftp.EventDropped, tftp.EventRefused, tftp.EventMissing); e.Kind != tftp.EventDropped || e.From != p.addr() || e.Reason == "" {
			t.Errorf("%q: reported %+v", raw, e)
		}
	}
	p.silent("after packets that are no request")
}

// A file that breaks in mid-transfer is "not found" too: other codes would stop the loader's hunt.
func TestFileThatBreaksIsError1(t *testing.T) {
	t.Parallel()
	files := filesFunc(func(r tftp.Request) (tftp.File, error) {
		if r.Name == "shorter" {
			return tftp.File{Content: bytes.NewReader(content(600)), Size: 2000}, nil
		}
		return tftp.File{Content: readerFunc(func(b []byte, off int64) (int, error) {
			switch {
			case off == 0:
				return len(b), nil
			case r.Name == "panics":
				panic("planted")
			}
			return 0, errors.New("card pulled")
		}), Size: 2000}, nil
	})
	b := serve(t, files, slow)
	for name, why := range map[string]string{"shorter": "became shorter", "broken": "card pulled", "panics": "planted"} {
		p := newPhone(t, b)
		p.ask(name, "octet")
		p.receive()
		p.ack(1)
		if name != "panics" {
			p.want(name, missing)
		}
		if e := b.event(t, tftp.EventAborted); !strings.Contains(fmt.Sprint(e.Err), why) {
			t.Errorf("%s: reported %+v", name, e)
		}
	}
}

type filesFunc func(tftp.Request) (tftp.File, error)

func (f filesFunc) Open(_ context.Context, r tftp.Request) (tftp.File, error) { return f(r) }

type readerFunc func([]byte, int64) (int, error)

func (f readerFunc) ReadAt(b []byte, off int64) (int, error) { return f(b, off) }
