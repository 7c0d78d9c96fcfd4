package assemble

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOnlyWhatIsAsInTheFileIsLetGo(t *testing.T) {
	const smaps = `00400000-0120d000 r-xp 00000000 fe:00 42 /user/phoneboxd
Size:              14388 kB
Rss:               10980 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
0120d000-01400000 r--p 00e0d000 fe:00 42 /user/phoneboxd
Size:               1996 kB
Anonymous:             4 kB
VmFlags: rd mr mw me sd
01400000-01500000 rw-p 01000000 fe:00 42 /user/phoneboxd
Anonymous:             0 kB
7f0000000000-7f0000100000 r--s 00000000 fe:00 43 /perm/phonebox/journal.db
Anonymous:             0 kB
7f0000200000-7f0000300000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000300000-7f0000400000 r--p 00000000 fe:00 44 /user/phoneboxd (deleted)
Anonymous:             0 kB
nonsense r--p 00000000 fe:00 42 /user/phoneboxd
Anonymous:             0 kB
`
	for file, want := range map[string][]mapping{
		"/user/phoneboxd":           {{0x400000, 0x120d000}},
		"/user/phoneboxd (deleted)": {{0x7f0000300000, 0x7f0000400000}},
		"/user/other":               nil,
	} {
		if got := constant([]byte(smaps), file); !slices.Equal(got, want) {
			t.Errorf("%s: found %x, want %x", file, got, want)
		}
	}
}

// The program that tests goes on after its own pages were let go, and has fewer of them.
func TestProgramIsLetGo(t *testing.T) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	if len(constant(smaps, exe)) == 0 {
		t.Fatalf("nothing of %s can be let go:\n%s", exe, smaps)
	}
	before := residentFiles(t)
	if err := letProgramGo(); err != nil {
		t.Fatal(err)
	}
	if after := residentFiles(t); after >= before {
		t.Errorf("%d kB of files are in memory, %d before they were let go", after, before)
	}
}

// residentFiles returns how many kB of files are in the process's memory.
func residentFiles(t *testing.T) (kb int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			_, _ = fmt.Sscanf(rest, "%d", &kb)
		}
	}
	return kb
}
