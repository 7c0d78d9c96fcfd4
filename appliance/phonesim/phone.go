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

// Phone is one virtual phone. It is plugged in by [Phone.Run], once; its power can be cut and restored meanwhile.
type Phone struct {
	cfg  Config
	nic  NIC
	done chan struct{} // closed once there is an outcome and nothing is under way

	mu        sync.Mutex
	rand      *rand.Rand
	res       Result
	judge     judge
	runs      Flash
	writing   writing
	power     power
	display   string
	fresh     bool           // the application was written by the boot before: the loader starts it at once
	names     map[string]int // index into res.Files
	pageIndex map[string]int // index into res.Pages
	tftpPort  uint16
	started   time.Time
	ended     bool
	told      bool // done is closed
}

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
		rand: rand.New(rand.NewPCG(cfg.Seed, binary.BigEndian.Uint64(id[:]))),
		runs: cfg.Flash, power: power{changed: make(chan struct{})},
	}
	p.res = Result{
		MAC: cfg.MAC, Model: cfg.Model, State: cfg.State, Broadcast: cfg.Broadcast,
		Outcome: OutcomeFailed, Files: []File{},
	}
	return p, nil
}

// Result returns what is known of the phone now; it may be called at any time.
func (p *Phone) Result() Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.res
	r.Load, r.LoaderID, r.Erased, r.Damaged = p.runs.Application, p.runs.LoaderID, p.runs.Erased, p.runs.Damaged
	r.Display = p.display
	r.Flashed = slices.Clone(r.Flashed)
	r.Files = slices.Clone(r.Files)
	r.Pages = slices.Clone(r.Pages)
	r.Lines = slices.Clone(r.Lines)
	r.Registrations = slices.Clone(r.Registrations)
	r.Faults = slices.Clone(r.Faults)
	r.Notes = slices.Clone(r.Notes)
	if r.Image != nil {
		image := *r.Image
		r.Image = &image
	}
	return r
}

// Done is closed once the phone is where it is expected to get: ready, or polling in StateBare; or once it is dead.
func (p *Phone) Done() <-chan struct{} { return p.done }

// Reasons why a boot ends.
var (
	errReset    = errors.New("the phone resets")
	errFinished = errors.New("the phone is done")
)

// Run plugs the phone in and returns what became of it: once it is done or, with Config.Stay, once ctx ends, which is a
// power cut too. It goes on while the power is cut and restored. A phone that does not get ready or dies is no error: the
// result says what it waited for. The error is about the machine (no socket).
func (p *Phone) Run(ctx context.Context) (Result, error) {
	nic, err := p.cfg.Link.Attach(p.cfg.MAC)
	if err != nil {
		return p.Result(), err
	}
	if prober, ok := nic.(interface{ skipProbe() }); ok && p.cfg.Profile == ProfileBasic {
		prober.skipProbe()
	}
	p.mu.Lock()
	p.nic, p.started = nic, time.Now()
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
	err = p.lives(ctx)
	p.end()
	if closeErr := nic.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("unplugging %s: %w", p.cfg.MAC, closeErr)
	}
	return p.Result(), err
}

// boots boots the phone again and again until ctx ends (nil) or the phone is dead (errDead).
func (p *Phone) boots(ctx context.Context) error {
	for {
		err := p.boot(ctx)
		p.nic.Down()
		switch {
		case errors.Is(err, errDead):
			return err
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, errReset):
			return fmt.Errorf("running %s: %w", p.cfg.MAC, err)
		case p.pause(ctx, resetTime) != nil:
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

// boot is what happens from reset to reset: an address, then the program that is in flash. It returns errReset when the
// phone resets, errDead when it is dead, else the cause for which power ended or a fault of the machine.
func (p *Phone) boot(power context.Context) error {
	n := p.reboot()
	p.emit(EventBoot, "", "boot %d with %s", n, p.flashed())
	p.enter(phone.Seen)
	ctx, cancel := context.WithCancelCause(power)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	wg.Go(func() { p.announce(ctx) })
	p.showFirst(displayIP)
	lease, err := p.lease(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.res.Addressed = time.Since(p.started)
	p.mu.Unlock()
	p.advance(phone.Addressed)
	wg.Go(func() {
		if err := p.keepLease(ctx, lease); err != nil {
			cancel(err)
		}
	})
	b := &boot{Phone: p, lease: lease, cancel: cancel, wg: &wg, tftp: lease.TFTP, power: power}
	b.useTFTP(lease.TFTP)
	err = b.program(ctx)
	if errors.Is(context.Cause(ctx), errReset) && !errors.Is(err, errDead) {
		return errReset // the lease was lost, whatever the program said
	}
	return err
}

// boot is what lives from one reset to the next.
type boot struct {
	*Phone
	lease  Lease
	power  context.Context // ends when the power goes: what a lost lease does not stop runs under it
	tftp   netip.Addr      // where files come from: the lease's, or dyn_tftp_addr
	cancel context.CancelCauseFunc
	wg     *sync.WaitGroup
	flash  Flash // as it was at the reset
}

// useTFTP notes where files come from.
func (b *boot) useTFTP(server netip.Addr) {
	b.tftp = server
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs.TFTP = server
}

// program runs what is in flash.
func (b *boot) program(ctx context.Context) error {
	b.mu.Lock()
	b.flash = b.runs
	fresh := b.fresh
	b.fresh = false
	b.mu.Unlock()
	b.showFirst(displayFiles)
	if b.cfg.Profile == ProfileBasic {
		return b.basic(ctx)
	}
	if b.flash.LoaderID != "" {
		return b.loader(ctx, fresh)
	}
	return b.oldImage(ctx)
}

// draw returns a random number below n.
func (p *Phone) draw(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rand.IntN(n)
}
