package netdev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"phonebox/services/dhcp"
	"phonebox/services/phone"
)

// recheck is how often the interface is looked at although the kernel reported no change.
const recheck = 30 * time.Second

var _ dhcp.Wire = (*Device)(nil)

// Device follows the box's interface. Its methods may be called from anywhere, before Run too: they then say that the
// interface is not ready.
type Device struct {
	log     *slog.Logger
	report  func(State)
	dropped *prometheus.CounterVec

	poke      chan struct{} // Run is to look at the interface
	ready     chan struct{} // closed after Run's first look
	readyOnce sync.Once
	check     chan struct{} // the box's address is to be probed
	discover  chan struct{} // holds a token while nobody discovers

	subscribers subscribers
	listeners   listeners
	holders     *holders
	early       *early
	overheard   *overheard
	foreign     *foreign
	echoes      *echoes
	news        chan struct{} // see News
	turn        atomic.Uint32 // counts the looks for other servers

	mu        sync.Mutex
	cfg       Config
	state     State     // written by Run alone
	wire      *wire     // nil while there is none
	duplicate phone.MAC // another host that uses the box's address
	owned     bool      // nobody else had the address when it was probed
	defended  time.Time // when the address was defended last

	neighbourMu sync.Mutex // held over a change of the map and of the kernel's table
	neighbours  map[netip.Addr]neighbour

	managed string // the interface that Run set addresses on; "" = none
	life    life   // of the link at Run's last look
	limits  string // the folder of the neighbour limits
}

// New makes a device; nothing is opened or set before Run.
func New(cfg Config, deps Deps) (*Device, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("network settings: %w", err)
	}
	if deps.Log == nil {
		return nil, errors.New("network: a logger is required")
	}
	d := &Device{
		log: deps.Log, report: deps.Report, cfg: cfg,
		poke: make(chan struct{}, 1), ready: make(chan struct{}),
		check: make(chan struct{}, 1), discover: make(chan struct{}, 1),
		holders: newHolders(), early: newEarly(),
		overheard: newOverheard(), foreign: newForeign(), echoes: &echoes{}, news: make(chan struct{}, 1),
		neighbours: make(map[netip.Addr]neighbour),
		state:      State{Condition: Missing, Text: cfg.Interface + " was not looked at yet"},
		limits:     "/proc/sys/net/ipv4/neigh/default",
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_netdev_dropped_total", Help: "Frames of the wire (ARP, DHCP servers) that were not understood, by reason.",
		}, []string{"reason"}),
	}
	d.discover <- struct{}{}
	d.echoes.panicked = d.panicked
	if deps.Metrics != nil {
		if err := d.register(deps.Metrics); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return d, nil
}

func (d *Device) register(reg prometheus.Registerer) error {
	errs := []error{reg.Register(d.dropped)}
	for _, g := range []struct {
		name, help string
		is         func() bool
	}{
		{"up", "1 while the cable is in and the box's address is set.", d.Up},
		{"duplicate_address", "1 while another host uses the box's address.", func() bool { return !d.State().Duplicate.IsZero() }},
		{"foreign_network", "1 while hosts of another network than the box's are heard on the wire.", func() bool { return d.State().Foreign.IsValid() }},
	} {
		errs = append(errs, reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "phonebox_netdev_" + g.name, Help: g.help}, func() float64 {
			if g.is() {
				return 1
			}
			return 0
		})))
	}
	return errors.Join(errs...)
}

// Run follows the interface until ctx ends (nil). It fails only where the kernel can't be asked at all. At its end
// the neighbour entries are removed; address and route stay.
func (d *Device) Run(ctx context.Context) error {
	// The groups of rtnetlink(7); a message only says that it is time to look again.
	events, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE)
	if err != nil {
		return fmt.Errorf("subscribing to changes of the interface: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	lost := make(chan error, 1)
	helpers.Go(func() { lost <- d.follow(events) })
	helpers.Go(func() { d.watchOwnAddress(ctx) })
	defer func() {
		cancel()
		events.Close()
		helpers.Wait()
		d.close()
	}()
	if d.config().Manage {
		d.raiseLimits()
	}
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	for {
		d.evaluate()
		d.readyOnce.Do(func() { close(d.ready) })
		select {
		case <-ctx.Done():
			return nil
		case err := <-lost:
			return fmt.Errorf("following changes of the interface: %w", err)
		case <-d.poke:
		case <-tick.C:
		}
	}
}

// follow turns the kernel's messages into looks, until the socket is closed.
func (d *Device) follow(events *nl.NetlinkSocket) error {
	for {
		_, _, err := events.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			if errors.Is(err, os.ErrClosed) {
				return nil
			}
			return err
		}
		d.look() // ENOBUFS says that messages were lost: one more reason
	}
}

// look makes Run look at the interface soon.
func (d *Device) look() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// close undoes what must not outlive Run.
func (d *Device) close() {
	if err := d.removeNeighbours(); err != nil {
		d.log.Warn("removing neighbour entries", "iface", d.config().Interface, "err", err)
	}
	d.mu.Lock()
	w := d.wire
	d.wire = nil
	d.mu.Unlock()
	if w != nil {
		w.close()
	}
	d.echoes.close()
	d.publish(State{Condition: Missing, Text: d.config().Interface + " is not followed now"})
}

// Apply takes new settings over. What it changes on the interface happens soon after, on Run's goroutine; State tells.
func (d *Device) Apply(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("network settings: %w", err)
	}
	d.mu.Lock()
	changed := d.cfg.Address != cfg.Address || d.cfg.Interface != cfg.Interface
	d.cfg = cfg
	if changed {
		d.duplicate, d.owned = phone.MAC{}, false
	}
	d.mu.Unlock()
	if changed {
		d.forget()
		d.checkSoon()
	}
	d.look()
	return nil
}

// forget drops what was learned of the wire: it may be another, or the box another on it.
func (d *Device) forget() {
	d.holders.reset()
	d.early.reset()
	d.overheard.reset()
	d.foreign.reset()
}

// Ready is closed once Run has looked at the interface for the first time, whatever it found.
func (d *Device) Ready() <-chan struct{} { return d.ready }

// Up implements dhcp.Wire: the cable is in and the box's address is set.
func (d *Device) Up() bool { return d.subscribers.isUp() }

// Changes implements dhcp.Wire. Each call returns a new subscription that delivers the current value at once. A reader
// that was slow finds the newest value only; a true after a true says that the wire was down in between.
func (d *Device) Changes() <-chan bool { return d.subscribers.add() }

// State returns the interface as it is now.
func (d *Device) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

func (d *Device) config() Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

func (d *Device) drop(reason string) { d.dropped.WithLabelValues(reason).Inc() }

// attached returns the raw side, or why there is none.
func (d *Device) attached() (*wire, Config, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wire == nil {
		return nil, d.cfg, errors.New(d.state.Text)
	}
	return d.wire, d.cfg, nil
}

// current returns the raw side where frames can pass, or why they can't: a frame that is sent without a link is lost
// without an error, and then silence says nothing.
func (d *Device) current() (*wire, Config, error) {
	w, cfg, err := d.attached()
	if s := d.State(); err == nil && s.Condition != Ready && s.Condition != NoAddress {
		return nil, cfg, errors.New(s.Text)
	}
	return w, cfg, err
}
