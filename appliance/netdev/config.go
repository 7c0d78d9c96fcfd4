package netdev

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
)

// Config is which interface the box uses and what it sets there; Apply replaces it as a whole.
type Config struct {
	Interface string       // eth0
	Address   netip.Prefix // the box's address with the length of its subnet
	Gateway   netip.Addr   // the box's own default route; not valid = none
	// Manage lets the box own the interface: it brings the link up, sets Address and the route, removes what it set
	// earlier and raises the kernel's neighbour limits. Without it the device only looks.
	Manage bool
	// Freshness is how long MACOf may answer from its last look at the wire; 0 = 5 s.
	Freshness time.Duration
}

const defaultFreshness = 5 * time.Second

// fresh is how long MACOf may answer from its last look at the wire.
func (c Config) fresh() time.Duration {
	if c.Freshness == 0 {
		return defaultFreshness
	}
	return c.Freshness
}

// Validate returns every fault, joined.
func (c Config) Validate() error {
	var faults []error
	if c.Interface == "" || len(c.Interface) > 15 {
		faults = append(faults, fmt.Errorf("interface: found %q, allowed is a name of 1 to 15 characters", c.Interface))
	}
	if !c.Address.IsValid() || !c.Address.Addr().Is4() || c.Address.Bits() == 0 {
		faults = append(faults, fmt.Errorf("address: found %s, allowed is an IPv4 address with the length of its subnet", c.Address))
	}
	if c.Gateway.IsValid() && (!c.Address.Contains(c.Gateway) || c.Gateway == c.Address.Addr()) {
		faults = append(faults, fmt.Errorf("gateway: found %s, allowed is another address of %s", c.Gateway, c.Address.Masked()))
	}
	if c.Freshness < 0 {
		faults = append(faults, fmt.Errorf("freshness: found %s, allowed is a time not under 0", c.Freshness))
	}
	return errors.Join(faults...)
}

// Deps are what the device needs from outside.
type Deps struct {
	Log     *slog.Logger          // required
	Report  func(State)           // called after each change of State, on the device's goroutines; nil = nobody; must not block
	Metrics prometheus.Registerer // nil = no metrics
}

// Condition is what the interface is in.
type Condition string

// The conditions, from worst to best.
const (
	Missing   Condition = "missing"    // there is no such interface
	Down      Condition = "down"       // it is switched off
	Unplugged Condition = "unplugged"  // the cable is out, or its other end is dead
	NoAddress Condition = "no_address" // the cable is in, the box's address is not set
	Ready     Condition = "ready"
)

// State is the interface as it is now.
type State struct {
	Condition Condition `json:"condition"`
	Text      string    `json:"text"` // a sentence for people, faults included
	MAC       phone.MAC `json:"mac"`  // of the interface; zero while it is missing
	// Duplicate is another host that uses the box's address; zero = none was seen.
	Duplicate phone.MAC `json:"duplicate"`
	// Foreign is another network whose hosts are heard on this wire: the box may be on the wrong VLAN. Where no DHCP server
	// told its length, it is given as a /24. Not valid = none was heard; ForeignGateway is not valid where it is not known.
	Foreign        netip.Prefix `json:"foreign"`
	ForeignGateway netip.Addr   `json:"foreign_gateway"`
	Fault          string       `json:"fault"` // what could not be set or opened; "" = nothing
}

// Troubled reports whether Text tells of something that a person should know.
func (s State) Troubled() bool {
	return !s.Up() || s.Fault != "" || !s.Duplicate.IsZero() || s.Foreign.IsValid()
}

// Up reports whether packets can pass: the cable is in and the box's address is set.
func (s State) Up() bool { return s.Condition == Ready }
