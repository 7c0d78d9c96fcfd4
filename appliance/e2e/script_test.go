package e2e_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// envScript writes a script for a DHCP client that keeps its environment for each reason that it is called for (the first
// argument of udhcpc, $reason of dhclient) and then does more. env reads what was kept.
func envScript(t *testing.T, more string) (path string, env func(reason string) map[string]string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "script")
	text := "#!/bin/sh\nr=${reason:-$1}\nenv > '" + dir + "'/$r.tmp && mv '" + dir + "'/$r.tmp '" + dir + "'/$r.env\n" + more + "\nexit 0\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, func(reason string) map[string]string {
		b, err := os.ReadFile(filepath.Join(dir, reason+".env"))
		if err != nil {
			return nil
		}
		out := map[string]string{}
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
				out[k] = v
			}
		}
		return out
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
