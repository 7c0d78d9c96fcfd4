package tftp_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/services/tftp"
)

// A client that keeps as many transfers as it may, each from a fresh port as soon as the one before is over, is never
// told that it has too many: the last ACK goes to another socket than the next request, and may be read after it.
func TestFinishedTransfersDoNotCount(t *testing.T) {
	t.Parallel()
	small := content(600)
	b := serve(t, &folder{files: map[string][]byte{"f": small}}, tftp.Config{MaxPerClient: 2})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 500 {
				conn := socketAt(t, 9)
				if got, err := fetch(conn, b.addr, "f"); err != nil || !bytes.Equal(got, small) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				conn.Close()
			}
		})
	}
	wg.Wait()
	settle(t, b)
	refused := 0
	for len(b.events) > 0 {
		if e := <-b.events; e.Kind == tftp.EventDropped && strings.Contains(e.Reason, "already") {
			refused++
		}
	}
	if refused > 0 {
		t.Errorf("%d requests were dropped because the client had too many transfers", refused)
	}
}

// The last ACK comes while the block that it is for is being read from a disk once more, because it was late: the file
// has arrived, and the phone will answer no resend.
func TestAckWhileTheBlockIsReadAgain(t *testing.T) {
	t.Parallel()
	whole := content(600)
	again, gate := make(chan struct{}), make(chan struct{})
	reads := 0 // of the last block, by one worker at a time
	files := filesFunc(func(tftp.Request) (tftp.File, error) {
		return tftp.File{Content: readerFunc(func(b []byte, off int64) (int, error) {
			if off >= 512 {
				if reads++; reads == 2 {
					close(again)
					<-gate
				}
			}
			return copy(b, whole[off:]), nil
		}), Size: int64(len(whole))}, nil
	})
	b := serve(t, files, tftp.Config{Resend: 50 * time.Millisecond, GiveUp: 8 * time.Second})
	p := newPhone(t, b)
	p.ask("f", "octet")
	p.want("the first block", data(1, whole[:512]))
	p.ack(1)
	p.want("the last block", data(2, whole[512:]))
	<-again
	p.ack(2)
	e := b.event(t, tftp.EventSent, tftp.EventAborted)
	close(gate)
	if e.Kind != tftp.EventSent {
		t.Errorf("reported %+v", e)
	}
}
