package convert

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// reason says why a phone is in its phase; with the phase it decides what is told again and what was said already.
type reason string

const (
	noTarget  reason = ""        // the site leaves it on what it runs, or all is said
	unseen    reason = "unseen"  // the box never heard of it
	unknown   reason = "unknown" // nothing tells what it runs yet
	noTurn    reason = "turn"
	noWay     reason = "no way" // the ladder knows no safe step
	lacksFile reason = "files"
	otherKind reason = "model"
	noApp     reason = "application" // the loader is alone, and the site wants no load
	maybe     reason = "maybe"       // it may be there already, and the files that would show it are not on the shelf
)

// view is how a phone's conversion stands as last looked at.
type view struct {
	belief ladder.Belief
	target string
	path   ladder.Path
	err    error        // why the ladder knows no way
	step   *ladder.Step // that may be offered to the phone when it has its turn; nil = none
	phase  Phase
	reason reason
	model  string
	now    time.Time // of the look
	stable time.Time // since when phase and reason are what they are
}

// target returns the load that the site wants on a phone; "" = none.
func (d *Director) target(mac phone.MAC) string {
	p, ok := d.listed[mac]
	switch {
	case !ok && !d.cfg.Unlisted:
		return ""
	case strings.EqualFold(p.Load, Stay):
		return ""
	case p.Load != "":
		return p.Load
	}
	return d.cfg.Target
}

// model returns what kind of phone it is: what it says itself counts before what the site says.
func (d *Director) model(mac phone.MAC, b ladder.Belief) string {
	if b.Model != "" {
		return b.Model
	}
	return d.listed[mac].Model
}

// converts reports whether the ladder is about such a phone.
func converts(model string) bool { return model == "" || model == "7940" || model == "7960" }

// look finds out anew how the conversion of a phone stands, from what is believed of it now and from what is on the shelf
// now, which plans.stock has to be told before.
func (d *Director) look(w *way, now time.Time) {
	b, heard := d.deps.Belief(w.mac)
	v := view{belief: b, target: d.aimed(w), model: d.model(w.mac, b), now: now}
	w.remember(b)
	if v.target != "" && converts(v.model) && known(b) {
		v.path, v.err = d.plans.plan(b, v.target)
	}
	d.aim(w, &v)
	if v.planned() {
		d.settle(w, &v)
	}
	if w.Order == After && !w.inStep() {
		w.Order, w.dirty = Skip, true
		d.report(w, "is left out now, as a person wanted it after its step")
	}
	switch {
	case w.Order == Stop:
		v.phase = Stopped
	case w.Order == Skip && w.Finish == "":
		v.phase = Skipped
	case v.target == "" && noApplication(b) && !w.lost(&v):
		v.phase, v.reason = Blocked, noApp
	case v.target == "":
		v.phase = Arrived
	case !converts(v.model):
		v.phase, v.reason = Blocked, otherKind
	case !known(b) && heard.IsZero() && w.seen.IsZero():
		v.phase, v.reason = Waiting, unseen
	case !known(b):
		v.phase, v.reason = Waiting, unknown
	default:
		d.place(w, &v)
	}
	if v.step == nil && w.Turn {
		w.end()
	}
	d.tell(w, v)
	if w.Finish != "" && (v.phase == Arrived || v.phase == Failed) {
		w.Finish, w.dirty = "", true // what follows is seen at the next look
	}
}

// aimed is the load to which the phone is on its way: what the site wants, or the end of a step that began before the site
// changed its mind. Without that the phone would be left with a loader alone.
func (d *Director) aimed(w *way) string {
	target := d.target(w.mac)
	wanted := target != "" && w.Order != Skip
	switch {
	case wanted && w.Finish != "":
		w.Finish, w.dirty = "", true
	case !wanted && w.Finish == "" && w.Order != Stop && w.halfway():
		w.Finish, w.dirty = w.Step, true
		d.report(w, "is in the middle of the step to "+w.Step+" and may have no application: the step is finished all the same")
	}
	return cmp.Or(w.Finish, target)
}

// remember keeps the load that the phone surely runs, for when its application is lost.
func (w *way) remember(b ladder.Belief) {
	l, ok := phone.ParseLoad(b.Load)
	if b.Load == "" || b.Confidence != ladder.Sure || ok && l.Loader {
		return
	}
	if !ok || !l.Universal() {
		l.Name = ""
	}
	if w.Ran != l.Name || w.Lost {
		w.Ran, w.Lost, w.dirty = l.Name, false, true
	}
}

// noApplication reports whether a phone is believed to have the universal loader and nothing else.
func noApplication(b ladder.Belief) bool {
	l, ok := phone.ParseLoad(b.Load)
	return ok && l.Loader && b.Confidence >= ladder.Likely
}

// lost reports whether a phone that ran a known load of the universal loader has lost it: the loader asked for its
// application, and what runs is not known any more. It is told that load again where no other is wanted or can be had.
func (w *way) lost(v *view) bool {
	ran, _ := phone.ParseLoad(w.Ran)
	b := &v.belief
	fits := (b.Protocol == phone.ProtocolUnknown || b.Protocol == ran.Protocol) && (b.Major == 0 || b.Major == ran.Version[0])
	return w.Lost && w.Ran != "" && b.Loader == ladder.Yes && (b.Load == "" && fits || noApplication(*b)) &&
		(v.phase == "" || v.phase == Arrived || v.phase == Skipped || v.phase == Blocked || v.phase == Failed)
}

// known reports whether anything is known of what a phone runs.
func known(b ladder.Belief) bool {
	return b.Load != "" || b.Protocol != phone.ProtocolUnknown || b.Loader != ladder.Unknown
}

// planned reports whether the ladder was asked.
func (v *view) planned() bool { return v.err != nil || v.path.To != "" }

// first is the step that comes next, whether or not its files are there.
func (v *view) first() *ladder.Step {
	if v.err != nil || len(v.path.Steps) == 0 {
		return nil
	}
	s := v.path.Steps[0] // a copy: the path is shared
	return &s
}

// aim notes that the phone has another target than before.
func (d *Director) aim(w *way, v *view) {
	if strings.EqualFold(w.To, v.target) {
		return
	}
	if v.target != "" && strings.EqualFold(w.Step, v.target) && w.Image != "" { // the step that it takes is the last one now
		w.To, w.dirty = v.target, true
		return
	}
	w.record = record{Order: w.Order, Next: w.Next, To: v.target, Phase: w.Phase, Reason: w.Reason, At: w.At, Finish: w.Finish, Ran: w.Ran, Lost: w.Lost, Start: w.Start, Taken: w.Taken}
	w.end()
	w.nudges, w.dirty = 0, true
}

// place says where a phone stands that has a way to its target, or should have.
func (d *Director) place(w *way, v *view) {
	b := &v.belief
	first := v.first()
	switch {
	case v.err != nil:
		v.phase, v.reason = Blocked, noWay
	case first == nil:
		v.phase = Arrived
	case len(first.Missing) > 0 && first.Maybe && len(v.path.Steps) == 1 && b.Protocol != phone.ProtocolUnknown && !w.begun(first):
		v.phase, v.reason = Waiting, maybe
	case len(first.Missing) > 0:
		v.phase, v.reason = Blocked, lacksFile
	case strings.EqualFold(w.Failed, first.To):
		v.phase = Failed
	default:
		v.step = first
		v.phase, v.reason = Waiting, noTurn
		if w.Turn || first.Confirm {
			v.phase, v.reason = Going, noTarget
		}
	}
}

// runs reports whether a phone is believed to run what a step leads to.
func runs(b ladder.Belief, to string) bool {
	if l, ok := phone.ParseLoad(to); ok && l.Loader {
		return b.Loader == ladder.Yes
	}
	return b.Confidence >= ladder.Likely && strings.EqualFold(b.Load, to)
}

// settle compares what is believed with the step that the phone takes: it may be done, or start from something else than
// was believed. While the ladder wants a start that confirms it, a step is not done: that start is its last part.
func (d *Director) settle(w *way, v *view) {
	first := v.first()
	confirms := first != nil && first.Confirm && strings.EqualFold(first.To, w.Step)
	switch {
	case w.Step != "" && (w.Turn || w.Image != "") && runs(v.belief, w.Step):
		if !confirms {
			d.done(w, v)
		}
	case w.Turn && first != nil && !strings.EqualFold(first.To, w.Step):
		d.report(w, "runs "+runsText(v.belief)+", not what was believed. Its way is now: "+pathText(v.path))
		if w.start(first, v.belief); first.Confirm {
			w.end()
		}
	}
}

// done ends a step that was taken.
func (d *Director) done(w *way, v *view) {
	w.Done++
	w.Taken = append(w.Taken[max(0, len(w.Taken)+1-maxTaken):len(w.Taken):len(w.Taken)], Taken{cmp.Or(w.From, w.lastTaken(), w.Start), w.Step, d.deps.Now().Round(0).UTC()})
	w.Step, w.From, w.Image, w.Whole, w.Booted, w.Broke, w.Cuts, w.Attempts, w.Cause = "", "", "", "", false, 0, 0, 0, ""
	w.nudges, w.refusal = 0, ""
	w.end()
	d.metrics.steps.WithLabelValues("done").Inc()
	if first := v.first(); first != nil {
		d.report(w, "has taken a step and runs "+runsText(v.belief)+"; next comes "+stepText(first))
	}
}

// inStep reports whether a phone takes a step that has begun, or whose last try failed for good and waits for a person.
func (w *way) inStep() bool { return w.Turn || w.Image != "" || w.Failed != "" }

// lastTaken is where its last step led; "" = it took none.
func (w *way) lastTaken() string {
	if n := len(w.Taken); n > 0 {
		return w.Taken[n-1].To
	}
	return ""
}

// setOut notes and tells, once for each target, that the phone begins.
func (d *Director) setOut(w *way) {
	if !w.Set.IsZero() {
		return
	}
	w.Set, w.dirty = d.deps.Now().Round(0).UTC(), true
	w.Start, w.Taken = runsText(w.view.belief), nil
	d.report(w, "sets out from "+runsText(w.view.belief)+" to "+w.To+": "+pathText(w.view.path))
}

// tell takes a view for the phone's own and tells what is new in it. What may pass in a moment is told when it lasts: a
// boot brings one clue after the other.
func (d *Director) tell(w *way, v view) {
	old := w.view
	v.stable = old.stable
	if old.phase != v.phase || old.reason != v.reason || old.stable.IsZero() {
		v.stable = v.now
	}
	w.view = v
	if v.phase == Waiting && v.reason == noTurn && w.queued.IsZero() {
		w.queued = v.now
	}
	if w.Phase != v.phase || w.Reason != v.reason || old.step != nil && v.step != nil && old.step.To != v.step.To {
		w.At, w.dirty = d.deps.Now().Round(0).UTC(), true
		w.Phase, w.Reason = v.phase, v.reason
	}
	d.tellNews(w)
	if d.deps.Waits == nil {
		return
	}
	show := ""
	if slices.Contains([]Phase{Waiting, Going, Blocked, Failed}, v.phase) && v.reason != unseen && v.reason != maybe {
		show = d.text(w)
	}
	if show != w.show {
		w.show = show
		d.outbox = append(d.outbox, message{w.mac, show, true})
	}
}

// tellNews puts what is new into the timeline.
func (d *Director) tellNews(w *way) {
	v := &w.view
	state := news{v.phase, v.reason}
	if w.Told == state {
		return
	}
	lasts := v.now.Sub(v.stable) >= settleTime
	switch {
	case v.phase == Arrived && !w.Set.IsZero():
		w.Next = false
		d.report(w, "has arrived: it runs "+v.target+steps(w.Done))
	case v.phase == Failed:
		d.report(w, d.text(w))
	case v.phase == Blocked && lasts, v.phase == Waiting && v.reason == noTurn && lasts:
		if v.step != nil {
			d.setOut(w)
		}
		what := "waits. "
		if v.phase == Blocked {
			what = "cannot go on. "
		}
		d.report(w, what+d.text(w))
	default:
		return
	}
	w.Told, w.dirty = state, true
}
