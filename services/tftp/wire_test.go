package tftp_test

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"phonebox/services/tftp"
)

// lossyWire stands between a client and the server. It gives the transfer's port a front of its own.
type lossyWire struct {
	front         netip.AddrPort
	lost, doubled atomic.Int64
	mu            sync.Mutex
	rand          *rand.Rand
}

// newLossyWire starts a wire to the server at to. Every packet of the client goes to the port of the server that spoke
// last, requests to its main port, as a router with an eye for TFTP does it.
func newLossyWire(t *testing.T, to netip.AddrPort, r *rand.Rand) *lossyWire {
	t.Helper()
	front, back := newSocket(t), newSocket(t)
	w := &lossyWire{front: front.LocalAddr().(*net.UDPAddr).AddrPort(), rand: r}
	var mu sync.Mutex
	var client, tid netip.AddrPort
	var wg sync.WaitGroup
	wg.Go(func() { // client to server
		buf := make([]byte, 2000)
		for {
			n, from, err := front.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			mu.Lock()
			client = from
			dst := tid
			if buf[1] <= 2 {
				dst = to
			}
			mu.Unlock()
			for range w.copies() {
				_, _ = back.WriteToUDPAddrPort(buf[:n], dst)
			}
		}
	})
	wg.Go(func() { // server to client
		buf := make([]byte, 2000)
		for {
			n, from, err := back.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			mu.Lock()
			dst := client
			tid = from
			mu.Unlock()
			for range w.copies() {
				_, _ = front.WriteToUDPAddrPort(buf[:n], dst)
			}
		}
	})
	t.Cleanup(func() {
		front.Close()
		back.Close()
		wg.Wait()
	})
	return w
}

// copies says how often the next packet arrives.
func (w *lossyWire) copies() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.rand.IntN(5) {
	case 0:
		w.lost.Add(1)
		return 0
	case 1:
		w.doubled.Add(1)
		return 2
	}
	return 1
}

func newSocket(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 1, 9)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newServerWith(t testing.TB, cfg tftp.Config) *tftp.Server {
	t.Helper()
	s, err := tftp.New(cfg, tftp.Deps{
		Files: &folder{files: map[string][]byte{"f": content(600)}}, Log: slog.New(slog.DiscardHandler),
		Report: func(tftp.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
