package cdp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

// Config says where to listen.
type Config struct {
	Interface string // "" = nowhere: Run returns ErrOff
}

// Deps are what the listener needs from outside; Log and Report are required.
type Deps struct {
	Log     *slog.Logger
	Report  func(Event)           // must not block
	Metrics prometheus.Registerer // nil = no metrics
}

// Event is an announcement of a phone that was heard.
type Event struct {
	Time time.Time
	Announcement
}

var (
	// ErrOff says that CDP is not listened to and that trying again is of no use: no interface is set, or raw frames are
	// not allowed.
	ErrOff = errors.New("listening to CDP is off")
	errOut = errors.New("the interface is not there")
)

const (
	// recheck is how often the interface is looked at: a socket hears nothing, and says nothing, once its interface was
	// replaced by another of that name (a USB adapter).
	recheck = 10 * time.Second
	// retry is how long a missing interface is waited for before the next look.
	retry = 2 * time.Second
)

// groupAddress is where CDP frames go.
var groupAddress = [6]byte{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc}

// Listener hears announcements.
type Listener struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	gate    *gate // of the ear for CDP alone
	devices neighbours
	ready   chan struct{}
	bound   atomic.Int32 // ears that listened once
}

// ear is how one protocol is heard.
type ear struct {
	protocol int
	groups   [][6]byte
	filter   []bpf.Instruction
	hear     func(frame []byte, now time.Time)
}

func (l *Listener) ears() []ear {
	return []ear{
		{unix.ETH_P_802_2, [][6]byte{groupAddress}, onlyCDP(), l.hear},
		{etherTypeLLDP, lldpGroups[:], onlyLLDP(), l.hearLLDP},
	}
}

// New makes a listener; no socket is opened before Run.
func New(cfg Config, deps Deps) (*Listener, error) {
	if deps.Log == nil || deps.Report == nil {
		return nil, errors.New("cdp: a logger and a report are required")
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	return &Listener{cfg: cfg, deps: deps, metrics: m, gate: newGate(), ready: make(chan struct{})}, nil
}

// Ready is closed once announcements were listened to for the first time.
func (l *Listener) Ready() <-chan struct{} { return l.ready }

// Run listens until ctx ends (nil). An interface that is not there or goes away is waited for. The error wraps [ErrOff]
// where there is no interface to listen on or no right to; it may be called again after it returned.
func (l *Listener) Run(ctx context.Context) error {
	if l.cfg.Interface == "" {
		return fmt.Errorf("%w: no interface is set", ErrOff)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ears := l.ears()
	others := make(chan error, len(ears)-1)
	for _, e := range ears[1:] {
		go func() {
			others <- l.run(ctx, e)
			cancel()
		}()
	}
	first := l.run(ctx, ears[0])
	cancel()
	for range ears[1:] {
		if err := <-others; first == nil {
			first = err
		}
	}
	return first
}

// run listens with one ear until ctx ends.
func (l *Listener) run(ctx context.Context, e ear) error {
	listened, waiting := false, false
	for {
		err := l.listen(ctx, e, func() {
			waiting = false
			if !listened && int(l.bound.Add(1)) == len(l.ears()) {
				close(l.ready)
			}
			listened = true
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, os.ErrPermission):
			return fmt.Errorf("%w: raw frames need root or CAP_NET_RAW: %w", ErrOff, err)
		case err != nil && !errors.Is(err, errOut):
			return fmt.Errorf("listening to CDP on %s: %w", l.cfg.Interface, err)
		case err != nil && !waiting:
			waiting = true
			l.deps.Log.Info("waiting for the interface", "iface", l.cfg.Interface)
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return nil
		}
	}
}

// listen opens the interface as it is now and hears until it is gone (errOut) or ctx ends.
func (l *Listener) listen(ctx context.Context, e ear, bound func()) error {
	ifi, err := net.InterfaceByName(l.cfg.Interface)
	if err != nil {
		return errOut
	}
	conn, err := open(ifi, e)
	if err != nil {
		if absent(err) {
			return errOut
		}
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	bound()
	return l.read(ctx, conn, ifi, e.hear)
}

// open makes a socket that gets the frames for one ear of an interface and nothing else.
func open(ifi *net.Interface, e ear) (*packet.Conn, error) {
	filter, err := bpf.Assemble(e.filter)
	if err != nil {
		return nil, err
	}
	conn, err := packet.Listen(ifi, packet.Raw, e.protocol, &packet.Config{Filter: filter})
	if err != nil {
		return nil, err
	}
	for _, group := range e.groups {
		if err := conn.JoinGroup(group[:]); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// onlyCDP is a filter for untagged frames to the group with the SNAP header of CDP (00000C, 2000). A frame of a VLAN that
// the box has no interface for is shown to a socket of one protocol without its tag; what is left of that is its type,
// "for another host".
func onlyCDP() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 11},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OTHERHOST, SkipTrue: 9},
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x01000ccc, SkipTrue: 7},
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0xcccc, SkipTrue: 5},
		bpf.LoadAbsolute{Off: 14, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0xaaaa0300, SkipTrue: 3},
		bpf.LoadAbsolute{Off: 18, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x000c2000, SkipTrue: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	}
}

// read takes frames in.
func (l *Listener) read(ctx context.Context, conn *packet.Conn, ifi *net.Interface, hear func([]byte, time.Time)) error {
	buf := make([]byte, 4096)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(recheck))
		n, _, err := conn.ReadFrom(buf)
		var timeout net.Error
		switch {
		case err == nil:
			hear(buf[:n], time.Now())
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENETDOWN), errors.As(err, &timeout) && timeout.Timeout():
		case absent(err):
			return errOut
		default:
			return err
		}
		if now, err := net.InterfaceByName(ifi.Name); err != nil || now.Index != ifi.Index {
			return errOut
		}
	}
}

// absent reports an error that says that the interface is gone.
func absent(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// caught keeps a frame that makes us panic from the others.
func (l *Listener) caught() {
	if v := recover(); v != nil {
		l.drop(dropPanic, phone.MAC{})
		l.deps.Log.Error("hearing a frame panicked", "value", v, "stack", string(debug.Stack()))
	}
}

// hear takes one frame in: a phone's announcement is reported, that of another device kept as a neighbour's, all else is counted
// with a reason.
func (l *Listener) hear(frame []byte, now time.Time) {
	defer l.caught()
	a, err := Parse(frame)
	switch {
	case err != nil:
		l.deps.Log.Debug("frame dropped", "err", err)
		l.drop(dropMalformed, phone.MAC{})
	case !a.IsPhone():
		l.devices.keep(a.neighbour(), now)
		l.drop(dropNotPhone, a.From)
	case a.MAC != a.From:
		l.drop(dropOtherSender, a.From)
	default:
		if reason := l.gate.pass(a, now); reason != "" {
			l.drop(reason, a.From)
			return
		}
		l.metrics.heard.Inc()
		l.deps.Report(Event{Time: now, Announcement: a})
	}
}

func (l *Listener) drop(reason string, from phone.MAC) {
	l.metrics.dropped.WithLabelValues(reason).Inc()
	l.deps.Log.Debug("announcement dropped", "reason", reason, "mac", from)
}
