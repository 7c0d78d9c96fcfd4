package netdev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

// facts are what the kernel says about the interface.
type facts struct {
	present bool
	index   int
	name    string
	mac     phone.MAC
	on      bool // switched on by the administrator
	carrier bool
	changes uint32 // how often the kernel saw the carrier come or go
	addrs   []address
}

// life tells one link-up from the next: of another interface under the same name, or after the carrier went.
type life struct {
	index   int
	changes uint32
}

// observe asks the kernel. An interface that is not there is no error.
func observe(name string) (facts, error) {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return facts{name: name}, nil
	}
	if err != nil {
		return facts{name: name}, fmt.Errorf("looking at %s: %w", name, err)
	}
	a := link.Attrs()
	f := facts{present: true, index: a.Index, name: name}
	copy(f.mac[:], a.HardwareAddr)
	if f.on, f.carrier, f.changes, err = carrier(a.Index); errors.Is(err, unix.ENODEV) {
		return facts{name: name}, nil // it went this moment
	} else if err != nil {
		return f, fmt.Errorf("looking at %s: %w", name, err)
	}
	f.addrs, err = dump(func() ([]address, error) { return addresses(f.index) })
	if err != nil {
		return f, fmt.Errorf("reading the addresses of %s: %w", name, err)
	}
	return f, nil
}

// has reports whether the address is set, whatever the length of its subnet.
func (f facts) has(addr netip.Addr) bool {
	return slices.ContainsFunc(f.addrs, func(a address) bool { return a.prefix.Addr() == addr })
}

// evaluate looks at the interface, sets what is ours to set, opens or closes the raw side, and tells what changed.
func (d *Device) evaluate() {
	cfg := d.config()
	var faults []error
	if cfg.Manage {
		faults = append(faults, d.manage(cfg))
	}
	f, err := observe(cfg.Interface)
	faults = append(faults, err, d.attach(f), d.reconcileNeighbours(cfg, f))
	s := stateOf(cfg, f)
	now := life{f.index, f.changes}
	if s.Up() && d.Up() && now != d.life {
		// The link went and came back between two looks: it may be another wire, and whoever looked at the old one has to
		// look again.
		d.publish(State{Condition: Unplugged, Text: cfg.Interface + " had no link for a moment", MAC: f.mac})
	}
	d.life = now
	back := s.Up() && !d.Up()
	if back {
		d.forget() // it may be another wire
	}
	d.mu.Lock()
	if !s.Up() {
		d.duplicate, d.owned = phone.MAC{}, false
	}
	s.Duplicate = d.duplicate
	d.mu.Unlock()
	if !s.Duplicate.IsZero() {
		s.Text += fmt.Sprintf("; the host %s uses the same address", s.Duplicate)
	}
	if o := d.foreign.network(); s.Up() && o.prefix.IsValid() {
		s.Foreign, s.ForeignGateway = o.prefix, o.gateway
		s.Text += "; " + o.text(cfg.Address)
	}
	if err := errors.Join(faults...); err != nil {
		s.Fault = err.Error()
		s.Text += "; " + s.Fault
	}
	d.publish(s)
	if back {
		d.checkSoon() // not before: a probe while the state is still the old one would be refused, and the check be lost
	}
}

// stateOf says in words what the facts mean.
func stateOf(cfg Config, f facts) State {
	s := State{MAC: f.mac}
	switch {
	case !f.present:
		s.Condition, s.Text = Missing, "the interface "+cfg.Interface+" is not there"
	case !f.on:
		s.Condition, s.Text = Down, cfg.Interface+" is switched off"
	case !f.carrier:
		s.Condition, s.Text = Unplugged, cfg.Interface+" has no link: the cable is out, or the switch is off"
	case !f.has(cfg.Address.Addr()):
		s.Condition, s.Text = NoAddress, fmt.Sprintf("%s does not have the box's address %s", cfg.Interface, cfg.Address)
	default:
		s.Condition, s.Text = Ready, fmt.Sprintf("%s is up with %s", cfg.Interface, cfg.Address)
	}
	return s
}

// attach makes the raw side fit the interface: it is opened anew when the interface is another one or got another
// hardware address.
func (d *Device) attach(f facts) error {
	d.mu.Lock()
	old := d.wire
	if old != nil && f.present && old.index == f.index && old.mac == f.mac && old.name == f.name && !old.ended() {
		d.mu.Unlock()
		return nil
	}
	d.mu.Unlock()
	var w *wire
	var err error
	if f.present {
		w, err = d.openWire(f)
	}
	d.mu.Lock()
	d.wire = w
	d.mu.Unlock()
	if old != nil {
		old.close()
	}
	return err
}

// publish stores a state and tells everybody who asked where it is a new one.
func (d *Device) publish(s State) {
	d.mu.Lock()
	old := d.state
	d.state = s
	d.mu.Unlock()
	if old == s {
		return
	}
	level := slog.LevelInfo
	if s.Fault != "" || !s.Duplicate.IsZero() || s.Foreign.IsValid() {
		level = slog.LevelWarn
	}
	d.log.Log(context.Background(), level, "network changed", "condition", string(s.Condition), "text", s.Text)
	d.subscribers.set(s.Up())
	if d.report != nil {
		d.report(s)
	}
}
