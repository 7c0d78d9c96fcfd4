// Package machine tells what the computer is that the box runs on and how it feels: board, kernel, memory, heat, supply,
// and the disk of the data folder. It only reads.
package machine

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Facts are what could be read; zero values were not to be had.
type Facts struct {
	Go      string // the version of Go that built the daemon
	Kernel  string // its release
	Board   string // as the board tells it
	Arch    string
	CPUs    int
	Load    float64       // of the last minute
	Uptime  time.Duration // of the computer
	Memory  Memory
	Heat    float64 // of the CPU, in degrees Celsius; 0 = not known
	Supply  *Supply // nil = the board does not tell
	Disk    Disk
	Module  string // the version of the module, where Go knows one
	Changed bool   // it was built of sources that were changed after their last commit
}

// Memory is in bytes.
type Memory struct{ Total, Free, Resident int64 }

// Supply is what a Raspberry Pi says of its supply and heat (get_throttled).
type Supply struct {
	UnderVoltage, Throttled, Hot          bool // now
	WasUnderVoltage, WasThrottled, WasHot bool // since the board started
}

// Disk is the file system of the data folder, in bytes.
type Disk struct {
	Known       bool
	Total, Free int64
	ReadOnly    bool
}

// maxRead bounds what is read of a file of the kernel.
const maxRead = 64 << 10

// Reader reads the facts. Root is "/" but in tests; Data is the data folder.
type Reader struct{ Root, Data string }

// Read reads all facts anew.
func (r Reader) Read() Facts {
	f := Facts{Go: runtime.Version(), Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Kernel: kernel(), Board: r.board(), Memory: r.memory(), Heat: r.heat(), Supply: r.supply(), Disk: disk(r.Data)}
	if fields := strings.Fields(r.read("proc/loadavg")); len(fields) > 0 {
		f.Load, _ = strconv.ParseFloat(fields[0], 64)
	}
	if fields := strings.Fields(r.read("proc/uptime")); len(fields) > 0 {
		s, _ := strconv.ParseFloat(fields[0], 64)
		f.Uptime = time.Duration(s * float64(time.Second))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		f.Module = info.Main.Version
		for _, s := range info.Settings {
			f.Changed = f.Changed || s.Key == "vcs.modified" && s.Value == "true"
		}
	}
	return f
}

// read returns a small file of the kernel without blanks around it; "" when it is not there.
func (r Reader) read(name string) string {
	file, err := os.Open(filepath.Join(r.Root, name))
	if err != nil {
		return ""
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxRead))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(bytes.Trim(b, "\x00")))
}

func (r Reader) glob(pattern string) []string {
	names, _ := filepath.Glob(filepath.Join(r.Root, pattern))
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], filepath.Clean(r.Root))
	}
	return names
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func (r Reader) board() string {
	if model := r.read("proc/device-tree/model"); model != "" {
		return model
	}
	return strings.TrimSpace(r.read("sys/class/dmi/id/sys_vendor") + " " + r.read("sys/class/dmi/id/product_name"))
}

func (r Reader) memory() Memory {
	var m Memory
	kb := func(text, key string) int64 {
		lines := bufio.NewScanner(strings.NewReader(text))
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), key+":"); ok {
				n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				return n << 10
			}
		}
		return 0
	}
	info := r.read("proc/meminfo")
	m.Total, m.Free = kb(info, "MemTotal"), kb(info, "MemAvailable")
	m.Resident = kb(r.read("proc/self/status"), "VmRSS")
	return m
}

// heat is that of the hottest zone that the kernel names after the CPU; where it names none so, of the hottest.
func (r Reader) heat() float64 {
	ofCPU, hottest := 0.0, 0.0
	for _, zone := range r.glob("sys/class/thermal/thermal_zone*") {
		kind := strings.ToLower(r.read(filepath.Join(zone, "type")))
		milli, err := strconv.ParseFloat(r.read(filepath.Join(zone, "temp")), 64)
		if err != nil || milli <= 0 || milli > 200_000 {
			continue
		}
		hottest = max(hottest, milli/1000)
		if strings.Contains(kind, "cpu") || strings.Contains(kind, "pkg") {
			ofCPU = max(ofCPU, milli/1000)
		}
	}
	if ofCPU > 0 {
		return ofCPU
	}
	return hottest
}

// The bits of get_throttled.
const (
	bitUnderVoltage = 1 << 0
	bitThrottled    = 1 << 2
	bitHot          = 1 << 3
	pastShift       = 16 // the same bits, since the start
)

// supply reads what the firmware of a Raspberry Pi says, and else the alarm of its voltage that the kernel passes on.
func (r Reader) supply() *Supply {
	for _, name := range r.glob("sys/devices/platform/soc*/soc*firmware/get_throttled") {
		bits, err := strconv.ParseUint(strings.TrimPrefix(r.read(name), "0x"), 16, 32)
		if err != nil {
			continue
		}
		has := func(bit uint64) bool { return bits&bit != 0 }
		return &Supply{
			UnderVoltage: has(bitUnderVoltage), Throttled: has(bitThrottled), Hot: has(bitHot), WasUnderVoltage: has(bitUnderVoltage << pastShift),
			WasThrottled: has(bitThrottled << pastShift), WasHot: has(bitHot << pastShift),
		}
	}
	for _, dir := range r.glob("sys/class/hwmon/hwmon*") {
		if r.read(filepath.Join(dir, "name")) == "rpi_volt" {
			low := r.read(filepath.Join(dir, "in0_lcrit_alarm")) == "1"
			return &Supply{UnderVoltage: low, WasUnderVoltage: low}
		}
	}
	return nil
}

func disk(dir string) Disk {
	var st unix.Statfs_t
	if dir == "" || unix.Statfs(dir, &st) != nil {
		return Disk{}
	}
	return Disk{Known: true, Total: int64(st.Blocks) * st.Bsize, Free: int64(st.Bavail) * st.Bsize, ReadOnly: st.Flags&unix.ST_RDONLY != 0}
}
