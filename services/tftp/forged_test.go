package tftp_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	raw "github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"phonebox/services/testkit"
	"phonebox/services/tftp"
)

const (
	forgedAddresses = 100
	forgedPorts     = 200
)

// longestWait is for a machine that is busy with other tests; without the cure it is 6 to 18 s.
const longestWait = 5 * time.Second

// What is sent to an address that nobody has waits in the socket for three seconds, until the kernel has given up looking
// for its owner. A flood of requests from such addresses must not keep the answers to phones waiting behind it.
func TestForgedRequestsFromUnusedAddressesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	testkit.Reexec(t, "box", []testkit.Host{
		{Name: "box", MAC: "02:00:00:00:00:01", Addr: netip.MustParsePrefix("10.77.0.1/16")},
		{Name: "phone", MAC: "00:06:d7:aa:2a:2e", Addr: netip.MustParsePrefix("10.77.200.2/16")},
		{Name: "flooder", MAC: "02:00:00:00:66:66", Addr: netip.MustParsePrefix("10.77.200.3/16")},
	}, func(t *testing.T, lan *testkit.LAN) {
		image := content(500_000)
		reg := prometheus.NewRegistry()
		// So few addresses have to fill the buffers, for the table of neighbours belongs to all tests of this machine.
		cfg := tftp.Config{Listen: netip.MustParseAddrPort("10.77.0.1:69"), MaxPerClient: 1000, MaxTransfers: 50_000}
		s, err := tftp.New(cfg, tftp.Deps{
			Files: filesFunc(func(r tftp.Request) (tftp.File, error) {
				if r.Name != "image" {
					return tftp.File{}, context.DeadlineExceeded
				}
				return tftp.File{Bytes: image, Size: int64(len(image))}, nil
			}),
			Log: slog.New(slog.DiscardHandler), Report: func(tftp.Event) {}, Metrics: reg,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-s.Ready()
		// As phonebox does for a phone with a lease, so that no flood takes its place in the kernel's table.
		lan.Node("box").Run(t, "ip", "neigh", "replace", "10.77.200.2", "lladdr", "00:06:d7:aa:2a:2e", "dev", testkit.Interface, "nud", "permanent")
		lan.Node("phone").Run(t, "ip", "neigh", "replace", "10.77.0.1", "lladdr", "02:00:00:00:00:01", "dev", testkit.Interface, "nud", "permanent")
		for _, name := range []string{"image", "missing"} { // one is answered with DATA from a lane, one with ERROR from port 69
			t.Run(name, func(t *testing.T) {
				before := droppedFor(t, reg, "no_neighbour")
				stop := flood(t, lan.Node("flooder"), name)
				defer stop()
				began := time.Now()
				longest, files := time.Duration(0), 0
				for time.Since(began) < 5*time.Second {
					wait := lockstep(t, lan.Node("phone"), "image")
					longest, files = max(longest, wait), files+1
				}
				forged := stop()
				t.Logf("%d files, the longest wait %v, %d forged requests", files, longest, forged)
				if longest >= longestWait {
					t.Errorf("the phone waited %v for its next block", longest)
				}
				if n := droppedFor(t, reg, "no_neighbour") - before; n == 0 {
					t.Errorf("%d forged requests did not fill the socket: the test shows nothing", forged)
				}
			})
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// droppedFor returns how many packets were counted as not answered for a reason.
func droppedFor(t *testing.T, reg *prometheus.Registry, reason string) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "phonebox_tftp_dropped_total" && m.GetLabel()[0].GetValue() == reason {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// flood sends requests from addresses that nobody has, until stop, which tells how many.
func flood(t *testing.T, n *testkit.Node, name string) (stop func() int) {
	t.Helper()
	var conn *raw.Conn
	n.Do(t, func() error {
		ifi, err := net.InterfaceByName(testkit.Interface)
		if err != nil {
			return err
		}
		conn, err = raw.Listen(ifi, raw.Raw, unix.ETH_P_LOOP, nil)
		return err
	})
	var frames [][]byte
	for port := range forgedPorts {
		for i := range forgedAddresses {
			frames = append(frames, forgedRequest(t, netip.AddrFrom4([4]byte{10, 77, byte(1 + i>>8), byte(i)}), uint16(20_000+port), name))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	sent := make(chan int, 1)
	go func() {
		count := 0
		for i := 0; ctx.Err() == nil; i++ {
			f := frames[i%len(frames)]
			if _, err := conn.WriteTo(f, &raw.Addr{HardwareAddr: net.HardwareAddr(f[:6])}); err == nil {
				count++
			}
			if i%20 == 19 {
				time.Sleep(2 * time.Millisecond)
			}
		}
		sent <- count
	}()
	total := -1
	return func() int {
		cancel()
		if total < 0 {
			total = <-sent
			conn.Close()
		}
		return total
	}
}

func forgedRequest(t *testing.T, from netip.Addr, port uint16, name string) []byte {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: from.AsSlice(), DstIP: net.IP{10, 77, 0, 1}}
	u := &layers.UDP{SrcPort: layers.UDPPort(port), DstPort: 69}
	if err := u.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	eth := &layers.Ethernet{
		SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0x66, 0x66}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4,
	}
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, u,
		gopacket.Payload("\x00\x01"+name+"\x00octet\x00")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// lockstep reads a file as a phone does and returns the longest time without its next block; what stays away is asked for
// again every second.
func lockstep(t *testing.T, n *testkit.Node, name string) (longest time.Duration) {
	t.Helper()
	var c *net.UDPConn
	n.Do(t, func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{})
		return err
	})
	defer c.Close()
	out := []byte("\x00\x01" + name + "\x00octet\x00")
	to := netip.MustParseAddrPort("10.77.0.1:69")
	buf := make([]byte, 600)
	for block := uint16(1); ; {
		asked := time.Now()
		for {
			if _, err := c.WriteToUDPAddrPort(out, to); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			size, from, err := c.ReadFromUDPAddrPort(buf)
			if err == nil && size >= 4 && buf[1] == 3 && binary.BigEndian.Uint16(buf[2:]) == block {
				to = from
				out = []byte{0, 4, buf[2], buf[3]}
				longest = max(longest, time.Since(asked))
				block++
				if size < 516 {
					_, _ = c.WriteToUDPAddrPort(out, to)
					return longest
				}
				break
			}
			if time.Since(asked) > 20*time.Second {
				t.Fatalf("block %d did not come in %v: %v", block, time.Since(asked), err)
			}
		}
	}
}
