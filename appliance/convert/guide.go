package convert

import (
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// Naming says what the files name to a phone now, and why it is not on its way ("" where it is, or has arrived). The step
// that it returns is the first of what the ladder plans for what is believed at this moment, with all its files on the
// shelf at this moment (promise 6); a phone that the site does not list is named what it runs, or nothing (promise 9).
func (d *Director) Naming(mac phone.MAC) (n phone.Naming, why string) {
	defer d.deliver()
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.way(mac)
	if w == nil {
		b, _ := d.deps.Belief(mac)
		return stranger(b), ""
	}
	d.plans.stock(d.deps.Shelf())
	d.look(w, now)
	v := &w.view
	switch {
	case v.phase == Stopped:
		return phone.Naming{}, d.text(w)
	case v.step != nil && (v.step.Confirm || d.grant(w, now)):
		n := v.step.Naming
		_, listed := d.listed[mac]
		n.Finish = w.Finish != "" && !listed && !d.cfg.Unlisted
		return n, ""
	case v.phase == Arrived:
		return w.stay(), ""
	}
	return w.stay(), d.text(w)
}

// stay names what the phone runs, or ran last.
func (w *way) stay() phone.Naming {
	if v := &w.view; w.lost(v) {
		return phone.Stay(w.Ran)
	}
	return stay(w.view.belief)
}

// stay names the load that a listed phone runs, if that is known: it showed it, or it fetched it whole in place of one
// that is known, and would fetch it again at most; or it announced it, and then gets no image of it (see own). A loader
// without application is no load.
func stay(b ladder.Belief) phone.Naming {
	l, ok := phone.ParseLoad(b.Load)
	if b.Confidence == ladder.Sure || b.Confidence == ladder.Likely && (b.Before != "" || b.Beside != nil) {
		if !ok || !l.Loader {
			return phone.Stay(b.Load)
		}
	}
	return phone.Naming{}
}

// stranger names the load that a phone was seen running or announced, and nothing that is only likely (promise 9).
func stranger(b ladder.Belief) phone.Naming {
	if b.Confidence != ladder.Sure && b.Beside == nil {
		return phone.Naming{}
	}
	return stay(b)
}

// MayFetch says whether a phone may have a firmware file now, else why not. Of phones that the director knows nothing
// about it says yes: there the provisioner's own rules hold.
func (d *Director) MayFetch(mac phone.MAC, file phone.FileName) (ok bool, why string) {
	if mac.IsZero() || !file.Kind.IsFirmware() && file.Kind != phone.KindLoads {
		return true, ""
	}
	defer d.deliver()
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.stock(d.deps.Shelf())
	w := d.way(mac)
	if w == nil {
		b, _ := d.deps.Belief(mac)
		return d.ownOnly(b, d.model(mac, b), file)
	}
	d.look(w, now)
	v := &w.view
	if v.step == nil {
		return d.withoutStep(w, file)
	}
	ok, why = v.step.Expects(file)
	switch own := d.own(v.belief, file); {
	case !ok && own && !v.step.Confirm:
		return true, ""
	case !ok && v.step.Confirm && file.Kind == phone.KindLoads && strings.EqualFold(file.Load, v.step.To):
		return true, "" // the loader reads that list at every start (phones.md a.4)
	case !ok:
		return false, why
	case w.lastTry(file):
		return false, "three tries of this step failed, so it is not sent again: " + causeAgain(file.Clean)
	case d.grant(w, now), own && !file.Kind.IsFirmware():
		return true, ""
	}
	return false, d.text(w)
}

// lastTry reports whether asking for an image means that the third try failed.
func (w *way) lastTry(file phone.FileName) bool {
	return w.wouldFail(file) && w.Attempts+1 >= maxAttempts
}

// withoutStep decides for a phone to which no step is offered.
func (d *Director) withoutStep(w *way, file phone.FileName) (bool, string) {
	v := &w.view
	if v.phase != Stopped && w.lost(v) && d.own(ladder.Belief{Load: w.Ran, Confidence: ladder.Sure, Signed: ladder.Yes}, file) {
		return true, ""
	}
	switch {
	case v.phase == Stopped && !(file.Kind == phone.KindLoads && d.own(v.belief, file)):
		return false, d.text(w)
	case v.phase == Stopped, v.phase == Arrived && v.target == "", v.phase == Skipped, v.reason == otherKind:
		return d.ownOnly(v.belief, v.model, file)
	case d.own(v.belief, file):
		return true, ""
	case v.phase == Arrived:
		return false, "the phone runs " + v.target + " as it should, and " + file.Clean + " is no file of that load"
	}
	return false, d.text(w)
}

// ownOnly lets a phone have the files of the load that it runs. Where that is not known, or it is another model, nothing
// is known here, and nothing names a load to it either.
func (d *Director) ownOnly(b ladder.Belief, model string, file phone.FileName) (bool, string) {
	if !converts(model) || b.Load == "" || d.own(b, file) {
		return true, ""
	}
	if b.Beside != nil {
		return false, "the phone announced over CDP that it runs " + b.Load + ", and asks for " + file.Clean + ": what it runs is not known for sure, so no image is sent to it"
	}
	return false, "the phone runs " + b.Load + " and is to stay on it; " + file.Clean + " is no file of that load"
}

// own reports whether a firmware file belongs to the load that a phone runs and is of the sort that it takes. An image of a
// load that was only announced does not: a phone that asks for it shows that it does not run it, and an announcement can be
// forged.
func (d *Director) own(b ladder.Belief, file phone.FileName) bool {
	if b.Load == "" || b.Confidence < ladder.Likely || b.Beside != nil && file.Kind.IsFirmware() {
		return false
	}
	lower := strings.ToLower(file.Clean)
	if b.Signed == ladder.Yes && strings.HasSuffix(lower, ".bin") || b.Signed == ladder.No && strings.HasSuffix(lower, ".sbn") {
		return false
	}
	if strings.EqualFold(file.Load, b.Load) {
		return true
	}
	l, ok := d.plans.load(b.Load)
	return ok && (l.Loader != "" && strings.EqualFold(file.Load, l.Loader) ||
		slices.ContainsFunc(l.Files, func(name string) bool { return strings.EqualFold(name, file.Clean) }))
}
