package sntp

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is where the server listens, and what it does.
type Config struct {
	Listen    netip.AddrPort // normally 0.0.0.0:123, for broadcasts are served as well
	Interface string         // the only interface that is served; "" = any, and no multicast
	Server    netip.Prefix   // the box's address (source of every answer) and the subnet whose broadcast address is served
	// Networks are others that are served. A request to the broadcast address of one of them is answered where it arrives.
	Networks []netip.Prefix
	// Broadcast is the time between two broadcasts of the time (mode 5) to the subnet and to 224.0.1.1, 1 s or more; 0 = none.
	Broadcast time.Duration
	Limit     Limit // of the requests of each client; the zero value = DefaultLimit
}

// Limit bounds how often one address is answered: a bucket that holds Burst requests and is refilled with PerSecond.
type Limit struct{ PerSecond, Burst int }

// DefaultLimit is far above what clients do that work: a phone asks a few times in each boot, a burst of chronyd (iburst, -Q)
// is eight requests in sixteen seconds, and many clients may come with one address through a router. It bounds what a client
// that asks in a loop costs, and what is sent to somebody whose address is forged.
var DefaultLimit = Limit{PerSecond: 128, Burst: 256}

func (c Config) validate() error {
	if !c.Listen.IsValid() || !c.Listen.Addr().Is4() {
		return fmt.Errorf("sntp.listen: found %s, allowed is an IPv4 address with a port", c.Listen)
	}
	if !c.Server.IsValid() || !c.Server.Addr().Is4() {
		return fmt.Errorf("sntp.server: found %s, allowed is the box's IPv4 address with its subnet", c.Server)
	}
	for i, n := range c.Networks {
		if !n.IsValid() || !n.Addr().Is4() {
			return fmt.Errorf("sntp.networks[%d]: found %s, allowed is an IPv4 network", i, n)
		}
	}
	if c.Broadcast != 0 && c.Broadcast < time.Second {
		return fmt.Errorf("sntp.broadcast: found %s, allowed is 0s or at least 1s", c.Broadcast)
	}
	if l := c.Limit; l != (Limit{}) && (l.PerSecond < 1 || l.Burst < 1) {
		return fmt.Errorf("sntp.limit: found %d a second and %d at once, allowed is one or more of each", l.PerSecond, l.Burst)
	}
	return nil
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

// known reports whether the time may be told as one that is right.
func (q Quality) known() bool { return q.Stratum > 0 && q.Stratum < 16 && q.Leap != LeapUnsync }

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
	EventLimited  EventKind = "limited" // it was told to ask less often (kiss code RATE), or not answered for that reason
	EventDropped  EventKind = "dropped" // Reason says why
)

// Destination is where a client sent its request; the answer goes to it by unicast in any case (phones.md d.1).
type Destination string

// The destinations.
const (
	ToBox       Destination = "the box"
	ToSubnet    Destination = "the broadcast address of the subnet"
	ToEverybody Destination = "255.255.255.255"
	ToMulticast Destination = "224.0.1.1"
)

// Event is one request, or several: of a client that asks often, and of packets that are dropped for one reason, one in a
// while is told, with how many there were.
type Event struct {
	Kind        EventKind
	Time        time.Time // the box's time
	From        netip.AddrPort
	Destination Destination // "" of what was dropped
	To          netip.Addr
	Mode        uint8 // of the request
	Version     uint8
	Stratum     uint8 // as answered; 16 = not synchronised
	Reason      string
	Count       int // so many since the last event of that client or reason, this one included
}
