package phonesim

import (
	"fmt"
	"slices"
	"time"

	"phonebox/services/phone"
)

// maxFaults bounds what a misbehaving server can make a phone remember.
const maxFaults = 50

// judge keeps a phone's step by the rules of the design ("Steps of a phone"), from what the phone itself does.
// Its fields are guarded by Phone.mu.
type judge struct {
	step        phone.Step
	stuckTimer  *time.Timer
	application bool   // an application runs, not the loader
	configured  bool   // SIP<MAC>.cnf was got in this boot
	appSeen     bool   // RINGLIST or dial plan fetched, or OPTIONS answered
	open        int    // transfers that run
	polls       int    // requests for SIP<MAC>.cnf by the application, in vain, in a row
	done        bool   // an outcome was reached, in this boot or an earlier one
	settled     bool   // nothing else is under way
	named       string // the load that a file named last
	trouble     string // why an image could not be had or was refused
}

// emit reports an event. The caller does not hold the lock.
func (p *Phone) emit(kind EventKind, file, format string, args ...any) {
	if p.cfg.OnEvent == nil {
		return
	}
	p.mu.Lock()
	step := p.judge.step
	p.mu.Unlock()
	p.cfg.OnEvent(Event{Time: time.Now(), MAC: p.cfg.MAC, Kind: kind, Step: step, Text: fmt.Sprintf(format, args...), File: file})
}

// fault notes what a server did wrong, once.
func (p *Phone) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.mu.Lock()
	list := &p.res.Faults
	if p.cfg.Profile == ProfileBasic {
		list = &p.res.Notes
	}
	known := slices.Contains(*list, text) || len(*list) >= maxFaults
	if !known {
		*list = append(*list, text)
	}
	p.mu.Unlock()
	if !known {
		p.emit(EventFault, "", "%s", text)
	}
}

// waiting notes what the phone waits for, and a problem with it ("" = none).
func (p *Phone) waiting(what, problem string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.res.WaitingFor, p.res.Problem = what, problem
}

// asking notes the file that the phone waits for; a problem stays one until something was got.
func (p *Phone) asking(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.res.WaitingFor = name
}

// rank orders the steps of one boot.
func rank(s phone.Step) int {
	return slices.Index([]phone.Step{
		phone.Seen, phone.Addressed, phone.Loading, phone.Upgrading, phone.Configured, phone.Ready,
	}, s)
}

// enter changes the step and watches how long the phone stays in it.
func (p *Phone) enter(step phone.Step) {
	p.mu.Lock()
	changed := p.judge.step != step
	p.judge.step = step
	p.res.Step = step
	if changed {
		p.watchLocked()
	}
	p.mu.Unlock()
	if changed {
		p.emit(EventStep, "", "step %s", step)
	}
}

// advance changes the step if that is further on than the present one; a phone that was stuck is let go.
func (p *Phone) advance(step phone.Step) {
	p.mu.Lock()
	further := p.judge.step == phone.Stuck || rank(step) > rank(p.judge.step)
	p.mu.Unlock()
	if further {
		p.enter(step)
	}
}

// watchLocked arms the timer after which the phone counts as stuck.
func (p *Phone) watchLocked() {
	if p.judge.stuckTimer != nil {
		p.judge.stuckTimer.Stop()
	}
	step := p.judge.step
	limit := stuckAfter(step, p.judge.application && p.runs.protocol() == phone.SIP)
	if limit == 0 || step == phone.Stuck || p.ended {
		return
	}
	p.judge.stuckTimer = time.AfterFunc(limit, func() { p.stuck(step) })
}

// stuck marks the phone as stuck if it is still in that step.
func (p *Phone) stuck(step phone.Step) {
	p.mu.Lock()
	still := p.judge.step == step && !p.ended
	if still {
		p.judge.step, p.res.Step = phone.Stuck, phone.Stuck
	}
	waiting := p.res.WaitingFor
	p.mu.Unlock()
	if still {
		p.emit(EventStep, "", "stuck in step %s, waiting for %s", step, waiting)
	}
}

// reboot forgets what was true of the boot before.
func (p *Phone) reboot() int {
	p.mu.Lock()
	p.res.Boots++
	boot := p.res.Boots
	done := p.judge.done
	if p.judge.stuckTimer != nil {
		p.judge.stuckTimer.Stop()
	}
	p.judge = judge{done: done}
	p.mu.Unlock()
	return boot
}

// applicationRuns notes that the loader or an old image handed over to the application.
func (p *Phone) applicationRuns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge.application = true
	p.watchLocked()
}

// requested notes a read request, closed its end.
func (p *Phone) requested(firmware bool) {
	p.mu.Lock()
	p.judge.open++
	p.mu.Unlock()
	p.advanceRequest()
	if firmware {
		p.enter(phone.Upgrading)
	}
}

// advanceRequest makes a request count as loading; asking again does not free a phone that is stuck.
func (p *Phone) advanceRequest() {
	p.mu.Lock()
	early := rank(p.judge.step) >= 0 && rank(p.judge.step) < rank(phone.Loading)
	p.mu.Unlock()
	if early {
		p.enter(phone.Loading)
	}
}

// closed notes the end of a transfer; a file that was got is progress.
func (p *Phone) closed(f phone.FileName, got bool) {
	p.mu.Lock()
	p.judge.open--
	if got {
		p.res.Problem = ""
		switch f.Kind {
		case phone.KindSIP:
			p.judge.configured, p.judge.polls = true, 0
		case phone.KindRingList, phone.KindDialPlan:
			p.judge.appSeen = true
		}
	}
	p.mu.Unlock()
	switch {
	case got && f.Kind == phone.KindSIP:
		p.advance(phone.Configured)
	case got:
		p.advance(phone.Loading)
	}
	p.checkReady()
}

// optionsAnswered notes that the SIP application showed itself to the box.
func (p *Phone) optionsAnswered() {
	p.mu.Lock()
	p.judge.appSeen = true
	p.mu.Unlock()
	p.checkReady()
}

// checkReady applies the rule for SIP: configured, then the application seen, and no file open.
func (p *Phone) checkReady() {
	p.mu.Lock()
	j := &p.judge
	ready := j.application && j.configured && j.appSeen && j.open == 0 && p.wantedLocked() && p.runs.protocol() == phone.SIP
	p.mu.Unlock()
	if ready {
		p.finish(OutcomeReady)
	}
}

// wantedLocked reports whether the application in flash is the wanted one.
func (p *Phone) wantedLocked() bool { return p.cfg.Want == "" || p.runs.Application == p.cfg.Want }

// unmet tells what a phone waits for whose boot is over although it runs another load than the wanted one, and reports
// whether that is so.
func (p *Phone) unmet() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wantedLocked() {
		return false
	}
	p.res.WaitingFor, p.res.Problem = "the load "+p.cfg.Want, p.judge.trouble
	switch {
	case p.judge.trouble != "":
	case p.judge.named == "":
		p.res.Problem = "the phone runs " + p.runs.Application + " and no file names a load"
	default:
		p.res.Problem = "the phone runs " + p.runs.Application + " and its files name " + p.judge.named
	}
	return true
}

// toldLoad notes the load that a file names, "" where it names none.
func (p *Phone) toldLoad(load string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge.named = load
}

// finish notes the outcome, the first time.
func (p *Phone) finish(o Outcome) {
	if o == OutcomeReady {
		p.waiting("", "")
		p.enter(phone.Ready)
	}
	p.mu.Lock()
	better := !p.judge.done || p.res.Outcome == OutcomePolling && o == OutcomeReady
	if better {
		p.judge.done = true
		p.res.Outcome = o
		p.res.After = time.Since(p.started)
	}
	after := p.res.After
	p.mu.Unlock()
	if better {
		p.emit(EventDone, "", "%s after %s", o, after.Round(time.Millisecond))
	}
	p.maybeDone()
}
