package clock

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// Config is where the time comes from. Upstream may change with Apply, the rest is for the life of the clock.
type Config struct {
	Upstream []string  // NTP servers, names or addresses; empty = never ask
	Manage   bool      // set the system clock and the real-time clock; else an offset of our own is kept
	Floor    time.Time // no time before it is believed or told: when the program was built
	RTC      string    // device of the real-time clock; "" = /dev/rtc0
	Port     uint16    // of the upstream servers; 0 = 123
}

// Store keeps values over a restart.
type Store interface {
	Value(ctx context.Context, key string) ([]byte, error)
	SetValue(ctx context.Context, key string, value []byte) error
}

// Deps are what the clock needs from outside; Store and Log are required.
type Deps struct {
	Store Store
	Log   *slog.Logger
	// Resolver returns what the names of upstream servers are looked up with; nil = the system's resolver.
	Resolver func() *net.Resolver
	// System is the machine's clock; nil = the real one, which is only ever set with Config.Manage.
	System System
}

// System is the machine's clock and its real-time clock.
type System interface {
	Set(t time.Time) error      // steps the system clock
	Slew(d time.Duration) error // speeds it up or slows it down until it has gained d
	RTC() (time.Time, error)    // reads the real-time clock
	SetRTC(t time.Time) error   // writes the real-time clock
}

// Source says where the time came from.
type Source string

// The sources, best last.
const (
	SourceNone      Source = "nothing: the time is not known"
	SourceLastKnown Source = "the last time that was known"
	SourceRTC       Source = "the real-time clock"
	SourceBrowser   Source = "a browser"
	SourceNTP       Source = "NTP"
)

// The strata that are told for sources that are no NTP servers. They are high, so that a client that also sees a real
// server believes that one.
const (
	stratumBrowser = 10
	stratumRTC     = 12
	unsynchronised = 16
)

// How wrong a source may be at the moment when it is read.
const (
	errorBrowser = time.Second
	errorRTC     = time.Second
)

// drift is by how much the time may go wrong while nothing corrects it: 15 ppm (PHI of RFC 5905 section 7.1) for the
// running clock, 40 ppm for a real-time clock in a cold or warm cabinet.
const (
	driftClock = 15e-6
	driftRTC   = 40e-6
)

// Status is the clock in a few words.
type Status struct {
	Trusted bool
	Source  string
	Stratum int           // 16 = not synchronised
	Offset  time.Duration // by which the last correction changed the time
	Since   time.Time     // of the last correction; zero = never
}
