package convert

import (
	"bytes"
	"slices"
	"time"

	"phonebox/services/phone"
)

// Preview says how the conversion of each listed phone would stand if the site named another target: its way from what it is
// believed to run now, and why there is none. Nothing is changed by that. A phone that the site names a load for keeps it;
// "" leaves every other phone on what it runs.
func (d *Director) Preview(to string) []State {
	defer d.deliver()
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.stock(d.deps.Shelf())
	out := make([]State, 0, len(d.listed))
	for mac, p := range d.listed {
		w := d.way(mac)
		d.look(w, now)
		out = append(out, d.preview(w, p, to))
	}
	slices.SortFunc(out, func(a, b State) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	return out
}

func (d *Director) preview(w *way, p Phone, to string) State {
	v := view{belief: w.view.belief, model: w.view.model, now: w.view.now, target: to}
	if p.Load != "" {
		v.target = d.target(w.mac)
	}
	switch {
	case v.target == "":
		v.phase = Arrived
	case !converts(v.model):
		v.phase, v.reason = Blocked, otherKind
	case !known(v.belief):
		v.phase, v.reason = Waiting, unknown
		if _, heard := d.deps.Belief(w.mac); heard.IsZero() && w.seen.IsZero() {
			v.reason = unseen
		}
	default:
		v.path, v.err = d.plans.plan(v.belief, v.target)
		d.place(&way{mac: w.mac}, &v)
	}
	st := State{
		MAC: w.mac, Belief: v.belief, Target: v.target, Phase: v.phase, Path: clone(v.path), Unplug: w.unplug(v.now), Order: w.Order, Pinned: p.Load != "",
	}
	for _, s := range v.path.Steps {
		st.Left += s.Takes
	}
	st.Text = d.previewText(&v)
	return st
}

// previewText says what stands in the way; "" where nothing does.
func (d *Director) previewText(v *view) string {
	fresh := &way{view: *v}
	switch {
	case v.phase == Arrived:
		return arrivedText(fresh)
	case v.phase == Blocked:
		return blockedText(v)
	case v.reason == unseen, v.reason == unknown, v.reason == maybe:
		return d.waitingText(fresh)
	}
	return ""
}

// Places is how many phones may be in a step at once.
func (d *Director) Places() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.parallel
}

// Listed returns the MACs of the phones that the site lists.
func (d *Director) Listed() []phone.MAC {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]phone.MAC, 0, len(d.listed))
	for mac := range d.listed {
		out = append(out, mac)
	}
	return out
}
