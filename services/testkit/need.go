package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Need ends the test unless all that it names is there: "root" (user 0), "netns" (root with the rights to make network
// namespaces, and ip of iproute2), the path of a file that must exist, such as /dev/loop-control, or the name of a program.
// See [Lacking].
func Need(t testing.TB, what ...string) {
	t.Helper()
	for _, w := range what {
		if why := missing(w); why != "" {
			Lacking(t, w, why)
		}
	}
}

// Lacking ends a test for what this machine has not, and why that is known. It skips, but fails where the environment says
// CI=true: there nothing may be skipped. Nothing else in the repository skips a test (repotest.CheckSkips).
func Lacking(t testing.TB, what, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs %s: %s", what, why)
	}
	t.Skipf("needs %s: %s", what, why)
}

// missing says why w is not there, "" if it is.
func missing(w string) string {
	switch w {
	case "root":
		if os.Geteuid() != 0 {
			return fmt.Sprintf("running as user %d", os.Geteuid())
		}
	case "netns":
		if why := missing("ip"); why != "" {
			return why
		}
		return missingCapability()
	default:
		if strings.HasPrefix(w, "/") {
			if _, err := os.Stat(w); err != nil {
				return err.Error()
			}
			break
		}
		if _, err := exec.LookPath(w); err != nil {
			return err.Error()
		}
	}
	return ""
}

// missingCapability says which right for network namespaces this process lacks; a container's root may lack them.
func missingCapability() string {
	// Of the thread that asks: /proc/self is the process's first thread, and a test may have taken that one's rights away.
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(status)) {
		rest, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		caps, err := strconv.ParseUint(strings.TrimSpace(rest), 16, 64)
		if err != nil {
			return err.Error()
		}
		for bit, name := range map[int]string{unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN", unix.CAP_NET_ADMIN: "CAP_NET_ADMIN"} {
			if caps&(1<<bit) == 0 {
				return "no " + name
			}
		}
		return ""
	}
	return "capabilities are not in /proc/thread-self/status"
}
