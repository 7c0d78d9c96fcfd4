package testkit_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"

	"phonebox/services/testkit"
)

var (
	boxAddr   = netip.MustParsePrefix("10.77.0.1/16")
	phoneAddr = netip.MustParsePrefix("10.77.1.2/16")
)

func hosts() []testkit.Host {
	return []testkit.Host{
		{Name: "box", MAC: "02:00:00:00:00:01", Addr: boxAddr},
		{Name: "phone", MAC: "00:06:d7:aa:2a:2e", Addr: phoneAddr},
	}
}

// listen opens a UDP socket of that host.
func listen(t *testing.T, n *testkit.Node, port int) *net.UDPConn {
	t.Helper()
	c := testkit.In(t, n, func() (*net.UDPConn, error) {
		return net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// crosses sends one datagram and reports whether it arrived.
func crosses(t *testing.T, from, to *net.UDPConn, dst netip.Addr, limit time.Duration) bool {
	t.Helper()
	port := uint16(to.LocalAddr().(*net.UDPAddr).Port)
	text := fmt.Sprintf("hello at %d", time.Now().UnixNano())
	_, err := from.WriteToUDPAddrPort([]byte(text), netip.AddrPortFrom(dst, port))
	if err != nil {
		return false
	}
	_ = to.SetReadDeadline(time.Now().Add(limit))
	buf := make([]byte, 100)
	for {
		n, err := to.Read(buf)
		if err != nil {
			return false
		}
		if string(buf[:n]) == text {
			return true
		}
	}
}

func TestHostsReachEachOtherWithTheMACsTheyWereGiven(t *testing.T) {
	t.Parallel()
	lan := testkit.NewLAN(t, hosts()...)
	box, phone := lan.Node("box"), lan.Node("phone")
	capture := box.Capture(t)
	if !crosses(t, listen(t, phone, 0), listen(t, box, 5000), boxAddr.Addr(), 5*time.Second) {
		t.Fatal("a datagram from phone to box is lost")
	}
	if got := phone.HardwareAddr(t).String(); got != phone.MAC {
		t.Errorf("the phone has %s, want %s", got, phone.MAC)
	}
	testkit.Eventually(t, 5*time.Second, "the capture sees the datagram with a valid checksum", func() bool {
		for _, p := range capture.Packets() {
			eth, _ := p.LinkLayer().(*layers.Ethernet)
			if p.Layer(layers.LayerTypeUDP) == nil || eth.SrcMAC.String() != phone.MAC {
				continue
			}
			err, bad := p.VerifyChecksums()
			if err != nil || len(bad) > 0 {
				t.Fatalf("checksums of the datagram: %v %v", err, bad)
			}
			return true
		}
		return false
	})
}

func TestCableOutStopsTheWireAndCableInBringsItBack(t *testing.T) {
	t.Parallel()
	lan := testkit.NewLAN(t, hosts()...)
	box, phone := lan.Node("box"), lan.Node("phone")
	from, to := listen(t, phone, 0), listen(t, box, 5000)
	box.CableOut(t)
	if crosses(t, from, to, boxAddr.Addr(), 50*time.Millisecond) {
		t.Error("a datagram passed although the cable is out")
	}
	box.CableIn(t)
	if !crosses(t, from, to, boxAddr.Addr(), 5*time.Second) {
		t.Error("no datagram passes although the cable is in again")
	}
}

func TestAnInterfaceGoesAndReturns(t *testing.T) {
	t.Parallel()
	lan := testkit.NewLAN(t, hosts()...)
	box, phone := lan.Node("box"), lan.Node("phone")
	box.RemoveInterface(t)
	if out := box.IP(t, "link"); strings.Contains(out, testkit.Interface) {
		t.Errorf("the interface is still there: %s", out)
	}
	box.RestoreInterface(t)
	if !crosses(t, listen(t, phone, 0), listen(t, box, 5000), boxAddr.Addr(), 5*time.Second) {
		t.Error("no datagram passes after the interface returned")
	}
	phone.SetMAC(t, "00:06:d7:00:00:99")
	if got := phone.HardwareAddr(t).String(); got != "00:06:d7:00:00:99" {
		t.Errorf("the phone has %s after SetMAC", got)
	}
}

func TestProgramsRunInsideAndEndWithTheTest(t *testing.T) {
	t.Parallel()
	lan := testkit.NewLAN(t, hosts()...)
	phone := lan.Node("phone")
	if out := phone.Run(t, "ip", "-4", "addr", "show", "dev", "eth0"); !strings.Contains(out, phoneAddr.String()) {
		t.Errorf("the program sees other addresses: %s", out)
	}
	if _, err := phone.Try(t, "false"); err == nil {
		t.Error("a program that fails gives no error")
	}
	var p *testkit.Process
	t.Run("inner", func(t *testing.T) {
		p = phone.Start(t, "sh", "-c", "echo begun; exec sleep 1000")
		p.WaitOutput("begun", 5*time.Second)
	})
	select {
	case <-p.Ended():
	default:
		t.Error("the program outlived its test")
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "netns")
	stale := "phonebox-4999999-dead-box" // beyond the kernel's largest process number
	// The tests of another package may find it and remove it before it is whole.
	for attempt := 1; ; attempt++ {
		out, err := exec.Command("ip", "netns", "add", stale).CombinedOutput()
		if err == nil {
			break
		}
		if attempt == 5 {
			t.Fatalf("%v: %s", err, out)
		}
	}
	var ns string
	t.Run("inner", func(t *testing.T) {
		lan := testkit.NewLAN(t, hosts()...)
		ns = lan.Node("box").Namespace()
		// One that Start does not know of.
		lan.Node("box").Run(t, "sh", "-c", "sleep 1000 >/dev/null 2>&1 &")
	})
	for _, name := range []string{ns, stale} {
		if _, err := os.Stat(filepath.Join("/run/netns", name)); !os.IsNotExist(err) {
			t.Errorf("the namespace %s is left behind (%v)", name, err)
		}
	}
}

func TestReexecRunsTheBodyInsideTheNamespace(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"box", "phone"} {
		t.Run("in "+in, func(t *testing.T) {
			testkit.Reexec(t, in, hosts(), func(t *testing.T, lan *testkit.LAN) {
				addrs := make(chan string)
				go func() { // any thread of the process
					ifi, err := net.InterfaceByName(testkit.Interface)
					if err != nil {
						addrs <- err.Error()
						return
					}
					a, err := ifi.Addrs()
					addrs <- fmt.Sprint(a, err)
				}()
				if got := <-addrs; !strings.Contains(got, lan.Node(in).Addr.String()) {
					t.Errorf("found %s, want %s", got, lan.Node(in).Addr)
				}
				lan.Node("phone").CableOut(t) // the LAN can be moved from inside
				lan.Node("phone").CableIn(t)
			})
		})
	}
}
