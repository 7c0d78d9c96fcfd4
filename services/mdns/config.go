package mdns

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what the box is called and where. Its zero value says nothing on any wire.
type Config struct {
	Interface string       // the one wire
	Address   netip.Prefix // the box's address on it; only clients of that network are heard
	Host      string       // the label before .local that is wanted: phonebox
	// Last is the label that the box had before it was switched off; it is tried first, so that two boxes keep their names.
	Last     string
	Instance string // what people see in lists of services: the name of the office
	HTTP     uint16 // port of the page; 0 = none
	HTTPS    uint16 // port of the encrypted page; 0 = none
}

func (c *Config) validate() error {
	switch {
	case c.Interface == "":
		return errors.New("mdns: found no interface, allowed is the name of one")
	case !c.Address.IsValid() || !c.Address.Addr().Is4():
		return fmt.Errorf("mdns: found the address %s, allowed is an IPv4 address with its network", c.Address)
	case !validLabel(c.Host):
		return fmt.Errorf("mdns: found the host %q, allowed is a label of 1 to 56 letters, digits and hyphens", c.Host)
	}
	return nil
}

// validLabel leaves room for a number behind the label.
func validLabel(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 56
}

// Deps are what the server needs from outside; Log and Report are required.
type Deps struct {
	Log     *slog.Logger
	Report  func(Event)           // must not block
	Metrics prometheus.Registerer // nil = no metrics
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventNamed    EventKind = "named"    // the box has this name on the wire now
	EventConflict EventKind = "conflict" // another host has the name; another is looked for
	EventDropped  EventKind = "dropped"  // a packet was not heard: Reason says why
)

// Event is one thing that happened.
type Event struct {
	Kind   EventKind
	Time   time.Time
	From   netip.AddrPort // conflict, dropped: who sent it
	Label  string         // named, conflict: the label before .local
	Reason string
}
