package clock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// System is the clock of a machine and its RTC. Without [Config.Manage] only Now, Uptime and Synchronised are called.
type System interface {
	// Now returns the system's wall clock with Go's monotonic reading.
	Now() time.Time
	// Uptime returns the time since the kernel started, suspensions included.
	Uptime() time.Duration
	// Synchronised reports whether the kernel says that something keeps its clock right, and its error bound.
	Synchronised() (bool, time.Duration)
	// Step adds offset to the wall clock at once.
	Step(offset time.Duration) error
	// Slew lets the wall clock catch up an offset gradually, at 500 ppm, instead of what is left of the last one.
	Slew(offset time.Duration) error
	// SetDrift lets the wall clock run faster by so many ppm than it would by itself, at most 500.
	SetDrift(ppm float64) error
	// ReadRTC returns the time of each real-time clock that can be read, in whole seconds, and why others can't; it
	// fails where there is none.
	ReadRTC() ([]time.Time, error)
	// WriteRTC sets each real-time clock; it fails where there is none.
	WriteRTC(t time.Time) error
}

// machine is the clock of this machine. Its methods that set anything are called with -manage-clock only, and from no
// test: no other code of phonebox may set a clock.
type machine struct{ rtc string }

func (machine) Now() time.Time { return time.Now() }

func (machine) Uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func (machine) Synchronised() (bool, time.Duration) {
	var tx unix.Timex // Modes 0 only reads
	_, err := unix.Adjtimex(&tx)
	return err == nil && tx.Status&unix.STA_UNSYNC == 0, time.Duration(tx.Maxerror) * time.Microsecond
}

func (machine) Step(offset time.Duration) error {
	ts, err := unix.TimeToTimespec(time.Now().Add(offset))
	if err != nil {
		return fmt.Errorf("setting the system clock: %w", err)
	}
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("setting the system clock: %w", err)
	}
	return nil
}

// kernelFraction is what the kernel counts frequencies in: ppm with a 16-bit fraction (adjtimex(2)).
const kernelFraction = 1 << 16

// Slew leaves the offset to the kernel's adjtime: it goes on when the program ends, and ends by itself.
func (machine) Slew(offset time.Duration) error {
	tx := unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT, Offset: offset.Round(time.Microsecond).Microseconds()}
	if _, err := unix.Adjtimex(&tx); err != nil {
		return fmt.Errorf("slewing the system clock: %w", err)
	}
	return nil
}

// SetDrift also takes back what an NTP client left to the kernel's loop. The kernel is not told that its clock is right: it
// would write it into the RTC every eleven minutes, a mere guess as well, which the next start would believe.
func (machine) SetDrift(ppm float64) error {
	tx := unix.Timex{Modes: unix.ADJ_FREQUENCY | unix.ADJ_STATUS, Status: unix.STA_UNSYNC, Freq: int64(ppm * kernelFraction)}
	if _, err := unix.Adjtimex(&tx); err != nil {
		return fmt.Errorf("setting the drift of the system clock: %w", err)
	}
	return nil
}

var errNoRTC = errors.New("there is no real-time clock")

// devices are the real-time clocks: a Pi 5 has its own, others one on a board or none.
func (m machine) devices() []string {
	if m.rtc != "" {
		return []string{m.rtc}
	}
	list, _ := filepath.Glob("/dev/rtc[0-9]*") // the pattern is right
	return list
}

// each does something with each real-time clock.
func (m machine) each(what string, do func(fd int) error) error {
	var errs []error
	found := false
	for _, name := range m.devices() {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		found = true
		if err == nil {
			err = do(int(f.Fd()))
			f.Close()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s the real-time clock %s: %w", what, name, err))
		}
	}
	if !found {
		return errNoRTC
	}
	return errors.Join(errs...)
}

func (m machine) ReadRTC() (times []time.Time, err error) {
	err = m.each("reading", func(fd int) error {
		v, err := unix.IoctlGetRTCTime(fd)
		if err != nil {
			return err
		}
		times = append(times, time.Date(int(v.Year)+1900, time.Month(v.Mon+1), int(v.Mday), int(v.Hour), int(v.Min), int(v.Sec), 0, time.UTC))
		return nil
	})
	return times, err
}

func (m machine) WriteRTC(t time.Time) error {
	t = t.UTC().Round(time.Second)
	return m.each("setting", func(fd int) error {
		return unix.IoctlSetRTCTime(fd, &unix.RTCTime{
			Year: int32(t.Year() - 1900), Mon: int32(t.Month() - 1), Mday: int32(t.Day()),
			Hour: int32(t.Hour()), Min: int32(t.Minute()), Sec: int32(t.Second()),
		})
	})
}

// bootID is what tells one start of the kernel from the next (random(4)); "" where it can't be read.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
