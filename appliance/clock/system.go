package clock

import (
	"errors"
	"fmt"
	"os"
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
	// Slew corrects a small offset gradually and returns the drift that the kernel has learnt, in ppm. poll is the
	// time until the next correction.
	Slew(offset, poll time.Duration) (driftPPM float64, err error)
	// SetDrift tells the kernel a drift that was learnt before.
	SetDrift(ppm float64) error
	// ReadRTC and WriteRTC fail where there is no RTC; times are whole seconds.
	ReadRTC() (time.Time, error)
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

// Slew hands the offset to the kernel's phase-locked loop, which learns the drift as well (RFC 5905 section 11.3).
func (machine) Slew(offset, poll time.Duration) (float64, error) {
	tx := unix.Timex{
		Modes:  unix.ADJ_OFFSET | unix.ADJ_STATUS | unix.ADJ_NANO | unix.ADJ_TIMECONST | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR,
		Status: unix.STA_PLL, // not unsynchronised any more
		Offset: int64(offset),
	}
	for p := 32 * time.Second; p < poll; p *= 2 {
		tx.Constant++ // log2 of the poll interval less 4, as ntpd sets it
	}
	if _, err := unix.Adjtimex(&tx); err != nil {
		return 0, fmt.Errorf("slewing the system clock: %w", err)
	}
	return float64(tx.Freq) / kernelFraction, nil
}

func (machine) SetDrift(ppm float64) error {
	tx := unix.Timex{Modes: unix.ADJ_FREQUENCY, Freq: int64(ppm * kernelFraction)}
	if _, err := unix.Adjtimex(&tx); err != nil {
		return fmt.Errorf("setting the drift of the system clock: %w", err)
	}
	return nil
}

var errNoRTC = errors.New("there is no real-time clock")

func (m machine) ReadRTC() (time.Time, error) {
	f, err := m.openRTC()
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	v, err := unix.IoctlGetRTCTime(int(f.Fd()))
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the real-time clock: %w", err)
	}
	return time.Date(int(v.Year)+1900, time.Month(v.Mon+1), int(v.Mday), int(v.Hour), int(v.Min), int(v.Sec), 0, time.UTC), nil
}

func (m machine) WriteRTC(t time.Time) error {
	f, err := m.openRTC()
	if err != nil {
		return err
	}
	defer f.Close()
	t = t.UTC().Round(time.Second)
	v := unix.RTCTime{
		Year: int32(t.Year() - 1900), Mon: int32(t.Month() - 1), Mday: int32(t.Day()),
		Hour: int32(t.Hour()), Min: int32(t.Minute()), Sec: int32(t.Second()),
	}
	if err := unix.IoctlSetRTCTime(int(f.Fd()), &v); err != nil {
		return fmt.Errorf("setting the real-time clock: %w", err)
	}
	return nil
}

func (m machine) openRTC() (*os.File, error) {
	f, err := os.Open(m.rtc)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoRTC
	}
	if err != nil {
		return nil, fmt.Errorf("opening the real-time clock: %w", err)
	}
	return f, nil
}

// bootID is what tells one start of the kernel from the next (random(4)); "" where it can't be read.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
