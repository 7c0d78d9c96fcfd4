package tftp_test

import (
	"io/fs"
	"net/netip"
	"sync"
	"testing"
	"time"

	"phonebox/services/internal/udp"
	"phonebox/services/tftp"
)

// halted is a server whose receive loop stands still: what comes to its port is read late, while transfers go on.
type halted struct {
	*box
	p    *phone
	free func() // lets the loop go on
}

// halt has a phone ask for f and ask again, of which the second is not read before the loop is free; the file is opened after
// that. No file is there when whole is nil.
func halt(t *testing.T, whole []byte) *halted {
	t.Helper()
	waitForStamps(t)
	gate, loop, standing := make(chan struct{}), make(chan struct{}), make(chan struct{})
	free, stand := sync.OnceFunc(func() { close(loop) }), sync.OnceFunc(func() { close(standing); <-loop })
	b := serveWith(t, slow, tftp.Deps{
		Files: filesFunc(func(tftp.Request) (tftp.File, error) {
			<-gate
			if whole == nil {
				return tftp.File{}, fs.ErrNotExist
			}
			return tftp.File{Bytes: whole, Size: int64(len(whole))}, nil
		}),
		Report: func(e tftp.Event) {
			if e.Kind == tftp.EventRefused {
				stand()
			}
		},
	})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(func() { open(); free() })
	h := &halted{box: b, p: newPhone(t, b), free: free}
	h.p.ask("f", "octet")
	writer := newPhoneAt(t, b, "127.77.1.3:0")
	writer.send(writer.main, request(2, "f", "octet")) // refused on the receive loop
	<-standing
	h.p.ask("f", "octet")
	open()
	return h
}

// waitForStamps waits until the kernel tells when packets come: it begins some time after the first socket wants that, and
// goes on as long as there is one. Before, it tells when they are read.
func waitForStamps(t *testing.T) {
	t.Helper()
	conn, err := udp.Listen(t.Context(), udp.ListenConfig{Addr: netip.MustParseAddrPort("127.77.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	in, err := udp.NewInbox(conn, 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	from := newSocket(t)
	for end := time.Now().Add(patience); ; {
		if _, err := from.WriteToUDPAddrPort([]byte("x"), conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		sent := time.Now()
		time.Sleep(time.Millisecond) // the packet waits for longer than its way takes
		before := time.Now()
		if _, err := in.Read(); err != nil {
			t.Fatal(err)
		}
		switch p := in.Packet(0); {
		case p.Received.Before(before):
			return
		case before.After(end):
			t.Fatalf("sent at %v, received at %v: the kernel does not tell when packets come", sent, p.Received)
		}
	}
}

// begun is halt after the first block came.
func begun(t *testing.T, whole []byte) *halted {
	t.Helper()
	h := halt(t, whole)
	h.p.want("the first block", data(1, whole[:512]))
	h.event(t, tftp.EventStart)
	return h
}

// dropped waits for what becomes of the request that was read late: it is neither served nor forgotten, but counted.
func (h *halted) dropped(t *testing.T) {
	t.Helper()
	e := h.event(t, tftp.EventDropped, tftp.EventStart, tftp.EventMissing)
	if e.Kind != tftp.EventDropped || e.From != h.p.addr() || e.Name != "f" {
		t.Errorf("the late request: reported %+v", e)
	}
	if n := droppedFor(t, h.reg, "repeated"); n != 1 {
		t.Errorf("%v requests are counted as repeated, wanted 1", n)
	}
}

// A request that was repeated before its answer came is no new one, although it is read after the ACKs of that answer:
// they come to another socket.
func TestRepeatedRequestThatIsReadLate(t *testing.T) {
	t.Parallel()
	whole := content(600)
	t.Run("between the ACKs", func(t *testing.T) {
		t.Parallel()
		h := begun(t, whole)
		h.p.ack(1)
		h.p.want("the last block", data(2, whole[512:]))
		h.free()
		h.dropped(t)
		h.p.ack(2)
		if e := h.event(t, tftp.EventSent, tftp.EventAborted); e.Kind != tftp.EventSent || e.Retransmits != 0 {
			t.Errorf("reported %+v", e)
		}
		if n := h.Open(); n != 0 {
			t.Errorf("%d transfers run after the only one", n)
		}
	})
	t.Run("before the second block", func(t *testing.T) {
		t.Parallel()
		h := begun(t, whole)
		h.free()
		h.dropped(t)
		h.p.silent("the first block is on its way")
		h.p.ack(1)
		h.p.want("the last block", data(2, whole[512:]))
	})
	t.Run("after the transfer", func(t *testing.T) {
		t.Parallel()
		h := begun(t, whole)
		h.p.ack(1)
		h.p.want("the last block", data(2, whole[512:]))
		h.p.ack(2)
		h.event(t, tftp.EventSent)
		h.free()
		h.dropped(t)
		if n := h.Open(); n != 0 {
			t.Errorf("%d transfers run after the only one", n)
		}
	})
	t.Run("sent when the first block was on its way", func(t *testing.T) {
		t.Parallel()
		h := begun(t, whole)
		h.p.ask("f", "octet")
		h.p.ack(1)
		h.p.want("the last block", data(2, whole[512:]))
		h.p.ack(2)
		h.event(t, tftp.EventSent)
		h.free()
		for range 2 {
			if e := h.event(t, tftp.EventDropped, tftp.EventStart); e.Kind != tftp.EventDropped {
				t.Errorf("reported %+v", e)
			}
		}
	})
	t.Run("after the ERROR", func(t *testing.T) {
		t.Parallel()
		h := halt(t, nil)
		h.p.want("no file", missing)
		h.event(t, tftp.EventMissing)
		h.free()
		h.dropped(t)
		h.p.silent("a second ERROR, which would be for what the phone asks next")
	})
}

// A request that is read as late, but came after the file did, is a new one, and served at once.
func TestNewRequestThatIsReadLate(t *testing.T) {
	t.Parallel()
	whole := content(600)
	h := halt(t, whole)
	for range 2 {
		h.p.want("the first block", data(1, whole[:512]))
		h.event(t, tftp.EventStart)
		h.p.ack(1)
		h.p.want("the last block", data(2, whole[512:]))
		h.p.ack(2)
		h.event(t, tftp.EventSent)
		h.p.ask("f", "octet")
		h.free()
	}
	h.p.want("the file for the third time", data(1, whole[:512]))
	if n := droppedFor(t, h.reg, "repeated"); n != 1 {
		t.Errorf("%v requests are counted as repeated, wanted 1", n)
	}
}
