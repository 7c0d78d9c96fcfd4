package phonesim

import (
	"context"
	"errors"
	"time"
)

// errPowerCut is why everything stops at once.
var errPowerCut = errors.New("the power is cut")

// power is the cord of a phone. Its fields are guarded by Phone.mu.
type power struct {
	cut     bool
	off     context.CancelCauseFunc // ends the present life; nil while the phone is off
	changed chan struct{}           // closed when the power comes back, and then replaced
}

// Cut pulls the power: sockets and transfers stop at once and what is not in flash is lost. The phone stays off until
// [Phone.Restore]. In a moment that [Phone.Writing] calls fatal the phone is dead afterwards. Cutting what is off does nothing.
func (p *Phone) Cut() { p.pull(false) }

// CutUnlessFatal is [Phone.Cut] by somebody who heeds the flashing lamps: it does nothing and returns false while a cut would
// kill the phone.
func (p *Phone) CutUnlessFatal() bool { return p.pull(true) }

// pull cuts the power, unless that would be fatal and the caller heeds it.
func (p *Phone) pull(heed bool) bool {
	p.mu.Lock()
	if heed && p.writing.fatal {
		p.mu.Unlock()
		return false
	}
	off, nic := p.power.off, p.nic
	if !p.power.cut {
		p.power.cut = true
		p.res.PowerCycles++
	}
	if off != nil {
		off(errPowerCut) // under the lock: a writing that would begin now sees it
		p.cutWritingLocked()
	}
	p.display = ""
	p.mu.Unlock()
	if off != nil && nic != nil {
		nic.Down()
	}
	return true
}

// Restore gives the power back; the phone boots. It does nothing where the power was not cut.
func (p *Phone) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.power.cut {
		p.power.cut = false
		close(p.power.changed)
		p.power.changed = make(chan struct{})
	}
}

// PowerCycle is [Phone.Cut] and at once [Phone.Restore].
func (p *Phone) PowerCycle() {
	p.Cut()
	p.Restore()
}

// powerUp waits for the power and begins a life, which ends with the context: errPowerCut is its cause when the power goes.
// It returns nil once ctx ends.
func (p *Phone) powerUp(ctx context.Context) context.Context {
	for {
		p.mu.Lock()
		if !p.power.cut && ctx.Err() == nil {
			life, off := context.WithCancelCause(ctx)
			p.power.off = off
			p.fresh = false
			p.tftpPort = uint16(firstTFTPPort + p.rand.IntN(1<<16-firstTFTPPort))
			p.mu.Unlock()
			return life
		}
		changed := p.power.changed
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// powerDown ends a life.
func (p *Phone) powerDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.power.off(errPowerCut)
	p.power.off = nil
	p.display = ""
	if p.judge.stuckTimer != nil {
		p.judge.stuckTimer.Stop()
	}
}

// lives lives from power on to power off, again and again until ctx ends or the phone is dead.
func (p *Phone) lives(ctx context.Context) error {
	for {
		if p.Flash().Damaged {
			p.die()
			return nil
		}
		life := p.powerUp(ctx)
		if life == nil {
			return nil
		}
		err := p.boots(life)
		cut := errors.Is(context.Cause(life), errPowerCut)
		p.powerDown()
		switch {
		case p.Flash().Damaged: // by the cut, or by what it was given
		case err != nil:
			return err
		case cut:
			p.waiting("its power", "")
			p.emit(EventPower, "", "the power is cut")
		default:
			return nil
		}
	}
}

// die notes that the phone will never start again.
func (p *Phone) die() {
	p.mu.Lock()
	problem := p.res.Problem
	if problem == "" {
		problem = "its flash is damaged"
	}
	p.res.Outcome = OutcomeDamaged
	p.res.WaitingFor, p.res.Problem = "another phone", problem
	p.res.After = time.Since(p.started)
	p.judge.done, p.judge.settled = true, true
	p.mu.Unlock()
	p.emit(EventDone, "", "the phone is dead: %s", problem)
	p.maybeDone()
}
