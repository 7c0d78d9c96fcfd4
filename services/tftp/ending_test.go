package tftp_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

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
