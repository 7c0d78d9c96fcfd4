package tftp_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"phonebox/services/tftp"
)

// Requests of clients of whom it is not known yet who they are wait without a worker, however many there are, and are
// served when it is.
func TestWhoIsNotKnownYetKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	const many, atOnce = 300, time.Second // more than there are workers; after that time nobody is waited for
	settled := make(chan struct{})
	unknown := netip.MustParsePrefix("127.78.0.0/24") // where socketAt opens
	known := netip.MustParseAddr("127.78.0.250")
	var early atomic.Int32
	files := &folder{files: map[string][]byte{"f": content(600)}, opened: func(_ context.Context, r tftp.Request) error {
		select {
		case <-settled:
		default:
			if r.From.Addr() != known {
				early.Add(1)
			}
		}
		return nil
	}}
	b := serveWhom(t, files, tftp.Config{}, func(client netip.Addr) <-chan struct{} {
		if unknown.Contains(client) && client != known {
			return settled
		}
		return nil
	})
	began := time.Now()
	var waiting []*net.UDPConn
	for i := range many {
		conn := socketAt(t, 1+i%200)
		defer conn.Close()
		waiting = append(waiting, conn)
		if _, err := conn.WriteToUDPAddrPort(request(1, "f", "octet"), b.addr); err != nil {
			t.Fatal(err)
		}
	}
	conn := socketAt(t, 250)
	defer conn.Close()
	if got, err := fetch(conn, b.addr, "f"); err != nil || !bytes.Equal(got, files.files["f"]) {
		t.Errorf("who is known got %d bytes, %v", len(got), err)
	}
	if n := early.Load(); n > 0 && time.Since(began) < atOnce {
		t.Errorf("%d files were opened before it was known who asks", n)
	}
	close(settled)
	for i, conn := range waiting {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 600)
		if n, _, err := conn.ReadFromUDPAddrPort(buf); err != nil || n != 4+512 {
			t.Errorf("request %d of those that waited: %d bytes, %v", i, n, err)
		}
	}
}
