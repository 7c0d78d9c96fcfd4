package netdev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
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

	mu        sync.Mutex
	cfg       Config
	state     State     // written by Run alone
	wire      *wire     // nil while there is none
	duplicate phone.MAC // another host that uses the box's address

	neighbourMu sync.Mutex // held over a change of the map and of the kernel's table
	neighbours  map[netip.Addr]phone.MAC

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
		holders:    newHolders(),
		neighbours: make(map[netip.Addr]phone.MAC),
		state:      State{Condition: Missing, Text: cfg.Interface + " was not looked at yet"},
		limits:     "/proc/sys/net/ipv4/neigh/default",
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phonebox_netdev_dropped_total", Help: "ARP frames that were not understood, by reason.",
		}, []string{"reason"}),
	}
	d.discover <- struct{}{}
	if deps.Metrics != nil {
		up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "phonebox_netdev_up", Help: "1 while the cable is in and the box's address is set.",
		}, func() float64 {
			if d.Up() {
				return 1
			}
			return 0
		})
		if err := errors.Join(deps.Metrics.Register(d.dropped), deps.Metrics.Register(up)); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return d, nil
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
		d.duplicate = phone.MAC{}
	}
	d.mu.Unlock()
	if changed {
		d.holders.reset()
		d.checkSoon()
	}
	d.look()
	return nil
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
