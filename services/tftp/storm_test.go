package tftp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"phonebox/services/tftp"
)

// fetch reads a whole file in lockstep, asking again each time that nothing comes, as a phone does.
func fetch(conn *net.UDPConn, server netip.AddrPort, name string) ([]byte, error) {
	var got []byte
	buf := make([]byte, 600)
	out, to := request(1, name, "octet"), server
	for end := time.Now().Add(4 * patience); time.Now().Before(end); {
		if _, err := conn.WriteToUDPAddrPort(out, to); err != nil {
			return nil, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience / 4)); err != nil {
			return nil, err
		}
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case err != nil:
			continue
		case binary.BigEndian.Uint16(buf) == 5:
			return nil, fmt.Errorf("got %s", show(buf[:n]))
		case int(binary.BigEndian.Uint16(buf[2:])) != len(got)/512+1:
			continue // a duplicate
		}
		got = append(got, buf[4:n]...)
		out, to = packet(4, uint16((len(got)+511)/512), ""), from
		if n < 516 {
			binary.BigEndian.PutUint16(out[2:], binary.BigEndian.Uint16(buf[2:]))
			_, err := conn.WriteToUDPAddrPort(out, to)
			return got, err
		}
	}
	return nil, fmt.Errorf("%s: nothing more came after %d bytes", name, len(got))
}

// socketAt opens a socket of a client with an address of its own.
func socketAt(t testing.TB, host int) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 78, byte(host>>8), byte(host))})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func openFiles(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Ten thousand transfers, some of them broken off, leave nothing behind: no goroutine, no descriptor, no session. It does
// not run beside other tests, whose goroutines would count.
func TestTransfersLeaveNothingBehind(t *testing.T) {
	files := &folder{files: map[string][]byte{"small": content(1200), "image": content(70_000)}}
	b := serve(t, files, tftp.Config{MaxImages: 25})
	go func() { // they are of no interest, and would fill up
		for range b.events {
		}
	}()
	work := func(count int) {
		var left atomic.Int64
		left.Store(int64(count))
		var wg sync.WaitGroup
		for host := range 20 {
			wg.Go(func() {
				for n := left.Add(-1); n >= 0; n = left.Add(-1) {
					conn := socketAt(t, 1+host)
					name := "small"
					switch n % 50 {
					case 0:
						name = "image"
					case 1: // broken off
						_, _ = conn.WriteToUDPAddrPort(request(1, "image", "octet"), b.addr)
						buf := make([]byte, 600)
						_ = conn.SetReadDeadline(time.Now().Add(patience))
						if _, from, err := conn.ReadFromUDPAddrPort(buf); err == nil {
							_, _ = conn.WriteToUDPAddrPort(packet(5, 0, "bye\x00"), from)
						}
						conn.Close()
						continue
					}
					if got, err := fetch(conn, b.addr, name); err != nil || !bytes.Equal(got, files.files[name]) {
						t.Errorf("%s: %d bytes, %v", name, len(got), err)
					}
					conn.Close()
				}
			})
		}
		wg.Wait()
		settle(t, b)
	}
	work(500)
	goroutines, descriptors, heap := runtime.NumGoroutine(), openFiles(t), heapInUse()
	work(10_000)
	if n := openFiles(t); n > descriptors {
		t.Errorf("%d descriptors are open, %d were before", n, descriptors)
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // workers end by themselves
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines run, %d did before", n, goroutines)
	}
	if grown := heapInUse() - heap; grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	files.mu.Lock()
	defer files.mu.Unlock()
	if files.open != files.closed || files.open < 10_000 {
		t.Errorf("%d files were opened, %d closed", files.open, files.closed)
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// settle waits until no transfer runs: the last ACKs may still be on their way.
func settle(t testing.TB, b *box) {
	t.Helper()
	for end := time.Now().Add(4 * patience); b.Open() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d transfers still run", b.Open())
		}
	}
}

// When images fill their places, configurations go on at once, further images wait for their turn without having to ask
// again, and those that run are not disturbed.
func TestImagesWaitAndSmallFilesDoNot(t *testing.T) {
	t.Parallel()
	cfg := slow
	cfg.MaxTransfers, cfg.MaxImages = 20, 2
	image := content(70_000)
	b := serve(t, &folder{files: map[string][]byte{"image": image, "small": content(100)}}, cfg)
	phones := make([]*phone, 5)
	for i := range phones {
		phones[i] = newPhoneAt(t, b, fmt.Sprintf("127.77.2.%d:0", 1+i))
	}
	for _, p := range phones[:2] {
		p.ask("image", "octet")
		p.want("an image", data(1, image[:512]))
	}
	phones[2].ask("image", "octet")
	phones[2].silent("while two images are being sent")
	for i := range 5 {
		p := newPhoneAt(t, b, fmt.Sprintf("127.77.3.%d:0", 1+i))
		p.ask("small", "octet")
		p.want("a small file", data(1, content(100)))
		p.ack(1)
	}
	phones[2].silent("still")
	phones[2].ask("image", "octet") // the phone's timer; it keeps its place
	phones[3].ask("image", "octet")
	phones[3].silent("after the one before it")
	phones[4].ask("image", "octet")
	for {
		if e := b.event(t, tftp.EventDropped); e.From == phones[4].addr() || e.From == phones[3].addr() {
			if !strings.Contains(e.Reason, "2 images are being sent and 2 wait") {
				t.Errorf("reported %+v", e)
			}
			break
		}
	}
	phones[0].ack(1)
	phones[0].want("one that runs goes on", data(2, image[512:1024]))
	phones[0].send(phones[0].tid, packet(5, 0, "enough\x00"))
	phones[2].want("the first that waited", data(1, image[:512]))
	phones[1].ack(1)
	phones[1].want("one that runs goes on", data(2, image[512:1024]))
}

// A flood of requests from addresses where nobody is costs its own places: whoever acknowledges is let in and stays, and
// the oldest of the others go.
func TestForgedRequestsGiveWay(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(600)}}, tftp.Config{MaxTransfers: 50, Resend: time.Second, GiveUp: time.Hour})
	real := newPhoneAt(t, b, "127.77.1.3:0")
	real.ask("f", "octet")
	real.want("a phone that is there", data(1, content(600)[:512]))
	real.ack(1)
	real.want("a phone that is there", data(2, content(600)[512:]))
	forged := make([]*net.UDPConn, 10)
	for i := range forged {
		forged[i] = socketAt(t, 1000+i)
		defer forged[i].Close()
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond): // under 200 a second, which 50 places of 250 ms bear
			}
			c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 79, byte(n>>8), byte(n))})
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(request(1, "f", "octet"), b.addr)
			c.Close()
		}
	})
	for e := b.event(t, tftp.EventAborted); !strings.Contains(e.Reason, "needs the place"); e = b.event(t, tftp.EventAborted) {
	}
	for i := range forged { // phones that come in the middle of it
		if got, err := fetch(forged[i], b.addr, "f"); err != nil || len(got) != 600 {
			t.Errorf("phone %d: %d bytes, %v", i, len(got), err)
		}
	}
	close(stop)
	wg.Wait()
	real.ack(2)
	for {
		if e := b.event(t, tftp.EventSent, tftp.EventAborted); e.From == real.addr() {
			if e.Kind != tftp.EventSent {
				t.Errorf("reported %+v", e)
			}
			return
		}
	}
}

// A late packet for a transfer that is over is dropped without an ERROR, which would end what the phone does now; and the
// next transfer of the same port has another port of ours.
func TestLatePacketsAreNotAnswered(t *testing.T) {
	t.Parallel()
	b := serve(t, &folder{files: map[string][]byte{"f": content(3), "g": content(600)}}, slow)
	p := newPhone(t, b)
	last := netip.AddrPort{}
	for range 10 {
		p.ask("f", "octet")
		p.want("the file", data(1, content(3)))
		if p.tid == last {
			t.Fatalf("two transfers in a row of one port came from %v", last)
		}
		last = p.tid
		p.ack(1)
		b.event(t, tftp.EventSent)
		p.ack(1)
		if e := b.event(t, tftp.EventDropped); !strings.Contains(e.Reason, "late") {
			t.Errorf("reported %+v", e)
		}
	}
	p.ask("g", "octet")
	p.want("the other file", data(1, content(600)[:512]))
	p.send(last, packet(4, 1, ""))
	b.event(t, tftp.EventDropped)
	p.silent("after the late ACK")
}

// A phone that asks for its next file from the port of the last one, right after its last ACK, is taken at its word: the
// ACK counts although it goes to another socket and may be read later.
func TestNextFileFromTheSamePort(t *testing.T) {
	t.Parallel()
	whole := content(1200)
	b := serve(t, &folder{files: map[string][]byte{"f": whole, "g": whole}}, tftp.Config{})
	p := newPhone(t, b)
	for n := range 200 {
		got, err := fetch(p.conn, b.addr, "fg"[n/3%2:n/3%2+1])
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("read %d: %d bytes, %v", n, len(got), err)
		}
	}
	for range 200 {
		if e := b.event(t, tftp.EventSent, tftp.EventAborted); e.Kind != tftp.EventSent {
			t.Fatalf("reported %+v", e)
		}
	}
}

// A file that is not in memory is read by workers: a disk that does not answer stops nobody else.
func TestSlowDiskStopsNobodyElse(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	whole := content(5000)
	files := filesFunc(func(r tftp.Request) (tftp.File, error) {
		if r.Name == "slow" {
			return tftp.File{Content: readerFunc(func(b []byte, off int64) (int, error) {
				if off >= 1024 {
					<-gate
				}
				return copy(b, whole[off:]), nil
			}), Size: int64(len(whole))}, nil
		}
		return tftp.File{Bytes: whole, Size: int64(len(whole))}, nil
	})
	b := serve(t, files, tftp.Config{})
	p := newPhone(t, b)
	p.ask("slow", "octet")
	for n := range 2 {
		p.want("what the disk gave", data(n+1, whole[n*512:(n+1)*512]))
		p.ack(n + 1)
	}
	for range 8 {
		if got, err := fetch(newSocket(t), b.addr, "fast"); err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	close(gate)
	for n := 2; n < 10; n++ {
		for want := data(n+1, whole[n*512:min((n+1)*512, 5000)]); !bytes.Equal(p.receive(), want); {
		}
		p.ack(n + 1)
	}
	for e := b.event(t, tftp.EventSent); e.Name != "slow"; e = b.event(t, tftp.EventSent) {
	}
}

// A panic of who is told costs that one transfer's event and nothing else.
func TestPanicOfTheReportCostsNobody(t *testing.T) {
	t.Parallel()
	s, conn := newPanicking(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, conn) }()
	for range 5 {
		if got, err := fetch(newSocket(t), conn.LocalAddr(), "f"); err != nil || len(got) != 600 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if _, err := fetch(newSocket(t), conn.LocalAddr(), "missing"); err == nil {
			t.Error(fs.ErrNotExist)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A block that was lost comes again after what the round trips say, not after Resend. The times are ten of the usual ones,
// so that a busy machine is not taken for a slow client.
func TestLostBlockComesAgainSoon(t *testing.T) {
	t.Parallel()
	whole := content(50 * 512)
	b := serve(t, &folder{files: map[string][]byte{"f": whole}}, tftp.Config{Resend: 10 * time.Second, GiveUp: time.Hour})
	p := newPhone(t, b)
	p.ask("f", "octet")
	for n := 1; n <= 40; n++ {
		p.want("a block", data(n, whole[(n-1)*512:n*512]))
		p.ack(n)
	}
	p.want("the one that is lost", data(41, whole[40*512:41*512]))
	lost := time.Now()
	p.want("it comes again", data(41, whole[40*512:41*512]))
	if took := time.Since(lost); took < time.Second || took > 8*time.Second {
		t.Errorf("it came again after %v, want about 2 s", took)
	}
	p.ack(41)
	p.want("the next", data(42, whole[41*512:42*512]))
}

// BenchmarkIdleTransfer tells the memory of a transfer of an image whose client is silent, all of it but the image.
func BenchmarkIdleTransfer(b *testing.B) {
	const count = 2000
	image := content(756_524)
	files := filesFunc(func(tftp.Request) (tftp.File, error) {
		return tftp.File{Bytes: image, Size: int64(len(image))}, nil
	})
	server := serve(b, files, tftp.Config{Resend: time.Hour, GiveUp: 2 * time.Hour, MaxPerClient: count})
	conns := make([]*net.UDPConn, 0, count)
	buf := make([]byte, 600)
	for b.Loop() {
		if len(conns) > 0 {
			continue // once is enough: it is no time that is measured
		}
		before := heapInUse()
		for range count {
			conns = append(conns, socketAt(b, 7))
		}
		sockets := heapInUse()
		for _, c := range conns {
			_, _ = c.WriteToUDPAddrPort(request(1, "P0S3-8-12-00.sb2", "octet"), server.addr)
			if _, err := c.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
		for len(server.events) > 0 {
			<-server.events
		}
		b.ReportMetric(float64(heapInUse()-sockets)/count, "bytes/transfer")
		b.ReportMetric(float64(sockets-before)/count, "bytes/client")
	}
	for _, c := range conns {
		c.Close()
	}
}
