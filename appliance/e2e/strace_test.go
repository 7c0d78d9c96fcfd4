package e2e_test

import (
	"bufio"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// TestEachACKWaitsForItsSync traces the daemon while phones boot: between the REQUEST of a phone and the send of its ACK an
// fdatasync began and ended (promise 1).
func TestEachACKWaitsForItsSync(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "strace")
	const n = 20
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:69:00:00")
	b := newBox(t, lan, site{phones: listed(base, n)}.text(), nil)
	trace := filepath.Join(t.TempDir(), "trace")
	b.args = []string{"strace", "-f", "-xx", "-s", "2048", "-o", trace, "-e", "trace=recvfrom,recvmsg,recvmmsg,sendto,sendmsg,sendmmsg,fdatasync,fsync"}
	b.start()
	b.setPassword()
	b.waitReady()
	storm(t, newWire(t, lan.Node("wire")), base, n, nil)
	// strace takes no SIGTERM for its tracee: it would detach and leave the daemon running.
	pid := childOf(t, b.proc.Cmd.Process.Pid)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-b.proc.Ended()

	calls := readTrace(t, trace)
	acks := 0
	requested := map[string]int{} // transaction: index of its last REQUEST
	for i, c := range calls {
		for _, m := range c.messages {
			key := m.ClientHWAddr.String() + " " + m.TransactionID.String()
			switch {
			case c.receives && m.MessageType() == dhcpv4.MessageTypeRequest:
				requested[key] = i
			case !c.receives && m.MessageType() == dhcpv4.MessageTypeAck:
				acks++
				from, ok := requested[key]
				if !ok {
					t.Errorf("the ACK %s in line %d answers no REQUEST that was seen", key, c.begin)
				} else if !syncedBetween(calls, calls[from].end, c.begin) {
					t.Errorf("the ACK %s left in line %d; no fdatasync began and ended since its REQUEST in line %d", key, c.begin, calls[from].end)
				}
			}
		}
	}
	if acks < n {
		t.Errorf("found %d ACKs in the trace, wanted at least %d", acks, n)
	}
	syncs := 0
	for _, c := range calls {
		if c.syncs {
			syncs++
		}
	}
	t.Logf("FIGURE strace: %d ACKs, each after its fdatasync; %d syncs in all", acks, syncs)
}

// syncedBetween reports whether a sync began after one line of the trace and ended before another.
func syncedBetween(calls []syscallLine, after, before int) bool {
	for _, c := range calls {
		if c.syncs && c.begin > after && c.end < before {
			return true
		}
	}
	return false
}

// syscallLine is a system call that succeeded: the lines of the trace in which it began and ended, and the DHCP messages in
// its buffers.
type syscallLine struct {
	begin, end int
	syncs      bool
	receives   bool
	messages   []*dhcpv4.DHCPv4
}

var (
	traceLine   = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?([a-z0-9_]+)(\(| resumed>)(.*)$`)
	traceBuffer = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})+)"`)
)

// readTrace reads the output of strace -f -xx. A call that another thread interrupts has two lines.
func readTrace(t *testing.T, path string) (calls []syscallLine) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	began := map[string]int{} // thread: line
	args := map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		m := traceLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		thread, name, rest := m[1], m[2], m[4]
		if m[3] == "(" {
			began[thread], args[thread] = n, ""
		}
		args[thread] += rest
		if strings.HasSuffix(rest, "<unfinished ...>") {
			continue
		}
		if i := strings.LastIndex(rest, " = "); i < 0 || strings.HasPrefix(rest[i+3:], "-") || strings.HasPrefix(rest[i+3:], "?") {
			continue // it failed, mostly because nothing was there to be read
		}
		c := syscallLine{begin: began[thread], end: n, syncs: name == "fdatasync" || name == "fsync", receives: strings.HasPrefix(name, "recv")}
		for _, hexed := range traceBuffer.FindAllStringSubmatch(args[thread], -1) {
			if m := dhcpIn(strings.ReplaceAll(hexed[1], `\x`, "")); m != nil {
				c.messages = append(c.messages, m)
			}
		}
		if c.syncs || len(c.messages) > 0 {
			calls = append(calls, c)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return calls
}

// dhcpIn finds a DHCP message in a buffer: as it is, or behind the headers of a raw frame.
func dhcpIn(hexed string) *dhcpv4.DHCPv4 {
	b, err := hex.DecodeString(hexed)
	if err != nil {
		return nil
	}
	const ethernetIPv4UDP = 14 + 20 + 8
	for _, at := range []int{0, ethernetIPv4UDP} {
		if len(b) < at+240 {
			continue
		}
		if m, err := dhcpv4.FromBytes(b[at:]); err == nil && len(m.ClientHWAddr) == len(phone.MAC{}) {
			return m
		}
	}
	return nil
}

// childOf returns the one child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := filepath.Glob(filepath.Join("/proc", itoa(pid), "task", "*", "children"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for f := range strings.FieldsSeq(string(text)) {
			return atoi(t, f)
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}
