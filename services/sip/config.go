package sip

import (
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
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventAlive    EventKind = "alive"    // OPTIONS was answered, with whatever code
	EventSilent   EventKind = "silent"   // OPTIONS was not answered
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
