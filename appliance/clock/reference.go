package clock

import (
	"time"

	"phonebox/services/sntp"
)

const (
	drift     = 15e-6           // how fast an undisciplined clock may go wrong (RFC 5905: PHI)
	unknown   = 100e-6          // and while nothing has been learnt about it: the worst crystals
	rtcDrift  = 20e-6           // the crystal of an RTC, over its temperatures
	maxError  = 5 * time.Minute // a time that may be wrong by more is not trusted
	staleness = 24 * time.Hour  // after so long without upstream the stratum is that of a local clock
	precision = -20             // log2 s: the system clock is read to about a microsecond
)

// The strata of what is no NTP server, high enough for a client to prefer any real server.
const (
	stratumBrowser = 10
	stratumHeld    = 10 // at least, after a day without upstream
	stratumSystem  = 11
	stratumRTC     = 12
	unsynchronised = 16
)

// The sources that are no server.
const (
	sourceLast    = "the last time that was known"
	sourceBuild   = "the time of the build"
	sourceRTC     = "the real-time clock"
	sourceSystem  = "the clock of this computer"
	sourceBrowser = "a browser"
)

// localID is what NTP servers send as the reference of a clock that follows no server.
var localID = [4]byte{127, 127, 1, 1}

// reference is what the time goes by. Stratum 0 is a guess that can't be trusted.
type reference struct {
	Source     string        `json:"source"`
	Stratum    uint8         `json:"stratum"`
	Leap       sntp.Leap     `json:"leap,omitempty"`
	ID         [4]byte       `json:"id"`
	At         time.Time     `json:"at"` // when the clock was last set by it, in the box's time
	mono       time.Time     // the same on the system clock, for its monotonic reading; zero after a restart
	Delay      time.Duration `json:"delay,omitempty"`
	Dispersion time.Duration `json:"dispersion"`     // at that moment
	Skew       float64       `json:"skew,omitempty"` // by which it grows a second; 0 = drift
}

// age is how long ago the clock was set. After a restart there is only the wall clock to tell.
func (r reference) age(box, system time.Time) time.Duration {
	if r.mono.IsZero() {
		return max(0, box.Sub(r.At))
	}
	return max(0, system.Sub(r.mono))
}

func (r reference) dispersion(age time.Duration) time.Duration {
	skew := r.Skew
	if skew == 0 {
		skew = drift
	}
	return r.Dispersion + time.Duration(float64(age)*skew)
}

func (r reference) trusted(age time.Duration) bool {
	return r.Stratum > 0 && r.dispersion(age)+r.Delay/2 <= maxError
}

// quality is the reference as an NTP answer tells it, its dispersion grown with its age.
func (r reference) quality(age time.Duration) sntp.Quality {
	if !r.trusted(age) {
		return sntp.Quality{Leap: sntp.LeapUnsync, Precision: precision}
	}
	q := sntp.Quality{
		Leap: r.Leap, Stratum: r.Stratum, ReferenceID: r.ID, ReferenceTime: r.At,
		RootDelay: r.Delay, RootDispersion: r.dispersion(age), Precision: precision,
	}
	if now := r.At.Add(age).UTC(); now.Month() != r.At.UTC().Month() {
		q.Leap = sntp.LeapNone // it was for the end of the month (RFC 5905 figure 9), and nobody announced another
	}
	if age > staleness {
		// An announced leap second has passed or was withdrawn; nobody told. The box goes by its own clock now.
		q.Leap, q.Stratum, q.ReferenceID = sntp.LeapNone, max(r.Stratum, stratumHeld), localID
	}
	return q
}
