package sip

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
)

// Config is where requests come from.
type Config struct {
	Listen netip.AddrPort // the box's address; port 0 lets the kernel choose
	Every  time.Duration  // how often a phone that has a lease is asked; default 60 s
	// Timeout is how long an answer may take; default 3 s. A request is sent again after a sixth of it, then after
	// twice that, and so on (timer E of RFC 3261 section 17.1.2.2, in a hurry: a phone is on the same wire).
	Timeout time.Duration
}

const (
	defaultEvery   = time.Minute
	defaultTimeout = 3 * time.Second
	defaultPort    = 5060 // voip_control_port
)

// Validate returns every fault, joined.
func (c Config) Validate() error {
	var faults []error
	if a := c.Listen.Addr(); !a.Is4() || a.IsUnspecified() {
		// Via and Contact must name the address that the phone answers to.
		faults = append(faults, fmt.Errorf("listen: found %s, allowed is an IPv4 address of the box and a port", c.Listen))
	}
	if c.Every < 0 {
		faults = append(faults, fmt.Errorf("every: found %s, allowed is a time not under 0", c.Every))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout: found %s, allowed is a time not under 0", c.Timeout))
	}
	return errors.Join(faults...)
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Every == 0 {
		c.Every = defaultEvery
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// Target is a phone to speak to.
type Target struct {
	MAC     phone.MAC
	Address netip.AddrPort // port: voip_control_port, 5060
	User    string         // line1_name
}

// Targets returns the phones that are to be asked now.
type Targets interface {
	Targets() []Target
}

// Deps are what the client needs from outside; Targets, Log and Report are required.
type Deps struct {
	Targets Targets
	Log     *slog.Logger
	Report  func(Event)           // must not block
	Metrics prometheus.Registerer // nil = no metrics
	// Resolver looks the proxies of [Client.CheckLine] up; nil = only proxies with a dotted address can be checked.
	Resolver Resolver
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventAlive    EventKind = "alive"    // OPTIONS was answered, with whatever code
	EventSilent   EventKind = "silent"   // OPTIONS was not answered, or check-sync: Reason says which
	EventNotified EventKind = "notified" // check-sync was answered; Code says how
	EventDropped  EventKind = "dropped"  // a packet that is no answer of ours; Reason says why
)

// Event is one exchange with a phone.
type Event struct {
	Kind      EventKind
	Time      time.Time
	MAC       phone.MAC
	Address   netip.AddrPort
	Code      int
	UserAgent string
	Took      time.Duration
	Reason    string
}
