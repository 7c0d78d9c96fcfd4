package tftp_test

import (
	"testing"
	"time"

	"phonebox/services/tftp"
)

// A file that panics when it is closed costs nobody anything, whoever closes it: the loop of a port, a worker, and the
// keeper of time, which has no other guard.
func TestPanicOfCloseCostsNobody(t *testing.T) {
	t.Parallel()
	files := filesFunc(func(r tftp.Request) (tftp.File, error) {
		f := tftp.File{Bytes: content(600), Size: 600}
		if r.Name == "bad" {
			f.Close = func() error { panic("planted") }
		}
		return f, nil
	})
	b := serve(t, files, tftp.Config{GiveUp: 5 * time.Second})
	p := newPhone(t, b)
	p.ask("bad", "octet")
	for e := b.event(t, tftp.EventAborted, tftp.EventSent); e.Name != "bad"; e = b.event(t, tftp.EventAborted) {
	}
	for range 3 { // the loop of a port closes it
		if _, err := fetch(newSocket(t), b.addr, "bad"); err != nil {
			t.Error(err)
		}
		if _, err := fetch(newSocket(t), b.addr, "good"); err != nil {
			t.Error(err)
		}
	}
	settle(t, b)
}
