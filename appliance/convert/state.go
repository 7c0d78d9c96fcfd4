package convert

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"phonebox/services/phone"
)

// State returns where the conversion of a phone stands; false for a phone that is none of the director's business.
func (d *Director) State(mac phone.MAC) (State, bool) {
	defer d.deliver()
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.ways[mac]
	if w == nil {
		return State{}, false
	}
	d.plans.stock(d.deps.Shelf())
	d.look(w, now)
	return d.state(w), true
}

// States returns all conversions, in the order of the MACs.
func (d *Director) States() []State {
	defer d.deliver()
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.stock(d.deps.Shelf())
	out := make([]State, 0, len(d.ways))
	for _, w := range d.ways {
		d.look(w, now)
		out = append(out, d.state(w))
	}
	slices.SortFunc(out, func(a, b State) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	return out
}

func (d *Director) state(w *way) State {
	v := &w.view
	return State{
		MAC: w.mac, Belief: v.belief, Target: v.target, Phase: v.phase, Text: d.text(w), Path: clone(v.path), Done: w.Done,
		Attempts: w.Attempts, Unplug: w.unplug(v.now), Set: w.Set, Changed: w.At,
	}
}

// Order tells one phone's conversion what a technician wants; it is on the card when it returns nil. The error is a
// sentence for people.
func (d *Director) Order(ctx context.Context, mac phone.MAC, o Order) error {
	defer d.deliver()
	text, ok := map[Order]string{
		Go: "is to go on with its conversion", Skip: "is left out of the conversion", Stop: "was stopped: it is told no load and sent no image",
		Next: "is to be converted before all that wait",
	}[o]
	if !ok {
		return fmt.Errorf("found the order %q, allowed are go, skip, stop and next", string(o))
	}
	d.mu.Lock()
	w := d.way(mac)
	if w == nil {
		d.mu.Unlock()
		return fmt.Errorf("the site does not list the phone %s, so it is not converted: add it to the site", mac)
	}
	w.order(o)
	d.report(w, text)
	d.plans.stock(d.deps.Shelf())
	d.look(w, time.Now())
	d.mu.Unlock()
	return d.saveShard(ctx, shardOf(mac))
}

func (w *way) order(o Order) {
	w.dirty = true
	switch o {
	case Stop, Skip:
		w.Order, w.Next = o, false
		if w.Turn && (o == Stop || !w.halfway()) {
			w.end()
		}
	case Go, Next:
		w.Order, w.Next = "", o == Next
		w.Failed, w.Cause, w.Attempts, w.Broke, w.Cuts, w.Whole, w.Booted = "", "", 0, 0, 0, "", false
		w.nudges, w.nudged, w.refusal = 0, time.Time{}, ""
	}
	w.Told = news{}
}
