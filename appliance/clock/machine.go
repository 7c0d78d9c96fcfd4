package clock

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// machine is the real clock of the machine.
type machine struct{ rtc string }

// Set implements System.
func (machine) Set(t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
}

// Slew implements System: the kernel gains or loses half a millisecond a second (adjtime(3)).
func (machine) Slew(d time.Duration) error {
	_, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT, Offset: d.Microseconds()})
	return err
}

// RTC implements System. A real-time clock keeps UTC in whole seconds.
func (m machine) RTC() (time.Time, error) {
	f, err := os.Open(m.rtc)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	r, err := unix.IoctlGetRTCTime(int(f.Fd()))
	if err != nil {
		return time.Time{}, fmt.Errorf("reading %s: %w", m.rtc, err)
	}
	return time.Date(int(r.Year)+1900, time.Month(r.Mon)+1, int(r.Mday), int(r.Hour), int(r.Min), int(r.Sec), 0, time.UTC), nil
}

// SetRTC implements System.
func (m machine) SetRTC(t time.Time) error {
	f, err := os.OpenFile(m.rtc, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	t = t.UTC()
	err = unix.IoctlSetRTCTime(int(f.Fd()), &unix.RTCTime{
		Year: int32(t.Year() - 1900), Mon: int32(t.Month()) - 1, Mday: int32(t.Day()),
		Hour: int32(t.Hour()), Min: int32(t.Minute()), Sec: int32(t.Second()),
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", m.rtc, err)
	}
	return nil
}
