package assemble

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// restEvery is how often the pages of the program are let go.
const restEvery = time.Minute

// rest lets pages of the program go that nobody needs: when all services run, those that only the start needed, and later
// those of what happens now and then. A quarter of the program is touched again in a storm.
func (b *Box) rest(ctx context.Context) error {
	if _, err := b.WaitReady(ctx); err != nil {
		return nil // ctx ended
	}
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	for {
		if err := letProgramGo(); err != nil {
			b.log.Debug("program not let go", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// letProgramGo takes the program's code and constants out of this process's memory. They stay in the kernel's cache, and what
// is needed of them is mapped again when it is touched, without reading the card.
func letProgramGo() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("finding what is mapped: %w", err)
	}
	for _, m := range constant(smaps, exe) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("letting go %#x to %#x: %w", m.from, m.to, errno)
		}
	}
	return nil
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// constant returns the mappings of a file that are as the file is: nothing in them can be written, and the process has no page
// of its own in them, as it has where the loader or a debugger changed something. The form of smaps is in proc(5).
func constant(smaps []byte, file string) (found []mapping) {
	var m mapping
	of := false
	for line := range bytes.Lines(smaps) {
		f := strings.Fields(string(line))
		switch {
		case len(f) >= 5 && !strings.HasSuffix(f[0], ":"):
			var ok bool
			m, ok = parseRange(f[0])
			of = ok && len(f[1]) == 4 && f[1][1] == '-' && len(f) > 5 && strings.Join(f[5:], " ") == file
		case of && len(f) == 3 && f[0] == "Anonymous:" && f[1] == "0":
			found = append(found, m)
		}
	}
	return found
}

func parseRange(s string) (m mapping, ok bool) {
	from, to, _ := strings.Cut(s, "-")
	a, err := strconv.ParseUint(from, 16, strconv.IntSize)
	b, err2 := strconv.ParseUint(to, 16, strconv.IntSize)
	return mapping{uintptr(a), uintptr(b)}, err == nil && err2 == nil && a < b
}
