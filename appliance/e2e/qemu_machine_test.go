package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"phonebox/services/testkit"
)

// bootPatience is how long an emulated computer may take to serve, on a busy machine.
const bootPatience = 5 * time.Minute

// machineMAC is the Ethernet address of the virtual computer. The host box, in whose namespace QEMU runs, has another.
const machineMAC = "02:00:00:00:77:02"

// machine is a virtual computer with the image as its disk, on the wire in the place of the box: the calls of box speak to
// it. It is switched off until power is called.
type machine struct {
	box
	arch  string
	disk  string
	stick string // a USB stick that is plugged in; "" = none
	noRTC bool   // the computer has no real-time clock, as a Raspberry Pi before the 5; arm64 only
}

// newMachine lays the cable and copies the image. In the namespace of the host box a bridge joins eth0, which leads to the
// switch, and tap0, which leads into QEMU; a capture there sees all that the virtual computer sends.
func newMachine(t *testing.T, arch string) *machine {
	t.Helper()
	testkit.Need(t, "netns", qemuProgram(arch))
	image := sharedImage(t, arch)
	lan := office(t, testkit.Host{Name: "wire"})
	m := &machine{box: box{t: t, lan: lan, node: lan.Node("box")}, arch: arch, disk: filepath.Join(t.TempDir(), "card.img")}
	m.laptop = m.client(lan.Node("laptop"))
	copySparse(t, image.file, m.disk)
	for _, args := range []string{
		"link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "tuntap add dev tap0 mode tap",
		"link set eth0 master br0", "link set tap0 master br0 up", "link set br0 up",
	} {
		m.node.IP(t, strings.Fields(args)...)
	}
	return m
}

func qemuProgram(arch string) string {
	return map[string]string{"arm64": "qemu-system-aarch64", "amd64": "qemu-system-x86_64"}[arch]
}

// power switches the computer on, its real-time clock at a time such as 2020-01-01T00:00:00 or at "utc", its disk with
// further options. QEMU gets no more of the namespace than tap0; its serial console is in the test's log.
func (m *machine) power(rtc string, disk ...string) {
	m.t.Helper()
	args := []string{
		"-smp", "2", "-m", "512", "-nographic", "-rtc", "base=" + rtc,
		"-drive", strings.Join(append(disk, "file="+m.disk, "format=raw", "if=none", "id=d"), ","), "-device", "virtio-blk-pci,drive=d",
		// The computer computes its checksums itself: a reader of raw frames sees valid ones.
		"-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no,vnet_hdr=off",
		"-device", "virtio-net-pci,netdev=n0,mac=" + machineMAC,
	}
	if m.stick != "" {
		args = append(args, "-device", "qemu-xhci", "-drive", "if=none,id=stick,format=raw,file="+m.stick,
			"-device", "usb-storage,drive=stick,removable=on")
	}
	if m.arch == "arm64" {
		args = append(args, "-M", "virt", "-cpu", "cortex-a72", "-kernel", kernelFile(m.t), "-append", m.kernelLine())
	} else {
		args = append(args, "-accel", "tcg", "-cpu", "max")
	}
	m.proc = m.node.Start(m.t, qemuProgram(m.arch), args...)
	proc := m.proc
	m.t.Cleanup(func() {
		select {
		case <-proc.Ended():
		default:
			if m.t.Failed() {
				m.logDaemon()
			}
		}
	})
}

// logDaemon puts the daemon's log into the test's log: gokrazy keeps its last lines, and goes on with those to come.
func (m *machine) logDaemon() {
	code, body := m.quickly(http.MethodGet, "/gokrazy/log?path=%2fuser%2fphoneboxd&stream=stderr")
	m.t.Logf("the daemon's log (%d):\n%s", code, strings.ReplaceAll(body, "\n\n", "\n"))
}

// quickly is a call that may get no answer, 0, also while the test ends.
func (m *machine) quickly(method, path string) (code int, body string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.t.Context()), 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+boxAddr+path, nil)
	if err != nil {
		m.t.Error(err)
		return 0, ""
	}
	req.SetBasicAuth("admin", password)
	resp, err := m.laptop.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// cut is a power cut: what the computer had not written to its disk is lost.
func (m *machine) cut() {
	m.t.Helper()
	m.proc.Signal(syscall.SIGKILL)
	<-m.proc.Ended()
}

// kernelFile is the Raspberry Pi's kernel, which a Pi's firmware would load from the card.
func kernelFile(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gokrazy/kernel.rpi").Output()
	if err != nil {
		t.Fatalf("looking for the kernel: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "vmlinuz")
}

// kernelLine is the command line that the card has for the kernel, with the console of the virtual board.
func (m *machine) kernelLine() string {
	m.t.Helper()
	f, err := os.Open(m.disk)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	const bootPartitionEnds = 110 << 20
	head := make([]byte, bootPartitionEnds)
	if _, err := io.ReadFull(f, head); err != nil {
		m.t.Fatal(err)
	}
	at := bytes.Index(head, []byte("root=PARTUUID="))
	if at < 0 {
		m.t.Fatal("the card has no cmdline.txt with root=PARTUUID=")
	}
	root, _, _ := strings.Cut(string(head[at:at+200]), " ")
	line := "console=ttyAMA0,115200 " + root + " init=/gokrazy/init rootwait panic=10 oops=panic"
	if m.noRTC {
		line += " initcall_blacklist=pl031_driver_init" // the board has one, the kernel doesn't find it
	}
	return line
}

// waitPage returns once the page answers.
func (m *machine) waitPage() {
	m.t.Helper()
	testkit.Eventually(m.t, bootPatience, "the page answers", func() bool {
		select {
		case <-m.proc.Ended():
			m.t.Fatalf("QEMU ended: %v", m.proc.Wait())
		default:
		}
		code, _ := m.tryGet("/alive")
		return code == http.StatusNoContent
	})
}

// tryGet asks without a login and returns the status, 0 where nobody answers, and the computer's system clock.
func (m *machine) tryGet(path string) (code int, date time.Time) {
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+boxAddr+path, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	resp, err := m.laptop.Do(req)
	if err != nil {
		return 0, time.Time{}
	}
	resp.Body.Close()
	date, _ = http.ParseTime(resp.Header.Get("Date"))
	return resp.StatusCode, date
}

// systemClock returns what the computer's system clock shows, in whole seconds: the HTTP server's Date.
func (m *machine) systemClock() time.Time {
	m.t.Helper()
	var date time.Time
	testkit.Eventually(m.t, bootPatience, "the page tells the date", func() bool {
		_, date = m.tryGet("/alive")
		return !date.IsZero()
	})
	return date
}

// waitOffer asks for an address ten times a second until the first offer comes.
func (m *machine) waitOffer() *dhcpv4.DHCPv4 {
	m.t.Helper()
	return m.offerTo(net.HardwareAddr{2, 0, 0, 0, 0x77, 0x21})
}

// offerTo is waitOffer for somebody with that Ethernet address.
func (m *machine) offerTo(mac net.HardwareAddr) *dhcpv4.DHCPv4 {
	m.t.Helper()
	conn := testkit.In(m.t, m.lan.Node("laptop"), listenDHCP)
	defer conn.Close()
	discover, err := dhcpv4.NewDiscovery(mac, dhcpv4.WithBroadcast(true))
	if err != nil {
		m.t.Fatal(err)
	}
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("255.255.255.255:67"))
	buf := make([]byte, 1500)
	for deadline := time.Now().Add(bootPatience); time.Now().Before(deadline); {
		if _, err := conn.WriteTo(discover.ToBytes(), to); err != nil {
			m.t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			m.t.Fatal(err)
		}
		for {
			n, _, err := conn.ReadFrom(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				m.t.Fatal(err)
			}
			answer, err := dhcpv4.FromBytes(buf[:n])
			if err == nil && answer.MessageType() == dhcpv4.MessageTypeOffer && answer.TransactionID == discover.TransactionID {
				return answer
			}
		}
	}
	m.t.Fatalf("no offer came within %s", bootPatience)
	return nil
}

// listenDHCP opens the port of DHCP clients on eth0; answers to everybody arrive there.
func listenDHCP() (net.PacketConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if ctl := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), testkit.Interface) }); ctl != nil {
			return ctl
		}
		return err
	}}
	return lc.ListenPacket(context.Background(), "udp4", ":68")
}
