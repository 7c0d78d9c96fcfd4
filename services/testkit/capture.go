package testkit

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// captureLimit bounds what a capture keeps, in bytes.
const captureLimit = 64 << 20

// Capture is what passes an interface, from the call of [Node.Capture] on.
type Capture struct {
	conn *packet.Conn
	raw  syscall.RawConn
	done chan struct{}

	mu     sync.Mutex
	buf    []byte
	frames []frame
	size   int
}

type frame struct {
	at   time.Time
	data []byte
}

// Capture records the frames that pass the host's eth0 in both directions until the test ends. A test that failed
// leaves them as a .pcap file in [Artefacts], and says where.
func (n *Node) Capture(t testing.TB) *Capture {
	t.Helper()
	conn := In(t, n, func() (*packet.Conn, error) {
		ifi, err := net.InterfaceByName(Interface)
		if err != nil {
			return nil, err
		}
		return packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	})
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatalf("capturing at %s: %v", n.Name, err)
	}
	c := &Capture{conn: conn, raw: raw, done: make(chan struct{}), buf: make([]byte, 1<<16)}
	go c.read()
	t.Cleanup(func() {
		conn.Close()
		<-c.done
		if !t.Failed() {
			return
		}
		name := strings.ReplaceAll(t.Name(), "/", "_") + "-" + n.Name + ".pcap"
		path := filepath.Join(Artefacts(t), name)
		if err := c.save(path); err != nil {
			t.Logf("saving the capture of %s: %v", n.Name, err)
			return
		}
		t.Logf("capture of %s: %s", n.Name, path)
	})
	return c
}

// read takes the frames as they come, until the socket is closed.
func (c *Capture) read() {
	defer close(c.done)
	// It waits for frames as long as the function returns false.
	_ = c.raw.Read(func(fd uintptr) bool { c.take(fd); return false })
}

// take reads what the kernel has. Whoever takes holds the lock, so that nobody sees a frame missing that came before one
// that is there, or before the call.
func (c *Capture) take(fd uintptr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		n, _, err := unix.Recvfrom(int(fd), c.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.EINTR) {
			continue // the cable is out; the socket stays good
		}
		if err != nil {
			return // EAGAIN: there is none
		}
		if c.size += n; c.size <= captureLimit {
			c.frames = append(c.frames, frame{at: time.Now(), data: append([]byte(nil), c.buf[:n]...)})
		}
	}
}

// Frames returns all frames that passed until now, from the Ethernet header on.
func (c *Capture) Frames() [][]byte {
	_ = c.raw.Control(c.take) // a busy machine may not have come to read
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([][]byte, len(c.frames))
	for i, f := range c.frames {
		out[i] = f.data
	}
	return out
}

// Packets returns what [Capture.Frames] does, decoded and ready for VerifyChecksums.
func (c *Capture) Packets() []gopacket.Packet {
	frames := c.Frames()
	out := make([]gopacket.Packet, len(frames))
	for i, f := range frames {
		out[i] = gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
		for _, l := range out[i].Layers() {
			if c, ok := l.(interface {
				SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
			}); ok && out[i].NetworkLayer() != nil {
				_ = c.SetNetworkLayerForChecksum(out[i].NetworkLayer())
			}
		}
	}
	return out
}

func (c *Capture) save(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fr := range c.frames {
		ci := gopacket.CaptureInfo{Timestamp: fr.at, CaptureLength: len(fr.data), Length: len(fr.data)}
		if err := w.WritePacket(ci, fr.data); err != nil {
			return err
		}
	}
	return f.Close()
}

// Artefacts returns the folder for what a failed test leaves: $PHONEBOX_ARTEFACTS, else phonebox-artefacts in the
// system's folder for temporary files. It is made when absent.
func Artefacts(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PHONEBOX_ARTEFACTS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "phonebox-artefacts")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("making the folder for artefacts: %v", err)
	}
	return dir
}
