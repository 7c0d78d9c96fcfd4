package phonesim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"phonebox/services/phone"
)

// Phone is one virtual phone. It is switched on by [Phone.Run], once.
type Phone struct {
	cfg  Config
	nic  NIC
	done chan struct{} // closed once there is an outcome and nothing is under way

	mu         sync.Mutex
	rand       *rand.Rand
	res        Result
	judge      judge
	runs       flash
	names      map[string]int // index into res.Files
	pageIndex  map[string]int // index into res.Pages
	remembered netip.Addr
	tftpPort   uint16
	started    time.Time
	ended      bool
	told       bool // done is closed
}

// flash is what survives a reset.
type flash struct {
	app      string // application, without suffix; "" = erased
	loaderID string // LA_VERSION of the universal loader; "" = there is none
	sync     string // of the .cnf files
	image    string // image_version that a SIP application was told last
	fresh    bool   // the application was written by the boot before: the loader starts it at once
}

// protocol returns what the application in flash speaks.
func (f flash) protocol() phone.Protocol { return loadProtocol(f.app) }

// New makes a phone that is switched off. The error lists every fault of the configuration.
func New(cfg Config) (*Phone, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("making a virtual phone: %w", err)
	}
	var id [8]byte
	copy(id[2:], cfg.MAC[:])
	p := &Phone{
		cfg: cfg, done: make(chan struct{}), names: map[string]int{}, pageIndex: map[string]int{},
		rand:       rand.New(rand.NewPCG(cfg.Seed, binary.BigEndian.Uint64(id[:]))),
		runs:       flash{app: cfg.Load, loaderID: cfg.LoaderID, sync: "1"},
		remembered: cfg.Remember,
	}
	p.tftpPort = uint16(firstTFTPPort + p.rand.IntN(1<<16-firstTFTPPort))
	p.res = Result{
		MAC: cfg.MAC, Model: cfg.Model, State: cfg.State, Broadcast: cfg.Broadcast,
		Outcome: OutcomeFailed, Load: cfg.Load, LoaderID: cfg.LoaderID, Files: []File{},
	}
	return p, nil
}

// Result returns what is known of the phone now; it may be called at any time.
func (p *Phone) Result() Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.res
	r.Load, r.LoaderID = p.runs.app, p.runs.loaderID
	r.Flashed = slices.Clone(r.Flashed)
	r.Files = slices.Clone(r.Files)
	r.Pages = slices.Clone(r.Pages)
	r.Lines = slices.Clone(r.Lines)
	r.Faults = slices.Clone(r.Faults)
	return r
}

// Done is closed once the phone is where it is expected to get: ready, or polling in StateBare.
func (p *Phone) Done() <-chan struct{} { return p.done }

// Reasons why a boot ends.
var (
	errReset    = errors.New("the phone resets")
	errFinished = errors.New("the phone is done")
)

// Run switches the phone on and returns what became of it: once it is done, or, with Config.Stay, once ctx ends. A phone
// that does not get ready is no error: the result says what it waited for. The error is about the machine (no socket).
func (p *Phone) Run(ctx context.Context) (Result, error) {
	nic, err := p.cfg.Link.Attach(p.cfg.MAC)
	if err != nil {
		return p.Result(), err
	}
	p.nic = nic
	p.mu.Lock()
	p.started = time.Now()
	p.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !p.cfg.Stay {
		go func() {
			select {
			case <-p.done:
				cancel(errFinished)
			case <-ctx.Done():
			}
		}()
	}
	err = p.boots(ctx)
	p.end()
	if closeErr := nic.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("unplugging %s: %w", p.cfg.MAC, closeErr)
	}
	return p.Result(), err
}

// boots boots the phone again and again until ctx ends.
func (p *Phone) boots(ctx context.Context) error {
	for {
		err := p.boot(ctx)
		p.nic.Down()
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, errReset) {
			return fmt.Errorf("running %s: %w", p.cfg.MAC, err)
		}
		if p.pause(ctx, resetTime) != nil {
			return nil
		}
	}
}

// end stops what watches the phone.
func (p *Phone) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.judge.stuckTimer != nil {
		p.judge.stuckTimer.Stop()
	}
}

// boot is one life from reset to reset: an address, then the program that is in flash. It returns errReset when the
// phone resets, else the cause for which ctx ended or a fault of the machine.
func (p *Phone) boot(ctx context.Context) error {
	n := p.reboot()
	p.emit(EventBoot, "", "boot %d with %s", n, p.flashed())
	p.enter(phone.Seen)
	lease, err := p.lease(ctx)
	if err != nil {
		return err
	}
	p.advance(phone.Addressed)
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	wg.Go(func() {
		if err := p.keepLease(ctx, lease); err != nil {
			cancel(err)
		}
	})
	b := &boot{Phone: p, lease: lease, cancel: cancel, wg: &wg, tftp: lease.TFTP}
	err = b.program(ctx)
	if errors.Is(context.Cause(ctx), errReset) {
		return errReset // the lease was lost, whatever the program said
	}
	return err
}

// flashed says what is in flash, for people.
func (p *Phone) flashed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.runs.app == "":
		return "no application"
	case p.runs.loaderID != "":
		return p.runs.app + " and the universal loader"
	}
	return p.runs.app
}

// boot is what lives from one reset to the next.
type boot struct {
	*Phone
	lease  Lease
	tftp   netip.Addr // where files come from: the lease's, or dyn_tftp_addr
	cancel context.CancelCauseFunc
	wg     *sync.WaitGroup
	flash  flash // as it was at the reset
}

// program runs what is in flash.
func (b *boot) program(ctx context.Context) error {
	b.mu.Lock()
	b.flash = b.runs
	b.runs.fresh = false
	b.mu.Unlock()
	if b.flash.loaderID != "" {
		return b.loader(ctx)
	}
	return b.oldImage(ctx)
}

// draw returns a random number below n.
func (p *Phone) draw(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rand.IntN(n)
}
