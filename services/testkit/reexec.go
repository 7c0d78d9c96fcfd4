package testkit

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// insideVariable tells the inner process of Reexec which test it runs and in which LAN.
const insideVariable = "PHONEBOX_TESTKIT_INSIDE"

type inside struct {
	Test   string
	Prefix string
	Hosts  []Host
}

// Reexec makes a LAN and runs this test once more, in a process inside the host in; there, and only there, it calls
// body. So every goroutine of body is in the namespace, and body can still move the others: it gets the same LAN.
// Nothing of the test before the call may depend on being run once.
//
//	func TestProbe(t *testing.T) {
//		testkit.Reexec(t, "box", []testkit.Host{{Name: "box"}, {Name: "phone"}}, func(t *testing.T, lan *testkit.LAN) {
//			...
//		})
//	}
func Reexec(t *testing.T, in string, hosts []Host, body func(t *testing.T, lan *LAN)) {
	t.Helper()
	if v := os.Getenv(insideVariable); v != "" {
		var i inside
		if err := json.Unmarshal([]byte(v), &i); err != nil {
			t.Fatalf("reading %s: %v", insideVariable, err)
		}
		if i.Test != t.Name() {
			t.Fatalf("%s runs inside the namespaces of %s", t.Name(), i.Test)
		}
		body(t, newLAN(i.Prefix, i.Hosts))
		return
	}
	lan := NewLAN(t, hosts...)
	v, err := json.Marshal(inside{Test: t.Name(), Prefix: lan.prefix, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.v", "-test.run", runPattern(t.Name())}
	if deadline, ok := t.Deadline(); ok {
		// The inner test's own report of a hang is worth more than ours.
		args = append(args, "-test.timeout", max(time.Until(deadline)-2*time.Second, time.Second).String())
	}
	n := lan.Node(in)
	// os.Executable, for /proc/self/exe is ip once ip runs.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := n.Command(context.WithoutCancel(t.Context()), self, args...)
	cmd.Env = append(os.Environ(), insideVariable+"="+string(v))
	p := n.StartCmd(t, cmd)
	if err := p.Wait(); err != nil {
		t.Errorf("inside %s: %v", n.Name, err)
	}
	if !strings.Contains(p.Output(), "=== RUN   "+t.Name()) {
		t.Errorf("inside %s the test did not run", n.Name)
	}
}

// runPattern makes the -test.run pattern that names one test.
func runPattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}
