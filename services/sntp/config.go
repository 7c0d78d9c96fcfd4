package sntp

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is where the server listens.
type Config struct {
	Listen    netip.AddrPort // normally 0.0.0.0:123, for broadcasts are served as well
	Interface string         // the only interface that is served; "" = any
	Server    netip.Prefix   // the box's address (source of every answer) and the subnet whose broadcast address is served
}

// Leap is the leap indicator (RFC 5905 figure 9).
type Leap uint8

// The leap indicators.
const (
	LeapNone   Leap = 0
	LeapAdd    Leap = 1
	LeapDelete Leap = 2
	LeapUnsync Leap = 3 // the clock is not synchronised
)

// Quality is what the box knows about its own time (RFC 5905 section 7.3).
type Quality struct {
	Leap           Leap
	Stratum        uint8 // 1-15; 0 is sent as 16 with LeapUnsync
	ReferenceID    [4]byte
	ReferenceTime  time.Time // when the clock was last set
	RootDelay      time.Duration
	RootDispersion time.Duration // at the moment of the call, grown since ReferenceTime
	Precision      int8          // log2 seconds
}

// Clock is the time that is told. Adjust turns a time of the system clock (a kernel receive time) into the box's time.
type Clock interface {
	Now() time.Time
	Adjust(system time.Time) time.Time
	Quality() Quality
}

// Deps are what the server needs from outside; Clock, Log and Report are required.
type Deps struct {
	Clock   Clock
	Log     *slog.Logger
	Report  func(Event)           // must not block
	Metrics prometheus.Registerer // nil = no metrics
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventAnswered EventKind = "answered"
	EventDropped  EventKind = "dropped" // Reason says why
)

// Event is one request.
type Event struct {
	Kind    EventKind
	Time    time.Time
	From    netip.AddrPort
	Version uint8
	Stratum uint8 // as answered; 16 = not synchronised
	Reason  string
}
